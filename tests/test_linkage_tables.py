"""Tables of strangers: which columns linkage needs, and what it says of a table it cannot use."""

import numpy as np
import pandas as pd
import pytest

from compendium.errors import InputError
from compendium.linkage import link_records
from compendium.linkage.columns import days, lists
from compendium.linkage.evaluation import Run, evaluate, rule_table, title_rule
from compendium.linkage.labelled import labelled_set

TITLE = "Burst stimulation of the occipital nerve for refractory cluster headache"


def two(**columns):
    return pd.DataFrame({"record_id": ["DRKS00000012", "NCT00000011"]} | columns)


@pytest.mark.parametrize("ids", [[], ["NCT00000011"]])
def test_no_record_or_one_makes_as_many_trials(ids):
    found = link_records(pd.DataFrame({"record_id": pd.Series(ids, dtype=object)}))
    assert len(found.links) == 0
    assert found.trials.record_ids.tolist() == [(name,) for name in ids]


def test_cells_that_say_nothing_link_nobody():
    nothing = {
        name: [np.nan, None]
        for name in (
            "public_title", "scientific_title", "acronym", "sponsor", "registry", "enrolment",
            "countries", "conditions", "secondary_ids", "nct_aliases", "start", "phase",
        )
    }  # fmt: skip
    assert len(link_records(two(**nothing)).trials) == 2


def test_index_further_columns_and_types_of_cells_change_nothing():
    plain = two(
        public_title=[TITLE, TITLE],
        sponsor=["Charité Berlin", "Charité Berlin"],
        enrolment=[342, 342],
        countries=[("DEU", "FRA"), ("DEU",)],
        start=["2020-03-01", "2020-03-11"],
    )
    other = plain.assign(
        contact="nobody",
        enrolment=["342", "342.0"],
        countries=['["DEU", "FRA"]', {"DEU"}],
        start=pd.to_datetime(plain.start),
    ).set_index(pd.Index([7, 7]))
    before = other.copy(deep=True)
    expected, found = link_records(plain), link_records(other)
    drop = ["evidence"]
    pd.testing.assert_frame_equal(found.links.drop(columns=drop), expected.links.drop(columns=drop))
    assert expected.links.decision.tolist() == ["merge"]
    pd.testing.assert_frame_equal(other, before)


def test_lists_are_read_however_they_are_written():
    cells = [("a", None), ["a", np.nan], np.array(["a"]), {"a"}, '["a"]', "a", " a; ", None, np.nan]
    read = lists(pd.DataFrame({"x": pd.Series(cells, dtype=object)}), "x")
    assert read == [("a",)] * 7 + [()] * 2
    assert lists(pd.DataFrame({"x": ["China;France", "[1] note"]}), "x") == [
        ("China", "France"),
        ("[1] note",),
    ]


def test_a_time_of_day_does_not_hide_the_day():
    dates = ["2020-03-01", "2020-03-01 00:00:00", "2020-03-01T09:30:00Z", "2020-03", "2020"]
    found = days(pd.DataFrame({"start": dates}), "start")
    assert found[:3].tolist() == [18322.0] * 3
    assert found[3] == 18336.0
    assert np.isnan(found[4])


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (pd.DataFrame(), "no column is named record_id"),
        (pd.DataFrame({"TrialID": ["NCT00000011"]}), "the columns are: TrialID"),
        (two(title=[TITLE, TITLE]), "none of the columns can be compared: record_id, title"),
        (two(record_id=["NCT00000011", " "]), "row 2: 1 of 2 records have no record_id"),
        (two(record_id=[None, "NCT00000011"]), "row 1: 1 of 2 records have no record_id"),
        (two(record_id=["NCT00000011", "NCT00000011 "]), "more than once, such as NCT00000011"),
        (two(record_id=[1, "1"]), "more than once, such as 1"),
        (
            pd.DataFrame([["A", "x", "y"]], columns=["record_id", "acronym", "acronym"]),
            "two columns are named acronym",
        ),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_words(table, says):
    with pytest.raises(InputError, match=says):
        link_records(table)


def test_a_pair_that_waits_says_which_fields_contradict_it():
    found = link_records(
        two(
            public_title=[TITLE, TITLE],
            sponsor=["Charité Berlin", "Charité Berlin"],
            enrolment=[342, 342],
            phase=["PHASE3", "PHASE4"],
        )
    )
    assert found.links.decision.tolist() == ["review"]
    assert found.links.reason.tolist() == ["different phases"]


def test_a_handful_of_records_can_be_measured_too():
    # a book built from three records has no pair of sisters to try the linker on
    records = two(public_title=[TITLE, "Deep brain stimulation for pain after stroke"])
    for made in (labelled_set(records, sisters=5), labelled_set(records, simulated=0, sisters=5)):
        run = Run(made, link_records(made.records).links)
        naive = Run(made, title_rule(made.records, (90,)))
        measured = evaluate([run]).set_index("measure")
        assert measured.loc["sister trials not merged by rule", "n"] == 0
        assert rule_table((90,), [naive], naive, [run], run)["n"].tolist() == [0, 0]
