"""Group maps of seeds: what is known about each, and how it is written down."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from compendium.connectome.model import ParcelSpace, Space, VoxelSpace
from compendium.connectome.moments import Moments
from compendium.connectome.seeds import Seed
from compendium.connectome.store import write_image, write_json
from compendium.errors import InputError
from compendium.tables import write_table

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
SIMULATED = "simulated data: no evidence about any brain"
LEAD_DBS: dict[str, str] = {"r": "AvgR", "rvariance": "VarR", "z": "AvgRFz", "t": "T"}


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

    def image(self, seed: str, statistic: str = "t") -> nib.Nifti1Image:
        """Return one statistic of one seed as a float32 image; NaN is written as 0."""
        return nib.Nifti1Image(
            self._paint(self.statistic(statistic, seed)), np.asarray(self.space.affine, float)
        )

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

    def save(self, folder: Path) -> list[Path]:
        """Write every map with a JSON sidecar: images of voxels, tables of parcels.

        Parameters
        ----------
        folder : Path
            Made if missing.

        Returns
        -------
        list of Path
            What was written. Voxels: one image a statistic, named after BIDS; under the rule
            "mean-r" also the four maps of Lead-DBS under its names. Parcels: one table a seed.
        """
        folder, written = Path(folder), []
        stems = [self._stem(seed.name) for seed in self.seeds]
        if len({stem.casefold() for stem in stems}) < len(stems):
            raise InputError(
                "two seeds would be written to one file",
                where=str(folder),
                remedy="name seeds so that they differ in letters and digits",
            )
        for seed, stem in zip(self.seeds, stems, strict=True):
            if isinstance(self.space, VoxelSpace):
                names = {name: f"{stem}_stat-{name}_statmap.nii.gz" for name in STATISTICS}
                if self.rule == "mean-r":
                    lead = f"{_label(seed.name)}_conn-{_label(self.connectome)}"
                    written += [
                        self._write(folder / f"{lead}_desc-{desc}_funcmap.nii.gz", name, seed.name)
                        for name, desc in LEAD_DBS.items()
                    ]
                written += [
                    self._write(folder / file, name, seed.name) for name, file in names.items()
                ]
            else:
                written.append(write_table(self.table(seed.name), folder / f"{stem}_stats.csv"))
            written.append(folder / f"{stem}.json")
            write_json(written[-1], self.describe(seed.name))
        return written

    def describe(self, seed: str) -> dict:
        """Return what a reader of one seed's map must know, as it stands in the sidecar."""
        placed = self.seeds[self._number(seed)]
        n = self._of(self._number(seed)).n
        return {
            "Simulated": self.simulated,
            **({"Warning": SIMULATED} if self.simulated else {}),
            "Connectome": self.connectome,
            "Subjects": self.n_subjects,
            "SubjectsAtALocation": {"fewest": int(n.min()), "most": int(n.max())},
            "Seed": {
                "Name": placed.name,
                "Centre": placed.centre,
                "RadiusMillimetres": placed.radius,
                "Template": placed.template,
                "Locations": placed.n_locations,
                "Coverage": round(float(placed.coverage), 4),
                "Notes": list(placed.notes),
            },
            "Space": self.space.template,
            "RunsCombinedBy": self.rule,
            "Statistics": STATISTICS,
            "Preparation": self.provenance,
        }

    def _write(self, path: Path, statistic: str, seed: str) -> Path:
        write_image(path, self._paint(self.statistic(statistic, seed)), self.space.affine)
        return path

    def _paint(self, values: np.ndarray) -> np.ndarray:
        known = np.nan_to_num(values.astype(np.float32), posinf=0, neginf=0)
        if isinstance(self.space, VoxelSpace):
            data = np.zeros(self.space.shape, np.float32)
            data[tuple(self.space.indices.T)] = known
            return data
        by_value = np.zeros(int(self.space.labels.max()) + 1, np.float32)
        by_value[self.space.table["value"].to_numpy(int)] = known
        return by_value[self.space.labels]

    def _stem(self, seed: str) -> str:
        parts = [f"conn-{_label(self.connectome)}", f"seed-{_label(seed)}"]
        parts.append(f"space-{_label(self.space.template)}")
        if self.halves != (0, 1):
            parts.append(f"half-{self.halves[0] + 1}")
        if self.simulated:
            parts.append("desc-simulated")
        return "_".join(parts)

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


def _label(name: str) -> str:
    """Return a BIDS label: letters and digits."""
    return re.sub(r"[^0-9A-Za-z]", "", name) or "unnamed"
