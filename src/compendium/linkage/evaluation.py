"""How well the linker does where the truth is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import chi2
from statsmodels.stats.proportion import proportion_confint

from compendium.linkage.columns import lists, texts
from compendium.linkage.comparison import prepare, title_similarity
from compendium.linkage.identifiers import Identity, identify, stated_links
from compendium.linkage.simulation import register_again
from compendium.registry_ids import find_ids

# where numbers of registrations are looked for and taken out
TEXT_COLUMNS = ("public_title", "scientific_title", "acronym")
# ids of records that are moved to another registry for the test
MOVED = "DRKS0009{:04d}"
PUT_FORWARD = ("merge", "review")
# bins of probability for the calibration table
BINS = (0.0, 0.1, 0.5, 0.9, 0.99, 1.0)


@dataclass(frozen=True)
class LabelledSet:
    """Records, and pairs of them that are known to be one trial or known not to be.

    Attributes
    ----------
    records : DataFrame
        With every stated registration number taken out.
    pairs : DataFrame
        record_a < record_b, ``same`` (bool), ``origin`` ("stated": linked by a number that a real
        registry states; "simulated": a simulated second registration of a real record; "sister":
        two real, separately registered trials with like titles, one of them moved to another
        registry for the test) and ``style`` (what the simulation did to the title).
    """

    records: pd.DataFrame
    pairs: pd.DataFrame


def hide_numbers(records: pd.DataFrame) -> pd.DataFrame:
    """Return the records without any registration number but their own ids."""
    out = records.copy()
    for name in TEXT_COLUMNS:
        if name in out.columns:
            out[name] = pd.array([_without(text) or None for text in texts(out, name)], "string")
    out["secondary_ids"] = pd.Series(
        [
            tuple(item for item in items if not find_ids(item))
            for items in lists(out, "secondary_ids")
        ],
        index=out.index,
        dtype=object,
    )
    return out


def _without(text: str) -> str:
    for found in reversed(find_ids(text)):
        text = text[: found.start] + text[found.end :]
    return text


def labelled_set(
    records: pd.DataFrame,
    *,
    stated: bool = True,
    simulated: int = 30,
    sisters: int = 0,
    seed: int = 1951,
) -> LabelledSet:
    """Make a labelled set from real records.

    Parameters
    ----------
    records : DataFrame
        A records table.
    stated : bool
        Whether pairs that a real registry links are in the set; if not, one of each is left out.
    simulated : int
        How many records get a simulated second registration.
    sisters : int
        How many pairs of real sister trials at most: of one registry, with the likest titles.
    seed : int
        Same seed, same set.
    """
    records = records.sort_values("record_id", ignore_index=True)
    identity = identify(records)
    across = _across(records, identity)
    if not stated:
        records = records.drop(index=across.right.unique()).reset_index(drop=True)
        identity, across = identify(records), across.iloc[:0]
    ids = records.record_id.astype(str)
    rows = [
        {"record_a": ids[left], "record_b": ids[right], "same": True, "origin": "stated"}
        for left, right in zip(across.left, across.right, strict=True)
    ]
    taken = {int(k) for pair in zip(across.left, across.right, strict=True) for k in pair}
    alike = _sister_pairs(records, taken, sisters) if sisters else []
    moved = {right: MOVED.format(k) for k, (_, right) in enumerate(alike)}
    hidden = hide_numbers(records)
    hidden["record_id"] = pd.array([moved.get(k, record) for k, record in enumerate(ids)], "string")
    if "registry" in hidden:
        hidden.loc[list(moved), "registry"] = "DRKS"
    rows += [
        {
            "record_a": min(ids[left], moved[right]),
            "record_b": max(ids[left], moved[right]),
            "same": False,
            "origin": "sister",
        }
        for left, right in alike
    ]
    rng = np.random.default_rng(seed)
    free = [k for k in range(len(records)) if k not in taken and k not in moved]
    chosen = sorted(rng.choice(free, size=min(simulated, len(free)), replace=False).tolist())
    second, truth = register_again(hidden, chosen, seed=seed, stated=False)
    rows += truth.assign(same=True, origin="simulated").to_dict("records")
    pairs = pd.DataFrame(rows, columns=["record_a", "record_b", "same", "origin", "style"])
    return LabelledSet(
        pd.concat([hidden, second], ignore_index=True),
        pairs.sort_values(["record_a", "record_b"], ignore_index=True),
    )


def _across(records: pd.DataFrame, identity: Identity) -> pd.DataFrame:
    """Return the pairs of different registries of which one states the other's number."""
    stated = stated_links(records, identity)
    direct = stated[stated.kind.isin(["registry id", "CTIS transition"])]
    return direct[identity.issuers[direct.left] != identity.issuers[direct.right]]


def _sister_pairs(
    records: pd.DataFrame, taken: set[int], most: int, *, least: float = 75.0
) -> list[tuple[int, int]]:
    """Find the pairs of one registry with the likest titles, each record in one pair at most."""
    prepared, identity = prepare(records), identify(records)
    left, right = np.array(
        [
            pair
            for issuer in np.unique(identity.issuers)
            for pair in combinations(np.flatnonzero(identity.issuers == issuer).tolist(), 2)
        ]
    ).T
    likeness = title_similarity(prepared, left, right)
    order = np.lexsort((right, left, -likeness))
    used, found = set(taken), []
    for k in order[likeness[order] >= least]:
        pair = (int(left[k]), int(right[k]))
        if len(found) < most and not used.intersection(pair):
            found.append(pair)
            used.update(pair)
    return found


def wilson(k: int, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share, (0, 1) if there is nothing to count."""
    return proportion_confint(k, n, method="wilson") if n else (0.0, 1.0)


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
        One row a measure that has anything to count: ``measure``, ``k``, ``n``, ``estimate``,
        ``low``, ``high`` (95 % Wilson intervals). The last row, candidate pairs per 1,000 records,
        is no share: its interval is that of a Poisson count.
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
        [(words, int(k), int(n), k / n, *wilson(int(k), int(n))) for words, k, n in rows if n],
        columns=["measure", "k", "n", "estimate", "low", "high"],
    )
    low = chi2.ppf(0.025, 2 * candidates) / 2 if candidates else 0.0
    high = chi2.ppf(0.975, 2 * candidates + 2) / 2
    per = [1_000 * value / records for value in (candidates, low, high)]
    table.loc[len(table)] = ["candidate pairs per 1,000 records", candidates, records, *per]
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
            rows.append((low, high, n, part.probability.mean(), k, k / n, *wilson(k, n)))
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
