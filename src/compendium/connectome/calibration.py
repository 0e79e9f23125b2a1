"""Do the nulls tell the truth? False-positive rate and power where the truth is known.

Everything here is simulated and says nothing about any brain: regions on a random layout, smooth
subject data, and, where asked, one network that holds the superficial and the deep targets.
"""

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from statsmodels.stats.proportion import proportion_confint

from compendium.connectome.networks import MapSet, similarity, without_layout
from compendium.connectome.nulls import location_null, surrogate_null
from compendium.connectome.overlap import group_maps

N_REGIONS = 120
N_TARGETS = 6  # in each group


def simulated_maps(
    random: np.random.Generator,
    *,
    common: float,
    n_subjects: int = 20,
    n_volumes: int = 120,
    smoothness: float = 25.0,
) -> tuple[MapSet, np.ndarray]:
    """Seed maps of every region of a simulated brain, twelve regions being targets.

    Parameters
    ----------
    random : Generator
        Source of randomness.
    common : float
        Weight of a network that all targets belong to; 0 means that there is none, and that the
        targets are regions like any others.
    n_subjects, n_volumes : int
        Sample size.
    smoothness : float
        Distance in mm over which neighbouring regions share their signal.

    Returns
    -------
    maps : MapSet
        The six superficial and six deep targets, then every other region as a null seed.
    coordinates : ndarray, shape (N_REGIONS, 3)
        Centre of each region in mm.
    """
    coordinates = random.uniform(-60, 60, (N_REGIONS, 3))
    shared = np.linalg.cholesky(shared_covariance(coordinates, smoothness))
    order = random.permutation(N_REGIONS)
    targets = order[: 2 * N_TARGETS]
    network = np.zeros(N_REGIONS)
    # the network reaches beyond its targets: a map is compared outside the seeds
    network[targets] = 1
    network[order[2 * N_TARGETS : 4 * N_TARGETS]] = 1
    subject_z = np.empty((n_subjects, N_REGIONS, N_REGIONS))
    for subject in range(n_subjects):
        signal = random.standard_normal((n_volumes, N_REGIONS)) @ shared.T
        signal += common * np.outer(random.standard_normal(n_volumes), network)
        correlation = np.corrcoef(signal.T)
        np.fill_diagonal(correlation, 0)
        subject_z[subject] = np.arctanh(correlation)
    z, t = group_maps(subject_z)
    np.fill_diagonal(t, 0)
    group = np.full(N_REGIONS, "null", dtype=object)
    group[targets[:N_TARGETS]] = "superficial"
    group[targets[N_TARGETS:]] = "deep"
    seeds = pd.DataFrame(
        {
            "seed": [f"region {i:03d}" for i in range(N_REGIONS)],
            "group": group,
            "tissue": "cortical",
            "hemisphere": "mid",
        }
    )
    return MapSet(seeds, z, t, np.eye(N_REGIONS, dtype=bool), n_subjects), coordinates


def shared_covariance(coordinates: np.ndarray, smoothness: float) -> np.ndarray:
    """Covariance that falls off exponentially with distance, shape (P, P)."""
    distance = cdist(coordinates, coordinates)
    return np.exp(-distance / smoothness) + 1e-6 * np.eye(len(coordinates))


def rejection_rates(
    common: float,
    *,
    n_replicates: int = 200,
    n_draws: int = 400,
    alpha: float = 0.05,
    seed: int = 20220121,
) -> pd.DataFrame:
    """How often each test says "more overlap than chance" on simulated brains.

    Parameters
    ----------
    common : float
        0 for the false-positive rate, above 0 for power (see `simulated_maps`).
    n_replicates : int
        Simulated brains.
    n_draws : int
        Null draws in each.
    alpha : float
        Nominal rate.
    seed : int
        Seed of the random generator.

    Returns
    -------
    DataFrame
        ``test``, ``rejected``, ``replicates``, ``rate``, and the 95 % Clopper-Pearson interval
        ``low``, ``high``.
    """
    random = np.random.default_rng(seed)
    rejected: dict[str, int] = {}
    for replicate in range(n_replicates):
        maps, coordinates = simulated_maps(random, common=common)
        tests = {
            f"matched random seeds, {rule}": location_null(
                maps, similarity(maps, rule), n_draws=n_draws, seed=replicate
            )
            for rule in ("largest tenth", "continuous")
        }
        cleaned = without_layout(maps, "degree removed")
        tests["matched random seeds, continuous, degree removed"] = location_null(
            cleaned, similarity(cleaned, "continuous"), n_draws=n_draws, seed=replicate
        )
        # the targets of one group are blanked in both maps, as in the real comparison
        rows = [maps.rows(group=name) for name in ("superficial", "deep")]
        seen = ~maps.own[np.concatenate(rows)].any(axis=0)
        superficial, deep = (np.where(seen, maps.z[r].mean(axis=0), np.nan) for r in rows)
        tests["maps of the same smoothness"] = surrogate_null(
            superficial, deep, coordinates, n_draws=n_draws, seed=replicate
        )
        if common == 0:
            # what that null claims: two maps that share smoothness and nothing else
            root = np.linalg.cholesky(shared_covariance(coordinates, smoothness=25.0))
            tests["two unrelated smooth maps"] = surrogate_null(
                root @ random.standard_normal(N_REGIONS),
                root @ random.standard_normal(N_REGIONS),
                coordinates,
                n_draws=n_draws,
                seed=replicate,
            )
        for name, test in tests.items():
            rejected[name] = rejected.get(name, 0) + (test.p <= alpha)
    rows = []
    for name, count in rejected.items():
        low, high = proportion_confint(count, n_replicates, method="beta")
        rows.append(
            {
                "test": name,
                "rejected": count,
                "replicates": n_replicates,
                "rate": count / n_replicates,
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(rows)
