"""A voxelwise connectome whose true correlations are known.

The data are generated, and say so: what they are for is to test the readers, the engine and the
null tests, and to show what a map of the hypothalamus or the periaqueductal grey *would* look
like. They are no evidence about any brain.

Every voxel's series is a mixture of latent network signals, one global signal and spatially
smooth noise. All three have known covariances, so the correlation of any seed with any voxel
can be written down (`SimulatedConnectome.truth`), with and without global-signal regression.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import nibabel as nib
import numpy as np
import scipy.sparse as sp

from compendium.connectome.model import Connectome, Subject, VoxelSpace
from compendium.errors import InputError

TEMPLATE = "MNI152NLin2009aSym"
MINIMUM_FILLED = 0.5  # share of a voxel that must lie in the 1 mm mask

# Boxes in mm (x, y, z: low, high) that the grey-matter template leaves out or thins out. They
# are drawn by hand around the structures, not taken from an atlas, so that the simulation needs
# no anatomy package.
DEEP_BOXES: dict[str, tuple[tuple[int, int], tuple[int, int], tuple[int, int]]] = {
    "midbrain": ((-14, 14), (-36, -14), (-20, -4)),
    "pons": ((-16, 16), (-40, -18), (-42, -20)),
    "medulla": ((-9, 9), (-50, -36), (-60, -42)),
    "hypothalamus": ((-9, 9), (-14, 4), (-16, -3)),
    "thalamus": ((-22, 22), (-32, -2), (-4, 15)),
    "left basal ganglia": ((-32, -6), (-16, 18), (-12, 14)),
    "right basal ganglia": ((6, 32), (-16, 18), (-12, 14)),
}

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

# Sizes that are used over and over.
PRESETS: dict[str, dict[str, float]] = {
    "test": {"resolution": 8, "n_subjects": 6, "n_runs": 2, "n_volumes": 60},
    "book": {"resolution": 4, "n_subjects": 20, "n_runs": 2, "n_volumes": 120},
    "fine": {"resolution": 2, "n_subjects": 12, "n_runs": 2, "n_volumes": 120},
}


@lru_cache(maxsize=4)
def brain_space(resolution: float) -> VoxelSpace:
    """Return grey matter of the MNI152 template with deep structures, at any voxel size.

    Parameters
    ----------
    resolution : float
        Edge of a voxel, mm.

    Returns
    -------
    VoxelSpace
        Voxels of which at least half lies in nilearn's packaged ICBM152 2009a symmetric
        grey-matter mask or, inside the brain, in one of `DEEP_BOXES`.
    """
    fine, affine = _fine_mask()
    millimetres = fine @ affine[:3, :3].T + affine[:3, 3]
    origin = affine[:3, 3]
    cells = np.floor((millimetres - origin) / resolution + 0.5).astype(int)
    shape = tuple(int(size) for size in cells.max(axis=0) + 2)
    counts = np.bincount(np.ravel_multi_index(cells.T, shape), minlength=int(np.prod(shape)))
    full = resolution**3 / abs(np.linalg.det(affine[:3, :3]))
    mask = (counts / full >= MINIMUM_FILLED).reshape(shape)
    return VoxelSpace(
        shape=shape,
        affine=nib.affines.from_matvec(np.eye(3) * resolution, origin),
        indices=np.argwhere(mask).astype(np.int32),
        template=TEMPLATE,
    )


@lru_cache(maxsize=1)
def _fine_mask() -> tuple[np.ndarray, np.ndarray]:
    """Return the voxel indices of the 1 mm mask, shape (n, 3), and its affine."""
    from nilearn.datasets import load_mni152_brain_mask, load_mni152_gm_mask

    grey = load_mni152_gm_mask(resolution=1)
    brain = load_mni152_brain_mask(resolution=1)
    axes = [
        scale * np.arange(size) + start
        for scale, size, start in zip(
            np.diag(grey.affine)[:3], grey.shape, grey.affine[:3, 3], strict=True
        )
    ]
    deep = np.zeros(grey.shape, bool)
    for box in DEEP_BOXES.values():
        inside = [
            (low <= axis) & (axis <= high) for axis, (low, high) in zip(axes, box, strict=True)
        ]
        deep |= inside[0][:, None, None] & inside[1][:, None] & inside[2]
    mask = ((np.asarray(grey.dataobj) > 0) | deep) & (np.asarray(brain.dataobj) > 0)
    return np.argwhere(mask), np.asarray(grey.affine, float)


@dataclass(frozen=True)
class SimulatedConnectome(Connectome):
    """A `Connectome` that also knows its true correlations.

    Attributes
    ----------
    loadings : ndarray, shape (n_locations, n_signals), float32
        How much of each latent signal a voxel carries; the last column is the global signal.
    covariance : ndarray, shape (n_signals, n_signals), float64
        Covariance of the latent signals.
    signal_names : tuple of str
        Names of the latent signals.
    noise_sd : float
        SD of the noise, in units of a network's loading at its centre.
    smoothing : float
        Full width at half maximum of the noise's spatial kernel, mm.
    """

    loadings: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    covariance: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    signal_names: tuple[str, ...] = ()
    noise_sd: float = 1.0
    smoothing: float = 6.0

    def truth(self, weights: np.ndarray, regress_global: bool = False) -> np.ndarray:
        """Return the correlation of each seed with each voxel that endless data would show.

        Parameters
        ----------
        weights : ndarray or sparse array, shape (n_locations,) or (n_seeds, n_locations)
            Weight of each voxel in the seed's mean series.
        regress_global : bool
            Whether the mean series of all voxels is regressed out first.

        Returns
        -------
        ndarray, shape of `weights`, float64
            Pearson correlations of a subject with the population's mean loadings.
        """
        dense = weights.toarray() if sp.issparse(weights) else np.asarray(weights, float)
        seeds = np.atleast_2d(dense).astype(float)
        with_voxels = self._covariance_with_voxels(seeds)
        of_seeds = np.einsum("sv,sv->s", with_voxels, seeds)
        of_voxels = self._voxel_variance
        if regress_global:
            mean = np.full((1, self.space.n_locations), 1 / self.space.n_locations)
            with_mean = self._covariance_with_voxels(mean)
            variance = float((with_mean @ mean.T).item())
            seeds_with_mean = seeds @ with_mean[0]
            with_voxels = with_voxels - np.outer(seeds_with_mean, with_mean[0]) / variance
            of_seeds = of_seeds - seeds_with_mean**2 / variance
            of_voxels = of_voxels - with_mean[0] ** 2 / variance
        r = with_voxels / np.sqrt(np.outer(of_seeds, of_voxels))
        return r.reshape(dense.shape)

    @cached_property
    def _smoother(self) -> "_Smoother":
        return _Smoother(self.space, self.smoothing)

    @cached_property
    def _voxel_variance(self) -> np.ndarray:
        loadings = self.loadings.astype(float)
        return np.einsum("vk,kl,vl->v", loadings, self.covariance, loadings) + self.noise_sd**2

    def _covariance_with_voxels(self, seeds: np.ndarray) -> np.ndarray:
        loadings = self.loadings.astype(float)
        shared = (seeds @ loadings) @ self.covariance @ loadings.T
        return shared + self.noise_sd**2 * self._smoother.covariance(seeds)


class _Smoother:
    """Spatially smooth noise of unit variance at every voxel, and its covariance.

    White noise on the whole grid is convolved with a Gaussian along each axis and divided by
    the SD that leaves at each voxel, so that its covariance is known to rounding.
    """

    def __init__(self, space: VoxelSpace, fwhm: float) -> None:
        self.shape = space.shape
        self.columns = np.ravel_multi_index(space.indices.T, space.shape)
        sizes = np.linalg.norm(space.affine[:3, :3], axis=0)
        self.kernels = [
            _gaussian_matrix(count, fwhm / 2.3548 / size)
            for count, size in zip(space.shape, sizes, strict=True)
        ]
        spread = [np.sqrt((kernel**2).sum(axis=1)) for kernel in self.kernels]
        self.sd = np.einsum("i,j,k->ijk", *spread).ravel()[self.columns]

    def draw(self, rng: np.random.Generator, n_volumes: int) -> np.ndarray:
        """Return noise of shape (n_volumes, n_locations), float32."""
        noise = np.empty((n_volumes, len(self.columns)), np.float32)
        sd = self.sd.astype(np.float32)
        for start in range(0, n_volumes, 16):
            stop = min(start + 16, n_volumes)
            white = rng.standard_normal((stop - start, *self.shape), np.float32)
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
    return np.exp(-0.5 * (distance / sd) ** 2)


@dataclass(frozen=True)
class _Generator:
    """Makes one subject; plain data and a method, so that it can be sent to a worker."""

    space: VoxelSpace
    subject_ids: tuple[str, ...]
    loadings: np.ndarray
    covariance: np.ndarray
    noise_sd: float
    smoothing: float
    n_runs: int
    n_volumes: int
    repetition_time: float
    gain_sd: float
    seed: int

    @cached_property
    def _smoother(self) -> _Smoother:
        return _Smoother(self.space, self.smoothing)

    def __call__(self, subject_id: str) -> Subject:
        if subject_id not in self.subject_ids:
            raise InputError(
                "the simulated connectome has no such subject",
                where=subject_id,
                remedy=f"its subjects are {self.subject_ids[0]} to {self.subject_ids[-1]}",
            )
        rng = np.random.default_rng([self.seed, self.subject_ids.index(subject_id)])
        n_signals = len(self.covariance)
        gains = np.clip(1 + self.gain_sd * rng.standard_normal(n_signals), 0.1, None)
        root = np.linalg.cholesky(self.covariance)
        runs = []
        for _ in range(self.n_runs):
            latent = rng.standard_normal((self.n_volumes, n_signals)) @ root.T * gains
            run = latent.astype(np.float32) @ self.loadings.T
            run += np.float32(self.noise_sd) * self._smoother.draw(rng, self.n_volumes)
            runs.append(run)
        return Subject(subject_id, tuple(runs), self.repetition_time)


def simulate_connectome(
    name: str = "simulated",
    *,
    resolution: float = 4.0,
    n_subjects: int = 20,
    n_runs: int = 2,
    n_volumes: int = 120,
    repetition_time: float = 2.0,
    layout: str = "resting",
    pain_network: float = 0.0,
    global_signal: float = 0.5,
    noise_sd: float = 1.0,
    smoothing: float = 6.0,
    gain_sd: float = 0.25,
    seed: int = 2022,
) -> SimulatedConnectome:
    """Return a simulated voxelwise connectome; subjects are made when they are asked for.

    Parameters
    ----------
    name : str
        What the maps will be called after.
    resolution : float
        Edge of a voxel, mm.
    n_subjects, n_runs, n_volumes : int
        Size.
    repetition_time : float
        Seconds between volumes. The latent signals are white in time.
    layout : {"resting", "random", "none"}
        Where the networks lie: at textbook places of resting-state networks; at places drawn at
        random in the brain and mutually uncorrelated, so that no target is more special than a
        random seed (for false-positive rates); or nowhere.
    pain_network : float
        Loading, relative to the other networks' 1, of one more network that joins superficial
        and deep analgesic sites (`PAIN_SITES`). 0: there is no common pain network.
    global_signal : float
        Loading of a signal that every voxel shares.
    noise_sd : float
        SD of the noise.
    smoothing : float
        Full width at half maximum of the noise's spatial kernel, mm; 0 for independent voxels.
    gain_sd : float
        SD over subjects of each signal's gain around 1.
    seed : int
        Everything random follows from it, and a subject from it and the subject's number alone.

    Returns
    -------
    SimulatedConnectome
        With ``simulated=True``.

    Raises
    ------
    InputError
        If the layout is unknown or a size is not positive.

    Examples
    --------
    >>> connectome = simulate_connectome(**PRESETS["test"])
    >>> connectome.n_subjects, connectome.simulated
    (6, True)
    >>> subject = connectome.load_subject("sim-001")
    >>> [run.shape == (60, connectome.space.n_locations) for run in subject.runs]
    [True, True]
    """
    if min(resolution, n_subjects, n_runs, n_volumes) <= 0:
        raise InputError("voxel size, subjects, runs and volumes must be above zero")
    space = brain_space(float(resolution))
    if layout not in _LAYOUTS:
        raise InputError(f"unknown layout {layout!r}", remedy=f"use one of {sorted(_LAYOUTS)}")
    networks, covariance = _LAYOUTS[layout](space, seed)
    columns = [_blobs(space.coordinates, centres) for centres in networks.values()]
    names = list(networks)
    if pain_network:
        names.append("pain")
        columns.append(pain_network * _blobs(space.coordinates, _both_sides(PAIN_SITES)))
    names.append("global")
    columns.append(np.full(space.n_locations, float(global_signal)))
    full = np.eye(len(names))
    full[: len(covariance), : len(covariance)] = covariance
    loadings = np.column_stack(columns).astype(np.float32)
    subject_ids = tuple(f"sim-{number:03d}" for number in range(1, n_subjects + 1))
    return SimulatedConnectome(
        name=name,
        space=space,
        subject_ids=subject_ids,
        load_subject=_Generator(
            space=space,
            subject_ids=subject_ids,
            loadings=loadings,
            covariance=full,
            noise_sd=noise_sd,
            smoothing=smoothing,
            n_runs=n_runs,
            n_volumes=n_volumes,
            repetition_time=repetition_time,
            gain_sd=gain_sd,
            seed=seed,
        ),
        provenance={
            "source": "generated by compendium.connectome.simulate; no evidential value",
            "licence": "MIT, like the code that generates it",
            "layout": layout,
            "pain_network": pain_network,
            "global_signal": global_signal,
            "noise_sd": noise_sd,
            "smoothing_mm": smoothing,
            "gain_sd": gain_sd,
            "resolution_mm": resolution,
            "n_runs": n_runs,
            "n_volumes": n_volumes,
            "repetition_time": repetition_time,
            "seed": seed,
            "anatomy": "grey matter of nilearn's ICBM152 2009a symmetric template; brainstem, "
            "hypothalamus, thalamus and basal ganglia as boxes drawn by hand",
        },
        simulated=True,
        loadings=loadings,
        covariance=full,
        signal_names=tuple(names),
        noise_sd=noise_sd,
        smoothing=smoothing,
    )


Layout = tuple[dict[str, np.ndarray], np.ndarray]


def _resting_layout(space: VoxelSpace, seed: int) -> Layout:
    names = list(RESTING_NETWORKS)
    covariance = np.eye(len(names))
    for (one, other), r in RESTING_CORRELATIONS.items():
        i, j = names.index(one), names.index(other)
        covariance[i, j] = covariance[j, i] = r
    return {name: _both_sides(RESTING_NETWORKS[name]) for name in names}, covariance


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


_LAYOUTS: dict[str, Callable[[VoxelSpace, int], Layout]] = {
    "resting": _resting_layout,
    "random": _random_layout,
    "none": _no_layout,
}


def _both_sides(centres: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    """Return the centres and their mirror images, shape (n, 3)."""
    return np.array([(side * x, y, z) for x, y, z in centres for side in ((1, -1) if x else (1,))])


def _blobs(coordinates: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return a loading per voxel that is 1 at each centre and falls off as a Gaussian."""
    loading = np.zeros(len(coordinates))
    for centre in centres:
        squared = ((coordinates - centre) ** 2).sum(axis=1)
        np.maximum(loading, np.exp(-0.5 * squared / BLOB_SD**2), out=loading)
    return loading
