"""Data as large as a real connectome, generated: timings are realistic, maps mean nothing."""

import os
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nibabel as nib
import numpy as np
from nilearn.datasets import load_mni152_brain_mask
from nilearn.image import resample_img
from scipy.io import savemat

from compendium.connectome.model import Connectome, Subject, VoxelSpace
from compendium.connectome.prepare import Options, prepare
from compendium.connectome.seeds import Seed
from compendium.connectome.store import Store, open_store
from compendium.connectome.writing import digest_of, write_json

GRID = (91, 109, 91)  # of FSL's 2 mm template
AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
MODES = 40  # signals that all voxels mix
RADIUS = 5.0  # mm


@dataclass(frozen=True)
class Sizes:
    """How large everything is.

    Attributes
    ----------
    subjects, runs, volumes, seeds : int
        Of the connectome.
    rounds : int
        Paired rounds; as many subjects are written in the peers' formats.
    coarse : bool
        A grid of 6 mm instead of 2 mm, to try the benchmark itself.
    """

    subjects: int = 12
    runs: int = 2
    volumes: int = 120
    seeds: int = 20
    rounds: int = 5
    coarse: bool = False


class Data:
    """Everything on disk that the ways read.

    Parameters
    ----------
    folder : Path
        Filled, and left to the caller to remove.
    sizes : Sizes
        How large.
    """

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        self.folder = folder
        self.sizes = sizes
        folder.mkdir(parents=True, exist_ok=True)

    @cached_property
    def mask(self) -> nib.Nifti1Image:
        """The MNI152 brain on the grid."""
        brain = load_mni152_brain_mask(resolution=2)
        affine, shape = AFFINE.copy(), GRID
        if self.sizes.coarse:
            affine[:3, :3] *= 3
            shape = (31, 37, 31)
        data = resample_img(
            brain,
            affine,
            shape,
            interpolation="nearest",
            force_resample=True,
            copy_header=True,
        ).get_fdata()
        return nib.Nifti1Image((data > 0).astype(np.uint8), affine)

    @cached_property
    def space(self) -> VoxelSpace:
        """The voxels of the mask, in C order."""
        indices = np.argwhere(np.asarray(self.mask.dataobj) > 0).astype(np.int32)
        return VoxelSpace(self.mask.shape, self.mask.affine, indices, "MNI152NLin6Asym")

    @cached_property
    def loadings(self) -> np.ndarray:
        """How much of each signal a voxel carries, smooth over the brain, (modes, voxels)."""
        rng = np.random.default_rng(1)
        waves = rng.normal(0, 0.06, (MODES, 3)) @ self.space.coordinates.T
        return np.cos(waves + rng.uniform(0, 6.3, (MODES, 1))).astype(np.float32)

    def run(self, subject: int, run: int) -> np.ndarray:
        """Return one run, (volumes, voxels) float32."""
        rng = np.random.default_rng([subject, run])
        shape = (self.sizes.volumes, self.space.n_locations)
        series = rng.standard_normal((self.sizes.volumes, MODES), np.float32) @ self.loadings
        noise = rng.standard_normal(shape, np.float32)
        return 10_000 + 20 * series + 100 * noise

    def connectome(self, subjects: int | None = None, voxels: int | None = None) -> Connectome:
        """Return the generated subjects, or the first of them with the first voxels only."""
        space = self.space
        if voxels:
            space = VoxelSpace(space.shape, space.affine, space.indices[:voxels], space.template)

        def load(subject_id: str) -> Subject:
            runs = (self.run(int(subject_id), run) for run in range(self.sizes.runs))
            return Subject(subject_id, tuple(run[:, :voxels] for run in runs), 3.0)

        names = tuple(f"{number:04d}" for number in range(subjects or self.sizes.subjects))
        return Connectome("benchmark", space, names, load, {"made": "benchmark"}, simulated=True)

    def store(self, dtype: str = "int16") -> Store:
        """Return the prepared connectome."""
        return prepare(self.connectome(), self.folder / dtype, Options(dtype=dtype), progress=True)

    def seeds(self, count: int | None = None, seed: int = 0) -> list[Seed]:
        """Return spheres of 5 mm at random places of the brain: voxels whose centre is inside."""
        rng = np.random.default_rng(seed)
        coordinates = self.space.coordinates
        radius = RADIUS * (3 if self.sizes.coarse else 1)
        centres = rng.choice(len(coordinates), count or self.sizes.seeds, replace=False)
        seeds = []
        for number, centre in enumerate(coordinates[np.sort(centres)]):
            inside = np.flatnonzero(((coordinates - centre) ** 2).sum(axis=1) <= radius**2)
            weights = np.full(len(inside), 1 / len(inside))
            place = tuple(float(value) for value in centre)
            seeds.append(Seed(f"seed{number:04d}", inside, weights, 1.0, place, radius))
        return seeds

    def write_peers_files(self) -> None:
        """Write some subjects as .nii.gz, as Lead-DBS's .mat and as plain arrays."""
        for subject in range(self.sizes.rounds):
            for run in range(self.sizes.runs):
                series = self.run(subject, run)
                volume = np.zeros((*self.space.shape, len(series)), np.float32)
                volume[tuple(self.space.indices.T)] = series.T
                image = nib.Nifti1Image(volume, self.space.affine)
                image.header.set_zooms((*image.header.get_zooms()[:3], 3.0))
                nib.save(image, self.nifti(subject, run))
                savemat(self.matlab(subject, run), {"gmtc": series.T}, do_compression=True)
                np.save(self.plain(subject, run), series)

    def nifti(self, subject: int, run: int) -> Path:
        """Where one run lies as an image."""
        return self.folder / f"{subject}-{run}.nii.gz"

    def matlab(self, subject: int, run: int) -> Path:
        """Where one run lies as Lead-DBS keeps it."""
        return self.folder / f"{subject}-{run}.mat"

    def plain(self, subject: int, run: int) -> Path:
        """Where one run lies as an array of (volumes, voxels)."""
        return self.folder / f"{subject}-{run}.npy"


def repeated(store: Store, subjects: int, folder: Path) -> Store:
    """Return a store that names the same files over and over, as if it had more subjects."""
    if not folder.is_dir():
        shutil.copytree(store.folder / "space", folder / "space")
        for name in ("subjects", "sd"):
            (folder / name).symlink_to(os.path.relpath(store.folder / name, folder))
        shutil.copy(store.folder / "missing.npy", folder)  # nothing is missing in anybody
    manifest = {key: value for key, value in store.manifest.items() if key != "sha256"}
    known = manifest["subjects"]
    manifest["subjects"] = [
        {**known[number % len(known)], "id": f"{number:05d}"} for number in range(subjects)
    ]
    manifest["sha256"] = digest_of(manifest)
    write_json(folder / "manifest.json", manifest)
    return open_store(folder)
