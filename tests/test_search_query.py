"""The strategy: read by key, rendered literally, linted before anything is sent."""

import shutil
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compendium.errors import InputError
from compendium.search.essie import RESERVED, lint_expression, write_term
from compendium.search.query import lint_strategy, render_query, require_sound
from compendium.search.strategy import PRISMA_S_ITEMS, read_strategy
from tests.ctgov_server import openapi_check, own_check

PRISMA = "\n".join(f"  - item: {item}\n    answer: not done." for item in PRISMA_S_ITEMS)
SMALL = """\
schema: 1
title: Small
question: Does it?
concepts:
  - id: pain
    means: pain
    terms:
      - term: pain
        reason: the concept
        date: 2026-11-24
      - term: {term}
        reason: a second
        date: 2026-11-24{more}
registries:
  - registry: ClinicalTrials.gov
    interface: api
    address: https://clinicaltrials.gov/api/v2
    blocks:
      - parameter: query.cond
        concepts: [pain]
        reason: conditions
        date: 2026-11-24
      - parameter: {parameter}
        expression: {expression}
        reason: a filter
        date: 2026-11-24
  - registry: WHO ICTRP
    interface: portal
    address: https://trialsearch.who.int
    blocks:
      - parameter: Condition
        concepts: [pain]
        reason: conditions
        date: 2026-11-24
limits:
  - limit: language
    value: none
    reason: none needed
prisma_s:
{prisma}
"""


def small(tmp_path, **changes):
    values = {
        "term": "back pain",
        "more": "",
        "parameter": "filter.advanced",
        "expression": "'AREA[StudyType]\"INTERVENTIONAL\"'",
        "prisma": PRISMA,
    } | changes
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "search.yml").write_text(SMALL.format(**values), encoding="utf-8")
    return tmp_path


# the traps that third parties measured, and their repaired writing
@pytest.mark.parametrize(
    ("expression", "needs_area", "codes"),
    [
        ("ALL", False, ["bare-operator"]),
        (r"\ALL", False, []),
        ("AREA[Sex]ALL", True, ["bare-operator"]),
        ('AREA[Sex]"ALL"', True, []),
        ("INTERVENTIONAL", True, ["missing-area"]),
        ('AREA[StudyType]"INTERVENTIONAL" AND COMPLETED', True, ["missing-area"]),
        ('AREA[StudyType]"INTERVENTIONAL" AND AREA[Phase]("PHASE2" OR "PHASE3")', True, []),
        ("RANGE[MIN,2026-11-01]", True, ["missing-area"]),
        ("AREA[StudyFirstPostDate]RANGE[MIN,2026-11-01]", True, []),
        ("AREA[StudyFirstPostDate]RANGE[2026-11-01]", True, ["bad-range"]),
        ("SEARCH[Location](AREA[LocationCity]Toronto AND AREA[LocationStatus]x)", True, []),
        ("AREA[ResultsFirstPostDate]MISSING", True, []),
        ("MISSING", True, ["missing-area"]),
        ('"heart attack', False, ["unbalanced-quotes"]),
        ("(pain OR headache", False, ["unbalanced-brackets"]),
        ("pain) OR headache", False, ["unbalanced-brackets"]),
        ("pain AND", False, ["bare-operator"]),
        ("OR pain", False, ["bare-operator"]),
        ("pain OR OR headache", False, ["bare-operator"]),
        ("pain AND NOT cancer", False, []),
        ("pain NOT cancer", False, []),
        ("pain [chronic]", False, ["bare-bracket", "bare-bracket"]),
        ("pain (chronic)", False, ["missing-operator"]),
        ("AREA[]x", False, ["empty"]),
        ("", False, ["empty"]),
        ("pain \\", False, ["bare-backslash"]),
    ],
)
def test_linter_names_the_measured_traps(expression, needs_area, codes):
    assert [fault.code for fault in lint_expression(expression, needs_area=needs_area)] == codes


def test_quotes_that_switch_synonyms_off_are_named_where_synonyms_are_wanted():
    faults = lint_expression('"heart attack" OR stroke', synonyms=True)
    assert [fault.code for fault in faults] == ["quoted-synonyms"]
    assert not lint_expression('"heart attack" OR stroke', synonyms=False)
    assert not lint_expression('AREA[Condition]"heart attack"', synonyms=True)


@given(
    st.lists(
        st.sampled_from([*sorted(RESERVED), "pain", "(", ")", "[", "]", '"', "\\", "x(y)", "a\\b"]),
        min_size=1,
        max_size=6,
    ).map(" ".join),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_no_term_acts_as_an_operator(term, synonyms):
    written = write_term(term, synonyms=synonyms)
    assert lint_expression(written) == []
    assert lint_expression(f"{written} OR other") == []
    # what was written says the words that were meant
    bare = written[1:-1] if not synonyms else written
    assert bare.replace("\\\\", "\0").replace("\\", "").replace("\0", "\\") == term


def test_the_projects_own_strategy_is_sound(root):
    strategy = read_strategy(root / "data" / "protocol")
    assert lint_strategy(strategy) == []
    require_sound(strategy)
    terms = [term for concept in strategy.concepts.values() for term in concept.terms]
    assert len(terms) > 40
    assert all(len(term.reason) > 10 for term in terms)
    assert len(strategy.prisma_s) == 16


def test_the_query_is_literal(tmp_path):
    strategy = read_strategy(small(tmp_path))
    query = render_query(strategy, "ClinicalTrials.gov")
    assert query.url == (
        "https://clinicaltrials.gov/api/v2/studies?query.cond=pain+OR+back+pain"
        "&filter.advanced=AREA%5BStudyType%5D%22INTERVENTIONAL%22"
        "&format=json&countTotal=true&pageSize=1000"
    )
    assert dict(parse_qsl(urlsplit(query.url).query)) == dict(query.parameters)
    assert render_query(strategy, "WHO ICTRP").parameters == {"Condition": 'pain OR "back pain"'}
    with pytest.raises(InputError, match="does not search ISRCTN; choose from"):
        render_query(strategy, "ISRCTN")


def test_concepts_in_one_field_are_joined_with_and(root):
    strategy = read_strategy(root / "data" / "protocol")
    (text,) = render_query(strategy, "WHO ICTRP").parameters.values()
    pain, neuromodulation = text.split(") AND (")
    assert pain.startswith("(pain OR ")
    assert ' OR "spinal cord stimulation" OR ' in neuromodulation
    assert text.count("(") == text.count(")") == 2


def test_exact_phrases_are_quoted(tmp_path):
    strategy = read_strategy(small(tmp_path, more="\n        synonyms: false"))
    query = render_query(strategy, "ClinicalTrials.gov")
    assert query.parameters["query.cond"] == 'pain OR "back pain"'


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"term": "'\"heart attack\"'"}, "quoted-synonyms"),
        ({"term": "'heart \"attack'"}, "unbalanced-quotes"),
        ({"term": "'\"x y\"'", "more": "\n        synonyms: false"}, "quoted-term"),
        ({"term": "pain AND stimulation"}, "bare-operator"),
        ({"term": "'neural*'"}, "wildcard-synonyms"),
        ({"term": "'neu*gia'", "more": "\n        synonyms: false"}, "wildcard-place"),
        ({"expression": "INTERVENTIONAL"}, "missing-area"),
        ({"expression": "'AREA[Sex]ALL'"}, "bare-operator"),
        ({"parameter": "filter.phase"}, "unknown-parameter"),
        ({"parameter": "query.term", "expression": "NCT01234567 NCT00000001"}, "ids-only"),
        ({"parameter": "filter.ids", "expression": "'NCT01234567,NTC1'"}, "malformed-id"),
        ({"parameter": "aggFilters", "expression": "'phase:na'"}, "silent-zero"),
        ({"parameter": "query.term", "expression": "'\"a b\"'"}, "quoted-synonyms"),
    ],
)
def test_a_fault_is_named_with_its_line_and_nothing_is_sent(tmp_path, changes, code):
    strategy = read_strategy(small(tmp_path, **changes))
    with pytest.raises(InputError, match=rf"search\.yml:\d+: .*\[{code}\]") as caught:
        require_sound(strategy)
    assert "nothing was sent" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema: 1", "schema: 2", r"search\.yml:1: schema: 2 is not a known layout"),
        ("date: 2026-11-24", "date: soon", r":10: concepts\[0\]\.terms\[0\]\.date: 'soon'"),
        ("        reason: the concept\n", "", r":8: .*terms\[0\]\.reason: missing"),
        ("reason: a second", "resaon: a second", r":12: .*\.resaon: unknown key"),
        ("term: back pain", "term: PAIN", r":11: .*'PAIN' is listed twice"),
        ("term: back pain", "term: 7", r":11: .*\.term: 7 is not a text"),
        ("concepts: [pain]", "concepts: [pian]", r":20: .*no concept 'pian'; known: pain"),
        ("interface: api", "interface: ftp", r":16: .*'ftp' is not known"),
        ("parameter: filter.advanced", "parameter: query.cond", r"query\.cond is set twice"),
        (
            "address: https://clinicaltrials.gov/api/v2",
            "address: x\n    page_size: 5000",
            r":18: .*page_size: 5000 is not a page size; 1 to 1000",
        ),
        ("item: Peer review", "item: Peers", r"item 14 is 'Peer review'"),
        (
            "        expression: 'AREA",
            "        concepts: [pain]\n        expression: 'AREA",
            "either",
        ),
    ],
)
def test_a_broken_strategy_says_file_line_and_key(tmp_path, old, new, message):
    folder = small(tmp_path)
    path = folder / "search.yml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_strategy(folder)


def test_another_review_is_another_folder(root, tmp_path):
    shutil.copy(root / "data" / "protocol" / "search.yml", tmp_path)
    path = tmp_path / "search.yml"
    path.write_text(path.read_text(encoding="utf-8").replace("term: migraine", "term: depression"))
    query = render_query(read_strategy(tmp_path), "ClinicalTrials.gov")
    assert "OR depression OR" in query.parameters["query.cond"]
    assert "migraine" not in query.parameters["query.cond"]


@pytest.fixture(params=["own", "openapi"])
def check(request):
    if request.param == "own":
        return own_check()
    return openapi_check(
        request.getfixturevalue("shared") / "registry" / "native" / "ctgov-openapi-2.0.5.yaml"
    )


def test_the_query_obeys_the_interfaces_specification(root, check):
    strategy = read_strategy(root / "data" / "protocol")
    parameters = dict(render_query(strategy, "ClinicalTrials.gov").parameters)
    assert check("/studies", parameters) == ""
    assert check("/version", {}) == ""
    for wrong in (
        {"pageSize": "many"},
        {"query.condition": "pain"},
        {"format": "yaml"},
        {"sort": "StartDate|NumArmGroups|EnrollmentCount"},
        {"filter.ids": "NCT1|NTC2"},
    ):
        assert check("/studies", parameters | wrong), wrong
