"""Folders of one ``.npy`` per subject, time x voxel, as the nimlab tools write them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compendium.connectome.model import Connectome, Subject, VoxelSpace
from compendium.connectome.sources.checks import check_repetition_time, check_run, check_space
from compendium.connectome.sources.nifti import read_mask
from compendium.errors import InputError

NORMS = "_norms"
USUAL_VOXELS = 292_019  # of FSL's MNI152_T1_2mm_brain_mask_dil


def open_nimlab(
    folder: Path, mask: Path | None = None, tr: str | float | None = None
) -> Connectome:
    """Return a connectome of ``<subject>.npy`` files.

    Parameters
    ----------
    folder : Path
        Holds the files. ``<subject>_norms.npy`` are ignored: they are half-precision norms of
        series that need not be demeaned, and overflow.
    mask : Path, optional
        The image whose voxels above zero, in C order, are the columns; by default the one image
        in the folder.
    tr : float, optional
        Seconds between volumes, which the format does not state; needed for a band.

    Returns
    -------
    Connectome
        One run per subject (the format joins the runs), each voxel's mean taken out.

    Raises
    ------
    InputError
        If there is no mask, or it has another number of voxels than the files.
    """
    folder = Path(folder)
    step = None if tr is None else check_repetition_time(tr, "tr=")
    files = {
        path.stem: (path,)
        for path in sorted(folder.glob("*.npy"))
        if not path.stem.endswith(NORMS) and not path.name.startswith(".")
    }
    if not files:
        raise InputError("the folder holds no subject's .npy file", where=str(folder))
    widths = {name: _shape(path, name) for name, (path,) in files.items()}
    n_voxels = next(iter(widths.values()))[1]
    for name, shape in widths.items():
        if shape[1] != n_voxels:
            raise InputError(
                f"subject {name} has {shape[1]} voxels, the first subject {n_voxels}",
                where=files[name][0].name,
            )
    space = _space(folder, mask, n_voxels)
    return Connectome(
        name=folder.name,
        space=space,
        subject_ids=tuple(files),
        load_subject=_Loader({name: path for name, (path,) in files.items()}, step),
        provenance={
            "source": f"npy series of {folder.name}",
            "format": "nimlab npy, time x voxel",
            "processing": "each voxel's mean taken out; the norms files ignored; "
            "runs are joined in the files and cannot be told apart",
            "repetition_time": step,
        },
        sources=files,
    )


@dataclass(frozen=True)
class _Loader:
    files: dict[str, Path]
    repetition_time: float | None

    def __call__(self, subject_id: str) -> Subject:
        path = self.files[subject_id]
        run = check_run(_load(path, subject_id), subject_id, path.name)
        run -= run.mean(axis=0, dtype=np.float64).astype(np.float32)
        return Subject(subject_id, (run,), self.repetition_time)


def _load(path: Path, subject: str) -> np.ndarray:
    if not path.is_file():
        raise InputError(f"subject {subject}: the file is missing", where=str(path))
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(
            f"subject {subject}: the array cannot be read ({error})",
            where=path.name,
            remedy="it must be a plain numeric array; Python objects are not loaded",
        ) from error


def _shape(path: Path, subject: str) -> tuple[int, int]:
    array = _load(path, subject)
    if array.ndim != 2:
        raise InputError(
            f"subject {subject}: {array.ndim} dimensions where time x voxel is due", where=path.name
        )
    return array.shape


def _space(folder: Path, mask: Path | None, n_voxels: int) -> VoxelSpace:
    found = sorted([*folder.glob("*.nii"), *folder.glob("*.nii.gz")])
    if mask is None and len(found) == 1:
        mask = found[0]
    if mask is None:
        usual = " (292,019 of them: FSL's MNI152_T1_2mm_brain_mask_dil)"
        raise InputError(
            f"the files do not say where their {n_voxels:,} voxels lie"
            f"{usual if n_voxels == USUAL_VOXELS else ''}",
            where=str(folder),
            remedy="put the mask image into the folder, or give it as `mask`",
        )
    inside, affine = read_mask(Path(mask))
    if inside.sum() != n_voxels:
        raise InputError(
            f"the mask has {int(inside.sum()):,} voxels, the files have {n_voxels:,}",
            where=Path(mask).name,
        )
    space = VoxelSpace(
        tuple(int(size) for size in inside.shape),
        affine,
        np.argwhere(inside).astype(np.int32),
        "unknown",
    )
    return check_space(space, Path(mask).name)
