"""Where the simulated connectome's networks lie, and how their signals are correlated."""

from collections.abc import Callable

import numpy as np

from compendium.connectome.model import VoxelSpace
from compendium.connectome.smooth_noise import cut_gaussian

# Network → centres in mm. A pair of centres stands for each x other than 0. The places are
# textbook ones, rounded: a caricature of resting-state networks that is good enough to test on.
RESTING_NETWORKS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "somatomotor": (
        (37, -21, 58), (9, -30, 72), (56, -5, 28), (5, -7, 52), (17, -21, 3), (28, -8, 2),
        (18, -52, -24),
    ),
    "salience": ((36, 18, 2), (4, 12, 36), (39, -8, 8), (58, -30, 26), (7, -17, 6)),
    "default": ((4, 50, 10), (4, -54, 28), (46, -66, 34), (24, -20, -18)),
    "frontoparietal": ((41, 36, 33), (46, -48, 48), (13, 10, 10), (30, -68, -32)),
    "limbic": ((10, 11, -8), (24, 32, -14), (4, 24, -8), (22, -4, -18)),
    "descending": ((4, -27, -13), (3, -12, -9), (4, 36, 14)),
    "visual": ((8, -88, 3), (26, -97, 12), (44, -70, -4)),
    "auditory": ((52, -20, 8), (14, -25, -6)),
}  # fmt: skip

# Correlations of the latent signals that are not zero.
RESTING_CORRELATIONS: dict[tuple[str, str], float] = {
    ("somatomotor", "salience"): 0.3,
    ("somatomotor", "auditory"): 0.3,
    ("salience", "descending"): 0.35,
    ("salience", "frontoparietal"): 0.15,
    ("default", "frontoparietal"): -0.2,
    ("default", "limbic"): 0.25,
    ("limbic", "descending"): 0.4,
    ("visual", "auditory"): 0.2,
}

# What a common pain network would join: superficial and deep analgesic sites.
PAIN_SITES: tuple[tuple[int, int, int], ...] = (
    (37, -21, 58), (9, -30, 72), (41, 36, 33), (50, -22, 18), (39, -10, 10), (4, 8, 35),
    (17, -22, 2), (11, -20, 2), (10, 12, -7), (4, -26, -14), (2, -15, -8),
)  # fmt: skip

BLOB_SD = 9.0  # mm; SD of the Gaussian that a network's loading falls off with
RANDOM_NETWORKS, RANDOM_CENTRES = 10, 8  # networks drawn at random, and centres of each

Layout = tuple[dict[str, np.ndarray], np.ndarray]


def _resting_layout(space: VoxelSpace, seed: int) -> Layout:
    names = list(RESTING_NETWORKS)
    covariance = np.eye(len(names))
    for (one, other), r in RESTING_CORRELATIONS.items():
        i, j = names.index(one), names.index(other)
        covariance[i, j] = covariance[j, i] = r
    return {name: both_sides(RESTING_NETWORKS[name]) for name in names}, covariance


def _random_layout(space: VoxelSpace, seed: int) -> Layout:
    # a stream of its own: the subjects' streams are (seed, number)
    rng = np.random.default_rng([seed, 0, 0])
    places = rng.integers(space.n_locations, size=(RANDOM_NETWORKS, RANDOM_CENTRES))
    networks = {
        f"network {number}": space.coordinates[row] for number, row in enumerate(places, start=1)
    }
    return networks, np.eye(RANDOM_NETWORKS)


def _no_layout(space: VoxelSpace, seed: int) -> Layout:
    return {}, np.zeros((0, 0))


LAYOUTS: dict[str, Callable[[VoxelSpace, int], Layout]] = {
    "resting": _resting_layout,
    "random": _random_layout,
    "none": _no_layout,
}


def both_sides(centres: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    """Return the centres and their mirror images, shape (n, 3)."""
    return np.array([(side * x, y, z) for x, y, z in centres for side in ((1, -1) if x else (1,))])


def blobs(coordinates: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return a loading per voxel that is 1 at each centre and falls off as a Gaussian."""
    loading = np.zeros(len(coordinates))
    for centre in centres:
        squared = ((coordinates - centre) ** 2).sum(axis=1)
        np.maximum(loading, cut_gaussian(squared / BLOB_SD**2), out=loading)
    return loading
