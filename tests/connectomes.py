"""Small connectomes that several test files share, and the plainest possible reference."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd

from compendium.connectome.model import Connectome, ParcelSpace, Subject, VoxelSpace
from compendium.connectome.seeds import Seed

SHAPE = (20, 15, 16)
AFFINE = nib.affines.from_matvec(np.diag([-4.0, 4.0, 4.0]), (28.0, -30.0, -32.0))


def voxel_space(n=4600):
    """Return the first `n` voxels of a small grid, in C order."""
    indices = np.argwhere(np.ones(SHAPE, bool))[:n].astype(np.int32)
    return VoxelSpace(SHAPE, AFFINE, indices, "MNI152NLin6Asym")


def parcel_space(n=12):
    labels = np.zeros((24, 24, 24), np.int32)
    values = np.arange(1, n + 1) * 10
    for number, value in enumerate(values):
        labels[2 * number : 2 * number + 2] = value
    table = pd.DataFrame({"value": values, "name": [f"parcel {number}" for number in range(n)]})
    return ParcelSpace(labels, nib.affines.from_matvec(np.eye(3) * 3.0), table, "MNI152NLin6Asym")


def made_once(simulated):
    """Return a simulated connectome whose subjects are already made, for many readings."""
    subjects = {subject.id: subject for subject in simulated.iter_subjects()}
    return replace(simulated, load_subject=subjects.__getitem__)


def make(space, n_subjects=6, volumes=(60, 40), seed=0, spoil=None, name="tiny", mixing=0.5):
    """Return a connectome of mixed noise whose raw scales differ by location and run.

    `spoil(subject_number, runs)` may damage the runs before they are handed out.
    """
    n = space.n_locations
    rng = np.random.default_rng([seed, 99])
    loadings = rng.standard_normal((3, n))
    scale = rng.uniform(1, 50, (len(volumes), n))
    offset = rng.uniform(-500, 5000, (len(volumes), n))

    def load(subject_id):
        number = int(subject_id.removeprefix("sub-"))
        own = np.random.default_rng([seed, number])
        runs = []
        for run, length in enumerate(volumes):
            shared = own.standard_normal((length, 3)) * own.uniform(0.3, 1.2, 3)
            series = mixing * shared @ loadings + own.standard_normal((length, n))
            runs.append((offset[run] + scale[run] * series).astype(np.float32))
        if spoil is not None:
            spoil(number, runs)
        return Subject(subject_id, tuple(runs), 2.0)

    return Connectome(
        name=name,
        space=space,
        subject_ids=tuple(f"sub-{number:02d}" for number in range(1, n_subjects + 1)),
        load_subject=load,
        provenance={"made": "for a test", "seed": seed},
        simulated=True,
    )


def some_seeds(space, n=3, size=7, seed=1):
    """Return `n` seeds of scattered, unequally weighted locations."""
    rng = np.random.default_rng(seed)
    seeds = []
    for number in range(n):
        locations = np.sort(rng.choice(space.n_locations, size, replace=False))
        weights = rng.uniform(0.2, 1, size)
        seeds.append(Seed(f"seed {number}", locations, weights / weights.sum(), 1.0))
    return seeds


def reference_z(connectome, seeds, rule="fisher-z"):
    """Return Fisher z (subjects, seeds, locations) in float64, the way it is defined."""
    everyone = []
    for subject in connectome.iter_subjects():
        values, weights = [], []
        for run in subject.runs:
            run = run.astype(np.float64)
            rows = [_correlations(run[:, seed.locations] @ seed.weights, run) for seed in seeds]
            r = np.clip(rows, -1 + 1e-6, 1 - 1e-6)
            values.append(np.arctanh(r) if rule == "fisher-z" else r)
            weights.append(len(run) - 3 if rule == "fisher-z" else 1)
        mean = np.average(values, axis=0, weights=weights)
        everyone.append(mean if rule == "fisher-z" else np.arctanh(mean))
    return np.array(everyone)


def _correlations(series, run):
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = run - run.mean(axis=0)
        product = (series - series.mean()) @ centred
        return product / np.sqrt((centred**2).sum(axis=0) * ((series - series.mean()) ** 2).sum())


def reference_t(z):
    return z.mean(axis=0) / (z.std(axis=0, ddof=1) / np.sqrt(len(z)))
