"""One mapping in a process of its own: prints its time and its peak of memory as JSON.

``python -m benchmarks.connectome_alone import|map|flips STORE SEEDS THREADS [FLIPS]``; SEEDS is a
pickle of what `benchmarks.connectome_data.Data.seeds` made.
"""

import json
import pickle
import resource
import sys
import time
from pathlib import Path

from compendium.connectome.flips import sign_flip_max_t
from compendium.connectome.mapping import map_seeds
from compendium.connectome.scale import local_workers
from compendium.connectome.store import open_store


def main() -> None:
    """Do what the command line says."""
    kind, folder, seeds_path, threads, *more = sys.argv[1:]
    store = open_store(Path(folder))
    seeds = pickle.loads(Path(seeds_path).read_bytes())  # noqa: S301 - written by the benchmark
    workers = local_workers(int(threads))
    begin = time.perf_counter()
    if kind == "map":
        map_seeds(store, seeds, workers=workers, cache=False)
    elif kind == "flips":
        sign_flip_max_t(store, seeds, n_flips=int(more[0]), workers=workers)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": round(seconds, 3), "peak_mb": round(peak / 1e6)}))


if __name__ == "__main__":
    main()
