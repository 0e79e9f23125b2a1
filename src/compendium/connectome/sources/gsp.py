"""The open release of the Brain Genomics Superstruct Project: preprocessed 4D images."""

import re
from pathlib import Path

from compendium.connectome.model import Connectome
from compendium.connectome.sources.bids import find_files, refuse_twice
from compendium.connectome.sources.nifti import IMAGES, RunFiles, open_nifti
from compendium.errors import InputError

ENDINGS = tuple(f"_finalmask{image}" for image in IMAGES)


def open_gsp(folder: Path, mask: Path | None = None) -> Connectome:
    """Return a connectome in the layout of the GSP1000 release.

    Parameters
    ----------
    folder : Path
        Holds ``sub-*/func/*bld00N_rest_*_finalmask.nii.gz``.
    mask : Path, optional
        Which voxels to read; by default the MNI152 brain.

    Returns
    -------
    Connectome
        One run per image.

    Raises
    ------
    InputError
        If there are no such files.
    """
    folder = Path(folder)
    runs: dict[str, list[RunFiles]] = {}
    files = find_files(folder, ENDINGS)
    refuse_twice(files, folder)
    for path in files:
        match = re.match(r"sub-[A-Za-z0-9]+", path.name) or re.match(
            r"sub-[A-Za-z0-9]+", path.relative_to(folder).parts[0]
        )
        if match is None:
            raise InputError("no subject in the file's name or folder", where=str(path))
        runs.setdefault(match[0], []).append(RunFiles(path))
    if not runs:
        raise InputError(f"no file *{ENDINGS[-1]}", where=str(folder))
    return open_nifti(
        folder.name,
        runs,
        mask=mask,
        provenance={
            "source": f"GSP images in {folder.name}",
            "format": "GSP1000 open release, NIfTI",
            "processing": "preprocessed by the publishers; the degrees of freedom that cost are "
            "not known and not subtracted",
        },
    )
