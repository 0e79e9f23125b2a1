"""Points in millimetres, and the voxel or parcel that holds each."""

import math
from collections.abc import Iterator
from functools import lru_cache

import nibabel as nib
import numpy as np

from compendium.connectome.model import Space, VoxelSpace

LATTICE = 24  # points across a sphere, at least
SLAB = 2**18  # of them in memory at a time


def sphere_slabs(radius: float, space: Space) -> Iterator[np.ndarray]:
    """Yield, slab by slab, a lattice of equal cells that fills a sphere around the origin.

    A voxel's edge holds at least two points, or a large sphere would have holes.

    Parameters
    ----------
    radius : float
        mm.
    space : VoxelSpace or ParcelSpace
        Whose voxels are to be filled.

    Yields
    ------
    ndarray, shape (n, 3)
        mm.
    """
    spacing = nib.affines.voxel_sizes(space.affine).min() / 2
    # rounded, for an affine of single precision has voxels of 1.9999999 mm
    across = max(LATTICE, math.ceil(round(2 * radius / spacing, 3)))
    axis = (np.arange(across) + 0.5) / across * 2 * radius - radius
    thickness = max(1, SLAB // across**2)
    for start in range(0, across, thickness):
        slab = np.meshgrid(axis[start : start + thickness], axis, axis, indexing="ij")
        points = np.stack(slab, axis=-1).reshape(-1, 3)
        yield points[np.linalg.norm(points, axis=1) <= radius]


class Locator:
    """Finds the column of the time series that holds a point; -1 where none does."""

    def __init__(self, space: Space) -> None:
        self.inverse = np.linalg.inv(space.affine)
        if isinstance(space, VoxelSpace):
            self.grid = np.full(space.shape, -1, np.int32)
            self.grid[tuple(space.indices.T)] = np.arange(space.n_locations, dtype=np.int32)
        else:
            values = space.table["value"].to_numpy(int)
            columns = np.full(max(int(space.labels.max()), int(values.max())) + 1, -1, np.int32)
            columns[values] = np.arange(len(values))
            columns[0] = -1
            self.grid = columns[space.labels]

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the column of each point; points of shape (..., 3) give shape (...)."""
        voxels = np.floor(nib.affines.apply_affine(self.inverse, points) + 0.5).astype(int)
        inside = ((voxels >= 0) & (voxels < self.grid.shape)).all(axis=-1)
        voxels[~inside] = 0
        return np.where(inside, self.grid[tuple(np.moveaxis(voxels, -1, 0))], -1)


@lru_cache(maxsize=8)
def locator_of(space: Space) -> Locator:
    """Return the locator of a space, made once."""
    return Locator(space)


def weigh_points(columns: np.ndarray, mass: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return locations, weights and coverage of a cloud of points whose masses sum to 1."""
    held = columns >= 0
    locations, inverse = np.unique(columns[held], return_inverse=True)
    total = np.bincount(inverse, weights=mass[held], minlength=len(locations))
    coverage = float(min(total.sum(), 1.0))
    weights = total / total.sum() if len(total) else total
    return locations.astype(np.int64), weights, coverage
