"""From tests to a verdict: every reasonable choice tried, and each claim held to a stated rule.

The rule is fixed here, apart from any result: a claim *holds* if its test passes in every
connectome in which it was tried (Holm-corrected p below 0.05 and an effect above zero), *holds in
part* if it passes in some, and *does not hold* if it passes in none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from compendium.connectome.networks import (
    LAYOUTS,
    RULES,
    MapSet,
    similarity,
    without_layout,
)
from compendium.connectome.nulls import NullTest, expected_overlap, location_null, thinned
from compendium.connectome.overlap import between, bootstrap_maps
from compendium.errors import InputError

ALPHA = 0.05


@dataclass(frozen=True)
class Claim:
    """One sentence of the headline and what it takes to believe it.

    Attributes
    ----------
    sentence : str
        The claim, in words a reader of the paper would use.
    test : str
        Name of the null test (column ``null`` of the tests' tables) that decides it.
    """

    sentence: str
    test: str


def specification_curve(
    variants: Mapping[tuple[str, ...], MapSet],
    names: Sequence[str],
    *,
    n_draws: int,
    seed: int = 20220121,
    progress: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Test superficial-deep overlap under every combination of choices.

    Parameters
    ----------
    variants : mapping
        Choices made before the maps (such as connectome, global signal, coordinates) → maps of the
        targets and of random seeds.
    names : sequence of str
        What each part of the keys is called.
    n_draws : int
        Null draws of each test.
    seed : int
        Seed of the random generator.
    progress : callable, optional
        Told the choices of each test as it begins.

    Returns
    -------
    DataFrame
        One row for each key × rule of `RULES` × layout of `LAYOUTS`, with the columns of
        `NullTest.row`, ``excess`` (effect in standard deviations of the null) and ``passes``; in
        ascending order of ``excess``, with its position ``order``.
    """
    rows = []
    for key, maps in variants.items():
        if len(key) != len(names):
            raise InputError(f"{key} has {len(key)} parts, the names are {tuple(names)}")
        for layout in LAYOUTS:
            cleaned = without_layout(maps, layout)
            for rule in RULES:
                choices = dict(zip(names, key, strict=True)) | {"layout": layout, "rule": rule}
                if progress:
                    progress(", ".join(choices.values()))
                test = location_null(cleaned, similarity(cleaned, rule), n_draws=n_draws, seed=seed)
                rows.append(choices | test.row())
    table = pd.DataFrame(rows)
    table["passes"] = (table["p"] < ALPHA) & (table["effect"] > 0)
    order = ["standardised_effect", *names, "layout", "rule"]
    table = table.sort_values(order, na_position="first").reset_index(drop=True)
    table.insert(0, "order", np.arange(1, len(table) + 1))
    return table


def judge(claims: Sequence[Claim], tests: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Hold each claim against its test in every connectome.

    Parameters
    ----------
    claims : sequence of Claim
        What is claimed, and which test decides.
    tests : mapping
        Connectome → table of tests (`compendium.connectome.nulls.table_of_tests`).

    Returns
    -------
    DataFrame
        ``claim``, ``answer`` (holds, holds in part, does not hold, not tested), ``passed``,
        ``tried`` and ``evidence`` (effect in standard deviations of the null and corrected p, one
        connectome after the other).
    """
    rows = []
    for claim in claims:
        passed, evidence = [], []
        for connectome, table in tests.items():
            for row in table[table["null"] == claim.test].itertuples():
                ok = bool(row.p_holm < ALPHA and row.effect > 0)
                passed.append(ok)
                effect = f"{row.standardised_effect:+.1f}".replace("-", "−")
                evidence.append(f"{connectome}: {effect} SD, p = {row.p_holm:.2g}")
        if not passed:
            answer = "not tested"
        elif all(passed):
            answer = "holds"
        elif any(passed):
            answer = "holds in part"
        else:
            answer = "does not hold"
        rows.append(
            {
                "claim": claim.sentence,
                "answer": answer,
                "passed": sum(passed),
                "tried": len(passed),
                "evidence": "; ".join(evidence),
            }
        )
    return pd.DataFrame(rows)


def replication(first: MapSet, second: MapSet, rule: str) -> pd.DataFrame:
    """Compare the superficial-deep similarities of two connectomes, pair by pair.

    Returns
    -------
    DataFrame
        ``superficial``, ``deep``, ``first``, ``second``: one row for each pair of targets that
        both connectomes represent.
    """
    tables = []
    for maps, column in ((first, "first"), (second, "second")):
        matrix = similarity(maps, rule)
        names = maps.seeds["seed"].to_numpy()
        tables.append(
            pd.DataFrame(
                [
                    {"superficial": names[s], "deep": names[d], column: matrix[s, d]}
                    for s in maps.rows(group="superficial")
                    for d in maps.rows(group="deep")
                ]
            )
        )
    return tables[0].merge(tables[1], on=["superficial", "deep"])


def replication_null(pairs: pd.DataFrame, *, n_draws: int = 5000, seed: int = 20220121) -> NullTest:
    """Is the pattern of superficial-deep similarities the same in both connectomes?

    Targets are relabelled in one connectome, superficial ones among themselves and deep ones among
    themselves (a Mantel-type test), since pairs that share a target are not independent.
    """
    first = pairs.pivot(index="superficial", columns="deep", values="first").to_numpy()
    second = pairs.pivot(index="superficial", columns="deep", values="second").to_numpy()
    random = np.random.default_rng(seed)

    def likeness(matrix: np.ndarray) -> float:
        return float(np.corrcoef(matrix.ravel(), second.ravel())[0, 1])

    null = np.array(
        [
            likeness(first[random.permutation(len(first))][:, random.permutation(first.shape[1])])
            for _ in range(n_draws)
        ]
    )
    return NullTest("targets relabelled between connectomes", likeness(first), null)


def effect_intervals(
    maps: MapSet,
    subject_z: np.ndarray,
    *,
    n_draws: int = 200,
    seed: int = 20220121,
    per_class: int = 40,
) -> dict[str, tuple[float, float]]:
    """Intervals over subjects of the overlap beyond matched random seeds, one for each rule.

    Parameters
    ----------
    maps : MapSet
        Targets and random seeds.
    subject_z : ndarray, shape (n_subjects, K, P)
        Fisher z of every subject for all of them.
    n_draws : int
        Bootstrap draws over subjects, the same for every rule.
    seed : int
        Seed of the random generator.
    per_class : int
        Random seeds of each class that stand for all: the mean of their overlaps is wanted here.

    Returns
    -------
    dict of str to tuple of float
        Rule of `RULES` → 2.5th and 97.5th percentile of observed minus expected overlap.
    """
    everyone = [expected_overlap(maps, similarity(maps, rule)) for rule in RULES]
    rows = thinned(maps, per_class)
    maps, subject_z = maps.take(rows), subject_z[:, rows]
    superficial, deep = maps.rows(group="superficial"), maps.rows(group="deep")

    def excess(z: np.ndarray, t: np.ndarray) -> list[float]:
        drawn = maps.with_values(z, t)
        matrices = [similarity(drawn, rule) for rule in RULES]
        return [between(m, superficial, deep) - expected_overlap(maps, m) for m in matrices]

    # the random seeds kept stand for all: what their mean differs by is taken out again
    kept = [expected_overlap(maps, similarity(maps, rule)) for rule in RULES]
    draws = bootstrap_maps(subject_z, n_draws, seed, excess) + np.subtract(kept, everyone)
    low, high = np.percentile(draws, [2.5, 97.5], axis=0).tolist()
    return dict(zip(RULES, zip(low, high, strict=True), strict=True))


def summary(overlap: str, overlap_without_degree: str) -> str:
    """Return the headline in a sentence, from the answers to the two claims that carry it.

    Parameters
    ----------
    overlap : str
        Answer (see `judge`) to: do the targets overlap more than random places?
    overlap_without_degree : str
        Answer to: do they still, once the connectome's degree is removed?

    Raises
    ------
    InputError
        If an answer is none that `judge` gives.
    """
    answers = ("holds", "holds in part", "does not hold", "not tested")
    for answer in (overlap, overlap_without_degree):
        if answer not in answers:
            raise InputError(f"no answer {answer!r}", remedy=f"one of {', '.join(answers)}")
    if "not tested" in (overlap, overlap_without_degree):
        return "The claim was not tested: too few targets of one group are represented."
    if overlap == overlap_without_degree == "holds":
        return (
            "A common network survives: superficial and deep analgesic targets overlap more than "
            "matched random places, before and after the connectome's own degree is removed, in "
            "every connectome tried."
        )
    if overlap == overlap_without_degree == "does not hold":
        return (
            "A common network is not shown: superficial and deep analgesic targets do overlap, but "
            "not more than matched random places do, before or after the connectome's own degree "
            "is removed, in any connectome tried."
        )
    return (
        "The evidence is divided: whether superficial and deep analgesic targets overlap more than "
        f"matched random places depends on the connectome or on its layout (overlap: {overlap}; "
        f"with degree removed: {overlap_without_degree})."
    )
