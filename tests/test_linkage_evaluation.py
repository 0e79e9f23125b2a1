"""What is measured of the linker: labelled sets, uncertainty, capture-recapture, growth."""

import json

import numpy as np
import pandas as pd
import pytest
from benchmarks.invented_registry import invent_registry
from benchmarks.linkage import RESULT, compare_all, extrapolate, link
from hypothesis import given, settings
from hypothesis import strategies as st

from compendium.linkage import link_records
from compendium.linkage.evaluation import Run, calibration, evaluate, title_rule
from compendium.linkage.labelled import LabelledSet, hide_numbers, labelled_set
from compendium.linkage.simulation import STYLES, register_again, retitle
from compendium.linkage.uncertainty import capture_recapture, count_trials, links_by_method
from compendium.normalise.countries import read_country_aliases
from compendium.records import read_records
from compendium.registry_ids import find_ids


@pytest.fixture(scope="module")
def real(root):
    folders = sorted((root / "data/snapshot").iterdir())
    return read_records(folders, read_country_aliases(root / "data/protocol/countries.csv")).records


@pytest.fixture(scope="module")
def runs(real):
    sets = [labelled_set(real, stated=not seed, simulated=30, seed=seed) for seed in range(3)]
    return [Run(labelled, link_records(labelled.records).links) for labelled in sets]


@pytest.fixture(scope="module")
def sisters(real):
    labelled = labelled_set(real, stated=False, simulated=0, sisters=100)
    return Run(labelled, link_records(labelled.records).links)


def measure(table, words):
    return table.set_index("measure").loc[words]


class TestLabelledSet:
    def test_numbers_are_hidden_from_the_matcher(self, runs):
        for run in runs:
            own = set(run.labelled.records.record_id)
            for text in run.labelled.records.public_title.dropna():
                assert not find_ids(text)
            stated = {i for items in run.labelled.records.secondary_ids for i in items}
            assert not own & stated

    def test_other_secondary_ids_stay(self):
        rows = pd.DataFrame(
            {"record_id": ["NCT01000001"], "secondary_ids": [("99-N-0022", "ISRCTN60778781")]}
        )
        assert hide_numbers(rows).secondary_ids.tolist() == [("99-N-0022",)]

    def test_a_pair_that_a_real_registry_states_is_in_it_and_found(self, runs):
        stated = runs[0].labelled.pairs.query("origin == 'stated'")
        assert ("ISRCTN10663814", "NCT06442410") in set(
            zip(stated.record_a, stated.record_b, strict=True)
        )
        assert measure(evaluate(runs), "… linked by a real registry").estimate == 1.0

    def test_titles_can_be_set_apart_word_for_word(self, real):
        made = labelled_set(real, stated=False, simulated=10, titles_apart=True)
        titles = made.records.set_index("record_id")
        before = real.set_index("record_id")
        for row in made.pairs.itertuples():
            first = row.record_a if row.record_a in before.index else row.record_b
            second = row.record_b if first == row.record_a else row.record_a
            assert pd.isna(titles.loc[first, "scientific_title"])
            assert titles.loc[second, "public_title"] == before.loc[first, "scientific_title"]

    def test_the_same_seed_makes_the_same_set(self, real):
        one, other = (labelled_set(real, simulated=5, seed=7) for _ in range(2))
        pd.testing.assert_frame_equal(one.records, other.records)
        pd.testing.assert_frame_equal(one.pairs, other.pairs)


class TestTargets:
    def test_recall_and_load_before_review(self, runs):
        table = evaluate(runs)
        assert measure(table, "cross-registrations put forward (recall)").estimate >= 0.90
        assert measure(table, "candidate pairs per 1,000 records").estimate <= 60

    def test_real_short_and_official_titles_are_brought_together(self, real):
        made = labelled_set(real, stated=False, simulated=60, titles_apart=True)
        table = evaluate([Run(made, link_records(made.records).links)])
        assert measure(table, "cross-registrations put forward (recall)").estimate >= 0.85
        assert measure(table, "right among merged by rule (precision)").estimate >= 0.98

    def test_merges_by_rule_are_right(self, runs):
        assert measure(evaluate(runs), "right among merged by rule (precision)").estimate >= 0.98

    def test_real_sister_trials_are_not_merged(self, sisters):
        found = measure(evaluate([sisters]), "sister trials not merged by rule")
        assert found.n >= 80
        assert found.estimate >= 0.98

    def test_a_naive_title_rule_merges_sisters(self, sisters):
        naive = title_rule(sisters.labelled.records, [85])
        found = measure(
            evaluate([Run(sisters.labelled, naive)]), "sister trials not merged by rule"
        )
        assert found.estimate < 0.9

    def test_probabilities_mean_what_they_say(self, runs):
        table = calibration(runs)
        likely, unlikely = table[table["from"] >= 0.9], table[table["to"] <= 0.1]
        assert (likely.estimate >= 0.9).all()
        assert (unlikely.estimate <= 0.25).all()

    def test_real_exports_on_another_topic_load_the_reviewer_little(self, shared, root):
        aliases = read_country_aliases(root / "data/protocol/countries.csv")
        found = read_records(
            [shared / "registry/native/ictrp-portal-2020.csv"], aliases, accept_unsealed=True
        )
        links = link_records(found.records).links
        forward = links[links.decision != "keep-apart"]
        assert 20 <= 1_000 * len(forward) / len(found.records) <= 60
        merged = links[links.decision == "merge"]
        assert len(merged) >= 8
        assert (merged.title_overlap >= 0.8).all()


class TestEvaluate:
    def labelled(self):
        pairs = pd.DataFrame(
            {
                "record_a": ["a", "a", "c"],
                "record_b": ["b", "d", "e"],
                "same": [True, False, True],
                "origin": ["simulated", "sister", "stated"],
                "style": ["same", None, None],
            }
        )
        return LabelledSet(pd.DataFrame({"record_id": list("abcde")}), pairs)

    def test_hand_worked_counts(self):
        links = pd.DataFrame(
            {
                "record_a": ["a", "a", "b"],
                "record_b": ["b", "d", "c"],
                "decision": ["merge", "review", "merge"],
            }
        )
        table = evaluate([Run(self.labelled(), links)]).set_index("measure")
        assert table.loc["cross-registrations put forward (recall)", ["k", "n"]].tolist() == [1, 2]
        assert table.loc["right among merged by rule (precision)", ["k", "n"]].tolist() == [1, 2]
        assert table.loc["sister trials not merged by rule", ["k", "n"]].tolist() == [1, 1]
        assert table.loc["sister trials not put forward either", ["k", "n"]].tolist() == [0, 1]
        assert table.loc["candidate pairs per 1,000 records", "estimate"] == 600
        assert (table.low <= table.estimate).all()
        assert (table.estimate <= table.high).all()


class TestSimulation:
    def test_every_style_changes_a_title_in_its_way(self):
        title = "Spinal cord stimulation for chronic pain: a randomized controlled trial"
        rng = np.random.default_rng(1)
        made = {style: {retitle(title, style, rng) for _ in range(20)} for style in STYLES}
        assert all("tudie" in t or "ückenmark" in t for t in made["translated"])
        assert any("SCS" in t for t in made["reworded"])
        assert any("long-lasting" in t for t in made["lay"])

    def test_second_registrations_are_of_another_registry_and_new(self, real):
        second, truth = register_again(real, [0, 5, 9], seed=3)
        assert not set(second.record_id) & set(real.record_id)
        assert len(truth) == 3
        assert (truth.record_a < truth.record_b).all()


class TestTrialCount:
    def links(self, probability, decision="review"):
        return pd.DataFrame(
            {
                "record_a": ["a", "b"],
                "record_b": ["b", "c"],
                "probability": [probability] * 2,
                "decision": [decision] * 2,
            }
        )

    def test_certain_links_leave_no_doubt(self):
        found = count_trials(5, self.links(1.0, "merge"))
        assert (found.decided, found.expected, found.low, found.high) == (3, 3.0, 3.0, 3.0)

    def test_no_links_no_doubt(self):
        found = count_trials(5, self.links(1.0).iloc[:0])
        assert (found.decided, found.low, found.high) == (5, 5, 5)

    def test_the_mean_of_a_tree_is_records_less_expected_links(self):
        found = count_trials(5, self.links(0.3), draws=4_000)
        assert found.expected == pytest.approx(5 - 0.6, abs=0.05)

    def test_the_same_seed_draws_the_same(self):
        one, other = (count_trials(5, self.links(0.5)).draws for _ in range(2))
        assert np.array_equal(one, other)

    def test_the_interval_covers_the_truth_where_it_is_known(self, runs):
        covered = 0
        for run in runs:
            found = count_trials(len(run.labelled.records), run.links)
            truth = len(run.labelled.records) - int(run.labelled.pairs.same.sum())
            # a few real links beyond the labelled ones are unknown to the truth
            covered += found.low - 2 <= truth <= found.high
        assert covered == len(runs)


class TestCaptureRecapture:
    def test_the_textbook_example(self):
        # 200 marked, 270 caught, 20 of them marked: Chapman's N = 201 * 271 / 21 - 1
        found = capture_recapture(200, 270, 20)
        assert found.estimate == pytest.approx(2592.857, abs=0.001)
        assert found.found == 450

    def test_nothing_is_missed_where_one_method_finds_all(self):
        found = capture_recapture(10, 7, 7)
        assert found.missed == 0

    @settings(max_examples=50, deadline=None)
    @given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
    def test_the_interval_holds_the_estimate_and_never_less_than_was_found(self, a, b, both):
        if both > min(a, b):
            with pytest.raises(ValueError, match="does not fit"):
                capture_recapture(a, b, both)
            return
        found = capture_recapture(a, b, both)
        assert found.found <= found.low + 1e-9
        assert found.low <= found.estimate + 1e-9
        assert found.estimate <= found.high + 1e-9

    def test_it_finds_the_truth_when_methods_are_independent(self):
        rng = np.random.default_rng(4)
        truth = 400
        ids, titles = rng.random((2, truth)) < np.array([[0.75], [0.9]])
        found = capture_recapture(int(ids.sum()), int(titles.sum()), int((ids & titles).sum()))
        assert found.low <= truth <= found.high

    def test_links_are_counted_by_method(self):
        links = pd.DataFrame(
            {
                "kind": ["registry id", "title", "registry id + title", "EUCTR root", "title"],
                "decision": ["merge", "merge", "merge", "merge", "review"],
                "found_by": ["ids", "titles", "both", "ids", "titles"],
            }
        )
        assert links_by_method(links) == (2, 2, 1)


class TestBenchmark:
    def test_an_invented_registry_has_the_size_and_the_truth_it_says(self):
        records, truth = invent_registry(500)
        assert len(records) == records.record_id.nunique() == 500
        assert set(truth.record_a) | set(truth.record_b) <= set(records.record_id)
        assert len(truth) == 20

    def test_both_ways_find_most_and_linking_puts_fewer_forward(self):
        linked, compared = link(500), compare_all(500)
        assert linked["found"] >= 0.9 * linked["true_pairs"]
        assert linked["candidates"] < compared["candidates"]

    def test_the_kept_result_meets_the_target_and_says_what_is_extrapolated(self):
        result = json.loads(RESULT.read_text("utf-8"))
        largest = next(
            r for r in result["rows"] if r["way"] == "linked" and r["records"] == 100_000
        )
        assert largest["seconds"] < 300
        assert largest["peak_gb"] < 4
        beyond = [r for r in result["rows"] if r["way"] == "all pairs" and r["records"] > 10_000]
        assert beyond
        assert all(r["extrapolated"] for r in beyond)
        assert {"date", "machine"} <= result.keys()

    def test_extrapolation_goes_with_the_square(self):
        rows = [{"way": "all pairs", "records": 10, "seconds": 1.0}]
        assert extrapolate(rows, (10, 30))[0]["seconds"] == pytest.approx(9.0)
