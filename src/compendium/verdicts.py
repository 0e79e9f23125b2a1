"""From what coders and rules said about records to one verdict a trial."""

from collections.abc import Sequence

import pandas as pd

from compendium.errors import InputError

DECISIONS = ("include", "unsure", "exclude")
RULE = "rule"
READERS_REASON = "readers-own-words"
VERDICT_COLUMNS = (
    "trial_id",
    "stage",
    "decision",
    "reason",
    "record_id",
    "rule_id",
    "decided_by",
)


def reader_decisions(scope: pd.DataFrame, decisions: pd.DataFrame, stage: str) -> pd.DataFrame:
    """Write a second reader's decisions in the form of the rules'.

    Parameters
    ----------
    scope : DataFrame
        What `compendium.screening.read_scope` read: `record_id`, `decision`, `words`, `decided_by`.
    decisions : DataFrame
        The rules' decisions. Readers give their reasons in their own words; where reader and rules
        agree, the rules' code is taken, elsewhere `READERS_REASON`.
    stage : str
        The stage at which the reader read.

    Returns
    -------
    DataFrame
        Columns of `decisions`; `matched` holds the reader's words. Records that `decisions` does
        not know are left out.
    """
    last = decisions.drop_duplicates("record_id", keep="last").set_index("record_id")
    read = scope[scope["record_id"].isin(last.index)]
    by_rule = last.loc[read["record_id"], ["decision", "reason"]].set_index(read.index)
    agreed = by_rule["decision"] == read["decision"]
    table = read.rename(columns={"words": "matched"}).assign(
        stage=stage, reason=by_rule["reason"].where(agreed, READERS_REASON)
    )
    table = table.reindex(columns=decisions.columns)
    return table.astype(decisions.dtypes.to_dict()).reset_index(drop=True)


def trial_verdicts(
    trials: pd.DataFrame, decisions: pd.DataFrame, precedence: Sequence[str] | None = None
) -> pd.DataFrame:
    """Settle every trial: the strongest voice on any of its records decides.

    A person's reading outranks a rule's. Between records of one trial heard by the same voice,
    "include" outranks "unsure" and that "exclude": one registration that says enough is enough.

    Parameters
    ----------
    trials : DataFrame
        `trial_id`, `record_ids`, `lead_record_id`.
    decisions : DataFrame
        One row per record, stage and actor, stages in their order: `record_id`, `stage`,
        `decision`, `reason`, `rule_id`, `decided_by`. An actor's last row on a record counts.
    precedence : sequence of str, optional
        Actors, the strongest first. Leave one out and its decisions are not heard, so that
        ``("rule",)`` answers what the rules alone would have done. By default everybody is heard,
        persons before rules.

    Returns
    -------
    DataFrame
        One row per trial, in the order of `trials`: `trial_id`, the `stage` at which it was
        settled, `decision`, `reason`, and whose decision on which record that was (`record_id`,
        `rule_id`, `decided_by`).

    Raises
    ------
    InputError
        If a decision is not one of include, unsure, exclude; if one actor decided a record twice
        in one stage; if nobody heard decided any record of a trial; or if, without `precedence`,
        two persons differ on a record.

    Examples
    --------
    >>> trials = pd.DataFrame({"trial_id": ["T1"], "record_ids": [("N1", "I1")],
    ...                        "lead_record_id": ["N1"]})
    >>> said = pd.DataFrame(
    ...     [("N1", "title", "exclude", "not-pain", "E4", "rule"),
    ...      ("I1", "title", "include", "in-scope", "I1", "coder-a")],
    ...     columns=["record_id", "stage", "decision", "reason", "rule_id", "decided_by"])
    >>> trial_verdicts(trials, said)[["decision", "record_id", "decided_by"]].values.tolist()
    [['include', 'I1', 'coder-a']]
    """
    strange = sorted(set(decisions["decision"]) - set(DECISIONS))
    if strange:
        raise InputError(
            f"unknown decision {strange[0]!r}", where="decisions", remedy=f"one of {DECISIONS}"
        )
    if precedence is None:
        precedence = _persons_before_rules(decisions)
    heard = decisions[decisions["decided_by"].isin(precedence)]
    twice = heard.duplicated(["record_id", "stage", "decided_by"])
    if twice.any():
        first = heard[twice].iloc[0]
        raise InputError(
            f"{first['decided_by']} decided {first['record_id']} twice at stage {first['stage']}",
            where="decisions",
            remedy="keep one row per record, stage and actor",
        )
    heard = heard.drop_duplicates(["record_id", "decided_by"], keep="last")
    members = pd.DataFrame(
        [
            (place, trial.trial_id, record, record != trial.lead_record_id)
            for place, trial in enumerate(trials.itertuples(index=False))
            for record in trial.record_ids
        ],
        columns=["place", "trial_id", "record_id", "follows"],
    )
    voices = members.merge(heard, on="record_id")
    undecided = set(trials["trial_id"]) - set(voices["trial_id"])
    if undecided:
        raise InputError(
            f"no decision by {' or '.join(precedence)} on any of its records",
            where=min(undecided),
            remedy="screen every record before settling the trials",
        )
    voices["voice"] = voices["decided_by"].map({actor: n for n, actor in enumerate(precedence)})
    voices["strength"] = voices["decision"].map(
        {decision: n for n, decision in enumerate(DECISIONS)}
    )
    ranked = voices.sort_values(["place", "voice", "strength", "follows", "record_id"])
    settled = ranked.drop_duplicates("place")
    return settled[list(VERDICT_COLUMNS)].reset_index(drop=True)


def _persons_before_rules(decisions: pd.DataFrame) -> list[str]:
    persons = decisions[decisions["decided_by"] != RULE]
    last = persons.drop_duplicates(["record_id", "decided_by"], keep="last")
    differ = last.groupby("record_id")["decision"].nunique()
    torn = sorted(differ[differ > 1].index)
    if torn:
        raise InputError(
            f"{' and '.join(sorted(set(persons['decided_by'])))} differ on {torn[0]}",
            where="decisions",
            remedy="let them agree on one decision, or name whose word goes first",
        )
    return [*sorted(set(persons["decided_by"])), RULE]
