"""Analyses kept on disk, so that a chapter starts where the one before it stopped."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from compendium.connectome.analysis import Analysis
from compendium.connectome.large import open_rows
from compendium.connectome.networks import MapSet
from compendium.connectome.store import Store, open_store
from compendium.connectome.writing import write_array
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
        Where to write; one folder for each analysis. The maps themselves stay where they are,
        beside the store.

    Returns
    -------
    Path
        The index, ``analyses.json``, written last: where it is, all is there.
    """
    folder = Path(folder)
    index = []
    for number, (key, analysis) in enumerate(analyses.items()):
        place = folder / f"{number:02d}"
        subjects = place / "subject_z.npy"
        subjects.unlink(missing_ok=True)
        if analysis.subject_z is not None:
            write_array(subjects, analysis.subject_z)
        write_table(analysis.maps.seeds, place / "seeds.csv")
        write_table(analysis.placed, place / "placed.csv")
        index.append(
            {
                "key": list(key),
                "folder": place.name,
                "store": stores[key].as_posix(),
                "maps": analysis.folder.as_posix(),
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
        If there is no index, or a store or maps that an analysis rests on are gone.
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
        maps = Path(entry["maps"])
        arrays = [maps / f"{name}.npy" for name in ("z", "t", "own")]
        missing = [path for path in arrays if not path.is_file()]
        if missing:
            raise InputError(
                "maps that an analysis rests on are gone",
                where=str(missing[0]),
                remedy="run chapter 8, which makes them",
            )
        z, t, own = map(open_rows, arrays)
        subjects = place / "subject_z.npy"
        subject_z = np.load(subjects, allow_pickle=False) if subjects.is_file() else None
        found[tuple(entry["key"])] = Analysis(
            entry["connectome"],
            entry["simulated"],
            open_store(Path(entry["store"])).space,
            MapSet(seeds, z, t, own, entry["n_subjects"]),
            maps,
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
