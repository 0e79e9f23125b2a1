"""Files that are whole or absent, and their digests."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from compendium.errors import InputError


@contextmanager
def replacing(path: Path, mode: str = "w") -> Iterator[IO]:
    """Open a temporary neighbour of `path` and rename it to `path` when the block succeeds.

    Parameters
    ----------
    path : Path
        The file to create or replace. Missing parent folders are made.
    mode : {"w", "wb"}
        Text (UTF-8, Unix line ends) or bytes.

    Yields
    ------
    IO
        The open temporary file. If the block raises, it is removed and `path` is as it was.

    Raises
    ------
    InputError
        If the folder is one in which no file can be made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except FileNotFoundError as error:  # the folder is there, but takes no files: /proc
        raise InputError(
            "no file can be made in this folder",
            where=str(path.parent),
            remedy="give another place",
        ) from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, mode, **text) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes files private; what is published is readable like any other file
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sha256_of(path: Path) -> str:
    """Return the SHA-256 digest of a file as 64 hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
