"""Seeds by locations, larger than memory: in files, of which pieces are read and rows written.

A memory map would do, but every page of it that was ever touched stays with the process. Here a
file is mapped for one access and let go, so that memory holds the piece in hand and nothing else.
"""

import os
import tempfile
from pathlib import Path
from typing import IO

import numpy as np

from compendium.connectome.disk import explaining_full_disk, refuse_if_too_small

IN_MEMORY = 64 * 2**20  # bytes of an array up to which it is simply read


class FileArray:
    """A two-dimensional array in a .npy file.

    It is indexed like an array, ``array[row]`` or ``array[:, start:stop]``, and what comes back is
    an array in memory. Arithmetic on the whole of it is refused.

    Parameters
    ----------
    stream : IO
        The open file; kept open as long as the array lives.
    folder : Path
        Where it lies.
    rows : ndarray of int, optional
        Rows of the file that stand for those of the array, in that order; default: all.
    """

    __array_ufunc__ = None  # whole-array arithmetic would read everything

    def __init__(self, stream: IO[bytes], folder: Path, rows: np.ndarray | None = None) -> None:
        self._stream = stream
        self.folder = folder
        stream.seek(0)
        np.lib.format.read_magic(stream)
        self._of_file, _, self.dtype = np.lib.format.read_array_header_1_0(stream)
        self._offset = stream.tell()
        self._rows = np.arange(self._of_file[0]) if rows is None else rows
        self.shape = (len(self._rows), self._of_file[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        raise TypeError("an array in a file is read piece by piece")

    def __getitem__(self, key: object) -> np.ndarray:
        """Read a piece: rows first, then, after a comma, columns."""
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        mapped = np.memmap(self._stream, self.dtype, "r", self._offset, self._of_file)
        wanted = self._rows[rows]
        if isinstance(columns, slice):
            return np.array(mapped[:, columns][wanted])
        return np.array(mapped[wanted][..., columns])

    def __setitem__(self, rows: int | slice, values: np.ndarray) -> None:
        """Write whole rows."""
        places = np.atleast_1d(self._rows[rows])
        whole = np.ascontiguousarray(
            np.broadcast_to(values, (len(places), self.shape[1])), self.dtype
        )
        with explaining_full_disk(self.folder):
            for place, line in zip(places, whole, strict=True):
                self._stream.seek(self._offset + int(place) * line.nbytes)
                self._stream.write(line.data)
            self._stream.flush()

    def take(self, rows: np.ndarray, axis: int = 0) -> "FileArray":
        """Return the array of some rows; nothing is read."""
        if axis != 0:
            raise ValueError("only rows are taken from an array in a file")
        return FileArray(self._stream, self.folder, self._rows[rows])


Rows = np.ndarray | FileArray


def open_rows(path: Path) -> Rows:
    """Open a .npy file of two dimensions: read if it is small, left on disk otherwise."""
    if path.stat().st_size <= IN_MEMORY:
        return np.load(path, allow_pickle=False)
    return FileArray(path.open("rb"), path.parent)


def blank_like(array: Rows, dtype: type | None = None) -> Rows:
    """Return an array of the same shape in the same place, in memory or on disk, to be filled.

    On disk it is a file without a name: it goes when the array goes, however the process ends.

    Raises
    ------
    InputError
        If the disk is too small.
    """
    dtype = np.dtype(dtype or array.dtype)
    if isinstance(array, np.ndarray):
        return np.zeros(array.shape, dtype)
    refuse_if_too_small(array.folder, array.shape[0] * array.shape[1] * dtype.itemsize)
    stream = tempfile.TemporaryFile(dir=array.folder)  # noqa: SIM115 - open as long as the array
    header = {"descr": dtype.str, "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_1_0(stream, header)
    os.truncate(stream.fileno(), stream.tell() + array.shape[0] * array.shape[1] * dtype.itemsize)
    return FileArray(stream, array.folder)
