"""The trial table: one row per included trial, with its record's facts and its labels."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from compendium.codebook import NOT_STATED
from compendium.errors import InputError
from compendium.tables import read_table

RULE = "rule"
PORTAL = "https://trialsearch.who.int/Trial2.aspx?TrialID="
# what a trial takes from its lead record
ATTRIBUTES = (
    "registry",
    "snapshot_id",
    "url",
    "public_title",
    "scientific_title",
    "status",
    "last_known_status",
    "why_stopped",
    "study_type",
    "phase",
    "allocation",
    "intervention_model",
    "primary_purpose",
    "masking",
    "enrolment",
    "enrolment_kind",
    "sponsor",
    "sponsor_class",
    "countries",
    "countries_coverage",
    "registered",
    "start",
    "start_kind",
    "primary_completion",
    "primary_completion_kind",
    "completion",
    "results",
    "results_first_posted",
)


def trial_table(
    trials: pd.DataFrame,
    records: pd.DataFrame,
    verdicts: pd.DataFrame,
    labels: pd.DataFrame,
    snapshots: Mapping[str, Mapping[str, object]],
    *,
    keep: Iterable[str] = ("include",),
) -> pd.DataFrame:
    """Join trials, records, verdicts and labels into one row per trial.

    Parameters
    ----------
    trials, records, verdicts, labels : DataFrame
        Tables of the steps before.
    snapshots : mapping
        Manifest of each snapshot by its id; its `processed_date` becomes `data_date`.
    keep : iterable of str
        Verdicts to keep.

    Returns
    -------
    DataFrame
        `trial_id`, `record_ids`, `registries`, `lead_record_id`, `decision`, `decided_by`,
        `data_date`, `ATTRIBUTES` (of the lead record, unchanged: what it does not state is not
        borrowed from another), and one column of tuples per variable of the labels: the union over
        the trial's records, in the order of the labels. Where a person coded any record of the
        trial for a variable, only coded values count. `<variable>_by` says who made them. Sorted
        by `trial_id`.

    Raises
    ------
    InputError
        If a lead record or a snapshot's manifest is missing.
    """
    table = trials.merge(verdicts[["trial_id", "decision", "decided_by"]], on="trial_id")
    table = table[table["decision"].isin(set(keep))].sort_values("trial_id")
    unknown = set(table["lead_record_id"]) - set(records["record_id"])
    if unknown:
        raise InputError("no such record", where=min(unknown), remedy="read its snapshot as well")
    facts = records.set_index("record_id")[list(ATTRIBUTES)]
    table = table.join(facts, on="lead_record_id").reset_index(drop=True)
    unnamed = set(table["snapshot_id"]) - set(snapshots)
    if unnamed:
        raise InputError("no manifest of this snapshot", where=min(unnamed))
    dates = {name: str(manifest["processed_date"]) for name, manifest in snapshots.items()}
    table.insert(4, "data_date", table["snapshot_id"].map(dates).astype("string"))
    values, makers = _trial_labels(table, labels)
    for variable in labels["variable"].drop_duplicates():
        table[variable] = [values.get((trial, variable), ()) for trial in table["trial_id"]]
        made = [makers.get((trial, variable)) for trial in table["trial_id"]]
        table[f"{variable}_by"] = pd.array(made, dtype="string")
    return table


def require_trials(table: pd.DataFrame) -> None:
    """Refuse to describe what is not there.

    Raises
    ------
    InputError
        If the trial table has no row.
    """
    if table.empty:
        raise InputError(
            "no record of these snapshots was included, so there is no trial to describe",
            remedy="read the reasons in chapter 3, or give rules of eligibility that fit them",
        )


def read_trial_table(path: Path) -> pd.DataFrame:
    """Read a trial table that `compendium.tables.write_table` wrote, lists as tuples.

    Parameters
    ----------
    path : Path
        CSV or Parquet.
    """
    names = read_table(path).columns
    labels = [name.removesuffix("_by") for name in names if name.endswith("_by")]
    lists = ("record_ids", "registries", "countries", *(name for name in labels if name in names))
    return read_table(path, lists=lists, integers=("enrolment",))


def trial_labels(table: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Return the labels that count for each trial, with the words that led to them.

    Parameters
    ----------
    table : DataFrame
        Trials, with `trial_id` and `record_ids`.
    labels : DataFrame
        One row per record, variable and value.

    Returns
    -------
    DataFrame
        `labels` of the trials' records with `trial_id` in front: a person's where there is one for
        the trial and variable, otherwise the rules'.
    """
    member = table[["trial_id", "record_ids"]].explode("record_ids")
    member = member.rename(columns={"record_ids": "record_id"}).astype("string")
    ours = member.merge(labels, on="record_id")
    by_person = ours["made_by"] != RULE
    coded = by_person.groupby([ours["trial_id"], ours["variable"]]).transform("any")
    return ours[by_person | ~coded].reset_index(drop=True)


def _trial_labels(
    table: pd.DataFrame, labels: pd.DataFrame
) -> tuple[dict[tuple[str, str], tuple[str, ...]], dict[tuple[str, str], str]]:
    values: dict[tuple[str, str], tuple[str, ...]] = {}
    makers: dict[tuple[str, str], set[str]] = {}
    counted = trial_labels(table, labels)
    for trial, variable, value, maker in zip(
        *(counted[name] for name in ("trial_id", "variable", "value", "made_by")), strict=True
    ):
        key = (trial, variable)
        makers.setdefault(key, set()).add(maker)
        held = values.get(key, ())
        # one record may state what another leaves open
        if value == NOT_STATED and held:
            continue
        held = tuple(one for one in held if one != NOT_STATED)
        values[key] = held if value in held else (*held, value)
    return values, {key: " + ".join(sorted(names)) for key, names in makers.items()}


def entry_address(number: str, address: object) -> str:
    """Return where a registration can be read.

    Parameters
    ----------
    number : str
        Its number.
    address : str or missing
        What the record itself gives; anything but a web address counts as missing.

    Returns
    -------
    str
        That address; otherwise the number's page in the WHO portal, which holds all registries.

    Examples
    --------
    >>> entry_address("DRKS00010458", pd.NA)
    'https://trialsearch.who.int/Trial2.aspx?TrialID=DRKS00010458'
    """
    if isinstance(address, str) and address.startswith(("https://", "http://")):
        return address
    return PORTAL + quote(number, safe="")


def in_scope(
    table: pd.DataFrame, classes: Iterable[str], column: str = "paper_class"
) -> pd.DataFrame:
    """Keep the trials that carry at least one of `classes`, and only those classes in the column.

    Examples
    --------
    >>> trials = pd.DataFrame({"paper_class": [("spinal cord", "extension"), ("extension",)]})
    >>> in_scope(trials, ["spinal cord", "deep brain"])["paper_class"].tolist()
    [('spinal cord',)]
    """
    wanted = set(classes)
    narrowed = table.assign(
        **{column: [tuple(v for v in cell if v in wanted) for cell in table[column]]}
    )
    return narrowed[narrowed[column].map(bool).astype(bool)].reset_index(drop=True)


def known_by(table: pd.DataFrame, date: str) -> pd.Series:
    """Say which trials were certainly registered by a date.

    Parameters
    ----------
    table : DataFrame
        Trials, with `registered` (ISO date of any precision) and `data_date`.
    date : str
        ISO date, to the day.

    Returns
    -------
    Series of str
        "yes": the data of its snapshot reach no further than `date`, or it was registered by then;
        "no": registered later; "not stated": neither can be said, because the record gives no date
        of registration or only the year or month of `date` itself.
    """
    registered = table["registered"].astype("string")
    cut = registered.map(lambda text: date[: len(text)], na_action="ignore").astype("string")
    answer = pd.Series("not stated", index=table.index, dtype="string")
    answer = answer.mask((registered < cut).fillna(False), "yes")
    answer = answer.mask((registered > cut).fillna(False), "no")
    exact = (registered == cut).fillna(False) & (registered.str.len() == len(date)).fillna(False)
    answer = answer.mask(exact, "yes")
    return answer.mask((table["data_date"] <= date).fillna(False), "yes")
