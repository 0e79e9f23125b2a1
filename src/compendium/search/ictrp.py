"""WHO ICTRP portal exports: XML and CSV of 2020 and 2026, streamed, read by field name."""

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from lxml import etree

from compendium.errors import InputError
from compendium.search.ictrp_layouts import FIELD_NAMES, canonical_fields, is_contact
from compendium.search.native import NativeRecord, RejectedRecord, excerpt, refuse_foreign

ROOT, TRIAL = "Trials_downloaded_from_ICTRP", "Trial"

_TRIAL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9/_.()-]{3,59}")
# A line that begins a row. Inside another row it shows that a quote was never closed.
_ROW_START = re.compile(r"\"?[A-Za-z][A-Za-z0-9/_-]{5,39}\"?,\"?\d{1,2} [A-Z][a-z]+ \d{4}\"?,")
FIELD_LIMIT = 4_000_000
# Bounded on both sides, so that no run of letters makes the search slow.
_EMAIL = re.compile(r"\b[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}\b")
EMAIL_LEFT_OUT = "[e-mail left out]"


def read_portal(path: Path) -> Iterator[NativeRecord | RejectedRecord]:
    """Read a portal export, trial by trial, without contact data.

    Parameters
    ----------
    path : Path
        ``.xml`` or ``.csv``.

    Yields
    ------
    NativeRecord or RejectedRecord
        A record's content is field name → text as exported; contact fields are left out, as are
        empty ones, and e-mail addresses in free text (plans for data sharing give them).

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
                f"{state} after {complete:,} complete trials ({error.msg})",
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
    unknown = [name for name in names if "_".join(name.split()).lower() not in FIELD_NAMES]
    if unknown:
        canonical_fields(names, f"{path} ({location})")  # raises, naming them
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        return RejectedRecord(
            location, trial_id, f"repeated-field: {', '.join(sorted(repeated))}", excerpt(trial_id)
        )
    content = {}
    for child in children:
        name = FIELD_NAMES[child.tag.lower()]
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
    kept = {
        name: _EMAIL.sub(EMAIL_LEFT_OUT, text) if "@" in text else text
        for name, text in content.items()
    }
    return NativeRecord(location, kept)


class _Lines:
    """Hands on a file's lines, remembers those of the row being read, and takes some back."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream, self.number = stream, 0
        self.held: list[str] = []
        self.returned: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self.returned.pop() if self.returned else next(self.stream)
        self.number += 1
        self.held.append(line)
        return line

    def begin_row(self) -> str:
        """Forget the last row; return where the next one stands."""
        self.held.clear()
        return f"line {self.number + 1}"

    def give_back_swallowed(self) -> bool:
        """Give back the lines from the next row on, if an open quote has swallowed any."""
        for index, line in enumerate(self.held[1:], start=1):
            if _ROW_START.match(line):
                self.number -= len(self.held) - index
                self.returned.extend(reversed(self.held[index:]))
                del self.held[index:]
                return True
        return False


def _read_csv(path: Path) -> Iterator[NativeRecord | RejectedRecord]:
    before = csv.field_size_limit(FIELD_LIMIT)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = _Lines(stream)
            reader = csv.reader(lines)
            fields = canonical_fields(next(reader), str(path))
            while True:
                location = lines.begin_row()
                try:
                    row, fault = next(reader, None), ""
                except csv.Error as error:
                    row, fault = [], str(error)
                if row is None:
                    return
                if lines.give_back_swallowed():
                    beginning = next(csv.reader(lines.held[:1]), [])
                    yield _misfit(
                        beginning, fields, location, "swallowed-rows: a quote was never closed"
                    )
                elif fault:
                    yield _misfit(row, fields, location, f"broken-row: {fault}")
                elif row:
                    yield _csv_row(row, fields, location, lines.held)
    except UnicodeDecodeError as error:
        raise InputError(
            f"the text is not UTF-8 ({error.reason} at byte {error.start} of a block)",
            where=str(path),
            remedy="export again; if a spreadsheet saved it, save it as “CSV UTF-8”",
        ) from error
    finally:
        csv.field_size_limit(before)


def _misfit(row: list[str], fields: list[str], location: str, reason: str) -> RejectedRecord:
    # A row that does not fit may hold contacts anywhere beyond its first cells: only those show.
    trial_id = row[0].strip()[:60] if row and fields[0] == "TrialID" else ""
    return RejectedRecord(location, trial_id, reason, excerpt(" | ".join(row[:3])))


def _csv_row(
    row: list[str], fields: list[str], location: str, lines: list[str]
) -> NativeRecord | RejectedRecord:
    if len(row) != len(fields):
        kind = "short-row" if len(row) < len(fields) else "long-row"
        return _misfit(row, fields, location, f"{kind}: {len(row)} cells, not {len(fields)}")
    if len(lines) > 1 and _unclosed(lines):
        return _misfit(row, fields, location, "cut-row: the file ends inside a quote")
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
