"""Parcellated time series of XCP-D: one table per run, and the atlas they were made with."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from compendium.connectome.model import Connectome, ParcelSpace, Subject
from compendium.connectome.sources.bids import DENOISED, choose, entities, find_files
from compendium.connectome.sources.checks import check_run, common_repetition_time
from compendium.connectome.sources.nifti import READ_ERRORS, repetition_time_of_sidecar, sidecar_of
from compendium.connectome.tissue import describe_parcels
from compendium.errors import InputError

ENDINGS = ("_timeseries.tsv",)


def open_parcellated(
    folder: Path,
    *,
    atlas: str | None = None,
    task: str | None = None,
    space: str | None = None,
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
    task, space : str, optional
        As in `open_fmriprep`.
    labels, table : Path, optional
        The atlas's label image and its table (``index``, ``label``); by default
        ``atlas-<name>_*dseg.nii.gz`` and ``.tsv`` anywhere in the folder, in the tables' space
        where there are several.

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
    wanted = {key: atlas, "task": task, "space": space}
    chosen = choose(folder, ENDINGS, having=key, **wanted)
    found = chosen.subjects
    first = next(iter(found.values()))[0]
    name, of_tables = entities(first)[key], entities(first).get("space")
    image_path = labels or _atlas_file(folder, name, (".nii", ".nii.gz"), of_tables, "labels")
    locations = _space(
        image_path, table or _atlas_file(folder, name, (".tsv",), of_tables, "table")
    )
    return Connectome(
        name=f"{folder.name}-{name}",
        space=locations,
        subject_ids=tuple(found),
        load_subject=_Loader(
            {subject: tuple(paths) for subject, paths in found.items()},
            tuple(locations.table["name"]),
        ),
        provenance={
            "source": f"XCP-D parcellated series in {folder.name}",
            "format": "XCP-D parcellated TSV",
            "atlas": name,
            "processing": DENOISED,
            "left_out": list(chosen.left_out),
        },
        sources={
            subject: (*paths, *(path for path in map(sidecar_of, paths) if path.is_file()))
            for subject, paths in found.items()
        },
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


def _atlas_file(
    folder: Path, atlas: str, endings: Sequence[str], space: str | None, option: str
) -> Path:
    """Return the one file of an atlas, of several that in the tables' space."""
    name = re.compile(
        rf"(?:.*_)?atlas-{re.escape(atlas)}_(?:.*_)?dseg(?:{'|'.join(map(re.escape, endings))})"
    )
    paths = [path for path in find_files(folder, tuple(endings)) if name.fullmatch(path.name)]
    if not paths:
        raise InputError(
            f"the atlas's atlas-{atlas}_*dseg{endings[-1]} is not in the folder",
            where=str(folder),
            remedy=f"copy XCP-D's sourcedata/atlases there, or give {option}=",
        )
    if len(paths) > 1:
        paths = [path for path in paths if space in _spaces(path)] or paths
    if len(paths) > 1:
        raise InputError(
            f"{paths[0].name} and {paths[1].name}: which of them belongs to the tables?",
            where=str(folder),
            remedy=f"give the right one as {option}=",
        )
    return paths[0]


def _spaces(path: Path) -> set[str | None]:
    """Return under which names an atlas's file says where it lies; its table need not."""
    return {entities(path).get("space"), entities(path).get("tpl")} - {None}


def _space(image_path: Path, table_path: Path) -> ParcelSpace:
    try:
        image = nib.load(image_path)
        labels = np.rint(np.asarray(image.dataobj)).astype(np.int32)
    except READ_ERRORS as error:
        raise InputError(
            f"the atlas cannot be read ({error})", where=Path(image_path).name
        ) from error
    if labels.ndim != 3:
        raise InputError(
            f"a {labels.ndim}D image where labels are due", where=Path(image_path).name
        )
    try:
        rows = pd.read_csv(table_path, sep="\t", dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"the atlas's table cannot be read ({error})",
            where=Path(table_path).name,
            remedy="it is text in UTF-8, tab-separated, with the columns index and label",
        ) from error
    named = next((column for column in ("label", "name") if column in rows), None)
    if "index" not in rows or named is None:
        raise InputError("the table needs the columns index and label", where=Path(table_path).name)
    index = pd.to_numeric(rows["index"], errors="coerce")
    strange = rows["index"][index.isna() | (index % 1 != 0)]
    if len(strange):
        raise InputError(
            f"the index {strange.iloc[0]!r} is no whole number",
            where=f"{Path(table_path).name}, line {strange.index[0] + 2}",
        )
    rows, index = rows[index != 0], index[index != 0]
    table = pd.DataFrame({"value": index.astype(int), "name": rows[named]})
    if table["name"].duplicated().any() or table["value"].duplicated().any():
        raise InputError("a parcel occurs twice", where=Path(table_path).name)
    affine = np.asarray(image.affine, float)
    template = entities(image_path).get("space") or entities(image_path).get("tpl") or "unknown"
    return ParcelSpace(
        labels, affine, describe_parcels(labels, affine, table.reset_index(drop=True)), template
    )
