import pandas as pd
import pytest

from compendium.errors import InputError
from compendium.landscape import (
    ATTRIBUTES,
    in_scope,
    known_by,
    read_trial_table,
    require_trials,
    trial_labels,
    trial_table,
)
from compendium.tables import write_table

SNAPSHOTS = {"now": {"processed_date": "2020-07-28"}, "later": {"processed_date": "2026-04"}}


def world():
    records = pd.DataFrame(
        {name: pd.array([pd.NA] * 3, dtype="string") for name in ("record_id", *ATTRIBUTES)}
    )
    records["record_id"] = ["A", "B", "C"]
    records["registry"] = ["ClinicalTrials.gov", "ISRCTN", "ISRCTN"]
    records["snapshot_id"] = ["now", "later", "later"]
    records["phase"] = ["PHASE2", "PHASE3", "PHASE4"]
    records["start"] = [pd.NA, "2019-01", "2018"]
    records["enrolment"] = pd.array([pd.NA, 30, 10], dtype="Int64")
    records["countries"] = [("CAN",), (), ()]
    trials = pd.DataFrame(
        {
            "trial_id": ["T2", "T1"],
            "record_ids": [("C",), ("A", "B")],
            "registries": [("ISRCTN",), ("ClinicalTrials.gov", "ISRCTN")],
            "lead_record_id": ["C", "A"],
        }
    )
    verdicts = pd.DataFrame(
        {
            "trial_id": ["T1", "T2"],
            "decision": ["include", "unsure"],
            "decided_by": ["coder-a", "rule"],
        }
    )
    labels = pd.DataFrame(
        [
            ("A", "modality", "tDCS", "coder-a"),
            ("B", "modality", "rTMS", "rule"),
            ("A", "target", "not stated", "rule"),
            ("B", "target", "M1", "rule"),
            ("C", "modality", "SCS", "rule"),
            ("A", "condition", "not stated", "rule"),
            ("B", "condition", "not stated", "rule"),
        ],
        columns=["record_id", "variable", "value", "made_by"],
    ).astype("string")
    return trials, records, verdicts, labels


def test_a_trial_has_its_lead_record_s_facts_and_the_union_of_labels():
    table = trial_table(*world(), SNAPSHOTS)
    assert table["trial_id"].tolist() == ["T1"]
    row = table.iloc[0]
    assert (row["phase"], row["data_date"], row["registry"]) == (
        "PHASE2",
        "2020-07-28",
        "ClinicalTrials.gov",
    )
    assert pd.isna(row["start"]), "the other record's date is not borrowed"
    assert row["modality"] == ("tDCS",), "a person's code outranks a rule's on the same trial"
    assert row["modality_by"] == "coder-a"
    assert row["target"] == ("M1",)
    assert row["condition"] == ("not stated",)
    both = trial_table(*world(), SNAPSHOTS, keep=("include", "unsure"))
    assert both["trial_id"].tolist() == ["T1", "T2"]
    assert both["target"].tolist() == [("M1",), ()]


def test_a_trial_table_comes_back_from_its_file(tmp_path):
    table = trial_table(*world(), SNAPSHOTS, keep=("include", "unsure"))
    back = read_trial_table(write_table(table, tmp_path / "trial_table.csv"))
    pd.testing.assert_frame_equal(back, table, check_dtype=False)
    assert back["modality"].tolist() == [("tDCS",), ("SCS",)]
    assert str(back["enrolment"].dtype) == "Int64"


def test_evidence_is_that_of_the_labels_that_count():
    trials, _, _, labels = world()
    counted = trial_labels(trials, labels)
    modality = counted[counted["variable"] == "modality"]
    assert modality[["trial_id", "value"]].values.tolist() == [["T2", "SCS"], ["T1", "tDCS"]]


def test_a_missing_record_or_manifest_is_named():
    trials, records, verdicts, labels = world()
    with pytest.raises(InputError, match="A: no such record"):
        trial_table(trials, records.iloc[1:], verdicts, labels, SNAPSHOTS)
    with pytest.raises(InputError, match="now: no manifest"):
        trial_table(trials, records, verdicts, labels, {})


def test_scope_keeps_only_its_classes():
    trials = pd.DataFrame(
        {"trial_id": [1, 2, 3], "paper_class": [("a", "extension"), ("extension",), ("b", "a")]}
    )
    inside = in_scope(trials, ["a", "b"])
    assert inside["trial_id"].tolist() == [1, 3]
    assert inside["paper_class"].tolist() == [("a",), ("b", "a")]


def test_what_was_registered_by_a_day_is_yes_no_or_not_stated():
    registered = ["2020-07-28", "2020-07-29", "2020-07", "2020-06", "2020", "2021", pd.NA, pd.NA]
    data = ["2026-04"] * 7 + ["2020-07-28"]
    table = pd.DataFrame({"registered": registered, "data_date": data}).astype("string")
    assert known_by(table, "2020-07-28").tolist() == [
        "yes",
        "no",
        "not stated",
        "yes",
        "not stated",
        "no",
        "not stated",
        "yes",
    ]


def test_a_scope_without_trials_is_an_empty_table_with_its_columns():
    nothing = in_scope(pd.DataFrame({"trial_id": ["T"], "paper_class": [("extension",)]}), ["a"])
    assert nothing.empty
    again = in_scope(nothing, ["a"])
    assert list(again.columns) == ["trial_id", "paper_class"]


def test_nothing_included_is_nothing_to_describe():
    table = trial_table(*world(), SNAPSHOTS)
    require_trials(table)
    with pytest.raises(InputError, match="no record of these snapshots was included"):
        require_trials(table.head(0))
