"""One trial of a WHO ICTRP export as one row of the record table."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from compendium.normalise import vocabularies as vocabulary
from compendium.normalise.countries import resolve_countries
from compendium.normalise.dates import UNAMBIGUOUS, read_date
from compendium.normalise.design import read_design
from compendium.normalise.enrolment import read_enrolment
from compendium.normalise.text import (
    CUT_LENGTH,
    breaks_to_lines,
    oddities,
    repair_mojibake,
    storable,
    unescape_fully,
)
from compendium.search.native import MalformedRecordError
from compendium.search.registries import DATE_FORMATS, registry_of

_ROWS = {
    "public_title": "Public_title",
    "scientific_title": "Scientific_title",
    "acronym": "Acronym",
    "sponsor": "Primary_sponsor",
    "inclusion_criteria": "Inclusion_Criteria",
    "exclusion_criteria": "Exclusion_Criteria",
    "minimum_age": "Inclusion_agemin",
    "maximum_age": "Inclusion_agemax",
}
_INTERVENTION = re.compile(
    r"(?P<type>Behavio(?:u)?ral|Biological|Combination Product|Device|Diagnostic Test|"
    r"Dietary Supplement|Drug|Genetic|Procedure|Radiation|Other)\s*:\s*(?P<name>.+)",
    re.IGNORECASE | re.DOTALL,
)


def trial_row(
    fields: Mapping[str, str], countries: Mapping[str, str], default_coverage: str = "complete"
) -> dict[str, Any]:
    """Read the fields of one exported trial.

    Parameters
    ----------
    fields : mapping
        Field name → text, as `compendium.search.ictrp.read_portal` yields them.
    countries : mapping
        As `compendium.normalise.countries.resolve_countries` takes it.
    default_coverage : {"complete", "partial"}
        Whether countries, where any are listed, are all of them.

    Returns
    -------
    dict
        Columns of the record table. Padding is stripped, entities are unescaped to the last
        layer, ``<br>`` becomes a line end, mojibake is repaired where that is certain; each of
        the last two that changed something is noted in ``flags``.

    Raises
    ------
    MalformedRecordError
        If no registry can be named for the trial, or the target size is negative.
    """
    flags: list[str] = []
    clean = {name: _clean(name, text, flags) for name, text in fields.items()}
    clean = {name: text for name, text in clean.items() if text}
    trial_id = clean["TrialID"]
    if trial_id.lower().startswith("nct"):
        trial_id = trial_id.upper()
    registry, agreed = registry_of(trial_id, clean.get("Source_Register", ""))
    if registry is None:
        raise MalformedRecordError(
            "no-registry", f"neither {trial_id!r} nor the source register names a registry"
        )
    if not agreed:
        flags.append(f"registry:contradicted {clean['Source_Register']}")
    row: dict[str, Any] = {column: clean.get(field) for column, field in _ROWS.items()}
    row |= {"record_id": trial_id, "registry": registry, "url": clean.get("web_address")}
    row["secondary_ids"] = split_list(clean.get("Secondary_ID"))
    row["conditions"] = split_list(clean.get("Condition"))
    row["primary_outcomes"] = split_list(clean.get("Primary_outcome"))
    row["secondary_outcomes"] = split_list(clean.get("Secondary_outcome"))
    row["collaborators"] = split_list(clean.get("Secondary_Sponsor"))
    row |= split_interventions(clean.get("Intervention"))
    row |= _terms(clean, flags) | _design(clean.get("Study_design"), flags)
    row |= _dates(clean, registry, flags) | _enrolment(clean.get("Target_size"), flags)
    names = tuple(dict.fromkeys(split_list(clean.get("Countries"))))
    row["countries_raw"] = names
    row["countries"], unresolved = resolve_countries(names, countries)
    flags += [f"countries:unresolved {name}" for name in unresolved]
    row["countries_coverage"] = default_coverage if names else "unknown"
    row["results"] = _results(clean)
    row["healthy_volunteers"] = "unknown"
    if clean.get("Bridging_flag_truefalse") == "True" or clean.get("other_records") == "Yes":
        flags.append("bridged:siblings-not-named")
    for column in ("public_title", "scientific_title"):
        flags += [f"{column}:{oddity}" for oddity in oddities(row[column] or "")]
    for column in ("inclusion_criteria", "exclusion_criteria"):
        if len(fields.get(_ROWS[column], "").rstrip()) == CUT_LENGTH:
            flags.append(f"{column}:cut-at-{CUT_LENGTH}")
    if row["public_title"] is None:
        flags.append("public_title:missing")
    row["flags"] = tuple(dict.fromkeys(flags))
    return row


def _clean(name: str, text: str, flags: list[str]) -> str:
    plain = unescape_fully(storable(text))
    repaired = repair_mojibake(plain)
    if repaired != plain:
        flags.append(f"{name.lower()}:mojibake-repaired")
    # Titles and names keep their markup as text; long fields use <br> for line ends.
    if name in ("Public_title", "Scientific_title", "TrialID", "web_address"):
        return repaired.strip()
    return breaks_to_lines(repaired)


def split_list(text: str | None) -> tuple[str, ...]:
    """Split a portal field that holds several values.

    Parameters
    ----------
    text : str or None
        Separated by ";", "|" or line ends.

    Returns
    -------
    tuple of str
        The values, trimmed, empty ones left out.

    Examples
    --------
    >>> split_list("Pain, Intractable; Pain, Chronic;")
    ('Pain, Intractable', 'Pain, Chronic')
    """
    return tuple(part.strip() for part in re.split(r"[;|\n]", text or "") if part.strip())


def split_interventions(text: str | None) -> dict[str, tuple[str, ...]]:
    """Take a portal's intervention text apart.

    Parameters
    ----------
    text : str or None
        "Device: A;Drug: B" as ClinicalTrials.gov sends it, or free text.

    Returns
    -------
    dict
        ``intervention_types``, ``intervention_names`` (parallel; from parts of the form "Type:
        name") and ``intervention_descriptions`` (all other parts, in their order).

    Examples
    --------
    >>> split_interventions("Device: tDCS; sham")["intervention_descriptions"]
    ('sham',)
    """
    matches = [(part, _INTERVENTION.fullmatch(part)) for part in split_list(text)]
    named = [match for _, match in matches if match]
    types = [match["type"].upper().replace(" ", "_").replace("OU", "O") for match in named]
    return {
        "intervention_types": tuple(types),
        "intervention_names": tuple(match["name"].strip() for match in named),
        "intervention_descriptions": tuple(part for part, match in matches if not match),
    }


def _note(column: str, problem: str | None, raw: str | None, flags: list[str]) -> None:
    if problem:
        flags.append(f"{column}:{problem} {' '.join((raw or '').split())[:80]}")


def _terms(clean: Mapping[str, str], flags: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column, field in (("status", "Recruitment_Status"), ("study_type", "Study_type")):
        raw = clean.get(field)
        found[f"{column}_raw"] = raw
        found[column], problem = vocabulary.normalise_term(raw, column)
        _note(column, problem, raw, flags)
    raw = clean.get("Inclusion_gender")
    found["sex"], problem = vocabulary.normalise_term(raw, "sex")
    _note("sex", problem, raw, flags)
    raw = clean.get("Phase")
    found["phase_raw"] = raw
    found["phase"], problem = vocabulary.normalise_phase(raw)
    _note("phase", problem, raw, flags)
    return found


def _design(text: str | None, flags: list[str]) -> dict[str, Any]:
    parts = read_design(text)
    found: dict[str, Any] = {}
    for column in ("allocation", "intervention_model", "primary_purpose"):
        raw = found[f"{column}_raw"] = parts.get(column)
        found[column], problem = vocabulary.normalise_term(raw, column)
        _note(column, problem, raw, flags)
    raw = found["masking_raw"] = parts.get("masking")
    found["masking"], found["masked_roles"], problem = vocabulary.normalise_masking(raw)
    _note("masking", problem, raw, flags)
    return found


def _dates(clean: Mapping[str, str], registry: str, flags: list[str]) -> dict[str, Any]:
    formats = DATE_FORMATS.get(registry, ())

    def read(column: str, field: str, forms: Sequence[str]) -> tuple[str | None, str | None]:
        raw = clean.get(field)
        reading = read_date(raw, (*forms, *UNAMBIGUOUS))
        _note(column, reading.problem, raw, flags)
        return raw, reading.value

    found: dict[str, Any] = {}
    # The portal's own machine-readable copy first; the registry's wording where it has none.
    raw, value = read("registered", "Date_registration3", ("yyyymmdd",))
    if value is None:
        second, value = read("registered", "Date_registration", formats)
        raw = raw or second
    found["registered_raw"], found["registered"] = raw, value
    found["start_raw"], found["start"] = read("start", "Date_enrollement", formats)
    found["completion_raw"], found["completion"] = read(
        "completion", "results_date_completed", formats
    )
    _, found["results_first_posted"] = read("results_first_posted", "results_date_posted", formats)
    _, found["last_update"] = read("last_update", "Last_Refreshed_on", ())
    return found


def _enrolment(raw: str | None, flags: list[str]) -> dict[str, Any]:
    reading = read_enrolment(raw)
    if reading.problem == "negative":
        raise MalformedRecordError("negative-enrolment", f"a target size of {raw}")
    _note("enrolment", reading.problem, raw, flags)
    return {
        "enrolment_raw": raw,
        "enrolment": reading.value,
        "enrolment_kind": reading.kind,
    }


def _results(clean: Mapping[str, str]) -> str:
    """Take an empty flag for what it is: the portal leaves it empty even where results exist."""
    said = clean.get("results_yes_no", "").strip().lower()
    if said == "yes" or clean.get("results_date_posted"):
        return "yes"
    return "no" if said == "no" else "unknown"
