"""Country outlines for maps, keyed as the tables key countries."""

import copy
import json
from pathlib import Path
from typing import Any

import pycountry

from compendium.errors import InputError

ANTARCTICA = "ATA"


def country_name(alpha3: str) -> str:
    """Return the name by which readers know a country.

    Examples
    --------
    >>> country_name("KOR"), country_name("TWN"), country_name("XKX")
    ('South Korea', 'Taiwan', 'XKX')
    """
    country = pycountry.countries.get(alpha_3=alpha3)
    return getattr(country, "common_name", country.name) if country else alpha3


def read_outlines(path: Path) -> dict[str, Any]:
    """Read a TopoJSON file of countries and give each its ISO 3166 alpha-3 code as `id`.

    Parameters
    ----------
    path : Path
        TopoJSON whose object ``countries`` carries numeric codes, such as
        ``data/geography/countries-110m.json``.

    Returns
    -------
    dict
        The topology with its object ``countries`` only; areas without a code keep their outline and
        lose their `id`. Antarctica is left out.

    Raises
    ------
    InputError
        If the file is not such a topology.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such file", where=str(path), remedy="see data/geography/README.md")
    try:
        topology = json.loads(path.read_text(encoding="utf-8"))
        shapes = copy.deepcopy(topology["objects"]["countries"])
        for shape in shapes["geometries"]:
            country = pycountry.countries.get(numeric=str(shape.pop("id", "")).zfill(3))
            if country:
                shape["id"] = country.alpha_3
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(f"no topology of countries ({error})", where=str(path)) from error
    shapes["geometries"] = [one for one in shapes["geometries"] if one.get("id") != ANTARCTICA]
    return {**topology, "objects": {"countries": shapes}}


def drawn_countries(outlines: dict[str, Any]) -> frozenset[str]:
    """Return the codes of the countries that the outlines show."""
    return frozenset(
        shape["id"] for shape in outlines["objects"]["countries"]["geometries"] if "id" in shape
    )
