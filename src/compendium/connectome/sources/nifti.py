"""4D NIfTI images: one subject's runs on one grid, read through a mask, volume by volume."""

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from xml.parsers.expat import ExpatError

import nibabel as nib
import numpy as np
from isal import igzip, isal_zlib

from compendium.connectome.model import Connectome, Subject, VoxelSpace
from compendium.connectome.sources.checks import (
    check_repetition_time,
    check_run,
    check_space,
    common_repetition_time,
    in_brain,
)
from compendium.errors import InputError

# takes a run's image, its number of volumes and the subject
ReadConfounds = Callable[[Path, int, str], np.ndarray]
IMAGES = (".nii", ".nii.gz")
READ_ERRORS = (
    OSError,
    EOFError,
    zlib.error,
    isal_zlib.error,
    ValueError,
    nib.filebasedimages.ImageFileError,
    nib.spatialimages.HeaderDataError,
    ExpatError,
)


@dataclass(frozen=True)
class RunFiles:
    """The files of one run.

    Attributes
    ----------
    bold : Path
        4D image.
    mask : Path or None
        The run's own brain mask; voxels outside are missing.
    others : tuple of Path
        Further files that the run's numbers depend on.
    """

    bold: Path
    mask: Path | None = None
    others: tuple[Path, ...] = ()

    @property
    def all(self) -> tuple[Path, ...]:
        """Every file, for hashing."""
        sidecar = sidecar_of(self.bold)
        return (
            self.bold,
            *([self.mask] if self.mask else []),
            *self.others,
            *([sidecar] if sidecar.is_file() else []),
        )


def open_nifti(
    name: str,
    runs: Mapping[str, Sequence[RunFiles]],
    *,
    mask: Path | None = None,
    template: str = "unknown",
    confounds: ReadConfounds | None = None,
    provenance: dict | None = None,
) -> Connectome:
    """Return a connectome of 4D images that share one grid.

    Parameters
    ----------
    name : str
        What the maps will be called after.
    runs : mapping
        subject → the files of its runs.
    mask : Path, optional
        3D image on the same grid: which voxels to read. By default the MNI152 brain.
    template : str
        MNI152 variant of the images.
    confounds : callable, optional
        ``confounds(bold_path, n_volumes, subject)`` returns what is to be regressed out of a run.
    provenance : dict, optional
        What the source knows.

    Returns
    -------
    Connectome
        Images are opened when their subject is asked for; their headers now.

    Raises
    ------
    InputError
        If an image is not 4D, cannot be read, or lies on another grid than the first one; if the
        affine does not put the grid over the brain.
    """
    first = None
    for subject, files in runs.items():
        for run in files:
            grid = read_grid(run.bold, subject)
            if first is None:
                first = (run.bold, grid)
            _check_same(grid, run.bold, subject, *first)
    if first is None:
        raise InputError("the folder holds no runs", where=name)
    path, (shape, affine) = first
    where = path if mask is None else mask
    indices = np.argwhere(_mask(shape, affine, mask, path)).astype(np.int32)
    space = check_space(VoxelSpace(shape, affine, indices, template), where.name)
    return Connectome(
        name=name,
        space=space,
        subject_ids=tuple(runs),
        load_subject=_Loader(dict(runs), space, confounds),
        provenance=dict(provenance or {}),
        sources={
            subject: tuple(path for run in files for path in run.all)
            for subject, files in runs.items()
        },
    )


@dataclass(frozen=True)
class _Loader:
    runs: dict[str, Sequence[RunFiles]]
    space: VoxelSpace
    confounds: ReadConfounds | None

    def __call__(self, subject_id: str) -> Subject:
        runs, confounds = [], []
        for files in self.runs[subject_id]:
            run = read_volumes(files.bold, self.space, subject_id)
            if files.mask is not None:
                own = _mask_on_grid(files.mask, self.space.shape, self.space.affine)
                run[:, ~own[tuple(self.space.indices.T)]] = np.nan
            run = check_run(run, subject_id, files.bold.name)
            if self.confounds is not None:
                confounds.append(self.confounds(files.bold, len(run), subject_id))
            runs.append(run)
        steps = {run.bold: repetition_time(run.bold) for run in self.runs[subject_id]}
        step = common_repetition_time(steps, subject_id)
        return Subject(subject_id, tuple(runs), step, tuple(confounds))


def read_grid(path: Path, subject: str) -> tuple[tuple[int, int, int], np.ndarray]:
    """Return the grid's shape and affine of a 4D image; InputError if it is none."""
    if not path.is_file():
        raise InputError(f"subject {subject}: the file is missing", where=str(path))
    try:
        image = nib.load(path)
        shape, affine = image.shape, np.asarray(image.affine, float)
    except READ_ERRORS as error:
        raise _unreadable(path, subject, error) from error
    if len(shape) != 4:
        raise InputError(
            f"subject {subject}: a {len(shape)}D image of shape {shape} where a 4D series is due",
            where=path.name,
        )
    check_placed(image, path.name)
    return tuple(int(size) for size in shape[:3]), affine


def check_placed(image: nib.spatialimages.SpatialImage, where: str) -> None:
    """Raise `InputError` if an image's header does not say where it lies."""
    if isinstance(image, nib.Nifti1Pair) and not (
        image.header["sform_code"] > 0 or image.header["qform_code"] > 0
    ):
        # nibabel would put its middle at the origin, and the left where the right is
        raise InputError(
            "the header does not say where the image lies (its sform and qform codes are 0)",
            where=where,
            remedy="write its place in MNI152 space into the header, for example with fslcpgeom "
            "from an image on the same grid",
        )


def read_volumes(path: Path, space: VoxelSpace, subject: str) -> np.ndarray:
    """Read the voxels of a space out of a 4D image, one volume in memory at a time.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``.
    space : VoxelSpace
        On the image's grid.
    subject : str
        For the message.

    Returns
    -------
    ndarray, shape (n_volumes, n_locations), float32
        Scaled as the header says.

    Raises
    ------
    InputError
        If the file cannot be read or ends early, or holds colours or complex numbers.
    """
    try:
        proxy = nib.load(path).dataobj
        n_volumes, dtype = proxy.shape[3], proxy.dtype
        if dtype.kind not in "fiu":
            raise ValueError(f"its values are no plain numbers but {dtype}")
        columns = np.ravel_multi_index(space.indices.T, space.shape, order="F")
        n_bytes = int(np.prod(space.shape)) * dtype.itemsize
        run = np.empty((n_volumes, space.n_locations), np.float32)
        # unpacking is half the work of a first run, and ISA-L does it in half of zlib's time
        with igzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            stream.seek(proxy.offset)
            for volume in range(n_volumes):
                raw = stream.read(n_bytes)
                if len(raw) < n_bytes:
                    raise EOFError(f"it ends in volume {volume + 1} of {n_volumes}")
                run[volume] = np.frombuffer(raw, dtype)[columns]
            stream.read(1)  # only at its end does a compressed file check that it is whole
    except READ_ERRORS as error:
        raise _unreadable(path, subject, error) from error
    if (proxy.slope, proxy.inter) != (1, 0):
        run *= np.float32(proxy.slope)
        run += np.float32(proxy.inter)
    return run


def repetition_time(path: Path) -> float | None:
    """Return seconds between volumes from the sidecar or the header; None if neither says."""
    stated = repetition_time_of_sidecar(path)
    if stated is not None:
        return stated
    header = nib.load(path).header
    zooms = header.get_zooms()
    unit = {"msec": 1e-3, "usec": 1e-6}.get(header.get_xyzt_units()[1], 1.0)
    return float(zooms[3]) * unit if len(zooms) > 3 and zooms[3] > 0 else None


def repetition_time_of_sidecar(path: Path) -> float | None:
    """Return the repetition time (s) that the JSON file beside a BIDS file states, or None."""
    sidecar = sidecar_of(path)
    if not sidecar.is_file():
        return None
    try:
        stated = json.loads(sidecar.read_text(encoding="utf-8-sig")).get("RepetitionTime")
    except (ValueError, AttributeError) as error:
        raise InputError(f"not a JSON object ({error})", where=sidecar.name) from error
    return None if stated is None else check_repetition_time(stated, sidecar.name)


def sidecar_of(path: Path) -> Path:
    """Return where the JSON file beside a BIDS file lies, whether it is there or not."""
    return path.with_name(path.name.split(".")[0] + ".json")


def _unreadable(path: Path, subject: str, error: Exception) -> InputError:
    return InputError(
        f"subject {subject}: the image cannot be read ({error})",
        where=path.name,
        remedy="the file may be truncated: copy or download it again",
    )


def _check_same(grid: tuple, path: Path, subject: str, first_path: Path, first: tuple) -> None:
    (shape, affine), (first_shape, first_affine) = grid, first
    if shape == first_shape and np.allclose(affine, first_affine, atol=1e-3):
        return
    what = f"another grid ({shape}) than {first_path.name} ({first_shape})"
    if shape == first_shape:
        what = f"another affine than {first_path.name}"
        if np.allclose(np.abs(affine[:3, :3]), np.abs(first_affine[:3, :3]), atol=1e-3):
            axes = np.sign(np.diag(affine)[:3]) != np.sign(np.diag(first_affine)[:3])
            if axes.any():
                flipped = ", ".join(np.array(["x", "y", "z"])[axes])
                what = f"the axis {flipped} mirrored relative to {first_path.name}"
    raise InputError(
        f"subject {subject} has {what}",
        where=path.name,
        remedy="bring all images to one grid",
    )


def _mask(
    shape: tuple[int, int, int], affine: np.ndarray, mask: Path | None, path: Path
) -> np.ndarray:
    if mask is not None:
        return _mask_on_grid(mask, shape, affine)
    places = np.argwhere(np.ones(shape, bool))
    inside = in_brain(nib.affines.apply_affine(affine, places)).reshape(shape)
    volume = inside.sum() * abs(np.linalg.det(affine[:3, :3])) / 1e6
    if volume < 1:
        raise InputError(
            f"the affine puts {volume:.1f} litres of the grid into the MNI152 brain of 1.9 litres",
            where=path.name,
            remedy="the data must be in MNI152 space, with the affine that says so",
        )
    return inside


@lru_cache(maxsize=8)
def read_mask(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return which voxels of a 3D image lie above zero, and its affine; InputError if it is none.

    A fourth axis of length 1 is left out.
    """
    try:
        image = nib.load(path)
        inside = np.asarray(image.dataobj) > 0
    except READ_ERRORS as error:
        raise InputError(f"the mask cannot be read ({error})", where=path.name) from error
    check_placed(image, path.name)
    if inside.ndim == 4 and inside.shape[3] == 1:
        inside = inside[..., 0]
    if inside.ndim != 3:
        raise InputError(f"a mask is a 3D image, this one is {inside.ndim}D", where=path.name)
    return inside, np.asarray(image.affine, float)


def _mask_on_grid(path: Path, shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
    data, own = read_mask(Path(path))
    if data.shape != shape or not np.allclose(own, affine, atol=1e-3):
        raise InputError("the mask is not on the images' grid", where=Path(path).name)
    return data
