"""Spatially smooth noise whose covariance is known to rounding."""

import numpy as np

from compendium.connectome.model import VoxelSpace

REACH = 6.0  # SDs; what lies beyond is below single precision


class SmoothNoise:
    """Spatially smooth noise of unit variance at every voxel, and its covariance.

    White noise on the grid is convolved with a Gaussian along each axis and divided by the SD
    that leaves at each voxel, so that its covariance is known to rounding. It is only drawn for
    places of the grid that some voxel's Gaussian reaches.
    """

    def __init__(self, space: VoxelSpace, fwhm: float) -> None:
        self.shape = space.shape
        self.columns = np.ravel_multi_index(space.indices.T, space.shape)
        sizes = np.linalg.norm(space.affine[:3, :3], axis=0)
        self.kernels = [
            _gaussian_matrix(count, fwhm / 2.3548 / size)
            for count, size in zip(space.shape, sizes, strict=True)
        ]
        touched = np.zeros(space.shape)
        touched.flat[self.columns] = 1
        x, y, z = (kernel != 0 for kernel in self.kernels)
        touched = np.einsum("ijk,ai,bj,ck->abc", touched, x, y, z, optimize=True)
        self.reached = np.flatnonzero(touched)
        spread = [np.sqrt((kernel**2).sum(axis=1)) for kernel in self.kernels]
        self.sd = np.einsum("i,j,k->ijk", *spread).ravel()[self.columns]

    def draw(self, rng: np.random.Generator, n_volumes: int) -> np.ndarray:
        """Return noise of shape (n_volumes, n_locations), float32."""
        noise = np.empty((n_volumes, len(self.columns)), np.float32)
        sd = self.sd.astype(np.float32)
        for start in range(0, n_volumes, 16):
            stop = min(start + 16, n_volumes)
            white = np.zeros((stop - start, int(np.prod(self.shape))), np.float32)
            white[:, self.reached] = rng.standard_normal(
                (stop - start, len(self.reached)), np.float32
            )
            white = white.reshape(-1, *self.shape)
            noise[start:stop] = self._convolve(white, np.float32)[:, self.columns] / sd
        return noise

    def covariance(self, seeds: np.ndarray) -> np.ndarray:
        """Return the noise's covariance of each seed with each voxel, (n_seeds, n_locations)."""
        result = np.empty(seeds.shape)
        for row, seed in enumerate(seeds):
            grid = np.zeros(int(np.prod(self.shape)))
            grid[self.columns] = seed / self.sd
            once = self._convolve(grid.reshape(1, *self.shape), np.float64)
            twice = self._convolve(once.reshape(1, *self.shape), np.float64)
            result[row] = twice[0, self.columns] / self.sd
        return result

    def _convolve(self, volumes: np.ndarray, dtype: type) -> np.ndarray:
        x, y, z = (kernel.astype(dtype) for kernel in self.kernels)
        volumes = volumes @ z
        volumes = y @ volumes
        volumes = x @ volumes.reshape(len(volumes), self.shape[0], -1)
        return volumes.reshape(len(volumes), -1)


def _gaussian_matrix(count: int, sd: float) -> np.ndarray:
    """Return a symmetric convolution with a Gaussian as a matrix (identity for no width)."""
    if sd <= 0:
        return np.eye(count)
    distance = np.subtract.outer(np.arange(count), np.arange(count))
    return cut_gaussian((distance / sd) ** 2)


def cut_gaussian(squared: np.ndarray) -> np.ndarray:
    """Return a Gaussian of squared distances, in SDs, that is zero from `REACH` on.

    Without the cut its far ends are subnormal numbers, which a processor multiplies some fifty
    times as slowly as others.
    """
    return np.where(squared < REACH**2, np.exp(-0.5 * squared), 0.0)
