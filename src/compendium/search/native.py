"""What every registry reader hands on: a record as it came, or a note of why it could not."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compendium.errors import InputError
from compendium.normalise.text import storable

EXCERPT_LENGTH = 200


class MalformedRecordError(ValueError):
    """One record cannot be read, while the file around it can.

    Parameters
    ----------
    code : str
        Short reason, such as ``"wrong-type"``; tables are counted by it.
    what : str
        The reason in words, with the value that is wrong.
    """

    def __init__(self, code: str, what: str) -> None:
        self.code = code
        super().__init__(f"{code}: {what}")


@dataclass(frozen=True)
class NativeRecord:
    """One registration as the registry answered it.

    Attributes
    ----------
    location : str
        Where in its file it stands, such as ``"studies[12]"`` or ``"line 31"``.
    content : Mapping
        The study as JSON (ClinicalTrials.gov) or field name → text (WHO portal).
    """

    location: str
    content: Mapping[str, Any]


@dataclass(frozen=True)
class RejectedRecord:
    """A record that could not be read; it is listed, never dropped.

    Attributes
    ----------
    location, record_id, reason, excerpt : str
        Where it stands, what it calls itself (may be empty), ``"code: words"``, and its beginning.
    """

    location: str
    record_id: str
    reason: str
    excerpt: str


def excerpt(text: str) -> str:
    """Return the beginning of a text on one line, short enough for a table."""
    line = " ".join(storable(text).split())
    return line if len(line) <= EXCERPT_LENGTH else line[: EXCERPT_LENGTH - 1] + "…"


def refuse_foreign(path: Path, wanted: str) -> None:
    """Refuse a file that is empty, or a web page in place of data.

    Parameters
    ----------
    path : Path
        The file.
    wanted : str
        What it should hold, for the message.

    Raises
    ------
    InputError
        If the file is missing, has no bytes, or begins like an HTML page.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such file", where=str(path), remedy="check the name")
    with path.open("rb") as stream:
        start = stream.read(2048)
    if not start.strip():
        raise InputError(
            "the file is empty (nothing but blanks)" if start else "the file is empty (0 bytes)",
            where=str(path),
            remedy="fetch it again",
        )
    head = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html")) or b"<html" in head[:1024]:
        raise InputError(
            f"this is a web page, not {wanted}",
            where=str(path),
            remedy="open it in a browser to see what the server said, then fetch the data again",
        )
