"""Seed maps against the usual ways, in one run on the same data, one thread each.

Run ``python -m benchmarks.connectome`` (about fifteen minutes on two quiet cores, 9 GB of disk);
``--coarse`` tries it on a small grid in a minute. The result is kept in
``_build/benchmarks/connectome.json``; with ``--commit`` also where the book reads it.
"""

import argparse
import datetime
import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.connectome_data import Data, Sizes
from benchmarks.connectome_estimate import estimates
from benchmarks.connectome_growth import (
    FLIPPED,
    FLIPS,
    NULL_SEEDS,
    STREAMED,
    flips_beside_permuted_ols,
    growth_over_seeds,
    growth_over_subjects,
    growth_over_voxels,
)
from benchmarks.connectome_peers import (
    CALLS,
    Floor,
    einsum,
    lead_dbs_call_by_call,
    lead_dbs_like,
    nilearn_expert,
    nilearn_recipe,
)
from benchmarks.machine import machine
from benchmarks.timing import evict, give_memory_back, keep_memory, median, timed
from compendium.connectome.mapping import map_seeds, subject_maps
from compendium.connectome.prepare import prepare
from compendium.connectome.scale import local_workers
from compendium.connectome.sources.nifti import RunFiles, open_nifti
from compendium.connectome.store import Store
from compendium.files import replacing

OUT = Path("_build/benchmarks/connectome.json")
COMMITTED = Path(__file__).parent / "results" / "connectome.json"
# way → (what it is, how many times faster we aim to be)
PEERS = {
    "nilearn recipe": (nilearn_recipe, "nilearn's seed-to-voxel example, from .nii.gz", 200),
    "nilearn expert": (nilearn_expert, "one NiftiMasker, seeds from its array, from .nii.gz", 80),
    "Lead-DBS-like": (lead_dbs_like, "all seeds in one call, from .mat", 50),
    "Lead-DBS-like, call by call": (
        lead_dbs_call_by_call,
        f"one call a seed, from .mat; {CALLS} calls timed, scaled to all seeds",
        300,
    ),
    "einsum": (einsum, "streamed without matrix kernels, from plain arrays", None),
}


def paired_rounds(data: Data, stores: dict[str, Store]) -> list[dict]:
    """Measure every way once a round, one after the other; seconds per subject."""
    seeds = data.seeds()
    count = data.sizes.subjects
    floors = {
        dtype: [Floor(store.subjects[0], data.space.n_locations, len(seeds)) for _ in range(2)]
        for dtype, store in stores.items()
    }
    reference = dict(subject_maps(stores["float32"], seeds[:CALLS]))
    for store in stores.values():  # what is compiled on first use is not compiled in a round
        _map(store, seeds, 1)
    rounds = []
    for number in range(data.sizes.rounds):
        row: dict = {"load": round(os.getloadavg()[0], 2), "wall": {}, "cpu": {}, "apart": {}}

        def note(way: str, wall: float, cpu: float, share: float = 1.0, row: dict = row) -> None:
            row["wall"][way], row["cpu"][way] = wall * share, cpu * share

        for way, (function, _, _) in PEERS.items():
            wall, cpu, z = timed(function, data, number, seeds)
            note(way, wall, cpu, len(seeds) / len(z))
            known = reference[stores["float32"].subjects[number].id]
            # at the seeds themselves z is held below infinity in different ways
            low = np.abs(known) < 2
            row["apart"][way] = float(f"{np.abs(z[:CALLS] - known)[low].max():.2g}")
        for dtype, store in stores.items():
            _read_all(floors[dtype][:1], store, False)  # so that the files are in memory
            for threads in (1, 2):
                give_memory_back()
                # the second time the memory is there already, as the files are
                for when in (", after a pause", ""):
                    wall, cpu, _ = timed(_map, store, seeds, threads)
                    note(f"ours, {dtype}, {threads} threads{when}", wall, cpu, 1 / count)
                wall, cpu, _ = timed(_read_all, floors[dtype][:threads], store, True)
                note(f"floor, {dtype}, {threads} threads", wall, cpu, 1 / count)
        files = [subject.path for subject in stores["int16"].subjects]
        evict(files)
        wall, cpu, _ = timed(_read_all, floors["int16"][:1], stores["int16"], False)
        note("read, cold", wall, cpu, 1 / count)
        evict(files)
        wall, cpu, _ = timed(_map, stores["int16"], seeds, 1)
        note("ours, cold", wall, cpu, 1 / count)
        wall, cpu, _ = timed(_first_run, data, number, seeds)
        note("ours, first run", wall, cpu)
        rounds.append(row)
        print(f"round {number + 1}: " + ", ".join(f"{k} {v:.3g}" for k, v in row["wall"].items()))
    return rounds


def summary(rounds: list[dict]) -> list[dict]:
    """Return medians, and the median over rounds of each ratio to ours, with its aim."""
    ours = "ours, int16, 1 threads"
    ratios = [(way, way, ours, "at least", aim, text) for way, (_, text, aim) in PEERS.items()]
    ratios += [
        ("first run with preparation", "nilearn recipe", "ours, first run", "at least", 8,
         "preparing one subject from .nii.gz and mapping it, against nilearn's recipe"),
        ("two threads", ours, "ours, int16, 2 threads", "at least", 1.8,
         "one thread against two; files and memory are there"),
        ("two threads, floor", "floor, int16, 1 threads", "floor, int16, 2 threads", "at least",
         None, "the same of reading and one matrix product alone: what the machine gives"),
        ("two threads, after a pause", f"{ours}, after a pause",
         "ours, int16, 2 threads, after a pause", "at least", None,
         "one thread against two when their memory must first be had from the system"),
        ("above the floor, float32", "ours, float32, 1 threads", "floor, float32, 1 threads",
         "at most", 1.2,
         "against reading the store's bytes and one matrix product; files and memory are there"),
        ("above the floor, int16", ours, "floor, int16, 1 threads",
         "at most", 1.5,
         "against reading the store's bytes and one matrix product; files and memory are there"),
        ("after a pause", f"{ours}, after a pause", ours, "at most", None,
         "the same mapping when its memory must first be had from the system, against right again"),
        ("above the disk", "ours, cold", "read, cold", "at most", 2,
         "against reading the int16 store's bytes from the disk"),
    ]  # fmt: skip
    rows = []
    for name, above, below, sense, aim, text in ratios:
        wall = [row["wall"][above] / row["wall"][below] for row in rounds]
        cpu = [row["cpu"][above] / row["cpu"][below] for row in rounds]
        rows.append(
            {
                "comparison": name,
                "what": text,
                "seconds": median(row["wall"][above] for row in rounds),
                "against_seconds": median(row["wall"][below] for row in rounds),
                "ratio": median(wall),
                "lowest": median([min(wall)]),
                "highest": median([max(wall)]),
                "ratio_of_processor_time": median(cpu),
                "sense": sense,
                "aim": aim,
                "apart_in_z": max(row["apart"].get(name, 0) for row in rounds) or None,
            }
        )
    return rows


def _map(store: Store, seeds: list, threads: int) -> None:
    map_seeds(store, seeds, workers=local_workers(threads), cache=False)


def _read_all(floors: list[Floor], store: Store, multiply: bool) -> None:
    """Read all subjects, shared out over as many threads as there are floors."""

    def read(number: int) -> None:
        for subject in store.subjects[number :: len(floors)]:
            floors[number].read(subject)
            if multiply:
                floors[number].multiply()

    with ThreadPoolExecutor(len(floors)) as threads:
        list(threads.map(read, range(len(floors))))


def _first_run(data: Data, number: int, seeds: list) -> None:
    runs = {
        "sub": [RunFiles(data.nifti(number, run)) for run in range(data.sizes.runs)],
    }
    connectome = open_nifti("first", runs, mask=data.folder / "mask.nii.gz")
    store = prepare(connectome, data.folder / f"first-{number}")
    map_seeds(store, seeds, workers=local_workers(1), cache=False)


def measure(folder: Path, sizes: Sizes) -> dict:
    """Run everything and return what is kept."""
    begin = datetime.datetime.now(datetime.UTC)
    kept = keep_memory()
    data = Data(folder, sizes)
    data.mask.to_filename(folder / "mask.nii.gz")
    data.write_peers_files()
    stores = {dtype: data.store(dtype) for dtype in ("int16", "float32")}
    few = sizes.coarse
    with threadpool_limits(1):
        rounds = paired_rounds(data, stores)
    rows = summary(rounds)
    subjects = growth_over_subjects(data, stores["int16"], 100 if few else STREAMED)
    seeds = growth_over_seeds(data, stores["int16"], (200,) if few else NULL_SEEDS)
    voxels = growth_over_voxels(data)
    flips = flips_beside_permuted_ols(
        data, stores["int16"], 20 if few else FLIPPED, 100 if few else FLIPS
    )
    return {
        "benchmark": "connectome",
        "date": begin.date().isoformat(),
        "minutes": round((datetime.datetime.now(datetime.UTC) - begin).total_seconds() / 60, 1),
        "machine": machine(),
        "memory_kept": kept,
        "load_while_measuring": [row["load"] for row in rounds],
        "sizes": {
            "subjects": sizes.subjects,
            "runs": sizes.runs,
            "volumes": sizes.volumes,
            "voxels": data.space.n_locations,
            "seeds": sizes.seeds,
            "rounds": sizes.rounds,
        },
        "data": "generated series on the MNI152 brain; timings are realistic, maps mean nothing",
        "comparisons": rows,
        "rounds": [
            {kind: {k: float(f"{v:.4g}") for k, v in row[kind].items()} for kind in ("wall", "cpu")}
            for row in rounds
        ],
        "growth": {"subjects": subjects, "seeds": seeds, "voxels": voxels},
        "flips": flips,
        "estimates": estimates(rows, rounds, sizes, data.space.n_locations),
    }


def main() -> None:
    """Measure and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--coarse", action="store_true", help="a small grid, to try it")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--commit", action="store_true", help="keep it where the book reads it")
    options = parser.parse_args()
    sizes = Sizes(rounds=options.rounds, coarse=options.coarse)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out.parent) as folder:
        result = measure(Path(folder), sizes)
    for path in [options.out, *([COMMITTED] if options.commit else [])]:
        with replacing(path) as stream:
            json.dump(result, stream, indent=1, ensure_ascii=False)
            stream.write("\n")
    for row in result["comparisons"]:
        print(
            f"{row['comparison']:28} {row['ratio']:>8.3g} x   aim {row['sense']} {row['aim']}   "
            f"(processor time {row['ratio_of_processor_time']:.3g} x)"
        )


if __name__ == "__main__":
    main()
