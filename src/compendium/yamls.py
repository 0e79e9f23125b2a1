"""YAML that knows its own line numbers, so that a fault in a protocol is named where it stands."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from compendium.errors import InputError

Key = str | int


def load_yaml(path: Path) -> CommentedMap:
    """Read a YAML file (version 1.2), keeping the line of every key.

    Parameters
    ----------
    path : Path
        UTF-8. A date written bare (2020-07-28) comes back as `datetime.date`.

    Returns
    -------
    CommentedMap
        Behaves as a dict; `line_of` and `fail` read the line numbers it carries.

    Raises
    ------
    InputError
        If the file is missing, is not UTF-8, is not YAML, repeats a key or holds no mapping; the
        message has the line where there is one.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such file", where=str(path), remedy="see data/protocol for the layout")
    try:
        data = YAML(typ="rt", pure=True).load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(
            f"byte {error.start} is not UTF-8", where=str(path), remedy="save the file as UTF-8"
        ) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise InputError(
            str(error.problem or error.context or "not YAML").splitlines()[0], where=where
        ) from error
    except YAMLError as error:
        raise InputError(str(error).splitlines()[0], where=str(path)) from error
    if not isinstance(data, CommentedMap):
        raise InputError(
            "the file is empty" if data is None else "the file does not begin with `key: value`",
            where=str(path),
        )
    return data


def line_of(data: object, keys: Sequence[Key]) -> int | None:
    """Return the line (counted from 1) of the deepest of `keys` that the file has.

    Parameters
    ----------
    data : mapping
        What `load_yaml` returned: the whole file, not a part of it.
    keys : sequence of str or int
        The way down: names of mappings, positions in lists.

    Returns
    -------
    int or None
        None if not even the first key is there.
    """
    line = None
    for key in keys:
        known = isinstance(data, CommentedMap) and key in data
        known = known or (
            isinstance(data, CommentedSeq) and isinstance(key, int) and 0 <= key < len(data)
        )
        if not known:
            break
        line = data.lc.data[key][0] + 1
        data = data[key]
    return line


def fail(path: Path, data: object, keys: Sequence[Key], what: str, *, remedy: str = "") -> NoReturn:
    """Raise an `InputError` that names file, line and key.

    Parameters
    ----------
    path : Path
        The file.
    data : mapping
        What `load_yaml` returned for it.
    keys : sequence of str or int
        The key at fault, from the top; a key that is missing from the file is named and the line
        of the nearest key above it is given.
    what : str
        What is wrong.
    remedy : str, optional
        The way out.
    """
    line = line_of(data, keys)
    place = f"{path}:{line}" if line else str(path)
    raise InputError(what, where=f"{place}: {dotted(keys)}" if keys else place, remedy=remedy)


def dotted(keys: Sequence[Key]) -> str:
    """Write a way down as people read it.

    Examples
    --------
    >>> dotted(["concepts", "pain", "terms", 3, "reason"])
    'concepts.pain.terms[3].reason'
    """
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")


def plain(data: object) -> object:
    """Return the same data as plain dicts, lists and scalars, without line numbers."""
    if isinstance(data, Mapping):
        return {plain(key): plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [plain(value) for value in data]
    for kind in (bool, int, float, str):
        if isinstance(data, kind):
            return kind(data)
    return data
