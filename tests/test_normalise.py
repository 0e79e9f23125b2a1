import csv
import datetime
import re

import pycountry
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compendium.errors import InputError
from compendium.normalise import vocabularies as vocabulary
from compendium.normalise.countries import read_country_aliases, resolve_countries
from compendium.normalise.dates import UNAMBIGUOUS, read_date
from compendium.normalise.enrolment import SENTINEL, read_enrolment
from compendium.normalise.text import repair_mojibake, unescape_fully
from compendium.search.registries import DATE_FORMATS, registry_of

DATES = st.dates(datetime.date(1900, 1, 1), datetime.date(2099, 12, 31))


def rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_each_registry_has_its_own_date_format(root):
    for row in rows(root / "tests" / "fixtures" / "dates_by_registry.csv"):
        formats = (*DATE_FORMATS[row["registry"]], *UNAMBIGUOUS)
        reading = read_date(row["raw"], formats)
        assert (reading.value or "", reading.problem or "") == (row["expected"], row["problem"]), (
            row
        )


@given(DATES)
@settings(max_examples=60)
def test_a_date_is_the_same_in_every_format(day):
    written = {
        "iso": day.isoformat(),
        "yyyymmdd": f"{day:%Y%m%d}",
        "d/m/y": f"{day:%d/%m/%Y}",
        "d-m-y": f"{day.day}-{day.month}-{day.year}",
        "m/d/y": f"{day.month}/{day.day}/{day.year} 6:53:35 PM",
        "y/m/d": f"{day:%Y/%m/%d}",
        "month": f"{day:%B} {day.day}, {day.year}",
        "d month y": f"{day.day} {day:%b} {day.year}",
    }
    assert {read_date(text, [name]).value for name, text in written.items()} == {day.isoformat()}


@given(DATES)
@settings(max_examples=60)
def test_precision_is_kept_and_never_added(day):
    assert read_date(f"{day:%B %Y}").value == f"{day:%Y-%m}"
    assert read_date(f"{day:%Y-%m}").value == f"{day:%Y-%m}"
    assert read_date(f"{day:%Y}").value == f"{day:%Y}"


@given(st.text(max_size=30))
@settings(max_examples=150)
def test_any_text_is_a_date_or_has_a_problem_or_is_blank(text):
    reading = read_date(text, ("d/m/y", "yyyymmdd", *UNAMBIGUOUS))
    if reading.value is None:
        assert (reading.problem is None) == (not text.strip())
    else:
        assert reading.problem is None
        assert re.fullmatch(r"(19|20)\d\d(-\d\d(-\d\d)?)?", reading.value)


@given(st.integers(min_value=0, max_value=9_999_999))
@settings(max_examples=60)
def test_a_count_is_the_same_however_it_is_written(count):
    forms = [count, str(count), f"{count:,}", f"{count}.0", f" {count} ", f"all:{count};"]
    assert {read_enrolment(form).value for form in forms} == {count}


@given(st.lists(st.integers(min_value=0, max_value=5000), min_size=1, max_size=6), st.booleans())
@settings(max_examples=60)
def test_groups_add_up_with_or_without_the_last_semicolon(sizes, closed):
    text = ";".join(f"group {letter}; arm:{n}" for letter, n in zip("ABCDEF", sizes, strict=False))
    assert read_enrolment(text + (";" if closed else "")).value == sum(sizes)


@given(st.text(max_size=30))
@settings(max_examples=150)
def test_no_text_becomes_a_negative_count(text):
    reading = read_enrolment(text)
    assert reading.value is None or reading.value >= 0
    assert reading.value != SENTINEL


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (SENTINEL, (None, None, "sentinel")),
        (188_000_000, (188_000_000, None, "implausible")),
        (-5, (None, None, "negative")),
        (10**30, (None, None, "impossible")),
        (0, (0, None, None)),
        ("35 (anticipated)", (35, "anticipated", None)),
        ("70 (protocol article)", (70, None, None)),
        ("Target condition:200;Difficult condition:0", (200, None, None)),
        ("about forty", (None, None, "unreadable")),
        ("A:20;B:twenty", (None, None, "unreadable")),
        ("A:20;B", (None, None, "unreadable")),
        (None, (None, None, None)),
        ("", (None, None, None)),
    ],
)
def test_enrolment(raw, expected):
    assert read_enrolment(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("N/A", ("NA", None)),
        ("Not Applicable", ("NA", None)),
        ("0", ("NA", None)),
        ("Retrospective study", ("NA", None)),
        ("2-3", ("PHASE2_PHASE3", None)),
        ("Phase II/III", ("PHASE2_PHASE3", None)),
        ("III", ("PHASE3", None)),
        ("PHASE2, PHASE3", ("PHASE2_PHASE3", None)),
        ("Phase 1/Phase 2", ("PHASE1_PHASE2", None)),
        ("Early Phase 1", ("EARLY_PHASE1", None)),
        ("Human pharmacology (Phase I): no\nTherapeutic use (Phase IV): yes", ("PHASE4", None)),
        ("Human pharmacology (Phase I): no\nTherapeutic use (Phase IV): no", (None, "ambiguous")),
        ("phase nine", (None, "unmapped")),
        (None, (None, None)),
    ],
)
def test_phase(raw, expected):
    assert vocabulary.normalise_phase(raw) == expected


@pytest.mark.parametrize(
    ("raw", "level", "roles"),
    [
        ("None (Open Label)", "NONE", ()),
        ("open-label", "NONE", ()),
        ("Open (masking not used)", "NONE", ()),
        ("Not blinded", "NONE", ()),
        ("Double (Participant, Outcomes Assessor)", "DOUBLE", ("PARTICIPANT", "OUTCOMES_ASSESSOR")),
        ("Quadruple-blinded", "QUADRUPLE", ()),
        ("single-blind (subjects and treatment team unaware)", "SINGLE",
         ("PARTICIPANT", "CARE_PROVIDER")),
        ("Assessor and participant blinded", "DOUBLE", ("PARTICIPANT", "OUTCOMES_ASSESSOR")),
        ("Blinded (masking used)", None, ()),
        (None, None, ()),
    ],
)  # fmt: skip
def test_masking(raw, level, roles):
    assert vocabulary.normalise_masking(raw)[:2] == (level, roles)


@pytest.mark.parametrize(
    ("raw", "variable", "expected"),
    [
        ("RECRUITING", "status", ("RECRUITING", None)),
        ("Active, not recruiting", "status", ("ACTIVE_NOT_RECRUITING", None)),
        ("Not Recruiting", "status", (None, "ambiguous")),
        ("FROZEN", "status", (None, "unmapped")),
        ("Epidemilogical research", "study_type", ("OBSERVATIONAL", None)),
        ("Observational [Patient Registry]", "study_type", ("OBSERVATIONAL", None)),
        ("Diagnostic test", "study_type", (None, "ambiguous")),
        ("U.S. Fed", "sponsor_class", ("FED", None)),
        ("Both, male and female", "sex", ("ALL", None)),
        ("Females", "sex", ("FEMALE", None)),
        ("Non randomized control", "allocation", ("NON_RANDOMIZED", None)),
        ("Crossover Assignment", "intervention_model", ("CROSSOVER", None)),
    ],
)
def test_terms(raw, variable, expected):
    assert vocabulary.normalise_term(raw, variable) == expected


def test_the_vocabularies_are_those_of_the_api(shared):
    yaml = pytest.importorskip("ruamel.yaml").YAML(typ="safe")
    document = yaml.load((shared / "registry/native/ctgov-openapi-2.0.5.yaml").read_text())
    schemas = document["components"]["schemas"]
    pairs = {
        "Status": vocabulary.STATUS,
        "StudyType": vocabulary.STUDY_TYPE,
        "Phase": vocabulary.SINGLE_PHASE,
        "DesignAllocation": vocabulary.ALLOCATION,
        "InterventionalAssignment": vocabulary.INTERVENTION_MODEL,
        "PrimaryPurpose": vocabulary.PRIMARY_PURPOSE,
        "DesignMasking": vocabulary.MASKING,
        "WhoMasked": vocabulary.MASKED_ROLES,
        "AgencyClass": vocabulary.SPONSOR_CLASS,
        "Sex": vocabulary.SEX,
    }
    for name, values in pairs.items():
        assert set(schemas[name]["enum"]) == set(values), name


def test_country_traps(root):
    aliases = read_country_aliases(root / "data/protocol/countries.csv")
    for row in rows(root / "tests/fixtures/countries_raw.csv"):
        codes, unresolved = resolve_countries([row["raw"]], aliases)
        assert codes == ((row["expected"],) if row["expected"] else ()), row
        assert unresolved == (() if row["expected"] else (row["raw"],)), row


def test_every_country_code_is_iso_and_every_iso_name_resolves(root):
    aliases = read_country_aliases(root / "data/protocol/countries.csv")
    iso = {country.alpha_3 for country in pycountry.countries}
    assert set(aliases.values()) - {""} == iso
    for country in pycountry.countries:
        assert resolve_countries([country.name], aliases)[0] == (country.alpha_3,)


def test_a_country_named_twice_counts_once_and_the_unknown_is_listed_once():
    found = resolve_countries(["Mexico", "Atlantis", "Mexico", "Atlantis"], {"mexico": "MEX"})
    assert found == (("MEX",), ("Atlantis",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,code\nFrance,FRA\n", "the columns are name, code"),
        ("name,alpha3,note\nFrance,FR,\n", "line 2: 'FR' is no alpha-3"),
        ("name,alpha3,note\nFrance,FRA,\nFRANCE,FRO,\n", "line 3: 'FRANCE' has two codes"),
    ],
)
def test_a_broken_alias_table_is_named_by_line(tmp_path, content, message):
    path = tmp_path / "countries.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_country_aliases(path)


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("FundaciÃ³n", "Fundación"),
        ("Fundaci√≥n", "Fundación"),
        ("Universit√§tsklinikum", "Universitätsklinikum"),
        ("√2 mA", "√2 mA"),
        ("Côte d’Ivoire", "Côte d’Ivoire"),
        ("疼痛", "疼痛"),
    ],
)
def test_mojibake_is_repaired_only_where_it_is_certain(broken, whole):
    assert repair_mojibake(broken) == whole


def test_entities_are_undone_layer_by_layer():
    assert unescape_fully("p &amp;lt; 0.05") == "p < 0.05"
    assert unescape_fully("R&Amp;#39;s") == "R's"
    assert unescape_fully("AT&T") == "AT&T"


@pytest.mark.parametrize(
    ("number", "source", "expected"),
    [
        ("NCT01234567", "", ("ClinicalTrials.gov", True)),
        ("ITMCTR2100005431", "ChiCTR", ("ITMCTR", False)),
        ("NL7001", "Netherlands Trial Register", ("NTR", True)),
        ("XYZ-1", "German Clinical Trials Register", ("DRKS", True)),
        ("XYZ-1", "A new register", ("A new register", True)),
        ("XYZ-1", "", (None, True)),
    ],
)
def test_a_trial_number_names_its_registry(number, source, expected):
    assert registry_of(number, source) == expected
