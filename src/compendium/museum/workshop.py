"""Where exhibits are made: small registry files, broken on purpose."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from lxml import etree

from compendium.records import read_records
from compendium.search.ictrp import ROOT, TRIAL

# Enough aliases for the exhibits; the book's own table is data/protocol/countries.csv.
ALIASES = {
    "republic of korea": "KOR",
    "korea, republic of": "KOR",
    "south korea": "KOR",
    "turkey": "TUR",
    "turkey (türkiye)": "TUR",
    "mexico": "MEX",
}


def trial(number: int | str, **fields: str) -> dict[str, str]:
    """Return a portal trial: a whole TrialID, or the number of one of ClinicalTrials.gov."""
    trial_id = f"NCT{number:08d}" if isinstance(number, int) else number
    source = "ClinicalTrials.gov" if isinstance(number, int) else ""
    return {
        "TrialID": trial_id,
        "Last_Refreshed_on": "21 September 2026",
        "Public_title": f"Spinal cord stimulation {number}",
        "Source_Register": source,
        **fields,
    }


def csv_line(cells: Sequence[str]) -> str:
    """Return one line of CSV."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def portal_csv(folder: Path, trials: Sequence[dict[str, str]]) -> Path:
    """Write a portal CSV with the columns that the trials use."""
    names = list(dict.fromkeys(name for one in trials for name in one))
    lines = [csv_line([name.replace("_", " ") for name in names])]
    lines += [csv_line([one.get(name, "") for name in names]) for one in trials]
    return write(folder / "IctrpResults.csv", "\ufeff" + "".join(lines))


def portal_xml(trials: Sequence[dict[str, str]]) -> str:
    """Return a portal XML."""
    root = etree.Element(ROOT)
    for one in trials:
        element = etree.SubElement(root, TRIAL)
        for name, text in one.items():
            etree.SubElement(element, name).text = text
    return etree.tostring(root, encoding="unicode", pretty_print=True)


def study(number: int, **modules: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return a study as API v2 answers it."""
    identification = {"nctId": f"NCT{number:08d}", "briefTitle": f"Stimulation, study {number}"}
    return {"protocolSection": {"identificationModule": identification, **modules}}


def page(path: Path, studies: Sequence[dict[str, Any]], **around: object) -> Path:
    """Write one page of `/studies`."""
    return write(path, json.dumps({**around, "studies": list(studies)}))


def write(path: Path, text: str) -> Path:
    """Write a text as it is, line ends included."""
    path.write_text(text, encoding="utf-8", newline="")
    return path


def read(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read with the project's own readers: records, and what was set aside."""
    return read_records([path], ALIASES, accept_unsealed=True)


def flags(records: pd.DataFrame, column: str) -> str:
    """Say what the reader noted about one column."""
    noted = [flag for cell in records["flags"] for flag in cell if flag.startswith(f"{column}:")]
    return "; ".join(sorted(set(noted)))
