"""Closed vocabularies (those of ClinicalTrials.gov API v2) and the wordings that mean them."""

import re

STATUS = (
    "ACTIVE_NOT_RECRUITING", "COMPLETED", "ENROLLING_BY_INVITATION", "NOT_YET_RECRUITING",
    "RECRUITING", "SUSPENDED", "TERMINATED", "WITHDRAWN", "AVAILABLE", "NO_LONGER_AVAILABLE",
    "TEMPORARILY_NOT_AVAILABLE", "APPROVED_FOR_MARKETING", "WITHHELD", "UNKNOWN",
)  # fmt: skip
STUDY_TYPE = ("EXPANDED_ACCESS", "INTERVENTIONAL", "OBSERVATIONAL")
SINGLE_PHASE = ("NA", "EARLY_PHASE1", "PHASE1", "PHASE2", "PHASE3", "PHASE4")
PHASE = (*SINGLE_PHASE, "PHASE1_PHASE2", "PHASE2_PHASE3", "PHASE3_PHASE4")
ALLOCATION = ("RANDOMIZED", "NON_RANDOMIZED", "NA")
INTERVENTION_MODEL = ("SINGLE_GROUP", "PARALLEL", "CROSSOVER", "FACTORIAL", "SEQUENTIAL")
PRIMARY_PURPOSE = (
    "TREATMENT", "PREVENTION", "DIAGNOSTIC", "ECT", "SUPPORTIVE_CARE", "SCREENING",
    "HEALTH_SERVICES_RESEARCH", "BASIC_SCIENCE", "DEVICE_FEASIBILITY", "OTHER",
)  # fmt: skip
MASKING = ("NONE", "SINGLE", "DOUBLE", "TRIPLE", "QUADRUPLE")
MASKED_ROLES = ("PARTICIPANT", "CARE_PROVIDER", "INVESTIGATOR", "OUTCOMES_ASSESSOR")
SPONSOR_CLASS = (
    "NIH", "FED", "OTHER_GOV", "INDIV", "INDUSTRY", "NETWORK", "AMBIG", "OTHER", "UNKNOWN",
)  # fmt: skip
SEX = ("FEMALE", "MALE", "ALL")

# Wordings met in registries and in the portal, in `_plain` form. An empty string marks a wording
# that is known and means none of the values: the portal's "Not recruiting" may be a finished
# trial or one that has not begun.
_STATUS_WORDS = {
    "unknown status": "UNKNOWN", "unknown": "UNKNOWN", "open to recruitment": "RECRUITING",
    "recruitment completed": "ACTIVE_NOT_RECRUITING", "pending": "NOT_YET_RECRUITING",
    "recruiting complete follow up complete": "COMPLETED",
    "recruiting complete follow up continuing": "ACTIVE_NOT_RECRUITING",
    "recruiting complete study complete": "COMPLETED",
    "not yet enrolling": "NOT_YET_RECRUITING", "not recruiting": "", "authorised": "",
    "ongoing": "", "other": "", "na": "", "not applicable": "", "stopped early": "TERMINATED",
    "temporary halt": "SUSPENDED", "temporarily halted": "SUSPENDED", "ended": "COMPLETED",
    "prematurely ended": "TERMINATED", "halted": "SUSPENDED", "complete": "COMPLETED",
    "open": "RECRUITING", "closed": "", "not started": "NOT_YET_RECRUITING",
    "planned": "NOT_YET_RECRUITING", "stopped": "TERMINATED",
}  # fmt: skip
_STUDY_TYPE_WORDS = {
    "interventional study": "INTERVENTIONAL", "treatment study": "INTERVENTIONAL",
    "interventional clinical trial of medicinal product": "INTERVENTIONAL",
    "intervention": "INTERVENTIONAL", "observational study": "OBSERVATIONAL",
    "observational patient registry": "OBSERVATIONAL",
    "observational non invasive": "OBSERVATIONAL",
    "observational invasive": "OBSERVATIONAL", "observational study invasive": "OBSERVATIONAL",
    "epidemilogical research": "OBSERVATIONAL", "epidemiological research": "OBSERVATIONAL",
    "prognosis study": "OBSERVATIONAL", "cause relative factors study": "OBSERVATIONAL",
    "relative factors research": "OBSERVATIONAL", "cause": "OBSERVATIONAL",
    "non interventional": "OBSERVATIONAL", "ba be": "INTERVENTIONAL", "diagnostic test": "",
    "basic science": "", "health services reaserch": "", "health services research": "",
    "prevention": "", "screening": "", "other": "", "others meta analysis etc": "", "pms": "",
    "expanded access compassionate use": "EXPANDED_ACCESS",
}  # fmt: skip
_PHASE_WORDS = {
    "not applicable": "NA", "n a": "NA", "phase 0": "EARLY_PHASE1", "0": "NA",
    "retrospective study": "NA", "new treatment measure clinical study": "NA", "other": "NA",
    "not selected": "", "not specified": "", "others": "NA", "post market": "PHASE4",
    "post marketing surveillance": "PHASE4", "bioequivalence": "PHASE1",
    "diagnostic new technique clincal study": "NA", "i ii iii": "", "phase 1 phase 2 phase 3": "",
}  # fmt: skip
_ALLOCATION_WORDS = {
    "randomised": "RANDOMIZED", "randomized controlled trial": "RANDOMIZED",
    "randomised controlled trial": "RANDOMIZED", "randomized controlled study": "RANDOMIZED",
    "yes": "RANDOMIZED", "no": "NON_RANDOMIZED", "randomised yes": "RANDOMIZED",
    "randomised no": "NON_RANDOMIZED", "non randomized controlled trial": "NON_RANDOMIZED",
    "non randomised controlled trial": "NON_RANDOMIZED", "not randomised": "NON_RANDOMIZED",
    "non randomised": "NON_RANDOMIZED",
    "non randomized trial": "NON_RANDOMIZED", "non randomised trial": "NON_RANDOMIZED",
    "not randomized": "NON_RANDOMIZED", "non randomized controlled study": "NON_RANDOMIZED",
    "non randomized": "NON_RANDOMIZED", "not applicable": "NA", "n a": "NA", "other": "",
    "single arm study": "NA", "randomized control": "RANDOMIZED",
    "randomised controlled": "RANDOMIZED", "non randomized control": "NON_RANDOMIZED",
    "n a single arm study": "NA", "randomized parallel controlled trial": "RANDOMIZED",
}  # fmt: skip
_MODEL_WORDS = {
    "single arm": "SINGLE_GROUP", "single": "SINGLE_GROUP", "single group": "SINGLE_GROUP",
    "single group assignment": "SINGLE_GROUP", "parallel assignment": "PARALLEL",
    "crossover assignment": "CROSSOVER", "cross over": "CROSSOVER",
    "factorial assignment": "FACTORIAL", "sequential assignment": "SEQUENTIAL", "other": "",
    "non randomized control": "", "randomised controlled trial": "", "parallel group": "PARALLEL",
    "parallel group yes": "PARALLEL", "cross over yes": "CROSSOVER", "undefined": "",
    "not selected": "", "not applicable": "", "n a": "",
    "case control study": "", "cross sectional": "", "cohort study": "",
    "quasi randomized controlled": "",
}  # fmt: skip
_PURPOSE_WORDS = {
    "therapeutic": "TREATMENT", "diagnosis": "DIAGNOSTIC", "supportive care": "SUPPORTIVE_CARE",
    "basic research": "BASIC_SCIENCE", "basic research physiological study": "BASIC_SCIENCE",
    "educational counselling training": "OTHER", "natural history": "OTHER",
    "psychosocial": "OTHER", "prognosis": "OTHER", "duration": "OTHER",
    "health service research": "HEALTH_SERVICES_RESEARCH",
}  # fmt: skip
_CLASS_WORDS = {"u s fed": "FED", "us fed": "FED", "individual": "INDIV"}
_SEX_WORDS = {
    "both": "ALL", "both males and females": "ALL", "male and female": "ALL",
    "both male and female": "ALL", "female yes male yes": "ALL", "female yes male no": "FEMALE",
    "female no male yes": "MALE", "females": "FEMALE", "males": "MALE", "m": "MALE", "f": "FEMALE",
    "b": "ALL", "female and male": "ALL", "all sexes": "ALL", "both sexes": "ALL",
}  # fmt: skip
_ROLE_WORDS = (
    ("PARTICIPANT", ("participant", "subject", "patient", "volunteer")),
    ("CARE_PROVIDER", ("care provider", "caregiver", "treatment team", "therapist", "clinician")),
    ("INVESTIGATOR", ("investigator", "researcher", "data analyst")),
    ("OUTCOMES_ASSESSOR", ("assessor", "outcome", "evaluator")),
)
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4"}


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^0-9a-z]+", " ", text.lower()).split())


def _look_up(raw: str, values: tuple[str, ...], words: dict[str, str]) -> str | None:
    plain = _plain(raw)
    direct = plain.replace(" ", "_").upper()
    if direct in values:
        return direct
    return words.get(plain)


def normalise_term(raw: str | None, variable: str) -> tuple[str | None, str | None]:
    """Bring one wording to its variable's closed vocabulary.

    Parameters
    ----------
    raw : str or None
        The registry's wording.
    variable : {"status", "study_type", "allocation", "intervention_model", "primary_purpose", \
"sponsor_class", "sex"}
        Which vocabulary.

    Returns
    -------
    value : str or None
        A value of the vocabulary.
    problem : str or None
        ``"ambiguous"`` if the wording is known and means none of the values, ``"unmapped"`` if it
        is not known.

    Examples
    --------
    >>> normalise_term("Recruiting complete, follow-up complete", "status")
    ('COMPLETED', None)
    >>> normalise_term("Not Recruiting", "status")
    (None, 'ambiguous')
    """
    if raw is None or not raw.strip():
        return None, None
    values, words = _VOCABULARIES[variable]
    found = _look_up(raw, values, words)
    if found:
        return found, None
    return None, "unmapped" if found is None else "ambiguous"


_VOCABULARIES: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "status": (STATUS, _STATUS_WORDS),
    "study_type": (STUDY_TYPE, _STUDY_TYPE_WORDS),
    "allocation": (ALLOCATION, _ALLOCATION_WORDS),
    "intervention_model": (INTERVENTION_MODEL, _MODEL_WORDS),
    "primary_purpose": (PRIMARY_PURPOSE, _PURPOSE_WORDS),
    "sponsor_class": (SPONSOR_CLASS, _CLASS_WORDS),
    "sex": (SEX, _SEX_WORDS),
}


def join_phases(phases: list[str]) -> str | None:
    """Join the API's list of phases to one value, such as ``PHASE1_PHASE2``."""
    return "_".join(sorted(phases)) or None


def normalise_phase(raw: str | None) -> tuple[str | None, str | None]:
    """Bring a wording of a phase to one value; "N/A" is a value (not applicable), not a gap.

    Parameters
    ----------
    raw : str or None
        Such as "Phase 1/Phase 2", "PHASE2, PHASE3", "2-3", "Phase II/III", "N/A", or the four
        yes/no sentences of the EU register.

    Returns
    -------
    value, problem
        As `normalise_term`. The Chinese register's "0" is its code for "not a drug phase".

    Examples
    --------
    >>> normalise_phase("Phase II/III")
    ('PHASE2_PHASE3', None)
    """
    if raw is None or not raw.strip():
        return None, None
    sentences = re.findall(r"\(Phase (I{1,3}|IV)\)\s*:\s*(yes|no)", raw, flags=re.IGNORECASE)
    if sentences:
        digits = [_ROMAN[roman.lower()] for roman, answer in sentences if answer.lower() == "yes"]
    else:
        plain = _plain(raw)
        if plain in ("na", *_PHASE_WORDS):
            value = "NA" if plain == "na" else _PHASE_WORDS[plain]
            return value or None, None if value else "ambiguous"
        if plain.replace(" ", "_") in ("early_phase1", "early_phase_1"):
            return "EARLY_PHASE1", None
        tokens = re.sub(r"phase", " ", plain).split()
        digits = [_ROMAN.get(token, token) for token in tokens if token not in ("and", "to")]
    value = "_".join(f"PHASE{digit}" for digit in sorted(set(digits)))
    if value in PHASE:
        return value, None
    return None, "ambiguous" if sentences else "unmapped"


def normalise_masking(raw: str | None) -> tuple[str | None, tuple[str, ...], str | None]:
    """Read who is masked.

    Parameters
    ----------
    raw : str or None
        Such as "Double (Participant, Outcomes Assessor)", "open-label", "single-blind (subjects
        and treatment team unaware)", "Assessor and participant blind".

    Returns
    -------
    value : str or None
        NONE, SINGLE, DOUBLE, TRIPLE or QUADRUPLE: the level that the text names, else the number
        of roles it names.
    roles : tuple of str
        Roles named, in the vocabulary's order.
    problem : str or None
        ``"unmapped"`` where neither level nor role is named ("Blinded").

    Examples
    --------
    >>> normalise_masking("Assessor and participant blind")
    ('DOUBLE', ('PARTICIPANT', 'OUTCOMES_ASSESSOR'), None)
    """
    if raw is None or not raw.strip():
        return None, (), None
    plain = _plain(raw)
    roles = tuple(role for role, words in _ROLE_WORDS if any(word in plain for word in words))
    for level in ("QUADRUPLE", "TRIPLE", "DOUBLE", "SINGLE"):
        if level.lower() in plain:
            return level, roles, None
    if plain in ("no", "none") or re.search(
        r"\b(open|unmasked|not used|not blinded|no masking|no blinding|none open label)\b", plain
    ):
        return "NONE", (), None
    if roles:
        return MASKING[len(roles)], roles, None
    return None, (), "unmapped"
