"""Tables on disk: CSV or Parquet by suffix, lists kept as lists, nothing guessed."""

import io
import json
from pathlib import Path

import pandas as pd

from compendium.errors import InputError
from compendium.files import replacing

SUFFIXES = (".csv", ".parquet")


def write_table(table: pd.DataFrame, path: Path) -> Path:
    """Write a table to `path`, whole or not at all.

    Parameters
    ----------
    table : DataFrame
        Cells that hold tuples or lists become JSON arrays in CSV and lists in Parquet.
    path : Path
        Ends in ``.csv`` or ``.parquet``.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        If the suffix is neither.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"tables are written as {' or '.join(SUFFIXES)}, not as {path.suffix or 'no suffix'!r}",
            where=str(path),
            remedy="change the file's ending",
        )
    if path.suffix == ".parquet":
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        with replacing(path, "wb") as stream:
            stream.write(buffer.getvalue())
        return path
    flat = table.copy()
    for name in flat.columns:
        if any(isinstance(cell, tuple | list) for cell in flat[name]):
            flat[name] = [
                json.dumps(list(cell), ensure_ascii=False)
                if isinstance(cell, tuple | list)
                else cell
                for cell in flat[name]
            ]
    with replacing(path) as stream:
        flat.to_csv(stream, index=False, lineterminator="\n")
    return path


def read_table(
    path: Path, *, lists: tuple[str, ...] = (), integers: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Read a table that `write_table` wrote.

    Parameters
    ----------
    path : Path
        CSV or Parquet.
    lists : tuple of str
        Columns whose cells are lists; they come back as tuples. A name not in the table is ignored.
    integers : tuple of str
        Columns of whole numbers, read as pandas ``Int64``. A name not in the table is ignored.

    Returns
    -------
    DataFrame
        Every other column is text (pandas ``string``); an empty cell is missing, and words such as
        "NA", "N/A" or "null" stay words.

    Raises
    ------
    InputError
        If the file is missing, or its suffix is neither ``.csv`` nor ``.parquet``.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES or not path.is_file():
        raise InputError("no table there", where=str(path), remedy="run the step that writes it")
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
        for name in table.columns.intersection(lists):
            table[name] = [() if cell is None else tuple(cell) for cell in table[name]]
        return table
    table = pd.read_csv(path, dtype="string", keep_default_na=False, na_values=[""])
    for name in table.columns.intersection(lists):
        table[name] = pd.Series(
            [() if pd.isna(cell) else tuple(json.loads(cell)) for cell in table[name]],
            index=table.index,
            dtype=object,
        )
    for name in table.columns.intersection(integers):
        table[name] = table[name].astype("Int64")
    return table
