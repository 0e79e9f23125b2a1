"""Analyses kept on disk, so that a chapter starts where the one before it stopped."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from compendium.connectome.analysis import Analysis
from compendium.connectome.networks import MapSet
from compendium.connectome.store import Store, open_store
from compendium.errors import InputError
from compendium.files import replacing
from compendium.tables import read_table, write_table

INDEX = "analyses.json"


def keep_analyses(
    analyses: Mapping[tuple[str, ...], Analysis],
    stores: Mapping[tuple[str, ...], Path],
    folder: Path,
) -> Path:
    """Write analyses and an index of them.

    Parameters
    ----------
    analyses : mapping
        Choices (connectome, handling of the global signal, …) → analysis.
    stores : mapping
        The same keys → folder of the store that each rests on; it holds the space.
    folder : Path
        Where to write; one folder for each analysis.

    Returns
    -------
    Path
        The index, ``analyses.json``, written last: where it is, all is there.
    """
    folder = Path(folder)
    index = []
    for number, (key, analysis) in enumerate(analyses.items()):
        place = folder / f"{number:02d}"
        arrays = {
            "z": analysis.maps.z,
            "t": analysis.maps.t,
            "own": np.packbits(analysis.maps.own, axis=1),
        }
        if analysis.subject_z is not None:
            arrays["subject_z"] = analysis.subject_z
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        with replacing(place / "maps.npz", "wb") as stream:
            stream.write(buffer.getvalue())
        write_table(analysis.maps.seeds, place / "seeds.csv")
        write_table(analysis.placed, place / "placed.csv")
        index.append(
            {
                "key": list(key),
                "folder": place.name,
                "store": stores[key].as_posix(),
                "connectome": analysis.connectome,
                "simulated": analysis.simulated,
                "n_subjects": analysis.maps.n_subjects,
            }
        )
    with replacing(folder / INDEX) as stream:
        json.dump(index, stream, indent=1)
        stream.write("\n")
    return folder / INDEX


def read_analyses(folder: Path) -> dict[tuple[str, ...], Analysis]:
    """Read what `keep_analyses` wrote.

    Raises
    ------
    InputError
        If there is no index, or a store that an analysis rests on is gone.
    """
    folder = Path(folder)
    if not (folder / INDEX).is_file():
        raise InputError(
            "no analyses here", where=str(folder / INDEX), remedy="run chapter 8, which keeps them"
        )
    found = {}
    for entry in json.loads((folder / INDEX).read_text(encoding="utf-8")):
        place = folder / entry["folder"]
        seeds = read_table(place / "seeds.csv")
        placed = read_table(place / "placed.csv")
        placed["coverage"] = placed["coverage"].astype(float)
        with np.load(place / "maps.npz", allow_pickle=False) as arrays:
            z, t = arrays["z"], arrays["t"]
            own = np.unpackbits(arrays["own"], axis=1, count=z.shape[1]).astype(bool)
            subject_z = arrays.get("subject_z")
        found[tuple(entry["key"])] = Analysis(
            entry["connectome"],
            entry["simulated"],
            open_store(Path(entry["store"])).space,
            MapSet(seeds, z, t, own, entry["n_subjects"]),
            subject_z,
            placed,
        )
    return found


def store_of(folder: Path, key: tuple[str, ...]) -> Store:
    """Return the prepared connectome that a kept analysis rests on.

    Raises
    ------
    InputError
        If there is no analysis of that key.
    """
    entries = json.loads((Path(folder) / INDEX).read_text(encoding="utf-8"))
    for entry in entries:
        if tuple(entry["key"]) == key:
            return open_store(Path(entry["store"]))
    raise InputError(f"no analysis of {', '.join(key)}", where=str(Path(folder) / INDEX))
