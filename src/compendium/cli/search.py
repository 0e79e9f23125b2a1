"""`compendium search`: run a strategy and freeze the answer, or set two answers side by side."""

from contextlib import closing
from pathlib import Path

import click
from tqdm import tqdm

from compendium.search.client import BASE_URL, RegistryClient
from compendium.search.harvest import harvest
from compendium.search.query import Query, render_query, require_sound
from compendium.search.strategy import API, Strategy, read_strategy

COVERAGE = "every record that the registry announced for this query, each one once"
ATTRIBUTION = "ClinicalTrials.gov, U.S. National Library of Medicine"
MODIFIED = "pages as received; modules that hold contacts of persons were not asked for"
LICENCE = "terms of ClinicalTrials.gov: name the source and the processing date, state changes"


class ProgressBar:
    """Records so far, total, rate and time left, on stderr; silent where stderr is no terminal."""

    def __init__(self, label: str) -> None:
        self.bar = tqdm(desc=label, unit=" records", disable=None, dynamic_ncols=True)
        self.started = False

    def close(self) -> None:
        """Leave the bar as it stands and go to a new line."""
        self.bar.close()

    def __call__(self, retrieved: int, announced: int, note: str) -> None:
        """Show how far it is; a note stays on its own line."""
        if note:
            click.echo(note, err=True)
        self.bar.total = announced or None
        if not self.started or retrieved < self.bar.n:
            # pages of an earlier run are not part of this run's speed
            self.started = True
            self.bar.reset(self.bar.total)
            self.bar.initial = retrieved
            self.bar.n = retrieved
            self.bar.refresh()
        else:
            self.bar.update(retrieved - self.bar.n)


@click.command()
@click.option(
    "--protocol",
    type=click.Path(path_type=Path),
    default=Path("data/protocol"),
    show_default=True,
    help="Folder that holds search.yml.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The snapshot folder to make; with --diff, a folder for the tables.",
)
@click.option("--base-url", help=f"Ask another address than the strategy's, such as {BASE_URL}.")
@click.option("--check", is_flag=True, help="Name faults and print the queries; send nothing.")
@click.option(
    "--diff",
    nargs=2,
    type=click.Path(path_type=Path),
    metavar="OLD NEW",
    help="Compare two snapshots instead: what appeared, vanished, changed, and which figures move.",
)
@click.option(
    "--beside",
    multiple=True,
    type=click.Path(path_type=Path),
    help="With --diff: another snapshot that the book is built from, unchanged. Repeatable.",
)
@click.option(
    "--coded",
    type=click.Path(path_type=Path),
    help="With --diff: a coder's JSON Lines that outrank the rules, as in `compendium classify`.",
)
def search(
    protocol: Path,
    out: Path | None,
    base_url: str | None,
    check: bool,
    diff: tuple[Path, Path] | None,
    beside: tuple[Path, ...],
    coded: Path | None,
) -> None:
    """Run the protocol's search against ClinicalTrials.gov and freeze the answer.

    Reads PROTOCOL/search.yml, names its faults before anything is sent, and writes the folder OUT:
    the registry's pages as they came, and manifest.json with the verbatim query, the data version
    before and after, the announced and the retrieved total, and the sha256 of every page.

    A run that is stopped, at whatever byte, goes on when the same command is given again. OUT
    appears only when it is complete, and is never changed afterwards.

    Registries without an open interface (WHO ICTRP) are not asked: their queries are printed, to
    be pasted into the portal, whose export `compendium import-ictrp` reads.

    With --diff, nothing is sent. Two snapshots are read, and what lies between them is printed:
    records that appeared and vanished, fields that changed, and the figures of the book that move,
    each change split among the three so that the parts sum to it. --out keeps the whole tables.

    \b
    Examples:
      compendium search --check
      compendium search --out data/snapshot/ctgov-2026-11-24
      make book SNAPSHOT=data/snapshot/ctgov-2026-11-24
      compendium search --diff data/snapshot/ctgov-2020-07-28 data/snapshot/ctgov-2026-11-24
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    if diff:
        # it needs every room of the book, which a search does not
        from compendium.cli.diff import compare_snapshots

        compare_snapshots(*diff, protocol, beside, coded, out)
        return
    strategy = read_strategy(protocol)
    require_sound(strategy)
    if check:
        for asked in strategy.registries:
            _print_query(render_query(strategy, asked.registry))
        return
    if out is None:
        raise click.UsageError("say where the snapshot goes with --out, or give --check or --diff")
    _run(strategy, out, base_url)


def _run(strategy: Strategy, out: Path, base_url: str | None) -> None:
    by_api = [asked for asked in strategy.registries if asked.interface == API]
    if len(by_api) != 1:
        raise click.UsageError(
            f"{strategy.path} has {len(by_api)} registries with an API; one run makes one snapshot"
        )
    query = render_query(strategy, by_api[0].registry)
    client = RegistryClient(base_url or by_api[0].address)
    about = {
        "coverage": COVERAGE,
        "attribution": ATTRIBUTION,
        "modified": MODIFIED,
        "licence": LICENCE,
    }
    with closing(ProgressBar(query.registry)) as progress:
        harvest(client, query, out, about=about, report=progress)
    click.echo(f"{out}: complete", err=True)
    for asked in strategy.registries:
        if asked.interface != API:
            click.echo("\nNot asked, because it has no open interface; paste this:", err=True)
            _print_query(render_query(strategy, asked.registry))


def _print_query(query: Query) -> None:
    click.echo(f"# {query.registry}: {query.url}")
    for name, value in query.parameters.items():
        click.echo(f"{name} = {value}")
    click.echo()
