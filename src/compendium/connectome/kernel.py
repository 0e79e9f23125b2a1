"""Correlate stored rows with seeds' series, block by block, at the speed of the hardware.

A block of rows is read, widened to float32 and multiplied with all seeds at once while it is in
the processor's cache; so are the correlations while they become Fisher z. Few and long calls do
all of it, because threads wait for each other whenever a call returns. Nothing that grows with the
number of subjects or locations is kept here.

The blocks always start at multiples of `BLOCK`, whatever range is asked for, so that a value does
not depend on how the work was cut.
"""

import os
from collections.abc import Iterator
from functools import cache
from typing import IO

import numpy as np
from threadpoolctl import threadpool_info

from compendium.connectome.fisher import mean_z
from compendium.connectome.products import WIDENED, correlate, correlate_integers
from compendium.connectome.series import SeedSeries
from compendium.connectome.store import Store, StoredSubject, fill

BLOCK = 4096  # locations read at a time
AHEAD = 4  # blocks that are on their way from the disk while one is worked on
IN_CACHE = 131_072  # values worked on at a time
# on these OpenBLAS multiplies small matrices without first packing them, which suits thin products
UNPACKED, SMALL_PRODUCT, SMALL_ROWS = {"SkylakeX", "Cooperlake", "SapphireRapids"}, 1_000_000, 256
VERSION = 5  # to be raised with every change that changes a number


class Kernel:
    """Working memory for one thread.

    Parameters
    ----------
    store : Store
        The prepared connectome.
    n_seeds : int
        Seeds in every series.
    rule : {"fisher-z", "mean-r"}
        Whether each run's r becomes z before the runs are averaged, or after.
    """

    def __init__(self, store: Store, n_seeds: int, rule: str) -> None:
        self.store = store
        self.rule = rule
        self._n_seeds = n_seeds
        widest = max(subject.n_columns for subject in store.subjects)
        self._stored = np.zeros(BLOCK * widest, store.dtype)
        self._rows = min(BLOCK, max(64, IN_CACHE // n_seeds // 64 * 64))
        self._wide = np.zeros(WIDENED * widest, np.float32)
        most_runs = max(len(subject.runs) for subject in store.subjects)
        self._r = np.zeros((most_runs, self._rows, n_seeds), np.float32)
        self._from_disk = False  # until something is found not to be in memory
        self._value, self._more = (np.zeros((self._rows, n_seeds), np.float32) for _ in range(2))

    def blocks(
        self, subject: StoredSubject, series: SeedSeries, start: int, stop: int
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray | None]]:
        """Yield the subject's values block by block.

        Parameters
        ----------
        subject : StoredSubject
            Whose rows.
        series : SeedSeries
            The seeds' series in this subject.
        start, stop : int
            Range of locations; `start` is a multiple of `BLOCK`.

        Yields
        ------
        where : slice
            Locations of the block.
        value : ndarray, shape (n_rows, n_seeds), float32
            Fisher z (rule "fisher-z") or mean r (rule "mean-r"); overwritten by the next block.
        known : ndarray, shape (n_rows, n_seeds), bool, or None
            False where the location or the seed has no signal; None if everything is known.
        """
        has_signal = np.isfinite(subject.sd()[start:stop]) if subject.n_missing else None
        # a run counts the same for every seed, unless it lacks the signal of one
        alike = (series.weights == series.weights[:, :1]).all() and (series.weights > 0).all()
        for first, stored in self._read(subject, start, stop):
            count = min(BLOCK, stop - first)
            for low in range(0, count, self._rows):
                high = min(low + self._rows, count)
                where = slice(first + low, first + high)
                signal = None
                if has_signal is not None:
                    signal = has_signal[where.start - start : where.stop - start]
                # past the end stand rows of before: a product always has the same shape
                self._correlate(stored[low : low + self._rows], subject, series)
                if alike and (signal is None or signal.all()):
                    runs = len(subject.runs)
                    self._average(self._r[:runs], series.weights[:, 0], self._value)
                    known = None
                else:
                    known = self._average_known(series, signal, high - low)
                yield where, self._value[: high - low], known

    def _read(
        self, subject: StoredSubject, start: int, stop: int
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the first location and the rows of each block, while the next are on their way."""
        stored = self._stored[: BLOCK * subject.n_columns].reshape(BLOCK, -1)
        row_bytes = stored.itemsize * subject.n_columns
        asked = start  # up to where the system was asked to read ahead
        with subject.path.open("rb", buffering=0) as stream:
            for first in range(start, stop, BLOCK):
                view = memoryview(stored[: min(BLOCK, stop - first)]).cast("B")
                place = subject.offset + first * row_bytes
                done = _read_from_memory(stream, view, place)
                self._from_disk |= done < len(view)
                if self._from_disk:
                    ahead = min(first + (1 + AHEAD) * BLOCK, stop)
                    _ask_for(stream, subject, max(asked, first), ahead)
                    asked = ahead
                    stream.seek(place + done)
                    fill(view[done:], stream, subject)
                yield first, stored

    def prefetch(self, subject: StoredSubject, start: int) -> None:
        """Ask the system for the first blocks of a subject that comes next."""
        if self._from_disk:
            with subject.path.open("rb", buffering=0) as stream:
                _ask_for(stream, subject, start, start + AHEAD * BLOCK)

    def _correlate(self, stored: np.ndarray, subject: StoredSubject, series: SeedSeries) -> None:
        """Correlate a block with the seeds, run by run."""
        bounds, at_once = subject.bounds, self._rows_a_product(subject)
        if stored.dtype == np.float32:
            correlate(stored, series.unit, bounds, at_once, self._r)
        else:
            correlate_integers(stored, series.unit, bounds, at_once, self._wide, self._r)

    def _rows_a_product(self, subject: StoredSubject) -> int:
        """Return how many rows are multiplied at once."""
        if not _multiplies_unpacked():
            return self._rows
        longest = max(run.stop - run.start for run in subject.runs)
        rows = min(SMALL_ROWS, SMALL_PRODUCT // (longest * self._n_seeds)) // 16 * 16
        return rows if rows >= 64 else self._rows

    def _average(self, r: np.ndarray, weights: np.ndarray, out: np.ndarray) -> None:
        """Write the weighted sum of runs: of Fisher z, or of r under the rule "mean-r"."""
        if self.rule == "fisher-z":
            mean_z(r, weights, out)
        else:
            np.einsum("r,rls->ls", weights, r, out=out)

    def _average_known(
        self, series: SeedSeries, signal: np.ndarray | None, rows: int
    ) -> np.ndarray:
        """Average the runs in which both the location and the seed have signal."""
        value = self._value[:rows]
        value[:] = 0
        total = np.zeros_like(value)
        for number, weights in enumerate(series.weights):
            weight = np.broadcast_to(weights, value.shape)
            if signal is not None:
                weight = weight * signal[:, number, None]
            self._average(self._r[number : number + 1], np.ones(1, np.float32), self._more)
            value += weight * self._more[:rows]
            total += weight
        known = total > 0
        np.divide(value, total, out=value, where=known)
        return known


def to_z(r: np.ndarray) -> np.ndarray:
    """Return Fisher z of correlations, shape (n_rows, n_seeds), held below an |r| of 1."""
    z = np.empty_like(r)
    mean_z(r[None], np.ones(1, np.float32), z)
    return z


def _read_from_memory(stream: IO[bytes], view: memoryview, place: int) -> int:
    """Read what the system holds in memory, without waiting for the disk; return how much."""
    if not hasattr(os, "RWF_NOWAIT"):
        return 0
    try:
        return os.preadv(stream.fileno(), [view], place, os.RWF_NOWAIT)
    except OSError:  # nothing of it is there, or this file system cannot tell
        return 0


def _ask_for(stream: IO[bytes], subject: StoredSubject, start: int, stop: int) -> None:
    """Ask the system to read a range of locations ahead, where it can be asked.

    It may read no more than about a megabyte at one call, so each block is asked for on its own.
    """
    if hasattr(os, "posix_fadvise"):
        row_bytes = subject.dtype.itemsize * subject.n_columns
        for first in range(start, stop, BLOCK):
            place = subject.offset + first * row_bytes
            os.posix_fadvise(stream.fileno(), place, BLOCK * row_bytes, os.POSIX_FADV_WILLNEED)


@cache
def _multiplies_unpacked() -> bool:
    return any(library.get("architecture") in UNPACKED for library in threadpool_info())
