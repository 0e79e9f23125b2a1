"""A voxelwise connectome whose true correlations are known.

The data are generated, and say so: what they are for is to test the readers, the engine and the
null tests, and to show what a map of the hypothalamus or the periaqueductal grey *would* look
like. They are no evidence about any brain.

Every voxel's series is a mixture of latent network signals, one global signal and spatially
smooth noise. All three have known covariances, so the correlation of any seed with any voxel
can be written down (`SimulatedConnectome.truth`), with and without global-signal regression.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from compendium.connectome.model import Connectome, Subject, VoxelSpace
from compendium.connectome.simulated_brain import brain_space
from compendium.connectome.simulated_networks import LAYOUTS, PAIN_SITES, blobs, both_sides
from compendium.connectome.smooth_noise import SmoothNoise
from compendium.errors import InputError

__all__ = ["PRESETS", "SimulatedConnectome", "brain_space", "simulate_connectome"]

# To be raised with every change that changes a number: stores of older numbers stay apart.
VERSION = 2
# Sizes that are used over and over.
PRESETS: dict[str, dict[str, float]] = {
    "test": {"resolution": 8, "n_subjects": 6, "n_runs": 2, "n_volumes": 60},
    "book": {"resolution": 4, "n_subjects": 40, "n_runs": 2, "n_volumes": 120},
    "fine": {"resolution": 2, "n_subjects": 12, "n_runs": 2, "n_volumes": 120},
}


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
    def _noise(self) -> SmoothNoise:
        return SmoothNoise(self.space, self.smoothing)

    @cached_property
    def _voxel_variance(self) -> np.ndarray:
        loadings = self.loadings.astype(float)
        return np.einsum("vk,kl,vl->v", loadings, self.covariance, loadings) + self.noise_sd**2

    def _covariance_with_voxels(self, seeds: np.ndarray) -> np.ndarray:
        loadings = self.loadings.astype(float)
        shared = (seeds @ loadings) @ self.covariance @ loadings.T
        return shared + self.noise_sd**2 * self._noise.covariance(seeds)


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
    def _noise(self) -> SmoothNoise:
        return SmoothNoise(self.space, self.smoothing)

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
            run += np.float32(self.noise_sd) * self._noise.draw(rng, self.n_volumes)
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
        If the layout is unknown, a size is not positive, or an amount is negative.

    Examples
    --------
    >>> connectome = simulate_connectome(**PRESETS["test"])
    >>> connectome.n_subjects, connectome.simulated
    (6, True)
    >>> subject = connectome.load_subject("sim-001")
    >>> [run.shape == (60, connectome.space.n_locations) for run in subject.runs]
    [True, True]
    """
    sizes = (resolution, n_subjects, n_runs, n_volumes, repetition_time)
    if not all(0 < size < np.inf for size in sizes):
        raise InputError(
            "voxel size, subjects, runs, volumes and repetition time must be above zero"
        )
    amounts = (pain_network, global_signal, noise_sd, smoothing, gain_sd, seed)
    if not all(0 <= amount < np.inf for amount in amounts) or noise_sd == 0:
        raise InputError("loadings, smoothing, gain and seed are zero or above, the noise above")
    space = brain_space(float(resolution))
    if layout not in LAYOUTS:
        raise InputError(f"unknown layout {layout!r}", remedy=f"use one of {sorted(LAYOUTS)}")
    networks, covariance = LAYOUTS[layout](space, seed)
    columns = [blobs(space.coordinates, centres) for centres in networks.values()]
    names = list(networks)
    if pain_network:
        names.append("pain")
        columns.append(pain_network * blobs(space.coordinates, both_sides(PAIN_SITES)))
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
            "generator": VERSION,
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
