"""The ways that people map seeds today, each for one subject, one thread, all seeds.

Written from the published descriptions and examples of the tools; where a tool is not Python, its
steps are done in numpy in the order in which it does them.
"""

from collections.abc import Sequence

import numpy as np
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker
from scipy.io import loadmat

from benchmarks.connectome_data import Data
from compendium.connectome.seeds import Seed
from compendium.connectome.store import StoredSubject

CALLS = 5  # of "one call a seed" that are waited for


def nilearn_recipe(data: Data, subject: int, seeds: Sequence[Seed]) -> np.ndarray:
    """Follow nilearn's seed-to-voxel example: two maskers from the file, then a product."""
    z = []
    for run in range(data.sizes.runs):
        path = data.nifti(subject, run)
        spheres = NiftiSpheresMasker(
            [seed.centre for seed in seeds],
            radius=seeds[0].radius,
            mask_img=data.mask,
            allow_overlap=True,
            standardize="zscore_sample",
        )
        brain = NiftiMasker(mask_img=data.mask, standardize="zscore_sample")
        of_seeds, of_voxels = spheres.fit_transform(path), brain.fit_transform(path)
        # the example divides by T, which makes r too low by 1/T
        z.append(np.arctanh(np.dot(of_voxels.T, of_seeds) / (len(of_seeds) - 1)))
    return np.mean(z, axis=0).T


def nilearn_expert(data: Data, subject: int, seeds: Sequence[Seed]) -> np.ndarray:
    """Load each file once with one masker, and take the seeds from its array."""
    z = []
    for run in range(data.sizes.runs):
        masker = NiftiMasker(mask_img=data.mask, standardize=None)
        series = masker.fit_transform(data.nifti(subject, run))
        of_seeds = np.stack([series[:, seed.locations].mean(axis=1) for seed in seeds])
        of_seeds -= of_seeds.mean(axis=1, keepdims=True)
        of_seeds /= np.linalg.norm(of_seeds, axis=1, keepdims=True)
        series -= series.mean(axis=0)
        series /= np.linalg.norm(series, axis=0)
        z.append(np.arctanh(np.clip(of_seeds @ series, -1 + 1e-6, 1 - 1e-6)))
    return np.mean(z, axis=0)


def lead_dbs_like(data: Data, subject: int, seeds: Sequence[Seed]) -> np.ndarray:
    """All seeds in one call: each run is read once, and correlated anew for every seed and run."""
    runs = [
        np.asarray(loadmat(data.matlab(subject, run))["gmtc"], np.float32)
        for run in range(data.sizes.runs)
    ]
    z = np.empty((len(seeds), data.space.n_locations))
    for number, seed in enumerate(seeds):
        r = np.empty((len(runs), data.space.n_locations), np.float32)
        for run, gmtc in enumerate(runs):
            weighted = gmtc[seed.locations] * seed.weights[:, None].astype(np.float32)
            r[run] = _correlation(weighted.mean(axis=0), gmtc)
        z[number] = np.arctanh(np.clip(r.mean(axis=0), -1 + 1e-6, 1 - 1e-6))
    return z


def lead_dbs_call_by_call(data: Data, subject: int, seeds: Sequence[Seed]) -> np.ndarray:
    """One call a seed: the subject is read again for each. Only `CALLS` calls are made."""
    return np.vstack([lead_dbs_like(data, subject, [seed]) for seed in seeds[:CALLS]])


def _correlation(series: np.ndarray, gmtc: np.ndarray) -> np.ndarray:
    """Correlate one series with the rows of an array, as a general-purpose `corr` does."""
    columns = np.ascontiguousarray(gmtc.T)
    columns = columns - columns.mean(axis=0)
    columns = columns / np.sqrt((columns**2).sum(axis=0))
    series = series - series.mean()
    return (series / np.sqrt((series**2).sum())) @ columns


def einsum(data: Data, subject: int, seeds: Sequence[Seed]) -> np.ndarray:
    """Stream prepared arrays through einsum, which does not reach the matrix kernels."""
    weights = np.zeros((len(seeds), data.space.n_locations), np.float32)
    for number, seed in enumerate(seeds):
        weights[number, seed.locations] = seed.weights
    z = []
    for run in range(data.sizes.runs):
        series = np.load(data.plain(subject, run))
        of_seeds = np.stack([series[:, seed.locations].mean(axis=1) for seed in seeds])
        of_seeds -= of_seeds.mean(axis=1, keepdims=True)
        of_seeds /= np.linalg.norm(of_seeds, axis=1, keepdims=True)
        series -= series.mean(axis=0)
        series /= np.linalg.norm(series, axis=0)
        r = np.einsum("lt,tv->lv", of_seeds, series)
        z.append(np.arctanh(np.clip(r, -1 + 1e-6, 1 - 1e-6)))
    return np.mean(z, axis=0)


class Floor:
    """The least that any way must do: read a subject's bytes, and one matrix product.

    Parameters
    ----------
    subject : StoredSubject
        Of the store whose bytes are read.
    n_locations, n_seeds : int
        Shape of the product.
    """

    def __init__(self, subject: StoredSubject, n_locations: int, n_seeds: int) -> None:
        rows = subject.rows()
        self.bytes = np.empty(rows.nbytes, np.uint8)
        rng = np.random.default_rng(0)
        # written to, so that the pages are there
        self.left = rng.standard_normal((n_locations, subject.n_columns), np.float32)
        self.right = rng.standard_normal((subject.n_columns, n_seeds), np.float32)
        self.out = np.empty((n_locations, n_seeds), np.float32)

    def read(self, subject: StoredSubject) -> None:
        """Read a subject's bytes into memory."""
        with subject.path.open("rb", buffering=0) as stream:
            stream.seek(-self.bytes.nbytes, 2)
            view = memoryview(self.bytes)
            while view:
                view = view[stream.readinto(view) :]

    def multiply(self) -> None:
        """Do one sgemm of the shape of a subject's map."""
        np.matmul(self.left, self.right, out=self.out)
