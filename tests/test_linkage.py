"""Linkage: evidence, decisions, reversibility, and what must never be merged."""

import itertools

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from compendium.cli.link import link
from compendium.errors import InputError
from compendium.linkage import extend_review, link_records, read_review, trials_of, write_review
from compendium.tables import read_table


def record(record_id, title=None, **fields):
    base = {
        "record_id": record_id,
        "registry": "",
        "public_title": title,
        "scientific_title": None,
        "secondary_ids": (),
        "nct_aliases": (),
        "sponsor": None,
        "enrolment": None,
        "countries": (),
        "conditions": (),
    }
    return base | fields


def table(*rows):
    frame = pd.DataFrame(rows)
    for name in ("record_id", "registry", "public_title", "scientific_title", "sponsor"):
        frame[name] = frame[name].astype("string")
    frame["enrolment"] = frame["enrolment"].astype("Int64")
    return frame


def decision(links, one, other):
    a, b = sorted((one, other))
    row = links[(links.record_a == a) & (links.record_b == b)]
    return row.decision.item() if len(row) else None


def together(linkage, *ids):
    return any(set(ids) <= set(members) for members in linkage.trials.record_ids)


TDCS = "Transcranial direct current stimulation of the motor cortex for phantom limb pain"


class TestStatedNumbers:
    def test_a_number_in_secondary_ids_links_and_says_where_it_stands(self):
        found = link_records(
            table(
                record("ISRCTN60778781", "Screening trial", secondary_ids=("see NCT03876054",)),
                record("NCT03876054", "TRIAL-STIM"),
            )
        )
        link = found.links.iloc[0]
        assert link.decision == "merge"
        assert link.kind.startswith("registry id")
        assert 'ISRCTN60778781 secondary_ids "NCT03876054" [4:15]' in link.evidence
        assert together(found, "ISRCTN60778781", "NCT03876054")

    def test_a_number_in_a_title_links(self):
        found = link_records(
            table(
                record("ISRCTN10663814", "DTM stimulation (same study as NCT06442410)"),
                record("NCT06442410", "DTM SCS for intractable back pain"),
            )
        )
        assert found.links.decision.tolist() == ["merge"]

    def test_numbers_of_zeros_link_nobody(self):
        found = link_records(
            table(
                record("NCT00000102", "One trial", secondary_ids=("ISRCTN00000000",)),
                record("DRKS00003681", "Another study", secondary_ids=("ISRCTN00000000",)),
            )
        )
        assert found.links.empty
        assert len(found.trials) == 2

    def test_national_records_of_one_eudract_number_are_one_trial(self):
        found = link_records(
            table(
                record("EUCTR2015-002340-14-NL"),
                record("EUCTR2015-002340-14-3rd"),
                record("EUCTR2015-002340-15-NL"),
            )
        )
        assert found.links.kind.tolist() == ["EUCTR root"]
        assert len(found.trials) == 2

    def test_an_alias_merges_within_clinicaltrials_gov_and_carries_to_others(self):
        found = link_records(
            table(
                record("NCT03103880", nct_aliases=("NCT05712863",)),
                record("NCT05712863"),
                record("DRKS00003681", secondary_ids=("NCT05712863",)),
            )
        )
        assert "NCT alias" in set(found.links.kind)
        assert len(found.trials) == 1

    def test_a_trial_that_moved_to_ctis_is_one_trial(self):
        found = link_records(
            table(
                record("CTIS2022-501234-12-00", secondary_ids=("EudraCT 2019-001234-56",)),
                record("EUCTR2019-001234-56-DE"),
            )
        )
        assert found.links.kind.tolist() == ["CTIS transition"]
        assert len(found.trials) == 1

    def test_a_shared_universal_trial_number_links(self):
        found = link_records(
            table(
                record("ACTRN12613001320741", secondary_ids=("U1111-1234-5678",)),
                record("RBR-8wc8rjq", secondary_ids=("UTN: U1111-1234-5678",)),
            )
        )
        assert found.links.kind.tolist() == ["shared UTN"]
        assert len(found.trials) == 1

    def test_several_nct_records_that_name_one_other_record_are_not_chained(self):
        found = link_records(
            table(
                record("ISRCTN60778781", "A programme of trials"),
                *[
                    record(f"NCT0100000{k}", f"Trial {k}", secondary_ids=("ISRCTN60778781",))
                    for k in range(1, 6)
                ],
            )
        )
        assert set(found.links.decision) == {"review"}
        assert len(found.trials) == 6

    def test_a_number_of_a_record_that_is_not_here_does_not_chain_nct_records(self):
        shared = ("EudraCT 2013-002385-39",)
        found = link_records(
            table(
                record("NCT01000001", "Core study", secondary_ids=shared),
                record("NCT01000002", "Extension study", secondary_ids=shared),
                record("ISRCTN60778781", "Another thing", secondary_ids=shared),
            )
        )
        assert not together(found, "NCT01000001", "NCT01000002")

    def test_a_grant_or_sponsor_code_alone_merges_nobody(self):
        found = link_records(
            table(
                record("NCT05160233", "Pain and sleep", secondary_ids=("R01DA047954",)),
                record("NCT04907045", "Opioids and pain", secondary_ids=("R01DA047954",)),
                record("DRKS00003681", "Kopfschmerz", secondary_ids=("99-N-0022",)),
                record("ISRCTN60778781", "Headache", secondary_ids=("99-N-0022",)),
            )
        )
        assert len(found.trials) == 4
        assert "merge" not in set(found.links.decision)

    def test_a_stated_number_that_every_field_contradicts_waits_for_a_person(self):
        found = link_records(
            table(
                record(
                    "ISRCTN60778781",
                    "Yoga for asthma in schools",
                    secondary_ids=("NCT03876054",),
                    sponsor="University of Otago",
                    enrolment=900,
                    countries=("NZL",),
                    start="2003-01-01",
                ),
                record(
                    "NCT03876054",
                    "Deep brain stimulation of the thalamus in poststroke pain",
                    sponsor="Medtronic",
                    enrolment=12,
                    countries=("USA",),
                    start="2018-05-01",
                ),
            )
        )
        assert found.links.decision.tolist() == ["review"]


def pair(title_a, title_b, **both):
    return table(record("NCT01000001", title_a, **both), record("ISRCTN60778781", title_b, **both))


FACTS = {"sponsor": "University of Otago", "enrolment": 137, "countries": ("NZL",)}


class TestTitles:
    def test_equal_titles_and_facts_merge(self):
        found = link_records(
            pair(TDCS, TDCS.replace("Transcranial", "A trial of transcranial"), **FACTS)
        )
        assert found.links.decision.tolist() == ["merge"]
        assert found.links.kind.item().startswith("title + sponsor + enrolment")

    def test_equal_titles_alone_wait_for_a_person(self):
        found = link_records(pair(TDCS, TDCS))
        assert found.links.decision.tolist() == ["review"]
        assert found.links.probability.item() <= 0.6

    def test_a_different_enrolment_does_not_veto(self):
        rows = pair(TDCS, TDCS, **FACTS)
        rows.loc[1, "enrolment"] = 3160
        assert link_records(rows).links.decision.item() in {"merge", "review"}

    def test_british_spelling_and_word_order_do_not_matter(self):
        found = link_records(
            pair(
                "Randomised trial of tumour pain treated by anaesthesia and neurostimulation",
                "Neurostimulation and anesthesia treated tumor pain: a randomized trial",
                **FACTS,
            )
        )
        assert found.links.decision.tolist() == ["merge"]

    def test_an_abbreviation_written_out_elsewhere_is_understood(self):
        spelt = "Occipital nerve stimulation (ONS) in refractory chronic cluster headache"
        found = link_records(
            table(
                record("DRKS00003681", spelt),
                record("NCT01000001", "ONS in refractory chronic cluster headache", **FACTS),
                record(
                    "ISRCTN60778781",
                    "Occipital nerve stimulation in refractory chronic cluster headache",
                    **FACTS,
                ),
            )
        )
        assert together(found, "NCT01000001", "ISRCTN60778781")

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (TDCS + " I", TDCS + " II"),
            (TDCS, TDCS + " 2"),
            (TDCS + " in adults", TDCS + " in children"),
            (TDCS + ": left hemisphere", TDCS + ": right hemisphere"),
            (TDCS + " 1 mA", TDCS + " 2 mA"),
            (TDCS + " (US)", TDCS + " (ex-US)"),
            (TDCS, "Long-term follow-up of " + TDCS),
            (TDCS, TDCS + ": extension"),
            (TDCS + " and ketamine", TDCS + " and pregabalin"),
            (TDCS + " of the knee", TDCS + " of the shoulder"),
        ],
    )
    def test_sister_trials_of_one_sponsor_are_never_merged(self, one, other):
        found = link_records(pair(one, other, **FACTS))
        assert "merge" not in set(found.links.decision)
        assert len(found.trials) == 2

    def test_the_better_fitting_record_wins_and_its_sister_is_kept_apart(self):
        found = link_records(
            table(
                record("NCT01000001", "Sarilumab for hospitalised patients with pain", **FACTS),
                record("ISRCTN60778781", "Sarilumab for hospitalized patients with pain", **FACTS),
                record("ISRCTN11111111", "Pregabalin for hospitalized patients with pain", **FACTS),
            )
        )
        assert together(found, "NCT01000001", "ISRCTN60778781")
        assert decision(found.links, "NCT01000001", "ISRCTN11111111") != "merge"

    def test_nothing_is_merged_within_one_registry_by_title(self):
        found = link_records(
            table(record("NCT01000001", TDCS, **FACTS), record("NCT01000002", TDCS, **FACTS))
        )
        assert len(found.trials) == 2

    def test_two_registrations_of_one_registry_are_not_joined_through_a_third(self):
        found = link_records(
            table(
                record("NCT01000001", TDCS, **FACTS, secondary_ids=("DRKS00003681",)),
                record("NCT01000002", TDCS, **FACTS, secondary_ids=("ISRCTN60778781",)),
                record("DRKS00003681", TDCS, **FACTS, secondary_ids=("ISRCTN60778781",)),
                record("ISRCTN60778781", TDCS, **FACTS),
            )
        )
        assert not together(found, "NCT01000001", "NCT01000002")


class TestPeople:
    def rows(self):
        return pair(TDCS, TDCS)

    def review(self, said, **other):
        row = {
            "record_a": "NCT01000001",
            "record_b": "ISRCTN60778781",
            "decision": said,
            "decided_by": "reader-1",
            "reason": "same protocol",
        }
        return pd.DataFrame([row | other]).astype("string")

    def test_a_person_merges_and_the_link_says_who(self):
        found = link_records(self.rows(), self.review("merge"))
        assert (found.links.decision.item(), found.links.decided_by.item()) == ("merge", "reader-1")
        assert len(found.trials) == 1

    def test_a_person_undoes_a_merge_and_deleting_the_row_restores_it(self):
        rows = pair(TDCS, TDCS, **FACTS)
        assert len(link_records(rows).trials) == 1
        assert len(link_records(rows, self.review("keep-apart")).trials) == 2
        assert len(link_records(rows, self.review("keep-apart").iloc[:0]).trials) == 1

    def test_a_kept_apart_pair_is_not_joined_through_a_third(self):
        third = record("DRKS00003681", TDCS, secondary_ids=("NCT01000001", "ISRCTN60778781"))
        rows = table(*self.rows().to_dict("records"), third)
        assert len(link_records(rows).trials) == 1
        apart = link_records(rows, self.review("keep-apart"))
        assert not together(apart, "NCT01000001", "ISRCTN60778781")

    def test_deleting_a_row_of_the_links_undoes_its_merge(self):
        rows = pair(TDCS, TDCS, **FACTS)
        found = link_records(rows)
        assert len(trials_of(rows, found.links)) == 1
        assert len(trials_of(rows, found.links.iloc[:0])) == 2

    def test_a_pair_that_no_rule_found_can_be_merged_by_hand(self):
        rows = pair("Stimulation du cortex", "Brain zaps for phantoms")
        found = link_records(rows, self.review("merge"))
        assert found.links.kind.item() == "by hand"
        assert len(found.trials) == 1

    def test_the_review_file_survives_reruns(self, tmp_path):
        path = tmp_path / "review.csv"
        links = link_records(self.rows()).links
        write_review(extend_review(read_review(path), links), path)
        filled = read_review(path)
        assert filled.decision.isna().all()
        filled["decision"], filled["decided_by"] = "merge", "reader-1"
        filled["reason"] = "same protocol"
        write_review(filled, path)
        again = extend_review(read_review(path), links)
        pd.testing.assert_frame_equal(again, filled, check_dtype=False)
        assert len(link_records(self.rows(), read_review(path)).trials) == 1

    def test_decisions_about_records_that_are_not_here_are_left_alone(self):
        found = link_records(self.rows(), self.review("merge", record_a="NCT09999999"))
        assert len(found.trials) == 2

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"decision": "perhaps"}, "decision 'perhaps' is not known"),
            ({"decided_by": None}, "without a person"),
            ({"record_b": "NCT01000001"}, "must name two records"),
        ],
    )
    def test_a_faulty_review_is_refused_with_its_line(self, change, words):
        with pytest.raises(InputError, match=words) as caught:
            link_records(self.rows(), self.review("merge", **change))
        assert "line 2" in str(caught.value)

    def test_two_decisions_about_one_pair_are_refused(self):
        both = pd.concat([self.review("merge"), self.review("keep-apart")], ignore_index=True)
        with pytest.raises(InputError, match="decided twice"):
            link_records(self.rows(), both)


class TestTables:
    def test_only_the_ids_are_needed(self):
        found = link_records(pd.DataFrame({"record_id": ["NCT01000001", "ISRCTN60778781"]}))
        assert found.trials.trial_id.tolist() == ["T-ISRCTN60778781", "T-NCT01000001"]

    def test_an_empty_table_makes_no_trials(self):
        found = link_records(pd.DataFrame({"record_id": pd.Series(dtype="string")}))
        assert found.links.empty
        assert found.trials.empty

    def test_a_repeated_id_is_refused(self):
        with pytest.raises(InputError, match="NCT01000001"):
            link_records(pd.DataFrame({"record_id": ["NCT01000001", "NCT01000001"]}))

    def test_clinicaltrials_gov_leads_then_the_earliest(self):
        found = link_records(
            table(
                record("ISRCTN60778781", registry="ISRCTN", registered="2010-01-01"),
                record(
                    "NCT03876054",
                    registry="ClinicalTrials.gov",
                    registered="2011-01-01",
                    secondary_ids=("ISRCTN60778781",),
                ),
            )
        )
        trial = found.trials.iloc[0]
        assert trial.lead_record_id == "NCT03876054"
        assert trial.registries == ("ClinicalTrials.gov", "ISRCTN")

    def test_pairs_are_ordered_and_rows_sorted(self):
        links = link_records(
            table(
                record("NCT03876054", secondary_ids=("ISRCTN60778781", "DRKS00003681")),
                record("ISRCTN60778781"),
                record("DRKS00003681"),
            )
        ).links
        assert (links.record_a < links.record_b).all()
        assert links.equals(links.sort_values(["record_a", "record_b"], ignore_index=True))


MANY = table(
    record("NCT01000001", TDCS, **FACTS, secondary_ids=("ISRCTN60778781",)),
    record("ISRCTN60778781", TDCS, **FACTS),
    record("DRKS00003681", TDCS + " II", **FACTS),
    record("EUCTR2015-002340-14-NL", "Spinal cord stimulation in angina", secondary_ids=()),
    record("EUCTR2015-002340-14-DE", "Rückenmarkstimulation bei Angina"),
    record("NCT01000002", "Spinal cord stimulation in refractory angina", enrolment=68),
    record("ACTRN12613001320741", "Spinal cord stimulation for refractory angina", enrolment=68),
    record("NCT01000003", "Spinal cord stimulation in refractory angina", enrolment=70),
)


EXPECTED = link_records(MANY)


@settings(max_examples=8, deadline=None)
@given(st.permutations(range(len(MANY))))
def test_the_order_of_rows_changes_nothing(order):
    expected, found = EXPECTED, link_records(MANY.iloc[order])
    pd.testing.assert_frame_equal(found.links, expected.links)
    assert found.trials.equals(expected.trials)


@settings(max_examples=8, deadline=None)
@given(st.sets(st.integers(0, len(MANY) - 1), min_size=1))
def test_every_record_is_in_exactly_one_trial(chosen):
    rows = MANY.iloc[sorted(chosen)]
    members = list(itertools.chain(*link_records(rows).trials.record_ids))
    assert sorted(members) == sorted(rows.record_id)


class TestCommand:
    @pytest.fixture
    def run(self, root, tmp_path):
        def invoke(*arguments):
            base = [str(root / "data/snapshot/ictrp-other-registries")]
            countries = ["--countries", str(root / "data/protocol/countries.csv")]
            out = ["--out", str(tmp_path / "links.csv")]
            return CliRunner().invoke(link, base + out + countries + list(arguments))

        return invoke

    def test_it_writes_links_and_trials(self, run, tmp_path):
        result = run("--trials", str(tmp_path / "trials.csv"))
        assert result.exit_code == 0, result.output
        links = read_table(tmp_path / "links.csv")
        first = ["record_a", "record_b", "kind", "evidence", "decision"]
        assert links.columns[:5].tolist() == first
        assert "ISRCTN10663814" in set(links.record_a)
        trials = read_table(tmp_path / "trials.csv", lists=("record_ids", "registries"))
        assert sum(map(len, trials.record_ids)) == 168
        assert f"{len(trials)} trials" in result.stderr

    def test_a_review_file_is_made_filled_and_obeyed(self, run, tmp_path):
        review = tmp_path / "review.csv"
        run("--review", str(review))
        write_review(
            pd.DataFrame(
                {
                    "record_a": ["ISRCTN10663814"],
                    "record_b": ["NCT06442410"],
                    "decision": ["keep-apart"],
                    "decided_by": ["reader-1"],
                    "reason": ["a test"],
                }
            ),
            review,
        )
        assert run("--review", str(review)).exit_code == 0
        links = read_table(tmp_path / "links.csv")
        assert decision(links, "ISRCTN10663814", "NCT06442410") == "keep-apart"
        assert read_review(review).decided_by.iloc[0] == "reader-1"

    def test_a_wrong_ending_is_a_usage_error(self, run):
        assert run("--trials", "trials.xlsx").exit_code == 2
