"""Whether the terms reach their aim, what each revision gained, and what it let in besides."""

import pandas as pd

from compendium.search.recall import HALVES, known_item_table, recall_note, recall_table
from compendium.search.strategy import Strategy

AIM, LEAST_LOW = 0.95, 0.90  # relative recall, and the lower end of its interval


def aim_note(table: pd.DataFrame, group: str) -> str:
    """Hold one row of `recall_table` against the aim.

    Examples
    --------
    >>> items = pd.DataFrame({"half": ["held-out"] * 40, "found": [False] + [True] * 39})
    >>> aim_note(recall_table(items, "half"), "held-out")
    'the share reaches 95 %, the lower end of its interval misses 90 %'
    """
    rows = table[table[table.columns[0]] == group]
    if rows.empty or not rows["known"].iloc[0]:
        return "there is none to count"
    said = [
        "reaches" if value >= bound else "misses"
        for value, bound in zip(rows[["recall", "low"]].iloc[0], (AIM, LEAST_LOW), strict=True)
    ]
    return (
        f"the share {said[0]} {AIM:.0%}, the lower end of its interval {said[1]} {LEAST_LOW:.0%}"
    ).replace("%", " %")


def revision_table(
    records: pd.DataFrame, strategy: Strategy, known: pd.DataFrame, matches: pd.DataFrame
) -> pd.DataFrame:
    """Measure the strategy as it stood after each day on which terms came in.

    Parameters
    ----------
    records, known, matches : DataFrame
        From `compendium.records`, and `read_known_items` and `match_terms` of
        `compendium.search.recall`.
    strategy : Strategy
        The search; the dates of its terms say when each came in. Terms taken out have left no
        trace in it.

    Returns
    -------
    DataFrame
        One row per day: ``terms as of``, ``terms``, ``development`` and ``held-out`` (recall among
        the records at hand, as in `recall_note`), ``other records found`` and ``other records``
        (those that are no known items: how many the terms find, and how many there are).
    """
    since = {
        (concept.id, term.term): term.date
        for concept in strategy.concepts.values()
        for term in concept.terms
    }
    came = pd.Series(
        [since[pair] for pair in zip(matches["concept"], matches["term"], strict=True)],
        index=matches.index,
        dtype="string",
    )
    everything = pd.DataFrame({"record_id": records["record_id"], "half": HALVES[0]})
    others = ~records["record_id"].isin(known["record_id"])
    rows = []
    for day in sorted(set(since.values())):
        then = matches[came <= day]
        items = known_item_table(records, strategy, known, then)
        halves = recall_table(items[items["held"]], "half")
        found = known_item_table(records, strategy, everything, then).set_index("record_id")[
            "found"
        ]
        rows.append(
            (
                day,
                sum(date <= day for date in since.values()),
                *(recall_note(halves, half) for half in HALVES),
                int(found[records.loc[others, "record_id"]].sum()),
                int(others.sum()),
            )
        )
    return pd.DataFrame(
        rows, columns=["terms as of", "terms", *HALVES, "other records found", "other records"]
    )
