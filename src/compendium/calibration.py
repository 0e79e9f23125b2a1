"""The calibration card: how well rules do what a coder did, half against half."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from compendium.agreement import (
    bootstrap_interval,
    cohen_kappa,
    gwet_ac1,
    krippendorff_alpha,
    label_table,
    mean_kappa,
    missed_at_most,
    percent_agreement,
    wilson_interval,
)
from compendium.codebook import NOT_STATED

HALVES = ("development", "held")


class Card(NamedTuple):
    """One variable's agreement on one set of records.

    Attributes
    ----------
    variable, half : str
    n : int
        Records.
    kappa, low, high : float
        Mean of per-label kappas, weighted by the coder's prevalence; bootstrap limits.
    ac1, agreement : float
        The same mean of per-label AC1, and of raw agreement.
    exact : int
        Records on which both readers gave exactly the same labels.
    labels : DataFrame
        From `label_table`.
    coder, rule : DataFrame of bool
        Index: records. Columns: labels.
    """

    variable: str
    half: str
    n: int
    kappa: float
    low: float
    high: float
    ac1: float
    agreement: float
    exact: int
    labels: pd.DataFrame
    coder: pd.DataFrame
    rule: pd.DataFrame


def half_of(record_id: str) -> str:
    """Return the half a record belongs to: even or odd SHA-256 of its id.

    The halves are fixed by the id alone, so that no one can choose them.

    Examples
    --------
    >>> half_of("NCT00001923"), half_of("NCT00205894")
    ('held', 'development')
    """
    digest = hashlib.sha256(record_id.encode("utf-8")).digest()
    return HALVES[digest[-1] % 2]


def indicators(labels: pd.DataFrame, variable: str, records: Sequence[str]) -> pd.DataFrame:
    """Spread labels into a table of yes and no.

    Parameters
    ----------
    labels : DataFrame
        record_id, variable, value.
    variable : str
    records : sequence of str
        Rows of the result; a record without label is "not stated".

    Returns
    -------
    DataFrame of bool
        Index: records, sorted. Columns: values, sorted.
    """
    own = labels[(labels["variable"] == variable) & labels["record_id"].isin(set(records))]
    index = sorted(records)
    values = sorted({str(value) for value in own["value"]} | {NOT_STATED})
    table = pd.DataFrame(False, index=index, columns=values)
    for row in own.itertuples():
        table.at[row.record_id, row.value] = True
    table[NOT_STATED] = table[NOT_STATED] | ~table.any(axis=1)
    return table


def calibration_card(
    rule_labels: pd.DataFrame,
    coded: pd.DataFrame,
    variable: str,
    half: str | None = None,
    *,
    clusters: pd.Series | None = None,
    draws: int = 1000,
    seed: int = 20200728,
) -> Card:
    """Compare the rules' labels with a coder's.

    Parameters
    ----------
    rule_labels : DataFrame
        From `classify_records` without `coded`.
    coded : DataFrame
        From `read_coding`.
    variable : str
    half : {"development", "held"}, optional
        Which half of the coded records; default all of them.
    clusters : Series, optional
        Trial of each record (index: record id). Records of one trial are drawn together in the
        bootstrap; without it, each record is its own trial.
    draws, seed
        Of the bootstrap.
    """
    known = set(rule_labels["record_id"])
    own = coded[coded["variable"] == variable]
    records = sorted(
        record
        for record in set(own["record_id"]) & known
        if half is None or half_of(record) == half
    )
    coder = indicators(own, variable, records)
    rule = indicators(rule_labels, variable, records)
    columns = sorted(set(coder.columns) | set(rule.columns))
    coder, rule = (side.reindex(columns=columns, fill_value=False) for side in (coder, rule))
    a, b = coder.to_numpy(dtype=bool), rule.to_numpy(dtype=bool)
    groups = [record if clusters is None else clusters.get(record, record) for record in records]
    low, high = bootstrap_interval(
        lambda drawn: mean_kappa(a[drawn], b[drawn]), groups, draws=draws, seed=seed
    )
    table = label_table(coder, rule)
    weights = table["coder"].to_numpy(dtype=float)
    return Card(
        variable=variable,
        half=half or "all",
        n=len(records),
        kappa=mean_kappa(a, b),
        low=low,
        high=high,
        ac1=_weighted(table["ac1"], weights),
        agreement=_weighted(table["agreement"], weights),
        exact=int((a == b).all(axis=1).sum()),
        labels=table,
        coder=coder,
        rule=rule,
    )


class ScopeCard(NamedTuple):
    """Agreement on scope between the rules and a second reader.

    Attributes
    ----------
    half : str
    n : int
        Records both decided on.
    kappa, low, high : float
        Cohen's kappa over include, exclude and unsure; bootstrap limits.
    ac1, alpha, agreement : float
        Gwet's AC1, Krippendorff's alpha, raw agreement.
    error, error_low, error_high : float
        Share of records on which the rules differ from the reader; Wilson limits.
    relevant, kept : int
        Records the reader includes, and how many of them the rules did not exclude.
    recall, recall_low, recall_high : float
        kept / relevant; Wilson limits.
    excluded, audited, found, missed_at_most : int
        Records the rules exclude in all, how many of them the reader read, how many of those the
        reader would include, and the upper 95 % limit of such records among all the excluded, if
        those read were drawn at random.
    counts : DataFrame
        coder, rule, count.
    labels : DataFrame
        From `label_table`, one row a decision.
    """

    half: str
    n: int
    kappa: float
    low: float
    high: float
    ac1: float
    alpha: float
    agreement: float
    error: float
    error_low: float
    error_high: float
    relevant: int
    kept: int
    recall: float
    recall_low: float
    recall_high: float
    excluded: int
    audited: int
    found: int
    missed_at_most: int
    counts: pd.DataFrame
    labels: pd.DataFrame


def scope_card(
    final: pd.DataFrame,
    scope: pd.DataFrame,
    half: str | None = None,
    *,
    clusters: pd.Series | None = None,
    draws: int = 1000,
    seed: int = 20200728,
) -> ScopeCard:
    """Compare the rules' last decisions with a second reader's.

    Parameters
    ----------
    final : DataFrame
        From `final_decisions`: one row a record. For the audit to mean something, only records
        that the reader could have been given, such as those of one snapshot.
    scope : DataFrame
        From `read_scope`.
    half : {"development", "held"}, optional
        Which half of the records the reader decided on; default all.
    clusters, draws, seed
        As in `calibration_card`.
    """
    rule = final.set_index("record_id")["decision"].astype(str)
    reader = scope.set_index("record_id")["decision"].astype(str)
    records = sorted(
        record
        for record in set(rule.index) & set(reader.index)
        if half is None or half_of(record) == half
    )
    a, b = reader[records].to_numpy(dtype=object), rule[records].to_numpy(dtype=object)
    groups = [record if clusters is None else clusters.get(record, record) for record in records]
    low, high = bootstrap_interval(
        lambda drawn: cohen_kappa(a[drawn], b[drawn]), groups, draws=draws, seed=seed
    )
    wrong = int((a != b).sum())
    relevant, kept = int((a == "include").sum()), int(((a == "include") & (b != "exclude")).sum())
    excluded, audited = int((rule == "exclude").sum()), int((b == "exclude").sum())
    pairs = pd.DataFrame({"coder": a, "rule": b})
    return ScopeCard(
        half or "all",
        len(records),
        cohen_kappa(a, b),
        low,
        high,
        gwet_ac1(a, b),
        krippendorff_alpha([list(a), list(b)]),
        percent_agreement(a, b),
        wrong / len(records),
        *wilson_interval(wrong, len(records)),
        relevant,
        kept,
        kept / relevant if relevant else float("nan"),
        *wilson_interval(kept, relevant),
        excluded,
        audited,
        relevant - kept,
        missed_at_most(excluded, audited, relevant - kept),
        pairs.value_counts(sort=False).rename("count").reset_index(),
        label_table(
            *(pd.get_dummies(pairs[side]).set_axis(records, axis=0) for side in pairs.columns)
        ),
    )


def _weighted(values: pd.Series, weights: np.ndarray) -> float:
    return float(np.average(values.to_numpy(dtype=float), weights=weights))
