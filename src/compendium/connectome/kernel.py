"""Correlate stored rows with seeds' series, block by block, at the speed of the hardware.

A block of rows is read, widened to float32 and multiplied with all seeds at once while it is in
the processor's cache; so are the correlations while they become Fisher z. Nothing that grows with
the number of subjects or locations is kept here.

The blocks always start at multiples of `BLOCK`, whatever range is asked for, so that a value does
not depend on how the work was cut.
"""

import os
from collections.abc import Iterator
from functools import cache
from typing import IO

import numpy as np
from threadpoolctl import threadpool_info

from compendium.connectome.fisher import add_z
from compendium.connectome.series import SeedSeries
from compendium.connectome.store import Store, StoredSubject, fill

BLOCK = 2048  # locations read at a time
AHEAD = 4  # blocks that are on their way from the disk while one is worked on
IN_CACHE = 65_536  # values worked on at a time
WIDENED = 1024  # rows that are widened to float32 at a time
# on these OpenBLAS multiplies small matrices without first packing them, which suits thin products
UNPACKED, SMALL_PRODUCT, SMALL_ROWS = {"SkylakeX", "Cooperlake", "SapphireRapids"}, 1_000_000, 256
VERSION = 3  # to be raised with every change that changes a number


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
        self._wide = np.zeros(self._rows * widest, np.float32)
        most_runs = max(len(subject.runs) for subject in store.subjects)
        self._r = [np.zeros((self._rows, n_seeds), np.float32) for _ in range(most_runs)]
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
                    self._average(series.weights[:, 0])
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
        with subject.path.open("rb", buffering=0) as stream:
            _ask_for(stream, subject, start, min(start + AHEAD * BLOCK, stop))
            stream.seek(subject.offset + start * row_bytes)
            for first in range(start, stop, BLOCK):
                coming = first + AHEAD * BLOCK
                _ask_for(stream, subject, coming, min(coming + BLOCK, stop))
                part = stored[: min(BLOCK, stop - first)]
                fill(memoryview(part).cast("B"), stream, subject)
                yield first, stored

    def prefetch(self, subject: StoredSubject, start: int) -> None:
        """Ask the system for the first blocks of a subject that comes next."""
        with subject.path.open("rb", buffering=0) as stream:
            _ask_for(stream, subject, start, start + AHEAD * BLOCK)

    def _correlate(self, stored: np.ndarray, subject: StoredSubject, series: SeedSeries) -> None:
        """Correlate a block with the seeds, run by run."""
        rows = self._rows_a_product(subject)
        together = max(rows, WIDENED // rows * rows)
        for first in range(0, len(stored), together):
            part = stored[first : first + together]
            wide = part
            if part.dtype != np.float32:
                # only as many rows as stay in the cache until they are multiplied
                wide = self._wide[: part.size].reshape(part.shape)
                np.copyto(wide, part)
            for run, r in zip(subject.runs, self._r, strict=False):
                columns = slice(run.start, run.stop)
                out = r[first : first + len(part)]
                _multiply(wide[:, columns], series.unit[columns], out, rows)

    def _rows_a_product(self, subject: StoredSubject) -> int:
        """Return how many rows are multiplied at once."""
        if not _multiplies_unpacked():
            return self._rows
        longest = max(run.stop - run.start for run in subject.runs)
        rows = min(SMALL_ROWS, SMALL_PRODUCT // (longest * self._n_seeds)) // 16 * 16
        return rows if rows >= 64 else self._rows

    def _average(self, weights: np.ndarray) -> None:
        """Average all runs."""
        self._value.fill(0)
        for r, weight in zip(self._r, weights, strict=False):
            self._add(r, weight, self._value)

    def _add(self, r: np.ndarray, weight: np.float32, out: np.ndarray) -> None:
        """Add a run's r (rule "mean-r", which overwrites it) or Fisher z, weighted."""
        if self.rule == "fisher-z":
            add_z(r, weight, out)
        else:
            r *= weight
            out += r

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
            self._more.fill(0)
            self._add(self._r[number], np.float32(1), self._more)
            value += weight * self._more[:rows]
            total += weight
        known = total > 0
        np.divide(value, total, out=value, where=known)
        return known


def _multiply(rows: np.ndarray, seeds: np.ndarray, out: np.ndarray, at_once: int) -> None:
    """Write the product of rows and seeds, so many rows a product, with one call for all of them.

    Every call gives the interpreter's lock away and waits to have it back: two threads that call
    often spend their time handing it over.
    """
    whole = len(rows) // at_once * at_once
    if whole:
        np.matmul(
            rows[:whole].reshape(-1, at_once, rows.shape[1]),
            seeds,
            out=out[:whole].reshape(-1, at_once, out.shape[1]),
        )
    if whole < len(rows):
        np.matmul(rows[whole:], seeds, out=out[whole:])


def to_z(r: np.ndarray) -> np.ndarray:
    """Return Fisher z of correlations, shape (n_rows, n_seeds), held below an |r| of 1."""
    z = np.zeros_like(r)
    add_z(r, np.float32(1), z)
    return z


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
