"""Correlate stored rows with seeds' series, block by block, at the speed of the hardware.

A block of rows is read, widened to float32 and multiplied with all seeds at once while it is in
the processor's cache; the correlations become Fisher z in place. Nothing that grows with the
number of subjects or locations is kept here.

The blocks always start at multiples of `BLOCK`, whatever range is asked for, so that a value does
not depend on how the work was cut.
"""

import os
from collections.abc import Iterator

import numpy as np

from compendium.connectome.series import SeedSeries
from compendium.connectome.store import Store, StoredSubject, ends_early
from compendium.errors import InputError

BLOCK = 2048
LIMIT = np.float32(1 - 1e-6)  # |r| is held below, so that z is finite where a seed meets itself
# OpenBLAS multiplies small matrices without first packing them; thin products are faster that way
SMALL_PRODUCT, SMALL_ROWS = 1_000_000, 256
VERSION = 1  # to be raised with every change that changes a number


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
        self._wide = np.zeros(BLOCK * widest, np.float32)
        self._r = np.zeros((BLOCK, n_seeds), np.float32)
        self._offsets: dict[str, int] = {}
        self._value = np.zeros((BLOCK, n_seeds), np.float32)

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
        stored = self._stored[: BLOCK * subject.n_columns].reshape(BLOCK, -1)
        wide = stored
        if stored.dtype != np.float32:
            wide = self._wide[: stored.size].reshape(stored.shape)
        row_bytes = stored.itemsize * subject.n_columns
        with subject.path.open("rb", buffering=0) as stream:
            if subject.id not in self._offsets:
                self._offsets[subject.id] = _offset(stream, subject)
            stream.seek(self._offsets[subject.id] + start * row_bytes)
            for first in range(start, stop, BLOCK):
                rows = min(BLOCK, stop - first)
                view = memoryview(stored[:rows]).cast("B")
                _fill(stream, view, subject)
                if wide is not stored:
                    np.copyto(wide[:rows], stored[:rows])
                signal = None if has_signal is None else has_signal[first - start :][:rows]
                if seeds_known and (signal is None or signal.all()):
                    self._average(wide, subject, series)
                    known = None
                else:
                    known = self._average_known(wide, subject, series, signal, rows)
                yield slice(first, first + rows), self._value[:rows], known

    def prefetch(self, subject: StoredSubject, start: int, stop: int) -> None:
        """Ask the system to read a subject's rows ahead, where it can be asked."""
        if hasattr(os, "posix_fadvise"):
            row_bytes = self.store.dtype.itemsize * subject.n_columns
            with subject.path.open("rb", buffering=0) as stream:
                os.posix_fadvise(
                    stream.fileno(),
                    start * row_bytes,
                    (stop - start) * row_bytes,
                    os.POSIX_FADV_WILLNEED,
                )

    def _average(self, wide: np.ndarray, subject: StoredSubject, series: SeedSeries) -> None:
        for number, run in enumerate(subject.runs):
            target = self._r if number else self._value
            _multiply(wide, series.unit, run.start, run.stop, target)
            if self.rule == "fisher-z":
                _to_z(target)
            target *= series.weights[number]
            if number:
                self._value += target

    def _average_known(
        self,
        wide: np.ndarray,
        subject: StoredSubject,
        series: SeedSeries,
        signal: np.ndarray | None,
        rows: int,
    ) -> np.ndarray:
        """Average the runs in which both the location and the seed have signal."""
        value = self._value[:rows]
        value[:] = 0
        total = np.zeros_like(value)
        for number, run in enumerate(subject.runs):
            _multiply(wide, series.unit, run.start, run.stop, self._r)
            if self.rule == "fisher-z":
                _to_z(self._r)
            weight = np.broadcast_to(series.weights[number], value.shape)
            if signal is not None:
                weight = weight * signal[:, number, None]
            value += weight * self._r[:rows]
            total += weight
        known = total > 0
        np.divide(value, total, out=value, where=known)
        return known


def _multiply(wide: np.ndarray, unit: np.ndarray, start: int, stop: int, out: np.ndarray) -> None:
    n_seeds = unit.shape[1]
    rows = min(SMALL_ROWS, SMALL_PRODUCT // ((stop - start) * n_seeds)) // 16 * 16
    if rows < 64:
        rows = BLOCK
    seeds = unit[start:stop]
    for first in range(0, BLOCK, rows):
        last = first + rows
        np.matmul(wide[first:last, start:stop], seeds, out=out[first:last])


def _to_z(r: np.ndarray) -> None:
    np.clip(r, -LIMIT, LIMIT, out=r)
    np.arctanh(r, out=r)


def to_z(r: np.ndarray) -> np.ndarray:
    """Return Fisher z of correlations, held below an |r| of 1."""
    z = r.copy()
    _to_z(z)
    return z


def _offset(stream: object, subject: StoredSubject) -> int:
    """Return where the numbers of a .npy begin."""
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise InputError(
            f"not a file of this store (.npy version {version})", where=str(subject.path)
        )
    np.lib.format.read_array_header_1_0(stream)
    return stream.tell()


def _fill(stream: object, view: memoryview, subject: StoredSubject) -> None:
    while view:
        count = stream.readinto(view)
        if not count:
            raise ends_early(subject)
        view = view[count:]
