"""What a benchmark ran on."""

import os
import platform
import re
from pathlib import Path


def machine() -> dict:
    """Describe the machine and the interpreter; nothing that names its owner or place."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_gb": _memory_gb(),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        text = listing.read_text(encoding="utf-8")
        name = re.search(r"model name\s*:\s*(.+)", text)
        if name:
            wide = " with AVX-512" if "avx512f" in text else ""
            return f"{name[1].strip()} ({platform.machine()}{wide})"
    return platform.machine()


def _memory_gb() -> float | None:
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
