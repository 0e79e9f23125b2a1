"""The record table's columns, types and closed vocabularies."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pandera.pandas as pa

from compendium.normalise import vocabularies as vocabulary

LISTS = (
    "secondary_ids", "nct_aliases", "conditions", "keywords", "condition_mesh",
    "intervention_mesh", "intervention_types", "intervention_names", "intervention_descriptions",
    "intervention_other_names", "arm_types", "arm_labels", "arm_descriptions", "primary_outcomes",
    "secondary_outcomes", "masked_roles", "collaborators", "countries_raw", "countries", "flags",
)  # fmt: skip
INTEGERS = ("number_of_arms", "enrolment")
COLUMNS = (
    "record_id", "registry", "snapshot_id", "source_file", "raw_sha256", "url",
    "public_title", "scientific_title", "acronym", "secondary_ids", "nct_aliases",
    "conditions", "keywords", "condition_mesh", "intervention_mesh", "intervention_types",
    "intervention_names", "intervention_descriptions", "intervention_other_names", "arm_types",
    "arm_labels", "arm_descriptions", "primary_outcomes", "secondary_outcomes", "brief_summary",
    "detailed_description", "inclusion_criteria", "exclusion_criteria",
    "status_raw", "status", "last_known_status", "why_stopped", "study_type_raw", "study_type",
    "phase_raw", "phase", "allocation_raw", "allocation", "intervention_model_raw",
    "intervention_model", "primary_purpose_raw", "primary_purpose", "masking_raw", "masking",
    "masked_roles", "number_of_arms", "enrolment_raw", "enrolment", "enrolment_kind", "sponsor",
    "sponsor_class_raw", "sponsor_class", "collaborators", "countries_raw", "countries",
    "countries_coverage", "registered_raw", "registered", "start_raw", "start", "start_kind",
    "primary_completion_raw", "primary_completion", "primary_completion_kind", "completion_raw",
    "completion", "completion_kind", "last_update", "results", "results_first_posted", "sex",
    "minimum_age", "maximum_age", "healthy_volunteers", "flags",
)  # fmt: skip
QUARANTINE_COLUMNS = (
    "snapshot_id", "source_file", "location", "record_id", "reason", "excerpt",
)  # fmt: skip

_CLOSED: dict[str, tuple[str, ...]] = {
    "status": vocabulary.STATUS,
    "last_known_status": vocabulary.STATUS,
    "study_type": vocabulary.STUDY_TYPE,
    "phase": vocabulary.PHASE,
    "allocation": vocabulary.ALLOCATION,
    "intervention_model": vocabulary.INTERVENTION_MODEL,
    "primary_purpose": vocabulary.PRIMARY_PURPOSE,
    "masking": vocabulary.MASKING,
    "sponsor_class": vocabulary.SPONSOR_CLASS,
    "sex": vocabulary.SEX,
    "enrolment_kind": ("actual", "anticipated"),
    "start_kind": ("actual", "anticipated"),
    "primary_completion_kind": ("actual", "anticipated"),
    "completion_kind": ("actual", "anticipated"),
}
_STATED = {
    "countries_coverage": ("complete", "partial", "unknown"),
    "results": ("yes", "no", "unknown"),
    "healthy_volunteers": ("yes", "no", "unknown"),
}
_DATES = (
    "registered", "start", "primary_completion", "completion", "last_update",
    "results_first_posted",
)  # fmt: skip
_IDENTITY = ("record_id", "registry", "snapshot_id", "source_file", "raw_sha256")
_PARTIAL_DATE = r"(?:19|20)\d\d(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?)?"


def _column(name: str) -> pa.Column:
    if name in LISTS:
        return pa.Column(object, pa.Check(lambda cell: isinstance(cell, tuple), element_wise=True))
    if name in INTEGERS:
        return pa.Column("Int64", pa.Check.ge(0), nullable=True)
    if name in _CLOSED:
        return pa.Column("string", pa.Check.isin(_CLOSED[name]), nullable=True)
    if name in _STATED:
        return pa.Column("string", pa.Check.isin(_STATED[name]))
    if name in _DATES:
        return pa.Column("string", pa.Check.str_matches(f"^{_PARTIAL_DATE}$"), nullable=True)
    return pa.Column("string", nullable=name not in _IDENTITY, unique=name == "record_id")


SCHEMA = pa.DataFrameSchema(
    {name: _column(name) for name in COLUMNS}, strict=True, ordered=True, name="records"
)


def record_frame(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Make a record table of rows, typed and sorted, not yet validated.

    Parameters
    ----------
    rows : sequence of dict
        Column → cell; what a row lacks is not stated.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, sorted by ``record_id``.

    Raises
    ------
    KeyError
        If a row has a column that the table does not.
    """
    unknown = {name for row in rows for name in row} - {*COLUMNS}
    if unknown:
        raise KeyError(f"a reader filled columns the table does not have: {sorted(unknown)}")
    columns = {
        name: [row.get(name, () if name in LISTS else None) for row in rows] for name in COLUMNS
    }
    table = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})
    return typed(table).sort_values("record_id", kind="stable", ignore_index=True)


def split_invalid(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[int, str]]:
    """Validate a record table, telling rows that the schema refuses from the others.

    Parameters
    ----------
    table : DataFrame
        As `record_frame` makes it.

    Returns
    -------
    valid : DataFrame
        The rows that fit, indexed from 0.
    faults : dict
        Index in `table` of each other row → its faults, ``"column=value"``.
    """
    try:
        return SCHEMA.validate(table, lazy=True), {}
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases.dropna(subset=["index"])
        if cases.empty:  # a fault of the table, not of a row
            raise
    faults = {
        int(index): ", ".join(
            f"{column}={value!r}"
            for column, value in zip(case["column"], case["failure_case"], strict=True)
        )
        for index, case in cases.groupby("index", sort=True)
    }
    return SCHEMA.validate(table.drop(index=list(faults)).reset_index(drop=True)), faults


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Give a table's columns the record table's types."""
    kinds = {
        name: "Int64" if name in INTEGERS else "string" for name in COLUMNS if name not in LISTS
    }
    return table.astype(kinds)
