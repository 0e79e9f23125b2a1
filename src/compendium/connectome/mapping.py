"""Map all seeds of a prepared connectome in one pass over its data.

Memory holds sums over subjects, never subjects: the mean and spread of Fisher z at every location
for every seed, for two halves of the subjects apart. Each seed's moments are kept beside the
store, so that a new target costs one pass over itself and nothing else is mapped again.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from compendium.connectome.fisher import add_to_sums
from compendium.connectome.kernel import BLOCK, VERSION, Kernel, to_z
from compendium.connectome.maps import SeedMaps
from compendium.connectome.moments import Moments
from compendium.connectome.scale import SHARDS_PER_WORKER, Workers, local_workers, nothing, split
from compendium.connectome.seeds import Seed
from compendium.connectome.series import RULES, SeedWeights, SeriesFile, seed_series, seed_weights
from compendium.connectome.store import Store
from compendium.errors import InputError
from compendium.files import replacing

BUDGET = 16 * 2**20  # bytes of sums that one worker adds to at a time: near its processor
HALVES = 2  # every other subject


def map_seeds(
    store: Store,
    seeds: Sequence[Seed],
    *,
    rule: str = "fisher-z",
    workers: Workers | None = None,
    cache: bool = True,
    announce: Callable[[str], None] = nothing,
    progress: bool = False,
) -> SeedMaps:
    """Return group statistics of each seed's correlation with every location.

    Parameters
    ----------
    store : Store
        A prepared connectome.
    seeds : sequence of Seed
        As placed by `compendium.connectome.seeds.place_seeds` in the store's space.
    rule : {"fisher-z", "mean-r"}
        How a subject's runs are combined: mean of Fisher z weighted by its inverse variance (the
        run's degrees of freedom less 2; n - 3 where only the mean was taken out), or
        Fisher z of the mean r, as Lead-DBS does it.
    workers : Workers, optional
        Default: threads on this machine.
    cache : bool
        Whether moments are read from and kept in ``moments/`` of the store.
    announce : callable
        Told if the moments cannot be kept there; the maps are returned all the same.
    progress : bool
        Whether a progress bar is shown on stderr.

    Returns
    -------
    SeedMaps

    Raises
    ------
    InputError
        If a seed does not fit the store, a name occurs twice, a file of the store is missing, or
        the disk for temporary files is full.

    Examples
    --------
    >>> import tempfile
    >>> from compendium.connectome.prepare import prepare
    >>> from compendium.connectome.seeds import Sphere, place_seed
    >>> from compendium.connectome.simulate import PRESETS, simulate_connectome
    >>> connectome = simulate_connectome(**PRESETS["test"])
    >>> seed = place_seed(Sphere("SMA", (5, -7, 52), 8), connectome.space)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     maps = map_seeds(prepare(connectome, Path(folder)), [seed])
    >>> maps.names, maps.n_subjects, maps.t.shape == (1, connectome.space.n_locations)
    (('SMA',), 6, True)
    """
    check_seeds(store, seeds, rule)
    known = {seed.name: _read_moments(store, seed, rule) if cache else None for seed in seeds}
    new = [seed for seed in seeds if known[seed.name] is None]
    if new:
        found = group_moments(store, new, rule, workers or local_workers(), progress)
        known |= {seed.name: moments for seed, moments in zip(new, found, strict=True)}
        if cache:
            _keep_moments(store, new, rule, known, announce)
    return SeedMaps(
        seeds=tuple(seeds),
        space=store.space,
        moments=tuple(known[seed.name] for seed in seeds),
        rule=rule,
        connectome=store.name,
        simulated=store.simulated,
        n_subjects=store.n_subjects,
        provenance={
            "store": store.digest,
            "options": store.manifest["options"],
            "source": store.manifest["connectome"]["provenance"],
            "dtype": store.manifest["dtype"],
            "rounding": store.manifest["rounding"],
        },
    )


def subject_maps(
    store: Store, seeds: Sequence[Seed], *, rule: str = "fisher-z"
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each subject's own maps, one subject in memory at a time.

    Parameters
    ----------
    store : Store
        A prepared connectome.
    seeds : sequence of Seed
        As placed in the store's space.
    rule : {"fisher-z", "mean-r"}
        As in `map_seeds`.

    Yields
    ------
    subject_id : str
        Whose maps.
    z : ndarray, shape (n_seeds, n_locations), float32
        Fisher z; NaN where the location or the seed has no signal.
    """
    check_seeds(store, seeds, rule)
    kernel = Kernel(store, len(seeds), rule)
    weights = seed_weights(seeds, store.space)
    for subject in store.subjects:
        series = seed_series(store, subject, weights, rule)
        z = np.empty((len(seeds), store.n_locations), np.float32)
        for where, value, known in kernel.blocks(subject, series, 0, store.n_locations):
            block = value if rule == "fisher-z" else to_z(value)
            z[:, where] = (block if known is None else np.where(known, block, np.nan)).T
        yield subject.id, z


def check_seeds(store: Store, seeds: Sequence[Seed], rule: str) -> None:
    """Raise `InputError` unless the seeds fit the store and the rule exists."""
    if rule not in RULES:
        raise InputError(f"unknown rule {rule!r}", remedy=f"use {' or '.join(RULES)}")
    if not seeds:
        raise InputError("there is no seed to map")
    names = [seed.name for seed in seeds]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InputError("two seeds have this name", where=min(twice))
    for seed in seeds:
        inside = (seed.locations >= 0) & (seed.locations < store.n_locations)
        if not seed.n_locations or not inside.all():
            raise InputError(
                "the seed has locations that the connectome does not have",
                where=seed.name,
                remedy=f"place it in the space of {store.name}",
            )


def group_moments(
    store: Store, seeds: Sequence[Seed], rule: str, workers: Workers, progress: bool = False
) -> list[Moments]:
    """Return the moments of each seed's map, shape (1 or 2 quantities, 2 halves, n_locations).

    The first quantity is Fisher z; under the rule "mean-r" the second is r itself.
    """
    ranges = location_ranges(store.n_locations, len(seeds), workers.n, rule)
    bar = tqdm(
        desc=f"mapping {store.name}",
        unit="subject",
        total=store.n_subjects * (1 if workers.remote else len(ranges)),
        disable=None if progress else True,
    )
    with bar:
        if workers.remote:
            shards = split(store.n_subjects, SHARDS_PER_WORKER * workers.n)
            pieces = [(store, shard, seeds, rule) for shard in shards]
            together = workers.run(map_shard, pieces, merge=Moments.merge, bar=bar)
        else:
            with tempfile.TemporaryDirectory() as folder:
                series = all_series(store, seeds, rule, workers, Path(folder))
                sums = new_sums(rule, store.n_locations, len(seeds))
                everyone = range(store.n_subjects)
                pieces = [(store, everyone, series, rule, *limits, sums) for limits in ranges]
                # threads fill in their own locations of the same sums
                together = _joined(workers.run(map_range, pieces, bar=bar), sums)
    n = np.broadcast_to(together.n, (1, *together.mean.shape[1:]))
    return [
        Moments(n[..., row], together.mean[..., row], together.m2[..., row])
        for row in range(len(seeds))
    ]


def new_sums(rule: str, n_locations: int, n_seeds: int) -> np.ndarray:
    """Return room for sums and sums of squares: (2, quantities, halves, locations, seeds).

    It is not zero yet: each range sets its own part to zero, where threads share the work.
    """
    return np.empty((2, 1 if rule == "fisher-z" else 2, HALVES, n_locations, n_seeds))


def location_ranges(
    n_locations: int, n_seeds: int, workers: int, rule: str
) -> list[tuple[int, int]]:
    """Return ranges of locations, each small enough that its sums fit in the budget."""
    per_location = n_seeds * HALVES * 2 * 8 * (1 if rule == "fisher-z" else 2)
    blocks = -(-n_locations // BLOCK)
    at_most = max(1, BUDGET // per_location // BLOCK)
    parts = max(workers, -(-blocks // at_most))
    parts = -(-parts // workers) * workers  # the last round keeps every worker busy
    return [
        (part.start * BLOCK, min(part.stop * BLOCK, n_locations)) for part in split(blocks, parts)
    ]


def all_series(
    store: Store, seeds: Sequence[Seed], rule: str, workers: Workers, folder: Path
) -> SeriesFile:
    """Write every subject's seed series into one file in `folder`."""
    series = SeriesFile(folder / "series", store.subjects, len(seeds))
    weights = seed_weights(seeds, store.space)
    parts = split(store.n_subjects, workers.n)
    workers.run(_write_series, [(series, store, part, weights, rule) for part in parts])
    return series


def _write_series(
    series: SeriesFile,
    store: Store,
    part: range,
    weights: SeedWeights,
    rule: str,
    tick: Callable,
) -> None:
    series.write(store, [store.subjects[number] for number in part], weights, rule)


def map_range(
    store: Store,
    part: range,
    series: SeriesFile,
    rule: str,
    start: int,
    stop: int,
    sums: np.ndarray | None = None,
    tick: Callable = nothing,
) -> Moments:
    """Return the moments over some subjects at a range of locations.

    Parameters
    ----------
    store : Store
        A prepared connectome.
    part : range
        Numbers of the subjects.
    series : SeriesFile
        Seeds' series of at least these subjects.
    rule : {"fisher-z", "mean-r"}
        As in `map_seeds`.
    start, stop : int
        Range of locations; `start` is a multiple of the kernel's block.
    sums : ndarray, optional
        From `new_sums` for all locations, of which this range is overwritten and returned.
    tick : callable
        Called after each subject.

    Returns
    -------
    Moments
        Arrays of shape (quantities, halves, stop - start, n_seeds); `n` may be broadcastable.
    """
    n_seeds = series.n_seeds
    if sums is None:
        total, squares = new_sums(rule, stop - start, n_seeds)
    else:
        total, squares = sums[:, :, :, start:stop]
    total[:] = 0
    squares[:] = 0
    n = np.zeros((1, HALVES, 1, 1), np.int32)
    unknown: np.ndarray | None = None
    kernel = Kernel(store, n_seeds, rule)
    for number in part:
        subject, half = store.subjects[number], number % HALVES
        if number + 1 in part:
            kernel.prefetch(store.subjects[number + 1], start)
        n[0, half] += 1
        for where, value, known in kernel.blocks(subject, series.read(subject), start, stop):
            here = slice(where.start - start, where.stop - start)
            if known is not None:
                if unknown is None:
                    unknown = np.zeros((1, *total.shape[1:]), np.int32)
                unknown[0, half, here] += ~known
                value[~known] = 0
            values = [value] if rule == "fisher-z" else [to_z(value), value]
            for quantity, numbers in enumerate(values):
                add_to_sums(numbers, total[quantity, half, here], squares[quantity, half, here])
        tick()
    return Moments.of_sums(n if unknown is None else n - unknown, total, squares)


def map_shard(
    store: Store, part: range, seeds: Sequence[Seed], rule: str, tick: Callable = nothing
) -> Moments:
    """Return the moments over some subjects at all locations."""
    subjects = [store.subjects[number] for number in part]
    with tempfile.TemporaryDirectory() as folder:
        series = SeriesFile(Path(folder) / "series", subjects, len(seeds))
        series.write(store, subjects, seed_weights(seeds, store.space), rule)
        return map_range(store, part, series, rule, 0, store.n_locations, None, tick)


def _joined(parts: Sequence[Moments], sums: np.ndarray) -> Moments:
    """Return the moments at all locations from those of ranges, which lie in `sums`."""
    n = parts[0].n
    if any(part.n.shape[2] > 1 for part in parts):
        n = np.concatenate(
            [np.broadcast_to(part.n, (1, *part.mean.shape[1:])) for part in parts], axis=2
        )
    return Moments(n, *sums)


def _cache_path(store: Store, seed: Seed, rule: str) -> Path:
    key = hashlib.sha256(f"{store.digest} {VERSION} {rule} ".encode())
    order = np.argsort(seed.locations, kind="stable")
    key.update(np.asarray(seed.locations, np.int64)[order].tobytes())
    key.update(np.asarray(seed.weights, np.float64)[order].tobytes())
    return store.folder / "moments" / f"{key.hexdigest()}.npz"


def _read_moments(store: Store, seed: Seed, rule: str) -> Moments | None:
    """Return a seed's kept moments, or None if there are none that can be used."""
    try:
        with np.load(_cache_path(store, seed, rule), allow_pickle=False) as arrays:
            kept = Moments(arrays["n"], arrays["mean"], arrays["m2"])
    except Exception:  # a damaged file may raise anything; what is safe to delete counts as deleted
        return None
    quantities = 1 if rule == "fisher-z" else 2
    shapes = [(count, HALVES, store.n_locations) for count in (1, quantities, quantities)]
    return kept if [np.shape(of) for of in (kept.n, kept.mean, kept.m2)] == shapes else None


def _keep_moments(
    store: Store,
    seeds: Sequence[Seed],
    rule: str,
    moments: Mapping[str, Moments],
    announce: Callable[[str], None],
) -> None:
    """Write the moments of new seeds beside the store, or say why they cannot be kept there."""
    for number, seed in enumerate(seeds):
        path = _cache_path(store, seed, rule)
        try:
            with replacing(path, "wb") as stream:
                of = moments[seed.name]
                np.savez(stream, n=of.n, mean=of.mean, m2=of.m2)
        except (InputError, OSError) as error:
            reason = error.what if isinstance(error, InputError) else error.strerror or error
            left = len(seeds) - number
            announce(f"the moments of {left} seeds are not kept in {path.parent}: {reason}")
            return
