"""Clocks, the page cache, and the peak of memory of a process of its own."""

import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

MMAP_MAX, TRIM_THRESHOLD = -4, -1  # what glibc's mallopt calls M_…
PAUSE = 3  # seconds; the host of a virtual machine takes back what nobody has used for two


def timed(function: Callable, *arguments: object) -> tuple[float, float, Any]:
    """Call a function; return seconds on the wall, seconds of processors, and its result."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - wall, time.process_time() - cpu, result


def evict(paths: Iterable[Path]) -> None:
    """Ask the system to forget what it keeps of some files, so that they are read from the disk."""
    os.sync()
    for path in paths:
        with path.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def keep_memory() -> bool:
    """Have this process keep the memory that it frees, and say whether it can.

    What is freed goes back to the system otherwise, and from a virtual machine on to its host. To
    have it again may cost more than what is measured, or nothing, as it happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(MMAP_MAX, 0) and mallopt(TRIM_THRESHOLD, -1))


def give_memory_back() -> None:
    """Give what is free back to the system, and wait until it is gone."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    time.sleep(PAUSE)


def median(values: Iterable[float]) -> float:
    """Return the median, rounded to what a clock can tell."""
    return float(f"{np.median(list(values)):.4g}")


def line(x: Iterable[float], y: Iterable[float]) -> dict:
    """Fit a straight line and say how well it fits."""
    x, y = np.array(list(x), float), np.array(list(y), float)
    slope, intercept = np.polyfit(x, y, 1)
    residual = y - (slope * x + intercept)
    r2 = 1 - residual.var() / y.var() if y.var() else 1.0
    return {
        "slope": float(f"{slope:.4g}"),
        "intercept": float(f"{intercept:.4g}"),
        "r2": round(float(r2), 4),
    }


def in_own_process(module: str, *arguments: object) -> dict:
    """Run a module that prints JSON on its last line, and return that.

    The peak of memory of a process can only be had from a process that does nothing else.
    """
    result = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", module, *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(result.stdout.strip().splitlines()[-1])
