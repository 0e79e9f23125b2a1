"""A frozen registry answer: a folder of native files and the manifest that vouches for them."""

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from compendium.errors import InputError
from compendium.files import replacing, sha256_of

MANIFEST = "manifest.json"
SCHEMA = "compendium-snapshot/1"
NATIVE_SUFFIXES = (".json", ".xml", ".csv")
COMPANION = "known-items.csv"
_SEAL_REMEDY = (
    "restore it, or make the snapshot anew with `compendium search` or `compendium import-ictrp`"
)
KINDS = ("search", "known-item sample", "portal export")


class UnsealedError(InputError):
    """Nothing vouches for the files: the manifest is missing, or gives no digests."""


def write_manifest(
    folder: Path,
    *,
    kind: str,
    registry: str,
    processed_date: str,
    coverage: str,
    files: Sequence[Mapping[str, Any]],
    announced: int | None,
    retrieved: int,
    query: Mapping[str, Any] | None = None,
    data_timestamp_before: str | None = None,
    data_timestamp_after: str | None = None,
    attribution: str = "",
    modified: str = "",
    licence: str = "",
    **further: object,
) -> Path:
    """Seal a folder: write `manifest.json` with the digest of every file.

    Parameters
    ----------
    folder : Path
        Holds the native files; its name becomes the snapshot's id.
    kind : {"search", "known-item sample", "portal export"}
        What the snapshot is.
    registry, processed_date, coverage : str
        Whose data, as of which day (ISO 8601), and what part of the registry in words.
    files : sequence of mapping
        In reading order. Each has ``name`` and ``records`` (how many it holds), and may have
        ``role`` ("records", the default, or "companion", or "rejected") and ``page_token`` (the
        token with which this page was asked for, ``None`` for the first).
    announced, retrieved : int
        The total the registry named (``None`` if it named none) and the total kept.
    query : mapping, optional
        The parameters as sent; ``None`` where nothing was searched.
    data_timestamp_before, data_timestamp_after : str, optional
        The registry's data version at the first and last request.
    attribution, modified, licence : str
        Whom to name, what was changed, under which terms.
    **further
        Further keys, written as they are.

    Returns
    -------
    Path
        The manifest.
    """
    folder = Path(folder)
    if kind not in KINDS:
        raise ValueError(f"kind is one of {KINDS}, not {kind!r}")
    listed = [
        {
            **entry,
            "sha256": sha256_of(folder / entry["name"]),
            "bytes": (folder / entry["name"]).stat().st_size,
        }
        for entry in files
    ]
    manifest = {
        "schema": SCHEMA,
        "id": folder.resolve().name,
        "kind": kind,
        "registry": registry,
        "processed_date": processed_date,
        "data_timestamp_before": data_timestamp_before,
        "data_timestamp_after": data_timestamp_after,
        "query": None if query is None else dict(query),
        "coverage": coverage,
        "announced": announced,
        "retrieved": retrieved,
        "files": listed,
        "attribution": attribution,
        "modified": modified,
        "licence": licence,
        **further,
    }
    with replacing(folder / MANIFEST) as stream:
        json.dump(manifest, stream, ensure_ascii=False, indent=2)
        stream.write("\n")
    return folder / MANIFEST


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a snapshot's manifest and check its shape, not yet the files it names.

    Parameters
    ----------
    folder : Path
        The snapshot.

    Returns
    -------
    dict
        The manifest; ``id`` falls back on the folder's name.

    Raises
    ------
    UnsealedError
        If there is no manifest, or it lists no files with digests.
    InputError
        If the folder is missing, or the manifest is not JSON or points outside the folder.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    if folder.is_file():
        raise UnsealedError("this is a file, not a snapshot folder", where=str(folder),
                            remedy=_SEAL_REMEDY)  # fmt: skip
    if not folder.is_dir():
        raise InputError("no such snapshot folder", where=str(folder), remedy="check the path")
    if not path.is_file():
        raise UnsealedError(
            f"the snapshot has no {MANIFEST}, so nothing vouches for its files",
            where=str(folder),
            remedy=_SEAL_REMEDY,
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"the manifest is not JSON ({error})", where=str(path), remedy="restore it"
        ) from error
    entries = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(entries, list) or not entries:
        raise UnsealedError(
            "the manifest lists no files",
            where=str(path),
            remedy='it needs "files": [{"name": …, "sha256": …}, …]',
        )
    for number, entry in enumerate(entries):
        name = entry.get("name") if isinstance(entry, dict) else None
        digest = entry.get("sha256") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not isinstance(digest, str):
            raise UnsealedError(
                f"files[{number}] lacks a name or a sha256", where=str(path), remedy="restore it"
            )
        if Path(name).name != name or name in ("", ".", ".."):
            raise InputError(
                f"files[{number}] points outside the snapshot: {name!r}",
                where=str(path),
                remedy="a snapshot holds its own files; use plain file names",
            )
    manifest.setdefault("id", folder.resolve().name)
    return manifest


def read_manifests(folders: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Return the manifest of each snapshot by its id, whatever its folder is called now.

    Parameters
    ----------
    folders : iterable of Path
        Snapshot folders.

    Raises
    ------
    InputError
        As `read_manifest`; or if two folders hold the same snapshot.
    """
    found: dict[str, dict[str, Any]] = {}
    for folder in folders:
        manifest = read_manifest(folder)
        if manifest["id"] in found:
            raise InputError(
                f"the snapshot {manifest['id']} is given twice", where=Path(folder).name
            )
        found[manifest["id"]] = manifest
    return found


def verify_snapshot(folder: Path) -> dict[str, Any]:
    """Check every file of a snapshot against its manifest.

    Parameters
    ----------
    folder : Path
        The snapshot.

    Returns
    -------
    dict
        The manifest, when every byte is as it was sealed.

    Raises
    ------
    InputError
        Naming the first file that is missing, empty, changed, or not listed.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    remedy = "restore the file; a snapshot is never edited, a new search makes a new one"
    for entry in manifest["files"]:
        path = folder / entry["name"]
        if not path.is_file():
            raise InputError("the manifest lists it, but it is missing", where=str(path),
                             remedy=remedy)  # fmt: skip
        if path.stat().st_size == 0:
            raise InputError("the file is empty (0 bytes)", where=str(path), remedy=remedy)
        digest = sha256_of(path)
        if digest != entry["sha256"].lower():
            raise InputError(
                f"the file is not the one that was sealed (sha256 {digest[:12]}…, "
                f"manifest {entry['sha256'][:12]}…)",
                where=str(path),
                remedy=remedy,
            )
    listed = {entry["name"] for entry in manifest["files"]} | {MANIFEST}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in NATIVE_SUFFIXES and path.name not in listed:
            raise InputError(
                "the file lies in the snapshot but the manifest does not list it",
                where=str(path),
                remedy="move it out of the snapshot folder",
            )
    return manifest


def files_of(manifest: Mapping[str, Any], role: str = "records") -> list[dict[str, Any]]:
    """Return the manifest's entries of one role ("records", "companion", "rejected"), in order."""
    return [entry for entry in manifest["files"] if entry.get("role", "records") == role]


def survey_unsealed(path: Path) -> dict[str, Any]:
    """List what a folder without a manifest, or a single file, holds.

    Parameters
    ----------
    path : Path
        A folder of native files, read in the natural order of their names (page-2 before page-10),
        or one native file.

    Returns
    -------
    dict
        ``id``, ``files`` (names only) and ``unsealed``: ``True``, since no byte can be checked.

    Raises
    ------
    InputError
        If there is no file that a reader knows.
    """
    path = Path(path)
    found = [path] if path.is_file() else sorted(path.iterdir(), key=_natural)
    native = [
        file.name
        for file in found
        if file.suffix.lower() in NATIVE_SUFFIXES and file.name not in (MANIFEST, COMPANION)
    ]
    if not native:
        raise InputError(
            f"nothing to read: no file ends in {', '.join(NATIVE_SUFFIXES)}",
            where=str(path),
            remedy="name a folder of API v2 pages or a portal export",
        )
    return {
        "id": path.resolve().name,
        "files": [{"name": name} for name in native],
        "unsealed": True,
    }


def _natural(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", path.name)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


@contextmanager
def new_snapshot(folder: Path) -> Iterator[Path]:
    """Make a snapshot folder that appears when it is whole.

    Parameters
    ----------
    folder : Path
        Must not exist.

    Yields
    ------
    Path
        An empty folder beside it, with the same name inside a hidden one; it takes the place of
        `folder` when the block succeeds and is removed when it raises.

    Raises
    ------
    InputError
        If `folder` exists: a finished snapshot is never changed.
    """
    folder = Path(folder)
    if folder.exists():
        raise InputError(
            "it exists, and a finished snapshot is never changed",
            where=str(folder),
            remedy="name another folder, or remove this one first",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as hidden:
        building = Path(hidden) / folder.name
        building.mkdir()
        yield building
        building.rename(folder)
