"""What the chapter on linkage executes for its reader: a wrong merge, a way back, a race."""

import json
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from compendium.errors import InputError
from compendium.linkage.evaluation import Run
from compendium.linkage.link import link_records
from compendium.linkage.sisters import sister_mark


class WorkedExample(NamedTuple):
    """A pair of sister trials that a naive rule merges.

    Attributes
    ----------
    table : DataFrame
        The two records side by side: ``field`` and a column for each.
    similarity : float
        Of their titles, 0 … 100.
    decision : str
        What the linker made of them: "merge", "review", "keep-apart" or "not put forward".
    mark : str
        What tells the two titles apart.
    """

    table: pd.DataFrame
    similarity: float
    decision: str
    mark: str


def worked_example(naive: pd.DataFrame, run: Run) -> WorkedExample | None:
    """Choose the likest sister pair whose titles differ by a word that marks sisters.

    Parameters
    ----------
    naive : DataFrame
        From `compendium.linkage.evaluation.title_rule`, likest first.
    run : Run
        The sister set and the linker's links.

    Returns
    -------
    WorkedExample or None
        None if the records hold no such pair.
    """
    pair = ["record_a", "record_b"]
    sisters = run.labelled.pairs[~run.labelled.pairs["same"]]
    table = naive[[*pair, "similarity"]].merge(sisters, on=pair)
    table = table.merge(run.links[[*pair, "decision"]], on=pair, how="left")
    fields = ["public_title", "scientific_title", "sponsor", "enrolment", "start", "phase"]
    records = run.labelled.records.set_index("record_id").reindex(columns=fields)
    for row in table.itertuples():
        other = row.moved
        one = row.record_b if other == row.record_a else row.record_a
        mark = mark_of(records.loc[one], records.loc[other])
        if mark:
            shown = pd.DataFrame(
                {
                    "field": ["record", *(name.replace("_", " ") for name in fields)],
                    "one": [one, *records.loc[one]],
                    "the other": [row.moved_from, *records.loc[other]],
                }
            )
            decision = row.decision if isinstance(row.decision, str) else "not put forward"
            return WorkedExample(shown, float(row.similarity), decision, mark)
    return None


def mark_of(one: pd.Series, other: pd.Series) -> str:
    """Return the sister mark of two records' public or scientific titles, or ""."""
    for name in ("public_title", "scientific_title"):
        if pd.notna(one[name]) and pd.notna(other[name]):
            mark = sister_mark(one[name], other[name])
            if mark:
                return mark
    return ""


def undo_table(records: pd.DataFrame, links: pd.DataFrame, review: pd.DataFrame) -> pd.DataFrame:
    """Undo the likeliest merge with a line of review, and restore it by deleting the line.

    Parameters
    ----------
    records, links, review : DataFrame
        What `link_records` was given and what it made.

    Returns
    -------
    DataFrame
        ``review file``, ``trials``: before, with the line, and with the line deleted.
    """
    merged = links[links["decision"] == "merge"].sort_values(
        ["probability", "record_a", "record_b"], ascending=[False, True, True]
    )
    rows = [("as it is", len(link_records(records, review).trials))]
    if len(merged):
        a, b = merged.iloc[0][["record_a", "record_b"]]
        others = review[(review["record_a"] != a) | (review["record_b"] != b)]
        line = {"record_a": a, "record_b": b, "decision": "keep-apart"}
        line |= {"decided_by": "an example", "reason": "to show the way back"}
        longer = pd.concat([others, pd.DataFrame([line])], ignore_index=True).astype("string")
        rows.append((f"and: keep {a} and {b} apart", len(link_records(records, longer).trials)))
        rows.append(("that line deleted", len(link_records(records, others).trials)))
    return pd.DataFrame(rows, columns=["review file", "trials"])


class Growth(NamedTuple):
    """What the benchmark measured.

    Attributes
    ----------
    table : DataFrame
        ``way``, ``records``, ``seconds``, ``basis`` ("measured" or "extrapolated").
    setting : str
        Machine and date.
    largest : str
        The largest size, in a sentence.
    """

    table: pd.DataFrame
    setting: str
    largest: str


def read_growth(path: Path) -> Growth:
    """Read the result that ``python -m benchmarks.linkage`` keeps.

    Raises
    ------
    InputError
        If the file is not there or is not such a result.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            "no benchmark result there", where=str(path), remedy="run python -m benchmarks.linkage"
        )
    try:
        result = json.loads(path.read_text("utf-8"))
        rows = pd.DataFrame(result["rows"])
        machine, day = result["machine"], result["date"]
        linked = rows[rows["way"] == "linked"].sort_values("records").iloc[-1]
        plain = rows[(rows["way"] == "all pairs") & (rows["records"] == linked["records"])]
    except (ValueError, KeyError, IndexError) as error:
        raise InputError(
            f"this is no result of the linkage benchmark ({error})",
            where=str(path),
            remedy="run python -m benchmarks.linkage",
        ) from error
    if "extrapolated" not in rows:
        rows["extrapolated"] = False
    rows["basis"] = rows["extrapolated"].eq(True).map({True: "extrapolated", False: "measured"})
    setting = f"{machine['cores']} cores, Python {machine['python']}, {day}"
    words = (
        f"{int(linked['records']):,} records were linked in {linked['seconds']:.0f} seconds, with "
        f"at most {linked['peak_gb']:.1f} GB of memory."
    )
    if len(plain):
        hours = plain.iloc[0]["seconds"] / 3600
        words += f" Comparing all pairs of titles would take {hours:.1f} hours (extrapolated)."
    return Growth(rows[["way", "records", "seconds", "basis"]], setting, words)
