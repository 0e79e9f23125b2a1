"""What every run and every grid must satisfy, whatever file it comes from."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import nibabel as nib
import numpy as np

from compendium.connectome.model import VoxelSpace
from compendium.errors import InputError

MINIMUM_VOLUMES = 10
MINIMUM_PRESENT = 0.5  # share of locations that must carry a signal in a run
LONGEST_STEP = 60.0  # s between volumes
MINIMUM_INSIDE = 0.5  # share of voxels that must lie in the MNI152 brain


def check_run(run: np.ndarray, subject: str, where: str) -> np.ndarray:
    """Return one run as float32 with unusable locations as NaN.

    Parameters
    ----------
    run : ndarray, shape (n_volumes, n_locations)
        As read.
    subject, where : str
        Whose, and from which file; for the message.

    Returns
    -------
    ndarray, shape (n_volumes, n_locations), float32
        A location that is constant or has a value that is not finite is NaN throughout.

    Raises
    ------
    InputError
        If the run is no matrix of numbers, has fewer than 10 volumes, or carries no signal in
        half of its locations.
    """
    if run.ndim != 2 or run.dtype.kind not in "fiu":
        raise InputError(
            f"subject {subject}: expected a matrix of numbers, "
            f"found {run.ndim} dimensions of type {run.dtype}",
            where=where,
        )
    if len(run) < MINIMUM_VOLUMES:
        raise InputError(
            f"subject {subject}: the run has {len(run)} volumes, "
            f"a correlation needs {MINIMUM_VOLUMES} or more",
            where=where,
            remedy="leave the run out",
        )
    with np.errstate(over="ignore", invalid="ignore"):
        run = np.array(run, np.float32)
    unusable = ~np.isfinite(run).all(axis=0) | (run == run[0]).all(axis=0)
    present = 1 - unusable.mean()
    if present < MINIMUM_PRESENT:
        raise InputError(
            f"subject {subject}: only {present:.0%} of the locations carry a signal, "
            "the rest is constant or not finite",
            where=where,
            remedy="leave the run out, or check that its affine is right",
        )
    run[:, unusable] = np.nan
    return run


def common_repetition_time(steps: Mapping[Path, float | None], subject: str) -> float | None:
    """Return the seconds between volumes that all runs of a subject have.

    Parameters
    ----------
    steps : mapping
        File of each run → what it states; None where it states nothing.
    subject : str
        For the message.

    Returns
    -------
    float or None
        None if no run states it.

    Raises
    ------
    InputError
        If two runs differ: one band would then mean two things.
    """
    stated = [(path, step) for path, step in steps.items() if step is not None]
    for path, step in stated:
        if not np.isclose(step, stated[0][1], rtol=1e-3):
            raise InputError(
                f"subject {subject}: {step:g} s between volumes, and {stated[0][1]:g} s in "
                f"{stated[0][0].name}",
                where=path.name,
                remedy="leave one of the runs out, or prepare them as two connectomes",
            )
    return stated[0][1] if stated else None


def check_repetition_time(stated: object, where: str) -> float:
    """Return seconds between volumes as a number; InputError unless they are some."""
    try:
        seconds = float(stated)
    except (TypeError, ValueError):
        seconds = float("nan")
    if not 0 < seconds < LONGEST_STEP:
        raise InputError(
            f"{stated!r} is no repetition time",
            where=where,
            remedy=f"give the seconds between volumes, above 0 and below {LONGEST_STEP:g}",
        )
    return seconds


def check_space(space: VoxelSpace, where: str) -> VoxelSpace:
    """Return the space if its voxels lie in the MNI152 brain.

    A brain that is mirrored left to right lies there too: that cannot be seen from the outside.

    Parameters
    ----------
    space : VoxelSpace
        As read.
    where : str
        The file that states the affine.

    Raises
    ------
    InputError
        If the affine is singular, has voxels that no functional image has, or puts more than
        half of the voxels outside the brain.
    """
    sizes = nib.affines.voxel_sizes(space.affine)
    if not np.isfinite(space.affine).all() or not (sizes >= 0.3).all() or not (sizes <= 15).all():
        raise InputError(
            f"the affine gives voxels of {' x '.join(f'{size:g}' for size in sizes)} mm",
            where=where,
        )
    if not space.n_locations:
        raise InputError(
            "the mask holds no voxel", where=where, remedy="its voxels above zero are read"
        )
    inside = in_brain(space.coordinates).mean()
    if inside < MINIMUM_INSIDE:
        raise InputError(
            f"the affine puts only {inside:.0%} of the voxels into the MNI152 brain",
            where=where,
            remedy="the data must be in MNI152 space, with the affine that says so",
        )
    return space


def in_brain(coordinates: np.ndarray) -> np.ndarray:
    """Say which places (mm) lie in the MNI152 brain mask, to about 4 mm."""
    mask, inverse = _brain()
    voxels = np.rint(nib.affines.apply_affine(inverse, coordinates)).astype(int)
    held = ((voxels >= 0) & (voxels < mask.shape)).all(axis=1)
    voxels[~held] = 0
    return held & mask[tuple(voxels.T)]


@lru_cache(maxsize=1)
def _brain() -> tuple[np.ndarray, np.ndarray]:
    from nilearn.datasets import load_mni152_brain_mask
    from scipy.ndimage import binary_dilation

    image = load_mni152_brain_mask(resolution=2)
    mask = binary_dilation(np.asarray(image.dataobj) > 0, iterations=2)
    return mask, np.linalg.inv(image.affine)
