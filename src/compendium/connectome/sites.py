"""What a seed is asked for as: a sphere, an image or parcels; and the table that asks for them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from compendium.errors import InputError


class Site(Protocol):
    """Anything that has a place and a size; a `compendium.targets.Target` is one."""

    name: str
    centre: tuple[float, float, float]
    radius: float
    template: str


@dataclass(frozen=True)
class Sphere:
    """A place in millimetres and a radius around it.

    Attributes
    ----------
    name : str
        Name of the seed.
    centre : tuple of float
        x, y, z in mm.
    radius : float
        In mm.
    template : str
        MNI152 variant in which the centre is given.
    """

    name: str
    centre: tuple[float, float, float]
    radius: float
    template: str = "unknown"


@dataclass(frozen=True)
class ImageSite:
    """A seed given as an image: every voxel above zero, weighted by its value."""

    name: str
    path: Path
    template: str = "unknown"


@dataclass(frozen=True)
class ParcelSite:
    """A seed given as parcels of the connectome's own atlas, equally weighted."""

    name: str
    parcels: tuple[str, ...]


def read_seeds(path: Path) -> list[Sphere | ImageSite | ParcelSite]:
    """Read a table of seeds.

    Parameters
    ----------
    path : Path
        CSV with a column ``name`` (unique) and, filled in each row, either ``x``, ``y``, ``z``,
        ``radius_mm`` (mm), or ``image`` (a NIfTI file, relative to the table), or ``parcels``
        (names separated by ``;``). ``template`` (an MNI152 variant) is optional.

    Returns
    -------
    list
        One site per row, in the table's order.

    Raises
    ------
    InputError
        If a column is missing, a name is missing or occurs twice, or a row gives none or more
        than one kind of seed.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("there is no such table of seeds", where=str(path))
    table = pd.read_csv(path, dtype="string", encoding="utf-8-sig")
    table.columns = table.columns.str.strip()
    if "name" not in table:
        raise InputError(
            "the table of seeds has no column 'name'",
            where=path.name,
            remedy="its columns are name, x, y, z, radius_mm; or name, image; or name, parcels",
        )
    for column in ("x", "y", "z", "radius_mm", "image", "parcels", "template"):
        if column not in table:
            table[column] = pd.NA
    sites = [
        _site(row, path, f"{path.name}, line {number}")
        for number, row in enumerate(table.to_dict("records"), start=2)
    ]
    names = pd.Series([site.name for site in sites], dtype="string")
    if names.duplicated().any():
        raise InputError(
            f"the seed name {names[names.duplicated()].iloc[0]!r} occurs twice", where=path.name
        )
    return sites


def _site(row: dict, path: Path, where: str) -> Sphere | ImageSite | ParcelSite:
    """Return the site of one row of a table of seeds."""
    if pd.isna(row["name"]):
        raise InputError("the seed has no name", where=where)
    name = row["name"].strip()
    template = "unknown" if pd.isna(row["template"]) else row["template"].strip()
    kinds = [kind for kind in ("x", "image", "parcels") if not pd.isna(row[kind])]
    if len(kinds) != 1:
        raise InputError(
            f"the seed {name!r} must be given in one way, not {len(kinds)}",
            where=where,
            remedy="fill either x, y, z and radius_mm, or image, or parcels",
        )
    if kinds == ["image"]:
        return ImageSite(name, path.parent / row["image"].strip(), template)
    if kinds == ["parcels"]:
        return ParcelSite(name, tuple(part.strip() for part in row["parcels"].split(";")))
    try:
        x, y, z, radius = (float(row[column]) for column in ("x", "y", "z", "radius_mm"))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"x, y, z and radius_mm of the seed {name!r} must be numbers in mm", where=where
        ) from error
    sphere = Sphere(name, (x, y, z), radius, template)
    check_sphere(sphere, where)
    return sphere


def check_sphere(site: Site, where: str = "") -> None:
    """Raise InputError unless the sphere has a finite centre and a radius above zero."""
    numbers = np.array([*site.centre, site.radius], float)
    if not np.isfinite(numbers).all() or site.radius <= 0:
        raise InputError(
            f"a sphere needs a finite centre and a radius above zero, "
            f"not {tuple(site.centre)} and {site.radius}",
            where=where or site.name,
        )
