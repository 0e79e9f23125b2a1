"""Cortex, subcortex or cerebellum, left or right: what a matched comparison needs to know."""

from functools import lru_cache

import nibabel as nib
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

MIDLINE = 5.0  # mm; places nearer to x = 0 than this are of neither side
ONE_SIDED = 0.8  # share of a parcel's voxels that makes it a left or a right one
VOXELS_ASKED = 100  # of each parcel, for its tissue
# mm; the regions of interest that tell the classes apart have none in the brainstem
BRAINSTEM = ((-18, 18), (-46, -10), (-70, -6))


def tissue_class(coordinates: np.ndarray) -> np.ndarray:
    """Return "cortical", "subcortical" or "cerebellar" for each place.

    Parameters
    ----------
    coordinates : ndarray, shape (n, 3)
        MNI152 coordinates in mm.

    Returns
    -------
    ndarray, shape (n,), str
        The class of the nearest of the 300 regions of interest of Seitzman et al. (2020,
        NeuroImage 206:116290; packaged with nilearn), and "subcortical" in a box drawn around
        the brainstem, which holds none of them. Good to a region's size, not to a millimetre.
    """
    tree, classes = _regions()
    coordinates = np.atleast_2d(np.asarray(coordinates, float))
    nearest = classes[tree.query(coordinates)[1]]
    brainstem = np.all(
        [
            (low <= axis) & (axis <= high)
            for axis, (low, high) in zip(coordinates.T, BRAINSTEM, strict=True)
        ],
        axis=0,
    )
    return np.where(brainstem, "subcortical", nearest)


@lru_cache(maxsize=1)
def _regions() -> tuple[cKDTree, np.ndarray]:
    from nilearn.datasets import fetch_coords_seitzman_2018

    regions = fetch_coords_seitzman_2018(ordered_regions=False)
    classes = np.array(
        [
            "cortical"
            if name.startswith("cortex")
            else "cerebellar"
            if name == "cerebellum"
            else "subcortical"
            for name in regions.regions
        ]
    )
    return cKDTree(regions.rois[["x", "y", "z"]].to_numpy()), classes


def hemisphere(x: np.ndarray) -> np.ndarray:
    """Return "L", "R" or, within 5 mm of x = 0, "mid"."""
    return np.where(np.abs(x) < MIDLINE, "mid", np.where(np.asarray(x) < 0, "L", "R"))


def describe_parcels(labels: np.ndarray, affine: np.ndarray, table: pd.DataFrame) -> pd.DataFrame:
    """Add to a table of parcels what the label image says about each.

    Parameters
    ----------
    labels : ndarray, shape (x, y, z), int32
        Label image.
    affine : ndarray, shape (4, 4)
        Voxel indices to mm.
    table : DataFrame
        ``value`` and ``name`` of each parcel; a ``hemisphere`` or ``tissue`` that it states is
        kept.

    Returns
    -------
    DataFrame
        `table` with ``hemisphere`` (L, R; mid for a parcel that is in both), ``tissue`` (that of
        most of about a hundred of its voxels, see `tissue_class`), ``n_voxels``, and the centroid
        ``x``, ``y``, ``z`` (mm). A parcel without voxels has 0 and NA.
    """
    where = np.argwhere(np.isin(labels, table["value"].to_numpy(int)) & (labels > 0))
    places = pd.DataFrame(nib.affines.apply_affine(affine, where), columns=["x", "y", "z"])
    places["value"] = labels[tuple(where.T)]
    places["left"] = places["x"] < 0
    groups = places.groupby("value")
    found = groups[["x", "y", "z"]].mean()
    found["n_voxels"] = groups.size()
    left = groups["left"].mean()
    found["hemisphere"] = np.where(
        left >= ONE_SIDED, "L", np.where(left <= 1 - ONE_SIDED, "R", "mid")
    )
    step = np.maximum(groups["x"].transform("size") // VOXELS_ASKED, 1)
    asked = places[groups.cumcount() % step == 0]
    if len(asked):
        classes = pd.Series(tissue_class(asked[["x", "y", "z"]].to_numpy()), index=asked["value"])
        found["tissue"] = classes.groupby(level=0).agg(lambda names: names.mode().iloc[0])
    else:
        found["tissue"] = pd.Series(dtype="string")
    result = table.merge(
        found.drop(columns=table.columns.intersection(found.columns)),
        left_on="value",
        right_index=True,
        how="left",
        validate="one_to_one",
    )
    result = result.reset_index(drop=True)
    result["n_voxels"] = result["n_voxels"].fillna(0).astype("Int64")
    for column in ("name", "hemisphere", "tissue"):
        result[column] = result[column].astype("string")
    first = ["value", "name", "hemisphere", "tissue", "n_voxels", "x", "y", "z"]
    return result[[*first, *(column for column in result if column not in first)]]
