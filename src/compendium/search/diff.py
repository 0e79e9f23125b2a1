"""Two snapshots side by side: which records came, went and changed, and what that does to figures.

A figure is any function of the record table; it is computed here in steps (the old table, with what
appeared, with what changed, without what vanished), so that the shares of the three sum exactly to
the whole change. The order of the steps is a convention; another one would split a change that two
causes share in another way.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import NamedTuple

import pandas as pd

PROVENANCE = ("snapshot_id", "source_file", "raw_sha256")
Figures = Callable[[pd.DataFrame], Mapping[str, Fraction | int | float]]


class Comparison(NamedTuple):
    """What lies between two record tables.

    Attributes
    ----------
    appeared, vanished : DataFrame
        ``record_id``, ``registry``, ``public_title``.
    changed : DataFrame
        One row per record and field: ``record_id``, ``field``, ``before``, ``after``.
    """

    appeared: pd.DataFrame
    vanished: pd.DataFrame
    changed: pd.DataFrame


def compare_records(old: pd.DataFrame, new: pd.DataFrame) -> Comparison:
    """Compare two record tables, record by record and field by field.

    Parameters
    ----------
    old, new : DataFrame
        From `compendium.records`; where a record lies in its snapshot is not compared.

    Returns
    -------
    Comparison
        Sorted by record and field.
    """
    before, after = old.set_index("record_id"), new.set_index("record_id")
    both = before.index.intersection(after.index).sort_values()
    fields = [name for name in before.columns if name not in PROVENANCE]
    rows = []
    for field in fields:
        left, right = before.loc[both, field].map(_text), after.loc[both, field].map(_text)
        rows += [
            (record_id, field, left[record_id], right[record_id])
            for record_id in both[(left != right).to_numpy(dtype=bool)]
        ]
    changed = pd.DataFrame(rows, columns=["record_id", "field", "before", "after"], dtype="string")
    return Comparison(
        _listed(new, set(before.index)),
        _listed(old, set(after.index)),
        changed.sort_values(["record_id", "field"], ignore_index=True),
    )


def _listed(table: pd.DataFrame, without: set[str]) -> pd.DataFrame:
    part = table.loc[~table["record_id"].isin(without), ["record_id", "registry", "public_title"]]
    return part.sort_values("record_id", ignore_index=True)


def _text(cell: object) -> str:
    """Write a cell so that two cells are equal exactly if their text is."""
    if isinstance(cell, tuple):
        return "; ".join(map(str, cell))
    return "" if pd.isna(cell) else str(cell)


def attribute_change(old: pd.DataFrame, new: pd.DataFrame, figures: Figures) -> pd.DataFrame:
    """Split the change of every figure among records that appeared, changed and vanished.

    Parameters
    ----------
    old, new : DataFrame
        From `compendium.records`.
    figures : callable
        Record table → name and exact value of each figure: a count is an int, a share a Fraction,
        a median a float.

    Returns
    -------
    DataFrame
        ``figure``, ``kind`` (count, median or share), ``before``, ``after``, ``change``,
        ``appeared``, ``changed``, ``vanished``; the last three sum exactly to ``change``. Values
        are fractions. A figure that one of the two tables does not have counts as 0 there.
    """
    stays = new["record_id"].isin(old["record_id"])
    gone = old[~old["record_id"].isin(new["record_id"])]
    steps = [
        old,
        pd.concat([old, new[~stays]], ignore_index=True),
        pd.concat([gone, new], ignore_index=True),
        new,
    ]
    values = [figures(step.sort_values("record_id", ignore_index=True)) for step in steps]
    rows = []
    for name in dict.fromkeys(name for value in values for name in value):
        start, grown, altered, end = (Fraction(value.get(name, 0)) for value in values)
        kinds = {type(value[name]) for value in values if name in value}
        kind = "share" if Fraction in kinds else "median" if float in kinds else "count"
        rows.append(
            (name, kind, start, end, end - start, grown - start, altered - grown, end - altered)
        )
    columns = ["figure", "kind", "before", "after", "change", "appeared", "changed", "vanished"]
    return pd.DataFrame(rows, columns=columns)
