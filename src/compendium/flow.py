"""The PRISMA 2020 flow, counted from the event log and from nothing else.

In records and in trials, in each registry; an arrow whose two ends do not add up stops the build.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from compendium.errors import InputError
from compendium.events import standing_events, step_of

BOXES = ("identified", "set aside", "linked", "screened", "excluded", "unsure", "included")
COUNTED = ["box", "unit", "registry", "stage", "reason"]
# arrow: what goes in, what must come out of it; each is (box, unit)
ARROWS = (
    (
        "identified → set aside or screened",
        ("identified", "record"),
        (("set aside", "record"), ("screened", "record")),
    ),
    (
        "records → linked or trials",
        ("screened", "record"),
        (("linked", "record"), ("screened", "trial")),
    ),
    *(
        (
            f"screened {unit}s → excluded, unsure or included",
            ("screened", unit),
            (("excluded", unit), ("unsure", unit), ("included", unit)),
        )
        for unit in ("record", "trial")
    ),
)
_BOX_OF = {"include": "included", "unsure": "unsure", "exclude": "excluded"}


def prisma_flow(events: pd.DataFrame) -> pd.DataFrame:
    """Count the boxes of the PRISMA 2020 flow from the log, and check every arrow.

    Parameters
    ----------
    events : DataFrame
        A log of one run, columns `compendium.events.EVENT_COLUMNS`.

    Returns
    -------
    DataFrame
        `box` (one of `BOXES`), `unit` (record or trial), `registry`, `stage` (of screening, at
        which a trial left it) and `reason` (both for the boxes that have one, otherwise missing),
        `n`; sorted, rows of 0 left out. A trial is counted in the registry of its lead record;
        `screened`, `excluded`, `unsure` and `included` are counted both in trials and in all the
        records of those trials.

    Raises
    ------
    InputError
        If anything does not balance; the message names the arrow and an item.
    """
    if events["run"].nunique() > 1:
        raise InputError(
            f"{events['run'].nunique()} runs in one log", where="events", remedy="choose one run"
        )
    holds = standing_events(events)
    step = holds["stage"].map(step_of)
    found = _once(holds[step == "identification"], "identified")
    aside = _once(holds[step == "reading"], "identified → set aside")
    linkage = _once(holds[step == "linkage"], "identified → linked")
    verdict = _once(holds[step == "verdict"], "screened → included")
    opinions = holds[step == "screening"]

    nowhere = found.index[found["registry"].isna()]
    _require(nowhere.empty, "identified", "no registry", nowhere)
    _no_stranger(aside.index, found.index, "identified → set aside")
    _no_stranger(linkage.index, found.index, "identified → screened")
    both = aside.index.intersection(linkage.index)
    _require(both.empty, "identified → set aside", "aside, yet linked to a trial", both)
    lost = found.index.difference(aside.index).difference(linkage.index)
    _require(lost.empty, "identified → screened", "found and then neither read nor linked", lost)
    for stage, table in (("set aside", aside), ("screened", linkage)):
        moved = table.index[table["registry"] != found.loc[table.index, "registry"]]
        _require(moved.empty, f"identified → {stage}", "changed its registry on the way", moved)

    leads = linkage[linkage["decision"] == "lead"]
    heads = leads.reset_index().set_index("reason")
    doubled = heads.index[heads.index.duplicated()]
    _require(doubled.empty, "linked → screened", "a trial with two lead records", doubled)
    headless = linkage.loc[~linkage["reason"].isin(heads.index), "reason"]
    _require(headless.empty, "linked → screened", "a trial without a lead record", headless)
    _no_stranger(opinions["item"], linkage.index, "screened: an opinion")
    _no_stranger(verdict.index, heads.index, "screened → included")
    _no_stranger(heads.index, verdict.index, "screened → included, excluded or unsure")
    moved = verdict.index[verdict["registry"] != heads.loc[verdict.index, "registry"]]
    _require(moved.empty, "screened", "a trial outside the registry of its lead record", moved)
    mute = verdict.index[(verdict["decision"] == "exclude") & verdict["reason"].isna()]
    _require(mute.empty, "screened → excluded", "excluded without a reason", mute)

    verdict = verdict.assign(
        box=verdict["decision"].map(_BOX_OF),
        # an inclusion needs no reason, so its reasons are no breakdown of the flow
        reason=verdict["reason"].mask(verdict["decision"] == "include"),
        stage=verdict["stage"].str.split("/").str[-1],
    )
    fate = verdict[["box", "stage", "reason"]].reindex(linkage["reason"]).set_index(linkage.index)
    everybody = pd.concat(
        [
            _boxed(found, "record", box="identified"),
            _boxed(aside, "record", box="set aside", reason=aside["reason"]),
            _boxed(linkage[linkage["decision"] == "linked"], "record", box="linked"),
            _boxed(linkage, "record", box="screened"),
            _boxed(verdict, "trial", box="screened"),
            _boxed(linkage, "record", **fate),
            _boxed(verdict, "trial", **verdict[["box", "stage", "reason"]]),
        ]
    )
    counts = everybody.groupby(COUNTED, dropna=False).size().reset_index(name="n")
    place = {box: number for number, box in enumerate(BOXES)}
    counts = counts.sort_values(
        COUNTED, key=lambda column: column.map(place) if column.name == "box" else column
    ).reset_index(drop=True)
    check_balance(counts)
    return counts


def check_balance(counts: pd.DataFrame) -> None:
    """Raise unless every arrow of the flow conserves what it carries, in every registry.

    Parameters
    ----------
    counts : DataFrame
        As `prisma_flow` returns it; counts read back from a file or typed by hand do as well.

    Raises
    ------
    InputError
        The first arrow that does not balance, with both sums and the registry.
    """
    totals = counts.groupby(["registry", "box", "unit"])["n"].sum().to_dict()
    registries = sorted({registry for registry, _, _ in totals})
    for registry in registries:
        for name, source, goals in ARROWS:
            before = totals.get((registry, *source), 0)
            after = sum(totals.get((registry, *goal), 0) for goal in goals)
            if before != after:
                raise InputError(
                    f"{before} go in, {after} come out", where=f"flow, {name} ({registry})"
                )


def box_total(counts: pd.DataFrame, box: str, unit: str, registry: str | None = None) -> int:
    """Return the number in one box of the flow.

    Examples
    --------
    >>> counts = pd.DataFrame({"box": ["excluded"] * 2, "unit": ["trial"] * 2,
    ...                        "registry": ["ISRCTN"] * 2, "reason": ["a", "b"], "n": [2, 3]})
    >>> box_total(counts, "excluded", "trial")
    5
    """
    rows = counts[(counts["box"] == box) & (counts["unit"] == unit)]
    if registry is not None:
        rows = rows[rows["registry"] == registry]
    return int(rows["n"].sum())


def _once(rows: pd.DataFrame, arrow: str) -> pd.DataFrame:
    twice = rows.loc[rows["item"].duplicated(), "item"]
    _require(twice.empty, arrow, "counted twice", twice)
    return rows.set_index("item")


def _no_stranger(items: Sequence, known: pd.Index, arrow: str) -> None:
    strangers = pd.Index(items).difference(known)
    _require(strangers.empty, arrow, "came from nowhere", strangers)


def _require(holds: bool, arrow: str, what: str, items: Sequence) -> None:
    if not holds:
        named = sorted(str(item) for item in items)
        more = f" and {len(named) - 1} more" if len(named) > 1 else ""
        raise InputError(f"{what}: {named[0]}{more}", where=f"flow, {arrow}")


def _boxed(rows: pd.DataFrame, unit: str, **labels: object) -> pd.DataFrame:
    table = rows[["registry"]].assign(unit=unit, **labels)
    return table.reindex(columns=COUNTED).astype("string")


@dataclass(frozen=True)
class Exit:
    """What leaves the flow at one step: `what`, in records or trials, by reason."""

    what: str
    unit: str
    n: int
    reasons: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Step:
    """One box of the flow, and what leaves it.

    Attributes
    ----------
    phase : str
        Heading of PRISMA 2020: "Identification", "Screening" or "Included".
    what : str
        What the box holds.
    records, trials : int or None
        How many; None where the unit does not apply.
    registries : tuple of (str, int)
        The box by registry, in its first unit, the largest first.
    exits : tuple of Exit
    """

    phase: str
    what: str
    records: int | None
    trials: int | None
    registries: tuple[tuple[str, int], ...]
    exits: tuple[Exit, ...]


def flow_steps(counts: pd.DataFrame, stages: Mapping[str, str]) -> tuple[Step, ...]:
    """Arrange the counts as the boxes of a PRISMA 2020 diagram.

    Parameters
    ----------
    counts : DataFrame
        What `prisma_flow` returned.
    stages : mapping of str to str
        The stages of screening, in order, and what each looks at.

    Returns
    -------
    tuple of Step
        Identified records; trials; one step per stage; included trials. What enters each stage is
        what the stage before let through.

    Raises
    ------
    InputError
        If a trial left at a stage that is not named.
    """
    trials = counts[counts["unit"] == "trial"]
    left_at = set(trials["stage"].dropna())
    if not left_at <= set(stages):
        raise InputError(
            f"trials left at a stage that is not named: {min(left_at - set(stages))}", where="flow"
        )
    steps = [
        Step(
            "Identification",
            "identified",
            box_total(counts, "identified", "record"),
            None,
            _by(counts, "identified", "record", "registry"),
            (
                _exit(counts, "set aside", "record", "unreadable or repeated, set aside"),
                _exit(counts, "linked", "record", "joined to another registration of the trial"),
            ),
        )
    ]
    entering = box_total(counts, "screened", "trial")
    for place, (stage, what) in enumerate(stages.items()):
        here = trials[trials["stage"] == stage]
        exits = [_exit(here, "excluded", "trial", "excluded")]
        if place == len(stages) - 1:
            # whoever is unsure at an earlier stage goes on, so it is told at the last
            exits.append(_exit(trials, "unsure", "trial", "unsure, kept apart for a person"))
        first = box_total(counts, "screened", "record") if place == 0 else None
        registries = _by(counts, "screened", "trial", "registry") if place == 0 else ()
        steps.append(
            Step("Screening", f"screened on {what}", first, entering, registries, tuple(exits))
        )
        entering -= exits[0].n
    steps.append(
        Step(
            "Included",
            "included",
            box_total(counts, "included", "record"),
            box_total(counts, "included", "trial"),
            _by(counts, "included", "trial", "registry"),
            (),
        )
    )
    return tuple(steps)


def _exit(counts: pd.DataFrame, box: str, unit: str, what: str) -> Exit:
    reasons = _by(counts, box, unit, "reason")
    return Exit(what, unit, box_total(counts, box, unit), reasons)


def _by(counts: pd.DataFrame, box: str, unit: str, column: str) -> tuple[tuple[str, int], ...]:
    rows = counts[(counts["box"] == box) & (counts["unit"] == unit)]
    sums = rows.groupby(column)["n"].sum()
    return tuple(
        sorted(((str(k), int(n)) for k, n in sums.items()), key=lambda kn: (-kn[1], kn[0]))
    )
