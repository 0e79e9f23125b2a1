"""What people decided about links: a file that they fill in and that outlives every rerun."""

from pathlib import Path

import pandas as pd

from compendium.errors import InputError
from compendium.tables import read_table, write_table

COLUMNS = ("record_a", "record_b", "decision", "decided_by", "reason")
DECISIONS = ("merge", "keep-apart")


def read_review(path: Path) -> pd.DataFrame:
    """Read a review file.

    Parameters
    ----------
    path : Path
        CSV with the columns of `COLUMNS`; a row whose decision is empty waits for one. Further
        columns (such as the titles, put there for the reviewer) are kept.

    Returns
    -------
    DataFrame
        With record_a < record_b in every row. A missing file is an empty table.

    Raises
    ------
    InputError
        If a column is missing, a decision is not one of `DECISIONS`, a decision has no person, or
        a pair is decided twice in different ways. The message names the line.
    """
    path = Path(path)
    if not path.exists():
        return pd.DataFrame({name: pd.Series(dtype="string") for name in COLUMNS})
    table = read_table(path)
    return check_review(table, where=str(path))


def check_review(table: pd.DataFrame, where: str = "review") -> pd.DataFrame:
    """Check a review table as `read_review` does, and return it with ordered pairs."""
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise InputError(
            f"the review has no column {', '.join(missing)}",
            where=where,
            remedy=f"give it the columns {', '.join(COLUMNS)}",
        )
    table = table.copy()
    decided: dict[tuple[str, str], str] = {}
    for line, row in enumerate(table.itertuples(index=False), start=2):
        place = f"{where}, line {line}"
        if pd.isna(row.record_a) or pd.isna(row.record_b) or row.record_a == row.record_b:
            raise InputError("a row must name two records", where=place, remedy="complete it")
        if pd.isna(row.decision):
            continue
        if row.decision not in DECISIONS:
            raise InputError(
                f"the decision {row.decision!r} is not known",
                where=place,
                remedy=f"write {' or '.join(DECISIONS)}, or leave it empty",
            )
        if pd.isna(row.decided_by):
            raise InputError("a decision without a person", where=place, remedy="fill decided_by")
        pair = tuple(sorted((row.record_a, row.record_b)))
        if decided.setdefault(pair, row.decision) != row.decision:
            raise InputError(
                f"{pair[0]} and {pair[1]} are decided twice, differently",
                where=place,
                remedy="delete one of the rows",
            )
    swapped = table.record_a > table.record_b
    table.loc[swapped, ["record_a", "record_b"]] = table.loc[
        swapped, ["record_b", "record_a"]
    ].to_numpy()
    return table


def decisions_of(review: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that hold a decision, one per pair."""
    return review.dropna(subset=["decision"]).drop_duplicates(["record_a", "record_b"])


def extend_review(review: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Add the links that wait for a person, and keep every row that is already there.

    Parameters
    ----------
    review : DataFrame
        From `read_review`.
    links : DataFrame
        From `compendium.linkage.link_records`.

    Returns
    -------
    DataFrame
        The old rows first, as they were; then a row with an empty decision for every link whose
        decision is "review" and whose pair is not yet in the file, likeliest first.
    """
    known = set(zip(review.record_a, review.record_b, strict=True))
    waiting = links[links.decision == "review"].sort_values(
        ["probability", "record_a", "record_b"], ascending=[False, True, True]
    )
    new = [
        {"record_a": row.record_a, "record_b": row.record_b, "evidence": row.evidence}
        for row in waiting.itertuples()
        if (row.record_a, row.record_b) not in known
    ]
    columns = [*COLUMNS, *(c for c in review.columns if c not in COLUMNS)]
    if "evidence" not in columns:
        columns.append("evidence")
    added = pd.DataFrame(new, columns=columns).astype("string")
    return pd.concat([review.reindex(columns=columns).astype("string"), added], ignore_index=True)


def write_review(review: pd.DataFrame, path: Path) -> Path:
    """Write a review table, whole or not at all."""
    return write_table(review, path)
