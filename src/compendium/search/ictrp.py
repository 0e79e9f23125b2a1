"""WHO ICTRP portal exports: XML and CSV of 2020 and 2026, streamed, read by field name."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from lxml import etree

from compendium.errors import InputError
from compendium.search.native import NativeRecord, RejectedRecord, excerpt, refuse_foreign

ROOT, TRIAL = "Trials_downloaded_from_ICTRP", "Trial"

_COMMON = (
    "TrialID", "Last_Refreshed_on", "Public_title", "Scientific_title", "Acronym",
    "Primary_sponsor", "Date_registration", "Date_registration3", "Export_date",
    "Source_Register", "web_address", "Recruitment_Status", "other_records", "Inclusion_agemin",
    "Inclusion_agemax", "Inclusion_gender", "Date_enrollement", "Target_size", "Study_type",
    "Study_design", "Phase", "Countries", "Contact_Firstname", "Contact_Lastname",
    "Contact_Address", "Contact_Email", "Contact_Tel", "Contact_Affiliation",
    "Inclusion_Criteria", "Exclusion_Criteria", "Condition", "Intervention", "Primary_outcome",
    "results_date_posted", "results_date_completed", "results_url_link", "results_yes_no",
)  # fmt: skip
_BRIDGING = ("Bridging_flag_truefalse", "Bridged_type")
_LATER = (
    "Secondary_outcome", "Secondary_ID", "Secondary_Sponsor", "Prospective_registration",
    "results_url_protocol", "results_date_first_publication", "results_summary",
    "results_baseline_char", "results_adverse_events", "results_outcome_measures",
    "results_ipd_plan", "results_ipd_description",
)  # fmt: skip
_ETHICS = (
    "status", "approval_date", "contact_name", "contact_address", "contact_phone",
    "contact_email",
)  # fmt: skip
# The portal's layouts: export → its fields, blanks as underscores. The XML of 2020 leaves out
# tags that have no value.
LAYOUTS: dict[str, tuple[str, ...]] = {
    "2020": (*_COMMON, "Retrospective_flag", *_BRIDGING),
    "2026 CSV": (
        *_COMMON, *_LATER, *_BRIDGING, "Source_Name", "Ethics_Status", "Ethics_Approval_Date",
        "Ethics_Contact_Name", "Ethics_Contact_Address", "Ethics_Contact_Phone",
        "Ethics_Contact_Email",
    ),
    "2026 XML": (
        *_COMMON, *_LATER, "Internal_Number", "Source_Support",
        *(f"Ethics_review_{name}" for name in _ETHICS),
    ),
}  # fmt: skip
REQUIRED = ("TrialID", "Public_title", "Source_Register")
# Dropped while parsing: who may be called, where they live, and the ethics board's own contact.
_CONTACT = re.compile(r"(ethics_(review_)?)?contact_", re.IGNORECASE)

_FIELDS = {name.lower(): name for layout in LAYOUTS.values() for name in layout}
_TRIAL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9/_.()-]{3,59}")
# The beginning of a row inside a field: an unclosed quote has swallowed the rows after it.
_SWALLOWED = re.compile(r"\n\"?[A-Za-z][A-Za-z0-9/_-]{5,39}\"?,\"?\d{1,2} [A-Z][a-z]+ \d{4}\"?,")
FIELD_LIMIT = 4_000_000


def is_contact(name: str) -> bool:
    """Say whether a field holds contact data, which is never kept."""
    return _CONTACT.match(name) is not None


def canonical_fields(names: Sequence[str], where: str) -> list[str]:
    """Bring a header's names to the portal's field names, or refuse the layout.

    Parameters
    ----------
    names : sequence of str
        Column heads or tags; blanks and underscores are the same, as are capitals.
    where : str
        The file, for messages.

    Returns
    -------
    list of str
        Field names in the order of `names`.

    Raises
    ------
    InputError
        If a name is unknown or comes twice, or a required one is missing.

    Examples
    --------
    >>> canonical_fields(["TrialID", "Public title", "Source Register"], "x.csv")
    ['TrialID', 'Public_title', 'Source_Register']
    """
    plain = ["_".join(name.replace("_", " ").split()).lower() for name in names]
    unknown = [name for name, key in zip(names, plain, strict=True) if key not in _FIELDS]
    if unknown:
        raise InputError(
            f"unknown columns {', '.join(repr(name) for name in unknown[:5])}: the portal's layout "
            "has changed, or this is no portal export",
            where=where,
            remedy=f"the layouts known are {', '.join(LAYOUTS)}",
        )
    repeated = sorted({_FIELDS[key] for key in plain if plain.count(key) > 1})
    if repeated:
        raise InputError(f"columns come twice: {', '.join(repeated)}", where=where,
                         remedy="export again")  # fmt: skip
    fields = [_FIELDS[key] for key in plain]
    missing = [name for name in REQUIRED if name not in fields]
    if missing:
        raise InputError(
            f"columns are missing: {', '.join(missing)}", where=where, remedy="export all columns"
        )
    return fields


def read_portal(path: Path) -> Iterator[NativeRecord | RejectedRecord]:
    """Read a portal export, trial by trial, without contact data.

    Parameters
    ----------
    path : Path
        ``.xml`` or ``.csv``.

    Yields
    ------
    NativeRecord or RejectedRecord
        A record's content is field name → text as exported, contacts left out, empty ones too.

    Raises
    ------
    InputError
        If the file is foreign or has an unknown layout; after the last complete trial, if the
        file breaks off.
    """
    path = Path(path)
    refuse_foreign(path, "a WHO ICTRP export")
    if path.suffix.lower() == ".xml":
        return _read_xml(path)
    if path.suffix.lower() == ".csv":
        return _read_csv(path)
    raise InputError(
        "a portal export ends in .xml or .csv", where=str(path), remedy="rename or export again"
    )


def _read_xml(path: Path) -> Iterator[NativeRecord | RejectedRecord]:
    complete, begun = 0, 0
    with path.open("rb") as stream:
        walk = etree.iterparse(
            stream,
            events=("start", "end"),
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=True,
            remove_comments=True,
            remove_pis=True,
        )
        try:
            for event, element in walk:
                parent = element.getparent()
                if parent is None and event == "start":
                    _check_root(element, path)
                if event == "start" or parent is None or parent.getparent() is not None:
                    begun += event == "start" and parent is not None and element.tag == TRIAL
                    continue
                if element.tag != TRIAL:
                    raise InputError(
                        f"<{element.tag}> stands where <{TRIAL}> number {complete + 1} should",
                        where=str(path),
                        remedy="this is not a portal export, or its layout has changed",
                    )
                complete += 1
                yield _xml_trial(element, f"trial {complete}", path)
                # Free what has been read: a gigabyte of trials passes in a few megabytes.
                element.clear()
                while element.getprevious() is not None:
                    del parent[0]
        except etree.XMLSyntaxError as error:
            cut = "in the middle of a trial" if begun > complete else "before its closing tag"
            broken = _at_last_line(path, error.lineno or 0)
            state = f"the file breaks off {cut}" if broken else "the XML is not well-formed"
            raise InputError(
                f"{state} after {complete:,} complete trials (line {error.lineno}: {error.msg})",
                where=str(path),
                remedy="export again, in smaller parts if the portal keeps cutting",
            ) from error


def _at_last_line(path: Path, line: int) -> bool:
    with path.open("rb") as stream:
        ends = sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
    return line >= ends


def _check_root(root: etree._Element, path: Path) -> None:
    if root.getroottree().docinfo.doctype:
        raise InputError(
            "the XML declares a document type, which no portal export does",
            where=str(path),
            remedy="do not use this file; export again",
        )
    if root.tag != ROOT:
        raise InputError(
            f"the XML begins with <{root.tag}>, not <{ROOT}>",
            where=str(path),
            remedy="export as XML from the portal's result page",
        )


def _xml_trial(element: etree._Element, location: str, path: Path) -> NativeRecord | RejectedRecord:
    children = [child for child in element if isinstance(child.tag, str)]
    names = [child.tag for child in children]
    trial_id = next((child.text or "" for child in children if child.tag == "TrialID"), "").strip()
    unknown = [name for name in names if "_".join(name.split()).lower() not in _FIELDS]
    if unknown:
        canonical_fields(names, f"{path} ({location})")  # raises, naming them
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        return RejectedRecord(
            location, trial_id, f"repeated-field: {', '.join(sorted(repeated))}", excerpt(trial_id)
        )
    content = {}
    for child in children:
        name = _FIELDS[child.tag.lower()]
        if is_contact(name):
            continue
        if len(child):
            return RejectedRecord(
                location, trial_id, f"nested-field: {name} holds elements", excerpt(trial_id)
            )
        if child.text:
            content[name] = child.text
    return _checked(location, content)


def _checked(location: str, content: Mapping[str, str]) -> NativeRecord | RejectedRecord:
    trial_id = content.get("TrialID", "").strip()
    if not _TRIAL_ID.fullmatch(trial_id):
        reason = f"bad-id: {trial_id[:60]!r}" if trial_id else "no-id: the trial has no TrialID"
        return RejectedRecord(
            location, trial_id[:60], reason, excerpt(content.get("Public_title", ""))
        )
    return NativeRecord(location, content)


class _Lines:
    """Hands on a file's lines and remembers those of the row being read."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream, self.held = stream, []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = next(self.stream)
        self.held.append(line)
        return line


def _read_csv(path: Path) -> Iterator[NativeRecord | RejectedRecord]:
    before = csv.field_size_limit(FIELD_LIMIT)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = _Lines(stream)
            reader = csv.reader(lines)
            fields = canonical_fields(next(reader), str(path))
            while True:
                lines.held.clear()
                location = f"line {reader.line_num + 1}"
                try:
                    row = next(reader, None)
                except csv.Error as error:
                    yield RejectedRecord(location, "", f"broken-row: {error}", "")
                    continue
                if row is None:
                    return
                if row:
                    yield _csv_row(row, fields, location, lines.held)
    except UnicodeDecodeError as error:
        raise InputError(
            f"the text is not UTF-8 ({error.reason} at byte {error.start} of a block)",
            where=str(path),
            remedy="export again; if a spreadsheet saved it, save it as “CSV UTF-8”",
        ) from error
    finally:
        csv.field_size_limit(before)


def _csv_row(
    row: list[str], fields: list[str], location: str, lines: list[str]
) -> NativeRecord | RejectedRecord:
    # Rows that do not fit may hold contacts anywhere beyond their first cells, so only those show.
    beginning = excerpt(" | ".join(row[:3]))
    trial_id = row[0].strip()[:60] if fields[0] == "TrialID" else ""
    if len(row) != len(fields):
        kind = "short-row" if len(row) < len(fields) else "long-row"
        return RejectedRecord(
            location, trial_id, f"{kind}: {len(row)} cells, not {len(fields)}", beginning
        )
    if any(_SWALLOWED.search(cell) for cell in row if "\n" in cell):
        return RejectedRecord(
            location, trial_id, "swallowed-rows: a quote was never closed", beginning
        )
    if len(lines) > 1 and _unclosed(lines):
        return RejectedRecord(location, trial_id, "cut-row: the file ends in a quote", beginning)
    content = {
        name: cell for name, cell in zip(fields, row, strict=True) if cell and not is_contact(name)
    }
    return _checked(location, content)


def _unclosed(lines: list[str]) -> bool:
    """Say whether the lines of one row end inside a quoted cell."""
    try:
        list(csv.reader(lines, strict=True))
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False
