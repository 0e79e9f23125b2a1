"""Read the columns of a records table, whichever of them it has."""

import numpy as np
import pandas as pd


def texts(records: pd.DataFrame, name: str) -> list[str]:
    """Return a text column as strings; "" where nothing is stated or there is no such column."""
    if name not in records.columns:
        return [""] * len(records)
    return records[name].astype("object").where(records[name].notna(), "").map(str).tolist()


def lists(records: pd.DataFrame, name: str) -> list[tuple[str, ...]]:
    """Return a list column as tuples; () where nothing is stated, plain text as its one item."""
    if name not in records.columns:
        return [()] * len(records)
    return [_items(cell) for cell in records[name]]


def _items(cell: object) -> tuple[str, ...]:
    if isinstance(cell, str):
        return (cell,)
    return tuple(str(item) for item in cell) if isinstance(cell, list | tuple | np.ndarray) else ()


def numbers(records: pd.DataFrame, name: str) -> np.ndarray:
    """Return a column of numbers as floats, NaN where nothing is stated or there is no column."""
    if name not in records.columns:
        return np.full(len(records), np.nan)
    return pd.to_numeric(records[name], errors="coerce").astype("Float64").to_numpy(float, np.nan)


def days(records: pd.DataFrame, name: str) -> np.ndarray:
    """Return ISO dates as days since 1970, months from their 15th; NaN where none is stated."""
    written = pd.Series(texts(records, name), dtype="object")
    whole = written.where(written.str.len() != 7, written + "-15")
    stamps = pd.to_datetime(whole.where(whole.str.len() == 10), format="%Y-%m-%d", errors="coerce")
    return ((stamps - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)).to_numpy(float)
