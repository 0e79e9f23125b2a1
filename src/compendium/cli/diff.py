"""What `compendium search --diff` does: two snapshots, and the figures that move between them."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import click
import pandas as pd
from tqdm import tqdm

from compendium.classification import read_coding
from compendium.figures import book_figures
from compendium.normalise.countries import read_country_aliases
from compendium.protocol import read_protocol
from compendium.records import read_records
from compendium.search.diff import Comparison, attribute_change, compare_records
from compendium.search.snapshot import read_manifest
from compendium.tables import write_table

STEPS = 4  # how often `attribute_change` computes the figures
PARTS = ("before", "after", "change", "appeared", "changed", "vanished")
SHOWN_FIGURES = 40


def compare_snapshots(
    old: Path,
    new: Path,
    protocol_folder: Path,
    beside: Sequence[Path],
    coded: Path | None,
    out: Path | None,
) -> None:
    """Print what lies between two snapshots, and write the tables to `out` if it is given.

    Parameters
    ----------
    old, new : Path
        Snapshot folders.
    protocol_folder : Path
        For countries, eligibility rules and codebook.
    beside : sequence of Path
        Snapshots that are read with both.
    coded : Path, optional
        A coder's JSON Lines.
    out : Path, optional
        Gets ``appeared.csv``, ``vanished.csv``, ``changed.csv`` and ``figures.csv``.
    """
    protocol = read_protocol(protocol_folder)
    aliases = read_country_aliases(protocol.countries)
    by_hand = read_coding(coded, protocol.codebook) if coded else None
    before, after = (read_records([one, *beside], aliases).records for one in (old, new))
    manifests = {one["id"]: one for one in map(read_manifest, [old, new, *beside])}
    comparison = compare_records(before, after)
    with tqdm(total=STEPS, desc="figures", unit="step", disable=None) as bar:

        def figures(records: pd.DataFrame) -> Mapping[str, Fraction | int | float]:
            found = book_figures(records, protocol, manifests, by_hand)
            bar.update()
            return found

        split = attribute_change(before, after, figures)
    _print(len(before), len(after), comparison, split)
    if out is not None:
        tables = comparison._asdict() | {"figures": split.astype(dict.fromkeys(PARTS, float))}
        for name, table in tables.items():
            write_table(table, out / f"{name}.csv")
        click.echo(f"whole tables in {out}", err=True)


def _print(before: int, after: int, comparison: Comparison, split: pd.DataFrame) -> None:
    click.echo(
        f"{before:,} registrations before, {after:,} after: {len(comparison.appeared):,} appeared, "
        f"{len(comparison.vanished):,} vanished, {comparison.changed['record_id'].nunique():,} "
        "changed"
    )
    for field, count in comparison.changed["field"].value_counts().sort_index().items():
        click.echo(f"  {field}: changed in {count:,}")
    moved = split[split["change"] != 0]
    click.echo(
        f"{len(moved):,} of {len(split):,} figures of the book move; the farthest first, counts "
        "before medians and medians before shares:"
    )
    farthest = moved.assign(distance=moved["change"].map(abs)).sort_values(
        ["kind", "distance", "figure"], ascending=[True, False, True]
    )
    for row in farthest.head(SHOWN_FIGURES).to_dict("records"):
        share = row["kind"] == "share"
        start, end = (_level(row[name], share) for name in ("before", "after"))
        change, *parts = (_move(row[name], share) for name in PARTS[2:])
        words = ", ".join(f"{name} {part}" for name, part in zip(PARTS[3:], parts, strict=True))
        unit = " points" if share else ""
        click.echo(f"  {row['figure']}: {start} → {end} ({change}{unit}: {words})")
    if len(moved) > SHOWN_FIGURES:
        click.echo(f"  … and {len(moved) - SHOWN_FIGURES:,} more: --out keeps them all")


def _level(value: Fraction, share: bool) -> str:
    return f"{float(value) * 100:.1f} %" if share else f"{float(value):,.10g}"


def _move(value: Fraction, share: bool) -> str:
    return f"{float(value) * 100:+.2f}" if share else f"{float(value):+,.10g}"
