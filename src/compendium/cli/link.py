"""`compendium link`: from snapshots to links between registrations, and to trials."""

from pathlib import Path

import click

from compendium.cli.reading import (
    check_suffixes,
    countries_option,
    country_aliases,
    out_option,
    snapshots_argument,
)
from compendium.linkage import extend_review, link_records, read_review, write_review
from compendium.records import read_records
from compendium.tables import write_table


@click.command()
@snapshots_argument
@out_option("links")
@click.option("--trials", type=click.Path(path_type=Path), help="Table of trials, if wanted.")
@click.option(
    "--review",
    type=click.Path(path_type=Path),
    help="CSV of what people decided. Links that wait are added to it; your rows are kept.",
)
@countries_option
def link(
    snapshots: tuple[Path, ...],
    out: Path,
    trials: Path | None,
    review: Path | None,
    countries: Path,
) -> None:
    """Find the registrations that are one and the same trial.

    A SNAPSHOT is a folder (or file) that `compendium records` reads. OUT gets one row per pair of
    records that was linked, waits for a person, or was kept apart for a reason: record_a, record_b,
    kind, evidence, decision (merge, review, keep-apart), decided_by, probability, reason.

    A pair is merged by rule only if one record states the other's number, or if titles and facts
    (sponsor, enrolment, country, ...) agree independently. To decide the others, open the REVIEW
    file, write merge or keep-apart and your name beside a pair, and run this again. Deleting a row
    of that file takes the decision back.

    \b
    Examples:
      compendium link data/snapshot/* --out links.csv --trials trials.csv
      compendium link data/snapshot/* --out links.csv --review review.csv
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    check_suffixes([out, trials])
    if review is not None and review.suffix != ".csv":
        raise click.UsageError(f"{review.name} must end in .csv, so that a person can fill it in")
    aliases = country_aliases(countries)
    decided = read_review(review) if review is not None else None
    found = read_records(snapshots, aliases, accept_unsealed=True)
    if len(found.quarantine):
        click.echo(
            f"{len(found.quarantine):,} records cannot be read and are left out; "
            "`compendium records` lists them",
            err=True,
        )
    linkage = link_records(found.records, decided)
    write_table(linkage.links, out)
    if trials is not None:
        write_table(linkage.trials, trials)
    counts = linkage.links.decision.value_counts()
    click.echo(
        f"{len(found.records):,} records → {len(linkage.trials):,} trials; "
        + ", ".join(
            f"{counts.get(name, 0):,} {words}"
            for name, words in (
                ("merge", "pairs merged"),
                ("review", "wait for a person"),
                ("keep-apart", "kept apart"),
            )
        )
        + f" → {out}",
        err=True,
    )
    if review is not None:
        write_review(extend_review(decided, linkage.links), review)
        click.echo(f"fill in {review} to decide the pairs that wait", err=True)
