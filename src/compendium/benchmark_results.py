"""Timings that were measured and kept: tables of them for the book."""

import json
from pathlib import Path

import pandas as pd

from compendium.errors import InputError

GROWTH = {"subjects": "subjects", "seeds": "seeds", "voxels": "voxels"}


def read_benchmark(path: Path, kind: str) -> dict:
    """Read a kept result.

    Parameters
    ----------
    path : Path
        JSON, as ``python -m benchmarks`` writes it.
    kind : str
        Which benchmark it must be of.

    Returns
    -------
    dict

    Raises
    ------
    InputError
        If it is not there or of another benchmark.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no kept timings", where=str(path), remedy="run `make benchmark`")
    result = json.loads(path.read_text(encoding="utf-8"))
    if result.get("benchmark") != kind:
        raise InputError(f"not timings of {kind!r}", where=str(path))
    return result


def machine_note(result: dict) -> str:
    """Return the machine, the date and how busy it was, in words."""
    machine, load = result["machine"], result["load_while_measuring"]
    busy = (
        f"; {min(load):.1f} to {max(load):.1f} processes were waiting or running meanwhile, so "
        f"times are rougher than on a quiet machine"
        if max(load) > machine["cores"] + 0.5
        else ""
    )
    kept = (
        "; freed memory stayed with the process, so that every way but the one after a pause found "
        "its memory there"
        if result.get("memory_kept")
        else ""
    )
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']:g} GB, "
        f"Python {machine['python']}, {result['date']}{kept}{busy}"
    )


def comparison_table(result: dict) -> pd.DataFrame:
    """Return the paired comparisons.

    Returns
    -------
    DataFrame
        ``comparison``, ``what``, ``seconds`` and ``against_seconds`` (per subject), ``ratio``
        (median over rounds), ``lowest``, ``highest``, ``aim`` (in words), ``target`` (the number;
        missing where none was set), ``met`` (yes, no, no aim), ``ratio_of_processor_time``.
    """
    table = pd.DataFrame(result["comparisons"])
    table["target"] = table["aim"].astype("Float64")
    table["aim"] = [
        "none" if pd.isna(aim) else f"{sense} {aim:g}"
        for sense, aim in zip(table["sense"], table["target"], strict=True)
    ]
    table["met"] = [
        "no aim"
        if pd.isna(aim)
        else "yes"
        if (ratio >= aim if sense == "at least" else ratio <= aim)
        else "no"
        for sense, aim, ratio in zip(table["sense"], table["target"], table["ratio"], strict=True)
    ]
    return table


def growth_table(result: dict) -> pd.DataFrame:
    """Return how seconds grow: ``over`` (subjects, seeds, voxels), ``count``, ``seconds``."""
    rows = [
        (over, row[column], row["seconds"])
        for over, column in GROWTH.items()
        for row in result["growth"][over]["rows"]
    ]
    return pd.DataFrame(rows, columns=["over", "count", "seconds"])


def slope_table(result: dict) -> pd.DataFrame:
    """Return the straight line through each growth: milliseconds for one more, and its fit."""
    rows = [
        (over, 1000 * line["slope"], line["intercept"], line["r2"])
        for over in GROWTH
        for line in [result["growth"][over]["line"]]
    ]
    return pd.DataFrame(rows, columns=["over", "milliseconds_each", "seconds_at_none", "r2"])
