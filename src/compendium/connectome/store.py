"""A prepared connectome on disk: one memory-mappable array a subject, and what was done to it.

::

    store/manifest.json            source, options, subjects, runs, degrees of freedom, digests
    store/space/                   where the rows lie: mask and voxel indices, or labels and parcels
    store/subjects/<id>.npy        (n_locations, columns of all runs): rows of length 1 within a run
    store/sd/<id>.npy              (n_locations, n_runs) float32: SDs; NaN where there is no signal
    store/missing.npy              (n_locations,) int32: in how many runs a location has no signal
    store/moments/                 group moments of seeds mapped before; safe to delete

Rows are whole numbers of `SCALE` (int16) or exact float32. With the SDs, the mean of a seed's raw
series can be had from rows of length 1.
"""

import gzip
import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from compendium.connectome.model import ParcelSpace, Space, VoxelSpace
from compendium.errors import InputError
from compendium.files import replacing

FORMAT = "compendium connectome store"
VERSION = 1
SCALE = 1 / 32767  # of a step of int16: the longest possible entry of a row of length 1 is 1
PREPARE_AGAIN = "remove manifest.json and prepare the store again; whole subjects are kept"
DTYPES = ("int16", "float32")


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

    def _mapped(
        self, path: Path, dtype: np.dtype, offset: int, shape: tuple[int, int]
    ) -> np.ndarray:
        # not np.load: parsing the header takes longer than gathering a seed
        try:
            return np.memmap(path, dtype, "r", offset, shape)
        except (OSError, ValueError) as error:
            raise ends_early(self) from error


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
        # another process opens the store for itself: only the path travels
        return open_store, (self.folder,)

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
        """Return in how many runs each location has no signal, shape (n_locations,), int32."""
        return np.load(self.folder / "missing.npy")


def open_store(folder: Path) -> Store:
    """Open a store that `compendium.connectome.prepare.prepare` finished.

    Parameters
    ----------
    folder : Path
        The store.

    Returns
    -------
    Store
        Nothing but the manifest and the space is read.

    Raises
    ------
    InputError
        If there is no finished store, a file named in the manifest is missing or has another
        size, or the space is not the one that the subjects were prepared in.
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
    return Store(folder, manifest, space, subjects)


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


def ends_early(subject: StoredSubject) -> InputError:
    """Return the error of a subject's file that is not whole any more."""
    return InputError(
        f"the file of subject {subject.id} is gone or ends too early",
        where=str(subject.path),
        remedy=PREPARE_AGAIN,
    )


def write_space(folder: Path, space: Space) -> dict:
    """Write where the rows lie, and return the manifest's entry for it."""
    entry = {
        "kind": "voxels" if isinstance(space, VoxelSpace) else "parcels",
        "template": space.template,
        "n_locations": space.n_locations,
        "affine": np.asarray(space.affine, float).tolist(),
        "sha256": space_digest(space),
    }
    if isinstance(space, VoxelSpace):
        entry["shape"] = list(space.shape)
        mask = np.zeros(space.shape, np.uint8)
        mask[tuple(space.indices.T)] = 1
        write_image(folder / "mask.nii.gz", mask, space.affine)
        write_array(folder / "indices.npy", np.asarray(space.indices, np.int32))
    else:
        write_image(folder / "labels.nii.gz", np.asarray(space.labels, np.int32), space.affine)
        with replacing(folder / "parcels.parquet", "wb") as stream:
            space.table.to_parquet(stream, index=False)
    return entry


def read_space(folder: Path, entry: dict) -> Space:
    """Read what `write_space` wrote.

    Raises
    ------
    InputError
        If it is not what the manifest says.
    """
    affine = np.array(entry["affine"])
    try:
        if entry["kind"] == "voxels":
            indices = np.load(folder / "indices.npy")
            space = VoxelSpace(tuple(entry["shape"]), affine, indices, entry["template"])
        else:
            labels = np.asarray(nib.load(folder / "labels.nii.gz").dataobj)
            table = pd.read_parquet(folder / "parcels.parquet")
            space = ParcelSpace(labels, affine, table, entry["template"])
    except (OSError, ValueError) as error:
        raise InputError(f"the space cannot be read ({error})", where=str(folder)) from error
    if space_digest(space) != entry["sha256"]:
        raise InputError(
            "the mask, the labels or their order are not those that the subjects were prepared in",
            where=str(folder),
            remedy="prepare the store anew",
        )
    return space


def space_digest(space: Space) -> str:
    """Return a SHA-256 over grid, affine and the order of locations."""
    digest = hashlib.sha256(np.asarray(space.affine, np.float64).tobytes())
    if isinstance(space, VoxelSpace):
        digest.update(repr(tuple(int(size) for size in space.shape)).encode())
        digest.update(np.ascontiguousarray(space.indices, np.int32).tobytes())
    else:
        digest.update(repr(space.labels.shape).encode())
        digest.update(np.ascontiguousarray(space.labels, np.int32).tobytes())
        digest.update(repr([int(value) for value in space.table["value"]]).encode())
        digest.update(repr([str(name) for name in space.table["name"]]).encode())
    return digest.hexdigest()


def digest_of(content: object) -> str:
    """Return the SHA-256 of plain data, written as JSON in one fixed way."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array as .npy, whole or not at all."""
    with replacing(path, "wb") as stream:
        np.save(stream, array, allow_pickle=False)


def write_rows(path: Path, shape: tuple[int, int], dtype: str, blocks: Iterable[np.ndarray]) -> str:
    """Write blocks of rows as one .npy of a known shape, whole or not at all.

    Returns
    -------
    str
        SHA-256 of the file.
    """
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    )
    digest = hashlib.sha256(header.getvalue())
    with replacing(path, "wb") as stream:
        stream.write(header.getvalue())
        for block in blocks:
            content = np.ascontiguousarray(block).data
            digest.update(content)
            stream.write(content)
    return digest.hexdigest()


def write_image(path: Path, data: np.ndarray, affine: np.ndarray) -> None:
    """Write a .nii.gz in MNI space, whole or not at all, the same bytes for the same content."""
    image = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.set_sform(affine, code=4)
    image.set_qform(affine, code=4)
    with replacing(path, "wb") as stream:
        stream.write(gzip.compress(image.to_bytes(), 6, mtime=0))


def write_json(path: Path, content: dict) -> None:
    """Write plain data as JSON, whole or not at all."""
    with replacing(path) as stream:
        json.dump(content, stream, indent=1, ensure_ascii=False)
        stream.write("\n")
