"""Registry records: one validated table from any snapshots, and a table of what was set aside."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pandera.pandas as pa

from compendium.errors import InputError
from compendium.normalise import vocabularies as vocabulary
from compendium.search.ctgov import read_pages
from compendium.search.ctgov_record import study_row
from compendium.search.ictrp import read_portal
from compendium.search.ictrp_record import trial_row
from compendium.search.native import MalformedRecordError, NativeRecord, RejectedRecord, excerpt
from compendium.search.snapshot import record_files, verify_snapshot
from compendium.tables import read_table

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


class RecordSet(NamedTuple):
    """What a set of snapshots holds.

    Attributes
    ----------
    records : DataFrame
        One row per registration, sorted by ``record_id``; columns `COLUMNS`, valid under `SCHEMA`.
    quarantine : DataFrame
        One row per registration that could not be read or came again; columns
        `QUARANTINE_COLUMNS`. Reasons are ``"code: words"``.
    """

    records: pd.DataFrame
    quarantine: pd.DataFrame


class _Found(NamedTuple):
    snapshot_id: str
    path: Path
    record: NativeRecord | RejectedRecord
    coverage: str


def read_records(folders: Sequence[Path], aliases: Mapping[str, str]) -> RecordSet:
    """Read snapshots into one table of records.

    Parameters
    ----------
    folders : sequence of Path
        Snapshot folders. A record that an earlier folder holds is set aside in a later one.
    aliases : mapping
        Country names → ISO 3166 alpha-3 codes
        (see `compendium.normalise.countries.resolve_countries`).

    Returns
    -------
    RecordSet
        Every record of every file is in exactly one of the two tables.

    Raises
    ------
    InputError
        If a snapshot is changed, incomplete or empty, or one of its files cannot be read.
    """
    if not folders:
        raise InputError("no snapshot was named", remedy="name at least one snapshot folder")
    rows: list[dict[str, Any]] = []
    aside: list[dict[str, str]] = []
    seen: dict[str, str] = {}
    for folder in map(Path, folders):
        before = len(rows) + len(aside)
        for found in _walk(folder):
            row = _read_one(found, aliases, seen, aside)
            if row is not None:
                rows.append(row)
        if len(rows) + len(aside) == before:
            raise InputError(
                "the snapshot holds no records",
                where=str(folder),
                remedy="widen the search, or fetch it again",
            )
    records = _frame(rows)
    return RecordSet(_validated(records, aside), _quarantine_frame(aside))


def read_record_table(path: Path) -> pd.DataFrame:
    """Read a record table that `compendium.tables.write_table` wrote, with its column types.

    Parameters
    ----------
    path : Path
        CSV or Parquet.

    Returns
    -------
    DataFrame
        As `RecordSet.records`.

    Raises
    ------
    InputError
        If it is missing or its columns are not those of a record table.
    """
    table = read_table(path, lists=LISTS, integers=INTEGERS)
    if tuple(table.columns) != COLUMNS:
        missing = [name for name in COLUMNS if name not in table.columns]
        raise InputError(
            f"this is no record table (missing columns: {', '.join(missing[:5]) or 'none'})",
            where=str(path),
            remedy="write it anew with `compendium records`",
        )
    return _typed(table)


def _walk(folder: Path) -> Iterator[_Found]:
    manifest = verify_snapshot(folder)
    entries = record_files(manifest)
    coverage = manifest.get("countries_coverage") or {}
    partial = {*coverage.get("partial", ())}
    default = coverage.get("default", "complete")
    pages = [entry for entry in entries if Path(entry["name"]).suffix.lower() == ".json"]
    tokens = {entry["name"]: entry["page_token"] for entry in pages if "page_token" in entry}
    held: dict[str, int] = dict.fromkeys((entry["name"] for entry in entries), 0)

    def found(path: Path, record: NativeRecord | RejectedRecord) -> _Found:
        held[path.name] += 1
        said = "partial" if partial and _native_id(record) in partial else default
        return _Found(manifest["id"], path, record, said)

    for path, record in read_pages([folder / entry["name"] for entry in pages], tokens):
        yield found(path, record)
    for entry in entries:
        if entry not in pages:
            path = folder / entry["name"]
            for record in read_portal(path):
                yield found(path, record)
    for entry in entries:
        if "records" in entry and entry["records"] != held[entry["name"]]:
            raise InputError(
                f"the manifest says {entry['records']} records, the file holds "
                f"{held[entry['name']]}",
                where=str(folder / entry["name"]),
                remedy="restore the snapshot",
            )
    rejected = [entry for entry in manifest["files"] if entry.get("role") == "rejected"]
    for entry in rejected:
        path = folder / entry["name"]
        for item in read_table(path).fillna("").to_dict("records"):
            yield _Found(manifest["id"], path, RejectedRecord(**item), default)


def _native_id(record: NativeRecord | RejectedRecord) -> str:
    if isinstance(record, RejectedRecord):
        return record.record_id
    content = record.content
    if "protocolSection" in content:
        return content["protocolSection"]["identificationModule"]["nctId"]
    return content["TrialID"].strip()


def _read_one(
    found: _Found, aliases: Mapping[str, str], seen: dict[str, str], aside: list[dict[str, str]]
) -> dict[str, Any] | None:
    """Return a row, or note in `aside` why there is none."""
    record = found.record
    place = f"{found.snapshot_id}/{found.path.name} {record.location}"

    def set_aside(record_id: str, reason: str, text: str) -> None:
        aside.append(
            dict(
                zip(
                    QUARANTINE_COLUMNS,
                    (found.snapshot_id, found.path.name, record.location, record_id, reason, text),
                    strict=True,
                )
            )
        )

    if isinstance(record, RejectedRecord):
        set_aside(record.record_id, record.reason, record.excerpt)
        return None
    canonical = json.dumps(record.content, ensure_ascii=True, sort_keys=True)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    read = study_row if "protocolSection" in record.content else trial_row
    try:
        row = read(record.content, aliases, found.coverage)
    except MalformedRecordError as error:
        set_aside(_native_id(record), str(error), excerpt(canonical))
        return None
    first = seen.setdefault(row["record_id"], place)
    if first != place:
        within = first.startswith(f"{found.snapshot_id}/")
        code = "repeated-in-snapshot" if within else "repeated-in-later-snapshot"
        set_aside(row["record_id"], f"{code}: already read from {first}", row["public_title"] or "")
        return None
    return row | {
        "snapshot_id": found.snapshot_id,
        "source_file": found.path.name,
        "raw_sha256": digest,
    }


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    unknown = {name for row in rows for name in row} - {*COLUMNS}
    if unknown:
        raise KeyError(f"a reader filled columns the table does not have: {sorted(unknown)}")
    columns = {
        name: [row.get(name, () if name in LISTS else None) for row in rows] for name in COLUMNS
    }
    table = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})
    return _typed(table).sort_values("record_id", kind="stable", ignore_index=True)


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    kinds = {
        name: "Int64" if name in INTEGERS else "string" for name in COLUMNS if name not in LISTS
    }
    return table.astype(kinds)


def _validated(records: pd.DataFrame, aside: list[dict[str, str]]) -> pd.DataFrame:
    """Move rows that the schema refuses to `aside`; return the others."""
    try:
        return SCHEMA.validate(records, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases.dropna(subset=["index"])
        if cases.empty:
            raise
        for index, case in cases.groupby("index", sort=True):
            row = records.loc[index]
            faults = ", ".join(
                f"{column}={value!r}"
                for column, value in zip(case["column"], case["failure_case"], strict=True)
            )
            aside.append(
                {
                    "snapshot_id": row["snapshot_id"],
                    "source_file": row["source_file"],
                    "location": "",
                    "record_id": row["record_id"],
                    "reason": f"invalid: {faults}",
                    "excerpt": excerpt(
                        row["public_title"] if pd.notna(row["public_title"]) else ""
                    ),
                }
            )
        kept = records.drop(index=cases["index"].unique()).reset_index(drop=True)
        return SCHEMA.validate(kept, lazy=True)


def _quarantine_frame(aside: list[dict[str, str]]) -> pd.DataFrame:
    table = pd.DataFrame(aside, columns=list(QUARANTINE_COLUMNS)).astype("string")
    return table.replace({"": pd.NA}).sort_values(
        ["snapshot_id", "source_file", "location", "record_id"], kind="stable", ignore_index=True
    )
