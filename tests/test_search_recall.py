"""Recall of known items, the ablation of terms, and the strategy's own tables."""

import pandas as pd
import pytest
import rispy
from hypothesis import given, settings
from hypothesis import strategies as st

from compendium.charts.search import query_markup, recall_chart, term_chart
from compendium.errors import InputError
from compendium.normalise.countries import read_country_aliases
from compendium.record_schema import COLUMNS, LISTS
from compendium.records import read_records
from compendium.search.note import NOT_RUN, search_note, write_search_note
from compendium.search.query import render_query
from compendium.search.recall import (
    known_item_table,
    match_terms,
    read_known_items,
    recall_note,
    recall_table,
    rescued_items,
    term_pattern,
    term_table,
)
from compendium.search.report import field_reasons, prisma_s_table, snapshot_table, term_reasons
from compendium.search.revisions import revision_table
from compendium.search.snapshot import read_manifest
from compendium.search.strategy import read_strategy
from tests.test_search_query import small

SNAPSHOTS = ("ctgov-2020-07-28", "ictrp-other-registries", "background")

STRATEGY = """\
schema: 1
title: t
question: q
concepts:
  - id: pain
    means: pain
    terms:
      - {term: pain, reason: r, date: 2026-01-01}
      - {term: migraine, reason: r, date: 2026-01-01}
  - id: stimulation
    means: stimulation
    terms:
      - {term: TMS, reason: r, date: 2026-01-01}
      - {term: magnetic stimulation, reason: r, date: 2026-01-01}
registries:
  - registry: ClinicalTrials.gov
    interface: api
    address: a
    blocks:
      - {parameter: query.cond, concepts: [pain], reason: r, date: 2026-01-01}
      - {parameter: query.intr, concepts: [stimulation], reason: r, date: 2026-01-01}
  - registry: WHO ICTRP
    interface: portal
    address: p
    blocks:
      - {parameter: Standard search, concepts: [pain, stimulation], reason: r, date: 2026-01-01}
limits:
  - {limit: l, value: none, reason: r}
prisma_s:
"""


@pytest.fixture(scope="module")
def strategy(tmp_path_factory):
    from compendium.search.strategy import PRISMA_S_ITEMS

    folder = tmp_path_factory.mktemp("protocol")
    answers = "".join(f"  - {{item: {item}, answer: not done}}\n" for item in PRISMA_S_ITEMS)
    (folder / "search.yml").write_text(STRATEGY + answers, encoding="utf-8")
    return read_strategy(folder)


def table(*rows):
    full = [
        {name: () if name in LISTS else None for name in COLUMNS}
        | {"registry": "ClinicalTrials.gov", "record_id": f"NCT{n:08d}"}
        | row
        for n, row in enumerate(rows, 1)
    ]
    return pd.DataFrame(full)


@pytest.fixture(scope="module")
def records():
    return table(
        {"public_title": "TMS for migraine", "conditions": ("Pain",)},
        {"public_title": "Coils", "conditions": ("Migraines",), "arm_labels": ("rTMS", "TMS on")},
        {"public_title": "Transcranial magnetic-stimulation", "keywords": ("chronic pain",)},
        {"public_title": "Pain", "intervention_descriptions": ("TMS",)},
        {"public_title": "Pain", "keywords": ("magnetic", "stimulation")},
        {
            "record_id": "ISRCTN00000001",
            "registry": "ISRCTN",
            "public_title": "Pain",
            "intervention_descriptions": ("TMS",),
        },
    )


KNOWN = pd.DataFrame(
    {
        "record_id": [*(f"NCT{n:08d}" for n in (1, 2, 3, 4, 5)), "ISRCTN00000001", "DRKS00000001"],
        "origin": "me",
        "half": ["development", "held-out"] * 3 + ["development"],
    }
)


@pytest.mark.parametrize(
    ("term", "text", "found"),
    [
        ("SCS", "Burst SCS for back pain", True),
        ("SCS", "herniated discs", False),
        ("nerve stimulator", "Nerve-stimulators", True),
        ("post-laminectomy syndrome", "Post Laminectomy Syndrome", True),
        ("pain", "painful", False),
        ("neural*", "neuralgia", True),
        ("back pain", "back \x1f pain", False),
    ],
)
def test_a_term_matches_its_words_in_order(term, text, found):
    assert bool(term_pattern(term).search(text)) == found


def test_terms_are_matched_in_the_fields_the_registry_searches(records, strategy):
    items = known_item_table(records, strategy, KNOWN, match_terms(records, strategy))
    found = items.set_index("record_id")["found"].to_dict()
    assert found == {
        "NCT00000001": True,
        "NCT00000002": True,
        "NCT00000003": True,
        # ClinicalTrials.gov's description is not looked at, the portal's intervention is
        "NCT00000004": False,
        "ISRCTN00000001": True,
        # two keywords do not make a phrase
        "NCT00000005": False,
        "DRKS00000001": False,
    }
    row = items.set_index("record_id").loc["DRKS00000001"]
    assert (row["registry"], row["held"], row["lacking"]) == ("DRKS", False, ())
    assert items.set_index("record_id").loc["NCT00000005", "lacking"] == ("stimulation",)


def test_recall_has_its_counts_and_interval(records, strategy):
    items = known_item_table(records, strategy, KNOWN, match_terms(records, strategy))
    recall = recall_table(items[items["held"]], "registry").set_index("registry")
    assert tuple(recall.loc["ClinicalTrials.gov", ["found", "known"]]) == (3, 5)
    assert tuple(recall.loc["all", ["found", "known"]]) == (4, 6)
    # Wilson's interval of 4 of 6
    assert recall.loc["all", "low"] == pytest.approx(0.3000, abs=5e-4)
    assert recall.loc["all", "high"] == pytest.approx(0.9032, abs=5e-4)


def test_removing_a_term_names_the_exact_trials_lost(records, strategy):
    matches = match_terms(records, strategy)
    items = known_item_table(records, strategy, KNOWN, matches)
    lost = term_table(strategy, items, matches).set_index("term")["lost"].to_dict()
    assert lost == {
        "pain": ("ISRCTN00000001", "NCT00000003"),
        "migraine": ("NCT00000002",),
        "TMS": ("ISRCTN00000001", "NCT00000001", "NCT00000002"),
        "magnetic stimulation": ("NCT00000003",),
    }
    rescued = rescued_items(term_table(strategy, items, matches), records)
    assert rescued[["term", "record_id"]].values.tolist()[:2] == [
        ["migraine", "NCT00000002"],
        ["pain", "ISRCTN00000001"],
    ]
    assert len(rescued) == 7


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_ablation_agrees_with_searching_without_the_term(records, strategy, data):
    """What the table says is lost is what a strategy without the term does not find."""
    subset = records[data.draw(st.lists(st.booleans(), min_size=6, max_size=6))]
    matches = match_terms(subset, strategy)
    items = known_item_table(subset, strategy, KNOWN, matches)
    row = data.draw(st.sampled_from(term_table(strategy, items, matches).to_dict("records")))
    without = matches[(matches["term"] != row["term"])]
    after = known_item_table(subset, strategy, KNOWN, without)
    gone = items.loc[items["found"] & ~after["found"], "record_id"]
    assert row["lost"] == tuple(gone)
    assert row["n_lost"] == len(gone)


def test_a_field_whose_columns_are_unknown_is_refused(records, tmp_path):
    strategy = read_strategy(small(tmp_path))
    with pytest.raises(InputError, match="not known which fields 'Condition' looks in"):
        match_terms(records, strategy)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("record_id,origin\nNCT1,x\n", "the columns are not record_id, origin, half"),
        ("record_id,origin,half\nNCT1,x,third\n", "'third' is no half"),
        ("record_id,origin,half\nNCT1,x,held-out\nNCT1,x,held-out\n", "NCT1 is listed twice"),
    ],
)
def test_a_broken_list_of_known_items(tmp_path, text, message):
    (tmp_path / "known_items.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_known_items(tmp_path)


@pytest.fixture(scope="module")
def embedded(root):
    folders = [root / "data" / "snapshot" / name for name in SNAPSHOTS]
    aliases = read_country_aliases(root / "data" / "protocol" / "countries.csv")
    return folders, read_records(folders, aliases)


def test_the_projects_strategy_on_the_embedded_records(root, embedded):
    _, found = embedded
    strategy = read_strategy(root / "data" / "protocol")
    known = read_known_items(root / "data" / "protocol")
    matches = match_terms(found.records, strategy)
    items = known_item_table(found.records, strategy, known, matches)
    assert items["held"].all()
    halves = recall_table(items, "half").set_index("half")
    assert halves.loc["all", "known"] == len(known) == 320
    # the terms were chosen on one half: that half must not do worse than what was reached
    assert halves.loc["development", "recall"] >= 0.95
    assert halves.loc["held-out", "recall"] >= 0.90
    revisions = revision_table(found.records, strategy, known, matches)
    assert revisions["terms"].is_monotonic_increasing
    assert revisions["other records found"].is_monotonic_increasing
    assert revisions["other records"].eq(len(found.records) - len(known)).all()
    last = revisions.iloc[-1]
    assert last["terms"] == len(term_reasons(strategy))
    assert last["held-out"] == recall_note(halves.reset_index(), "held-out")
    early = revisions.iloc[0]["development"]
    assert int(early.split(" of ")[0]) < halves.loc["development", "found"]
    terms = term_table(strategy, items, matches)
    chart = term_chart(terms[terms["concept"] == "pain"]).to_dict()
    assert "find none of the known items" in chart["description"]
    chart = recall_chart(recall_table(items, "registry"), "registry", "registry").to_dict()
    assert "ISRCTN: 9 of 9" in chart["description"]


def test_sixteen_items_are_answered(root, embedded):
    folders, found = embedded
    strategy = read_strategy(root / "data" / "protocol")
    answers = prisma_s_table(strategy, [read_manifest(folder) for folder in folders])
    assert list(answers["item"]) == list(range(1, 17))
    assert set(answers["answered"]) == {"yes", "not done"}
    assert answers["answer"].str.len().gt(0).all()
    assert not answers["answer"].str.contains(r"[{}]").any()
    by_topic = answers.set_index("topic")["answer"]
    assert "ctgov-2020-07-28: 328 records, a sample" in by_topic["Total records"]
    assert "not searched, a known-item sample as of 2020-07-28" in by_topic["Dates of searches"]
    # a sample is no search
    searched = ["Study registries", "Dates of searches", "Total records"]
    done = answers.set_index("topic")["answered"]
    assert set(done[searched]) == {"not done"}
    live = {"id": "mine", "kind": "search", "registry": "ClinicalTrials.gov"}
    live |= {"processed_date": "2026-11-20", "announced": 9, "retrieved": 9}
    answers = prisma_s_table(strategy, [live]).set_index("topic")
    assert set(answers.loc[searched, "answered"]) == {"yes"}
    assert answers.loc["Study registries", "answer"] == (
        "ClinicalTrials.gov (through its programming interface), "
        "WHO ICTRP (through its web form; written, not yet run)."
    )
    snapshots = snapshot_table(folders, found.quarantine)
    assert list(snapshots["retrieved"]) == [328, 168, 204]


def test_the_search_as_a_note_for_a_reference_manager(root, embedded, tmp_path):
    folders, _ = embedded
    strategy = read_strategy(root / "data" / "protocol")
    manifests = [read_manifest(folder) for folder in folders]
    path = write_search_note(strategy, manifests, tmp_path / "new" / "search.ris")
    by_api, by_hand = rispy.loads(path.read_text(encoding="utf-8"))
    query = render_query(strategy, "ClinicalTrials.gov")
    assert by_api["name_of_database"] == "ClinicalTrials.gov"
    assert by_hand["name_of_database"] == "WHO ICTRP"
    assert by_api["urls"] == [query.url]
    assert by_api["notes"][1] == f"query.cond = {query.parameters['query.cond']}"
    # a known-item sample is no answer to the search
    assert by_api["notes"][-1] == by_hand["notes"][-1] == NOT_RUN
    assert "access_date" not in by_api
    sent = {"kind": "search", "registry": "ClinicalTrials.gov", "processed_date": "2026-11-20"}
    sent |= {"id": "mine", "announced": 3454, "retrieved": 3454}
    asked = {"parameters": dict(query.parameters)}
    answered = rispy.loads(search_note(strategy, [*manifests, sent | {"query": asked}]))[0]
    assert answered["access_date"] == "2026-11-20"
    assert answered["notes"][-1] == ("mine: data of 2026-11-20, 3454 records of 3454 announced.")
    other = {"parameters": asked["parameters"] | {"query.cond": "depression"}}
    assert rispy.loads(search_note(strategy, [sent | {"query": other}]))[0]["notes"][-1] == NOT_RUN


def test_an_answer_with_a_name_nothing_fills_in(root, tmp_path):
    text = (root / "data" / "protocol" / "search.yml").read_text(encoding="utf-8")
    (tmp_path / "search.yml").write_text(text.replace("{dates}", "{date}"), encoding="utf-8")
    with pytest.raises(InputError, match=r"prisma_s\[12\]\.answer: \{date\} is not filled in"):
        read_strategy(tmp_path)


def test_tables_of_the_strategy_hold_every_reason(root):
    strategy = read_strategy(root / "data" / "protocol")
    terms = term_reasons(strategy)
    assert len(terms) == sum(len(concept.terms) for concept in strategy.concepts.values())
    assert terms["reason"].str.len().gt(10).all()
    assert terms["since"].str.fullmatch(r"\d{4}-\d\d-\d\d").all()
    assert set(field_reasons(strategy)["registry"]) == {"ClinicalTrials.gov", "WHO ICTRP"}


def test_the_literal_query_is_escaped_for_the_page(root):
    query = render_query(read_strategy(root / "data" / "protocol"), "ClinicalTrials.gov")
    markup = query_markup(query)
    assert "AREA[StudyType]&quot;INTERVENTIONAL&quot;" in markup
    assert "pageSize=1000" in markup
