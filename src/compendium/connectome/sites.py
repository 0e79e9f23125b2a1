"""What a seed is asked for as: a sphere, an image or parcels; and the table that asks for them."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Protocol

import numpy as np

from compendium.errors import InputError

SPHERE_COLUMNS = ("x", "y", "z", "radius_mm")
OTHER_COLUMNS = ("image", "parcels", "template")
SEPARATORS = {";": "';'", "\t": "a tab"}
LARGEST_RADIUS = 100.0  # mm; a brain is hardly longer than 180 mm


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
        CSV in UTF-8 with a column ``name`` (unique) and, filled in each row, either ``x``, ``y``,
        ``z``, ``radius_mm`` (mm), or ``image`` (a NIfTI file, relative to the table), or
        ``parcels`` (names separated by ``;``). ``template`` (an MNI152 variant) is optional.
        Only an empty field counts as not filled: a seed may be called ``NA``.

    Returns
    -------
    list
        One site per row, in the table's order.

    Raises
    ------
    InputError
        If the file is no such table, a column is missing or occurs twice, a row is longer than
        the header, a name is missing or occurs twice, or a row gives none or more than one kind
        of seed.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("there is no such table of seeds", where=str(path))
    rows = _rows(path)
    header = _header(next(rows, (0, []))[1], path.name)
    sites = {}
    for number, fields in rows:
        where = f"{path.name}, line {number}"
        site = _site(_record(header, fields, where), path, where)
        if site.name in sites:
            raise InputError(f"the seed name {site.name!r} occurs twice", where=where)
        sites[site.name] = site
    return list(sites.values())


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the fields of every row that is not blank."""
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    number = 1
    try:
        for row in reader:
            fields = [field.strip() for field in row]
            if any(fields):
                yield number, fields
            number = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"the row cannot be read ({error})",
            where=f"{path.name}, line {number}",
            remedy="close every quotation mark",
        ) from error


def _text(path: Path) -> str:
    """Return the text of a table whose columns are separated by commas."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    if "\0" in text:
        raise _not_utf8(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    for separator, words in SEPARATORS.items():
        if separator in first and "," not in first:
            raise InputError(
                f"the columns seem to be separated by {words}",
                where=path.name,
                remedy="separate them by commas, and write decimals with a point",
            )
    return text


def _not_utf8(path: Path) -> InputError:
    return InputError(
        "the table of seeds is no text in UTF-8", where=path.name, remedy="save it as CSV in UTF-8"
    )


def _header(fields: list[str], where: str) -> list[str]:
    """Return the names of the columns; '' for those that only commas make."""
    if not fields:
        raise InputError("the table of seeds is empty", where=where)
    if "name" not in fields:
        raise InputError(
            "the table of seeds has no column 'name'",
            where=where,
            remedy="its columns are name, x, y, z, radius_mm; or name, image; or name, parcels",
        )
    for column in fields:
        if column and fields.count(column) > 1:
            raise InputError(f"the column {column!r} occurs twice", where=where)
    return fields


def _record(header: list[str], fields: list[str], where: str) -> dict[str, str]:
    """Return column → field of one row; fields that a short row lacks are empty."""
    if any(fields[len(header) :]):
        raise InputError(
            f"the row has {len(fields)} fields, the header has {len(header)}",
            where=where,
            remedy="put a field that holds a comma into quotation marks",
        )
    return dict(zip_longest(header, fields, fillvalue=""))


def _site(row: dict[str, str], path: Path, where: str) -> Sphere | ImageSite | ParcelSite:
    """Return the site of one row of a table of seeds."""
    name = row["name"]
    if not name:
        raise InputError("the seed has no name", where=where)
    image, parcels, template = (row.get(column, "") for column in OTHER_COLUMNS)
    kinds = [kind for kind in ("x", "image", "parcels") if row.get(kind)]
    if len(kinds) != 1:
        raise InputError(
            f"the seed {name!r} must be given in one way, not {len(kinds)}",
            where=where,
            remedy="fill either x, y, z and radius_mm, or image, or parcels; leave the rest empty",
        )
    if image:
        return ImageSite(name, path.parent / image, template or "unknown")
    if parcels:
        return _parcel_site(name, parcels, where)
    sphere = Sphere(name, *_place(row, where), template or "unknown")
    check_sphere(sphere, where)
    return sphere


def _parcel_site(name: str, parcels: str, where: str) -> ParcelSite:
    parts = tuple(part.strip() for part in parcels.split(";") if part.strip())
    if not parts:
        raise InputError(f"the seed {name!r} names no parcel", where=where)
    return ParcelSite(name, parts)


def _place(row: dict[str, str], where: str) -> tuple[tuple[float, float, float], float]:
    """Return centre and radius of a sphere."""
    missing = [column for column in SPHERE_COLUMNS if column not in row]
    if missing:
        raise InputError(
            f"the table has no column {missing[0]!r}, which the seed {row['name']!r} needs",
            where=where,
        )
    try:
        x, y, z, radius = (float(row[column]) for column in SPHERE_COLUMNS)
    except ValueError as error:
        raise InputError(
            f"x, y, z and radius_mm of the seed {row['name']!r} must be numbers in mm",
            where=where,
        ) from error
    return (x, y, z), radius


def check_sphere(site: Site, where: str = "") -> None:
    """Raise InputError unless the centre is finite and the radius above zero and at most 100 mm."""
    numbers = np.array([*site.centre, site.radius], float)
    if not np.isfinite(numbers).all() or site.radius <= 0:
        raise InputError(
            f"a sphere needs a finite centre and a radius above zero, "
            f"not {tuple(site.centre)} and {site.radius}",
            where=where or site.name,
        )
    if site.radius > LARGEST_RADIUS:
        raise InputError(
            f"a sphere of {site.radius:g} mm radius is larger than a brain; "
            f"the largest is {LARGEST_RADIUS:g} mm",
            where=where or site.name,
            remedy="give the radius in mm",
        )
