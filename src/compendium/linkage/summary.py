"""Small tables about links and trials, for the chapter and for whoever reads the files."""

from collections.abc import Mapping, Sequence
from itertools import chain

import pandas as pd

from compendium.linkage.evaluation import LOAD, Run
from compendium.linkage.uncertainty import Capture, count_trials


def registry_table(
    records: pd.DataFrame, links: pd.DataFrame, trials: pd.DataFrame
) -> pd.DataFrame:
    """Count registrations by registry: all, linked with another registry, waiting for a person.

    Parameters
    ----------
    records, links, trials : DataFrame
        A records table and what `link_records` made of it.

    Returns
    -------
    DataFrame
        ``registry``, ``records``, ``linked``, ``waiting``, ``trials`` (in which it has a record),
        most records first.
    """
    registry = records.set_index("record_id")["registry"].astype(str)
    several = trials[trials["registries"].map(len) > 1]
    linked = registry.loc[sorted(chain.from_iterable(several["record_ids"]))].value_counts()
    open_links = links[links["decision"] == "review"]
    in_doubt = sorted({*open_links["record_a"], *open_links["record_b"]})
    waiting = registry.loc[in_doubt].value_counts()
    present = trials["registries"].explode().value_counts()
    table = pd.DataFrame({"records": registry.value_counts()})
    for name, counts in (("linked", linked), ("waiting", waiting), ("trials", present)):
        table[name] = counts.reindex(table.index).fillna(0).astype(int)
    table = table.rename_axis("registry").reset_index()
    return table.sort_values(["records", "registry"], ascending=[False, True], ignore_index=True)


def link_table(links: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """Return the links as a reader wants them: likeliest first, with titles and addresses.

    Returns
    -------
    DataFrame
        ``record``, ``url``, ``and record``, ``and url``, ``decided``, ``titles`` (cut short),
        ``agrees``, ``speaks against``.
    """
    known = records.set_index("record_id").reindex(columns=["url", "public_title"])
    table = links.sort_values(
        ["probability", "record_a", "record_b"], ascending=[False, True, True], ignore_index=True
    )
    one, other = known.reindex(table["record_a"]), known.reindex(table["record_b"])
    return pd.DataFrame(
        {
            "record": table["record_a"],
            "url": one["url"].to_numpy(),
            "and record": table["record_b"],
            "and url": other["url"].to_numpy(),
            "decided": [
                f"{row.decision} by {row.decided_by} ({row.probability:.2f})"
                for row in table.itertuples()
            ],
            "titles": [
                f"{_cut(a)} / {_cut(b)}"
                for a, b in zip(one["public_title"], other["public_title"], strict=True)
            ],
            "agrees": table["kind"],
            "speaks against": table["reason"],
        }
    )


def _cut(title: object, longest: int = 70) -> str:
    if not isinstance(title, str):
        return "–"
    return title if len(title) <= longest else f"{title[:longest].rstrip()}…"


def truth_pairs(links: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Join links with what is known of them, for a picture of scores against truth.

    Parameters
    ----------
    links : DataFrame
        From `link_records`.
    pairs : DataFrame
        Of a labelled set; whatever is not "same" there is taken for two trials.

    Returns
    -------
    DataFrame
        ``pair``, ``title_overlap``, ``probability``, ``decision``, ``truth``.
    """
    known = pairs.loc[pairs["same"], ["record_a", "record_b"]].assign(truth="one trial")
    table = links.merge(known, on=["record_a", "record_b"], how="left")
    table["truth"] = table["truth"].fillna("two trials")
    table["pair"] = table["record_a"].str.cat(table["record_b"], sep=" / ")
    return table[["pair", "title_overlap", "probability", "decision", "truth"]]


def coverage_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Set the interval of the number of trials against the truth, set by set.

    Returns
    -------
    DataFrame
        ``set``, ``registrations``, ``true trials``, ``as decided``, ``from``, ``to``, ``holds the
        truth``.
    """
    rows = []
    for number, run in enumerate(runs, start=1):
        records = len(run.labelled.records)
        truth = records - int(run.labelled.pairs.same.sum())
        found = count_trials(records, run.links)
        holds = "yes" if found.low <= truth <= found.high else "no"
        rows.append(
            (f"set {number}", records, truth, found.decided, int(found.low), int(found.high), holds)
        )
    names = ["set", "registrations", "true trials", "as decided", "from", "to", "holds the truth"]
    return pd.DataFrame(rows, columns=names)


def capture_table(captures: Mapping[str, Capture]) -> pd.DataFrame:
    """Return capture-recapture estimates as rows for a reader."""
    return pd.DataFrame(
        [
            {
                "among": name,
                "by stated numbers": c.first,
                "by titles and facts": c.second,
                "by both": c.both,
                "found": c.found,
                "estimate": f"{c.estimate:.1f} ({c.low:.1f} to {c.high:.1f})",
                "missed": f"{c.missed:.1f} ({c.missed_low:.1f} to {c.missed_high:.1f})",
            }
            for name, c in captures.items()
        ]
    )


def in_words(row: pd.Series, share: str = "estimate") -> str:
    """Return a measured share with its counts and interval.

    Examples
    --------
    >>> in_words(pd.Series({"k": 149, "n": 151, "estimate": 0.98675, "low": 0.953, "high": 0.996}))
    '149 of 151 (98.7 %, 95 % interval 95.3 to 99.6 %)'
    """
    if not row["n"]:
        return "none (nothing to count)"
    estimate, low, high = (100 * row[name] for name in (share, "low", "high"))
    return (
        f"{int(row['k'])} of {int(row['n'])} ({estimate:.1f} %, 95 % interval {low:.1f} to "
        f"{high:.1f} %)"
    )


def pairs_in_words(count: int) -> str:
    """Return a number of pairs with its noun.

    Examples
    --------
    >>> pairs_in_words(1), pairs_in_words(1_200)
    ('1 pair', '1,200 pairs')
    """
    return f"{count:,} pair{'' if count == 1 else 's'}"


def shown_measures(*tables: pd.DataFrame) -> pd.DataFrame:
    """Return tables of `evaluate` (indexed by measure) as one table for a reader."""
    rows = []
    for table in tables:
        for measure, row in table[table["n"] > 0].iterrows():
            count = measure == LOAD
            if count and rows and any(name == measure for name, *_ in rows):
                measure = f"{measure}, among sister trials"
            scale, unit = (1, "") if count else (100, " %")
            rows.append(
                (
                    measure,
                    f"{int(row.k)} of {int(row.n):,}" if not count else f"{int(row.k)}",
                    f"{scale * row.estimate:.1f}{unit}",
                    f"{scale * row.low:.1f} to {scale * row.high:.1f}{unit}",
                )
            )
    return pd.DataFrame(rows, columns=["measure", "counted", "estimate", "95 % interval"])
