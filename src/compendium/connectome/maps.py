"""Group maps of seeds, and the statistics that follow from their moments."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from compendium.connectome.model import ParcelSpace, Space
from compendium.connectome.moments import Moments
from compendium.connectome.seeds import Seed
from compendium.errors import InputError

# statistic → what it is, in the sidecar of every map
STATISTICS: dict[str, str] = {
    "r": "mean correlation: hyperbolic tangent of the mean Fisher z (rule mean-r: mean of r)",
    "rlow": "lower end of the 95 % confidence interval of r, from the t interval of mean z",
    "rhigh": "upper end of the 95 % confidence interval of r, from the t interval of mean z",
    "z": "mean Fisher z over subjects",
    "sd": "standard deviation of Fisher z over subjects",
    "t": "one-sample t of Fisher z over subjects, against zero",
    "d": "standardised effect: mean z over its standard deviation",
    "n": "subjects with signal at the location; degrees of freedom are n - 1",
}


@dataclass(frozen=True)
class SeedMaps:
    """Group statistics of K seeds over P locations of one connectome.

    Every property is an array of shape (K, P), float64 unless stated; NaN where too few subjects
    have signal.

    Attributes
    ----------
    seeds : tuple of Seed
        In the order of the rows.
    space : VoxelSpace or ParcelSpace
        Where the columns lie.
    moments : tuple of Moments
        Of each seed: (quantities, 2 halves of the subjects, P).
    rule : {"fisher-z", "mean-r"}
        How runs were combined.
    connectome : str
        Its name.
    simulated : bool
        True if the data were generated; everything written says so.
    n_subjects : int
        Subjects in the connectome.
    provenance : dict
        Store, source and options.
    halves : tuple of int
        Which halves the statistics are of.
    """

    seeds: tuple[Seed, ...]
    space: Space
    moments: tuple[Moments, ...]
    rule: str
    connectome: str
    simulated: bool
    n_subjects: int
    provenance: dict
    halves: tuple[int, ...] = (0, 1)

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the seeds."""
        return tuple(seed.name for seed in self.seeds)

    @property
    def mean_z(self) -> np.ndarray:
        """Mean Fisher z over subjects."""
        return self._stack(lambda of: of.mean)

    @property
    def sd(self) -> np.ndarray:
        """Standard deviation of Fisher z over subjects."""
        return self._stack(lambda of: of.sd)

    @property
    def t(self) -> np.ndarray:
        """One-sample t of Fisher z over subjects."""
        return self._stack(lambda of: of.t)

    @property
    def n(self) -> np.ndarray:
        """Subjects with signal at the location and in the seed, int32."""
        return self._stack(lambda of: of.n)

    @property
    def df(self) -> np.ndarray:
        """Degrees of freedom of t, int32."""
        return np.maximum(self.n - 1, 0)

    @property
    def mean_r(self) -> np.ndarray:
        """Mean correlation: tanh of mean z, or under the rule "mean-r" the mean of r itself."""
        return np.stack([self._mean_r(number) for number in range(len(self))])

    @property
    def variance_r(self) -> np.ndarray:
        """Variance of r over subjects; known under the rule "mean-r" only."""
        if self.rule != "mean-r":
            raise InputError("the variance of r is kept by the rule mean-r only")
        return np.stack([self._of(number, 1).sd ** 2 for number in range(len(self))])

    @property
    def effect_size(self) -> np.ndarray:
        """Mean z over its standard deviation over subjects (Cohen's d)."""
        return self._stack(_effect)

    def interval_r(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Return a confidence interval of r: the t interval of mean z, transformed back."""
        ends = [np.tanh(self._of(number).interval(level)) for number in range(len(self))]
        low, high = np.stack(ends, axis=1)
        return low, high

    @property
    def own(self) -> np.ndarray:
        """Whether a location belongs to the seed itself, bool."""
        own = np.zeros((len(self), self.space.n_locations), bool)
        for row, seed in enumerate(self.seeds):
            own[row, seed.locations] = True
        return own

    def half(self, number: int) -> "SeedMaps":
        """Return the maps of every other subject, from the first (0) or from the second (1)."""
        if number not in self.halves:
            raise InputError(f"there is no half {number}", remedy="ask for 0 or 1")
        of_half = (self.n_subjects + 1 - number) // 2
        return replace(self, halves=(number,), n_subjects=of_half)

    def select(self, names: Sequence[str]) -> "SeedMaps":
        """Return the maps of some seeds, in the order asked for."""
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise InputError("there is no map of this seed", where=unknown[0])
        rows = [self.names.index(name) for name in names]
        return replace(
            self,
            seeds=tuple(self.seeds[row] for row in rows),
            moments=tuple(self.moments[row] for row in rows),
        )

    def statistic(self, name: str, seed: str) -> np.ndarray:
        """Return one statistic of one seed, shape (P,), float64; see `STATISTICS`."""
        number = self._number(seed)
        of = self._of(number)
        if name in ("rlow", "rhigh"):
            return np.tanh(of.interval()[name == "rhigh"])
        if name == "rvariance":
            return self.select([seed]).variance_r[0]
        if name == "r":
            return self._mean_r(number)
        known = {"z": lambda: of.mean, "sd": lambda: of.sd, "t": lambda: of.t, "n": lambda: of.n}
        known["d"] = lambda: _effect(of)
        if name not in known:
            raise InputError(f"unknown statistic {name!r}", remedy=f"use one of {[*STATISTICS]}")
        return known[name]().astype(float)

    def table(self, seed: str) -> pd.DataFrame:
        """Return all statistics of one seed, one row a location.

        Returns
        -------
        DataFrame
            ``location``, ``name`` (parcels) or ``x``, ``y``, ``z_mm`` (voxels, mm), ``r``,
            ``rlow``, ``rhigh``, ``z``, ``sd``, ``t``, ``df``, ``d``, ``n`` and ``own`` (whether
            the location belongs to the seed).
        """
        columns: dict[str, object] = {"location": np.arange(self.space.n_locations)}
        if isinstance(self.space, ParcelSpace):
            columns["name"] = self.space.table["name"].to_numpy()
        else:
            columns |= dict(zip(("x", "y", "z_mm"), self.space.coordinates.T, strict=True))
        columns |= {name: self.statistic(name, seed) for name in STATISTICS}
        columns["n"] = columns["n"].astype(int)
        columns["df"] = np.maximum(columns["n"] - 1, 0)
        columns["own"] = self.select([seed]).own[0]
        return pd.DataFrame(columns)

    def _number(self, seed: str) -> int:
        if seed not in self.names:
            raise InputError("there is no map of this seed", where=seed)
        return self.names.index(seed)

    def _of(self, number: int, quantity: int = 0) -> Moments:
        """Return one quantity's moments over the halves in question, arrays of shape (P,)."""
        stored = self.moments[number]
        first, *rest = [
            Moments(stored.n[0, half], stored.mean[quantity, half], stored.m2[quantity, half])
            for half in self.halves
        ]
        for other in rest:
            first = first.merge(other)
        return first

    def _mean_r(self, number: int) -> np.ndarray:
        if self.rule == "mean-r":
            return self._of(number, 1).mean
        return np.tanh(self._of(number).mean)

    def _stack(self, statistic: object) -> np.ndarray:
        return np.stack([statistic(self._of(number)) for number in range(len(self))])


def _effect(of: Moments) -> np.ndarray:
    sd = of.sd
    return np.divide(of.mean, sd, out=np.full(sd.shape, np.nan), where=sd > 0)
