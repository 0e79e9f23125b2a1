"""What a full GSP1000 would take, from what was measured, and what would limit it."""

import numpy as np

from benchmarks.connectome_data import Sizes

# what the open release is said to hold (Lead-DBS's mask at 2 mm, two runs of 120 volumes)
GSP = {"subjects": 1000, "voxels": 285_903, "volumes": 240, "seeds": 20}
# assumptions, stated beside the estimate: workers, and GB/s at which the store can be read
PLACES = {
    "laptop, 4 cores": (4, 2.0),
    "16 workers, shared disk of 10 Gbit/s": (16, 1.25),
    "16 workers, each with its share on its own disk": (16, 16 * 2.0),
}


def estimates(rows: list[dict], rounds: list[dict], sizes: Sizes, voxels: int) -> list[dict]:
    """Scale the measured seconds per subject by voxels and volumes; the slower part sets the time.

    Preparing is done once; it is limited by unpacking .nii.gz, one subject a core.
    """
    ours = np.median([row["wall"]["ours, int16, 1 threads"] for row in rounds])
    first = np.median([row["wall"]["ours, first run"] for row in rounds])
    speedup = next(row["ratio"] for row in rows if row["comparison"] == "two threads") / 2
    scale = GSP["voxels"] * GSP["volumes"] / (voxels * sizes.volumes * sizes.runs)
    store_gb = GSP["subjects"] * GSP["voxels"] * GSP["volumes"] * 2 / 1e9
    found = []
    for place, (workers, rate) in PLACES.items():
        efficiency = min(1.0, speedup)
        compute = GSP["subjects"] * ours * scale / (workers * efficiency)
        read = store_gb / rate
        found.append(
            {
                "place": place,
                "workers": workers,
                "store_gb": round(store_gb, 1),
                "read_gb_per_second": rate,
                "seconds_computing": round(float(compute), 1),
                "seconds_reading": round(read, 1),
                "seconds": round(float(max(compute, read)), 1),
                "limited_by": "reading the store" if read > compute else "computing",
                "minutes_preparing_once": round(
                    float(GSP["subjects"] * (first - ours) * scale / workers / 60), 1
                ),
            }
        )
    return found
