"""What large outputs need of a disk: room, said and checked beforehand."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from compendium.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SPARE = 64 * 2**20  # bytes left free


def free_bytes(folder: Path) -> int:
    """Return how many bytes are free on the disk that holds a folder."""
    return shutil.disk_usage(folder).free


def refuse_if_too_small(folder: Path, need: int) -> None:
    """Raise `InputError` unless `need` bytes fit on the disk that holds `folder`."""
    free = free_bytes(folder)
    if need + SPARE > free:
        raise InputError(
            f"about {need / 1e9:.2f} GB are needed and {free / 1e9:.2f} GB are free",
            where=str(folder),
            remedy="free some space, or name a folder on a larger disk",
        )


@contextmanager
def explaining_full_disk(folder: Path) -> Iterator[None]:
    """Turn the error of a full disk into a message; whole files stay, half ones are gone."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise InputError(
            f"the disk is full ({error.strerror})",
            where=str(folder),
            remedy="free some space and run the same command again; it goes on where it stopped",
        ) from error
