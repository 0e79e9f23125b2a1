"""How time and memory grow with subjects, seeds and voxels; and sign flips beside nilearn's."""

import pickle

import numpy as np
from nilearn.mass_univariate import permuted_ols
from threadpoolctl import threadpool_limits

from benchmarks.connectome_data import Data, repeated
from benchmarks.timing import in_own_process, line, timed
from compendium.connectome.dictionary import map_dictionary
from compendium.connectome.flips import max_t_of_maps, random_signs
from compendium.connectome.mapping import map_seeds
from compendium.connectome.prepare import prepare
from compendium.connectome.scale import local_workers
from compendium.connectome.seeds import Seed
from compendium.connectome.store import Store

SUBJECTS = (5, 10, 20, 40, 80)
STREAMED = 1000
SEEDS = (1, 5, 20, 50, 100)
NULL_SEEDS = (200, 500, 1000)
VOXEL_SHARES = (0.125, 0.25, 0.5, 1.0)
FLIPS, FLIPPED = 1000, 100
SEED_VOXELS = 81  # in a sphere of 5 mm at 2 mm
ALONE = "benchmarks.connectome_alone"


def growth_over_subjects(data: Data, store: Store, streamed: int) -> dict:
    """Map 5 to 80 subjects and, with two threads, a thousand; the same files over and over."""
    seeds_path = data.folder / "seeds.pickle"
    seeds_path.write_bytes(pickle.dumps(data.seeds()))
    rows = []
    for count in SUBJECTS:
        many = repeated(store, count, data.folder / "many")
        seconds, _, _ = timed(_map_once, many, data)
        peak = in_own_process(ALONE, "map", many.folder, seeds_path, 1)["peak_mb"]
        rows.append({"subjects": count, "seconds": round(seconds, 3), "peak_mb": peak})
    many = repeated(store, streamed, data.folder / "many")
    alone = in_own_process(ALONE, "map", many.folder, seeds_path, 2)
    idle = in_own_process(ALONE, "import", many.folder, seeds_path, 1)
    return {
        "rows": rows,
        "line": line([row["subjects"] for row in rows], [row["seconds"] for row in rows]),
        "streamed": {"subjects": streamed, "threads": 2, **alone},
        "peak_mb_of_imports": idle["peak_mb"],
        "note": f"{store.n_subjects} prepared subjects named again and again; files in memory",
    }


def growth_over_seeds(data: Data, store: Store, null_seeds: tuple[int, ...]) -> dict:
    """Map 1 to 100 seeds in memory, and up to 1,000 to disk."""
    rows = []
    for count in SEEDS:
        seconds, _, _ = timed(_map_once, store, data, count)
        rows.append({"seeds": count, "seconds": round(seconds, 3), "kept": "moments in memory"})
    for count in null_seeds:
        folder = data.folder / f"null-{count}"
        seconds, _, _ = timed(
            lambda count=count, folder=folder: map_dictionary(
                store, data.seeds(count), folder, workers=local_workers(1)
            )
        )
        rows.append({"seeds": count, "seconds": round(seconds, 3), "kept": "z and t on disk"})
    return {
        "rows": rows,
        "line": line([row["seeds"] for row in rows], [row["seconds"] for row in rows]),
        "subjects": store.n_subjects,
    }


def growth_over_voxels(data: Data) -> dict:
    """Map an eighth to all of the voxels of four subjects."""
    rows = []
    for share in VOXEL_SHARES:
        voxels = int(share * data.space.n_locations)
        store = prepare(data.connectome(4, voxels), data.folder / f"voxels-{voxels}")
        # runs of neighbouring voxels, as a sphere's are
        starts = np.linspace(0, voxels - SEED_VOXELS, data.sizes.seeds).astype(int)
        weights = np.full(SEED_VOXELS, 1 / SEED_VOXELS)
        seeds = [
            Seed(f"seed{start}", np.arange(start, start + SEED_VOXELS), weights, 1.0)
            for start in starts
        ]
        seconds = min(timed(_map, store, seeds)[0] for _ in range(3))
        rows.append({"voxels": voxels, "seconds": round(seconds, 3)})
    return {
        "rows": rows,
        "line": line([row["voxels"] for row in rows], [row["seconds"] for row in rows]),
        "subjects": 4,
    }


def flips_beside_permuted_ols(data: Data, store: Store, subjects: int, flips: int) -> dict:
    """Time the sign flips of one seed in nilearn and here, and of all seeds streamed."""
    many = repeated(store, subjects, data.folder / "flipped")
    tested, z = _random_z(data, subjects)
    signs = random_signs(subjects, flips, 0)
    with threadpool_limits(1):
        theirs, their_cpu, _ = timed(_permuted_ols, tested, z, flips)
        ours = [timed(max_t_of_maps, z, signs) for _ in range(3)]
    del z
    wall, cpu, _ = min(ours, key=lambda times: times[0])
    seeds_path = data.folder / "seeds.pickle"
    alone = in_own_process(ALONE, "flips", many.folder, seeds_path, 1, flips)
    return {
        "subjects": subjects,
        "voxels": data.space.n_locations,
        "flips": flips,
        "permuted_ols_seconds": round(theirs, 2),
        "our_seconds": round(wall, 3),
        "ratio": round(theirs / wall, 1),
        "ratio_of_processor_time": round(their_cpu / cpu, 1),
        "aim": 100,
        "streamed": {"seeds": data.sizes.seeds, "aim_mb": 1200, **alone},
        "note": "one seed, one thread each, both from finished maps in memory; streamed: all seeds "
        "from the store, correlations included",
    }


def _map_once(store: Store, data: Data, count: int | None = None) -> None:
    _map(store, data.seeds(count))


def _map(store: Store, seeds: list) -> None:
    map_seeds(store, seeds, workers=local_workers(1), cache=False)


def _random_z(data: Data, subjects: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((subjects, data.space.n_locations), np.float32)
    return np.ones((subjects, 1)), z


def _permuted_ols(tested: np.ndarray, z: np.ndarray, flips: int) -> None:
    permuted_ols(tested, z, model_intercept=False, n_perm=flips, output_type="dict")
