"""Parcellated time series of XCP-D: one table per run, and the atlas they were made with."""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from compendium.connectome.model import Connectome, ParcelSpace, Subject
from compendium.connectome.sources.bids import DENOISED, choose, entities, find_files
from compendium.connectome.sources.checks import check_run, common_repetition_time
from compendium.connectome.sources.nifti import READ_ERRORS, repetition_time_of_sidecar
from compendium.connectome.tissue import describe_parcels
from compendium.errors import InputError

ENDINGS = ("_timeseries.tsv",)


def open_parcellated(
    folder: Path,
    *,
    atlas: str | None = None,
    task: str | None = None,
    labels: Path | None = None,
    table: Path | None = None,
) -> Connectome:
    """Return a connectome of ``*_timeseries.tsv`` tables.

    Parameters
    ----------
    folder : Path
        XCP-D's output.
    atlas : str, optional
        Value of the entity ``atlas`` (``seg`` in older releases); needed where there are several.
    task : str, optional
        As in `open_fmriprep`.
    labels, table : Path, optional
        The atlas's label image and its table (``index``, ``label``); by default
        ``atlas-<name>*_dseg.nii.gz`` and ``.tsv`` anywhere in the folder.

    Returns
    -------
    Connectome
        A parcel that is ``n/a`` or constant in a run is NaN there.

    Raises
    ------
    InputError
        If the atlas is not found, or a table's columns are not its parcels.
    """
    folder = Path(folder)
    tables = find_files(folder, ENDINGS)
    key = "atlas" if any("atlas" in entities(path) for path in tables) else "seg"
    found = choose(folder, ENDINGS, having=key, **{key: atlas, "task": task})
    first = next(iter(found.values()))[0]
    name = entities(first)[key]
    image_path = labels or _one(folder, f"atlas-{name}*_dseg.nii*")
    space = _space(image_path, table or _one(folder, f"atlas-{name}*_dseg.tsv"))
    return Connectome(
        name=f"{folder.name}-{name}",
        space=space,
        subject_ids=tuple(found),
        load_subject=_Loader(
            {subject: tuple(paths) for subject, paths in found.items()},
            tuple(space.table["name"]),
        ),
        provenance={
            "source": f"XCP-D parcellated series in {folder.name}",
            "format": "XCP-D parcellated TSV",
            "atlas": name,
            "processing": DENOISED,
        },
        sources={subject: tuple(paths) for subject, paths in found.items()},
    )


@dataclass(frozen=True)
class _Loader:
    files: dict[str, tuple[Path, ...]]
    names: tuple[str, ...]

    def __call__(self, subject_id: str) -> Subject:
        runs = []
        for path in self.files[subject_id]:
            try:
                series = pd.read_csv(path, sep="\t", na_values=["n/a"])
                values = series.to_numpy(float)
            except (OSError, ValueError, EOFError) as error:
                raise InputError(
                    f"subject {subject_id}: the table cannot be read ({error})", where=path.name
                ) from error
            if tuple(series.columns) != self.names:
                strange = sorted(set(series.columns) ^ set(self.names))
                hint = f"first difference: {strange[0]!r}" if strange else "their order differs"
                raise InputError(
                    f"subject {subject_id}: the columns are not the atlas's parcels ({hint})",
                    where=path.name,
                )
            runs.append(check_run(values, subject_id, path.name))
        steps = {path: repetition_time_of_sidecar(path) for path in self.files[subject_id]}
        return Subject(subject_id, tuple(runs), common_repetition_time(steps, subject_id))


def _one(folder: Path, pattern: str) -> Path:
    paths = sorted(folder.rglob(pattern))
    if not paths:
        raise InputError(
            f"the atlas's {pattern} is not in the folder",
            where=str(folder),
            remedy="copy XCP-D's sourcedata/atlases there, or give labels= and table=",
        )
    return paths[0]


def _space(image_path: Path, table_path: Path) -> ParcelSpace:
    try:
        image = nib.load(image_path)
        labels = np.rint(np.asarray(image.dataobj)).astype(np.int32)
    except READ_ERRORS as error:
        raise InputError(f"the atlas cannot be read ({error})", where=image_path.name) from error
    if labels.ndim != 3:
        raise InputError(f"a {labels.ndim}D image where labels are due", where=image_path.name)
    rows = pd.read_csv(table_path, sep="\t")
    named = next((column for column in ("label", "name") if column in rows), None)
    if "index" not in rows or named is None:
        raise InputError("the table needs the columns index and label", where=table_path.name)
    rows = rows[rows["index"] != 0]
    table = pd.DataFrame({"value": rows["index"].astype(int), "name": rows[named].astype(str)})
    if table["name"].duplicated().any() or table["value"].duplicated().any():
        raise InputError("a parcel occurs twice", where=table_path.name)
    affine = np.asarray(image.affine, float)
    template = entities(image_path).get("space") or entities(image_path).get("tpl") or "unknown"
    return ParcelSpace(
        labels, affine, describe_parcels(labels, affine, table.reset_index(drop=True)), template
    )
