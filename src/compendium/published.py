"""What the paper published, read as printed, and what its percentages allow."""

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from compendium.errors import InputError
from compendium.yamls import fail, load_yaml

_PRINTED = re.compile(r"(<\s*)?([0-9]+(?:\.[0-9]+)?)\s*%")


@dataclass(frozen=True)
class PublishedShare:
    """One percentage as printed.

    Attributes
    ----------
    value : str
        The class, in the codebook's words.
    printed : str
        As it stands in the paper.
    counts : tuple of int
        Every number of trials that this percentage may stand for, smallest and largest: equal if
        only one integer rounds to it.
    n : int
        Trials in all.
    """

    value: str
    printed: str
    counts: tuple[int, int]
    n: int

    @property
    def exact(self) -> bool:
        """Whether the percentage determines the count."""
        return self.counts[0] == self.counts[1]


@dataclass(frozen=True)
class Published:
    """All that is known of the paper's survey."""

    cite: str
    trials: int
    registries: tuple[str, ...]
    shares: tuple[PublishedShare, ...]


def read_published(path: Path) -> Published:
    """Read the published figures.

    Parameters
    ----------
    path : Path
        YAML such as ``data/protocol/published.yml``.

    Raises
    ------
    InputError
        With file, line and key, if a figure is missing, cannot be read as a percentage, or fits no
        whole number of trials.
    """
    data = load_yaml(path)
    for key, kind in (("cite", str), ("trials", int), ("registries", list), ("shares", dict)):
        if not isinstance(data.get(key), kind):
            fail(path, data, [key], "is missing or of another kind")
    shares = []
    for value, entry in data["shares"].items():
        printed = str(entry.get("printed", ""))
        try:
            counts = counts_behind(printed, data["trials"])
        except InputError as error:
            fail(path, data, ["shares", value, "printed"], error.what)
        shares.append(PublishedShare(str(value), printed, counts, int(data["trials"])))
    return Published(
        str(data["cite"]), int(data["trials"]), tuple(map(str, data["registries"])), tuple(shares)
    )


def counts_behind(printed: str, n: int) -> tuple[int, int]:
    """Return the smallest and largest count of which `printed` is the percentage of `n`.

    Parameters
    ----------
    printed : str
        "49.3 %" (rounded to the decimals shown) or "< 3 %" (strictly less).
    n : int
        The denominator.

    Raises
    ------
    InputError
        If it is no percentage, or no whole number fits.

    Examples
    --------
    >>> counts_behind("49.3 %", 487), counts_behind("< 3 %", 487), counts_behind("49 %", 487)
    ((240, 240), (0, 14), (237, 241))
    """
    found = _PRINTED.fullmatch(printed.strip())
    if not found:
        raise InputError(f"{printed!r} is no percentage")
    # in decimals: halves must fall where they fell in print
    figure = Decimal(found[2])
    if found[1]:
        return 0, math.ceil(figure * n / 100) - 1
    half = Decimal(5).scaleb(figure.as_tuple().exponent - 1)
    low, high = (figure - half) * n / 100, (figure + half) * n / 100
    first, last = math.ceil(low), math.floor(high)
    if first > last:
        raise InputError(f"no whole number of {n} is {printed}")
    return first, last
