"""The whole battery of nulls for one connectome, in one call."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compendium.connectome.analysis import (
    Analysis,
    analyse,
    displaced_targets,
    subject_values,
)
from compendium.connectome.hubs import rank_hubs, strongest_places
from compendium.connectome.networks import similarity, without_layout
from compendium.connectome.nulls import (
    NullTest,
    label_null,
    location_null,
    specificity_null,
    surrogate_null,
)
from compendium.connectome.overlap import between
from compendium.connectome.reference import reference_null, region_centres
from compendium.connectome.store import Store
from compendium.errors import InputError
from compendium.targets import Target

# name of each test in tables, and what it asks
RANDOM = "(a) random seeds in the targets' place"
RANDOM_WITHOUT_DEGREE = "(b) the same, after the connectome's degree is removed"
SMOOTH = "(c) maps of the same smoothness"
SPECIFIC = "(d) targets for other disorders"
LABELS = "(e) superficial and deep relabelled"
SECOND = "(f) the second connectome"
MAXIMUM_SURROGATE_LOCATIONS = 3000  # an eigenvector of each is needed: voxels are thinned


def overlap_battery(
    analysis: Analysis,
    others: Analysis | None,
    *,
    rule: str = "continuous",
    n_draws: int,
    seed: int,
) -> list[NullTest]:
    """Hold the overlap of superficial and deep targets against nulls (a) to (e).

    Parameters
    ----------
    analysis : Analysis
        Pain targets and random seeds.
    others : Analysis or None
        The same with targets for other disorders added (role ``comparison``); None where there
        are none in one of the groups.
    rule : str
        One of `compendium.connectome.networks.RULES`.
    n_draws, seed : int
        Null draws and the seed of the random generator.

    Returns
    -------
    list of NullTest
        In the order of the names above; (d) is left out where `others` is None.
    """
    maps = analysis.maps
    matrix = similarity(maps, rule)
    cleaned = without_layout(maps, "degree removed")
    tests = [
        location_null(maps, matrix, n_draws=n_draws, seed=seed, name=RANDOM),
        location_null(
            cleaned,
            similarity(cleaned, rule),
            n_draws=n_draws,
            seed=seed,
            name=RANDOM_WITHOUT_DEGREE,
        ),
        smoothness_test(analysis, n_draws=n_draws, seed=seed),
    ]
    if others is not None:
        targets = others.targets
        pain = (targets.seeds["role"] == "analgesic").to_numpy()
        test = specificity_null(
            targets, similarity(targets, rule), pain, n_draws=n_draws, seed=seed
        )
        tests.append(NullTest(SPECIFIC, test.observed, test.null))
    labels = label_null(maps, matrix, n_draws=n_draws, seed=seed)
    tests.append(NullTest(LABELS, labels.observed, labels.null, labels.exact))
    return tests


def smoothness_test(analysis: Analysis, *, n_draws: int, seed: int) -> NullTest:
    """Correlate the mean superficial with the mean deep map, against maps of the same smoothness.

    Locations inside any seed are left out of both, since a seed's own map is high there.
    """
    maps = analysis.maps
    superficial, deep = maps.rows(group="superficial"), maps.rows(group="deep")
    seen = ~maps.own[np.concatenate([superficial, deep])].any(axis=0)
    step = max(1, -(-int(seen.sum()) // MAXIMUM_SURROGATE_LOCATIONS))
    places = np.flatnonzero(seen)[::step]
    return surrogate_null(
        maps.z[superficial][:, places].mean(axis=0),
        maps.z[deep][:, places].mean(axis=0),
        region_centres(analysis.space)[places],
        n_draws=n_draws,
        seed=seed,
        name=SMOOTH,
    )


def both_kinds(analysis: Analysis) -> bool:
    """Say whether each group has targets for pain and for other disorders."""
    seeds = analysis.targets.seeds
    kinds = seeds[seeds["group"].isin(["superficial", "deep"])].groupby("group")["role"].nunique()
    return len(kinds) == 2 and bool((kinds == 2).all())


def jittered_overlap(
    store: Store,
    targets: Sequence[Target],
    *,
    rule: str,
    millimetres: float,
    n_jitters: int,
    seed: int,
) -> np.ndarray:
    """Overlap of the targets when each is moved a fixed distance in a random direction.

    Parameters
    ----------
    store : Store
        A prepared connectome.
    targets : sequence of Target
        Sites, at least one of each group represented.
    rule : str
        One of `compendium.connectome.networks.RULES`.
    millimetres : float
        Distance.
    n_jitters : int
        Random sets of directions.
    seed : int
        Seed of the random generator.

    Returns
    -------
    ndarray, shape (n_jitters,), float64
    """
    if n_jitters < 1:
        raise InputError(f"{n_jitters} jitters", remedy="ask for at least one")
    overlaps = []
    for number in range(n_jitters):
        moved = displaced_targets(targets, millimetres, seed + number)
        maps = analyse(store, moved, null_seeds_per_target=0, subjects=False).maps
        overlaps.append(
            between(similarity(maps, rule), maps.rows(group="superficial"), maps.rows(group="deep"))
        )
    return np.array(overlaps)


def common_hubs(
    analysis: Analysis,
    store: Store,
    targets: Sequence[Target],
    *,
    layout: str,
    n_draws: int,
    seed: int,
) -> pd.DataFrame:
    """Rank the hubs of the common network with the connectome's layout kept or taken out.

    Parameters
    ----------
    analysis : Analysis
        Pain targets and random seeds.
    store : Store
        The connectome behind it.
    targets : sequence of Target
        At least those of the analysis.
    layout : str
        A key of `compendium.connectome.networks.LAYOUTS`.
    n_draws, seed : int
        Bootstrap draws over subjects and the seed of the random generator.

    Returns
    -------
    DataFrame
        As of `compendium.connectome.hubs.rank_hubs`.
    """
    cleaned = without_layout(analysis.maps, layout).take(analysis.target_rows)
    groups = [cleaned.rows(group=name) for name in ("superficial", "deep")]
    places = strongest_places(cleaned, np.concatenate(groups))
    before, after = analysis.targets.at(places), cleaned.at(places)
    # the layout is a property of the group: what it takes from the mean it takes from each subject
    subject_z = subject_values(analysis, store, targets, places) - (before.z - after.z)
    names = analysis.space.location_names
    return rank_hubs(
        after, [names[place] for place in places], subject_z, n_draws=n_draws, seed=seed
    )


def reference_tests(
    analysis: Analysis, references: dict[str, np.ndarray], *, n_draws: int, seed: int
) -> list[NullTest]:
    """Hold the common network against pain maps from outside, with two nulls each.

    Parameters
    ----------
    analysis : Analysis
        Pain targets and random seeds.
    references : dict
        Name → map, shape (n_locations,).
    n_draws, seed : int
        Null draws and the seed of the random generator.
    """
    cleaned = {
        words: without_layout(analysis.maps, layout)
        for layout, words in (("kept", ""), ("degree removed", ", degree removed"))
    }
    return [
        reference_null(maps, reference, n_draws=n_draws, seed=seed, name=f"{name}{words}")
        for name, reference in references.items()
        for words, maps in cleaned.items()
    ]


def weighted_overlap(matrix: np.ndarray, analysis: Analysis, weights: pd.Series) -> float:
    """Mean superficial-deep similarity, each target weighted by how often it is used.

    Parameters
    ----------
    matrix : ndarray, shape (K, K)
        Similarity of every pair of `analysis.maps`.
    analysis : Analysis
        Targets and random seeds.
    weights : Series
        Seed → weight.
    """
    maps = analysis.maps
    rows = [maps.rows(group=group) for group in ("superficial", "deep")]
    first, second = (weights.reindex(maps.seeds["seed"].iloc[r]).to_numpy(float) for r in rows)
    if first.sum() == 0 or second.sum() == 0:
        return float("nan")
    block = np.nan_to_num(matrix[np.ix_(*rows)])
    return float(first @ block @ second / first.sum() / second.sum())
