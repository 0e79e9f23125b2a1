"""What an exhibit is, and how a visitor goes round."""

import ast
import inspect
import math
import tempfile
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from compendium.errors import InputError


class Reading(NamedTuple):
    """What a careful reader makes of a broken file.

    Attributes
    ----------
    number : float or None
        The number asked for; ``None`` where the reader refuses to give one.
    said : str
        What it reports beside the number, or why it refuses.
    """

    number: float | None
    said: str


@dataclass(frozen=True)
class Exhibit:
    """One kind of defect.

    Attributes
    ----------
    name : str
        Short name, for anchors.
    room : str
        The group it hangs in.
    title, story, seen : str
        What it is called, what happens, and where it was met.
    counted : str
        What the number is, as a noun phrase.
    make : callable
        Writes the broken file or files into a folder and returns the path to read.
    naive : callable
        The reading that looks right: path → number.
    careful : callable
        This project's own reading: path → `Reading`.
    truth : float
        The right number, which the maker knows.
    """

    name: str
    room: str
    title: str
    story: str
    seen: str
    counted: str
    make: Callable[[Path], Path]
    naive: Callable[[Path], float]
    careful: Callable[[Path], Reading]
    truth: float

    @property
    def naive_habit(self) -> str:
        """The naive reading in words."""
        return inspect.getdoc(self.naive) or ""

    @property
    def naive_code(self) -> str:
        """The naive reading as it is executed: the body of its function."""
        source = textwrap.dedent(inspect.getsource(self.naive))
        first = ast.parse(source).body[0].body[1]  # after the docstring
        return textwrap.dedent("\n".join(source.splitlines()[first.lineno - 1 :]))

    def number_text(self, number: float | None) -> str:
        """Return a number as it is read aloud: years without a comma, no number in words."""
        if number is None:
            return "no number"
        if self.counted.startswith("year"):
            return f"{number:.0f}"
        return f"{number:,.0f}"


class Visit(NamedTuple):
    """One exhibit, seen: the naive number and the careful reading, both just executed."""

    exhibit: Exhibit
    naive: float
    careful: Reading


def tour(exhibits: Sequence[Exhibit]) -> list[Visit]:
    """Break, read naively and read with care, exhibit by exhibit.

    Parameters
    ----------
    exhibits : sequence of Exhibit
        In the order of the tour.

    Returns
    -------
    list of Visit
        A refusal by the careful reader is a reading without a number.
    """
    visits = []
    for exhibit in exhibits:
        with tempfile.TemporaryDirectory() as folder:
            path = exhibit.make(Path(folder))
            naive = float(exhibit.naive(path))
            try:
                number, said = exhibit.careful(path)
                careful = Reading(None if number is None else float(number), said)
            except InputError as error:
                said = f"{error.what}; {error.remedy}" if error.remedy else error.what
                careful = Reading(None, f"refused: {said}")
        visits.append(Visit(exhibit, naive, careful))
    return visits


def tour_table(visits: Sequence[Visit]) -> pd.DataFrame:
    """Return the tour as a table, naive number beside the true one.

    Parameters
    ----------
    visits : sequence of Visit
        From `tour`.

    Returns
    -------
    DataFrame
        One row per exhibit: ``exhibit``, ``room``, ``counted``, ``naive``, ``true``, ``careful``
        (missing where the reader refuses), ``ratio`` (naive over true; infinite where the truth is
        nothing), ``said``, and the first three numbers as words in ``naive_text``, ``true_text``
        and ``careful_text``.
    """
    rows = [
        {
            "exhibit": shown.title,
            "room": shown.room,
            "counted": shown.counted,
            "naive": naive,
            "true": float(shown.truth),
            "careful": careful.number,
            "ratio": naive / shown.truth if shown.truth else math.inf,
            "said": careful.said,
            "naive_text": shown.number_text(naive),
            "true_text": shown.number_text(shown.truth),
            "careful_text": shown.number_text(careful.number),
        }
        for shown, naive, careful in visits
    ]
    return pd.DataFrame(rows).astype({"careful": float})
