"""Group maps of several seeds, the networks cut from them, and how alike they are.

A map is never compared with itself at its own seed: locations inside either seed of a pair are
left out of that pair's similarity, because a seed correlates with itself whatever the brain does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from compendium.connectome.large import Rows, blank_like
from compendium.errors import InputError

RULES = ("Bonferroni", "largest tenth", "continuous")
# layout → how many components of random seeds' maps are regressed out of the targets' maps
LAYOUTS = {"kept": 0, "degree removed": 1, "degree and two components removed": 3}
BLOCK = 8192  # locations handled at a time, so that 1,000 voxelwise maps fit in memory
ROWS_VALUES = 2**20  # values of whole maps handled at a time


@dataclass(frozen=True)
class MapSet:
    """Group maps of K seeds over P locations of one connectome.

    The three arrays are in memory, or, where they are large, in files that are read piece by piece
    (`compendium.connectome.large`); whoever works on all maps takes a row or a block at a time.

    Attributes
    ----------
    seeds : DataFrame, K rows
        ``seed`` (unique name), ``group`` (superficial, deep, control or null), ``role``,
        ``tissue`` (cortical or subcortical), ``hemisphere`` (L, R or mid).
    z : ndarray or FileArray, shape (K, P), float64
        Mean Fisher z over subjects; NaN where no subject has signal.
    t : ndarray or FileArray, shape (K, P), float64
        One-sample t of Fisher z over subjects.
    own : ndarray or FileArray, shape (K, P), bool
        True where a location belongs to the seed itself.
    n_subjects : int
        Subjects behind the maps.
    """

    seeds: pd.DataFrame
    z: Rows
    t: Rows
    own: Rows
    n_subjects: int

    def __post_init__(self) -> None:
        shapes = {self.z.shape, self.t.shape, self.own.shape}
        if len(shapes) != 1 or len(self.seeds) != len(self.z):
            raise InputError(
                f"{len(self.seeds)} seeds but maps of shapes {sorted(shapes)}",
                remedy="give one row of z, t and own for each seed, in the same order",
            )

    def __len__(self) -> int:
        return len(self.seeds)

    def rows(self, **wanted: str) -> np.ndarray:
        """Return the positions of the seeds whose columns have the wanted values.

        Examples
        --------
        >>> seeds = pd.DataFrame({"seed": ["a", "b"], "group": ["deep", "superficial"]})
        >>> blank = np.zeros((2, 3))
        >>> MapSet(seeds, blank, blank, blank > 0, 5).rows(group="deep").tolist()
        [0]
        """
        keep = np.ones(len(self), dtype=bool)
        for column, value in wanted.items():
            keep &= self.seeds[column].to_numpy(object) == value
        return np.flatnonzero(keep)

    def take(self, rows: np.ndarray) -> "MapSet":
        """Return the maps at `rows`, in that order."""
        return MapSet(
            self.seeds.iloc[rows].reset_index(drop=True),
            self.z.take(rows, axis=0),
            self.t.take(rows, axis=0),
            self.own.take(rows, axis=0),
            self.n_subjects,
        )

    def at(self, places: np.ndarray) -> "MapSet":
        """Return the maps at some locations only, in memory."""
        z, t, own = (array[:][:, places] for array in (self.z, self.t, self.own))
        return MapSet(self.seeds, z, t, own, self.n_subjects)

    def usable(self, rows: int | slice) -> np.ndarray:
        """Return where maps can be compared, bool: signal, and not their own seed."""
        return np.isfinite(self.z[rows]) & ~self.own[rows]

    def with_values(self, z: Rows, t: Rows | None = None) -> "MapSet":
        """Return the same seeds with other values."""
        return MapSet(self.seeds, z, self.t if t is None else t, self.own, self.n_subjects)


def bonferroni_t(
    n_subjects: int, n_tests: int | np.ndarray, alpha: float = 0.05
) -> float | np.ndarray:
    """Return the t above which a location passes a two-sided whole-brain Bonferroni test.

    Parameters
    ----------
    n_subjects : int
        Subjects behind the t; df is one less.
    n_tests : int or ndarray of int
        Locations tested.
    alpha : float
        Family-wise error rate.

    Examples
    --------
    >>> f"{bonferroni_t(1000, 285_903):.2f}"
    '5.26'
    """
    return stats.t.isf(alpha / (2 * np.maximum(n_tests, 1)), n_subjects - 1)


def cut_networks(maps: MapSet, rule: str, share: float = 0.10) -> np.ndarray:
    """Cut one positive network from each map.

    Parameters
    ----------
    maps : MapSet
        K maps over P locations.
    rule : {"Bonferroni", "largest tenth"}
        ``Bonferroni``: t above the two-sided whole-brain Bonferroni threshold for the locations
        that have signal (the original group's rule, with this connectome's own threshold).
        ``largest tenth``: the `share` of locations with the largest mean z outside the seed, so
        that every network has the same size.
    share : float
        Used by ``largest tenth``.

    Returns
    -------
    ndarray, shape (K, P), bool
    """
    if rule not in RULES[:2]:
        raise InputError(f"no rule called {rule!r}", remedy=f"choose one of {', '.join(RULES[:2])}")
    networks = blank_like(maps.own)
    for rows in rows_of(maps.z.shape):
        if rule == "Bonferroni":
            known = np.isfinite(maps.z[rows])
            tests = known.sum(axis=1, keepdims=True)
            with np.errstate(invalid="ignore"):
                networks[rows] = (maps.t[rows] > bonferroni_t(maps.n_subjects, tests)) & known
        else:
            networks[rows] = _largest(maps.z[rows], maps.usable(rows), share)
    return networks


def _largest(values: np.ndarray, usable: np.ndarray, share: float) -> np.ndarray:
    """Mark the largest share of each row's usable values; of equal ones, those that stand first."""
    among = np.where(usable, values, -np.inf)
    size = np.maximum(1, np.rint(share * usable.sum(axis=1))).astype(int)
    place = values.shape[1] - size
    ordered = np.partition(among, np.unique(place), axis=1)
    last = np.take_along_axis(ordered, place[:, None], axis=1)
    above, tied = usable & (among > last), usable & (among == last)
    room = size[:, None] - above.sum(axis=1, keepdims=True)
    return above | (tied & (np.cumsum(tied, axis=1) <= room))


def rows_of(shape: tuple[int, int]) -> Iterator[slice]:
    """Yield rows, as many at a time as hold `ROWS_VALUES` values."""
    step = max(1, ROWS_VALUES // max(1, shape[1]))
    for start in range(0, shape[0], step):
        yield slice(start, min(start + step, shape[0]))


def blocks_of(n_locations: int) -> Iterator[slice]:
    """Yield the locations block by block."""
    for start in range(0, n_locations, BLOCK):
        yield slice(start, min(start + BLOCK, n_locations))


def dice_matrix(network: Rows, usable: Rows) -> np.ndarray:
    """Dice coefficient of every pair of networks over the locations usable in both.

    Parameters
    ----------
    network : ndarray or FileArray, shape (K, P), bool
        Networks.
    usable : ndarray or FileArray, shape (K, P), bool
        False inside a map's own seed and where it has no signal.

    Returns
    -------
    ndarray, shape (K, K), float64
        0 where both networks are empty: two maps that show nothing share nothing.
    """
    k = len(network)
    both, size = np.zeros((k, k)), np.zeros((k, k))
    for block in blocks_of(network.shape[1]):
        inside = (network[:, block] & usable[:, block]).astype(np.float32)
        both += inside @ inside.T
        size += inside @ usable[:, block].astype(np.float32).T
    total = size + size.T
    return np.divide(2 * both, total, out=np.zeros_like(both), where=total > 0)


def rank_correlation_matrix(values: Rows, usable: Rows) -> np.ndarray:
    """Rank correlation of every pair of maps over the locations usable in both.

    Ranks are taken once over all usable locations of a map (so that 1,000 maps cost one matrix
    product), then correlated over the locations usable in both maps of a pair.

    Parameters
    ----------
    values : ndarray or FileArray, shape (K, P), float64
        Maps.
    usable : ndarray or FileArray, shape (K, P), bool
        Locations to use of each map.

    Returns
    -------
    ndarray, shape (K, K), float64
        In [-1, 1]; NaN where fewer than three locations are shared or one map is constant there.
    """
    k = len(values)
    ranks = blank_like(values)
    for rows in rows_of(values.shape):
        mask = usable[rows]
        count = mask.sum(axis=1, keepdims=True)
        r = stats.rankdata(np.where(mask, values[rows], np.nan), axis=1, nan_policy="omit")
        ranks[rows] = np.where(mask, (r - (count + 1) / 2) / np.maximum(count, 1), 0)
    n, s, ss, sp = (np.zeros((k, k)) for _ in range(4))
    for block in blocks_of(values.shape[1]):
        counted = usable[:, block].astype(np.float32)
        n += (
            counted @ counted.T
        )  # exact: a block has fewer locations than float32 has whole numbers
        mask, x = counted.astype(float), ranks[:, block]
        s += x @ mask.T
        ss += (x * x) @ mask.T
        sp += x @ x.T
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = sp - s * s.T / n
        variance = ss - s * s / n
        matrix = covariance / np.sqrt(variance * variance.T)
    enough = (n >= 3) & (variance > 1e-12) & (variance.T > 1e-12)
    return np.clip(np.where(enough, matrix, np.nan), -1, 1)


def similarity(maps: MapSet, rule: str) -> np.ndarray:
    """Similarity of every pair of maps under one of `RULES`.

    Returns
    -------
    ndarray, shape (K, K), float64
        Dice for the two thresholded rules, rank correlation of mean z for ``continuous``.
    """
    usable = blank_like(maps.own)
    for rows in rows_of(maps.z.shape):
        usable[rows] = maps.usable(rows)
    if rule == "continuous":
        return rank_correlation_matrix(maps.z, usable)
    return dice_matrix(cut_networks(maps, rule), usable)


def conjunction(network: Rows, groups: np.ndarray, share: float = 0.5) -> pd.DataFrame:
    """Count, for every location, how many networks of each group hold it.

    Parameters
    ----------
    network : ndarray or FileArray, shape (K, P), bool
        Networks.
    groups : ndarray, shape (K,), str
        Group of each network.
    share : float
        A location is common when at least this share of the networks of *every* group hold it.

    Returns
    -------
    DataFrame, P rows
        One column a group with the share of its networks, and ``common``.
    """
    names = sorted(set(groups))
    table = pd.DataFrame({name: network[groups == name].mean(axis=0) for name in names})
    table["common"] = (table[names] >= share).all(axis=1)
    return table


def residual_maps(maps: MapSet, basis: np.ndarray) -> MapSet:
    """Regress maps of the connectome's own layout out of every map.

    Parameters
    ----------
    maps : MapSet
        K maps over P locations.
    basis : ndarray, shape (B, P), float64
        For example the degree map, or the first components of many random seeds' maps.

    Returns
    -------
    MapSet
        z is what least squares on an intercept and `basis` leaves over; t is scaled alike (the
        residual divided by each location's own standard error), so that the rules still apply.
    """
    z, t = blank_like(maps.z), blank_like(maps.t)
    complete = np.isfinite(basis).all(axis=0)
    for row in range(len(maps)):
        values, of_t = maps.z[row], maps.t[row]
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.where(of_t != 0, values / of_t, np.nan)
        mask = complete & np.isfinite(values)
        fit = mask & ~maps.own[row]
        design = np.column_stack([np.ones(mask.sum()), basis[:, mask].T])
        coefficients = np.linalg.lstsq(design[fit[mask]], values[fit], rcond=None)[0]
        left = np.full((2, len(values)), np.nan)
        left[0, mask] = values[mask] - design @ coefficients
        left[1, mask] = left[0, mask] / error[mask]
        z[row], t[row] = left
    return maps.with_values(z, t)


def layout_components(null_maps: MapSet, n_components: int = 1) -> np.ndarray:
    """Return the connectome's own layout, as random seeds see it.

    Parameters
    ----------
    null_maps : MapSet
        Maps of many random seeds.
    n_components : int
        1 gives the degree map alone (the mean map of all random seeds); B > 1 adds the first
        B - 1 principal components of their maps around that mean.

    Returns
    -------
    ndarray, shape (n_components, P), float64
        NaN where a location lacks signal in any map.
    """
    n_seeds, n_locations = null_maps.z.shape
    basis = np.full((n_components, n_locations), np.nan)
    likeness = np.zeros((n_seeds, n_seeds))
    for block in blocks_of(n_locations):
        z = null_maps.z[:, block]
        complete = np.isfinite(z).all(axis=0)
        basis[0, block][complete] = z[:, complete].mean(axis=0)
        if n_components > 1:
            centred = z[:, complete] - basis[0, block][complete]
            likeness += centred @ centred.T
    if n_components > 1:
        # the small side's eigenvectors: seeds by seeds, however many locations there are
        _, vectors = np.linalg.eigh(likeness)
        leading = vectors[:, ::-1][:, : n_components - 1].T
        for block in blocks_of(n_locations):
            complete = np.isfinite(basis[0, block])
            centred = null_maps.z[:, block][:, complete] - basis[0, block][complete]
            basis[1:, block][:, complete] = leading @ centred
        largest = np.nanargmax(np.abs(basis[1:]), axis=1)
        basis[1:] *= np.sign(basis[np.arange(1, n_components), largest])[:, None]
    return basis


def without_layout(maps: MapSet, layout: str) -> MapSet:
    """Return the maps with the connectome's own layout kept or regressed out.

    Parameters
    ----------
    maps : MapSet
        Targets and random seeds (group ``null``), from which the layout is estimated.
    layout : str
        A key of `LAYOUTS`.
    """
    components = LAYOUTS[layout]
    if components == 0:
        return maps
    basis = layout_components(maps.take(maps.rows(group="null")), components)
    return residual_maps(maps, basis)


def strongest_regions(maps: MapSet, names: Sequence[str], count: int = 5) -> pd.DataFrame:
    """List the locations that each target is most strongly connected with, outside its own seed.

    Parameters
    ----------
    maps : MapSet
        Maps of the targets.
    names : sequence of str
        Name of each location.
    count : int
        Locations for each target.

    Returns
    -------
    DataFrame
        ``seed``, ``label``, ``region``, ``mean_z``, ``low`` and ``high`` (95 % t interval over
        subjects), ``t``.
    """
    quantile = float(stats.t.isf(0.025, maps.n_subjects - 1))
    rows = []
    for row in range(len(maps)):
        usable, values, of_t = np.flatnonzero(maps.usable(row)), maps.z[row], maps.t[row]
        best = usable[np.argsort(-values[usable], kind="stable")[:count]]
        for place in best:
            z, t = values[place], of_t[place]
            error = abs(z / t) * quantile
            rows.append(
                {
                    "seed": maps.seeds["seed"].iloc[row],
                    "label": maps.seeds["label"].iloc[row],
                    "region": names[place],
                    "mean_z": z,
                    "low": z - error,
                    "high": z + error,
                    "t": t,
                }
            )
    return pd.DataFrame(rows)
