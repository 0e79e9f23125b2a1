"""Maps of a thousand null seeds, kept on disk: what the maps of targets are compared with.

Random spheres are mapped in the same single pass as targets are. A thousand maps do not fit in
memory, so the locations are worked on range by range, and each range is written where it belongs.

Every run works in a hidden folder of its own inside the dictionary's, and moves its files to their
places when all are whole, so that two runs at once do not write into each other's maps.
"""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from compendium.connectome.disk import explaining_full_disk, refuse_if_too_small
from compendium.connectome.kernel import VERSION
from compendium.connectome.mapping import all_series, check_seeds, location_ranges, map_range
from compendium.connectome.moments import Moments
from compendium.connectome.scale import Workers, local_workers, nothing
from compendium.connectome.seeds import Seed
from compendium.connectome.series import SeriesFile
from compendium.connectome.store import Store
from compendium.connectome.writing import digest_of, write_json
from compendium.errors import InputError
from compendium.tables import write_table

STATISTICS = ("z", "t")
# in the order in which they are published: the last says that the others are whole
FILES = (*(f"{name}.npy" for name in STATISTICS), "seeds.csv", "dictionary.json")
WORKING = ".working-"  # what the hidden folders of runs begin with


@dataclass(frozen=True)
class Dictionary:
    """Group maps of many seeds, memory-mapped.

    Attributes
    ----------
    seeds : tuple of Seed
        In the order of the rows.
    z : ndarray, shape (K, P)
        Mean Fisher z over subjects; NaN where no subject has signal.
    t : ndarray, shape (K, P)
        One-sample t of Fisher z.
    n_subjects : int
        Subjects behind the maps.
    """

    seeds: tuple[Seed, ...]
    z: np.ndarray
    t: np.ndarray
    n_subjects: int


def map_dictionary(
    store: Store,
    seeds: Sequence[Seed],
    folder: Path,
    *,
    rule: str = "fisher-z",
    dtype: str = "float32",
    workers: Workers | None = None,
    announce: Callable[[str], None] = nothing,
    progress: bool = False,
) -> Dictionary:
    """Map many seeds in one pass into `folder`, or open what is already there.

    Parameters
    ----------
    store : Store
        A prepared connectome.
    seeds : sequence of Seed
        For example of `compendium.connectome.random_seeds.random_seeds`.
    folder : Path
        Gets ``z.npy`` and ``t.npy`` (K, P), ``seeds.csv`` and ``dictionary.json``. On a
        cluster, every worker must see it under the same path. What a killed run left behind in
        a hidden folder is announced and stays, because another run may be at work in it.
    rule : {"fisher-z", "mean-r"}
        As in `compendium.connectome.mapping.map_seeds`.
    dtype : {"float32", "float64"}
        Of the maps; in float64 they are to the last bit those of `map_seeds`.
    workers : Workers, optional
        Default: threads on this machine.
    announce : callable
        Told how much disk is needed, and what other runs are at work or left behind.
    progress : bool
        Whether a progress bar is shown on stderr.

    Returns
    -------
    Dictionary

    Raises
    ------
    InputError
        If a seed does not fit the store, the folder holds another dictionary, or the disk is too
        small or fills up.
    """
    check_seeds(store, seeds, rule)
    folder = Path(folder)
    identity = identity_of(store, seeds, rule, dtype)
    if (folder / "dictionary.json").is_file():
        return _open(folder, identity, seeds)
    workers = workers or local_workers()
    folder.mkdir(parents=True, exist_ok=True)
    shape = (len(seeds), store.n_locations)
    need = len(STATISTICS) * np.dtype(dtype).itemsize * shape[0] * shape[1]
    announce(f"maps of {len(seeds)} seeds need {need / 1e9:.2f} GB in {folder}")
    for other in sorted(folder.glob(f"{WORKING}*")):
        announce(f"another run is at work or was killed; in the latter case, delete {other}")
    refuse_if_too_small(folder, need)
    ranges = location_ranges(store.n_locations, len(seeds), workers.n, rule)
    bar = tqdm(
        desc=f"mapping {len(seeds)} seeds",
        unit="subject",
        total=store.n_subjects * len(ranges),
        disable=None if progress else True,
    )
    # a lost worker may still be writing where the folder is emptied, which spoils nothing
    own = tempfile.TemporaryDirectory(dir=folder, prefix=WORKING, ignore_cleanup_errors=True)
    with explaining_full_disk(folder), bar, own as name:
        working = Path(name)
        for statistic in STATISTICS:
            # sparse at first: pieces fill in their columns, in any order and any number of times
            path = working / f"{statistic}.npy"
            np.lib.format.open_memmap(path, "w+", dtype, shape).flush()
        series = all_series(store, seeds, rule, workers, working)
        pieces = [(store, series, rule, *limits, working) for limits in ranges]
        workers.run(_write_range, pieces, bar=bar)
        write_table(_seeds_table(seeds), working / "seeds.csv")
        write_json(working / "dictionary.json", identity)
        _publish(working, folder)
    return _open(folder, identity, seeds)


def identity_of(store: Store, seeds: Sequence[Seed], rule: str, dtype: str) -> dict:
    """Return all that the maps depend on, as it stands in ``dictionary.json``."""
    return {
        "store": store.digest,
        "kernel": VERSION,
        "rule": rule,
        "dtype": dtype,
        "connectome": store.name,
        "simulated": store.simulated,
        "subjects": store.n_subjects,
        "seeds": [seed.name for seed in seeds],
        "sha256_of_weights": digest_of(
            [[seed.locations.tolist(), seed.weights.tolist()] for seed in seeds]
        ),
    }


def _write_range(
    store: Store,
    series: SeriesFile,
    rule: str,
    start: int,
    stop: int,
    folder: Path,
    tick: Callable = nothing,
) -> None:
    parts = map_range(store, range(store.n_subjects), series, rule, start, stop, None, tick)
    n = np.broadcast_to(parts.n, (1, *parts.mean.shape[1:]))
    first, second = (Moments(n[0, half], parts.mean[0, half], parts.m2[0, half]) for half in (0, 1))
    both = first.merge(second)
    for name, values in zip(STATISTICS, (both.mean, both.t), strict=True):
        rows = np.load(folder / f"{name}.npy", mmap_mode="r+")
        rows[:, start:stop] = values.T
        rows.flush()


def _publish(working: Path, folder: Path) -> None:
    """Move a finished run's files to their places, unless another run was faster."""
    if not (folder / "dictionary.json").is_file():
        for name in FILES:
            (working / name).replace(folder / name)


def _open(folder: Path, identity: dict, seeds: Sequence[Seed]) -> Dictionary:
    if json.loads((folder / "dictionary.json").read_text(encoding="utf-8")) != identity:
        raise InputError(
            "the folder holds maps of other seeds or of another store",
            where=str(folder),
            remedy="name another folder, or delete this one",
        )
    z, t = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in STATISTICS)
    return Dictionary(tuple(seeds), z, t, identity["subjects"])


def _seeds_table(seeds: Sequence[Seed]) -> pd.DataFrame:
    centres = [seed.centre or (np.nan,) * 3 for seed in seeds]
    return pd.DataFrame(
        {
            "seed": [seed.name for seed in seeds],
            "x": [centre[0] for centre in centres],
            "y": [centre[1] for centre in centres],
            "z": [centre[2] for centre in centres],
            "radius": [seed.radius for seed in seeds],
            "coverage": [seed.coverage for seed in seeds],
            "locations": [seed.n_locations for seed in seeds],
        }
    )
