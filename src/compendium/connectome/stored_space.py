"""Where a store's rows lie: written beside them, and held to the digest in the manifest."""

import hashlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from compendium.connectome.model import ParcelSpace, Space, VoxelSpace
from compendium.connectome.writing import write_array, write_image
from compendium.errors import InputError
from compendium.files import replacing


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
