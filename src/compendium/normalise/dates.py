"""Dates as registries write them, read without inventing precision."""

import datetime
import re
from collections.abc import Sequence
from typing import NamedTuple

EARLIEST_YEAR, LATEST_YEAR = 1900, 2099

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("january", "jan"),
            ("february", "feb"),
            ("march", "mar"),
            ("april", "apr"),
            ("may",),
            ("june", "jun"),
            ("july", "jul"),
            ("august", "aug"),
            ("september", "sep", "sept"),
            ("october", "oct"),
            ("november", "nov"),
            ("december", "dec"),
        ),
        start=1,
    )
    for name in names
}
_TIME = r"(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AP]M)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_FORMATS = {
    "iso": r"(?P<y>\d{4})(?:-(?P<m>\d{2})(?:-(?P<d>\d{2}))?)?",
    "yyyymmdd": r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})",
    "d/m/y": r"(?P<d>\d{1,2})/(?P<m>\d{1,2})/(?P<y>\d{4})",
    "d-m-y": r"(?P<d>\d{1,2})-(?P<m>\d{1,2})-(?P<y>\d{4})",
    "m/d/y": r"(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4})",
    "y/m/d": r"(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})",
    "month": r"(?P<name>[A-Za-z]+)\.?(?: (?P<d>\d{1,2}),)? (?P<y>\d{4})",
    "d month y": r"(?P<d>\d{1,2}) (?P<name>[A-Za-z]+) (?P<y>\d{4})",
}
_PATTERNS = {name: re.compile(f"{pattern}{_TIME}") for name, pattern in _FORMATS.items()}
# These name the month or put the year first, so no two readings are possible.
UNAMBIGUOUS = ("iso", "month", "d month y")


class DateReading(NamedTuple):
    """A date with the precision it was given, or the reason why it is none.

    Attributes
    ----------
    value : str or None
        ``"2016"``, ``"2016-03"`` or ``"2016-03-11"``.
    problem : str or None
        ``"impossible-date"`` or ``"unreadable-date"``.
    """

    value: str | None
    problem: str | None


def read_date(raw: str | None, formats: Sequence[str] = UNAMBIGUOUS) -> DateReading:
    """Read one date in the formats its registry is known to use.

    Parameters
    ----------
    raw : str or None
        The registry's text.
    formats : sequence of str
        Names of formats, tried in turn: "iso" (also ``yyyy`` and ``yyyy-mm``), "yyyymmdd",
        "d/m/y", "d-m-y", "m/d/y", "y/m/d", "month" (March 11, 2016; March 2016), "d month y".
        A time of day after the date is ignored.

    Returns
    -------
    DateReading
        A date that no calendar holds, or whose year lies outside 1900 to 2099, has no value.

    Examples
    --------
    >>> read_date("March 2016")
    DateReading(value='2016-03', problem=None)
    >>> read_date("14/06/2641", ["d/m/y"])
    DateReading(value=None, problem='impossible-date')
    >>> read_date("03-04-2020")
    DateReading(value=None, problem='unreadable-date')
    """
    text = " ".join((raw or "").split())
    if not text:
        return DateReading(None, None)
    problem = "unreadable-date"
    for name in formats:
        match = _PATTERNS[name].fullmatch(text)
        if match is None:
            continue
        parts = match.groupdict()
        month = parts.get("m") or _MONTHS.get((parts.get("name") or "").lower())
        if parts.get("name") and month is None:
            continue
        value = _compose(int(parts["y"]), month and int(month), parts.get("d") and int(parts["d"]))
        if value is not None:
            return DateReading(value, None)
        problem = "impossible-date"
    return DateReading(None, problem)


def _compose(year: int, month: int | None, day: int | None) -> str | None:
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        return None
    try:
        whole = datetime.date(year, month or 1, day or 1).isoformat()
    except ValueError:
        return None
    if day:
        return whole
    return whole[:7] if month else whole[:4]
