"""Correlate stored rows with seeds' series, block by block, at the speed of the hardware.

A block of rows is read, widened to float32 and multiplied with all seeds at once while it is in
the processor's cache; the correlations become Fisher z in place. Nothing that grows with the
number of subjects or locations is kept here.

Fisher z is half the logarithm of (1 + r) / (1 - r). It is worked out in that form, because numpy
has vector instructions for the logarithm on every processor but for arctanh only on some; and runs
of the same weight share one logarithm, that of the product of their ratios.

The blocks always start at multiples of `BLOCK`, whatever range is asked for, so that a value does
not depend on how the work was cut.
"""

import os
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import IO

import numpy as np
from threadpoolctl import threadpool_info

from compendium.connectome.series import SeedSeries
from compendium.connectome.store import Store, StoredSubject, fill

BLOCK = 2048  # locations read at a time
AHEAD = 4  # blocks that are on their way from the disk while one is worked on
IN_CACHE = 65_536  # values worked on at a time
WIDENED = 1024  # rows that are widened to float32 at a time
LIMIT = np.float32(1 - 1e-6)  # |r| is held below, so that z is finite where a seed meets itself
# on these OpenBLAS multiplies small matrices without first packing them, which suits thin products
UNPACKED, SMALL_PRODUCT, SMALL_ROWS = {"SkylakeX", "Cooperlake", "SapphireRapids"}, 1_000_000, 256
SHARING = 6  # runs in one logarithm: at the limit of |r| a product of more leaves float32
VERSION = 2  # to be raised with every change that changes a number


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
        self._value, self._more, self._spare = (
            np.zeros((self._rows, n_seeds), np.float32) for _ in range(3)
        )

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
        seeds_known = (series.weights > 0).all()
        sharing = _runs_of_equal_weight(series.weights)
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
                if seeds_known and (signal is None or signal.all()):
                    self._average(series, sharing)
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

    def _average(self, series: SeedSeries, sharing: list[slice]) -> None:
        """Average all runs."""
        for runs in sharing:
            part = self._value if runs.start == 0 else self._more
            self._sum(self._r[runs], part)
            part *= series.weights[runs.start]
            if runs.start:
                self._value += part

    def _sum(self, runs: list[np.ndarray], out: np.ndarray) -> None:
        """Add up r (rule "mean-r") or Fisher z over runs, which are overwritten."""
        if self.rule == "fisher-z":
            _sum_of_z(runs, out, self._spare)
            return
        np.copyto(out, runs[0])
        for r in runs[1:]:
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
            self._sum([self._r[number]], self._more)
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
    """Return Fisher z of correlations, held below an |r| of 1."""
    z = np.empty_like(r)
    _sum_of_z([r.copy()], z, z)
    return z


def _sum_of_z(runs: list[np.ndarray], out: np.ndarray, spare: np.ndarray) -> None:
    """Write the sum over runs of Fisher z into `out`; the runs are overwritten."""
    below = runs[0]
    np.clip(below, -LIMIT, LIMIT, out=below)
    np.add(below, 1, out=out)
    np.subtract(1, below, out=below)
    for r in runs[1:]:
        np.clip(r, -LIMIT, LIMIT, out=r)
        np.add(r, 1, out=spare)
        out *= spare
        np.subtract(1, r, out=r)
        below *= r
    out /= below
    np.log(out, out=out)
    out *= np.float32(0.5)


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


def _runs_of_equal_weight(weights: np.ndarray) -> list[slice]:
    """Return neighbouring runs that have the same weights, not more than may share a logarithm."""
    starts = [0]
    for number in range(1, len(weights)):
        same = np.array_equal(weights[number], weights[starts[-1]])
        if not same or number - starts[-1] == SHARING:
            starts.append(number)
    return [slice(start, stop) for start, stop in pairwise([*starts, len(weights)])]
