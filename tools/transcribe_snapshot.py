"""Carry transcribed registry facts over into the registries' own exchange formats.

usage: python tools/transcribe_snapshot.py RECORDS_FOLDER OUT

RECORDS_FOLDER holds `ctgov-2020-07-28.jsonl`, `later-and-other-registries.csv` and
`background.csv`; OUT becomes three snapshot folders. The same input gives the same bytes. Facts
that the exchange formats have no place for go to `known-items.csv` in each folder.
"""

import csv
import datetime
import html
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lxml import etree

from compendium.files import replacing
from compendium.normalise import vocabularies as vocabulary
from compendium.normalise.dates import read_date
from compendium.search.ictrp import ROOT, TRIAL
from compendium.search.ictrp_layouts import LAYOUTS, is_contact
from compendium.search.registries import registry_of
from compendium.search.snapshot import write_manifest

PAGE_SIZE = 100
SOURCE_NAMES = {"DRKS": "German Clinical Trials Register"}
CTGOV_TERMS = (
    "ClinicalTrials.gov terms and conditions: attribution, the processing date, and a statement of "
    "modification"
)
ICTRP_TERMS = "WHO ICTRP terms: attribution and the processing date; no commercial use"


def main(source: Path, out: Path) -> None:
    """Write the three snapshots."""
    records = [
        json.loads(line)
        for line in (source / "ctgov-2020-07-28.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    write_ctgov(records, out / "ctgov-2020-07-28")
    write_ictrp_csv(read_rows(source / "later-and-other-registries.csv"),
                    out / "ictrp-other-registries")  # fmt: skip
    write_ictrp_xml(read_rows(source / "background.csv"), out / "background")


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV of texts."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


# --- ClinicalTrials.gov, API v2 ------------------------------------------------------------------


def write_ctgov(records: list[dict[str, Any]], folder: Path) -> None:
    """Write pages as `/studies` answers them, and their manifest."""
    records = sorted(records, key=lambda record: record["nct_id"])
    chunks = [records[start : start + PAGE_SIZE] for start in range(0, len(records), PAGE_SIZE)]
    files: list[dict[str, Any]] = []
    token = None
    for number, chunk in enumerate(chunks, start=1):
        page: dict[str, Any] = {"totalCount": len(records)} if number == 1 else {}
        page["studies"] = [study(record) for record in chunk]
        name = f"page-{number:04d}.json"
        asked_with, token = token, None if number == len(chunks) else f"page-{number + 1:04d}"
        if token:
            page["nextPageToken"] = token
        with replacing(folder / name) as stream:
            json.dump(page, stream, ensure_ascii=False, indent=1)
            stream.write("\n")
        files.append({"name": name, "records": len(chunk), "page_token": asked_with})
    kept_aside = ("countries_complete", "n_sites_seen")
    write_known_items(
        [{"registry_id": record["nct_id"], **{k: str(record[k]) for k in kept_aside}}
         for record in records],
        folder,
    )  # fmt: skip
    write_manifest(
        folder,
        kind="known-item sample",
        registry="ClinicalTrials.gov",
        processed_date="2020-07-28",
        coverage="328 registrations of pain neuromodulation trials and near misses as they stood "
        "on 28 July 2020: a known-item sample, not an exhaustive search. Long records were read "
        "in part; what was not seen is unknown, never “no”.",
        announced=len(records),
        retrieved=len(records),
        files=[*files, companion(len(records))],
        attribution="ClinicalTrials.gov, U.S. National Library of Medicine, processed 28 July 2020",
        modified="fields transcribed; descriptions, eligibility text and contacts omitted; the "
        "words that name the stimulated site stand as the intervention's description",
        licence=CTGOV_TERMS,
        countries_coverage={
            "default": "complete",
            "partial": [
                record["nct_id"]
                for record in records
                if record["countries"] and record["countries_complete"] != "yes"
            ],
        },
    )


def study(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return one transcribed record as API v2 answers it; what is not stated is left out."""
    conditions = [{"term": term} for term in record["mesh_conditions"]]
    interventions = [{"term": term} for term in record["mesh_interventions"]]
    protocol = {
        "identificationModule": {
            "nctId": record["nct_id"],
            "orgStudyIdInfo": {"id": record["org_study_id"]},
            "secondaryIdInfos": [{"id": number} for number in record["secondary_ids"]],
            "briefTitle": record["brief_title"],
            "officialTitle": record["official_title"],
            "acronym": record["acronym"],
        },
        "statusModule": {
            "overallStatus": code(record["overall_status"], "status"),
            "whyStopped": record["why_stopped"],
            "startDateStruct": date(record["start_date"], record["start_date_type"]),
            "primaryCompletionDateStruct": date(record["primary_completion_date"]),
            "completionDateStruct": date(record["completion_date"], record["completion_date_type"]),
            "studyFirstSubmitDate": date(record["first_submitted"]).get("date"),
            "studyFirstPostDateStruct": date(record["first_posted"]),
            "resultsFirstPostDateStruct": date(record["results_first_posted"]),
            "lastUpdatePostDateStruct": date(record["last_update_posted"]),
        },
        "sponsorCollaboratorsModule": {
            "leadSponsor": {
                "name": record["lead_sponsor"],
                "class": code(record["sponsor_class"], "sponsor_class"),
            },
            "collaborators": [
                {"name": name, "class": code(kind, "sponsor_class")}
                for name, kind in record["collaborators"]
            ],
        },
        "conditionsModule": {
            "conditions": record["conditions"],
            "keywords": record["keywords"],
        },
        "designModule": design(record),
        "armsInterventionsModule": arms_and_interventions(record),
        "outcomesModule": {
            "primaryOutcomes": [{"measure": text} for text in record["primary_outcomes"]]
        },
        "eligibilityModule": {
            "healthyVolunteers": {"No": False, "Accepts Healthy Volunteers": True, None: None}[
                record["healthy_volunteers"]
            ],
            "sex": code(record["gender"], "sex"),
            "minimumAge": record["minimum_age"],
            "maximumAge": record["maximum_age"],
        },
        "contactsLocationsModule": {
            "locations": [{"country": country} for country in record["countries"]]
        },
        "referencesModule": {
            "references": [
                {"pmid": pmid, "type": "RESULT"} for pmid in record["pubmed_ids_of_results"]
            ]
        },
    }
    whole = {
        "protocolSection": protocol,
        "derivedSection": {
            "conditionBrowseModule": {"meshes": conditions},
            "interventionBrowseModule": {"meshes": interventions},
        },
        "hasResults": record["has_results"],
    }
    return pruned(whole)


def design(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record's design module."""
    masking, roles, _ = vocabulary.normalise_masking(record["masking"])
    phase, problem = vocabulary.normalise_phase(record["phase"])
    if problem or (record["masking"] and not masking):
        raise ValueError(f"{record['nct_id']}: {record['phase']!r}, {record['masking']!r}")
    phases = ["EARLY_PHASE1"] if phase == "EARLY_PHASE1" else (phase or "").split("_")
    return {
        "studyType": code(record["study_type"], "study_type"),
        "phases": [part for part in phases if part],
        "designInfo": {
            "allocation": code(record["allocation"], "allocation"),
            "interventionModel": code(record["intervention_model"], "intervention_model"),
            "primaryPurpose": code(record["primary_purpose"], "primary_purpose"),
            "maskingInfo": {"masking": masking, "whoMasked": list(roles)},
        },
        "enrollmentInfo": {
            "count": record["enrolment"],
            "type": date_type(record["enrolment_type"]),
        },
    }


def arms_and_interventions(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return arms and interventions; other names and the site's words go to the first one."""
    interventions: list[dict[str, Any]] = [
        {"type": kind.upper(), "name": name} for kind, name in record["interventions"]
    ]
    if record["target_statement"] or record["other_names"]:
        first = interventions[0] if interventions else {}
        first["description"] = record["target_statement"]
        first["otherNames"] = record["other_names"]
        interventions[:1] = [first]
    return {
        "armGroups": [
            {"label": label, "type": kind and kind.replace(" ", "_").upper()}
            for kind, label in record["arms"]
        ],
        "interventions": interventions,
    }


def code(wording: str | None, variable: str) -> str | None:
    """Return the API's code of a wording; anything without one stops the transcription."""
    value, problem = vocabulary.normalise_term(wording, variable)
    if problem:
        raise ValueError(f"{variable}: {wording!r} is {problem}")
    return value


def date(wording: str | None, kind: str | None = None) -> dict[str, str | None]:
    """Return a date structure; anything that is no date stops the transcription."""
    reading = read_date(wording)
    if reading.problem:
        raise ValueError(f"{reading.problem}: {wording!r}")
    return {"date": reading.value, "type": date_type(kind)} if reading.value else {}


def date_type(kind: str | None) -> str | None:
    """Return the API's code for actual and anticipated."""
    return {"Actual": "ACTUAL", "Anticipated": "ESTIMATED", None: None}[kind]


def pruned(node: Any) -> Any:  # noqa: ANN401
    """Leave out, at every depth, what is not stated: null, and empty text, lists and objects."""
    if isinstance(node, dict):
        kept = {key: pruned(value) for key, value in node.items()}
        return {key: value for key, value in kept.items() if value not in (None, "", [], {})}
    if isinstance(node, list):
        return [pruned(value) for value in node]
    return node


# --- WHO ICTRP portal ----------------------------------------------------------------------------


def portal_fields(row: Mapping[str, str]) -> dict[str, str]:
    """Return one row of facts under the portal's field names."""
    number = row["registry_id"]
    registry, _ = registry_of(number, "")
    registry = registry or ""
    conditions = html.unescape(row["conditions"].replace("&Amp;", "&")).replace("|", ";")
    return {
        "TrialID": number,
        "Public_title": row["title"],
        "Source_Register": SOURCE_NAMES.get(registry, registry),
        "Recruitment_Status": row["status"],
        "Date_enrollement": portal_date(row["start_date"], registry),
        "results_date_completed": portal_date(row.get("completion_date", ""), registry),
        "Target_size": row["enrolment"],
        "Study_type": row["study_type"],
        "Study_design": labelled("Masking", row.get("masking", "")),
        "Phase": row["phase"],
        "Countries": (row.get("country") or row.get("countries", "")).replace("|", ";"),
        "Condition": ";".join(part.strip() for part in conditions.split(";") if part.strip()),
        "Intervention": with_target(row),
        "Primary_sponsor": row.get("sponsor", ""),
    }


def portal_date(text: str, registry: str) -> str:
    """Return a date in the portal's format for a registry; what is no date stays as it is."""
    value = read_date(text).value
    if registry != "ClinicalTrials.gov":
        return (
            datetime.date.fromisoformat(value).strftime("%d/%m/%Y")
            if value and len(value) == 10 and registry not in ("ChiCTR", "IRCT", "KCT")
            else text
        )
    if value is None or len(value) == 4:
        return text
    if len(value) == 7:
        return datetime.date.fromisoformat(f"{value}-01").strftime("%B %Y")
    day = datetime.date.fromisoformat(value)
    return f"{day:%B} {day.day}, {day.year}"


def labelled(label: str, text: str) -> str:
    """Put a label before a text that has none."""
    return text if not text or f"{label}:" in text else f"{label}: {text}"


def with_target(row: Mapping[str, str]) -> str:
    """Return the intervention, and the words that name its site where it does not hold them."""
    intervention = row.get("interventions", "").replace("|", ";")
    target = row.get("target", "")
    if target.lower() in f"{intervention} {row['title']}".lower():
        return intervention
    return "; ".join(part for part in (intervention, target) if part)


def write_ictrp_csv(rows: list[dict[str, str]], folder: Path) -> None:
    """Write the portal's CSV of 58 columns, and its manifest."""
    fields = LAYOUTS["2026 CSV"]
    with replacing(folder / "trials.csv") as stream:
        stream.write("\ufeff")
        writer = csv.DictWriter(stream, [name.replace("_", " ") for name in fields], restval="",
                                lineterminator="\r\n")  # fmt: skip
        writer.writeheader()
        for row in rows:
            facts = portal_fields(row)
            writer.writerow({name.replace("_", " "): value for name, value in facts.items()})
    columns = ("registry_id", "near_miss", "as_of", "modality", "target")
    write_known_items([{name: row[name] for name in columns} for row in rows], folder)
    write_portal_manifest(
        folder,
        "trials.csv",
        len(rows),
        "168 registrations made after 28 July 2020 or in other registries, found by name: a "
        "known-item sample with partial fields; known-items.csv says how old each one is",
    )


def write_ictrp_xml(rows: list[dict[str, str]], folder: Path) -> None:
    """Write the portal's XML, and its manifest."""
    root = etree.Element(ROOT)
    for row in rows:
        trial = etree.SubElement(root, TRIAL)
        facts = portal_fields(row)
        for name in LAYOUTS["2026 XML"]:
            if facts.get(name) and not is_contact(name):
                etree.SubElement(trial, name).text = facts[name]
    with replacing(folder / "trials.xml", "wb") as stream:
        etree.ElementTree(root).write(
            stream, encoding="UTF-8", xml_declaration=True, pretty_print=True
        )
    columns = ("registry_id", "matched", "as_of", "sponsor_class")
    write_known_items([{name: row[name] for name in columns} for row in rows], folder)
    write_portal_manifest(
        folder,
        "trials.xml",
        len(rows),
        "204 registrations that a broad search returns and a screener excludes: title-level facts; "
        "known-items.csv says how old each one is and which concept it matches",
    )


def write_portal_manifest(folder: Path, name: str, count: int, coverage: str) -> None:
    """Write the manifest of a snapshot in the portal's layout."""
    write_manifest(
        folder,
        kind="known-item sample",
        registry="WHO ICTRP and its primary registries",
        processed_date="2026-04",
        coverage=coverage,
        announced=count,
        retrieved=count,
        files=[{"name": name, "records": count}, companion(count)],
        attribution="The registries named in each row, in the layout of the WHO International "
        "Clinical Trials Registry Platform (ICTRP)",
        modified="fields transcribed from pages and public extracts of different dates "
        "(known-items.csv); descriptions, criteria and contacts omitted",
        licence=ICTRP_TERMS,
        countries_coverage={"default": "partial"},
    )


def write_known_items(rows: Iterable[Mapping[str, str]], folder: Path) -> None:
    """Write the facts that the exchange format has no place for."""
    rows = list(rows)
    with replacing(folder / "known-items.csv") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def companion(count: int) -> dict[str, Any]:
    """Return the manifest entry of `known-items.csv`."""
    return {"name": "known-items.csv", "records": count, "role": "companion"}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
