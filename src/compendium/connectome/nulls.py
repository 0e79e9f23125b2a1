"""What overlap would look like if the targets were nothing special.

Every test returns the observed statistic beside the distribution that a stated null gives, so that
the size of the difference is read before its p value.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from statsmodels.stats.multitest import multipletests

from compendium.connectome.networks import MapSet
from compendium.connectome.overlap import between
from compendium.errors import InputError

MINIMUM_DRAWS = 5000


@dataclass(frozen=True)
class NullTest:
    """One observed statistic against one null.

    Attributes
    ----------
    name : str
        What the null says.
    observed : float
        The statistic of the real targets.
    null : ndarray, shape (n_draws,), float64
        The statistic under the null, one value a draw.
    exact : bool
        True if `null` holds every possible arrangement, not a random sample of them.
    """

    name: str
    observed: float
    null: np.ndarray
    exact: bool = False

    @property
    def effect(self) -> float:
        """Observed minus the mean of the null."""
        return float(self.observed - self.null.mean())

    @property
    def standardised_effect(self) -> float:
        """The effect in standard deviations of the null."""
        deviation = self.null.std(ddof=1)
        return float(self.effect / deviation) if deviation > 0 else math.nan

    @property
    def p(self) -> float:
        """One-sided p: is the observed statistic larger than the null allows?

        The observed arrangement counts as one of the draws, so that p is never zero (Phipson and
        Smyth 2010); among all possible arrangements it is there already.
        """
        # rounding noise must not turn a tie with the observed arrangement into a smaller value
        reached = int((self.null >= self.observed - 1e-12).sum())
        if self.exact:
            return reached / len(self.null)
        return (1 + reached) / (1 + len(self.null))

    def row(self) -> dict:
        """Return the test as one row of a table."""
        low, high = np.percentile(self.null, [2.5, 97.5])
        return {
            "null": self.name,
            "observed": self.observed,
            "null_mean": float(self.null.mean()),
            "null_low": float(low),
            "null_high": float(high),
            "effect": self.effect,
            "standardised_effect": self.standardised_effect,
            "p": self.p,
            "draws": len(self.null),
            "exact": self.exact,
        }


def table_of_tests(tests: list[NullTest]) -> pd.DataFrame:
    """One row a test, with p corrected over all of them by Holm's method (``p_holm``)."""
    table = pd.DataFrame([test.row() for test in tests])
    table["p_holm"] = multipletests(table["p"], method="holm")[1]
    return table


def matched_pools(maps: MapSet, targets: np.ndarray) -> list[np.ndarray]:
    """For each target, the random seeds of its tissue class and hemisphere.

    Parameters
    ----------
    maps : MapSet
        Targets and random seeds (group ``null``) together.
    targets : ndarray of int
        Rows of the targets.

    Raises
    ------
    InputError
        If a target has fewer than ten matched random seeds.
    """
    null = maps.rows(group="null")
    kinds = list(zip(maps.seeds["tissue"], maps.seeds["hemisphere"], strict=True))
    pools: dict[tuple[str, str], list[int]] = {}
    for row in null:
        pools.setdefault(kinds[row], []).append(row)
    for row in targets:
        found = len(pools.get(kinds[row], []))
        if found < 10:
            raise InputError(
                f"only {found} random seeds match it ({', '.join(kinds[row])})",
                where=str(maps.seeds["seed"].iloc[row]),
                remedy="map a larger dictionary of random seeds",
            )
    return [np.array(pools[kinds[row]]) for row in targets]


def thinned(maps: MapSet, per_class: int) -> np.ndarray:
    """Return the rows of all targets and of the first random seeds of each class.

    Parameters
    ----------
    maps : MapSet
        Targets and random seeds.
    per_class : int
        Random seeds kept of each tissue class and hemisphere: enough for a mean, where a whole
        distribution is not needed.
    """
    seeds = maps.seeds
    rank = seeds.groupby(["group", "tissue", "hemisphere"]).cumcount()
    return np.flatnonzero(((seeds["group"] != "null") | (rank < per_class)).to_numpy())


def draw_matched(pools: list[np.ndarray], n_draws: int, random: np.random.Generator) -> np.ndarray:
    """Draw one random seed for each target, no seed twice in the same draw.

    Returns
    -------
    ndarray of int, shape (n_draws, n_targets)
    """
    draws = np.column_stack([random.choice(pool, n_draws) for pool in pools])
    for column in range(1, len(pools)):
        taken = draws[:, :column]
        while True:
            repeated = (taken == draws[:, [column]]).any(axis=1)
            if not repeated.any():
                break
            draws[repeated, column] = random.choice(pools[column], int(repeated.sum()))
    return draws


def location_null(
    maps: MapSet,
    matrix: np.ndarray,
    *,
    n_draws: int = MINIMUM_DRAWS,
    seed: int = 20220121,
    name: str = "random seeds matched for tissue, hemisphere and size",
) -> NullTest:
    """Do superficial and deep targets overlap more than random seeds in their place?

    Parameters
    ----------
    maps : MapSet
        Targets (groups ``superficial`` and ``deep``) and random seeds (group ``null``).
    matrix : ndarray, shape (K, K)
        Similarity of every pair of `maps`.
    n_draws : int
        Each draw puts one matched random seed in the place of every target.
    seed : int
        Seed of the random generator.
    name : str
        What the table calls this null.
    """
    superficial, deep = maps.rows(group="superficial"), maps.rows(group="deep")
    pools = matched_pools(maps, np.concatenate([superficial, deep]))
    random = np.random.default_rng(seed)
    draws = draw_matched(pools, n_draws, random)
    first, second = draws[:, : len(superficial)], draws[:, len(superficial) :]
    null = np.concatenate(
        [
            np.nanmean(matrix[a[:, :, None], b[:, None, :]], axis=(1, 2))
            for a, b in zip(
                np.array_split(first, max(1, n_draws // 500)),
                np.array_split(second, max(1, n_draws // 500)),
                strict=True,
            )
        ]
    )
    return NullTest(name, between(matrix, superficial, deep), null)


def expected_overlap(maps: MapSet, matrix: np.ndarray) -> float:
    """Mean overlap of matched random seeds, without drawing: the mean over all their pairs."""
    superficial, deep = maps.rows(group="superficial"), maps.rows(group="deep")
    first, second = matched_pools(maps, superficial), matched_pools(maps, deep)
    blocks = {}
    for a, b in itertools.product(first, second):
        key = (a.tobytes(), b.tobytes())
        if key not in blocks:
            block = matrix[np.ix_(a, b)]
            different = a[:, None] != b[None, :]
            blocks[key] = float(np.nanmean(block[different]))
    return float(
        np.mean([blocks[a.tobytes(), b.tobytes()] for a, b in itertools.product(first, second)])
    )


def label_null(
    maps: MapSet, matrix: np.ndarray, *, n_draws: int = MINIMUM_DRAWS, seed: int = 20220121
) -> NullTest:
    """Is the overlap across the superficial-deep border larger than across any other border?

    The statistic is the mean similarity between the groups minus the mean similarity inside them;
    the labels are permuted over the same targets. All arrangements are tried where there are at
    most four times `n_draws`.
    """
    superficial, deep = maps.rows(group="superficial"), maps.rows(group="deep")
    rows = np.concatenate([superficial, deep])
    k, n = len(superficial), len(rows)
    exact = math.comb(n, k) <= 4 * n_draws
    if exact:
        choices = list(itertools.combinations(range(n), k))
    else:
        random = np.random.default_rng(seed)
        choices = [random.choice(n, k, replace=False) for _ in range(n_draws)]
    # the real arrangement is the first row
    chosen = np.zeros((1 + len(choices), n), dtype=bool)
    chosen[0, :k] = True
    np.put_along_axis(chosen[1:], np.array(choices), True, axis=1)
    targets = matrix[np.ix_(rows, rows)]
    across = mean_between(targets, chosen, ~chosen)
    np.fill_diagonal(targets, np.nan)
    inside = [mean_between(targets, chosen, chosen), mean_between(targets, ~chosen, ~chosen)]
    # a group of one has no pair inside
    inside = np.where(np.isnan(inside), inside[::-1], inside).mean(axis=0)
    observed, *null = across - inside
    return NullTest(
        "superficial and deep permuted over the same targets",
        float(observed),
        np.array(null),
        exact,
    )


def mean_between(matrix: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mean similarity over all pairs of one map of `first` and one of `second`, for many choices.

    Parameters
    ----------
    matrix : ndarray, shape (K, K)
        Similarity of every pair of maps; NaN is left out.
    first, second : ndarray, shape (n_choices, K), bool
        The maps of the two groups in each choice.

    Returns
    -------
    ndarray, shape (n_choices,), float64
        NaN where no pair is known.
    """
    known = np.isfinite(matrix)
    total, count = (
        ((first @ values) * second).sum(axis=1)
        for values in (np.where(known, matrix, 0.0), known.astype(float))
    )
    return np.divide(total, count, out=np.full(len(first), np.nan), where=count > 0)


def specificity_null(
    maps: MapSet,
    matrix: np.ndarray,
    pain: np.ndarray,
    *,
    n_draws: int = MINIMUM_DRAWS,
    seed: int = 20220121,
) -> NullTest:
    """Do pain targets overlap more than stimulation targets for other disorders?

    Parameters
    ----------
    maps : MapSet
        Superficial and deep targets, for pain and for other disorders.
    matrix : ndarray, shape (K, K)
        Similarity of every pair.
    pain : ndarray, shape (K,), bool
        True where a target is stimulated for pain.
    n_draws : int
        Permutations of the pain label inside each group.
    seed : int
        Seed of the random generator.

    Raises
    ------
    InputError
        If a group has no target of one of the two kinds.
    """
    groups = [maps.rows(group="superficial"), maps.rows(group="deep")]
    counts = [int(pain[rows].sum()) for rows in groups]
    for rows, count, label in zip(groups, counts, ("superficial", "deep"), strict=True):
        if count in (0, len(rows)):
            raise InputError(
                f"all {len(rows)} {label} targets are of one kind",
                remedy="give targets for pain and for another disorder in each group",
            )

    random = np.random.default_rng(seed)
    # the real arrangement is the first row
    chosen = np.zeros((1 + n_draws, len(maps)), dtype=bool)
    chosen[0] = pain
    for draw in chosen[1:]:
        for rows, count in zip(groups, counts, strict=True):
            draw[random.choice(rows, count, replace=False)] = True
    superficial, deep = (np.isin(np.arange(len(maps)), rows) for rows in groups)
    observed, *null = mean_between(matrix, chosen & superficial, chosen & deep) - mean_between(
        matrix, ~chosen & superficial, ~chosen & deep
    )
    return NullTest(
        "pain targets and targets for other disorders permuted", float(observed), np.array(null)
    )


def moran_surrogates(
    values: np.ndarray, coordinates: np.ndarray, n_draws: int, seed: int
) -> np.ndarray:
    """Random maps with the same spatial autocorrelation as `values`.

    Moran spectral randomisation, singleton procedure: the map is projected on the eigenvectors of
    the doubly centred inverse-distance matrix and the sign of each coefficient is drawn at random,
    which keeps the mean, the variance and Moran's I exactly.

    Parameters
    ----------
    values : ndarray, shape (P,), float64
        A map without missing values.
    coordinates : ndarray, shape (P, 3), float64
        Centre of each location in millimetres.
    n_draws : int
        Surrogates.
    seed : int
        Seed of the random generator.

    Returns
    -------
    ndarray, shape (n_draws, P), float64

    References
    ----------
    Wagner HH, Dray S (2015). Generating spatially constrained null models for irregularly spaced
    data using Moran spectral randomization methods. Methods in Ecology and Evolution 6:1169-1178.
    """
    distance = cdist(coordinates, coordinates)
    nearest = np.where(distance > 0, distance, np.inf)
    if np.isinf(nearest.min(axis=1)).any():
        raise InputError("two locations are needed to make a surrogate map")
    # two parcels may share a centre (shells): they are then neighbours at the smallest distance
    weights = 1 / np.where(distance > 0, distance, nearest.min())
    np.fill_diagonal(weights, 0)
    centring = np.eye(len(values)) - 1 / len(values)
    _, eigenvectors = np.linalg.eigh(centring @ weights @ centring)
    # the constant vector carries the mean, which is not shuffled
    constant = np.abs(eigenvectors.sum(axis=0)) > 1e-6 * math.sqrt(len(values))
    vectors = eigenvectors[:, ~constant]
    coefficients = vectors.T @ (values - values.mean())
    random = np.random.default_rng(seed)
    signs = random.choice([-1.0, 1.0], size=(n_draws, vectors.shape[1]))
    return values.mean() + (signs * coefficients) @ vectors.T


def surrogate_null(
    first: np.ndarray,
    second: np.ndarray,
    coordinates: np.ndarray,
    *,
    n_draws: int = MINIMUM_DRAWS,
    seed: int = 20220121,
    name: str = "maps of the same smoothness (Moran surrogates)",
) -> NullTest:
    """Are two maps more alike than maps of the same smoothness are by chance?

    Parameters
    ----------
    first, second : ndarray, shape (P,)
        Maps; `first` is randomised. Locations missing in either are left out.
    coordinates : ndarray, shape (P, 3)
        Centre of each location in millimetres.
    n_draws, seed, name
        As in `location_null`.
    """
    known = np.isfinite(first) & np.isfinite(second)
    a, b = first[known], second[known]
    surrogates = moran_surrogates(a, coordinates[known], n_draws, seed)
    centred = surrogates - surrogates.mean(axis=1, keepdims=True)
    b_centred = b - b.mean()
    null = centred @ b_centred / np.linalg.norm(centred, axis=1) / np.linalg.norm(b_centred)
    return NullTest(name, float(np.corrcoef(a, b)[0, 1]), null)
