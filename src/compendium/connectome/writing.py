"""Large files that are whole or absent, and the same bytes for the same content."""

import gzip
import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path

import nibabel as nib
import numpy as np

from compendium.files import replacing


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


def write_image(path: Path, data: np.ndarray, affine: np.ndarray, note: str = "") -> None:
    """Write a .nii.gz in MNI space, whole or not at all, the same bytes for the same content.

    A note of up to 79 bytes stands in the header, where viewers show it.
    """
    image = nib.Nifti1Image(data, affine)
    image.header["descrip"] = note.encode()
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
