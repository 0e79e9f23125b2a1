"""Turn a WHO ICTRP portal export into a sealed snapshot, contacts left out, counts reconciled."""

import csv
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO

from lxml import etree

from compendium.errors import InputError
from compendium.files import replacing, sha256_of
from compendium.normalise.dates import read_date
from compendium.search.ictrp import ROOT, TRIAL, read_portal
from compendium.search.ictrp_layouts import LAYOUTS, is_contact
from compendium.search.native import NativeRecord, RejectedRecord
from compendium.search.snapshot import new_snapshot, write_manifest

# Every field of every layout that is kept, in the order of the first layout that has it.
FIELDS = tuple(
    name for name in dict.fromkeys(n for layout in LAYOUTS.values() for n in layout)
    if not is_contact(name)
)  # fmt: skip
REJECTED = "rejected.csv"
ATTRIBUTION = (
    "World Health Organization, International Clinical Trials Registry Platform (ICTRP), and the "
    "primary registries named in each record"
)
LICENCE = "WHO ICTRP terms: attribution and the processing date; no commercial use"


@dataclass
class ImportCounts:
    """What an export held.

    Attributes
    ----------
    announced : int
        The portal's total, as the person typed it.
    read, rejected : int
        Trials kept, and rows that could not be read (kept apart, with reasons).
    fault : str
        Why the file ended early; empty if it did not.
    """

    announced: int
    read: int = 0
    rejected: int = 0
    fault: str = ""

    @property
    def retrieved(self) -> int:
        """Trials and rows that the file held."""
        return self.read + self.rejected

    def statement(self) -> str:
        """Set announced against read, in a sentence."""
        gap = self.announced - self.retrieved
        verdict = (
            "nothing is missing"
            if gap == 0
            else f"{gap:,} missing"
            if gap > 0
            else f"{-gap:,} more than announced"
        )
        return (
            f"the portal announced {self.announced:,}, {self.read:,} trials were read and "
            f"{self.rejected:,} rows set aside: {verdict}"
        )


def import_export(
    export: Path,
    announced: int,
    out: Path,
    *,
    processed_date: str | None = None,
    accept_short: bool = False,
    report: Callable[[int], None] = lambda count: None,
) -> ImportCounts:
    """Read a portal export and write a snapshot of it.

    Parameters
    ----------
    export : Path
        The portal's ``.xml`` or ``.csv``, of 2020 or 2026. Streamed: memory does not grow with it.
    announced : int
        Number of records that the portal's result page named.
    out : Path
        The snapshot to make; must not exist. Holds ``trials.xml`` or ``trials.csv`` in the
        portal's layout without contact fields, and ``rejected.csv`` if rows could not be read.
    processed_date : str, optional
        ISO date of the export; by default what its Export date says.
    accept_short : bool
        Keep an export that breaks off or whose count differs; the manifest then says so.
    report : callable
        Called with the number of rows so far.

    Returns
    -------
    ImportCounts
        What was announced, read and set aside.

    Raises
    ------
    InputError
        If the file is foreign or of an unknown layout, has no date, breaks off, or holds another
        number than announced; nothing is written then.
    """
    export, out = Path(export), Path(out)
    if announced < 1:
        raise InputError(
            "the announced total must be at least 1",
            where=str(export),
            remedy="type the number of records from the portal's result page",
        )
    counts = ImportCounts(announced)
    with new_snapshot(out) as folder:
        name = f"trials{export.suffix.lower()}"
        rejected: list[RejectedRecord] = []
        dates: set[str] = set()
        with ExitStack() as stack:
            write = _writer(stack, folder / name)
            try:
                for item in read_portal(export):
                    if isinstance(item, RejectedRecord):
                        rejected.append(item)
                        counts.rejected += 1
                    else:
                        write(item)
                        counts.read += 1
                        dates.add(item.content.get("Export_date", ""))
                    report(counts.retrieved)
            except InputError as error:
                if not counts.retrieved or not accept_short:
                    raise InputError(
                        f"{error.what}; {counts.statement()}" if counts.retrieved else error.what,
                        where=error.where,
                        remedy=error.remedy,
                    ) from error
                counts.fault = error.what
        _reconcile(counts, export, accept_short)
        _seal(folder, name, export, counts, rejected, processed_date or _latest(dates, export))
    return counts


def _writer(stack: ExitStack, path: Path) -> Callable[[NativeRecord], None]:
    if path.suffix == ".xml":
        return _xml_writer(stack, stack.enter_context(replacing(path, "wb")))
    stream = stack.enter_context(replacing(path))
    rows = csv.DictWriter(
        stream, [name.replace("_", " ") for name in FIELDS], restval="", lineterminator="\r\n"
    )
    rows.writeheader()
    return lambda record: rows.writerow(
        {name.replace("_", " "): text for name, text in record.content.items()}
    )


def _xml_writer(stack: ExitStack, stream: IO[bytes]) -> Callable[[NativeRecord], None]:
    document = stack.enter_context(etree.xmlfile(stream, encoding="utf-8"))
    document.write_declaration()
    stack.enter_context(document.element(ROOT))

    def write(record: NativeRecord) -> None:
        trial = etree.Element(TRIAL)
        for name, text in record.content.items():
            etree.SubElement(trial, name).text = text
        document.write(trial, pretty_print=True)

    return write


def _reconcile(counts: ImportCounts, export: Path, accept_short: bool) -> None:
    if counts.retrieved == counts.announced or accept_short:
        return
    remedy = (
        "export again, in smaller parts if need be; or keep what there is with --accept-short"
        if counts.retrieved < counts.announced
        else "the portal counts records and trials apart: type the number of records"
    )
    raise InputError(counts.statement(), where=str(export), remedy=remedy)


def _latest(dates: set[str], export: Path) -> str:
    read = {read_date(text, ("m/d/y", "iso")).value for text in dates} - {None}
    if not read:
        raise InputError(
            "no trial says when it was exported",
            where=str(export),
            remedy="give the day with --processed-date YYYY-MM-DD",
        )
    return max(value for value in read if value)


def _seal(
    folder: Path,
    name: str,
    export: Path,
    counts: ImportCounts,
    rejected: list[RejectedRecord],
    processed_date: str,
) -> None:
    files: list[dict[str, object]] = [{"name": name, "records": counts.read}]
    if rejected:
        with replacing(folder / REJECTED) as stream:
            rows = csv.DictWriter(
                stream, [field.name for field in fields(RejectedRecord)], lineterminator="\n"
            )
            rows.writeheader()
            rows.writerows(asdict(record) for record in rejected)
        files.append({"name": REJECTED, "records": counts.rejected, "role": "rejected"})
    whole = counts.retrieved == counts.announced and not counts.fault
    write_manifest(
        folder,
        kind="portal export",
        registry="WHO ICTRP",
        processed_date=processed_date,
        coverage=f"{'the whole export' if whole else 'PARTIAL'}: {counts.statement()}"
        + (f"; {counts.fault}" if counts.fault else ""),
        announced=counts.announced,
        retrieved=counts.retrieved,
        files=files,
        attribution=ATTRIBUTION,
        modified="contact fields and e-mail addresses left out; all else as exported",
        licence=LICENCE,
        source={
            "name": export.name,
            "sha256": sha256_of(export),
            "bytes": export.stat().st_size,
        },
    )
