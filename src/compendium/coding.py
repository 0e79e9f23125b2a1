"""A coder's sheet: JSON Lines, one registration a line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from compendium.errors import InputError


class Entry(NamedTuple):
    """What a coder wrote about one registration.

    Attributes
    ----------
    record_id : str
        The registration.
    said : dict
        The whole line.
    place : str
        File and line, for messages.
    """

    record_id: str
    said: dict[str, Any]
    place: str


def read_sheet(path: Path) -> Iterator[Entry]:
    """Read a coder's sheet line by line; empty lines are passed over.

    Parameters
    ----------
    path : Path
        JSON Lines; each line is an object with ``record_id`` or ``nct_id``.

    Yields
    ------
    Entry

    Raises
    ------
    InputError
        If there is no such file, or with file and line of a line that is no JSON object or names no
        registration.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such file", where=str(path), remedy="name a coder's JSON Lines file")
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            said = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"not JSON: {error.msg}", where=place) from error
        if not isinstance(said, dict):
            raise InputError("not a JSON object", where=place, remedy="write one {…} a line")
        identity = said.get("record_id") or said.get("nct_id")
        if not identity:
            raise InputError("no record_id and no nct_id", where=place)
        yield Entry(str(identity), said, place)
