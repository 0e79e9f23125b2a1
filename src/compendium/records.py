"""Registry records: one validated table from any snapshots, and a table of what was set aside."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from compendium.errors import InputError
from compendium.record_schema import (
    COLUMNS,
    INTEGERS,
    LISTS,
    QUARANTINE_COLUMNS,
    record_frame,
    split_invalid,
    typed,
)
from compendium.search.ctgov import brief_title, read_pages
from compendium.search.ctgov_record import study_row
from compendium.search.ictrp import read_portal
from compendium.search.ictrp_record import trial_row
from compendium.search.native import MalformedRecordError, NativeRecord, RejectedRecord, excerpt
from compendium.search.snapshot import (
    UnsealedError,
    files_of,
    survey_unsealed,
    verify_snapshot,
)
from compendium.tables import read_table

UNSEALED_FLAG = "snapshot:unsealed"


class RecordSet(NamedTuple):
    """What a set of snapshots holds.

    Attributes
    ----------
    records : DataFrame
        One row per registration, sorted by ``record_id``; the columns of
        `compendium.record_schema.COLUMNS`, valid under its ``SCHEMA``.
    quarantine : DataFrame
        One row per registration that could not be read, or came again: ``snapshot_id``,
        ``source_file``, ``location``, ``record_id``, ``reason`` (``"code: words"``), ``excerpt``.
    """

    records: pd.DataFrame
    quarantine: pd.DataFrame


class _Found(NamedTuple):
    snapshot_id: str
    file: str
    record: NativeRecord | RejectedRecord
    coverage: str
    sealed: bool


def read_records(
    folders: Sequence[Path], aliases: Mapping[str, str], *, accept_unsealed: bool = False
) -> RecordSet:
    """Read snapshots into one table of records.

    Parameters
    ----------
    folders : sequence of Path
        Snapshot folders. A record that an earlier folder holds is set aside in a later one.
    aliases : mapping
        Country names → ISO 3166 alpha-3 codes
        (see `compendium.normalise.countries.read_country_aliases`).
    accept_unsealed : bool
        Also read folders without a manifest, and single files; their records carry the flag
        ``"snapshot:unsealed"``.

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
    aside: list[tuple[str, ...]] = []
    seen: dict[str, str] = {}
    for folder in map(Path, folders):
        before = len(rows) + len(aside)
        for found in _walk(folder, accept_unsealed):
            kept = _read_one(found, aliases, seen)
            if isinstance(kept, dict):
                rows.append(kept)
            else:
                aside.append(kept)
        if len(rows) + len(aside) == before:
            raise InputError(
                "the snapshot holds no records",
                where=str(folder),
                remedy="widen the search, or fetch it again",
            )
    table = record_frame(rows)
    valid, faults = split_invalid(table)
    for index, fault in faults.items():
        row = table.loc[index].fillna("")
        aside.append(
            (row["snapshot_id"], row["source_file"], "", row["record_id"], f"invalid: {fault}",
             excerpt(row["public_title"]))
        )  # fmt: skip
    return RecordSet(valid, _quarantine(aside))


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
    return typed(table)


def flag_table(records: pd.DataFrame) -> pd.DataFrame:
    """Count what the readers noted about records that were kept.

    Parameters
    ----------
    records : DataFrame
        Record table.

    Returns
    -------
    DataFrame
        ``flag`` ("column:problem", without the raw value that may follow), ``records`` (how many
        carry it) and ``example`` (the first such record), most frequent first.
    """
    noted = records[["record_id", "flags"]].explode("flags").dropna(subset="flags")
    noted = noted.assign(flag=[flag.partition(" ")[0] for flag in noted["flags"]])
    counted = (
        noted.drop_duplicates(["record_id", "flag"])
        .groupby("flag", sort=True)["record_id"]
        .agg(records="size", example="min")
        .reset_index()
    )
    return counted.sort_values(["records", "flag"], ascending=[False, True], ignore_index=True)


def _walk(folder: Path, accept_unsealed: bool) -> Iterator[_Found]:
    """Yield every record of one snapshot, and check the counts its manifest gives."""
    try:
        manifest = verify_snapshot(folder)
    except UnsealedError:
        if not accept_unsealed:
            raise
        manifest = survey_unsealed(folder)
    base = folder.parent if folder.is_file() else folder
    sealed = not manifest.get("unsealed", False)
    coverage = manifest.get("countries_coverage") or {}
    partial, default = {*coverage.get("partial", ())}, coverage.get("default", "complete")
    entries = files_of(manifest)
    held = dict.fromkeys((entry["name"] for entry in entries), 0)
    for name, record in _native_records(base, entries):
        held[name] += 1
        said = "partial" if partial and _native_id(record) in partial else default
        yield _Found(manifest["id"], name, record, said, sealed)
    for entry in entries:
        if entry.get("records", held[entry["name"]]) != held[entry["name"]]:
            raise InputError(
                f"the manifest says {entry['records']} records, the file holds "
                f"{held[entry['name']]}",
                where=str(base / entry["name"]),
                remedy="restore the snapshot",
            )
    for entry in files_of(manifest, "rejected"):
        for item in read_table(base / entry["name"]).fillna("").to_dict("records"):
            yield _Found(manifest["id"], entry["name"], RejectedRecord(**item), default, sealed)


def _native_records(
    base: Path, entries: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, NativeRecord | RejectedRecord]]:
    pages = [entry for entry in entries if entry["name"].lower().endswith(".json")]
    tokens = {entry["name"]: entry["page_token"] for entry in pages if "page_token" in entry}
    for path, record in read_pages([base / entry["name"] for entry in pages], tokens):
        yield path.name, record
    for entry in entries:
        if entry not in pages:
            for record in read_portal(base / entry["name"]):
                yield entry["name"], record


def _native_id(record: NativeRecord | RejectedRecord) -> str:
    if isinstance(record, RejectedRecord):
        return record.record_id
    if "protocolSection" in record.content:
        return record.content["protocolSection"]["identificationModule"]["nctId"].strip().upper()
    return record.content["TrialID"].strip()


def _read_one(
    found: _Found, aliases: Mapping[str, str], seen: dict[str, str]
) -> dict[str, Any] | tuple[str, ...]:
    """Return a row of the record table, or one of the quarantine."""
    record = found.record

    def set_aside(record_id: str, reason: str, text: str) -> tuple[str, ...]:
        return found.snapshot_id, found.file, record.location, record_id, reason, excerpt(text)

    if isinstance(record, RejectedRecord):
        return set_aside(record.record_id, record.reason, record.excerpt)
    from_page = "protocolSection" in record.content
    try:
        read = study_row if from_page else trial_row
        row = read(record.content, aliases, found.coverage)
    except MalformedRecordError as error:
        title = brief_title(record.content) if from_page else record.content.get("Public_title", "")
        return set_aside(_native_id(record), str(error), title)
    place = f"{found.snapshot_id}/{found.file} {record.location}"
    first = seen.setdefault(row["record_id"], place)
    if first != place:
        within = first.startswith(f"{found.snapshot_id}/")
        code = "repeated-in-snapshot" if within else "repeated-in-later-snapshot"
        reason = f"{code}: already read from {first}"
        return set_aside(row["record_id"], reason, row["public_title"] or "")
    if not found.sealed:
        row["flags"] = (*row["flags"], UNSEALED_FLAG)
    canonical = json.dumps(record.content, ensure_ascii=True, sort_keys=True)
    return row | {
        "snapshot_id": found.snapshot_id,
        "source_file": found.file,
        "raw_sha256": hashlib.sha256(canonical.encode()).hexdigest(),
    }


def _quarantine(aside: Sequence[tuple[str, ...]]) -> pd.DataFrame:
    table = pd.DataFrame(aside, columns=list(QUARANTINE_COLUMNS)).astype("string")
    order = ["snapshot_id", "source_file", "location", "record_id"]
    return table.replace({"": pd.NA}).sort_values(order, kind="stable", ignore_index=True)
