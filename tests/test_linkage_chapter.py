"""What the chapter on linkage shows: tables, demonstrations, charts."""

import json

import altair as alt
import pandas as pd
import pytest

from compendium.charts import linkage as charts
from compendium.charts.renderer import chart_markup
from compendium.errors import InputError
from compendium.linkage import extend_review, link_records, read_review
from compendium.linkage.demonstrations import read_growth, undo_table, worked_example
from compendium.linkage.evaluation import Run, calibration, evaluate, rule_table, title_rule
from compendium.linkage.explain import explain_pair
from compendium.linkage.labelled import labelled_set
from compendium.linkage.summary import (
    capture_table,
    coverage_table,
    in_words,
    link_table,
    registry_table,
    shown_measures,
    truth_pairs,
)
from compendium.linkage.uncertainty import capture_recapture, count_trials, draw_table

SPG = "Sphenopalatine ganglion stimulation for the {} treatment of cluster headache"


def rows(*given):
    table = pd.DataFrame(
        [
            {"registry": "", "secondary_ids": (), "countries": (), "url": None, "sponsor": None}
            | row
            for row in given
        ]
    )
    table["enrolment"] = pd.array(table.get("enrolment", [None] * len(table)), dtype="Int64")
    return table


@pytest.fixture(scope="module")
def records():
    return rows(
        {
            "record_id": "ISRCTN10663814",
            "registry": "ISRCTN",
            "public_title": "DTM stimulation for intractable back pain (same as NCT06442410)",
            "url": "https://www.isrctn.com/ISRCTN10663814",
        },
        {
            "record_id": "NCT06442410",
            "registry": "ClinicalTrials.gov",
            "public_title": "DTM stimulation for intractable back pain",
        },
        {
            "record_id": "NCT01616511",
            "registry": "ClinicalTrials.gov",
            "public_title": SPG.format("acute"),
        },
        {
            "record_id": "NCT01255813",
            "registry": "ClinicalTrials.gov",
            "public_title": SPG.format("chronic"),
        },
        {
            "record_id": "DRKS00003681",
            "registry": "DRKS",
            "public_title": "Transcutaneous vagus nerve stimulation in chronic migraine",
        },
    )


@pytest.fixture(scope="module")
def linkage(records):
    return link_records(records)


@pytest.fixture(scope="module")
def run(records):
    labelled = labelled_set(records, simulated=2, seed=2)
    return Run(labelled, link_records(labelled.records).links)


@pytest.fixture(scope="module")
def sisters(records):
    labelled = labelled_set(records, stated=False, simulated=0, sisters=5)
    return Run(labelled, link_records(labelled.records).links)


class TestExplain:
    def test_the_pieces_add_up_to_the_whole(self, records):
        parts = explain_pair(records, "NCT06442410", "ISRCTN10663814")
        whole = parts.bits[parts.evidence == "in all"].item()
        assert parts.bits[parts.evidence != "in all"].sum() == pytest.approx(whole, abs=0.3)
        assert parts.bits[parts.evidence == "stated number"].item() > 0
        assert parts.evidence.iloc[0] == "before looking"

    def test_an_unknown_record_is_named(self, records):
        with pytest.raises(InputError, match="NCT09999999"):
            explain_pair(records, "NCT09999999", "ISRCTN10663814")

    def test_a_pair_with_nothing_in_common_is_refused(self, records):
        with pytest.raises(InputError, match="worth comparing"):
            explain_pair(records, "DRKS00003681", "ISRCTN10663814")


class TestTables:
    def test_every_registration_is_counted_under_its_registry(self, records, linkage):
        table = registry_table(records, linkage.links, linkage.trials)
        assert table.records.sum() == len(records)
        counts = table.set_index("registry")
        assert counts.loc["ISRCTN", ["records", "linked"]].tolist() == [1, 1]
        assert counts.loc["DRKS", "linked"] == 0

    def test_links_carry_the_addresses_of_their_records(self, records, linkage):
        table = link_table(linkage.links, records)
        first = table[table["record"] == "ISRCTN10663814"].iloc[0]
        assert first["url"].endswith("ISRCTN10663814")
        assert pd.isna(first["and url"])
        assert first["decided"].startswith("merge by rule (")

    def test_pairs_that_nobody_labelled_count_as_two_trials(self, run):
        table = truth_pairs(run.links, run.labelled.pairs)
        assert len(table) == len(run.links)
        assert set(table.truth) <= {"one trial", "two trials"}

    def test_the_review_file_of_the_book_is_in_order(self, root):
        review = read_review(root / "data/coding/link-review.csv")
        assert (review.record_a < review.record_b).all()
        links = pd.DataFrame(
            columns=["record_a", "record_b", "decision", "probability", "evidence"]
        )
        assert len(extend_review(review, links)) == len(review)

    def test_measures_in_words(self):
        row = pd.Series({"k": 1, "n": 2, "estimate": 0.5, "low": 0.094, "high": 0.906})
        assert in_words(row) == "1 of 2 (50.0 %, 95 % interval 9.4 to 90.6 %)"
        assert in_words(pd.Series({"k": 0, "n": 0})) == "none (nothing to count)"


class TestDemonstrations:
    def test_the_worked_wrong_merge_is_of_two_trials_and_says_the_word(self, sisters):
        example = worked_example(title_rule(sisters.labelled.records, [80]), sisters)
        assert set(example.mark.split(" / ")) == {"acute", "chronic"}
        assert example.decision != "merge"
        first = example.table.set_index("field").loc["record"]
        assert {first["one"], first["the other"]} == {"NCT01616511", "NCT01255813"}

    def test_without_such_a_pair_there_is_no_example(self, run):
        assert worked_example(title_rule(run.labelled.records, [99]), run) is None

    def test_a_merge_is_undone_and_restored(self, records, linkage, tmp_path):
        table = undo_table(records, linkage.links, read_review(tmp_path / "none.csv"))
        assert table.trials.tolist() == [4, 5, 4]

    def test_the_naive_rule_is_set_beside_the_linker(self, run, sisters):
        naive = [Run(run.labelled, title_rule(run.labelled.records, [80, 95]))]
        naive_sisters = Run(sisters.labelled, title_rule(sisters.labelled.records, [80, 95]))
        table = rule_table([95, 80], naive, naive_sisters, [run], sisters).set_index("rule")
        assert table.loc["80", "k"] == 1
        assert table.loc["linker", "k"] == 0

    def test_a_missing_or_foreign_benchmark_is_named(self, tmp_path):
        with pytest.raises(InputError, match=r"none\.json"):
            read_growth(tmp_path / "none.json")
        (tmp_path / "foreign.json").write_text('{"rows": []}', "utf-8")
        with pytest.raises(InputError, match=r"foreign\.json"):
            read_growth(tmp_path / "foreign.json")

    def test_growth_says_what_is_extrapolated(self, tmp_path):
        linked = {"way": "linked", "records": 100, "seconds": 1.0, "peak_gb": 0.1}
        plain = {"way": "all pairs", "records": 100, "seconds": 7200.0, "extrapolated": True}
        machine = {"cores": 2, "python": "3.11"}
        result = {"date": "2026-01-01", "machine": machine, "rows": [linked, plain]}
        path = tmp_path / "linkage.json"
        path.write_text(json.dumps(result), "utf-8")
        growth = read_growth(path)
        assert growth.table.basis.tolist() == ["measured", "extrapolated"]
        assert "2.0 hours (extrapolated)" in growth.largest


def test_every_chart_has_a_text_alternative_and_can_be_drawn(root, records, linkage, run, sisters):
    count = count_trials(len(records), linkage.links)
    naive = [Run(run.labelled, title_rule(run.labelled.records, [80]))]
    naive_sisters = Run(sisters.labelled, title_rule(sisters.labelled.records, [80]))
    made = [
        charts.registry_chart(registry_table(records, linkage.links, linkage.trials)),
        charts.evidence_chart(explain_pair(records, "NCT06442410", "ISRCTN10663814"), "a pair"),
        charts.pair_chart(truth_pairs(run.links, run.labelled.pairs)),
        charts.rule_chart(rule_table([80], naive, naive_sisters, [run], sisters)),
        charts.calibration_chart(calibration([run])),
        charts.draws_chart(draw_table(count), low=count.low, high=count.high, decided=4),
        charts.growth_chart(read_growth(root / "benchmarks/results/linkage.json").table),
    ]
    for chart in made:
        assert isinstance(chart, alt.TopLevelMixin)
        assert "<svg" in chart_markup(chart, caption="a caption")


def test_tables_for_readers_keep_their_counts(run, sisters):
    shown = shown_measures(
        evaluate([run]).set_index("measure"), evaluate([sisters]).set_index("measure")
    )
    assert "1 of 1" in set(shown.counted)
    assert "candidate pairs per 1,000 records, among sister trials" in set(shown.measure)
    covered = coverage_table([run])
    assert covered.registrations.tolist() == [len(run.labelled.records)]
    table = capture_table({"here": capture_recapture(60, 80, 48)})
    assert table.found.item() == 92
