"""The same headline share under every declared choice, and the way from one number to another."""

import itertools
import math
from collections.abc import Mapping, Sequence

import pandas as pd

from compendium.codebook import Codebook
from compendium.landscape import RULE, in_scope, known_by, trial_table
from compendium.published import Published
from compendium.statistics.shares import share
from compendium.verdicts import trial_verdicts

EXTENSION = "extension"
# choice: its options, the book's own first
CHOICES: dict[str, tuple[str, str]] = {
    "decided by": ("person before rules", "rules only"),
    "counted in": ("trials", "records"),
    "denominator": ("paper's scope", "with the extension"),
    "era": ("the paper's", "all snapshots"),
    "unsure": ("left out", "counted in"),
    "several classes": ("under each", "left out"),
}


def points(value: float, *, signed: bool = True) -> str:
    """Say a number of percentage points.

    Examples
    --------
    >>> points(-11.27), points(9.7), points(12.2, signed=False), points(float("nan"))
    ('−11.3', '+9.7', '12.2', 'no estimate')
    """
    if math.isnan(value):
        return "no estimate"
    return format(value, "+.1f" if signed else ".1f").replace("-", "−")


def span(shares: pd.Series) -> str:
    """Say from where to where shares reach.

    Examples
    --------
    >>> span(pd.Series([0.254, 0.1])), span(pd.Series([float("nan")]))
    ('10.0 to 25.4 %', 'no estimate')
    """
    if shares.isna().all():
        return "no estimate"
    return f"{100 * shares.min():.1f} to {100 * shares.max():.1f} %"


def paper_classes(codebook: Codebook) -> list[str]:
    """Return the codebook's classes of the paper, without the extension."""
    return [code for code in codebook["paper_class"].values if code != EXTENSION]


def counted_tables(
    trials: pd.DataFrame,
    records: pd.DataFrame,
    decisions: pd.DataFrame,
    labels: Mapping[str, pd.DataFrame],
    snapshots: Mapping[str, Mapping[str, object]],
) -> dict[tuple[str, str], pd.DataFrame]:
    """Make a trial table for each way to decide and each unit to count in.

    Parameters
    ----------
    trials, records, decisions : DataFrame
        Tables of the steps before; `decisions` of rules and of persons.
    labels : mapping
        Option of "decided by" → labels made that way.
    snapshots : mapping
        Manifest of each snapshot by its id.

    Returns
    -------
    dict
        (option of "decided by", option of "counted in") → all that is included or unsure. Counted
        in records, every record is a trial of its own.
    """
    alone = pd.DataFrame(
        {
            "trial_id": records["record_id"],
            "record_ids": [(name,) for name in records["record_id"]],
            "registries": [(name,) for name in records["registry"]],
            "lead_record_id": records["record_id"],
        }
    )
    voices = dict(zip(CHOICES["decided by"], (None, (RULE,)), strict=True))
    units = dict(zip(CHOICES["counted in"], (trials, alone), strict=True))
    return {
        (who, unit): trial_table(
            members,
            records,
            trial_verdicts(members, decisions, heard),
            labels[who],
            snapshots,
            keep=("include", "unsure"),
        )
        for who, heard in voices.items()
        for unit, members in units.items()
    }


def narrow(
    table: pd.DataFrame,
    classes: Sequence[str],
    date: str,
    *,
    denominator: str,
    era: str,
    unsure: str,
    several: str,
) -> pd.DataFrame:
    """Keep the rows of a trial table that one set of choices counts.

    Parameters
    ----------
    table : DataFrame
        Trials or records, included and unsure, with `decision`, `paper_class`, `registered` and
        `data_date`.
    classes : sequence of str
        The paper's classes.
    date : str
        End of the paper's era.
    denominator, era, unsure, several : str
        Options of `CHOICES`.
    """
    kept = table
    if unsure == "left out":
        kept = kept[kept["decision"] == "include"]
    if era == "the paper's":
        kept = kept[known_by(kept, date) == "yes"]
    wanted = [*classes, EXTENSION] if denominator == "with the extension" else list(classes)
    kept = in_scope(kept, wanted)
    if several == "left out":
        kept = kept[kept["paper_class"].map(len) == 1]
    return kept


def headline_specifications(
    tables: Mapping[tuple[str, str], pd.DataFrame],
    classes: Sequence[str],
    date: str,
    shown: Sequence[str],
) -> pd.DataFrame:
    """Compute the share of each class under every combination of choices.

    Parameters
    ----------
    tables : mapping
        (option of "decided by", option of "counted in") → trial table of all that is included or
        unsure under it.
    classes : sequence of str
        The paper's classes: its scope.
    date : str
        End of the paper's era.
    shown : sequence of str
        The classes whose shares are wanted.

    Returns
    -------
    DataFrame
        One row per class and combination: `class`, the columns of `CHOICES`, `k`, `n`, `share`,
        `low`, `high`, `text`, `own` (the book's own choices), and `rank` of the combination by the
        share of the first class shown, 1 the smallest.
    """
    rows = []
    for options in itertools.product(*CHOICES.values()):
        chosen = dict(zip(CHOICES, options, strict=True))
        kept = narrow(
            tables[chosen["decided by"], chosen["counted in"]],
            classes,
            date,
            denominator=chosen["denominator"],
            era=chosen["era"],
            unsure=chosen["unsure"],
            several=chosen["several classes"],
        )
        own = all(option == CHOICES[name][0] for name, option in chosen.items())
        for value in shown:
            one = share(sum(value in cell for cell in kept["paper_class"]), len(kept))
            rows.append({"class": value, **chosen, **one.row, "own": own})
    table = pd.DataFrame(rows)
    first = table[table["class"] == shown[0]].sort_values("share", kind="stable")
    order = {tuple(row): place for place, row in enumerate(first[list(CHOICES)].to_numpy(), 1)}
    table["rank"] = [order[tuple(row)] for row in table[list(CHOICES)].to_numpy()]
    return table


def choice_effects(specifications: pd.DataFrame) -> pd.DataFrame:
    """Say how far each choice moves each share, all other choices being equal.

    Parameters
    ----------
    specifications : DataFrame
        As `headline_specifications` returns it.

    Returns
    -------
    DataFrame
        `choice`, `from`, `to`, and one column per class: the mean change in percentage points from
        the book's own option to the other, over all combinations of the rest. The choice that
        moves the first class most comes first.
    """
    rows = []
    for choice, (own, other) in CHOICES.items():
        rest = ["class", *(name for name in CHOICES if name != choice)]
        sides = specifications.set_index([*rest, choice])["share"].unstack(choice)
        change = (100 * (sides[other] - sides[own])).groupby("class").mean()
        rows.append({"choice": choice, "from": own, "to": other, **change})
    effects = pd.DataFrame(rows)
    first = specifications["class"].iloc[0]
    order = effects[first].abs().sort_values(ascending=False, kind="stable").index
    return effects.loc[order].reset_index(drop=True)


def order_note(beside: pd.DataFrame, source: str) -> str:
    """Say whether the classes stand in the paper's order, and whose intervals meet the paper's.

    Parameters
    ----------
    beside : DataFrame
        As `beside_the_paper` returns it.
    source : str
        The count of ours to compare.

    Returns
    -------
    str
        A clause; it says so if our count holds no trial.
    """
    both = beside.pivot(index="class", columns="source", values=["share", "low", "high"])
    paper = both.xs("the paper", axis=1, level=1)
    own = both.xs(source, axis=1, level=1).loc[paper["high"].notna()]
    paper = paper.loc[own.index]
    if own["share"].isna().all():
        return "there is no trial here to hold beside the paper's"
    ranked = paper["share"].fillna(paper["high"]).sort_values(ascending=False).index
    same = list(own["share"].sort_values(ascending=False).index) == list(ranked)
    meet = (own["low"] <= paper["high"]) & (paper["low"] <= own["high"])
    order = "in the paper's order" if same else "in another order than in the paper"
    met = ", ".join(name for name in ranked if meet[name]) or "no class"
    return f"the classes stand {order}; our interval and the paper's meet for {met}"


def bridge(
    tables: Mapping[tuple[str, str], pd.DataFrame],
    classes: Sequence[str],
    date: str,
    published: Published,
) -> pd.DataFrame:
    """Walk from all that the book includes to the paper's share, one choice at a time.

    Parameters
    ----------
    tables, classes, date
        As for `headline_specifications`.
    published : Published
        What the paper printed.

    Returns
    -------
    DataFrame
        One row per class with a determined count and step: `class`, `step`, `k`, `n`, `share` (per
        cent) and `change` (percentage points from the step before); the last step is the paper, and
        its change is what no choice made here explains. Changes sum to last minus first.
    """
    stated = {one.value: one for one in published.shares if one.exact}
    steps = (
        ("all trials the book includes", "with the extension", "all snapshots"),
        ("registered by the paper's time", "with the extension", "the paper's"),
        ("and within the paper's scope", "paper's scope", "the paper's"),
    )
    table = tables[CHOICES["decided by"][0], "trials"]
    rows = []
    for value in (value for value in classes if value in stated):
        before = None
        counts = []
        for step, denominator, era in steps:
            kept = narrow(
                table,
                classes,
                date,
                denominator=denominator,
                era=era,
                unsure="left out",
                several="under each",
            )
            counts.append((step, sum(value in cell for cell in kept["paper_class"]), len(kept)))
        one = stated[value]
        counts.append(("the paper", one.counts[0], one.n))
        for step, k, n in counts:
            percent = 100 * share(k, n).estimate
            change = float("nan") if before is None else percent - before
            rows.append((value, step, k, n, percent, change))
            before = percent
    return pd.DataFrame(rows, columns=["class", "step", "k", "n", "share", "change"])


def beside_the_paper(
    published: Published, ours: Mapping[str, pd.DataFrame], classes: Sequence[str]
) -> pd.DataFrame:
    """Put the paper's shares and ours into one table.

    Parameters
    ----------
    published : Published
        What the paper printed. A share that determines its count gets an interval, which the paper
        did not print; one that is only bounded is drawn from 0 to the bound.
    ours : mapping
        Name of a count of ours → trials counted, with `paper_class`.
    classes : sequence of str
        The paper's classes, in order.

    Returns
    -------
    DataFrame
        `class`, `source`, `k`, `n`, `share`, `low`, `high`, `text`, `bound` (True where only a
        bound is known; `share` is then missing).
    """
    rows = []
    stated = {one.value: one for one in published.shares}
    for value in classes:
        if value in stated:
            one = stated[value]
            if one.exact:
                known = share(one.counts[0], one.n)
                rows.append({"class": value, "source": "the paper", **known.row, "bound": False})
            else:
                limit = one.counts[1] / one.n
                text = f"{one.printed} of {one.n}: at most {one.counts[1]} trials"
                rows.append(
                    {"class": value, "source": "the paper", "k": pd.NA, "n": one.n}
                    | {
                        "share": float("nan"),
                        "low": 0.0,
                        "high": limit,
                        "text": text,
                        "bound": True,
                    }
                )
        for name, table in ours.items():
            count = share(sum(value in cell for cell in table["paper_class"]), len(table))
            rows.append({"class": value, "source": name, **count.row, "bound": False})
    return pd.DataFrame(rows).astype({"k": "Int64"})
