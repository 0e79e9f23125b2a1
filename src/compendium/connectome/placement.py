"""Points in millimetres, and the voxel or parcel that holds each."""

from functools import lru_cache

import nibabel as nib
import numpy as np

from compendium.connectome.model import Space, VoxelSpace

LATTICE = 24  # points across a sphere


def sphere_points(radius: float) -> np.ndarray:
    """Return a lattice of equal cells that fills a sphere around the origin, shape (n, 3), mm."""
    axis = (np.arange(LATTICE) + 0.5) / LATTICE * 2 * radius - radius
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    return points[np.linalg.norm(points, axis=1) <= radius]


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
