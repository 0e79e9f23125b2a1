"""Read the columns of a records table, whichever of them it has."""

import json

import numpy as np
import pandas as pd


def texts(records: pd.DataFrame, name: str) -> list[str]:
    """Return a text column as strings; "" where nothing is stated or there is no such column."""
    if name not in records.columns:
        return [""] * len(records)
    return records[name].astype("object").where(records[name].notna(), "").map(str).tolist()


def lists(records: pd.DataFrame, name: str) -> list[tuple[str, ...]]:
    """Return a list column as tuples; () where nothing is stated.

    A text is read as this project and the portals write lists: a JSON list, or items between
    semicolons.
    """
    if name not in records.columns:
        return [()] * len(records)
    return [_items(cell) for cell in records[name]]


def _items(cell: object) -> tuple[str, ...]:
    if isinstance(cell, str):
        cell = _split(cell)
    if isinstance(cell, set | frozenset):
        cell = sorted(cell, key=str)
    if not isinstance(cell, list | tuple | np.ndarray):
        return ()
    stated = (str(item).strip() for item in cell if not pd.isna(item))
    return tuple(item for item in stated if item)


def _split(text: str) -> list:
    """Part a text into the items of the list that it writes down."""
    if text.lstrip().startswith("["):
        try:
            read = json.loads(text)
        except json.JSONDecodeError:
            read = None
        if isinstance(read, list):
            return read
    return text.split(";")


def numbers(records: pd.DataFrame, name: str) -> np.ndarray:
    """Return a column of numbers as floats, NaN where nothing is stated or there is no column."""
    if name not in records.columns:
        return np.full(len(records), np.nan)
    return pd.to_numeric(records[name], errors="coerce").astype("Float64").to_numpy(float, np.nan)


def days(records: pd.DataFrame, name: str) -> np.ndarray:
    """Return ISO dates as days since 1970, months from their 15th; NaN where none is stated."""
    # a time of day, as time stamps have, is no part of the day
    written = pd.Series(texts(records, name), dtype="object").str.replace(r"[T ].*", "", regex=True)
    whole = written.where(written.str.len() != 7, written + "-15")
    stamps = pd.to_datetime(whole.where(whole.str.len() == 10), format="%Y-%m-%d", errors="coerce")
    return ((stamps - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)).to_numpy(float)
