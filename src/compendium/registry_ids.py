"""Registration numbers of trials: find them in text and write each in one form.

Covers ClinicalTrials.gov, the primary registries of the WHO network, their predecessors, and the
WHO's Universal Trial Number (which names a trial without being a registration).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

# the registry that stands for "a number shared by all registrations of one trial"
UNIVERSAL = "UTN"


@dataclass(frozen=True)
class RegistryId:
    """A registration number found in a text.

    Attributes
    ----------
    registry : str
        The registry that gave the number, in this project's names ("ClinicalTrials.gov", "ISRCTN",
        "ANZCTR", ...), or "UTN".
    issuer : str
        The same, with the offices of the Japanese network apart ("JPRN-UMIN", "JPRN-jRCT", ...):
        one trial may well be registered in two of them.
    number : str
        The number as the WHO portal writes it.
    root : str
        What two spellings of one registration have in common: the EU register's number without its
        country, a CTIS number without its resubmission, the Chinese register's old and new form.
    start, end : int
        Where it stands in the text, in characters; ``text[start:end]`` is the number as written.
    """

    registry: str
    issuer: str
    number: str
    root: str
    start: int
    end: int


# a hyphen, dash or minus as people and exports type it
DASH = r"[\-\u2010-\u2015\u2212]"
GAP = rf"(?:{DASH}|[:#.]|\s){{0,3}}"


def _eudract(year: str, serial: str, check: str, country: str | None) -> tuple[str, str]:
    root = f"EUCTR{year}-{serial}-{check}"
    if not country:
        return root, root
    tail = country.strip().upper()
    return f"{root}-{'3rd' if tail.startswith(('3RD', 'OUTSIDE')) else tail}", root


def _ctis(year: str, serial: str, check: str, resubmission: str | None) -> tuple[str, str]:
    root = f"CTIS{year}-{serial}-{check}"
    return (f"{root}-{resubmission}" if resubmission else root), root


def _chictr_old(group: str, year: str, serial: str) -> tuple[str, str]:
    return f"ChiCTR-{group.upper()}-{year}{serial}", f"ChiCTR{year}00{serial}"


def _same(written: str) -> tuple[str, str]:
    return written, written


def _netherlands(prefix: str, digits: str) -> tuple[str, str]:
    return _same(f"{prefix.upper()}{int(digits)}")


def _padded(prefix: str, width: int) -> Callable[[str], tuple[str, str]]:
    """Return a writer of `prefix` and the digits, leading zeros lost or added set right."""
    return lambda digits: _same(prefix + digits.lstrip("0").zfill(width))


def _plain(pattern: str) -> Callable[..., tuple[str, str]]:
    return lambda *parts: _same(pattern.format(*parts))


# issuer, expression, and how its groups are written. The order matters only between forms that
# could begin at the same character: the longer comes first. A space or a colon after the prefix is
# common in free text ("ISRCTN: 1234 ...", "NCT 01234567").
_FORMS: tuple[tuple[str, str, Callable[..., tuple[str, str]]], ...] = (
    ("ClinicalTrials.gov", rf"NCT{GAP}(0*[0-9]{{7,8}})", _padded("NCT", 8)),
    ("ISRCTN", rf"ISRCTN{GAP}([0-9]{{8}})", _padded("ISRCTN", 8)),
    (
        "ANZCTR",
        rf"(?:ACTRN|ANZCTR)[O0]?{GAP}(126[0-9]{{11}})p?",
        _plain("ACTRN{}"),
    ),
    ("DRKS", rf"DRKS{GAP}([0-9]{{5,8}})", _padded("DRKS", 8)),
    ("ITMCTR", rf"ITMCTR{GAP}([0-9]{{10}})", _plain("ITMCTR{}")),
    (
        "ChiCTR",
        rf"ChiCTR{DASH}?([A-Z]{{2,6}}){DASH}?([0-9]{{2}})([0-9]{{6}})",
        _chictr_old,
    ),
    ("ChiCTR", rf"ChiCTR{GAP}([0-9]{{10}})", _plain("ChiCTR{}")),
    (
        "CTRI",
        r"CTRI\s?[/\-:]?\s?((?:19|20)[0-9]{2})[/\-]([0-9]{2,3})[/\-]([0-9]{6})",
        _plain("CTRI/{}/{}/{}"),
    ),
    ("JPRN-UMIN", rf"(?:JPRN{GAP})?UMIN{GAP}([0-9]{{5,9}})", _padded("JPRN-UMIN", 9)),
    ("JPRN-UMIN", r"JPRN-(C[0-9]{9})", _plain("JPRN-{}")),
    (
        "JPRN-jRCT",
        rf"(?:JPRN{GAP})?jRCT{GAP}([a-z]?)([0-9]{{9,10}})",
        lambda letter, digits: _same(f"JPRN-jRCT{letter.lower()}{digits}"),
    ),
    (
        "JPRN-JapicCTI",
        rf"(?:JPRN{GAP})?Japic{DASH}?CTI{GAP}([0-9]{{6}})",
        _plain("JPRN-JapicCTI-{}"),
    ),
    (
        "JPRN-JMA",
        rf"(?:JPRN{GAP})?JMA{DASH}IIA{GAP}([0-9]{{5}})",
        _plain("JPRN-JMA-IIA{}"),
    ),
    ("KCT", rf"KCT{GAP}([0-9]{{7}})", _plain("KCT{}")),
    ("NL-OMON", rf"NL{DASH}?OMON{GAP}([0-9]{{4,6}})", _plain("NL-OMON{}")),
    # not the Dutch ethics committees' file numbers, such as NL43067.018.13
    ("NTR", r"(NTR|NL)[\- ]?([0-9]{1,4})(?![0-9]|\.[0-9])", _netherlands),
    ("PACTR", rf"PACTR{GAP}([0-9]{{15,16}})", _plain("PACTR{}")),
    (
        "REBEC",
        rf"RBR{DASH}([0-9a-z]{{6,8}})",
        lambda code: _same(f"RBR-{code.lower()}"),
    ),
    ("RPCEC", rf"RPCEC{GAP}([0-9]{{8}})", _plain("RPCEC{}")),
    ("SLCTR", r"SLCTR\s?[/\-]\s?([0-9]{4})[/\-]([0-9]{3})", _plain("SLCTR/{}/{}")),
    ("TCTR", rf"TCTR{GAP}([0-9]{{11}})", _plain("TCTR{}")),
    ("IRCT", rf"IRCT{GAP}([0-9]{{9,16}})N([0-9]{{1,3}})", _plain("IRCT{}N{}")),
    (
        "HKUCTR",
        rf"HKUCTR{GAP}([0-9]{{1,5}})",
        lambda digits: _same(f"HKUCTR-{int(digits)}"),
    ),
    ("LBCTR", rf"LBCTR{GAP}([0-9]{{10}})", _plain("LBCTR{}")),
    ("REPEC", rf"PER{DASH}([0-9]{{3}}){DASH}([0-9]{{2}})", _plain("PER-{}-{}")),
    (
        UNIVERSAL,
        rf"U\s?1111(?:{DASH}|\s)?([0-9]{{4}})(?:{DASH}|\s)?([0-9]{{4}})",
        _plain("U1111-{}-{}"),
    ),
    # CTIS serial numbers begin at 500000, EudraCT's never reached it
    (
        "CTIS",
        rf"(?:(?:CTIS|EU{DASH}?CT){GAP})?(20[0-9]{{2}}){DASH}(5[0-9]{{5}}){DASH}([0-9]{{2}})"
        rf"(?:{DASH}([0-9]{{2}}))?",
        _ctis,
    ),
    (
        "EUCTR",
        rf"(?:(?:EUCTR|EudraCT){GAP})?((?:19|20)[0-9]{{2}}){DASH}([0-4][0-9]{{5}}){DASH}"
        rf"([0-9]{{2}})(?:{DASH}(3rd|Outside(?:\sEU(?:/EEA)?)?|[A-Z]{{2}}\b))?",
        _eudract,
    ),
)

_NUMBER = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    + "|".join(f"(?P<form{k}>{form})" for k, (_, form, _) in enumerate(_FORMS))
    + r")(?![0-9])(?!-[0-9]{4})",
    re.IGNORECASE,
)
_GROUPS = tuple(re.compile(form, re.IGNORECASE) for _, form, _ in _FORMS)
# forms that are recognised only where nothing else stands
_BARE_ACTRN = re.compile(r"126[0-9]{11}")
_SHORT_NCT = re.compile(r"NCT0*([1-9][0-9]{0,7})", re.IGNORECASE)


def _is_placeholder(groups: tuple[str | None, ...]) -> bool:
    """Tell a number whose serial part is all zeros, whatever year stands before it."""
    parts = [part for part in groups if part and not part.isalpha()]
    serial = parts[1:] if len(parts) > 1 and re.fullmatch(r"(19|20)[0-9]{2}", parts[0]) else parts
    return not "".join(serial).strip("0") or any(len(p) > 4 and not p.strip("0") for p in serial)


def _issued(issuer: str, number: str, root: str, span: tuple[int, int]) -> RegistryId:
    return RegistryId(issuer.partition("JPRN-")[0] or "JPRN", issuer, number, root, *span)


def find_ids(text: str) -> list[RegistryId]:
    """Find the registration numbers in a text.

    Numbers made of zeros only are placeholders that would join strangers; they are not returned.

    Parameters
    ----------
    text : str
        Any text, such as a "secondary IDs" cell, a title or a description.

    Returns
    -------
    list of RegistryId
        In the order of the text, with the place of each.

    Examples
    --------
    >>> [(i.registry, i.number) for i in find_ids("ISRCTN 60778781; EudraCT: 2013-002385-39")]
    [('ISRCTN', 'ISRCTN60778781'), ('EUCTR', 'EUCTR2013-002385-39')]
    >>> find_ids("ISRCTN00000000")
    []
    """
    found = []
    for match in _NUMBER.finditer(text):
        which = int(match.lastgroup.removeprefix("form"))
        groups = _GROUPS[which].fullmatch(match.group(match.lastgroup)).groups()
        if _is_placeholder(groups):
            continue
        issuer, _, write = _FORMS[which]
        found.append(_issued(issuer, *write(*groups), match.span()))
    return found


def parse_id(text: str) -> RegistryId | None:
    """Read a text that should be one registration number and nothing else.

    Shorter spellings are understood here that would be too risky in free text: ClinicalTrials.gov
    numbers that lost their leading zeros, Australian numbers without their letters.

    Parameters
    ----------
    text : str
        Such as the identifier column of an export.

    Returns
    -------
    RegistryId or None
        None if the text is not a number of a known registry, or is made of zeros.

    Examples
    --------
    >>> parse_id("nct123456").number
    'NCT00123456'
    >>> parse_id("EUCTR2015-002340-14-NL").root
    'EUCTR2015-002340-14'
    """
    bare = text.strip()
    if _BARE_ACTRN.fullmatch(bare):
        number = f"ACTRN{bare}"
        return _issued("ANZCTR", number, number, (0, len(bare)))
    if short := _SHORT_NCT.fullmatch(bare):
        number = f"NCT{short[1].zfill(8)}"
        return _issued("ClinicalTrials.gov", number, number, (0, len(bare)))
    found = find_ids(bare)
    if len(found) == 1 and (found[0].start, found[0].end) == (0, len(bare)):
        return found[0]
    return None
