"""How much the networks of superficial and deep targets overlap, and how stable that is."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from compendium.connectome.networks import MapSet, similarity


def between(matrix: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Mean similarity over all pairs of one map of `first` and one of `second`.

    Parameters
    ----------
    matrix : ndarray, shape (K, K)
        Similarity of every pair of maps.
    first, second : ndarray of int
        Rows of the two groups.
    """
    return float(np.nanmean(matrix[np.ix_(first, second)]))


def within(matrix: np.ndarray, rows: np.ndarray) -> float:
    """Mean similarity over all different pairs of maps of one group."""
    block = matrix[np.ix_(rows, rows)]
    return float(np.nanmean(block[np.triu_indices(len(rows), 1)]))


def superficial_by_deep(maps: MapSet, rule: str) -> pd.DataFrame:
    """Similarity of each superficial target (rows) with each deep one (columns)."""
    matrix = similarity(maps, rule)
    first, second = maps.rows(group="superficial"), maps.rows(group="deep")
    names = maps.seeds["seed"].to_numpy()
    return pd.DataFrame(
        matrix[np.ix_(first, second)], index=names[first], columns=names[second]
    ).rename_axis("superficial")


def leave_one_target_out(maps: MapSet, rule: str) -> pd.DataFrame:
    """Overlap of superficial with deep targets, each target left out in turn.

    Returns
    -------
    DataFrame
        ``left_out`` (empty for the whole set, first row), ``overlap``, ``change``.
    """
    matrix = similarity(maps, rule)
    first, second = maps.rows(group="superficial"), maps.rows(group="deep")
    whole = between(matrix, first, second)
    rows = [{"left_out": "", "overlap": whole, "change": 0.0}]
    for row in np.concatenate([first, second]):
        overlap = between(matrix, first[first != row], second[second != row])
        rows.append(
            {
                "left_out": maps.seeds["seed"].iloc[row],
                "overlap": overlap,
                "change": overlap - whole,
            }
        )
    return pd.DataFrame(rows)


def order_by_likeness(matrix: np.ndarray) -> np.ndarray:
    """Order maps so that alike ones stand together (average linkage on 1 - similarity).

    Returns
    -------
    ndarray of int, shape (K,)
        Leaf order of the tree.
    """
    return hierarchy.leaves_list(_tree(matrix))


def clusters(matrix: np.ndarray, n_clusters: int) -> np.ndarray:
    """Cut the same tree into `n_clusters` groups, numbered from 1."""
    return hierarchy.fcluster(_tree(matrix), n_clusters, criterion="maxclust")


def _tree(matrix: np.ndarray) -> np.ndarray:
    distance = 1 - np.nan_to_num((matrix + matrix.T) / 2, nan=0.0)
    np.fill_diagonal(distance, 0)
    return hierarchy.linkage(squareform(distance, checks=False), "average", optimal_ordering=True)


def split_half_reliability(
    subject_z: np.ndarray,
    own: np.ndarray,
    n_splits: int = 100,
    seed: int = 20220121,
) -> pd.DataFrame:
    """Correlate each seed's map in one random half of the subjects with that in the other.

    Parameters
    ----------
    subject_z : ndarray, shape (n_subjects, K, P)
        Fisher z of every subject.
    own : ndarray, shape (K, P), bool
        Locations inside the seed, left out.
    n_splits : int
        Random splits.
    seed : int
        Seed of the random generator.

    Returns
    -------
    DataFrame, K rows
        ``r`` (mean over splits), ``low`` and ``high`` (2.5th and 97.5th percentile), and
        ``full_sample`` (Spearman-Brown prediction for the whole sample).
    """
    random = np.random.default_rng(seed)
    n = len(subject_z)
    known = np.isfinite(subject_z)
    values, counts = np.where(known, subject_z, 0.0), known.astype(float)
    results = np.full((n_splits, own.shape[0]), np.nan)
    for split in range(n_splits):
        half = random.permutation(n)[: n // 2]
        chosen = np.isin(np.arange(n), half)
        with np.errstate(invalid="ignore", divide="ignore"):
            a = values[chosen].sum(axis=0) / counts[chosen].sum(axis=0)
            b = values[~chosen].sum(axis=0) / counts[~chosen].sum(axis=0)
        for k in range(own.shape[0]):
            mask = np.isfinite(a[k]) & np.isfinite(b[k]) & ~own[k]
            results[split, k] = np.corrcoef(a[k, mask], b[k, mask])[0, 1]
    r = results.mean(axis=0)
    low, high = np.percentile(results, [2.5, 97.5], axis=0)
    return pd.DataFrame({"r": r, "low": low, "high": high, "full_sample": 2 * r / (1 + r)})


def bootstrap_maps(
    subject_z: np.ndarray,
    n_draws: int,
    seed: int,
    consume: Callable[[np.ndarray, np.ndarray], float | np.ndarray],
) -> np.ndarray:
    """Recompute a statistic of group maps on subjects drawn with replacement.

    Parameters
    ----------
    subject_z : ndarray, shape (n_subjects, K, P)
        Fisher z of every subject; NaN where a subject has no signal.
    n_draws : int
        Bootstrap draws.
    seed : int
        Seed of the random generator.
    consume : callable
        ``consume(z, t)`` on arrays of shape (K, P): one value, or an array of them.

    Returns
    -------
    ndarray, shape (n_draws, ...)
        What `consume` returned for each draw.
    """
    random = np.random.default_rng(seed)
    n = len(subject_z)
    draws = []
    for _ in range(n_draws):
        times = np.bincount(random.integers(0, n, n), minlength=n)
        draws.append(consume(*group_maps(subject_z, times)))
    return np.asarray(draws)


def group_maps(
    subject_z: np.ndarray, times: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean Fisher z and its one-sample t over subjects.

    Parameters
    ----------
    subject_z : ndarray, shape (n_subjects, K, P)
        NaN where a subject has no signal; such a subject does not count there.
    times : ndarray of int, shape (n_subjects,), optional
        How often each subject counts; default: once.

    Returns
    -------
    tuple of ndarray, each of shape (K, P), float64
        Mean and t; NaN where fewer than two subjects have signal.
    """
    times = np.ones(len(subject_z), int) if times is None else times
    drawn = np.flatnonzero(times)
    count, total, squares = (np.zeros(subject_z.shape[1:]) for _ in range(3))
    # a subject at a time: nothing of the size of all subjects' maps is made
    for subject in drawn:
        values = subject_z[subject].astype(float)
        known = np.isfinite(values)
        count += times[subject] * known
        np.add(total, times[subject] * values, out=total, where=known)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        for subject in drawn:
            spread = subject_z[subject] - mean
            np.add(squares, times[subject] * spread**2, out=squares, where=np.isfinite(spread))
        t = mean / np.sqrt(squares / (count - 1) / count)
    unknown = count < 2
    return np.where(unknown, np.nan, mean), np.where(unknown, np.nan, t)
