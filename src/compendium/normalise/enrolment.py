"""How many people a registration speaks of."""

import re
from typing import NamedTuple

SENTINEL = 99_999_999
IMPLAUSIBLE = 10_000_000
HUMANKIND = 10_000_000_000

_PLAIN = re.compile(r"(?P<n>\d{1,3}(?:,\d{3})+|\d+)(?:\.0+)?\s*(?P<note>\([^)]*\))?")
_GROUP_SIZE = re.compile(r":\s*(\d+)\s*(?:;|$)")


class EnrolmentReading(NamedTuple):
    """A number of participants, and what was odd about it.

    Attributes
    ----------
    value : int or None
        Participants; for sizes given by group, their sum.
    kind : {"actual", "anticipated"} or None
        If the text says so.
    problem : str or None
        ``"sentinel"``, ``"implausible"``, ``"impossible"``, ``"negative"`` or ``"unreadable"``.
    """

    value: int | None
    kind: str | None
    problem: str | None


def read_enrolment(raw: str | int | None) -> EnrolmentReading:
    """Read a target size or an enrolment count.

    Parameters
    ----------
    raw : str, int or None
        A count, a count with a note ("35 (anticipated)"), or sizes by group
        ("groupA:49;groupB:49", with or without the last semicolon).

    Returns
    -------
    EnrolmentReading
        99,999,999 stands for "unknown" in ClinicalTrials.gov and becomes no value; counts above
        ten million are kept and noted; a negative count, or one above all people, has no value.

    Examples
    --------
    >>> read_enrolment("Target condition:200;Difficult condition:0").value
    200
    >>> read_enrolment(99999999)
    EnrolmentReading(value=None, kind=None, problem='sentinel')
    """
    text = "" if raw is None else str(raw).strip()
    if not text:
        return EnrolmentReading(None, None, None)
    if re.fullmatch(r"[-−]\s*\d+(\.0+)?", text):
        return EnrolmentReading(None, None, "negative")
    match = _PLAIN.fullmatch(text)
    if match:
        value = int(match["n"].replace(",", ""))
        note = (match["note"] or "").lower()
        kind = next((k for k in ("actual", "anticipated") if k in note), None)
    else:
        # A group's name may itself hold a semicolon, so sizes are counted by their colons.
        sizes = list(_GROUP_SIZE.finditer(text))
        if not sizes or len(sizes) != text.count(":") or sizes[-1].end() < len(text):
            return EnrolmentReading(None, None, "unreadable")
        value, kind = sum(int(size[1]) for size in sizes), None
    if value == SENTINEL:
        return EnrolmentReading(None, kind, "sentinel")
    if value > HUMANKIND:
        return EnrolmentReading(None, kind, "impossible")
    return EnrolmentReading(value, kind, "implausible" if value > IMPLAUSIBLE else None)
