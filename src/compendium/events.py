"""The event log of a review: what was done to every registration and to every trial.

Append-only: a later event may supersede an earlier one, nothing is ever changed. The flow diagram
is a query on this log (`compendium.flow`).

========================  =======  ===============================================================
stage                     unit     decision
========================  =======  ===============================================================
identification            record   ``identified``
reading                   record   ``set aside`` (with the reason)
linkage                   record   ``lead`` or ``linked``, with the trial as the reason
screening/title, ...      record   one opinion: ``include``, ``unsure``, ``exclude``; one an actor
verdict/title, ...        trial    the one that counts: ``include``, ``unsure``, ``exclude``
========================  =======  ===============================================================

The last two say after the slash at which stage of screening they fell.
"""

import hashlib
from collections.abc import Mapping

import pandas as pd

from compendium.errors import InputError

EVENT_COLUMNS = (
    "run",
    "item",
    "unit",
    "registry",
    "stage",
    "decision",
    "reason",
    "rule",
    "actor",
    "date",
)
STAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "identification": ("record", ("identified",)),
    "reading": ("record", ("set aside",)),
    "linkage": ("record", ("lead", "linked")),
    "screening": ("record", ("include", "unsure", "exclude")),
    "verdict": ("trial", ("include", "unsure", "exclude")),
}


def log_events(
    records: pd.DataFrame,
    quarantine: pd.DataFrame,
    links: pd.DataFrame,
    trials: pd.DataFrame,
    decisions: pd.DataFrame,
    verdicts: pd.DataFrame,
    snapshots: Mapping[str, Mapping[str, object]],
) -> pd.DataFrame:
    """Write down what happened to every registration and every trial.

    Parameters
    ----------
    records, quarantine, links, trials, decisions : DataFrame
        The tables of the steps before.
    verdicts : DataFrame
        What `compendium.verdicts.trial_verdicts` settled.
    snapshots : mapping
        Manifest of each snapshot, by its id. It gives the `processed_date` (an event bears the date
        of its data, never that of the run) and the `registry` of rows that could not be read.

    Returns
    -------
    DataFrame
        Columns `EVENT_COLUMNS`, in the order in which things happened. `run` is a digest of the
        other columns: the same inputs give the same log.
    """
    date_of = {name: str(manifest["processed_date"]) for name, manifest in snapshots.items()}
    found = records[["record_id", "registry", "snapshot_id"]].sort_values("record_id")
    found = found.rename(columns={"record_id": "item", "snapshot_id": "reason"})
    found["date"] = found["reason"].map(date_of)
    origin = found.set_index("item")
    faulty = _faulty_rows(quarantine, snapshots).assign(
        date=lambda rows: rows["source"].map(date_of)
    )
    members = trials.sort_values("trial_id").explode("record_ids").astype({"record_ids": "string"})
    members["date"] = members["record_ids"].map(origin["date"])
    members["registry"] = members["record_ids"].map(origin["registry"])
    leads = members["record_ids"] == members["lead_record_id"]
    # stable: an actor's opinions on one record stay in the order of the stages
    opinions = decisions.sort_values(["record_id", "decided_by"], kind="stable")
    settled = verdicts.sort_values("trial_id")
    parts = [
        found.assign(unit="record", stage="identification", decision="identified", actor="search"),
        faulty.assign(
            unit="record", stage="identification", decision="identified", actor="search"
        ).assign(reason=faulty["source"]),
        faulty.assign(unit="record", stage="reading", decision="set aside", actor="reader"),
        members.assign(
            item=members["record_ids"],
            unit="record",
            stage="linkage",
            decision=leads.map({True: "lead", False: "linked"}),
            reason=members["trial_id"],
            rule=members["record_ids"].map(_kinds_by_record(links)).where(~leads),
            actor="linkage",
        ),
        opinions.assign(
            item=opinions["record_id"],
            unit="record",
            registry=opinions["record_id"].map(origin["registry"]),
            stage="screening/" + opinions["stage"],
            rule=opinions["rule_id"],
            actor=opinions["decided_by"],
            date=opinions["record_id"].map(origin["date"]),
        ),
        settled.assign(
            item=settled["trial_id"],
            unit="trial",
            registry=settled["trial_id"].map(members[leads].set_index("trial_id")["registry"]),
            stage="verdict/" + settled["stage"],
            rule=settled["rule_id"],
            actor=settled["decided_by"],
            date=settled["trial_id"].map(members.groupby("trial_id")["date"].max()),
        ),
    ]
    columns = list(EVENT_COLUMNS[1:])
    events = pd.concat([part.reindex(columns=columns).astype("string") for part in parts])
    events = events.reset_index(drop=True)
    digest = hashlib.sha256(events.to_csv(index=False, lineterminator="\n").encode())
    events.insert(0, "run", pd.array([digest.hexdigest()[:12]] * len(events), dtype="string"))
    return events


def _faulty_rows(
    quarantine: pd.DataFrame, snapshots: Mapping[str, Mapping[str, object]]
) -> pd.DataFrame:
    """Name each quarantined row by its place; several may share one, and many have no number."""
    rows = quarantine.sort_values(["snapshot_id", "source_file", "location", "reason"])
    place = (
        rows["snapshot_id"] + "/" + rows["source_file"] + "#" + rows["location"].astype("string")
    )
    nth = rows.groupby(place).cumcount()
    return pd.DataFrame(
        {
            "item": place.where(nth == 0, place + "+" + nth.astype("string")),
            "registry": [str(snapshots[name]["registry"]) for name in rows["snapshot_id"]],
            "reason": rows["reason"],
            "source": rows["snapshot_id"],
        }
    )


def _kinds_by_record(links: pd.DataFrame) -> dict[str, str]:
    """Say for each record by which kinds of evidence it was merged."""
    merged = links[links["decision"] == "merge"]
    ends = pd.concat(
        [
            merged[[end, "kind"]].set_axis(["record", "kind"], axis=1)
            for end in ("record_a", "record_b")
        ]
    )
    return ends.groupby("record")["kind"].agg(lambda k: " + ".join(sorted(set(k)))).to_dict()


def append_events(log: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    """Return the log with more events at its end; what was written is never changed.

    A later event on the same item, stage and actor supersedes an earlier one of the same run; both
    stay in the log.
    """
    return pd.concat([log, more[list(EVENT_COLUMNS)]], ignore_index=True)


def standing_events(events: pd.DataFrame) -> pd.DataFrame:
    """Return the events that hold: the last of each run, item, stage and actor.

    Raises
    ------
    InputError
        If a column is missing, or an event is not one of `STAGES`.
    """
    missing = [name for name in EVENT_COLUMNS if name not in events.columns]
    if missing:
        raise InputError(f"no column {missing[0]!r}", where="events")
    for item, unit, stage, decision in (
        events[["item", "unit", "stage", "decision"]]
        .drop_duplicates(["unit", "stage", "decision"])
        .itertuples(index=False)
    ):
        known_unit, known_decisions = STAGES.get(step_of(stage), ("", ()))
        if unit != known_unit or decision not in known_decisions:
            raise InputError(
                f"{item}: {unit} / {stage} / {decision} is not an event of this log",
                where="events",
                remedy=f"stages are {', '.join(STAGES)}",
            )
    return events.drop_duplicates(["run", "item", "unit", "stage", "actor"], keep="last")


def step_of(stage: str) -> str:
    """Return a stage's step of the review: "screening/title" is a step of "screening"."""
    return stage.partition("/")[0]
