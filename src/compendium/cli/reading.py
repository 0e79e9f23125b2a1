"""What the commands that read snapshots have in common: their arguments, options and checks."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from compendium.errors import InputError
from compendium.normalise.countries import read_country_aliases
from compendium.tables import SUFFIXES

COUNTRIES = Path("data/protocol/countries.csv")

snapshots_argument = click.argument(
    "snapshots", metavar="SNAPSHOT...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
countries_option = click.option(
    "--countries",
    type=click.Path(path_type=Path),
    default=COUNTRIES,
    show_default=True,
    help="Country names and their codes.",
)


def out_option(rows: str) -> Callable:
    """Return the option that names the table to write; `rows` says what is in it."""
    return click.option(
        "--out",
        required=True,
        type=click.Path(path_type=Path, dir_okay=False),
        help=f"Table of {rows}; its ending, .csv or .parquet, says which kind.",
    )


def check_suffixes(paths: Sequence[Path | None]) -> None:
    """Refuse, before anything is read, a table whose ending says no kind that can be written."""
    for path in paths:
        if path is not None and path.suffix not in SUFFIXES:
            raise click.UsageError(f"{path.name} must end in {' or '.join(SUFFIXES)}")


def country_aliases(path: Path) -> Mapping:
    """Read the table of country names, or say how to name one."""
    if not path.is_file():
        raise InputError(
            "no table of country names there",
            where=str(path),
            remedy="run this in the project's folder, or name the table with --countries",
        )
    return read_country_aliases(path)
