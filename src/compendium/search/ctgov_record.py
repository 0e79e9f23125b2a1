"""One study of ClinicalTrials.gov as one row of the record table."""

import re
from collections.abc import Mapping
from typing import Any

from compendium.normalise import vocabularies as vocabulary
from compendium.normalise.countries import resolve_countries
from compendium.normalise.dates import read_date
from compendium.normalise.enrolment import read_enrolment
from compendium.normalise.text import oddities
from compendium.search.ctgov import REGISTRY, STUDY_URL, dig, texts
from compendium.search.native import MalformedRecordError

_HEADING = r"^[ \t*#-]*(?:key |main |major )?{} criteria\b"
_EXCLUSION, _INCLUSION = (
    re.compile(_HEADING.format(word), re.IGNORECASE | re.MULTILINE)
    for word in ("exclusion", "inclusion")
)
_KINDS = {"ACTUAL": "actual", "ESTIMATED": "anticipated"}
_CLOSED = {
    "status": ("statusModule.overallStatus", vocabulary.STATUS),
    "last_known_status": ("statusModule.lastKnownStatus", vocabulary.STATUS),
    "study_type": ("designModule.studyType", vocabulary.STUDY_TYPE),
    "allocation": ("designModule.designInfo.allocation", vocabulary.ALLOCATION),
    "intervention_model": (
        "designModule.designInfo.interventionModel",
        vocabulary.INTERVENTION_MODEL,
    ),
    "primary_purpose": ("designModule.designInfo.primaryPurpose", vocabulary.PRIMARY_PURPOSE),
    "masking": ("designModule.designInfo.maskingInfo.masking", vocabulary.MASKING),
    "sponsor_class": ("sponsorCollaboratorsModule.leadSponsor.class", vocabulary.SPONSOR_CLASS),
    "sex": ("eligibilityModule.sex", vocabulary.SEX),
}
_DATES = {
    "start": "statusModule.startDateStruct",
    "primary_completion": "statusModule.primaryCompletionDateStruct",
    "completion": "statusModule.completionDateStruct",
}
_TEXTS = {
    "public_title": "identificationModule.briefTitle",
    "scientific_title": "identificationModule.officialTitle",
    "acronym": "identificationModule.acronym",
    "brief_summary": "descriptionModule.briefSummary",
    "detailed_description": "descriptionModule.detailedDescription",
    "why_stopped": "statusModule.whyStopped",
    "sponsor": "sponsorCollaboratorsModule.leadSponsor.name",
    "minimum_age": "eligibilityModule.minimumAge",
    "maximum_age": "eligibilityModule.maximumAge",
}
_LISTS = {
    "conditions": ("conditionsModule.conditions", ""),
    "keywords": ("conditionsModule.keywords", ""),
    "primary_outcomes": ("outcomesModule.primaryOutcomes", "measure"),
    "secondary_outcomes": ("outcomesModule.secondaryOutcomes", "measure"),
    "collaborators": ("sponsorCollaboratorsModule.collaborators", "name"),
}


def study_row(
    study: Mapping[str, Any], countries: Mapping[str, str], default_coverage: str = "complete"
) -> dict[str, Any]:
    """Read the fields of one study.

    Parameters
    ----------
    study : mapping
        One item of a page's ``studies``.
    countries : mapping
        As `compendium.normalise.countries.resolve_countries` takes it.
    default_coverage : {"complete", "partial"}
        Whether countries, where any are listed, are all of them.

    Returns
    -------
    dict
        Columns of the record table; ``None`` or an empty tuple where the study says nothing.
        ``secondary_ids`` begins with the organisation's own id. `intervention_types` and
        `intervention_names` run in parallel, as do `arm_types` and `arm_labels` ("" where a type
        is not stated); descriptions are those that are stated. No contact, official, site or
        responsible party is read.

    Raises
    ------
    MalformedRecordError
        If a field has the wrong type, a closed vocabulary an unknown value, or the enrolment is
        negative.
    """
    protocol = dig(study, "protocolSection", dict) or {}
    nct_id = dig(protocol, "identificationModule.nctId", str).strip().upper()
    row: dict[str, Any] = {
        "record_id": nct_id,
        "registry": REGISTRY,
        "url": STUDY_URL.format(nct_id),
    }
    flags: list[str] = []
    for column, path in _TEXTS.items():
        value = dig(protocol, path, str)
        row[column] = value if value and value.strip() else None
    for column, (path, key) in _LISTS.items():
        row[column] = _stated(texts(protocol, path, key))
    row["secondary_ids"] = _stated(
        [
            dig(protocol, "identificationModule.orgStudyIdInfo.id", str) or "",
            *texts(protocol, "identificationModule.secondaryIdInfos", "id"),
        ]
    )
    row["nct_aliases"] = _stated(texts(protocol, "identificationModule.nctIdAliases"))
    for column, browse in (("condition_mesh", "condition"), ("intervention_mesh", "intervention")):
        row[column] = _stated(texts(study, f"derivedSection.{browse}BrowseModule.meshes", "term"))
    row |= _interventions(protocol) | _vocabularies(protocol)
    row |= _dates(protocol, flags) | _enrolment(protocol, flags)
    row |= _countries(protocol, countries, default_coverage, flags)
    inclusion, exclusion = split_criteria(
        dig(protocol, "eligibilityModule.eligibilityCriteria", str)
    )
    row["inclusion_criteria"], row["exclusion_criteria"] = inclusion, exclusion
    row["results"] = _answer(dig(study, "hasResults", bool))
    row["healthy_volunteers"] = _answer(dig(protocol, "eligibilityModule.healthyVolunteers", bool))
    for column in ("public_title", "scientific_title"):
        flags += [f"{column}:{oddity}" for oddity in oddities(row[column] or "")]
    if row["public_title"] is None:
        flags.append("public_title:missing")
    row["flags"] = tuple(flags)
    return row


def split_criteria(text: str | None) -> tuple[str | None, str | None]:
    r"""Split eligibility criteria at the heading of the exclusions.

    Parameters
    ----------
    text : str or None
        The registry's one block of text.

    Returns
    -------
    inclusion, exclusion : str or None
        Without such a heading all text counts as inclusion criteria.

    Examples
    --------
    >>> split_criteria("Inclusion Criteria: adults\n\nExclusion Criteria: epilepsy")
    ('Inclusion Criteria: adults', 'Exclusion Criteria: epilepsy')
    """
    if text is None or not text.strip():
        return None, None
    cut = _EXCLUSION.search(text)
    if cut is None:
        return text.strip(), None
    before, excluded = text[: cut.start()].strip(), text[cut.start() :].strip()
    back = None if before else _INCLUSION.search(excluded)
    if back:
        return excluded[back.start() :].strip(), excluded[: back.start()].strip()
    return before or None, excluded


def _stated(values: list[str]) -> tuple[str, ...]:
    return tuple(value.strip() for value in values if value.strip())


def _answer(value: bool | None) -> str:
    return {None: "unknown", True: "yes", False: "no"}[value]


def _interventions(protocol: Mapping[str, Any]) -> dict[str, Any]:
    entries = dig(protocol, "armsInterventionsModule.interventions", list) or []
    path = "armsInterventionsModule.interventions"
    types, names = texts(protocol, path, "type"), texts(protocol, path, "name")
    named = [(kind, name) for kind, name in zip(types, names, strict=True) if name.strip()]
    arms = "armsInterventionsModule.armGroups"
    labelled = list(zip(texts(protocol, arms, "type"), texts(protocol, arms, "label"), strict=True))
    return {
        "intervention_types": tuple(kind for kind, _ in named),
        "intervention_names": tuple(name.strip() for _, name in named),
        "intervention_descriptions": _stated(texts(protocol, path, "description")),
        "intervention_other_names": _stated(
            [name for entry in entries for name in texts(entry, "otherNames")]
        ),
        "arm_types": tuple(kind for kind, _ in labelled),
        "arm_labels": tuple(label.strip() for _, label in labelled),
        "arm_descriptions": _stated(texts(protocol, arms, "description")),
        "number_of_arms": len(labelled) or None,
    }


def _vocabularies(protocol: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column, (path, allowed) in _CLOSED.items():
        value = dig(protocol, path, str)
        if value is not None and value not in allowed:
            raise MalformedRecordError(
                f"unknown-{column.replace('_', '-')}", f"{path} is {value!r}"
            )
        found[column] = value
        if column not in ("last_known_status", "sex"):
            found[f"{column}_raw"] = value
    phases = texts(protocol, "designModule.phases")
    for phase in phases:
        if phase not in vocabulary.SINGLE_PHASE:
            raise MalformedRecordError("unknown-phase", f"designModule.phases has {phase!r}")
    found["phase_raw"] = "/".join(phases) or None
    found["phase"] = vocabulary.join_phases(phases)
    roles = texts(protocol, "designModule.designInfo.maskingInfo.whoMasked")
    for role in roles:
        if role not in vocabulary.MASKED_ROLES:
            raise MalformedRecordError("unknown-masked-role", f"whoMasked has {role!r}")
    found["masked_roles"] = tuple(role for role in vocabulary.MASKED_ROLES if role in roles)
    return found


def _dates(protocol: Mapping[str, Any], flags: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def read(column: str, raw: str | None) -> str | None:
        reading = read_date(raw, ("iso",))
        if reading.problem:
            flags.append(f"{column}:{reading.problem}")
        return reading.value

    for column, path in _DATES.items():
        raw = dig(protocol, f"{path}.date", str)
        found[f"{column}_raw"], found[column] = raw, read(column, raw)
        kind = dig(protocol, f"{path}.type", str)
        found[f"{column}_kind"] = _kind(kind, path)
    first = dig(protocol, "statusModule.studyFirstSubmitDate", str)
    if first is None:
        first = dig(protocol, "statusModule.studyFirstPostDateStruct.date", str)
        if first is not None:
            flags.append("registered:posting-date")
    found["registered_raw"], found["registered"] = first, read("registered", first)
    for column, path in (
        ("last_update", "statusModule.lastUpdatePostDateStruct.date"),
        ("results_first_posted", "statusModule.resultsFirstPostDateStruct.date"),
    ):
        found[column] = read(column, dig(protocol, path, str))
    return found


def _kind(value: str | None, path: str) -> str | None:
    if value is not None and value not in _KINDS:
        raise MalformedRecordError("unknown-date-type", f"{path}.type is {value!r}")
    return _KINDS[value] if value else None


def _enrolment(protocol: Mapping[str, Any], flags: list[str]) -> dict[str, Any]:
    count = dig(protocol, "designModule.enrollmentInfo.count", int)
    reading = read_enrolment(count)
    if reading.problem == "negative":
        raise MalformedRecordError("negative-enrolment", f"an enrolment of {count}")
    if reading.problem:
        flags.append(f"enrolment:{reading.problem}")
    return {
        "enrolment_raw": None if count is None else str(count),
        "enrolment": reading.value,
        "enrolment_kind": _kind(
            dig(protocol, "designModule.enrollmentInfo.type", str), "designModule.enrollmentInfo"
        ),
    }


def _countries(
    protocol: Mapping[str, Any], aliases: Mapping[str, str], coverage: str, flags: list[str]
) -> dict[str, Any]:
    sites = texts(protocol, "contactsLocationsModule.locations", "country")
    names = tuple(dict.fromkeys(_stated(sites)))
    codes, unresolved = resolve_countries(names, aliases)
    flags += [f"countries:unresolved {name}" for name in unresolved]
    return {
        "countries_raw": names,
        "countries": codes,
        "countries_coverage": coverage if names else "unknown",
    }
