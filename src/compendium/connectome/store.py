"""A prepared connectome on disk: one memory-mappable array a subject, and what was done to it.

::

    store/manifest.json            source, options, subjects, runs, degrees of freedom, digests
    store/space/                   where the rows lie: mask and voxel indices, or labels and parcels
    store/subjects/<id>.npy        (n_locations, columns of all runs): rows of length 1 within a run
    store/sd/<id>.npy              (n_locations, n_runs) float32: SDs; NaN where there is no signal
    store/missing.npy              (n_locations,) int32: in how many runs a location has no signal
    store/moments/                 group moments of seeds mapped before; safe to delete
    store/maps/                    maps of analyses; safe to delete, chapter 8 makes them again

Rows are whole numbers of `SCALE` (int16) or exact float32. With the SDs, the mean of a seed's raw
series can be had from rows of length 1.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from io import RawIOBase
from itertools import pairwise
from pathlib import Path

import numpy as np

from compendium.connectome.model import Space
from compendium.connectome.stored_space import read_space
from compendium.connectome.writing import digest_of
from compendium.errors import InputError

FORMAT = "compendium connectome store"
VERSION = 1
SCALE = 1 / 32767  # of a step of int16: the longest possible entry of a row of length 1 is 1
PREPARE_AGAIN = "remove manifest.json and prepare the store again; whole subjects are kept"
DTYPES = ("int16", "float32")
NEAR = 65_536  # bytes between two rows up to which they are asked for together
SPAN = 2**20  # bytes asked for at a time: the system may read no more at one call


@dataclass(frozen=True)
class StoredRun:
    """One run inside a subject's array.

    Attributes
    ----------
    start, stop : int
        Its columns.
    n_volumes : int
        Volumes it was measured in.
    df : int
        Degrees of freedom of its cleaned series.
    """

    start: int
    stop: int
    n_volumes: int
    df: int


@dataclass(frozen=True)
class StoredSubject:
    """One subject in a store.

    Attributes
    ----------
    id : str
        Identifier in the source.
    path, sd_path : Path
        The rows and the SDs.
    dtype : dtype
        Of the rows.
    n_locations : int
        Number of rows.
    runs : tuple of StoredRun
        In the order of the columns.
    n_missing : int
        Entries of the SDs that have no signal, over all runs.
    offset, sd_offset : int
        Bytes before the first number in either file.
    """

    id: str
    path: Path
    sd_path: Path
    dtype: np.dtype
    n_locations: int
    runs: tuple[StoredRun, ...]
    n_missing: int
    offset: int
    sd_offset: int

    @property
    def n_columns(self) -> int:
        """Columns of all runs together."""
        return self.runs[-1].stop

    @property
    def bounds(self) -> np.ndarray:
        """First column of each run, and the number of columns, shape (n_runs + 1,), int."""
        return np.array([0, *(run.stop for run in self.runs)])

    def sd(self) -> np.ndarray:
        """Return the SDs of the cleaned series, memory-mapped; NaN where there is no signal.

        Shape (n_locations, n_runs), float32.
        """
        shape = (self.n_locations, len(self.runs))
        return self._mapped(self.sd_path, np.dtype(np.float32), self.sd_offset, shape)

    def rows(self) -> np.ndarray:
        """Return the rows, memory-mapped, shape (n_locations, n_columns).

        Raises
        ------
        InputError
            If the file is gone or cut since the store was opened.
        """
        return self._mapped(self.path, self.dtype, self.offset, (self.n_locations, self.n_columns))

    def rows_at(self, locations: np.ndarray) -> np.ndarray:
        """Return the rows as `rows` does, after asking the disk for those at some locations.

        A memory map alone would wait for one row after the other, and have the disk read
        megabytes around each. Here all rows are asked for before the first is waited for, and
        rows that are near each other together with what lies between them.

        Parameters
        ----------
        locations : ndarray of int, ascending
            Rows that will be read.

        Returns
        -------
        ndarray, shape (n_locations, n_columns)
            Memory-mapped, in the store's dtype.

        Raises
        ------
        InputError
            As `rows`.
        """
        rows = self.rows()
        if hasattr(os, "posix_fadvise"):
            row_bytes = self.dtype.itemsize * self.n_columns
            far = np.diff(locations, prepend=locations[:1]) > 1 + NEAR // row_bytes
            far |= np.diff(locations // (1 + SPAN // row_bytes), prepend=-1) > 0
            bounds = [*np.flatnonzero(far).tolist(), len(locations)]
            with self.path.open("rb", buffering=0) as stream:
                for a, b in pairwise(bounds):
                    place = self.offset + int(locations[a]) * row_bytes
                    size = int(locations[b - 1] + 1 - locations[a]) * row_bytes
                    os.posix_fadvise(stream.fileno(), place, size, os.POSIX_FADV_WILLNEED)
        return rows

    def _mapped(
        self, path: Path, dtype: np.dtype, offset: int, shape: tuple[int, int]
    ) -> np.ndarray:
        # not np.load: parsing the header takes longer than gathering a seed
        try:
            return np.memmap(path, dtype, "r", offset, shape)
        except (OSError, ValueError) as error:
            raise ends_early(self, path) from error


@dataclass(frozen=True)
class Store:
    """A prepared connectome.

    Attributes
    ----------
    folder : Path
        Where it lies.
    manifest : dict
        What was done; see the module.
    space : VoxelSpace or ParcelSpace
        Where the rows lie.
    subjects : tuple of StoredSubject
        In the order of the source.
    """

    folder: Path
    manifest: dict
    space: Space
    subjects: tuple[StoredSubject, ...]

    def __reduce__(self) -> tuple:
        # another process opens the store for itself, from wherever it was started: only the whole
        # path travels
        return open_store, (self.folder.absolute(),)

    @property
    def name(self) -> str:
        """Name of the connectome."""
        return self.manifest["connectome"]["name"]

    @property
    def simulated(self) -> bool:
        """Whether the data were generated."""
        return self.manifest["connectome"]["simulated"]

    @property
    def dtype(self) -> np.dtype:
        """Type of the rows."""
        return np.dtype(self.manifest["dtype"])

    @property
    def scale(self) -> float:
        """What a 1 in the rows stands for."""
        return self.manifest["scale"]

    @property
    def digest(self) -> str:
        """SHA-256 over everything that the store holds."""
        return self.manifest["sha256"]

    @property
    def n_subjects(self) -> int:
        """Number of subjects."""
        return len(self.subjects)

    @property
    def n_locations(self) -> int:
        """Number of voxels or parcels."""
        return self.space.n_locations

    def missing(self) -> np.ndarray:
        """Return in how many runs each location has no signal, shape (n_locations,), int32.

        Raises
        ------
        InputError
            If the file is gone or damaged.
        """
        return read_missing(self.folder, self.manifest)


def open_store(folder: Path) -> Store:
    """Open a store that `compendium.connectome.prepare.prepare` finished.

    Parameters
    ----------
    folder : Path
        The store.

    Returns
    -------
    Store
        Nothing but the manifest, the space and the counts of missing signal is read.

    Raises
    ------
    InputError
        If there is no finished store, a file named in the manifest is missing or has another
        size, the space is not the one that the subjects were prepared in, or the counts of
        missing signal are gone or damaged.
    """
    folder = Path(folder)
    path = folder / "manifest.json"
    if not path.is_file():
        raise InputError(
            "no finished store there",
            where=str(folder),
            remedy="run `compendium connectome prepare`; it goes on where it stopped",
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"not JSON ({error})", where=str(path)) from error
    if manifest.get("format") != FORMAT or manifest.get("version") != VERSION:
        raise InputError("not a store of this version", where=str(folder), remedy="prepare it anew")
    if digest_of({key: manifest[key] for key in manifest if key != "sha256"}) != manifest["sha256"]:
        raise InputError(
            "the manifest was changed by hand", where=str(folder), remedy="prepare the store anew"
        )
    space = read_space(folder / "space", manifest["space"])
    dtype, n = np.dtype(manifest["dtype"]), space.n_locations
    subjects = tuple(read_subject(folder, entry, dtype, n) for entry in manifest["subjects"])
    read_missing(folder, manifest)
    return Store(folder, manifest, space, subjects)


def read_missing(folder: Path, manifest: dict) -> np.ndarray:
    """Return the counts of missing signal after checking that they are those of the manifest."""
    path = folder / "missing.npy"
    if not path.is_file():
        problem = "the file is missing"
    else:
        try:
            missing = np.load(path, allow_pickle=False)
        except (EOFError, OSError, ValueError) as error:
            problem = f"the file cannot be read ({error})"
        else:
            if hashlib.sha256(missing.tobytes()).hexdigest() == manifest["missing_sha256"]:
                return missing
            problem = "the file is not the one that was prepared"
    raise InputError(problem, where=str(path), remedy=PREPARE_AGAIN)


def read_subject(folder: Path, entry: dict, dtype: np.dtype, n_locations: int) -> StoredSubject:
    """Return one subject of a manifest after checking that its files are there and whole."""
    for file in entry["files"]:
        path = folder / file["name"]
        size = path.stat().st_size if path.is_file() else None
        if size != file["bytes"]:
            raise InputError(
                f"the file of subject {entry['id']} "
                + ("is missing" if size is None else f"has {size} bytes, not {file['bytes']}"),
                where=str(path),
                remedy=PREPARE_AGAIN,
            )
    runs, start = [], 0
    for run in entry["runs"]:
        runs.append(StoredRun(start, start + run["columns"], run["volumes"], run["df"]))
        start += run["columns"]
    rows, sd = entry["files"]
    return StoredSubject(
        id=entry["id"],
        path=folder / rows["name"],
        sd_path=folder / sd["name"],
        dtype=dtype,
        n_locations=n_locations,
        runs=tuple(runs),
        n_missing=entry["missing"],
        # the numbers are what the file ends with
        offset=rows["bytes"] - n_locations * start * dtype.itemsize,
        sd_offset=sd["bytes"] - n_locations * len(runs) * 4,
    )


def fill(view: memoryview, stream: RawIOBase, subject: StoredSubject) -> None:
    """Read a subject's file into memory until the memory is full.

    Raises
    ------
    InputError
        If the file ends before.
    """
    while view:
        count = stream.readinto(view)
        if not count:
            raise ends_early(subject, subject.path)
        view = view[count:]


def ends_early(subject: StoredSubject, path: Path) -> InputError:
    """Return the error of one of a subject's files that is not whole any more."""
    return InputError(
        f"the file of subject {subject.id} is gone or ends too early",
        where=str(path),
        remedy=PREPARE_AGAIN,
    )
