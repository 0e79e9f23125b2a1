"""Lead-DBS connectome folders (``connectomes/fMRI/<name>/``) of type ``fMRI_timecourses``."""

import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from compendium.connectome.model import Connectome, Subject, VoxelSpace
from compendium.connectome.sources.checks import check_repetition_time, check_run, check_space
from compendium.errors import InputError

READ_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    NotImplementedError,  # what scipy raises at a version of MAT that it does not read
    EOFError,
    zlib.error,
    MatReadError,
)


def open_leaddbs(
    folder: Path, subset: str | None = None, tr: str | float | None = None
) -> Connectome:
    """Return a connectome in Lead-DBS's layout.

    Parameters
    ----------
    folder : Path
        Holds ``dataset_volsurf.mat`` (MAT v5 or v7.3) and ``vol/<run>.mat``.
    subset : str, optional
        Name of a subset in ``dataset_info.json``; all subjects by default.
    tr : float, optional
        Seconds between volumes, which the layout does not state; needed for a band.

    Returns
    -------
    Connectome
        One run per file. Surface series are not read.

    Raises
    ------
    InputError
        If the folder holds a correlation matrix (there is no variance over subjects in it), a
        file is missing, or the volume's description is incomplete.
    """
    folder = Path(folder)
    step = None if tr is None else check_repetition_time(tr, "tr=")
    info = _read_info(folder / "dataset_info.json")
    kind = info.get("type", "fMRI_timecourses")
    if kind != "fMRI_timecourses":
        raise InputError(
            f"the data set is of type {kind!r}: without time series there is no t map",
            where=f"{folder.name}/dataset_info.json",
            remedy="use the time series that it was made from",
        )
    path = folder / "dataset_volsurf.mat"
    volume = _read_volume(path)
    space, kept = _space(volume, path)
    runs = _select(volume.subjects, info, subset, folder)
    files = {
        subject: tuple(_run_file(folder, run, subject) for run in names)
        for subject, names in runs.items()
    }
    return Connectome(
        name=folder.name,
        space=space,
        subject_ids=tuple(files),
        load_subject=_Loader(
            files, len(volume.outidx), kept, info.get("formatversion", 1.0) > 1, step
        ),
        provenance={
            "source": f"Lead-DBS connectome {folder.name}",
            "format": "Lead-DBS fMRI_timecourses",
            "subset": subset or "all subjects",
            "repetition_time": step,
            "repeated_voxels_left_out": len(volume.outidx) - len(kept),
            "runs_per_subject": sorted({len(names) for names in files.values()}),
        },
        sources=files,
    )


@dataclass(frozen=True)
class _Volume:
    affine: np.ndarray
    shape: tuple[int, int, int]
    outidx: np.ndarray
    subjects: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Loader:
    files: dict[str, tuple[Path, ...]]
    n_stored: int
    kept: np.ndarray
    time_first: bool
    repetition_time: float | None

    def __call__(self, subject_id: str) -> Subject:
        runs = []
        for path in self.files[subject_id]:
            run = _oriented(path, subject_id, self.n_stored, self.time_first)
            runs.append(check_run(run[:, self.kept], subject_id, path.name))
        return Subject(subject_id, tuple(runs), self.repetition_time)


def _oriented(path: Path, subject: str, n_stored: int, time_first: bool) -> np.ndarray:
    """Return a run as time x stored voxels, whichever way it is written."""
    data = np.asarray(_read_variable(path, "gmtc", subject))
    if data.ndim != 2 or data.dtype.kind not in "fiu":
        raise InputError(
            f"subject {subject}: gmtc is no matrix of numbers (type {data.dtype})", where=path.name
        )
    if n_stored not in data.shape:
        raise InputError(
            f"subject {subject}: gmtc is {data.shape[0]} x {data.shape[1]}, "
            f"but the volume has {n_stored} stored voxels",
            where=path.name,
        )
    square = data.shape == (n_stored, n_stored)
    voxels_last = time_first if square else data.shape[1] == n_stored
    return data if voxels_last else data.T


def _read_info(path: Path) -> dict:
    if not path.is_file():
        return {}
    try:
        info = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise InputError(f"not JSON ({error})", where=path.name) from error
    if not isinstance(info, dict):
        raise InputError("a description of a data set is a JSON object", where=path.name)
    version = info.get("formatversion", 1.0)
    try:
        return info | {"formatversion": float(version)}
    except (TypeError, ValueError) as error:
        raise InputError(f"the formatversion {version!r} is no number", where=path.name) from error


def _read_volume(path: Path) -> _Volume:
    """Read the description of the volume in MATLAB's own conventions."""
    if not path.is_file():
        raise InputError(
            "the volume's description is missing",
            where=str(path),
            remedy="the layout of 2016 (outidx.mat, subIDs.mat) is not read",
        )
    try:
        if h5py.is_hdf5(path):
            with h5py.File(path) as file:
                # MATLAB writes arrays transposed
                vol = file["vol"]
                matrix, shape = vol["space"]["mat"][()].T, vol["space"]["dim"][()]
                outidx, cells = vol["outidx"][()], _hdf_cells(file, vol["subIDs"])
        else:
            vol = loadmat(path, squeeze_me=True, struct_as_record=False)["vol"]
            space = np.atleast_1d(vol.space)[0]
            matrix, shape, outidx = space.mat, space.dim, vol.outidx
            cells = _mat_cells(vol.subIDs)
    except READ_ERRORS as error:
        raise InputError(
            f"the volume's description cannot be read ({error})",
            where=path.name,
            remedy="it needs vol.space.mat, vol.space.dim, vol.outidx and vol.subIDs",
        ) from error
    affine = np.array(matrix, float)
    if affine.shape != (4, 4):
        raise InputError(
            f"vol.space.mat has the shape {affine.shape}, an affine is 4 x 4", where=path.name
        )
    # SPM counts voxels from 1
    affine[:3, 3] += affine[:3, :3] @ np.ones(3)
    subjects = {cell[0]: tuple(cell[1:]) for cell in cells}
    empty = [subject for subject, runs in subjects.items() if not runs]
    if len(subjects) != len(cells) or empty:
        raise InputError(
            f"subject {empty[0]} has no run" if empty else "a subject occurs twice", where=path.name
        )
    return _Volume(
        affine,
        tuple(int(size) for size in np.ravel(shape)[:3]),
        np.ravel(outidx).astype(np.int64),
        subjects,
    )


def _space(volume: _Volume, path: Path) -> tuple[VoxelSpace, np.ndarray]:
    """Return the space and which stored voxels are its columns (repeated ones count once)."""
    size = int(np.prod(volume.shape))
    if not len(volume.outidx):
        raise InputError("vol.outidx is empty: no voxel is stored", where=path.name)
    if volume.outidx.min() < 1 or volume.outidx.max() > size:
        raise InputError(
            f"vol.outidx runs from {volume.outidx.min()} to {volume.outidx.max()}, "
            f"but the grid has voxels 1 to {size}",
            where=path.name,
        )
    _, kept = np.unique(volume.outidx, return_index=True)
    kept = np.sort(kept)
    # linear indices count from 1, along the first axis first
    indices = np.unravel_index(volume.outidx[kept] - 1, volume.shape, order="F")
    space = VoxelSpace(
        volume.shape, volume.affine, np.column_stack(indices).astype(np.int32), "unknown"
    )
    return check_space(space, path.name), kept


def _select(
    subjects: dict[str, tuple[str, ...]], info: dict, subset: str | None, folder: Path
) -> dict[str, tuple[str, ...]]:
    if subset is None:
        return subjects
    where, names = f"{folder.name}/dataset_info.json", list(subjects)
    known = info.get("subsets", [])
    known = [known] if isinstance(known, dict) else known
    try:
        subsets = {str(entry["name"]): np.ravel(entry["subs"]).astype(float) for entry in known}
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(
            f"the subsets are no list of a name and numbers of subjects each ({error!r})",
            where=where,
        ) from error
    if subset not in subsets:
        raise InputError(
            f"there is no subset {subset!r}",
            where=where,
            remedy=f"use one of {', '.join(subsets) or 'none'}",
        )
    wrong = [number for number in subsets[subset] if number not in range(1, len(names) + 1)]
    if wrong or not len(subsets[subset]):
        what = f"subject {wrong[0]:g} of {len(names)}" if wrong else "no subject"
        raise InputError(f"the subset {subset!r} names {what}", where=where)
    chosen = [names[int(number) - 1] for number in subsets[subset]]
    return {name: subjects[name] for name in chosen}


def _run_file(folder: Path, run: str, subject: str) -> Path:
    if re.search(r"[/\\]", run):
        raise InputError(
            f"subject {subject}: the run {run!r} lies outside the connectome's folder",
            where=f"{folder.name}/dataset_volsurf.mat",
        )
    path = folder / "vol" / (run if run.endswith(".mat") else f"{run}.mat")
    if not path.is_file():
        raise InputError(f"subject {subject}: the run's file is missing", where=str(path))
    return path


def _read_variable(path: Path, name: str, subject: str) -> np.ndarray:
    try:
        if h5py.is_hdf5(path):
            with h5py.File(path) as file:
                return file[name][()]
        return loadmat(path, variable_names=[name])[name]
    except READ_ERRORS as error:
        raise InputError(
            f"subject {subject}: {name} cannot be read ({error})",
            where=path.name,
            remedy="the file may be truncated: copy or download it again",
        ) from error


def _mat_cells(cells: Any) -> list[list[str]]:  # noqa: ANN401 - whatever loadmat made of it
    """Return the cells of cells of strings; a lone subject comes without its outer cell."""
    rows = np.atleast_1d(cells)
    if len(rows) and isinstance(rows[0], str):
        rows = [rows]
    return [[str(text).strip() for text in np.atleast_1d(row)] for row in rows]


def _hdf_cells(file: h5py.File, cells: h5py.Dataset) -> list[list[str]]:
    """Follow the references of cells of cells to strings of 16-bit characters."""
    return [
        [_hdf_text(file[inner]) for inner in np.ravel(file[outer][()])]
        for outer in np.ravel(cells[()])
    ]


def _hdf_text(dataset: h5py.Dataset) -> str:
    codes: Sequence[int] = np.ravel(dataset[()])
    return "".join(chr(code) for code in codes).strip()
