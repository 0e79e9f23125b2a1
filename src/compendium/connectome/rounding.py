"""How far rounding to int16 moves t in a connectome, measured and not promised.

While a subject is written, a few locations are correlated with some hundred others twice: from
the exact rows and from the rounded ones. Over all subjects that gives two t values each.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from compendium.connectome.store import SCALE

PROBE_SEEDS, PROBES = 4, 512
FEWEST = 5
SAME = 1e-9  # SD of Fisher z over subjects that is no more than rounding


class Probe:
    """Watches one subject's rows being rounded.

    Parameters
    ----------
    n_locations : int
        Rows.
    columns : sequence of slice
        Columns of each run.
    """

    def __init__(self, n_locations: int, columns: Sequence[slice]) -> None:
        spread = np.linspace(0, n_locations - 1, min(PROBES, n_locations)).round().astype(int)
        self.locations = np.unique(spread)
        self.columns = columns
        self.rows = np.zeros((2, len(self.locations), columns[-1].stop))

    def look_exact(self, start: int, columns: slice, exact: np.ndarray) -> None:
        """Remember the probes among one run's exact values, shape (n_columns, n_locations)."""
        here = self._here(start, exact.shape[1])
        self.rows[0, here, columns] = exact[:, self.locations[here] - start].T

    def look_stored(self, start: int, stored: np.ndarray) -> None:
        """Remember the probes among some rows as they are stored."""
        here = self._here(start, len(stored))
        self.rows[1, here] = stored[self.locations[here] - start] * SCALE

    def _here(self, start: int, count: int) -> slice:
        return slice(*np.searchsorted(self.locations, [start, start + count]))

    def z(self, sd: np.ndarray) -> np.ndarray:
        """Return mean Fisher z over runs, exact and stored, shape (2, seeds, locations)."""
        seeds = np.linspace(0, len(self.locations) - 1, PROBE_SEEDS + 2).round().astype(int)[1:-1]
        total = 0
        for number, columns in enumerate(self.columns):
            rows = self.rows[:, :, columns]
            r = rows[:, seeds] @ rows.transpose(0, 2, 1)
            z = np.arctanh(np.clip(r, -1 + 1e-6, 1 - 1e-6))
            z[:, :, np.isnan(sd[self.locations, number])] = np.nan
            z[:, np.isnan(sd[self.locations[seeds], number])] = np.nan
            z[:, np.arange(len(seeds)), seeds] = np.nan  # with itself
            total = total + z
        return total / len(self.columns)


def measured_error(folder: Path, names: Sequence[str]) -> dict | None:
    """Return how far rounding moves the group's t at the probes.

    None for fewer subjects than give a steady t, or if no probe has signal in all of them or
    differs between them.
    """
    if len(names) < FEWEST:
        return None
    z = np.stack([np.load(folder / f"{name}.npy") for name in names])
    known = np.isfinite(z).all(axis=(0, 1))
    if not known.any():
        return None
    z = z[:, :, known]
    spread = z.std(axis=0, ddof=1)
    known = (spread > SAME).all(axis=0)  # subjects that are all the same have no t
    if not known.any():
        return None
    t = z.mean(axis=0)[:, known] / (spread[:, known] / np.sqrt(len(z)))
    difference = np.abs(t[0] - t[1])
    return {
        "subjects": len(names),
        "probes": int(known.sum()),
        "median_t": float(np.median(difference)),
        "largest_t": float(difference.max(initial=0)),
    }
