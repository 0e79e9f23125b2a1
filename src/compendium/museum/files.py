"""Exhibits whose file is broken: it ends early, slips sideways, or is something else."""

import csv
import json
from pathlib import Path

import pandas as pd
from lxml import etree

from compendium.museum.exhibit import Exhibit, Reading
from compendium.museum.workshop import (
    csv_line,
    page,
    portal_csv,
    portal_xml,
    read,
    study,
    trial,
    write,
)
from compendium.search.ictrp_import import import_export

ENDS = "Files that end early"
SLIPS = "Files that are not what they seem"


def make_cut_xml(folder: Path) -> Path:
    """Cut an export of four trials inside the third one's number."""
    text = portal_xml([trial(n) for n in (1, 2, 3, 4)])
    cut = text.index("NCT00000003") + len("NCT0")
    return write(folder / "ICTRP-Results.xml", text[:cut])


def naive_cut_xml(path: Path) -> float:
    """Let the parser mend the file, and count."""
    tree = etree.parse(path, etree.XMLParser(recover=True))
    return len(tree.findall("Trial"))


def careful_cut_xml(path: Path) -> Reading:
    """Import it with the total that the portal announced."""
    counts = import_export(path, announced=4, out=path.parent / "snapshot")
    return Reading(counts.read, counts.statement())


def make_polite_xml(folder: Path) -> Path:
    """Leave out the last two of five trials, and close the file properly."""
    return write(folder / "ICTRP-Results.xml", portal_xml([trial(n) for n in (1, 2, 3)]))


def naive_polite_xml(path: Path) -> float:
    """Parse without an error, and count."""
    tree = etree.parse(path)
    return len(tree.findall("Trial"))


def careful_polite_xml(path: Path) -> Reading:
    """Import it with the total that the portal announced."""
    counts = import_export(path, announced=5, out=path.parent / "snapshot")
    return Reading(counts.read, counts.statement())


def make_first_page(folder: Path) -> Path:
    """Answer a request for 5,000 studies a page as the registry does: with 1,000."""
    studies = [study(number) for number in range(1, 1001)]
    return page(folder / "page-0001.json", studies, totalCount=3454, nextPageToken="NF0g5JCAlvAq")


def naive_first_page(path: Path) -> float:
    """Ask for everything on one page."""
    answer = json.loads(path.read_text())  # asked for with pageSize=5000
    return len(answer["studies"])


def careful_pages(path: Path) -> Reading:
    """Read the pages with their order and total checked."""
    records, aside = read(path)
    return Reading(len(records), f"{len(records)} read, {len(aside)} set aside")


def make_empty_page(folder: Path) -> Path:
    """Put an empty page with a token between two full ones."""
    page(folder / "page-1.json", [study(1), study(2)], totalCount=5, nextPageToken="a")
    page(folder / "page-2.json", [], nextPageToken="b")
    page(folder / "page-3.json", [study(3), study(4), study(5)])
    return folder


def naive_empty_page(path: Path) -> float:
    """Go on until a page is empty."""
    total, number = 0, 1
    while studies := json.loads((path / f"page-{number}.json").read_text())["studies"]:
        total += len(studies)
        number += 1
    return total


def make_slipped_rows(folder: Path) -> Path:
    """Give one of five rows a cell too many and another one too few."""
    path = portal_csv(folder, [trial(n, Phase="N/A", Countries="India") for n in (1, 2, 3)])
    long = ["NCT00000004", "21 September 2026", "Pain", " stroke and sleep", "", "N/A", "India"]
    short = ["NCT00000005", "21 September 2026", "Deep brain stimulation", "N/A", "India"]
    return write(path, path.read_text(encoding="utf-8") + csv_line(long) + csv_line(short))


def naive_slipped_rows(path: Path) -> float:
    """Skip the lines that do not fit."""
    table = pd.read_csv(path, on_bad_lines="skip")
    return len(table)


def careful_rows(path: Path) -> Reading:
    """Account for every row: read, or set aside with its reason."""
    records, aside = read(path)
    reasons = "; ".join(sorted(aside["reason"]))
    return Reading(
        len(records) + len(aside), f"{len(records)} read, {len(aside)} set aside ({reasons})"
    )


def make_open_quote(folder: Path) -> Path:
    """Open a quote in the second of six rows and never close it."""
    path = portal_csv(folder, [trial(n, Condition=f"pain {n}") for n in range(1, 7)])
    return write(path, path.read_text(encoding="utf-8").replace("pain 2", '"pain 2'))


def naive_open_quote(path: Path) -> float:
    """Trust the quotes."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return sum(1 for row in csv.DictReader(stream))


def make_web_page(folder: Path) -> Path:
    """Save a firewall's refusal, which came with status 200, as if it were the export."""
    return write(
        folder / "IctrpResults.csv",
        "<html>\n<head><title>Request rejected</title></head>\n<body>\n"
        "The requested URL was rejected.\nYour support ID is 1234567890.\n</body>\n</html>\n",
    )


def naive_web_page(path: Path) -> float:
    """Read whatever was saved."""
    table = pd.read_csv(path)
    return len(table)


FILE_EXHIBITS = (
    Exhibit(
        "nct0",
        ENDS,
        "The trial called NCT0",
        "An export stops in the middle of a trial number. A forgiving parser closes the open tags "
        "by itself and hands over a third trial, whose number is “NCT0”. Nothing in the table says "
        "that it never existed, or that a fourth trial is missing.",
        "lxml with recover=True on a portal file that was cut; portal exports stopped at 49,070 of "
        "49,458 trials",
        "trials in the export",
        make_cut_xml,
        naive_cut_xml,
        careful_cut_xml,
        4,
    ),
    Exhibit(
        "polite-end",
        ENDS,
        "The file that ends politely",
        "This one is well-formed to its last tag. It is simply not all there. No parser can see "
        "that; only the total on the portal's result page can. So the import asks for it.",
        "CSV exports 0.4 to 29 % short of the portal's own total",
        "trials in the export",
        make_polite_xml,
        naive_polite_xml,
        careful_polite_xml,
        5,
    ),
    Exhibit(
        "coerced-page",
        ENDS,
        "Ask for five thousand, get one thousand",
        "The programming interface of ClinicalTrials.gov lowers a page size above 1,000 to 1,000 "
        "without a word. A script that asks for one big page gets a full page, sees no error, and "
        "stops.",
        "ClinicalTrials.gov API v2; clients that stop at 1,000 studies",
        "studies that match",
        make_first_page,
        naive_first_page,
        careful_pages,
        3454,
    ),
    Exhibit(
        "empty-page",
        ENDS,
        "The empty page that is not the end",
        "A page may be empty and still name a next one. A loop that stops at the first empty page "
        "stops too soon; only a missing token is the end.",
        "ClinicalTrials.gov API v2, by its documentation",
        "studies that match",
        make_empty_page,
        naive_empty_page,
        careful_pages,
        5,
    ),
    Exhibit(
        "slipped-rows",
        SLIPS,
        "The rows that slipped sideways",
        "An unprotected comma gives a row one cell too many; a lost one gives another too few. "
        "“Skip bad lines” drops the first, and keeps the second with every value one column to the "
        "left.",
        "portal CSV of 2026: 2 % of rows, all from one registry",
        "rows accounted for",
        make_slipped_rows,
        naive_slipped_rows,
        careful_rows,
        5,
    ),
    Exhibit(
        "open-quote",
        SLIPS,
        "The quote that swallowed four trials",
        "A quotation mark opens a cell and never closes it. To a CSV reader, everything that "
        "follows is one long cell.",
        "portal CSV: unescaped quotes in free text",
        "rows accounted for",
        make_open_quote,
        naive_open_quote,
        careful_rows,
        6,
    ),
    Exhibit(
        "web-page",
        SLIPS,
        "The web page that was counted",
        "The portal's firewall says no, with status 200 (all is well) and a page of HTML. Saved as "
        "a CSV, it has rows like any other.",
        "WHO portal: refusals and not-found pages with status 200",
        "trials in the export",
        make_web_page,
        naive_web_page,
        careful_rows,
        0,
    ),
)
