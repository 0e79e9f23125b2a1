"""`compendium classify`: label the records of any snapshots by the codebook's rules."""

from pathlib import Path

import click

from compendium.classification import classify_records, read_coding
from compendium.cli.reading import check_suffixes, out_option, snapshots_argument
from compendium.normalise.countries import read_country_aliases
from compendium.protocol import read_protocol
from compendium.records import read_records
from compendium.tables import write_table


@click.command()
@snapshots_argument
@out_option("labels")
@click.option(
    "--protocol",
    "folder",
    default=Path("data/protocol"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Protocol folder, with codebook.yml, eligibility.yml and countries.csv.",
)
@click.option(
    "--coded",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A coder's JSON Lines; what it codes stands instead of the rules' labels. "
    "Without it the rules stand alone.",
)
def classify(snapshots: tuple[Path, ...], out: Path, folder: Path, coded: Path | None) -> None:
    """Label every record for modality, target, condition, comparator and what follows from them.

    SNAPSHOT... are snapshot folders, each with its manifest.json.

    \b
    The table has one row a label:
      record_id, variable, value   what the record is coded as; "not stated" is a value
      rule_id, field, matched      the rule, the field it read and the words it found
      start, end                   where in that field; element 1 of a list is field[1], from 0
      made_by                      rule, or the coder of --coded

    \b
    Example:
      compendium classify data/snapshot/ctgov-2020-07-28 --out labels.csv
    """  # noqa: D301 - \b keeps click from joining the lines
    check_suffixes([out])
    protocol = read_protocol(folder)
    by_hand = read_coding(coded, protocol.codebook) if coded else None
    found = read_records(snapshots, read_country_aliases(protocol.countries), accept_unsealed=True)
    labels = classify_records(found.records, protocol.codebook, by_hand)
    write_table(labels, out)
    click.echo(
        f"{len(labels)} labels of {len(found.records)} records written to {out}"
        + (f"; {len(found.quarantine)} rows set aside" if len(found.quarantine) else ""),
        err=True,
    )
