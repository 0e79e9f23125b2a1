"""Shares with their denominators and Wilson intervals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from scipy.stats import hypergeom
from statsmodels.stats.multitest import multipletests

from compendium.agreement import wilson_interval
from compendium.errors import InputError

NOT_STATED = "not stated"
OTHER = "other"
SHARE_COLUMNS = ["value", "k", "n", "share", "low", "high", "text", "of", "known"]


@dataclass(frozen=True)
class Share:
    """A share that cannot be separated from what it is a share of.

    Attributes
    ----------
    k, n : int
        Numerator and denominator.
    estimate, low, high : float
        The share and its interval, between 0 and 1; NaN if `n` is 0.
    of : str
        What the denominator counts.
    """

    k: int
    n: int
    estimate: float
    low: float
    high: float
    of: str = "trials"

    @property
    def percent(self) -> str:
        """The estimate with its interval, without the counts: "49.3 % (44.9–53.7)"."""
        if not self.n:
            return "no estimate"
        low, high = 100 * self.low, 100 * self.high
        return f"{100 * self.estimate:.1f} % ({low:.1f}–{high:.1f})"

    @property
    def row(self) -> dict[str, object]:
        """The share as columns of a table."""
        return {
            "k": self.k,
            "n": self.n,
            "share": self.estimate,
            "low": self.low,
            "high": self.high,
            "text": str(self),
            "of": self.of,
        }

    def __str__(self) -> str:
        return f"{self.k:,} of {self.n:,}, {self.percent}"


def share(k: int, n: int, *, of: str = "trials", confidence: float = 0.95) -> Share:
    """Return `k` of `n` with its Wilson interval.

    Parameters
    ----------
    k, n : int
        0 ≤ k ≤ n.
    of : str
        What is counted, for tables and axes.
    confidence : float
        Coverage of the interval.

    Raises
    ------
    InputError
        If `k` is negative or more than `n`.

    References
    ----------
    Wilson EB. J Am Stat Assoc 1927;22:209–212; computed by statsmodels.

    Examples
    --------
    >>> print(share(240, 487))
    240 of 487, 49.3 % (44.9–53.7)
    """
    if not 0 <= k <= n:
        raise InputError(f"{k} of {n} is no share", where=of)
    if n == 0:
        return Share(0, 0, float("nan"), float("nan"), float("nan"), of)
    low, high = wilson_interval(k, n, confidence)
    # at 0 and n the interval ends exactly there; the computed end may be off by a rounding error
    low, high = (0.0 if k == 0 else low), (1.0 if k == n else high)
    return Share(int(k), int(n), k / n, low, high, of)


def values_of(cell: object) -> tuple[str, ...]:
    """Return the distinct values in one cell; a missing or empty one is "not stated".

    Examples
    --------
    >>> values_of(("rTMS", "tDCS", "rTMS")), values_of(()), values_of(pd.NA), values_of("PHASE2")
    (('rTMS', 'tDCS'), ('not stated',), ('not stated',), ('PHASE2',))
    """
    if isinstance(cell, tuple | list):
        return tuple(dict.fromkeys(cell)) or (NOT_STATED,)
    return (NOT_STATED,) if pd.isna(cell) else (str(cell),)


def share_table(
    table: pd.DataFrame,
    column: str,
    *,
    of: str = "trials",
    order: Sequence[str] = (),
    unknown: Iterable[str] = (NOT_STATED,),
) -> pd.DataFrame:
    """Count in how many rows each value of a column occurs.

    Parameters
    ----------
    table : DataFrame
        One row per trial.
    column : str
        Text, or tuples of text: a trial with several values is counted once under each, so that
        the shares may sum to more than 1.
    of : str
        What one row is.
    order : sequence of str
        Values in the order wanted; values not named follow by falling count. A value named but not
        met is a row of 0.
    unknown : iterable of str
        Values that mean "we do not know"; they stand last.

    Returns
    -------
    DataFrame
        `value`, `k`, `n`, `share`, `low`, `high`, `text`, `of`, `known`. The denominator of every
        row is all rows of `table`.
    """
    unknown = set(unknown)
    counted = table[column].map(values_of).explode().value_counts()
    tally = {value: int(counted.get(value, 0)) for value in [*order, *counted.index]}
    place = {value: number for number, value in enumerate(order)}
    ranked = sorted(
        tally,
        key=lambda value: (
            value in unknown,
            value == OTHER,
            place.get(value, len(place)),
            -tally[value],
            value,
        ),
    )
    return pd.DataFrame(
        [
            {
                "value": value,
                **share(tally[value], len(table), of=of).row,
                "known": value not in unknown,
            }
            for value in ranked
        ],
        columns=SHARE_COLUMNS,
    )


def lump_rare(table: pd.DataFrame, column: str, *, least: int, name: str) -> pd.DataFrame:
    """Replace the values that fewer than `least` rows carry by one name.

    Examples
    --------
    >>> trials = pd.DataFrame({"modality": [("rTMS",), ("rTMS", "ECT"), ("VNS",), ()]})
    >>> lump_rare(trials, "modality", least=2, name="rarer")["modality"].tolist()
    [('rTMS',), ('rTMS', 'rarer'), ('rarer',), ('not stated',)]
    """
    cells = table[column].map(values_of)
    counts = cells.explode().value_counts()
    rare = set(counts[counts < least].index) - {NOT_STATED, OTHER}
    lumped = [tuple(dict.fromkeys(name if v in rare else v for v in cell)) for cell in cells]
    return table.assign(**{column: lumped})


def commonest(shares: pd.DataFrame) -> pd.Series:
    """Return the most frequent known value of a share table; if none is known, its first row."""
    known = shares[shares["known"]]
    return (
        (known if len(known) else shares).sort_values("k", ascending=False, kind="stable").iloc[0]
    )


def share_note(shares: pd.DataFrame) -> str:
    """Say in words what the denominator of a share table is, and whether shares overlap."""
    n, of = int(shares["n"].iloc[0]), shares["of"].iloc[0]
    note = f"Denominator: all {n:,} {of}, those of unknown value among them."
    extra = int(shares["k"].sum()) - n
    if extra > 0:
        note += f" A trial may count under several values: the rows sum to {n + extra:,}."
    return note


def gap_map(
    table: pd.DataFrame,
    rows: str,
    columns: str,
    *,
    leave_out: Iterable[str] = (NOT_STATED,),
    order: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Cross two variables and say which cells are emptier than their margins lead to expect.

    Parameters
    ----------
    table : DataFrame
        One row per trial.
    rows, columns : str
        Columns of text or of tuples of text.
    leave_out : iterable of str
        Values that make no row or column of the map.
    order : mapping, optional
        Values in the order wanted, by column name; otherwise by falling count.

    Returns
    -------
    DataFrame
        One row per cell, empty ones too: `row`, `column`, `n` (trials with both), `row_total`,
        `column_total`, `expected` (if the two were independent), `p_few` (hypergeometric
        probability of so few), `q_few` (the same after Benjamini–Hochberg over all cells).
    """
    left_out = set(leave_out)
    order = order or {}
    axes = {}
    for name in (rows, columns):
        values = table[name].map(values_of).explode()
        values = values[~values.isin(left_out)].rename("value")
        counts = values.value_counts()
        named = [value for value in order.get(name, ()) if value in counts.index]
        rest = sorted(set(counts.index) - set(named), key=lambda value: (-counts[value], value))
        axes[name] = (values, counts, [*named, *rest])
    pairs = axes[rows][0].rename("row").to_frame().join(axes[columns][0].rename("column"))
    met = pairs.dropna().value_counts().to_dict()
    cells = []
    for row in axes[rows][2]:
        for column in axes[columns][2]:
            a, b = int(axes[rows][1][row]), int(axes[columns][1][column])
            n = int(met.get((row, column), 0))
            few = float(hypergeom.cdf(n, len(table), a, b))
            cells.append((row, column, n, a, b, a * b / len(table), few))
    names = ["row", "column", "n", "row_total", "column_total", "expected", "p_few"]
    cells = pd.DataFrame(cells, columns=names)
    cells["q_few"] = multipletests(cells["p_few"], method="fdr_bh")[1] if len(cells) else []
    return cells
