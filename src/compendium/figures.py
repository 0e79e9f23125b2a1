"""The figures the book prints of a set of records, computed by the book's own functions.

One call runs the steps of chapters 2 to 6 (linkage, screening, classification, shares) and names
what comes out, so that two snapshots can be set side by side.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pandas as pd

from compendium.classification import classify_records
from compendium.landscape import in_scope, trial_table
from compendium.linkage import link_records
from compendium.protocol import Protocol
from compendium.screening import screen_records
from compendium.statistics import share_table
from compendium.statistics.design import enrolment_quartiles
from compendium.verdicts import DECISIONS, trial_verdicts

PAPER_CLASSES = ("non-invasive cortical", "spinal cord", "deep brain", "motor cortex (implanted)")
VARIABLES = (
    "modality",
    "condition",
    "target",
    "comparator",
    "status",
    "phase",
    "study_type",
    "allocation",
    "masking",
    "sponsor_class",
    "countries",
    "results",
)


def book_figures(
    records: pd.DataFrame,
    protocol: Protocol,
    snapshots: Mapping[str, Mapping[str, Any]],
    coded: pd.DataFrame | None = None,
) -> dict[str, Fraction | int | float]:
    """Return the headline figures of a record table.

    Parameters
    ----------
    records : DataFrame
        From `compendium.records`.
    protocol : Protocol
        Eligibility rules and codebook.
    snapshots : mapping
        Manifest of each snapshot by its id.
    coded : DataFrame, optional
        What a person coded, from `compendium.classification.read_coding`.

    Returns
    -------
    dict
        Name → count, share as an exact fraction of the included trials, or median (a float).
        Counts: registrations (in all and by registry), trials (in all, by verdict, and by year of
        start), and trials in the paper's scope. Shares: every value of `VARIABLES`, and the
        paper's four classes within the paper's scope. Medians: enrolment, actual and anticipated.
    """
    figures: dict[str, Fraction | int | float] = {"registrations": len(records)}
    for registry, count in records["registry"].value_counts().sort_index().items():
        figures[f"registrations in {registry}"] = int(count)
    trials = link_records(records).trials
    verdicts = trial_verdicts(trials, screen_records(records, protocol.eligibility))
    figures["trials"] = len(trials)
    for decision in DECISIONS:
        figures[f"trials: {decision}"] = int((verdicts["decision"] == decision).sum())
    labels = classify_records(records, protocol.codebook, coded)
    table = trial_table(trials, records, verdicts, labels, snapshots)
    for variable in VARIABLES:
        figures |= _shares(table, variable, f"included trials, {variable.replace('_', ' ')}")
    for year, count in table["start"].str[:4].value_counts().sort_index().items():
        figures[f"included trials that start in {year}"] = int(count)
    for row in enrolment_quartiles(table).itertuples():
        if row.stated:
            figures[f"included trials, median enrolment, {row.value}"] = float(row.median)
    scope = in_scope(table, PAPER_CLASSES)
    figures["trials in the paper's scope"] = len(scope)
    return figures | _shares(scope, "paper_class", "paper's scope")


def _shares(table: pd.DataFrame, variable: str, name: str) -> dict[str, Fraction | int]:
    if table.empty:
        return {}
    return {
        f"{name}: {row.value}": Fraction(row.k, row.n)
        for row in share_table(table, variable).itertuples()
    }
