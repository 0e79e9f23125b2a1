"""The figures that the first page leads with, each with what it rests on."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from compendium.errors import InputError
from compendium.published import Published

Card = tuple[str, str, str]


def review_cards(
    records: pd.DataFrame,
    trials: pd.DataFrame,
    included: pd.DataFrame,
    manifests: Sequence[Mapping[str, Any]],
) -> list[Card]:
    """Return the cards on the way from registrations to included trials.

    Parameters
    ----------
    records, trials, included : DataFrame
        One row per registration, per trial, and per included trial.
    manifests : sequence of mapping
        Of the snapshots that the records come from.
    """
    kinds = sorted({str(manifest["kind"]) for manifest in manifests})
    return [
        (
            f"{len(records):,}",
            "registrations read",
            f"in {records['registry'].nunique()} registries ({' and '.join(kinds)}), "
            f"processed {processed(manifests)}",
        ),
        (
            f"{len(trials):,}",
            "trials",
            "after linking the registrations of one study, each link with its evidence",
        ),
        (
            f"{len(included):,}",
            "of them test neuromodulation for pain",
            "by eligibility rules that are written down; every exclusion with its reason",
        ),
    ]


def processed(manifests: Sequence[Mapping[str, Any]]) -> str:
    """Say when the snapshots were processed.

    Examples
    --------
    >>> processed([{"processed_date": "2026-04"}, {"processed_date": "2020-07-28"}])
    '2020-07-28 to 2026-04'
    """
    dates = sorted({str(manifest["processed_date"]) for manifest in manifests})
    return dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"


def share_cards(beside: pd.DataFrame, source: str, published: Published) -> list[Card]:
    """Return a card for each class whose share the paper printed.

    Parameters
    ----------
    beside : DataFrame
        From `compendium.comparison.beside_the_paper`.
    source : str
        Which of our counts to show.
    published : Published
        What the paper printed, quoted on each card.

    Raises
    ------
    InputError
        If a class was not counted.
    """
    ours = beside[beside["source"] == source].set_index("class")
    cards = []
    for printed in published.shares:
        if printed.value not in ours.index:
            raise InputError(f"no share of {printed.value!r}", where=source)
        row = ours.loc[printed.value]
        # read back from a table where the paper's row may lack a count
        k, n = int(row["k"]), int(row["n"])
        interval = f"{100 * row['low']:.1f}–{100 * row['high']:.1f}"
        cards.append(
            (
                f"{100 * row['share']:.1f} %",
                printed.value,
                f"{k:,} of {n:,} trials, 95 % interval {interval}. The paper: {printed.printed}",
            )
        )
    return cards
