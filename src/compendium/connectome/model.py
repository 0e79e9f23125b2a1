"""What a normative connectome is to this project, whatever format it is stored in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class VoxelSpace:
    """Voxels of a brain mask on a regular grid.

    Attributes
    ----------
    shape : tuple of int
        Grid size (x, y, z).
    affine : ndarray, shape (4, 4), float64
        Maps 0-based voxel indices to millimetres in the template's space.
    indices : ndarray, shape (n_locations, 3), int32
        0-based voxel index of each stored location, in the order of the time series' columns.
    template : str
        Name of the MNI152 variant, e.g. ``MNI152NLin6Asym``; ``unknown`` where not stated.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray
    indices: np.ndarray
    template: str = "unknown"

    @property
    def n_locations(self) -> int:
        """Number of voxels in the mask."""
        return len(self.indices)

    @property
    def coordinates(self) -> np.ndarray:
        """Millimetre coordinates of each voxel centre, shape (n_locations, 3), float64."""
        return nib.affines.apply_affine(self.affine, self.indices)

    @property
    def location_names(self) -> list[str]:
        """The place of each voxel, in words."""
        places = self.coordinates.round(2).tolist()
        return [f"x {x:g}, y {y:g}, z {z:g} mm" for x, y, z in places]


@dataclass(frozen=True, eq=False)
class ParcelSpace:
    """Parcels of an atlas.

    Attributes
    ----------
    labels : ndarray, shape (x, y, z), int32
        Label image: 0 outside every parcel.
    affine : ndarray, shape (4, 4), float64
        Maps 0-based voxel indices of `labels` to millimetres.
    table : DataFrame
        One row per parcel in the order of the time series' columns: ``value`` (in `labels`),
        ``name`` (unique), and what else the source knows (hemisphere, class).
    template : str
        Name of the MNI152 variant; ``unknown`` where not stated.
    """

    labels: np.ndarray
    affine: np.ndarray
    table: pd.DataFrame
    template: str = "unknown"

    @property
    def n_locations(self) -> int:
        """Number of parcels."""
        return len(self.table)

    @property
    def location_names(self) -> list[str]:
        """Name of each parcel."""
        return self.table["name"].astype(str).tolist()


Space = VoxelSpace | ParcelSpace


@dataclass(frozen=True)
class Subject:
    """One person's data.

    Attributes
    ----------
    id : str
        Identifier in the source.
    runs : tuple of ndarray, each of shape (n_volumes, n_locations), float32
        Time series of each run; NaN marks a location with no signal in that run.
    repetition_time : float or None
        Seconds between volumes; None where the source does not say.
    confounds : tuple of ndarray, each of shape (n_volumes, n_confounds), float64
        Of each run, what has yet to be regressed out; empty where the source leaves nothing to
        regress. A source does not regress them itself: only together with the band and the global
        signal are they gone in the end, and the degrees of freedom they cost counted.
    """

    id: str
    runs: tuple[np.ndarray, ...]
    repetition_time: float | None = None
    confounds: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True)
class Connectome:
    """A set of subjects measured in one space.

    Attributes
    ----------
    name : str
        What the maps will be called after.
    space : VoxelSpace or ParcelSpace
        Where the columns of every run lie.
    subject_ids : tuple of str
        In the order in which they are read.
    load_subject : callable
        ``load_subject(subject_id) -> Subject``; reads one subject and keeps nothing.
    provenance : dict
        Source, format, version, licence, citation, what was done to the data.
    simulated : bool
        True if the data were generated; every output then says so.
    sources : dict
        subject id → files it is read from, for hashing; may be empty.
    """

    name: str
    space: Space
    subject_ids: tuple[str, ...]
    load_subject: Callable[[str], Subject]
    provenance: dict = field(default_factory=dict)
    simulated: bool = False
    sources: dict[str, tuple[Path, ...]] = field(default_factory=dict)

    @property
    def n_subjects(self) -> int:
        """Number of subjects."""
        return len(self.subject_ids)

    def iter_subjects(self) -> Iterator[Subject]:
        """Yield every subject in order, one in memory at a time."""
        for subject_id in self.subject_ids:
            yield self.load_subject(subject_id)
