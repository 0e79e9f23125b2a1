"""One way to open any connectome: by its name, or by the folder it lies in."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from compendium.connectome.embedded import pain_connectome, rest_connectome
from compendium.connectome.model import Connectome
from compendium.connectome.simulate import PRESETS, simulate_connectome
from compendium.connectome.sources.bids import FMRIPREP, XCPD, open_fmriprep, open_xcpd
from compendium.connectome.sources.cifti import open_cifti
from compendium.connectome.sources.gsp import ENDINGS, open_gsp
from compendium.connectome.sources.leaddbs import open_leaddbs
from compendium.connectome.sources.nimlab import NORMS, open_nimlab
from compendium.connectome.sources.parcellated import open_parcellated
from compendium.errors import InputError

NAMED: dict[str, Callable[[Path], Connectome]] = {
    "REST": rest_connectome,
    "PAIN": pain_connectome,
    "simulated": lambda root: simulate_connectome(**PRESETS["book"]),
}


@dataclass(frozen=True)
class Format:
    """A layout on disk.

    Attributes
    ----------
    title : str
        For people.
    signs : tuple of str
        Patterns, relative to the folder, of which one must match.
    open : callable
        ``open(folder, **options) -> Connectome``.
    options : tuple of str
        Options that can be given as text.
    uses_packages : bool
        Whether it needs a data package, so ``root``, the project's folder.
    """

    title: str
    signs: tuple[str, ...]
    open: Callable[..., Connectome]
    options: tuple[str, ...] = ()
    uses_packages: bool = False


def _below(where: str, endings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{where}/*{ending}" for ending in endings)


# in the order in which they are looked for: a folder of XCP-D holds volumes and tables, and one
# of fMRIPrep volumes and dense series that are not denoised
FORMATS: dict[str, Format] = {
    "leaddbs": Format(
        "Lead-DBS", ("dataset_volsurf.mat", "dataset_info.json"), open_leaddbs, ("subset", "tr")
    ),
    "gsp": Format("GSP1000 open release", _below("**", ENDINGS), open_gsp, ("mask",)),
    "xcpd": Format(
        "XCP-D denoised volumes",
        _below("sub-*/**", XCPD),
        open_xcpd,
        ("space", "res", "task", "mask"),
    ),
    "fmriprep": Format(
        "fMRIPrep",
        _below("sub-*/**", FMRIPREP),
        open_fmriprep,
        ("space", "res", "task", "mask", "strategy"),
    ),
    "cifti": Format(
        "CIFTI dense series",
        ("**/*.dtseries.nii",),
        open_cifti,
        ("ending", "desc", "task"),
        uses_packages=True,
    ),
    "parcellated": Format(
        "XCP-D parcellated tables",
        ("sub-*/**/*_timeseries.tsv",),
        open_parcellated,
        ("atlas", "task", "space", "labels", "table"),
    ),
    "nimlab": Format("one .npy per subject", ("*.npy",), open_nimlab, ("mask", "tr")),
}
# how the text of an option is understood, where it is not just text
MEANING: dict[str, Callable[[str], object]] = {
    "mask": Path,
    "labels": Path,
    "table": Path,
    "strategy": lambda text: tuple(text.split(",")),
}


def open_connectome(source: str | Path, root: Path = Path()) -> Connectome:
    """Open a connectome by name or by folder, whatever its format.

    Parameters
    ----------
    source : str or Path
        ``REST``, ``PAIN`` or ``simulated``; or a folder, whose format is recognised by the files
        in it. Options follow a question mark, as in ``/data/xcpd?kind=parcellated&atlas=4S456``:
        ``kind`` (a key of `FORMATS`) and the options of that format.
    root : Path
        The project's folder, for the embedded sets and for formats that need a data package.

    Returns
    -------
    Connectome
        Its subjects are read when they are asked for.

    Raises
    ------
    InputError
        If there is no such folder or name, the format is not recognised, or an option is none.

    Examples
    --------
    >>> open_connectome("simulated").simulated
    True
    """
    text, _, query = str(source).partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    kind = options.pop("kind", None)
    if text in NAMED and not options and kind is None:
        return NAMED[text](root)
    folder = Path(text).absolute()  # "." has a name too, and a link keeps its own
    if ".." in folder.parts:
        folder = folder.resolve()
    if not folder.is_dir():
        raise InputError(
            "this is one file, a connectome is a folder of many subjects"
            if folder.is_file()
            else "there is no such connectome",
            where=text,
            remedy=f"give a folder, or one of {', '.join(NAMED)}",
        )
    if kind is None:
        kind = recognise(folder)
    if kind not in FORMATS:
        raise InputError(f"no format is called {kind!r}", remedy=f"use one of {', '.join(FORMATS)}")
    chosen = FORMATS[kind]
    strange = sorted(set(options) - set(chosen.options))
    if strange:
        raise InputError(
            f"{chosen.title} has no option {strange[0]!r}",
            where=text,
            remedy=f"its options are {', '.join(chosen.options) or 'none'}",
        )
    given = {name: MEANING.get(name, str)(value) for name, value in options.items()}
    if chosen.uses_packages:
        given["root"] = root
    return chosen.open(folder, **given)


def recognise(folder: Path) -> str:
    """Return the format of a folder.

    Parameters
    ----------
    folder : Path
        What `open_connectome` was given.

    Returns
    -------
    str
        The first key of `FORMATS` of which a file is there.

    Raises
    ------
    InputError
        If none is.
    """
    for key, known in FORMATS.items():
        for sign in known.signs:
            for path in folder.glob(sign):
                hidden = path.name.startswith(".")
                if not hidden and not path.stem.endswith((NORMS, "_desc-confounds_timeseries")):
                    return key
    raise InputError(
        "no known layout of a connectome is in this folder",
        where=str(folder),
        remedy="known are: "
        + "; ".join(f"{known.title} ({known.signs[0]})" for known in FORMATS.values()),
    )
