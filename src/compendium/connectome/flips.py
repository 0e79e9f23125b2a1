"""Family-wise inference by flipping subjects' signs, streamed from the store.

If a seed and a location are not connected, a subject's Fisher z is as likely to be positive as
negative. Flipping signs at random and noting the largest t of the whole map each time gives the
distribution that an observed t must beat anywhere (Nichols and Holmes 2002).

No map of any subject is kept: for a block of locations the z of all subjects are made, all flips
are one matrix product, and only the largest value of each flip goes on to the next block. The sum
of squares does not change with a flip, so the product of signs and z divided by its root is
monotone in t, and t is worked out for the largest values only.

At a location that n of the subjects know, one flip in 2 ** (n - 1) leaves t as it is, and a t of
few subjects can be enormous: one such location would set the threshold of the whole map. Locations
that fewer subjects know than `fewest_known` says are therefore not tested, neither in the null
distribution nor in p.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from tqdm import tqdm

from compendium.connectome.kernel import BLOCK, Kernel, to_z
from compendium.connectome.mapping import all_series, check_seeds
from compendium.connectome.scale import SHARDS_PER_WORKER, Workers, local_workers, nothing, split
from compendium.connectome.seeds import Seed
from compendium.connectome.series import SeriesFile
from compendium.connectome.store import Store
from compendium.errors import InputError

BUDGET = 256 * 2**20  # bytes of z that one worker keeps at a time
FLIPS_AT_A_TIME = 128  # so that their products stay in the processor's cache
FEWEST_SUBJECTS = 6  # of 5, one flip in 16 leaves all as it is
LEVEL = 0.05  # the p that flips must be able to reach
ROUNDING = 2e-6  # of a product in single precision whose terms add up to no more than 1


@dataclass(frozen=True)
class MaxT:
    """The largest absolute t of each map under random sign flips.

    Attributes
    ----------
    names : tuple of str
        Seeds.
    null : ndarray, shape (K, n_flips), float64
        Largest absolute t of each flip over the locations tested, ascending; the data as observed
        are not among them. Infinite where values of one size have one sign.
    tested : ndarray, shape (K, P), bool
        Locations known in enough subjects (`fewest_known`) to be tested.
    exhaustive : bool
        Whether these are all flips that there are.
    """

    names: tuple[str, ...]
    null: np.ndarray
    tested: np.ndarray
    exhaustive: bool = False

    def threshold(self, alpha: float = 0.05) -> np.ndarray:
        """Return the absolute t that a location must exceed for a family-wise level, (K,).

        Infinite where the flips are too few for the level or the seed has no location to test.
        """
        count = self.null.shape[1]
        allowed = int(np.floor(alpha * (count + 1) + 1e-9)) - 1  # null values that may reach it
        if allowed < 0:
            return np.full(len(self.null), np.inf)
        return np.where(self.tested.any(axis=1), self.null[:, count - 1 - allowed], np.inf)

    def p(self, t: np.ndarray) -> np.ndarray:
        """Return family-wise p of observed t, shape (K, P); the observed data count as a flip.

        NaN where a location is not tested.
        """
        count = self.null.shape[1]
        below = [
            np.searchsorted(null, np.abs(row) * (1 - 1e-9), side="left")
            for null, row in zip(self.null, t, strict=True)
        ]
        p = (1 + count - np.array(below)) / (1 + count)
        return np.where(np.isfinite(t) & self.tested, p, np.nan)


def sign_flip_max_t(
    store: Store,
    seeds: Sequence[Seed],
    *,
    n_flips: int = 1000,
    seed: int = 2022,
    rule: str = "fisher-z",
    workers: Workers | None = None,
    progress: bool = False,
) -> MaxT:
    """Return the null distribution of the largest absolute t of each seed's map.

    Parameters
    ----------
    store : Store
        A prepared connectome.
    seeds : sequence of Seed
        As placed in the store's space.
    n_flips : int
        Random flips, 19 or more; if there are no more than that in all, every one is taken once.
    seed : int
        Of the random numbers.
    rule : {"fisher-z", "mean-r"}
        As in `compendium.connectome.mapping.map_seeds`.
    workers : Workers, optional
        Default: threads on this machine.
    progress : bool
        Whether a progress bar is shown on stderr.

    Returns
    -------
    MaxT
        Locations that fewer subjects know than `fewest_known` says are not tested.

    Raises
    ------
    InputError
        If there are too few subjects or flips for any conclusion (`check_flips`), or a seed does
        not fit the store.
    """
    check_seeds(store, seeds, rule)
    check_flips(store.n_subjects, n_flips, where=store.name)
    workers = workers or local_workers()
    signs = random_signs(store.n_subjects, n_flips, seed)
    blocks = split(-(-store.n_locations // BLOCK), SHARDS_PER_WORKER * workers.n)
    limits = [(part.start * BLOCK, min(part.stop * BLOCK, store.n_locations)) for part in blocks]
    together = max(1, BUDGET // (4 * store.n_subjects * BLOCK))
    groups = [seeds[at : at + together] for at in range(0, len(seeds), together)]
    found = []
    bar = tqdm(
        desc="sign flips",
        unit="block",
        total=len(groups) * sum(len(part) for part in blocks),
        disable=None if progress else True,
    )
    with bar:
        for group in groups:
            with tempfile.TemporaryDirectory() as folder:
                if workers.remote:
                    pieces = [(store, group, rule, signs, *ends) for ends in limits]
                    found.append(workers.run(_flip_remotely, pieces, merge=_merge, bar=bar))
                else:
                    series = all_series(store, group, rule, workers, Path(folder))
                    pieces = [(store, series, rule, signs, *ends) for ends in limits]
                    found.append(workers.run(flip_range, pieces, merge=_merge, bar=bar))
    largest, tested = (np.vstack(parts) for parts in zip(*found, strict=True))
    return MaxT(
        tuple(seed.name for seed in seeds),
        np.sort(largest, axis=1),
        tested,
        exhaustive=_is_small(store.n_subjects, n_flips),
    )


def fewest_known(n_subjects: int) -> int:
    """Return how many subjects must know a location for it to be tested: half, and 6 at least.

    Examples
    --------
    >>> fewest_known(8), fewest_known(41)
    (6, 21)
    """
    return max(FEWEST_SUBJECTS, -(-n_subjects // 2))


def check_flips(n_subjects: int, n_flips: int, where: str = "") -> None:
    """Raise `InputError` if no p of so many subjects and flips could be as low as 0.05.

    The data as observed count as a flip, so the smallest p is 1 / (1 + flips), and N subjects have
    2 ** (N - 1) - 1 different ones.
    """
    if n_subjects < FEWEST_SUBJECTS:
        there_are = 2 ** (n_subjects - 1) - 1
        raise InputError(
            f"{n_subjects} subjects have too few sign flips for any conclusion: "
            f"with {there_are} no p is below {1 / (1 + there_are):.3g}",
            where=where,
            remedy=f"use a connectome of {FEWEST_SUBJECTS} subjects or more",
        )
    if 1 / (1 + n_flips) > LEVEL:
        raise InputError(
            f"with {n_flips} sign flips no p is below {1 / (1 + n_flips):.3g}",
            where=where,
            remedy=f"ask for {round(1 / LEVEL) - 1} flips or more",
        )


def max_t_of_maps(z: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Return the largest absolute t of every flip of maps that are already in memory.

    Parameters
    ----------
    z : ndarray, shape (n_subjects, n_locations), float32
        Fisher z of one seed; NaN where it is unknown.
    signs : ndarray, shape (n_flips, n_subjects), float32
        From `random_signs`.

    Returns
    -------
    ndarray, shape (n_flips,), float64
        Without the locations that fewer subjects know than `fewest_known` says.

    Raises
    ------
    InputError
        If there are too few subjects or flips for any conclusion (`check_flips`).
    """
    check_flips(len(z), len(signs))
    largest = np.zeros(len(signs))
    for first in range(0, z.shape[1], BLOCK):
        part = np.array(z[:, first : first + BLOCK], np.float32)
        n = np.full(part.shape[1], len(z))
        known = np.isfinite(part)
        if not known.all():
            n = known.sum(axis=0)
            part[~known] = 0
        np.maximum(largest, _largest_t(part, n, signs), out=largest)
    return largest


def random_signs(n_subjects: int, n_flips: int, seed: int) -> np.ndarray:
    """Return signs of shape (n_flips, n_subjects), float32, none of them leaving all as it is.

    A flip and its opposite give the same absolute t, so there are 2 ** (n_subjects - 1) - 1 that
    differ from the data as they are; if that is no more than asked for, all are returned.

    Raises
    ------
    InputError
        If there are too few subjects or flips for any conclusion (`check_flips`).
    """
    check_flips(n_subjects, n_flips)
    if _is_small(n_subjects, n_flips):
        everything = np.array(list(product((1, -1), repeat=n_subjects - 1))[1:], np.float32)
        return np.hstack([np.ones((len(everything), 1), np.float32), everything])
    rng = np.random.default_rng(seed)
    signs = rng.choice(np.array([-1, 1], np.float32), size=(n_flips, n_subjects))
    unchanged = np.abs(signs.sum(axis=1)) == n_subjects
    while unchanged.any():
        signs[unchanged] = rng.choice(
            np.array([-1, 1], np.float32), size=(unchanged.sum(), n_subjects)
        )
        unchanged = np.abs(signs.sum(axis=1)) == n_subjects
    return signs


def _is_small(n_subjects: int, n_flips: int) -> bool:
    return n_subjects < 40 and 2 ** (n_subjects - 1) - 1 <= n_flips


def flip_range(
    store: Store,
    series: SeriesFile,
    rule: str,
    signs: np.ndarray,
    start: int,
    stop: int,
    tick: Callable = nothing,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest absolute t of every flip at a range of locations, and which are tested.

    Returns
    -------
    largest : ndarray, shape (n_seeds, n_flips), float64
    tested : ndarray, shape (n_seeds, stop - start), bool
    """
    n_seeds, n_subjects = series.n_seeds, store.n_subjects
    kernel = Kernel(store, n_seeds, rule)
    everyone = [series.read(subject) for subject in store.subjects]
    largest = np.zeros((n_seeds, len(signs)))
    tested = np.empty((n_seeds, stop - start), bool)
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        z = np.empty((n_seeds, n_subjects, last - first), np.float32)
        n = np.full((n_seeds, last - first), n_subjects)
        for number, subject in enumerate(store.subjects):
            for where, value, known in kernel.blocks(subject, everyone[number], first, last):
                here = slice(where.start - first, where.stop - first)
                part = value if rule == "fisher-z" else to_z(value)
                if known is not None:
                    part = np.where(known, part, 0)
                    n[:, here] -= ~known.T
                z[:, number, here] = part.T
        for row in range(n_seeds):
            np.maximum(largest[row], _largest_t(z[row], n[row], signs), out=largest[row])
        tested[:, first - start : last - start] = n >= fewest_known(n_subjects)
        tick()
    return largest, tested


def _flip_remotely(
    store: Store,
    seeds: Sequence[Seed],
    rule: str,
    signs: np.ndarray,
    start: int,
    stop: int,
    tick: Callable = nothing,
) -> tuple[np.ndarray, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        series = all_series(store, seeds, rule, local_workers(1), Path(folder))
        return flip_range(store, series, rule, signs, start, stop, tick)


def _merge(first: tuple, second: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Return what `flip_range` would have found at two neighbouring ranges together."""
    return np.maximum(first[0], second[0]), np.hstack([first[1], second[1]])


def _largest_t(z: np.ndarray, n: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Return the largest absolute t of each flip; z is 0 where it is unknown, n counts the rest.

    With u = sum(sign * z) / sqrt(n * sum(z ** 2)), t = sqrt(n - 1) * u / sqrt(1 - u ** 2).
    """
    length = np.sqrt(n * np.einsum("sv,sv->v", z, z, dtype=np.float64))
    z *= np.divide(1, length, out=np.zeros_like(length), where=length > 0).astype(np.float32)
    largest = np.zeros(len(signs))
    # t is monotone in u among locations of the same n
    for count in np.unique(n[n >= fewest_known(len(z))]):
        columns = z if (n == count).all() else np.ascontiguousarray(z[:, n == count])
        for first in range(0, len(signs), FLIPS_AT_A_TIME):
            u = signs[first : first + FLIPS_AT_A_TIME] @ columns
            top = np.maximum(u.max(axis=1), -u.min(axis=1)).astype(np.float64)
            # a flip that leaves t as observed must not fall short of it by rounding
            top = np.minimum(top + ROUNDING, 1)
            with np.errstate(divide="ignore"):
                t = np.sqrt(count - 1) * top / np.sqrt(1 - top**2)
            part = slice(first, first + len(t))
            largest[part] = np.maximum(largest[part], t)
    return largest
