"""Linking against comparing all pairs, from 1,000 to 100,000 invented records.

Run ``python -m benchmarks.linkage`` (some minutes); the result is kept in
``benchmarks/results/linkage.json`` and shown in the book.
"""

import argparse
import datetime
import json
import multiprocessing
import os
import platform
import resource
import time
from pathlib import Path

import numpy as np
from rapidfuzz import fuzz, process

from benchmarks.invented_registry import invent_registry
from compendium.files import replacing
from compendium.linkage import link_records
from compendium.linkage.columns import texts
from compendium.linkage.words import words

RESULT = Path(__file__).parent / "results" / "linkage.json"
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
# comparing all pairs is measured where it can be waited for, and extrapolated beyond
ALL_PAIRS_UP_TO = 10_000
ROWS_AT_ONCE = 500


def link(size: int) -> dict:
    """Link an invented registry with `link_records`."""
    records, truth = invent_registry(size)
    begin = time.perf_counter()
    links = link_records(records).links
    seconds = time.perf_counter() - begin
    forward = links[links.decision != "keep-apart"]
    found = truth.merge(forward, on=["record_a", "record_b"])
    return {
        "seconds": seconds,
        "candidates": len(forward),
        "true_pairs": len(truth),
        "found": len(found),
    }


def compare_all(size: int) -> dict:
    """Compare the titles of all pairs of records: best token-sort similarity of any two titles."""
    records, truth = invent_registry(size)
    begin = time.perf_counter()
    plain = [
        [" ".join(words(title)) for title in texts(records, name)]
        for name in ("public_title", "scientific_title")
    ]
    registries = np.array(texts(records, "registry"))
    ids = texts(records, "record_id")
    forward = set()
    for start in range(0, size, ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        best = np.zeros((len(ids[rows]), size - start), dtype=np.float32)
        for one in plain:
            for other in plain:
                likeness = process.cdist(
                    one[rows], other[start:], scorer=fuzz.token_sort_ratio, dtype=np.float32
                )
                np.maximum(best, likeness, out=best)
        near = np.argwhere((best >= 80) & (registries[rows, None] != registries[None, start:]))
        forward |= {tuple(sorted((ids[start + a], ids[start + b]))) for a, b in near.tolist()}
    seconds = time.perf_counter() - begin
    found = sum(pair in forward for pair in zip(truth.record_a, truth.record_b, strict=True))
    return {
        "seconds": seconds,
        "candidates": len(forward),
        "true_pairs": len(truth),
        "found": found,
    }


def _measure(task: tuple[str, int]) -> dict:
    """Run one way at one size, in a process of its own, and say what it took."""
    way, size = task
    measured = {"linked": link, "all pairs": compare_all}[way](size)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return {"way": way, "records": size, **measured, "peak_gb": round(peak, 2)}


def extrapolate(rows: list[dict], sizes: tuple[int, ...]) -> list[dict]:
    """Continue the all-pairs way beyond what was measured: its work grows with the square."""
    largest = max((r for r in rows if r["way"] == "all pairs"), key=lambda r: r["records"])
    return [
        {
            "way": "all pairs",
            "records": size,
            "seconds": largest["seconds"] * (size / largest["records"]) ** 2,
            "extrapolated": True,
        }
        for size in sizes
        if size > largest["records"]
    ]


def machine() -> dict:
    """Describe what the benchmark ran on."""
    return {
        "processor": platform.machine(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def main() -> None:
    """Measure both ways and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--all-pairs-up-to", type=int, default=ALL_PAIRS_UP_TO)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    sizes = tuple(sorted(options.sizes))
    tasks = [("linked", size) for size in sizes]
    tasks += [("all pairs", size) for size in sizes if size <= options.all_pairs_up_to]
    rows = []
    context = multiprocessing.get_context("spawn")
    for task in tasks:
        # a fresh process each, so that the peak of memory is that of this size alone
        with context.Pool(1) as pool:
            row = pool.apply(_measure, (task,))
        row["seconds"] = round(row["seconds"], 2)
        rows.append(row)
        print(f"{row['way']:>10}  {row['records']:>8,} records  {row['seconds']:>8.1f} s")
    if any(row["way"] == "all pairs" for row in rows):
        rows += extrapolate(rows, sizes)
    result = {
        "benchmark": "linkage",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "data": "invented registries; 4 in 100 records are simulated second registrations",
        "rows": rows,
    }
    with replacing(options.out) as stream:
        json.dump(result, stream, indent=1, ensure_ascii=False)
        stream.write("\n")


if __name__ == "__main__":
    main()
