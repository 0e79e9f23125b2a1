"""Which targets a connectome can speak about at all."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from compendium.connectome.model import ParcelSpace, Space
from compendium.connectome.seeds import (
    MINIMUM_COVERAGE,
    ImageSite,
    ParcelSite,
    Seed,
    Site,
    place_seeds,
    seed_matrix,
)

SAME_SEED = 0.99  # cosine of two seeds' weights above which they cannot be told apart


def coverage_table(
    targets: Sequence[Site | ImageSite | ParcelSite],
    spaces: Mapping[str, Space],
    minimum_coverage: float = MINIMUM_COVERAGE,
) -> pd.DataFrame:
    """Place every target in every connectome's space and say what came of it.

    Parameters
    ----------
    targets : sequence of sites
        For example from `compendium.targets.read_targets`.
    spaces : mapping
        Connectome's name → its space.
    minimum_coverage : float
        As in `place_seed`.

    Returns
    -------
    DataFrame
        One row per target and connectome, in the order given: ``target``, ``connectome``,
        ``coverage`` (share of the seed's volume that the space holds), ``represented``,
        ``n_locations``, ``held_by`` (the parcels and their weights, heaviest first; NA for
        voxels and refused seeds), ``same_as`` (other represented targets whose seed has nearly
        the same weights: their maps cannot differ), ``notes``.
    """
    rows = []
    for name, space in spaces.items():
        seeds, refused = place_seeds(targets, space, minimum_coverage)
        twins = _twins(seeds, space)
        placed = {seed.name: seed for seed in seeds}
        gone = {refusal.name: refusal for refusal in refused}
        for target in targets:
            seed = placed.get(target.name)
            rows.append(
                {
                    "target": target.name,
                    "connectome": name,
                    "coverage": seed.coverage if seed else gone[target.name].coverage,
                    "represented": seed is not None,
                    "n_locations": seed.n_locations if seed else 0,
                    "held_by": _held_by(seed, space) if seed else pd.NA,
                    "same_as": twins[seed.name] if seed else (),
                    "notes": seed.notes if seed else (gone[target.name].what,),
                }
            )
    table = pd.DataFrame(rows)
    for column in ("target", "connectome", "held_by"):
        table[column] = table[column].astype("string")
    return table


def _held_by(seed: Seed, space: Space) -> str | None:
    if not isinstance(space, ParcelSpace):
        return None
    order = np.lexsort((seed.locations, -seed.weights))
    names = space.table["name"].iloc[seed.locations[order]]
    shares = seed.weights[order]
    return ", ".join(
        f"{name} {share:.2f}" for name, share in zip(names, shares, strict=True) if share >= 0.01
    )


def _twins(seeds: Sequence[Seed], space: Space) -> dict[str, tuple[str, ...]]:
    if not seeds:
        return {}
    weights = seed_matrix(seeds, space)
    products = (weights @ weights.T).toarray()
    norms = np.sqrt(np.diag(products))
    alike = products / np.outer(norms, norms) > SAME_SEED
    return {
        seed.name: tuple(
            other.name for other, same in zip(seeds, row, strict=True) if same and other is not seed
        )
        for seed, row in zip(seeds, alike, strict=True)
    }
