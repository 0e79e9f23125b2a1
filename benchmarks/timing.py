"""Clocks, the page cache, and the peak of memory of a process of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np


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
