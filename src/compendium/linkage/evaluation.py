"""How well the linker does where the truth is known."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import chi2

from compendium.agreement import wilson_interval
from compendium.linkage.comparison import prepare, title_similarity
from compendium.linkage.identifiers import identify
from compendium.linkage.labelled import LabelledSet
from compendium.linkage.uncertainty import links_by_method

PUT_FORWARD = ("merge", "review")
# the one measure that is no share
LOAD = "candidate pairs per 1,000 records"
# bins of probability for the calibration table
BINS = (0.0, 0.1, 0.5, 0.9, 0.99, 1.0)


class Run(NamedTuple):
    """A labelled set and the links that were made of its records."""

    labelled: LabelledSet
    links: pd.DataFrame


def evaluate(runs: Sequence[Run]) -> pd.DataFrame:
    """Score links against labelled sets, all sets together.

    Parameters
    ----------
    runs : sequence of Run
        The links need record_a, record_b and decision.

    Returns
    -------
    DataFrame
        One row a measure: ``measure``, ``k``, ``n``, ``estimate`` (missing where there is nothing
        to count), ``low``, ``high`` (95 % Wilson intervals). The last row, candidate pairs per
        1,000 records, is no share: its interval is that of a Poisson count.
    """
    labels = pd.concat([_outcome(run) for run in runs], ignore_index=True)
    same, sisters = labels[labels.same], labels[~labels.same]
    merged = sum(int((run.links.decision == "merge").sum()) for run in runs)
    candidates = sum(int(run.links.decision.isin(PUT_FORWARD).sum()) for run in runs)
    records = sum(len(run.labelled.records) for run in runs)
    rows = [
        ("cross-registrations put forward (recall)", same.put_forward.sum(), len(same)),
        *(
            (f"… {words}", part.put_forward.sum(), len(part))
            for words, part in (
                ("linked by a real registry", same[same.origin == "stated"]),
                ("simulated", same[same.origin == "simulated"]),
            )
        ),
        ("cross-registrations merged by rule", same.merged.sum(), len(same)),
        ("right among merged by rule (precision)", same.merged.sum(), merged if len(same) else 0),
        ("right among put forward", same.put_forward.sum(), candidates if len(same) else 0),
        ("sister trials not merged by rule", (~sisters.merged).sum(), len(sisters)),
        ("sister trials not put forward either", (~sisters.put_forward).sum(), len(sisters)),
    ]
    table = pd.DataFrame(
        [
            (words, int(k), int(n), k / n if n else np.nan, *wilson_interval(int(k), int(n)))
            for words, k, n in rows
        ],
        columns=["measure", "k", "n", "estimate", "low", "high"],
    )
    low = chi2.ppf(0.025, 2 * candidates) / 2 if candidates else 0.0
    high = chi2.ppf(0.975, 2 * candidates + 2) / 2
    per = [1_000 * value / records for value in (candidates, low, high)]
    table.loc[len(table)] = [LOAD, candidates, records, *per]
    return table


def _outcome(run: Run) -> pd.DataFrame:
    """Return the labelled pairs with what became of them."""
    columns = ["record_a", "record_b", "decision"]
    found = run.labelled.pairs.merge(run.links[columns], on=columns[:2], how="left")
    found["merged"] = found.decision.isin(["merge"])
    found["put_forward"] = found.decision.isin(PUT_FORWARD)
    return found


def calibration(runs: Sequence[Run], edges: Sequence[float] = BINS) -> pd.DataFrame:
    """Set the probabilities of links against how often they were right.

    Parameters
    ----------
    runs : sequence of Run
        The links need probability.
    edges : sequence of float
        Bounds of the bins of probability.

    Returns
    -------
    DataFrame
        One row a bin: ``from``, ``to``, ``n`` links, ``expected`` (mean probability), ``k`` right,
        ``estimate``, ``low``, ``high``.
    """
    parts = []
    for run in runs:
        same = run.labelled.pairs[run.labelled.pairs.same]
        truth = pd.MultiIndex.from_frame(same[["record_a", "record_b"]])
        pairs = pd.MultiIndex.from_frame(run.links[["record_a", "record_b"]])
        parts.append(run.links.assign(right=pairs.isin(truth))[["probability", "right"]])
    links = pd.concat(parts, ignore_index=True)
    rows = []
    for low, high in pairwise(edges):
        part = links[(links.probability > low) & (links.probability <= high)]
        k, n = int(part.right.sum()), len(part)
        if n:
            rows.append((low, high, n, part.probability.mean(), k, k / n, *wilson_interval(k, n)))
    return pd.DataFrame(
        rows, columns=["from", "to", "n", "expected", "k", "estimate", "low", "high"]
    )


def title_rule(records: pd.DataFrame, thresholds: Sequence[float]) -> pd.DataFrame:
    """Link by a naive rule: merge whatever two registries call all but the same.

    Every pair of records of different registries is compared by its best token-sort similarity of
    any two titles; nothing else is looked at.

    Parameters
    ----------
    records : DataFrame
        At most some thousands: the work grows with the square.
    thresholds : sequence of float
        0 … 100.

    Returns
    -------
    DataFrame
        record_a, record_b, ``similarity``, for all pairs at or above the smallest threshold, and
        ``decision`` "merge".
    """
    records = records.sort_values("record_id", ignore_index=True)
    prepared, identity = prepare(records), identify(records)
    left, right = np.triu_indices(len(records), 1)
    apart = identity.issuers[left] != identity.issuers[right]
    left, right = left[apart], right[apart]
    similarity = title_similarity(prepared, left, right)
    keep = similarity >= min(thresholds)
    ids = np.array(identity.ids, dtype=object)
    table = pd.DataFrame(
        {
            "record_a": ids[left[keep]],
            "record_b": ids[right[keep]],
            "similarity": similarity[keep],
            "decision": "merge",
        }
    )
    return table.sort_values(
        ["similarity", "record_a", "record_b"], ascending=[False, True, True], ignore_index=True
    )


def rule_table(
    thresholds: Sequence[float],
    naive: Sequence[Run],
    naive_sisters: Run,
    runs: Sequence[Run],
    sister_run: Run,
) -> pd.DataFrame:
    """Set the naive title rule, at several thresholds, beside the linker.

    Parameters
    ----------
    thresholds : sequence of float
        Of title similarity.
    naive, naive_sisters
        Labelled sets, and the sister set, with the pairs of `title_rule`.
    runs, sister_run
        The same with the linker's links.

    Returns
    -------
    DataFrame
        One row a rule: ``rule``, ``naive`` (bool), ``recall`` (put forward), ``k`` of ``n`` sister
        pairs merged without a person, ``wrong`` (their share), ``low``, ``high``.
    """
    rows = []
    for threshold in thresholds:
        cut = [Run(labelled, pairs[pairs.similarity >= threshold]) for labelled, pairs in naive]
        pairs = naive_sisters.links
        sisters = Run(naive_sisters.labelled, pairs[pairs.similarity >= threshold])
        rows.append((f"{threshold:g}", True, *_recall_and_wrong(cut, sisters)))
    rows.append(("linker", False, *_recall_and_wrong(runs, sister_run)))
    names = ["rule", "naive", "recall", "k", "n", "wrong", "low", "high"]
    return pd.DataFrame(rows, columns=names)


def _recall_and_wrong(
    runs: Sequence[Run], sister_run: Run
) -> tuple[float, int, int, float, float, float]:
    labels = pd.concat([_outcome(run) for run in runs], ignore_index=True)
    sisters = _outcome(sister_run)
    sisters = sisters[~sisters.same]
    k, n = int(sisters.merged.sum()), len(sisters)
    return (
        float(labels[labels.same].put_forward.mean()),
        k,
        n,
        k / max(n, 1),
        *wilson_interval(k, n),
    )


def links_known_by_method(run: Run) -> tuple[int, int, int]:
    """Count the true links by the method that found them, as if a person had reviewed all.

    Returns
    -------
    tuple of int
        Found by stated numbers, by titles and facts, by both.
    """
    same = run.labelled.pairs[run.labelled.pairs.same]
    right = same.merge(run.links, on=["record_a", "record_b"]).assign(decision="merge")
    return links_by_method(right)
