"""The simulated connectome's brain: a template's grey matter and deep structures drawn by hand."""

from functools import lru_cache

import nibabel as nib
import numpy as np

from compendium.connectome.model import VoxelSpace

TEMPLATE = "MNI152NLin2009aSym"
MINIMUM_FILLED = 0.5  # share of a voxel that must lie in the 1 mm mask

# Boxes in mm (x, y, z: low, high) that the grey-matter template leaves out or thins out. They
# are drawn by hand around the structures, not taken from an atlas, so that the simulation needs
# no anatomy package.
DEEP_BOXES: dict[str, tuple[tuple[int, int], tuple[int, int], tuple[int, int]]] = {
    "midbrain": ((-14, 14), (-36, -14), (-20, -4)),
    "pons": ((-16, 16), (-40, -18), (-42, -20)),
    "medulla": ((-9, 9), (-50, -36), (-60, -42)),
    "hypothalamus": ((-9, 9), (-14, 4), (-16, -3)),
    "thalamus": ((-22, 22), (-32, -2), (-4, 15)),
    "left basal ganglia": ((-32, -6), (-16, 18), (-12, 14)),
    "right basal ganglia": ((6, 32), (-16, 18), (-12, 14)),
}


@lru_cache(maxsize=4)
def brain_space(resolution: float) -> VoxelSpace:
    """Return grey matter of the MNI152 template with deep structures, at any voxel size.

    Parameters
    ----------
    resolution : float
        Edge of a voxel, mm.

    Returns
    -------
    VoxelSpace
        Voxels of which at least half lies in nilearn's packaged ICBM152 2009a symmetric
        grey-matter mask or, inside the brain, in one of `DEEP_BOXES`.
    """
    fine, affine = _fine_mask()
    millimetres = fine @ affine[:3, :3].T + affine[:3, 3]
    origin = affine[:3, 3]
    cells = np.floor((millimetres - origin) / resolution + 0.5).astype(int)
    shape = tuple(int(size) for size in cells.max(axis=0) + 2)
    counts = np.bincount(np.ravel_multi_index(cells.T, shape), minlength=int(np.prod(shape)))
    full = resolution**3 / abs(np.linalg.det(affine[:3, :3]))
    mask = (counts / full >= MINIMUM_FILLED).reshape(shape)
    return VoxelSpace(
        shape=shape,
        affine=nib.affines.from_matvec(np.eye(3) * resolution, origin),
        indices=np.argwhere(mask).astype(np.int32),
        template=TEMPLATE,
    )


@lru_cache(maxsize=1)
def _fine_mask() -> tuple[np.ndarray, np.ndarray]:
    """Return the voxel indices of the 1 mm mask, shape (n, 3), and its affine."""
    from nilearn.datasets import load_mni152_brain_mask, load_mni152_gm_mask

    grey = load_mni152_gm_mask(resolution=1)
    brain = load_mni152_brain_mask(resolution=1)
    axes = [
        scale * np.arange(size) + start
        for scale, size, start in zip(
            np.diag(grey.affine)[:3], grey.shape, grey.affine[:3, 3], strict=True
        )
    ]
    deep = np.zeros(grey.shape, bool)
    for box in DEEP_BOXES.values():
        inside = [
            (low <= axis) & (axis <= high) for axis, (low, high) in zip(axes, box, strict=True)
        ]
        deep |= inside[0][:, None, None] & inside[1][:, None] & inside[2]
    mask = ((np.asarray(grey.dataobj) > 0) | deep) & (np.asarray(brain.dataobj) > 0)
    return np.argwhere(mask), np.asarray(grey.affine, float)
