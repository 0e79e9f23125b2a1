"""What a chapter reads: its declared inputs, resolved to files and named without this machine.

The build graph and the provenance records use the same function, so that what makes a chapter stale
is what its record lists.
"""

import hashlib
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from compendium.datasets import data_folder, read_sources
from compendium.errors import InputError
from compendium.files import sha256_of

SNAPSHOTS = "data/snapshot"
EXTERNAL = "data/external"
DERIVED = "data/derived"


def resolve_inputs(
    names: Iterable[str],
    parameters: Mapping[str, Any],
    root: Path = Path(),
    made: Collection[str] = (),
) -> dict[str, Path]:
    """Return the files behind declared inputs, given what the person who builds chose.

    Parameters
    ----------
    names : iterable of str
        Files and folders relative to the project's root. A folder stands for all files in it;
        ``data/external`` for the declared data packages and nothing else, wherever they are kept.
    parameters : mapping
        Chosen parameters. With ``snapshots``, these folders take the place of ``data/snapshot`` and
        of everything declared inside it.
    root : Path
        The project's root.
    made : collection of str
        Inputs that another step writes: they need not be there yet.

    Returns
    -------
    dict
        Name → file, sorted by name. A name holds no path of this machine: files inside the project
        are called by their place in it, files of a chosen folder by that folder's own name.

    Raises
    ------
    InputError
        If a declared input, or a chosen snapshot, is not there.
    """
    root = Path(root)
    chosen = parameters.get("snapshots") or ()
    found: dict[str, Path] = {}
    for name in names:
        if name == EXTERNAL:
            found |= _packages(root, must_exist=EXTERNAL not in made)
        elif name in made:
            found[name] = root / name
        elif chosen and f"{name}/".startswith(SNAPSHOTS + "/"):
            for folder in chosen:
                found |= _named(root, folder, taken=found)
        else:
            found |= _named(root, name, taken=found)
    return dict(sorted(found.items()))


def digests(files: Mapping[str, Path]) -> dict[str, str]:
    """Return name → SHA-256 of each file."""
    return {name: sha256_of(path) for name, path in files.items()}


def shown_name(root: Path, place: str | Path) -> str:
    """Return what a file or folder is called in public.

    Examples
    --------
    >>> shown_name(Path("/home/me/book"), "data/protocol")
    'data/protocol'
    >>> shown_name(Path("/home/me/book"), "/home/me/exports/today")
    'today'
    """
    inside = os.path.relpath(_absolute(root, place), _absolute(root, ""))
    path = Path(inside)
    return path.name if path.is_absolute() or ".." in path.parts else path.as_posix()


def public_parameters(
    parameters: Mapping[str, Any], root: Path = Path()
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return parameters as they may be published, and what was replaced in them.

    Parameters
    ----------
    parameters : mapping
        Values of any kind; texts that are places outside the project lose their way there.
    root : Path
        The project's root.

    Returns
    -------
    dict, dict
        The parameters, and path of this machine → name, for texts that repeat it.
    """
    replaced: dict[str, str] = {}

    def public(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, list | tuple):
            return [public(one) for one in value]
        if isinstance(value, str) and ("/" in value or os.sep in value):
            name = shown_name(root, value)
            if name and name != value and _absolute(root, value).exists():
                replaced[value] = name
                return name
        return value

    return {name: public(value) for name, value in parameters.items()}, replaced


def connectome_facts(place: str | Path, root: Path = Path()) -> dict[str, object]:
    """Describe a connectome too large to hash at every build: its name, files, bytes and a digest.

    Parameters
    ----------
    place : str or Path
        File or folder, as given in ``CONNECTOME=``.
    root : Path
        The project's root, which a relative place starts from.

    Returns
    -------
    dict
        `name`, `files`, `bytes`, and `listing_sha256`: the digest of the files' names and sizes,
        not of their content.

    Raises
    ------
    InputError
        If nothing is there.
    """
    listed = connectome_files(place, root)
    base = _absolute(root, place)
    lines = [f"{path.relative_to(base).as_posix()} {path.stat().st_size}" for path in listed]
    return {
        "name": shown_name(root, place),
        "files": len(listed),
        "bytes": sum(path.stat().st_size for path in listed),
        "listing_sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    }


def connectome_files(place: str | Path, root: Path = Path()) -> list[Path]:
    """Return the files of a connectome, sorted; see `connectome_facts`."""
    path = _absolute(root, place)
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise InputError(
            "there is no connectome", where=shown_name(root, place), remedy="check CONNECTOME="
        )
    return files


def expand(root: Path, name: str | Path) -> list[Path]:
    """Return the files that a place stands for: itself, or all files of a folder.

    Raises
    ------
    InputError
        If there is neither such a file nor such a folder, or the folder is empty.
    """
    path = Path(root) / name
    files = [path]
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
    if not files or not files[0].is_file():
        raise InputError(
            "declared as an input, but not there",
            where=shown_name(root, name),
            remedy="check the name, or run the chapter or command that writes it",
        )
    return files


def _absolute(root: Path, place: str | Path) -> Path:
    # not resolved: a link inside the project is inside the project
    return Path(os.path.normpath((Path(root) / place).absolute()))


def _named(root: Path, place: str | Path, taken: Mapping[str, Path]) -> dict[str, Path]:
    """Return name → file for one place; two folders of one name are told apart by a number."""
    base = _absolute(root, place)
    name, number = shown_name(root, place), 1
    files = expand(root, place)

    def call(prefix: str) -> dict[str, Path]:
        return {
            prefix if path == Path(root) / place else f"{prefix}/{_inside(path, base)}": path
            for path in files
        }

    named = call(name)
    while any(taken.get(one, path) != path for one, path in named.items()):
        number += 1
        named = call(f"{name} ({number})")
    return named


def _inside(path: Path, base: Path) -> str:
    return _absolute(Path(), path).relative_to(base).as_posix()


def _packages(root: Path, *, must_exist: bool) -> dict[str, Path]:
    folder = data_folder(root)
    wheels = [package.wheel for package in read_sources(root).values()]
    for wheel in wheels:
        if must_exist and not (folder / wheel).is_file():
            raise InputError(
                "the data package is not on this machine",
                where=wheel,
                remedy="run `compendium data fetch`",
            )
    return {f"{EXTERNAL}/{wheel}": folder / wheel for wheel in wheels}
