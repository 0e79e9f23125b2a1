"""`compendium connectome`: prepare a connectome once, then map any seeds of it."""

from pathlib import Path

import click

from compendium.errors import InputError

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group()
def connectome() -> None:
    """Prepare a normative connectome once; then map any seeds in one pass over it."""


@connectome.command("prepare")
@click.argument("source")
@click.argument("store", type=FOLDER)
@click.option(
    "--band", nargs=2, type=float, metavar="LOW HIGH", help="Keep these frequencies, in Hz."
)
@click.option("--gsr/--no-gsr", default=False, help="Regress the global signal out.")
@click.option(
    "--dtype",
    type=click.Choice(["int16", "float32"]),
    default="int16",
    show_default=True,
    help="int16 moves t by about a thousandth; float32 is exact and takes twice the space.",
)
@click.option("--root", type=FOLDER, default=Path(), help="The project's folder.")
def prepare_command(
    source: str, store: Path, band: tuple[float, float] | None, gsr: bool, dtype: str, root: Path
) -> None:
    """Clean every run of SOURCE and write it to STORE in the form that maps fastest.

    SOURCE is REST, PAIN or simulated, or a folder in one of the formats that the book's chapter
    on connectomes lists (Lead-DBS, GSP1000, fMRIPrep, XCP-D, CIFTI, nimlab). STORE is a folder.
    The need for disk is said first. A preparation that was stopped goes on where it stopped.

    \b
    Example:
      compendium connectome prepare /data/GSP1000 /fast/gsp --band 0.008 0.08
    """  # noqa: D301 - \b is click's mark for lines that keep their breaks
    from compendium.connectome.cleaning import Cleaning
    from compendium.connectome.prepare import Options, prepare
    from compendium.connectome.sources import open_connectome

    opened = open_connectome(source, root)
    for item in opened.provenance.get("left_out", ()):
        click.echo(f"left out: {item}", err=True)
    made = prepare(
        opened,
        store,
        Options(Cleaning(band or None, gsr), dtype),
        announce=lambda text: click.echo(text, err=True),
        progress=True,
    )
    missing = made.manifest["locations_missing_somewhere"]
    stamp = " (SIMULATED)" if made.simulated else ""
    click.echo(
        f"{made.n_subjects} subjects of {made.name}{stamp}, {made.n_locations} locations "
        f"({missing} without signal in some run): {store}"
    )
    if rounding := made.manifest["rounding"]:
        click.echo(
            f"rounding to int16 moves t by {rounding['median_t']:.1g} in the median "
            f"(measured between {rounding['probes']} pairs of locations)"
        )


@connectome.command("map")
@click.argument("store", type=FOLDER)
@click.argument("seeds", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--out", type=FOLDER, required=True, help="Folder for the maps.")
@click.option(
    "--rule",
    type=click.Choice(["fisher-z", "mean-r"]),
    default="fisher-z",
    show_default=True,
    help="How runs are combined: mean of Fisher z weighted by its inverse variance (n - 3, less "
    "what was regressed or filtered out), or Lead-DBS's mean of r.",
)
@click.option(
    "--minimum-coverage",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Share of a seed that the connectome must hold.",
)
@click.option(
    "--flips",
    type=click.IntRange(0),
    default=0,
    help="Random sign flips for a family-wise threshold, 19 or more; 0: none.",
)
@click.option("--subjects", is_flag=True, help="Write every subject's own maps, too.")
@click.option("--workers", type=click.IntRange(1), help="Threads; all processors by default.")
@click.option("--scheduler", metavar="ADDRESS", help="Send the work to this Dask scheduler.")
def map_command(
    store: Path,
    seeds: Path,
    out: Path,
    rule: str,
    minimum_coverage: float,
    flips: int,
    subjects: bool,
    workers: int | None,
    scheduler: str | None,
) -> None:
    """Map every seed of the table SEEDS over the prepared connectome STORE.

    SEEDS is a CSV file with a column name and either x, y, z, radius_mm (mm, MNI152), or image,
    or parcels. A seed that the connectome does not hold is refused with the reason. The folder
    of maps also gets seeds.csv (coverage of each seed, refused ones too) and thresholds.csv
    (locations beyond each effect size, by FDR, Bonferroni and sign flips). Moments of each seed
    are kept in the store, so that mapping another seed later costs one pass over that seed alone.

    \b
    Example:
      compendium connectome map /fast/gsp targets.csv --out maps --flips 1000
    """  # noqa: D301 - \b is click's mark for lines that keep their breaks
    from compendium.connectome.flips import check_flips, sign_flip_max_t
    from compendium.connectome.inference import sweep
    from compendium.connectome.mapping import map_seeds
    from compendium.connectome.outputs import (
        NO_SIGNAL,
        file_stems,
        save_maps,
        save_subject_maps,
        seeds_table,
        subject_labels,
    )
    from compendium.connectome.scale import cluster_workers, local_workers
    from compendium.connectome.seeds import place_seeds
    from compendium.connectome.sites import read_seeds
    from compendium.connectome.store import open_store
    from compendium.tables import write_table

    if scheduler and workers:
        raise click.UsageError("--workers counts threads here; a scheduler has workers of its own")
    opened = open_store(store)
    placed, refused = place_seeds(read_seeds(seeds), opened.space, minimum_coverage)
    for refusal in refused:
        click.echo(f"refused: {refusal}", err=True)
    if not placed:
        raise InputError(
            f"the connectome holds none of the {len(refused)} seeds",
            where=str(seeds),
            remedy="see the reasons above",
        )
    # what can be refused is refused before the long work, and before anything is written
    file_stems([seed.name for seed in placed], opened.name, opened.space, opened.simulated)
    if subjects:
        subject_labels(opened)
    if flips:
        check_flips(opened.n_subjects, flips, where=opened.name)
    who = cluster_workers(scheduler) if scheduler else local_workers(workers)
    maps = map_seeds(
        opened,
        placed,
        rule=rule,
        workers=who,
        announce=lambda text: click.echo(text, err=True),
        progress=True,
    )
    known = maps.n.any(axis=1)
    lost = [seed for seed, there in zip(placed, known, strict=True) if not there]
    for seed in lost:
        click.echo(f"refused: {seed.name}: {NO_SIGNAL}", err=True)
    placed = [seed for seed, there in zip(placed, known, strict=True) if there]
    if not placed:
        raise InputError("no subject has signal in any of the seeds", where=str(seeds))
    maps = maps.select([seed.name for seed in placed])
    largest = None
    if flips:
        largest = sign_flip_max_t(
            opened, placed, n_flips=flips, rule=rule, workers=who, progress=True
        )
    written = save_maps(maps, out)
    thresholds = sweep(maps, max_t=largest).assign(simulated=maps.simulated)
    written += [
        write_table(seeds_table(maps, refused, lost), out / "seeds.csv"),
        write_table(thresholds, out / "thresholds.csv"),
    ]
    if subjects:
        written += save_subject_maps(opened, placed, out / "subjects", rule=rule)
    stamp = " (SIMULATED)" if maps.simulated else ""
    click.echo(
        f"{len(maps)} seeds, {maps.n_subjects} subjects of {maps.connectome}{stamp}: "
        f"{len(written)} files in {out}; {len(refused) + len(lost)} seeds refused"
    )
    older = sorted(path.name for path in out.rglob("*") if path.is_file() and path not in written)
    if older:
        click.echo(f"{len(older)} other files were in {out} already (first: {older[0]})", err=True)
