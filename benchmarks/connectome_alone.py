"""One mapping in a process of its own: prints its time and its peak of memory as JSON.

``python -m benchmarks.connectome_alone import|map|flips STORE SEEDS THREADS [FLIPS]``; SEEDS is a
pickle of what `benchmarks.connectome_data.Data.seeds` made.
"""

import json
import pickle
import re
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
    print(json.dumps({"seconds": round(seconds, 3), "peak_mb": round(_peak() / 1e6)}))


def _peak() -> int:
    """Return the largest size in memory that this process had, bytes."""
    status = Path("/proc/self/status")
    if status.is_file():
        # getrusage would count the parent's memory, which a child shares until it begins
        return 1024 * int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
