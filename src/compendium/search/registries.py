"""The registries: how the WHO portal names them, and how each writes its dates."""

from compendium.registry_ids import parse_id

# The portal's names, in small letters, where they are not the registry's own.
_SOURCE_NAMES = {
    "german clinical trials register": "DRKS",
    "netherlands trial register": "NTR",
    "ntr": "NTR",
    "ccmo": "NL-OMON",
    "omon": "NL-OMON",
    "eu clinical trials register": "EUCTR",
    "eu-ctr": "EUCTR",
    "ctis": "CTIS",
    "brazilian clinical trials registry": "REBEC",
    "rebec": "REBEC",
    "cris": "KCT",
    "korean clinical research information service": "KCT",
    "umin-ctr": "JPRN",
    "jrct": "JPRN",
    "repec": "REPEC",
    "peruvian clinical trial registry": "REPEC",
    "pan african clinical trials registry": "PACTR",
    "pan african clinical trial registry": "PACTR",
    "clinical trials registry - india": "CTRI",
    "chinese clinical trial registry": "ChiCTR",
    "thai clinical trials registry": "TCTR",
    "sri lanka clinical trials registry": "SLCTR",
    "lebanese clinical trials registry": "LBCTR",
} | {
    name.lower(): name
    for name in (
        "ClinicalTrials.gov", "ISRCTN", "ANZCTR", "DRKS", "NL-OMON", "ITMCTR", "ChiCTR", "TCTR",
        "CTRI", "EUCTR", "IRCT", "JPRN", "KCT", "PACTR", "RPCEC", "SLCTR", "LBCTR", "HKUCTR",
    )
}  # fmt: skip

# How each registry writes Date_registration, and the start date beside it.
DATE_FORMATS: dict[str, tuple[str, ...]] = {
    "ClinicalTrials.gov": ("month", "d/m/y"),
    "CTRI": ("d-m-y",),
    "ChiCTR": ("iso",),
    "IRCT": ("iso", "d/m/y"),
    "JPRN": ("d/m/y", "y/m/d"),
    "KCT": ("iso",),
    "SLCTR": ("iso",),
    **dict.fromkeys(
        ("ANZCTR", "DRKS", "EUCTR", "ISRCTN", "LBCTR", "NTR", "NL-OMON", "PACTR", "REPEC", "REBEC",
         "RPCEC", "TCTR"),
        ("d/m/y",),
    ),
}  # fmt: skip


def registry_of(trial_id: str, source_register: str) -> tuple[str | None, bool]:
    """Name the registry of a trial number.

    Parameters
    ----------
    trial_id : str
        The number.
    source_register : str
        What the portal calls its source; may be empty.

    Returns
    -------
    registry : str or None
        By the number's form; by the source's name where the form is unknown; an unknown source
        counts by its own name; ``None`` if there is neither.
    agreed : bool
        ``False`` if number and source name different registries.

    Examples
    --------
    >>> registry_of("UMIN000058559", "JPRN")
    ('JPRN', True)
    """
    by_source = _SOURCE_NAMES.get(source_register.strip().lower(), source_register.strip() or None)
    parsed = parse_id(trial_id)
    if parsed is None:
        return by_source, True
    return parsed.registry, by_source in (None, parsed.registry)
