"""BIDS derivatives of volumes: fMRIPrep (with its confounds) and XCP-D (denoised)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compendium.connectome.model import Connectome
from compendium.connectome.sources.nifti import IMAGES, RunFiles, open_nifti
from compendium.errors import InputError

FMRIPREP = tuple(f"_desc-preproc_bold{image}" for image in IMAGES)
XCPD = tuple(f"_desc-denoised_bold{image}" for image in IMAGES)
OWN_SPACES = ("T1w", "T2w", "boldref", "func", "individual")
STRATEGY = ("motion", "high_pass", "wm_csf")
DENOISED = "denoised by XCP-D; the degrees of freedom that cost are not known and not subtracted"


def open_fmriprep(
    folder: Path,
    *,
    space: str | None = None,
    res: str | None = None,
    task: str | None = None,
    mask: Path | None = None,
    strategy: tuple[str, ...] = STRATEGY,
) -> Connectome:
    """Return a connectome of fMRIPrep's outputs, which are not denoised, and their confounds.

    Parameters
    ----------
    folder : Path
        Holds ``sub-*/[ses-*/]func/*_desc-preproc_bold.nii.gz`` with confounds and brain masks.
    space, res, task : str, optional
        Entities to choose by; needed only where the folder holds several. The task is ``rest``
        where there is one.
    mask : Path, optional
        Which voxels to read; by default the MNI152 brain.
    strategy : tuple of str
        Kinds of confounds, as in `nilearn.interfaces.fmriprep.load_confounds`; the default takes
        motion, slow drifts, white matter and cerebrospinal fluid. Global-signal regression is
        left to the preparation, where it is a stated option. Volumes that the strategy scrubs,
        and those before the steady state, become regressors that are 1 in the one volume: what
        remains is the same as without the volume, and a band still finds every volume in its
        place.

    Returns
    -------
    Connectome
        Runs as they are, with confounds that the preparation regresses out.

    Raises
    ------
    InputError
        If nothing fits, several spaces or tasks fit, or confounds are missing.
    """
    chosen = choose(Path(folder), FMRIPREP, task=task, space=space, res=res)
    found = chosen.subjects
    return open_nifti(
        Path(folder).name,
        _with_masks(found, confounds=True),
        mask=mask,
        template=_template(found),
        confounds=FmriprepConfounds(strategy),
        provenance={
            "source": f"fMRIPrep derivatives in {Path(folder).name}",
            "format": "BIDS derivatives, fMRIPrep",
            "processing": f"confounds regressed: {', '.join(strategy)} (nilearn load_confounds); "
            "their degrees of freedom are subtracted",
            "left_out": list(chosen.left_out),
        },
    )


def open_xcpd(
    folder: Path,
    *,
    space: str | None = None,
    res: str | None = None,
    task: str | None = None,
    mask: Path | None = None,
) -> Connectome:
    """Return a connectome of XCP-D's denoised volumes.

    See `open_fmriprep` for the parameters; the files are
    ``sub-*/[ses-*/]func/*_desc-denoised_bold.nii.gz`` and are used as they are.
    """
    chosen = choose(Path(folder), XCPD, task=task, space=space, res=res)
    found = chosen.subjects
    return open_nifti(
        Path(folder).name,
        _with_masks(found),
        mask=mask,
        template=_template(found),
        provenance={
            "source": f"XCP-D derivatives in {Path(folder).name}",
            "format": "BIDS derivatives, XCP-D denoised",
            "processing": DENOISED,
            "left_out": list(chosen.left_out),
        },
    )


@dataclass(frozen=True)
class FmriprepConfounds:
    """Reads fMRIPrep's confounds of a run, through nilearn's own loader."""

    strategy: tuple[str, ...]

    def __call__(self, bold: Path, n_volumes: int, subject: str) -> np.ndarray:
        """Return the confounds, one column for every volume to be left out among them."""
        from nilearn.interfaces.fmriprep import load_confounds

        try:
            # nilearn knows fMRIPrep's images by their name alone, and only compressed
            name = f"{str(bold).removesuffix('.gz')}.gz"
            table, kept = load_confounds(name, strategy=self.strategy)
        except (ValueError, OSError, LookupError) as error:
            raise InputError(
                f"subject {subject}: the confounds cannot be read ({error})",
                where=bold.name,
                remedy="keep fMRIPrep's *_desc-confounds_timeseries.tsv and .json beside the image",
            ) from error
        if len(table) != n_volumes:
            raise InputError(
                f"subject {subject}: {len(table)} rows of confounds, {n_volumes} volumes",
                where=bold.name,
            )
        holes = table.columns[table.isna().any()].tolist()
        if holes:
            raise InputError(
                f"subject {subject}: the confound {holes[0]} has no number in volume "
                f"{int(table[holes[0]].isna().argmax()) + 1}",
                where=bold.name,
                remedy="mend its confounds table, or choose another strategy=...",
            )
        left_out = np.ones(n_volumes, bool)
        left_out[slice(None) if kept is None else kept] = False
        return np.hstack([table.to_numpy(float), np.eye(n_volumes)[:, left_out]])


def entities(path: Path) -> dict[str, str]:
    """Return the key-value pairs of a BIDS file name.

    Examples
    --------
    >>> entities(Path("sub-01_task-rest_space-MNI152NLin6Asym_desc-denoised_bold.nii.gz"))
    {'sub': '01', 'task': 'rest', 'space': 'MNI152NLin6Asym', 'desc': 'denoised'}
    """
    return dict(re.findall(r"(?:^|_)([a-z]+)-([A-Za-z0-9+]+)", path.name))


def find_files(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Return the files below a folder whose names end in one of the endings, sorted.

    Hidden files are none: some systems keep notes of their own in them, under the same endings.
    """
    return sorted(
        path
        for path in Path(folder).rglob("*")
        if path.name.endswith(endings) and not path.name.startswith(".")
    )


@dataclass(frozen=True)
class Chosen:
    """The files of a connectome.

    Attributes
    ----------
    subjects : dict
        Subject → files of its runs, in the order of the subjects and of the file names.
    left_out : tuple of str
        What is in the folder and is not read, and why.
    """

    subjects: dict[str, list[Path]]
    left_out: tuple[str, ...]


def choose(
    folder: Path, endings: tuple[str, ...], having: str = "sub", **wanted: str | None
) -> Chosen:
    """Return the files that fit, every entity in `wanted` being the same throughout.

    Parameters
    ----------
    folder : Path
        Where ``sub-*`` folders lie.
    endings : tuple of str
        Of the file names.
    having : str
        Entity that a file must have beside ``sub``.
    **wanted : str or None
        Entity → value; None takes the only value there is (``rest`` of several tasks).

    Returns
    -------
    Chosen
        Without files that hold others once more: runs joined, single echoes.

    Raises
    ------
    InputError
        If nothing fits, an entity has several values and none is chosen, or a run is there twice.
    """
    files = [path for path in find_files(folder, endings) if {"sub", having} <= set(entities(path))]
    if not files:
        raise InputError(f"no file *{endings[-1]} of any subject", where=str(folder))
    for key, value in wanted.items():
        values = sorted({entities(path).get(key, "") for path in files})
        if value is None and key == "task" and "rest" in values:
            value = "rest"
        if value is None and len(values) > 1:
            raise InputError(
                f"the files have several values of {key}: "
                f"{', '.join(one or '(none)' for one in values)}",
                where=str(folder),
                remedy=f"choose one with {key}=...",
            )
        if value is not None:
            files = [path for path in files if entities(path).get(key, "") == value]
        if not files:
            raise InputError(
                f"no file with {key}={value!r}; there are {', '.join(values)}", where=str(folder)
            )
    refuse_twice(files, folder)
    again = _held_by_others(files)
    subjects: dict[str, list[Path]] = {}
    for path in files:
        if path not in again:
            subjects.setdefault(f"sub-{entities(path)['sub']}", []).append(path)
    folders = sorted(path.name for path in Path(folder).glob("sub-*") if path.is_dir())
    left_out = [f"{path.name}: {reason}" for path, reason in again.items()]
    left_out += [f"{name}: no file that fits" for name in folders if name not in subjects]
    return Chosen(subjects, tuple(left_out))


def refuse_twice(files: Iterable[Path], folder: Path) -> None:
    """Raise `InputError` if two files are the same run: packed and not, or a copy elsewhere."""
    known: dict[str, Path] = {}
    for path in files:
        other = known.setdefault(path.name.split(".")[0], path)
        if other != path:
            raise InputError(
                f"the same run is there twice, also as {other.relative_to(folder)}",
                where=str(path.relative_to(folder)),
                remedy="keep one of them",
            )


def _held_by_others(files: Sequence[Path]) -> dict[Path, str]:
    """Return files whose volumes are in others too, and how: joined runs, and single echoes."""
    names = {path: path.name.split(".")[0] for path in files}
    of_runs = {_without(name, *keys) for name in names.values() if "_run-" in name
               for keys in (("run",), ("run", "dir"))}  # fmt: skip
    again = {}
    for path, name in names.items():
        if "_echo-" in name:
            if _without(name, "echo") not in names.values():
                raise InputError(
                    "one echo of a run that has several",
                    where=path.name,
                    remedy="combine the echoes (fMRIPrep does), and leave the single ones out",
                )
            again[path] = "one echo; the combined series is read"
        elif "_run-" not in name and name in of_runs:
            again[path] = "several runs joined; they are read one by one"
    return again


def _without(name: str, *keys: str) -> str:
    """Return a BIDS name without some entities."""
    return re.sub(rf"_(?:{'|'.join(keys)})-[A-Za-z0-9+]+", "", name)


def _with_masks(
    found: Mapping[str, Iterable[Path]], confounds: bool = False
) -> dict[str, list[RunFiles]]:
    return {
        subject: [
            RunFiles(path, _mask_of(path), _confounds_of(path) if confounds else ())
            for path in paths
        ]
        for subject, paths in found.items()
    }


def _confounds_of(bold: Path) -> tuple[Path, ...]:
    stem = re.split(r"_space-|_desc-", bold.name)[0]
    return tuple(sorted(bold.parent.glob(f"{stem}_desc-confounds_*")))


def _mask_of(bold: Path) -> Path | None:
    stem = re.sub(r"_desc-[A-Za-z0-9]+_bold.*", "_desc-brain_mask", bold.name)
    found = (bold.with_name(stem + ending) for ending in IMAGES)
    return next((mask for mask in found if mask.is_file()), None)


def _template(found: Mapping[str, list[Path]]) -> str:
    first = next(iter(found.values()))[0]
    space = entities(first).get("space", "unknown")
    if space in OWN_SPACES:
        raise InputError(
            f"the images are in each person's own space (space-{space})",
            where=first.name,
            remedy="let fMRIPrep or XCP-D write them in a space of MNI152 too",
        )
    return space
