"""Targets placed in a connectome: weights over its locations, and how much of each is there.

A sphere, an image and a list of parcels all become a cloud of weighted points in millimetres.
What of the cloud falls into the connectome's mask or parcels gives the weights; the share that
does is the coverage. Below the declared minimum a seed is refused: it is never moved to the
nearest parcel, for that parcel would speak for a structure it does not hold.
"""

import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import scipy.sparse as sp

from compendium.connectome.model import ParcelSpace, Space, VoxelSpace
from compendium.connectome.placement import locator_of, sphere_slabs, weigh_points
from compendium.connectome.sites import (
    ImageSite,
    ParcelSite,
    Site,
    Sphere,
    check_sphere,
    read_seeds,
)
from compendium.connectome.sources.nifti import READ_ERRORS, check_placed
from compendium.errors import InputError

__all__ = [
    "ImageSite",
    "ParcelSite",
    "Seed",
    "SeedRefusedError",
    "Site",
    "Sphere",
    "place_seed",
    "place_seeds",
    "read_seeds",
    "seed_matrix",
    "seed_table",
    "sphere_coverage",
    "weigh_sphere",
]

MINIMUM_COVERAGE = 0.5
NOT_STATED = ("unknown", "MNI152", "")


@dataclass(frozen=True)
class Seed:
    """A target in one connectome.

    Attributes
    ----------
    name : str
        Name of the seed.
    locations : ndarray, shape (n_locations,), int64
        Columns of the time series that belong to the seed, ascending.
    weights : ndarray, shape (n_locations,), float64
        Their weights in the seed's mean series; above zero, sum 1.
    coverage : float
        Share of the seed's volume (or weight) that the connectome's space holds.
    centre : tuple of float or None
        mm; None for a seed that is no sphere.
    radius : float or None
        mm; None for a seed that is no sphere.
    template : str
        MNI152 variant of the seed's coordinates.
    notes : tuple of str
        What a reader of its map must know.
    """

    name: str
    locations: np.ndarray
    weights: np.ndarray
    coverage: float
    centre: tuple[float, float, float] | None = None
    radius: float | None = None
    template: str = "unknown"
    notes: tuple[str, ...] = ()

    @property
    def n_locations(self) -> int:
        """Number of voxels or parcels in the seed."""
        return len(self.locations)

    def dense(self, space: Space) -> np.ndarray:
        """Return the weights over all locations of `space`, shape (space.n_locations,)."""
        weights = np.zeros(space.n_locations)
        weights[self.locations] = self.weights
        return weights


class SeedRefusedError(InputError):
    """A seed whose coverage is below the minimum.

    Attributes
    ----------
    name : str
        Name of the seed.
    coverage : float
        Share of it that the connectome's space holds.
    """

    def __init__(self, name: str, coverage: float, minimum: float, holder: str) -> None:
        self.name = name
        self.coverage = coverage
        super().__init__(
            f"not represented: {coverage:.0%} of the seed lies in {holder}, "
            f"the minimum is {minimum:.0%}",
            where=name,
            remedy="supply a connectome that covers the structure; "
            "the nearest region would not be the same structure",
        )


def place_seed(
    site: Site | ImageSite | ParcelSite, space: Space, minimum_coverage: float = MINIMUM_COVERAGE
) -> Seed:
    """Place one site in a connectome's space.

    Parameters
    ----------
    site : Site, ImageSite or ParcelSite
        A sphere (or a target), an image, or names of parcels.
    space : VoxelSpace or ParcelSpace
        Where the connectome's series lie.
    minimum_coverage : float
        Share of the site's volume that the space must hold.

    Returns
    -------
    Seed
        Voxels or parcels weighted by the share of the site's volume in each.

    Raises
    ------
    SeedRefusedError
        If the coverage is below the minimum.
    InputError
        If the image cannot be read or holds nothing, or a parcel does not exist.

    Examples
    --------
    >>> from compendium.connectome.simulate import brain_space
    >>> seed = place_seed(Sphere("M1", (-37, -21, 58), 6), brain_space(8))
    >>> seed.n_locations, round(seed.coverage, 2)
    (11, 0.92)
    """
    if isinstance(site, ParcelSite):
        return _place_parcels(site, space)
    if isinstance(site, ImageSite):
        points, mass = _image_points(site)
        centre, radius = None, None
        locations, weights, coverage = weigh_points(locator_of(space)(points), mass)
    else:
        check_sphere(site)
        centre = tuple(float(value) for value in site.centre)
        radius = float(site.radius)
        locations, weights, coverage = weigh_sphere(centre, radius, space)
    if coverage < minimum_coverage or not len(locations):
        raise SeedRefusedError(site.name, coverage, minimum_coverage, _holder(space))
    return Seed(
        name=site.name,
        locations=locations,
        weights=weights,
        coverage=coverage,
        centre=centre,
        radius=radius,
        template=site.template,
        notes=_notes(site.template, space.template, coverage),
    )


def weigh_sphere(
    centre: Sequence[float], radius: float, space: Space
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return locations, weights and coverage of a sphere (mm), as a `Seed` has them."""
    locate, total = locator_of(space), np.zeros(space.n_locations)
    share = 1 / sum(len(points) for points in sphere_slabs(radius, space))
    for points in sphere_slabs(radius, space):
        columns = locate(points + centre)
        np.add.at(total, columns[columns >= 0], share)
    locations = np.flatnonzero(total)
    return weigh_points(locations, total[locations])


def sphere_coverage(centres: np.ndarray, radius: float, space: Space) -> np.ndarray:
    """Return the share of equal spheres (mm) that the space holds, shape (n_centres,)."""
    locate, held, n_points = locator_of(space), np.zeros(len(centres), int), 0
    for points in sphere_slabs(radius, space):
        n_points += len(points)
        inside = [np.count_nonzero(locate(points + centre) >= 0) for centre in centres]
        held += np.array(inside, int)
    return held / n_points


def place_seeds(
    sites: Iterable[Site | ImageSite | ParcelSite],
    space: Space,
    minimum_coverage: float = MINIMUM_COVERAGE,
) -> tuple[list[Seed], list[SeedRefusedError]]:
    """Place several sites; return the seeds, and the refusals with their reasons.

    See `place_seed` for the parameters.
    """
    seeds, refused = [], []
    for site in sites:
        try:
            seeds.append(place_seed(site, space, minimum_coverage))
        except SeedRefusedError as refusal:
            refused.append(refusal)
    return seeds, refused


def seed_matrix(seeds: Sequence[Seed], space: Space) -> sp.csr_array:
    """Return the weights of several seeds as a sparse array, shape (n_seeds, n_locations)."""
    rows = np.repeat(np.arange(len(seeds)), [seed.n_locations for seed in seeds])
    columns = np.concatenate([seed.locations for seed in seeds] or [np.empty(0, int)])
    values = np.concatenate([seed.weights for seed in seeds] or [np.empty(0)])
    return sp.csr_array((values, (rows, columns)), shape=(len(seeds), space.n_locations))


def seed_table(seeds: Sequence[Seed], space: Space) -> pd.DataFrame:
    """Return one row per seed and location, heaviest first: what each seed is made of.

    Returns
    -------
    DataFrame
        ``seed``, ``location`` (column of the time series), ``name`` (of the parcel; NA for
        voxels), ``weight``, ``coverage``.
    """
    rows = []
    for seed in seeds:
        for position in np.lexsort((seed.locations, -seed.weights)):
            location = int(seed.locations[position])
            name = space.table["name"].iloc[location] if isinstance(space, ParcelSpace) else pd.NA
            rows.append((seed.name, location, name, float(seed.weights[position]), seed.coverage))
    return pd.DataFrame(rows, columns=["seed", "location", "name", "weight", "coverage"])


def _image_points(site: ImageSite) -> tuple[np.ndarray, np.ndarray]:
    """Return points of at most 1 mm spacing and their masses, which sum to 1."""
    data, affine = _read_image(site)
    voxels = np.argwhere(data > 0)
    mass = data[data > 0]
    per_side = int(np.ceil(nib.affines.voxel_sizes(affine).max()))
    steps = (np.arange(per_side) + 0.5) / per_side - 0.5
    inner = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    points = (voxels[:, None] + inner).reshape(-1, 3)
    masses = np.repeat(mass / mass.sum() / len(inner), len(inner))
    return nib.affines.apply_affine(affine, points), masses


def _read_image(site: ImageSite) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights (zero and above, 3D) and the affine of a seed's image."""
    if not site.path.is_file():
        raise InputError(f"the image of the seed {site.name!r} is missing", where=str(site.path))
    where = f"{site.path.name}, seed {site.name}"
    try:
        _unpack(site.path)
        image = nib.load(site.path)
        # a surface has no voxels, and colours and complex numbers are no weights
        if not isinstance(image, nib.spatialimages.SpatialImage):
            raise ValueError("it is no image of voxels")
        if image.get_data_dtype().kind not in "fiu":
            raise ValueError(f"its values are no plain numbers but {image.get_data_dtype()}")
        data = np.asarray(image.dataobj, float)
    except (*READ_ERRORS, nib.spatialimages.HeaderDataError, MemoryError) as error:
        raise InputError(f"the image cannot be read ({error})", where=where) from error
    check_placed(image, where)
    if data.ndim == 4 and data.shape[3] == 1:
        data = data[..., 0]
    if data.ndim != 3:
        raise InputError(f"a seed is a 3D image, this one has shape {data.shape}", where=where)
    if np.isinf(data).any():
        raise InputError(
            f"the image has infinite values, in voxels: {np.isinf(data).sum()}",
            where=where,
            remedy="give every voxel a finite weight",
        )
    data = np.nan_to_num(data)
    if (data < 0).any() or not (data > 0).any():
        raise InputError(
            "a seed image needs weights of zero and above, and some above",
            where=where,
            remedy="use one image for the positive and another for the negative weights",
        )
    return data, image.affine


def _unpack(path: Path) -> None:
    """Read a compressed file to its end, where its checksum is, which nibabel never reaches."""
    if path.suffix in (".gz", ".mgz"):
        with gzip.open(path) as stream:
            while stream.read(2**20):
                pass


def _place_parcels(site: ParcelSite, space: Space) -> Seed:
    if not isinstance(space, ParcelSpace):
        raise InputError(
            "the seed is given as parcels, but the connectome is made of voxels",
            where=site.name,
            remedy="give it as a sphere or an image",
        )
    names = space.table["name"].tolist()
    unknown = [name for name in site.parcels if name not in names]
    if unknown:
        raise InputError(f"the atlas has no parcel {unknown[0]!r}", where=site.name)
    locations = np.array(sorted({names.index(name) for name in site.parcels}), np.int64)
    weights = np.full(len(locations), 1 / len(locations))
    return Seed(site.name, locations, weights, 1.0, template=space.template)


def _holder(space: Space) -> str:
    if isinstance(space, VoxelSpace):
        return "the connectome's brain mask"
    return "the connectome's parcels"


def _notes(template: str, of_space: str, coverage: float) -> tuple[str, ...]:
    notes = []
    if template in NOT_STATED or of_space in NOT_STATED:
        notes.append(
            f"the MNI152 variant is not stated for "
            f"{'the seed' if template in NOT_STATED else 'the connectome'}"
        )
    elif template != of_space:
        notes.append(
            f"coordinates of {template} are used as they are in {of_space}; "
            f"the two differ by up to a few mm, most in the brainstem"
        )
    if coverage < 0.8:
        notes.append(f"only {coverage:.0%} of the seed is represented")
    return tuple(notes)
