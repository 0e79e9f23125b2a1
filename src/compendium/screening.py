"""Screening: include, exclude or unsure, stage by stage, each with its coded reason."""

from pathlib import Path

import pandas as pd

from compendium.coding import read_sheet
from compendium.eligibility import DECISIONS, Eligibility
from compendium.errors import InputError
from compendium.rules import Match, apply

DECISION_COLUMNS = (
    "record_id",
    "stage",
    "decision",
    "reason",
    "rule_id",
    "field",
    "matched",
    "start",
    "end",
    "decided_by",
)


def screen_records(records: pd.DataFrame, eligibility: Eligibility) -> pd.DataFrame:
    """Decide on every record by rule.

    Parameters
    ----------
    records : DataFrame
        One row a registration, with `record_id`; any other column of the records table that is
        absent is taken as not stated.
    eligibility : Eligibility
        Reasons, stages and rules.

    Returns
    -------
    DataFrame
        One row a record and stage reached, sorted by record and, within it, in the order of the
        stages: record_id, stage, decision, reason, rule_id, field, matched, start, end (Int64),
        decided_by ("rule"). A record that a stage excludes does not reach the next; one that is
        unsure does, and stays unsure unless that stage excludes it.
    """
    rows: list[tuple] = []
    for record in records.sort_values("record_id").to_dict("records"):
        undecided: Match | None = None
        for stage in eligibility.stages:
            match = apply(stage.ruleset, record, {})[0]
            decision = eligibility.reasons[match.value].decision
            if decision == "include" and undecided is not None:
                match, decision = undecided, "unsure"
            rows.append(
                (
                    str(record["record_id"]),
                    stage.name,
                    decision,
                    match.value,
                    match.rule_id,
                    match.field,
                    match.matched,
                    match.start,
                    match.end,
                    "rule",
                )
            )
            if decision == "exclude":
                break
            undecided = match if decision == "unsure" else None
    table = pd.DataFrame(rows, columns=list(DECISION_COLUMNS))
    for name in DECISION_COLUMNS:
        if name in ("start", "end"):
            table[name] = table[name].astype("Int64")
        else:
            table[name] = table[name].astype("string").replace("", pd.NA)
    return table


def final_decisions(decisions: pd.DataFrame) -> pd.DataFrame:
    """Keep each record's last decision: one row a record, sorted by record.

    Examples
    --------
    >>> log = pd.DataFrame({"record_id": ["A", "A"], "stage": ["title", "eligibility"]})
    >>> final_decisions(log)["stage"].tolist()
    ['eligibility']
    """
    return decisions.groupby("record_id", sort=True).tail(1).reset_index(drop=True)


def read_scope(path: Path, coder: str = "coder-a") -> pd.DataFrame:
    """Read a second reader's decisions on scope.

    Parameters
    ----------
    path : Path
        JSON Lines: ``nct_id`` (or ``record_id``), ``scope`` (include, exclude or unsure) and
        ``scope_reason`` (the reader's own words).
    coder : str
        The reader's name.

    Returns
    -------
    DataFrame
        record_id, decision, words, decided_by, sorted by record.

    Raises
    ------
    InputError
        As `compendium.coding.read_sheet`, and with file and line of a decision that is not known.
    """
    rows = []
    for record_id, said, place in read_sheet(path):
        if said.get("scope") not in DECISIONS:
            raise InputError(f"no such decision: {said.get('scope')!r}", where=f"{place}: scope")
        rows.append((record_id, said["scope"], said.get("scope_reason") or "", coder))
    table = pd.DataFrame(rows, columns=["record_id", "decision", "words", "decided_by"])
    return table.astype("string").sort_values("record_id", ignore_index=True)
