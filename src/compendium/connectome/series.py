"""The mean raw series of every seed in every subject, ready to be multiplied with a store's rows.

They are worked out once and kept in one flat file, because a thousand seeds in a thousand
subjects do not fit in memory.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from compendium.connectome.disk import explaining_full_disk
from compendium.connectome.model import Space
from compendium.connectome.products import add_up_rows
from compendium.connectome.seeds import Seed, seed_matrix
from compendium.connectome.store import Store, StoredSubject

PRESENT = 0.5  # share of a seed's weight that must have signal in a run
RULES = ("fisher-z", "mean-r")


@dataclass(frozen=True)
class SeedWeights:
    """What seeds are made of, the same for every subject.

    Attributes
    ----------
    locations : ndarray of int, ascending
        Locations that any seed has.
    matrix : csr_array, shape (n_seeds, n_used_locations)
        Each seed's weights on them.
    """

    locations: np.ndarray
    matrix: sp.csr_array


def seed_weights(seeds: Sequence[Seed], space: Space) -> SeedWeights:
    """Return the weights of several seeds on the locations that they have."""
    matrix = seed_matrix(seeds, space)
    used = np.unique(matrix.indices)
    return SeedWeights(used, matrix[:, used])


@dataclass(frozen=True)
class SeedSeries:
    """One subject's seeds.

    Attributes
    ----------
    unit : ndarray, shape (n_columns, n_seeds), float32
        Series of length 1 within each run, times the store's scale, so that a product with a
        stored row is a correlation; 0 where the seed has no signal in the run.
    weights : ndarray, shape (n_runs, n_seeds), float32
        Weight of each run in the subject's value; they sum to 1 over the runs in which the seed
        has signal, and are all 0 if there is none.
    """

    unit: np.ndarray
    weights: np.ndarray


def seed_series(store: Store, subject: StoredSubject, seeds: SeedWeights, rule: str) -> SeedSeries:
    """Return the seeds' mean raw series in one subject.

    Parameters
    ----------
    store : Store
        The prepared connectome.
    subject : StoredSubject
        One of its subjects.
    seeds : SeedWeights
        Over the store's locations.
    rule : {"fisher-z", "mean-r"}
        How runs will be combined: Fisher z weighted by its inverse variance, the run's degrees of
        freedom less 2 (n - 3 where only the mean was taken out; see `connectome.cleaning`); or
        every run alike.

    Returns
    -------
    SeedSeries
        A location without signal is left out of the seed's mean; a seed that has lost half its
        weight has no signal.
    """
    used, matrix = seeds.locations, seeds.matrix
    size = np.nan_to_num(subject.sd()[used].astype(float))
    raw = np.empty((matrix.shape[0], subject.n_columns))
    add_up_rows(
        subject.rows_at(used), used, matrix.indptr, matrix.indices, matrix.data, size,
        subject.bounds, raw,
    )  # fmt: skip
    weights = np.zeros((len(subject.runs), matrix.shape[0]))
    for number, run in enumerate(subject.runs):
        of_run = raw[:, run.start : run.stop]
        present = matrix @ (size[:, number] > 0).astype(float) > PRESENT
        length = np.linalg.norm(of_run, axis=1)
        present &= length > 0
        of_run /= np.where(present, length, np.inf)[:, None]
        weights[number, present] = run.df - 2 if rule == "fisher-z" else 1
    total = weights.sum(axis=0)
    weights /= np.where(total > 0, total, 1)
    unit = np.ascontiguousarray(raw.T * store.scale, np.float32)
    return SeedSeries(unit, weights.astype(np.float32))


class SeriesFile:
    """The seeds' series of many subjects in one file.

    Parameters
    ----------
    path : Path
        The file; made on first use.
    subjects : sequence of StoredSubject
        In the order of the file.
    n_seeds : int
        Seeds in each.
    """

    def __init__(self, path: Path, subjects: Sequence[StoredSubject], n_seeds: int) -> None:
        self.path = path.absolute()  # a worker may have been started elsewhere
        self.n_seeds = n_seeds
        sizes = [subject.n_columns + len(subject.runs) for subject in subjects]
        starts = np.concatenate([[0], np.cumsum(sizes)]) * n_seeds * 4
        self._places = {
            subject.id: (int(start), subject.n_columns, size)
            for subject, start, size in zip(subjects, starts, sizes, strict=False)
        }
        path.touch()

    def write(
        self, store: Store, subjects: Iterable[StoredSubject], weights: SeedWeights, rule: str
    ) -> None:
        """Work out and write some subjects' series; writing twice changes nothing.

        Raises
        ------
        InputError
            If the disk is full.
        """
        with explaining_full_disk(self.path.parent), self.path.open("r+b") as stream:
            for subject in subjects:
                series = seed_series(store, subject, weights, rule)
                stream.seek(self._places[subject.id][0])
                stream.write(np.vstack([series.unit, series.weights]).tobytes())

    def read(self, subject: StoredSubject) -> SeedSeries:
        """Return one subject's series."""
        start, n_columns, size = self._places[subject.id]
        flat = np.fromfile(self.path, np.float32, size * self.n_seeds, offset=start)
        both = flat.reshape(size, self.n_seeds)
        return SeedSeries(both[:n_columns], both[n_columns:])
