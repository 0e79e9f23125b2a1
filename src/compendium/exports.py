"""The trials for other programs: CSV, RIS and JSON, the same rows in each."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from compendium.files import replacing
from compendium.landscape import entry_address
from compendium.ris import ris_document
from compendium.tables import write_table


def write_exports(
    table: pd.DataFrame,
    evidence: pd.DataFrame,
    snapshots: Mapping[str, Mapping[str, object]],
    folder: Path,
) -> tuple[Path, Path, Path]:
    """Write ``trials.csv``, ``trials.ris`` and ``trials.json`` into a folder.

    Parameters
    ----------
    table : DataFrame
        What `compendium.landscape.trial_table` returned.
    evidence : DataFrame
        What `compendium.landscape.trial_labels` returned for it; goes into the JSON.
    snapshots : mapping
        Manifest of each snapshot by its id: what the attribution rests on.
    folder : Path
        Made if it is not there.

    Returns
    -------
    tuple of Path
        The three files.
    """
    folder = Path(folder)
    csv = write_table(table, folder / "trials.csv")
    with replacing(folder / "trials.ris") as stream:
        stream.write(ris_text(table))
    with replacing(folder / "trials.json") as stream:
        stream.write(json_text(table, evidence, snapshots))
    return csv, folder / "trials.ris", folder / "trials.json"


def ris_text(table: pd.DataFrame) -> str:
    """Return one RIS entry per trial, for a reference manager.

    Parameters
    ----------
    table : DataFrame
        What `compendium.landscape.trial_table` returned.

    Returns
    -------
    str
        Type ELEC; the number of the lead registration in AN, its registry in DB, every other
        registration in C1, the sponsor in PB, the year of the start in PY, labels in KW. A field
        that is not stated is left out.
    """
    return ris_document([_ris_entry(row) for row in table.to_dict("records")])


def _ris_entry(row: Mapping[str, object]) -> dict[str, object]:
    labels = [
        f"{variable}: {value}"
        for variable in ("modality", "target", "condition")
        for value in row.get(variable, ())
        if value != "not stated"
    ]
    others = [record for record in row["record_ids"] if record != row["lead_record_id"]]
    return {
        "type_of_reference": "ELEC",
        "id": row["trial_id"],
        "title": _stated(row["public_title"]) or _stated(row["scientific_title"]),
        "alternate_title1": _stated(row["scientific_title"]),
        "publisher": _stated(row["sponsor"]),
        "year": (_stated(row["start"]) or "")[:4],
        "accession_number": row["lead_record_id"],
        "name_of_database": row["registry"],
        "custom1": "; ".join(others),
        "keywords": labels,
        "urls": [entry_address(str(row["lead_record_id"]), row["url"])],
        "access_date": row["data_date"],
    }


def json_text(
    table: pd.DataFrame,
    evidence: pd.DataFrame,
    snapshots: Mapping[str, Mapping[str, object]],
) -> str:
    """Return the trials, their labels and the words behind each label as JSON.

    Parameters
    ----------
    table, evidence, snapshots
        As for `write_exports`.

    Returns
    -------
    str
        An object of ``sources`` (snapshot id, registry, processed date, attribution, what was
        modified) and ``trials`` (columns of `table`, and ``evidence``). What is not stated is null.
    """
    used = sorted(set(table["snapshot_id"]))
    told = ("registry", "processed_date", "attribution", "modified", "licence", "coverage")
    sources = [
        {"snapshot": name} | {key: snapshots[name].get(key) for key in told} for name in used
    ]
    keys = ["record_id", "variable", "value", "made_by", "rule_id", "field", "matched"]
    behind = {
        trial: [
            {key: _plain(value) for key, value in row.items()} for row in rows.to_dict("records")
        ]
        for trial, rows in evidence.groupby("trial_id")[keys]
    }
    trials = [
        {name: _plain(value) for name, value in row.items()}
        | {"evidence": behind.get(row["trial_id"], [])}
        for row in table.to_dict("records")
    ]
    return (
        json.dumps(
            {"sources": sources, "trials": trials}, ensure_ascii=False, separators=(",", ":")
        )
        + "\n"
    )


def _plain(value: object) -> object:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if pd.isna(value):
        return None
    return value if isinstance(value, str) else int(value)


def _stated(value: object) -> str:
    return "" if pd.isna(value) else str(value)
