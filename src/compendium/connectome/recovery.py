"""How well maps of simulated data recover the truth that the data were made from."""

import numpy as np
import pandas as pd

from compendium.connectome.maps import SeedMaps
from compendium.connectome.seeds import seed_matrix
from compendium.connectome.simulate import SimulatedConnectome
from compendium.errors import InputError

AWAY = 15.0  # mm beyond the seed's edge; nearer, a map is the noise's smoothness


def recovery_table(connectome: SimulatedConnectome, maps: SeedMaps) -> pd.DataFrame:
    """Compare each map with the correlations that endless data would show.

    Parameters
    ----------
    connectome : SimulatedConnectome
        What the maps were made from.
    maps : SeedMaps
        Maps of spheres in it, prepared without a band and with the global signal kept.

    Returns
    -------
    DataFrame
        One row per seed: ``seed``, ``locations`` (voxels more than 15 mm beyond the seed),
        ``with_truth`` (correlation over them of mean z with the true z), ``between_halves`` (of
        the two halves of the subjects with one another), ``ceiling`` (what noise
        lets one expect of `with_truth`: the root of the reliability of all subjects together, by
        the formula of Spearman and Brown; itself an estimate), ``largest_error`` (in mean z).

    Raises
    ------
    InputError
        If a seed is no sphere.
    """
    truth = connectome.truth(seed_matrix(maps.seeds, connectome.space))
    halves = [maps.half(number).mean_z for number in (0, 1)]
    rows = []
    for row, seed in enumerate(maps.seeds):
        if seed.centre is None:
            raise InputError("only a sphere has an outside", where=seed.name)
        distance = np.linalg.norm(connectome.space.coordinates - seed.centre, axis=1)
        away = distance > seed.radius + AWAY
        between = float(np.corrcoef(halves[0][row, away], halves[1][row, away])[0, 1])
        true, found = np.arctanh(truth[row, away]), maps.mean_z[row, away]
        rows.append(
            {
                "seed": seed.name,
                "locations": int(away.sum()),
                "with_truth": float(np.corrcoef(found, true)[0, 1]),
                "between_halves": between,
                "ceiling": float(np.sqrt(max(0.0, 2 * between / (1 + between)))),
                "largest_error": float(np.abs(found - true).max()),
            }
        )
    return pd.DataFrame(rows)


def binned_recovery(
    connectome: SimulatedConnectome, maps: SeedMaps, seed: str, bins: int = 60
) -> pd.DataFrame:
    """Return how often each pair of true and found z occurs away from one seed.

    Returns
    -------
    DataFrame
        ``true``, ``found`` (centres of bins, Fisher z) and ``voxels``; empty bins are left out.
    """
    one = maps.select([seed])
    centre, radius = one.seeds[0].centre, one.seeds[0].radius
    truth = np.arctanh(connectome.truth(seed_matrix(one.seeds, connectome.space))[0])
    away = np.linalg.norm(connectome.space.coordinates - centre, axis=1) > radius + AWAY
    counts, x, y = np.histogram2d(truth[away], one.mean_z[0, away], bins=bins)
    rows, columns = np.nonzero(counts)
    return pd.DataFrame(
        {
            "true": ((x[1:] + x[:-1]) / 2)[rows],
            "found": ((y[1:] + y[:-1]) / 2)[columns],
            "voxels": counts[rows, columns].astype(int),
        }
    )
