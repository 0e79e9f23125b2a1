"""`compendium records` and `compendium import-ictrp`: from snapshots and exports to one table."""

from collections import Counter
from pathlib import Path

import click
from tqdm import tqdm

from compendium.cli.reading import (
    check_suffixes,
    countries_option,
    country_aliases,
    out_option,
    snapshots_argument,
)
from compendium.errors import InputError
from compendium.normalise.dates import read_date
from compendium.records import UNSEALED_FLAG, flag_table, read_records
from compendium.search.ictrp_import import import_export
from compendium.tables import write_table


@click.command()
@snapshots_argument
@out_option("records")
@click.option(
    "--quarantine",
    type=click.Path(path_type=Path),
    help="Table of what was set aside.  [default: OUT with -quarantine before its ending]",
)
@countries_option
def records(
    snapshots: tuple[Path, ...], out: Path, quarantine: Path | None, countries: Path
) -> None:
    """Read registry snapshots into one validated table of records.

    A SNAPSHOT is a folder made by `compendium search` or `compendium import-ictrp`, or one under
    data/snapshot/: ClinicalTrials.gov API v2 pages (.json) or WHO ICTRP exports (.xml, .csv) with
    a manifest.json. A single file, or a folder without a manifest, is read too, but nothing
    vouches for it: this is said here and in each record's flags.

    OUT gets one row per registration: normalised values with the registry's own wording beside
    them, and "flags" for whatever was odd. Registrations that cannot be read, or come a second
    time, go to the quarantine table with the reason. None is dropped.

    \b
    Examples:
      compendium records data/snapshot/* --out records.csv
      compendium records my-search/ ICTRP-Results.xml --out records.parquet
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    aside = quarantine or out.with_name(f"{out.stem}-quarantine{out.suffix}")
    check_suffixes([out, aside])
    found = read_records(snapshots, country_aliases(countries), accept_unsealed=True)
    write_table(found.records, out)
    write_table(found.quarantine, aside)
    click.echo(
        f"{len(found.records):,} records → {out}; {len(found.quarantine):,} set aside → {aside}",
        err=True,
    )
    reasons = Counter(reason.partition(":")[0] for reason in found.quarantine["reason"])
    for reason, count in sorted(reasons.items()):
        click.echo(f"  set aside: {count:,} × {reason}", err=True)
    noted = flag_table(found.records)
    for flag, count in zip(noted["flag"], noted["records"], strict=True):
        click.echo(f"  flagged: {count:,} × {flag}", err=True)
    if noted["flag"].eq(UNSEALED_FLAG).any():
        click.echo("warning: some records come from files without a manifest", err=True)


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--announced",
    required=True,
    type=int,
    help="How many records the portal's result page said there are.",
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The snapshot folder to make."
)
@click.option("--processed-date", help="Day of the export, if the file does not say it.")
@click.option(
    "--accept-short",
    is_flag=True,
    help="Keep an export that breaks off or has another count; its manifest says so.",
)
def import_ictrp(
    file: Path, announced: int, out: Path, processed_date: str | None, accept_short: bool
) -> None:
    """Make a snapshot of a WHO ICTRP portal export.

    FILE is the portal's XML (ICTRP-Results.xml) or CSV (IctrpResults.csv), in the layouts of 2020
    or 2026. It is read as a stream, by field name; names, addresses, e-mails and telephone numbers
    are dropped while reading.

    The portal's exports are known to end early without a word, so its announced total is asked
    for: if the file holds another number, nothing is written and the message says what is missing.

    \b
    Examples:
      compendium import-ictrp ICTRP-Results.xml --announced 1204 --out data/snapshot/ictrp-2026
      compendium records data/snapshot/ictrp-2026 --out records.csv
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    if processed_date is not None and len(read_date(processed_date, ("iso",)).value or "") != 10:
        raise InputError(
            f"{processed_date!r} is no day", where="--processed-date", remedy="write YYYY-MM-DD"
        )
    with tqdm(total=announced, unit=" trials", disable=None) as bar:
        counts = import_export(
            file,
            announced,
            out,
            processed_date=processed_date,
            accept_short=accept_short,
            report=lambda count: bar.update(count - bar.n),
        )
    click.echo(f"{out}: {counts.statement()}", err=True)
    if counts.fault:
        click.echo(f"warning: {counts.fault}", err=True)
