"""How trials were built: size, and masking where it can be had."""

from collections.abc import Sequence

import pandas as pd

from compendium.statistics.shares import NOT_STATED, share_table, values_of

MASKING = ("NONE", "SINGLE", "DOUBLE", "TRIPLE", "QUADRUPLE")


def enrolment_quartiles(
    table: pd.DataFrame, *, by: str = "enrolment_kind", order: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the median and quartiles of enrolment, never its mean.

    Parameters
    ----------
    table : DataFrame
        One row per trial, with `enrolment` (Int64; missing = not stated).
    by : str
        A column (text or tuples) to split by; a trial counts under each of its values.
    order : sequence of str
        Values in the order wanted.

    Returns
    -------
    DataFrame
        `value`, `trials`, `stated` (trials with a number), `zero` (of these, those that enrolled
        nobody), `q1`, `median`, `q3`, `largest`.
    """
    split = pd.DataFrame({"value": table[by].map(values_of), "enrolment": table["enrolment"]})
    rows = []
    for value, group in split.explode("value").groupby("value"):
        numbers = group["enrolment"].dropna().astype(float)
        q1, median, q3 = numbers.quantile([0.25, 0.5, 0.75])
        largest = numbers.max()
        zero = int((numbers == 0).sum())
        rows.append((value, len(group), len(numbers), zero, q1, median, q3, largest))
    columns = ["value", "trials", "stated", "zero", "q1", "median", "q3", "largest"]
    result = pd.DataFrame(rows, columns=columns)
    place = {value: number for number, value in enumerate(order)}
    return result.sort_values(
        ["value", "trials"],
        key=lambda column: (
            column.map(lambda value: (value == NOT_STATED, place.get(value, len(place)), value))
            if column.name == "value"
            else -column
        ),
        ignore_index=True,
    )


def masking_shares(table: pd.DataFrame) -> pd.DataFrame:
    """Return how randomised trials are masked; trials that are not randomised are not counted.

    Parameters
    ----------
    table : DataFrame
        One row per trial, with `allocation` and `masking`.

    Returns
    -------
    DataFrame
        As `share_table`; the denominator is the trials registered as randomised.
    """
    randomised = table[(table["allocation"] == "RANDOMIZED").fillna(False).astype(bool)]
    return share_table(randomised, "masking", of="randomised trials", order=MASKING)
