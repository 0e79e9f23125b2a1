"""Outside references for a pain network: published activation foci, and regions that are expected.

The reference map is a multilevel kernel density analysis computed here: the share of studies with a
focus near a location, beside what foci scattered over the same brain would give.
"""

import json
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial import cKDTree

from compendium.connectome.model import ParcelSpace, Space, VoxelSpace
from compendium.connectome.networks import MapSet, blocks_of
from compendium.connectome.nulls import MINIMUM_DRAWS, NullTest, draw_matched, matched_pools
from compendium.connectome.seeds import Sphere, place_seeds
from compendium.errors import InputError

REGION_MM = 5.0  # radius of a region that a target is expected to reach
KERNEL_MM = 10.0  # the usual radius of an MKDA sphere (Wager et al. 2007)


def read_foci(text: str | bytes, where: str) -> pd.DataFrame:
    """Read the coordinate part of a NiMARE-style dataset.

    Parameters
    ----------
    text : str or bytes
        JSON: study → contrasts → coords {space, x, y, z}.
    where : str
        What to call it in an error.

    Returns
    -------
    DataFrame
        ``study``, ``x``, ``y``, ``z`` (mm, MNI), one row a focus.

    Raises
    ------
    InputError
        If a contrast is not in MNI space or its three lists differ in length.
    """
    rows = []
    for study, content in sorted(json.loads(text).items()):
        for name, contrast in sorted(content["contrasts"].items()):
            coords = contrast["coords"]
            lengths = {len(coords[axis]) for axis in "xyz"}
            if coords["space"] != "MNI" or len(lengths) != 1:
                raise InputError(
                    f"space {coords['space']!r}, {sorted(lengths)} values an axis",
                    where=f"{where}, study {study}, contrast {name}",
                    remedy="foci must be complete and in MNI space",
                )
            rows.extend(
                {"study": study, "x": x, "y": y, "z": z}
                for x, y, z in zip(coords["x"], coords["y"], coords["z"], strict=True)
            )
    return pd.DataFrame(rows)


@lru_cache(maxsize=8)
def sampled_places(space: Space, step_mm: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """Return points that represent every location of a space.

    Parameters
    ----------
    space : VoxelSpace or ParcelSpace
        Voxels stand for themselves; a parcel is represented by its voxels on a coarser grid, and by
        its most central voxel where the grid misses it.
    step_mm : float
        Grid of the points of a parcel.

    Returns
    -------
    points : ndarray, shape (n_points, 3), float64
        Millimetres.
    location : ndarray, shape (n_points,), int64
        Column of the time series that each point belongs to.
    """
    if isinstance(space, VoxelSpace):
        return space.coordinates, np.arange(space.n_locations)
    size = np.abs(np.diag(space.affine)[:3])
    step = np.maximum(1, np.round(step_mm / np.where(size > 0, size, 1)).astype(int))
    points, location = [], []
    boxes = ndimage.find_objects(space.labels)
    for column, value in enumerate(space.table["value"].astype(int)):
        box = boxes[value - 1] if value <= len(boxes) else None
        if box is None:
            raise InputError(
                "the label image has no voxel of this parcel",
                where=str(space.table["name"].iloc[column]),
                remedy="give the label image that the time series were made with",
            )
        inside = np.argwhere(space.labels[box] == value) + [s.start for s in box]
        kept = inside[(inside % step == 0).all(axis=1)]
        if len(kept) == 0:
            kept = inside[[np.linalg.norm(inside - inside.mean(axis=0), axis=1).argmin()]]
        points.append(kept @ space.affine[:3, :3].T + space.affine[:3, 3])
        location.append(np.full(len(kept), column))
    return np.vstack(points), np.concatenate(location)


def study_coverage(foci: pd.DataFrame, space: Space, radius: float = KERNEL_MM) -> np.ndarray:
    """Share of each location that lies within `radius` of a focus, for each study.

    Returns
    -------
    ndarray, shape (n_studies, n_locations), float64
        For voxels 0 or 1; for parcels the share of their points.
    """
    tree, location, size = _search_tree(space)
    coverage = []
    for _, study in foci.groupby("study", sort=True):
        near = tree.query_ball_point(study[["x", "y", "z"]].to_numpy(), radius)
        touched = np.unique(np.concatenate([np.asarray(n, dtype=int) for n in near]))
        coverage.append(np.bincount(location[touched], minlength=space.n_locations) / size)
    return np.array(coverage)


@lru_cache(maxsize=8)
def _search_tree(space: Space) -> tuple[cKDTree, np.ndarray, np.ndarray]:
    """Return a tree of a space's points, the location of each, and how many each location has."""
    points, location = sampled_places(space)
    return cKDTree(points), location, np.bincount(location, minlength=space.n_locations)


def density_z(
    foci: pd.DataFrame,
    space: Space,
    *,
    radius: float = KERNEL_MM,
    n_draws: int = 200,
    seed: int = 20220121,
) -> pd.DataFrame:
    """MKDA density of each location, and how far it is above scattered foci.

    Parameters
    ----------
    foci : DataFrame
        ``study``, ``x``, ``y``, ``z`` (mm, MNI).
    space : VoxelSpace or ParcelSpace
        Where to evaluate.
    radius : float
        Kernel radius in mm.
    n_draws : int
        Random brains: every focus moved to a random place of the same space, studies kept.
    seed : int
        Seed of the random generator.

    Returns
    -------
    DataFrame, one row a location
        ``density`` (mean over studies of the covered share) and ``z`` (density minus its mean over
        the draws, in their standard deviations).
    """
    density = study_coverage(foci, space, radius).mean(axis=0)
    points, _ = sampled_places(space)
    random = np.random.default_rng(seed)
    total, squares = np.zeros(space.n_locations), np.zeros(space.n_locations)
    for _ in range(n_draws):
        moved = foci.copy()
        moved[["x", "y", "z"]] = points[random.integers(0, len(points), len(foci))]
        drawn = study_coverage(moved, space, radius).mean(axis=0)
        total += drawn
        squares += drawn**2
    mean = total / n_draws
    deviation = np.sqrt(np.maximum(squares / n_draws - mean**2, 0))
    z = np.divide(density - mean, deviation, out=np.zeros_like(density), where=deviation > 0)
    return pd.DataFrame({"density": density, "z": z})


def peak_map(peaks: pd.DataFrame, space: Space, radius: float = KERNEL_MM) -> np.ndarray:
    """Strength of the nearest published peaks at each location.

    Parameters
    ----------
    peaks : DataFrame
        ``x``, ``y``, ``z`` (mm) and ``z_assoc`` (association z of the peak).
    space : VoxelSpace or ParcelSpace
        Where to evaluate.
    radius : float
        Kernel radius in mm.

    Returns
    -------
    ndarray, shape (n_locations,), float64
        Largest `z_assoc` within `radius` of each point, averaged over the points of a location.
    """
    points, location = sampled_places(space)
    tree = cKDTree(points)
    best = np.zeros(len(points))
    for row, near in zip(
        peaks.itertuples(),
        tree.query_ball_point(peaks[["x", "y", "z"]].to_numpy(float), radius),
        strict=True,
    ):
        best[near] = np.maximum(best[near], float(row.z_assoc))
    size = np.bincount(location, minlength=space.n_locations)
    return np.bincount(location, weights=best, minlength=space.n_locations) / size


class CommonSums:
    """Likeness of common networks to a reference map, gathered block by block of locations.

    The common network of two groups of maps is, at each location, the weaker of the two group
    means. Blocks are joined as Chan, Golub and LeVeque (1979) join variances, so that the result is
    that of one pass over centred values.

    Parameters
    ----------
    n_pairs : int
        Pairs of groups looked at together.
    """

    def __init__(self, n_pairs: int) -> None:
        self._n = 0
        self._mean, self._squares, self._product = (np.zeros(n_pairs) for _ in range(3))
        self._pattern = 0.0

    def add(
        self, z: np.ndarray, first: np.ndarray, second: np.ndarray, pattern: np.ndarray
    ) -> None:
        """Add a block of locations.

        Parameters
        ----------
        z : ndarray, shape (K, B)
            All maps there.
        first, second : ndarray of int, shape (n_pairs, n)
            Rows of the two groups.
        pattern : ndarray, shape (B,)
            The reference, of mean 0 and length 1 over all blocks together.
        """
        if not z.shape[1]:
            return
        common = np.minimum(_mean_of_rows(z, first), _mean_of_rows(z, second))
        n, mean = z.shape[1], common.mean(axis=-1)
        common -= mean[:, None]
        together, apart = self._n + n, mean - self._mean
        grown = self._mean + apart * (n / together)
        self._product += common @ pattern + (mean - grown) * pattern.sum()
        self._product += (self._mean - grown) * self._pattern
        self._squares += (common * common).sum(axis=-1) + apart**2 * (self._n * n / together)
        self._n, self._mean = together, grown
        self._pattern += pattern.sum()

    def likeness(self) -> np.ndarray:
        """Return the Pearson correlation of each pair's common network with the reference."""
        return self._product / np.sqrt(self._squares)


def _mean_of_rows(z: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the mean of several rows of `z` for each row of `rows`, without gathering them all."""
    total = z[rows[:, 0]]
    for column in rows.T[1:]:
        total += z[column]
    return total / rows.shape[1]


def reference_null(
    maps: MapSet,
    reference: np.ndarray,
    *,
    n_draws: int = MINIMUM_DRAWS,
    seed: int = 20220121,
    name: str = "conjunction of matched random seeds",
) -> NullTest:
    """Is the common network of the targets more like `reference` than that of random seeds?

    Parameters
    ----------
    maps : MapSet
        Superficial and deep targets and random seeds (group ``null``).
    reference : ndarray, shape (P,)
        Reference map.
    n_draws, seed, name
        As in `compendium.connectome.nulls.location_null`.

    Returns
    -------
    NullTest
        Pearson correlation of the common network (see `CommonSums`) with the reference over
        locations with signal.
    """
    known = np.isfinite(reference)
    for block in blocks_of(len(reference)):
        known[block] &= np.isfinite(maps.z[:, block]).all(axis=0)
    target = np.zeros(len(reference))
    target[known] = reference[known] - reference[known].mean()
    target[known] /= np.linalg.norm(target[known])
    superficial, deep = maps.rows(group="superficial"), maps.rows(group="deep")
    draws = draw_matched(
        matched_pools(maps, np.concatenate([superficial, deep])),
        n_draws,
        np.random.default_rng(seed),
    )
    k = len(superficial)
    chunks = np.array_split(draws, max(1, n_draws // 100))
    sums = [CommonSums(len(draws)) for draws in ([superficial], *chunks)]
    for block in blocks_of(len(reference)):
        inside = known[block]
        z, pattern = maps.z[:, block][:, inside], target[block][inside]
        sums[0].add(z, superficial[None], deep[None], pattern)
        for chunk, of_chunk in zip(chunks, sums[1:], strict=True):
            of_chunk.add(z, chunk[:, :k], chunk[:, k:], pattern)
    null = np.concatenate([of_chunk.likeness() for of_chunk in sums[1:]])
    return NullTest(name, float(sums[0].likeness()[0]), null)


def check_expectations(
    expected: pd.DataFrame, maps: MapSet, space: Space, percentile: float = 75.0
) -> pd.DataFrame:
    """Hold the maps against what the literature says that each target reaches.

    Parameters
    ----------
    expected : DataFrame
        ``target`` (a seed of `maps`), ``region`` and its centre ``x``, ``y``, ``z`` (mm),
        ``expectation`` (``reaches`` or ``does not reach``), ``source``.
    maps : MapSet
        Maps of the targets.
    space : VoxelSpace or ParcelSpace
        Where the maps lie; a region is a sphere of `REGION_MM` placed in it like a seed.
    percentile : float
        A target reaches a region whose weighted mean z is positive and at or above this percentile
        of the map's own locations outside the seed.

    Returns
    -------
    DataFrame
        ``target``, ``region``, ``expectation``, ``mean_z``, ``percentile``, ``outcome`` (pass,
        fail, not represented) and ``source``.
    """
    names = maps.seeds["seed"].tolist()
    rows = []
    for item in expected.itertuples():
        row = {
            "target": item.target,
            "region": item.region,
            "expectation": item.expectation,
            "mean_z": np.nan,
            "percentile": np.nan,
            "outcome": "not represented",
            "source": item.source,
        }
        found = None
        if item.target in names:
            centre = (float(item.x), float(item.y), float(item.z))
            found = _reached(maps, names.index(item.target), centre, space)
        if found is not None:
            z, rank = found
            reaches = z > 0 and rank >= percentile
            passed = reaches == (item.expectation == "reaches")
            row |= {"mean_z": z, "percentile": rank, "outcome": "pass" if passed else "fail"}
        rows.append(row)
    return pd.DataFrame(rows)


def _reached(
    maps: MapSet, row: int, centre: tuple[float, float, float], space: Space
) -> tuple[float, float] | None:
    """Mean z of a region outside the seed, and its rank in the map; None where it has no place."""
    seeds, _ = place_seeds([Sphere("region", centre, REGION_MM)], space)
    if not seeds:
        return None
    usable, values = maps.usable(row), maps.z[row]
    weight = np.where(usable, seeds[0].dense(space), 0)
    if weight.sum() == 0:
        return None
    z = float(weight @ np.where(usable, values, 0) / weight.sum())
    return z, float((values[usable] <= z).mean() * 100)


def region_centres(space: ParcelSpace | VoxelSpace) -> np.ndarray:
    """Centre of each location in mm: voxel centres, or the mean of a parcel's points."""
    points, location = sampled_places(space)
    size = np.bincount(location, minlength=space.n_locations)
    return np.column_stack(
        [
            np.bincount(location, weights=points[:, axis], minlength=space.n_locations) / size
            for axis in range(3)
        ]
    )
