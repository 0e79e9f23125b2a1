"""One seed and a few places, subject by subject: what a group map is made of."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compendium.connectome.mapping import map_seeds, subject_maps
from compendium.connectome.seeds import Seed
from compendium.connectome.store import Store


def subject_values(store: Store, seed: Seed, places: Sequence[Seed]) -> pd.DataFrame:
    """Return each subject's correlation of a seed with some places.

    Parameters
    ----------
    store : Store
        A prepared connectome.
    seed : Seed
        As placed in the store's space.
    places : sequence of Seed
        Where to look: the heaviest location of each.

    Returns
    -------
    DataFrame
        ``subject``, ``place``, ``r`` and ``z`` (Fisher z); no row where there is no signal.
    """
    columns = [int(place.locations[np.argmax(place.weights)]) for place in places]
    rows = [
        (subject_id, place.name, float(np.tanh(z[0, column])), float(z[0, column]))
        for subject_id, z in subject_maps(store, [seed])
        for place, column in zip(places, columns, strict=True)
        if np.isfinite(z[0, column])
    ]
    return pd.DataFrame(rows, columns=["subject", "place", "r", "z"])


def group_values(store: Store, seed: Seed, places: Sequence[Seed]) -> pd.DataFrame:
    """Return the group statistics of a seed at the same places as `subject_values`.

    Returns
    -------
    DataFrame
        ``place``, ``held_by`` (the parcel; voxels have no name), ``r``, ``z``, ``low`` and
        ``high`` (95 % interval of mean z), ``sd``, ``t``, ``n`` and ``d``.
    """
    maps = map_seeds(store, [seed])
    table = maps.table(seed.name)
    table["low"], table["high"] = (np.arctanh(table[end]) for end in ("rlow", "rhigh"))
    columns = [int(place.locations[np.argmax(place.weights)]) for place in places]
    chosen = table.iloc[columns].reset_index(drop=True)
    chosen.insert(0, "place", [place.name for place in places])
    kept = ["place", "name", "r", "z", "low", "high", "sd", "t", "n", "d"]
    return chosen[[name for name in kept if name in chosen]].rename(columns={"name": "held_by"})
