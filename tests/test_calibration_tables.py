"""Tables, charts and markup of the calibration card."""

import numpy as np
import pandas as pd
import pytest

from compendium.agreement import confusion_table
from compendium.calibration import calibration_card
from compendium.calibration_tables import (
    aim_words,
    codebook_table,
    error_adjusted,
    exercise_records,
    label_sheet,
    summary_sheet,
    summary_table,
    three_ways,
    worked_examples,
)
from compendium.charts.classification import (
    confusion_chart,
    corrected_chart,
    kappa_chart,
    label_chart,
)
from compendium.charts.evidence import evidence_markup, evidence_words, trainer_markup
from compendium.charts.renderer import chart_markup
from compendium.classification import classify_records
from compendium.protocol import read_protocol


def labels(values, variable="modality", maker="rule"):
    rows = [(record, variable, value, maker) for record, held in values.items() for value in held]
    return pd.DataFrame(rows, columns=["record_id", "variable", "value", "made_by"])


@pytest.fixture(scope="module")
def card():
    coder = {f"R{i}": ["rTMS"] if i % 3 else ["SCS", "DRG"] for i in range(30)}
    rule = {**coder, "R1": ["SCS"], "R3": ["SCS"], "R2": []}
    return calibration_card(labels(rule), labels(coder), "modality", draws=50)


def test_the_codebook_as_a_table_counts_its_rules(root):
    table = codebook_table(read_protocol(root / "data" / "protocol").codebook, "modality")
    assert table["definition"].str.len().min() > 10
    assert table.set_index("code").loc["SCS", "paper_class"] == "spinal cord"
    assert (table["rules"] > 0).all()


def test_the_summary_says_whether_an_aim_is_met(card):
    table = summary_table([card, card._replace(variable="comparator")], {"modality": 0.99})
    assert table["met"].tolist()[0] == "no"
    assert pd.isna(table["met"].tolist()[1])
    assert summary_table([card], {"modality": 0.5})["met"].tolist() == ["yes"]
    sheet = summary_sheet(table)
    assert sheet["aim"].tolist() == ["0.99", "–"]
    assert sheet["all labels equal"].tolist()[0] == f"{card.exact} of {card.n}"


def test_a_missed_aim_names_what_loses_most(card):
    assert "missed" in aim_words(card, 0.999)
    assert "DRG" in aim_words(card, 0.999) or "rTMS" in aim_words(card, 0.999)
    assert "met" in aim_words(card, 0.1)


def test_the_label_sheet_has_every_coefficient(card):
    sheet = label_sheet(card)
    wanted = {"coder", "rules", "prevalence", "agreement", "kappa", "AC1", "precision", "recall"}
    assert wanted <= set(sheet.columns)
    assert sheet["recall"].str.contains("–").all()


@pytest.fixture(scope="module")
def shares(card):
    trials = pd.DataFrame(
        {"trial_id": [f"T{i}" for i in range(30)], "record_ids": [(f"R{i}",) for i in range(30)]}
    )
    rule = {f"R{i}": ["rTMS"] if i < 20 else ["SCS"] for i in range(30)} | {"R29": ["DBS"]}
    both = labels(rule)
    coded = labels({"R0": ["SCS"]}, maker="coder-a")
    both = pd.concat([both[both["record_id"] != "R0"], coded])
    return error_adjusted(trials, labels(rule), both, card)


def test_shares_are_counted_three_ways(shares):
    one = shares[shares["value"] == "rTMS"].set_index("way")
    assert one.loc["rules alone", "k"] == 20
    assert one.loc["coder before rules", "k"] == 19
    assert pd.isna(one.loc["rules, corrected", "k"])
    corrected = one.loc["rules, corrected"]
    assert corrected["low"] <= corrected["share"] <= corrected["high"]
    assert corrected["high"] - corrected["low"] > one.loc["rules alone"].pipe(
        lambda row: row["high"] - row["low"]
    )


def test_unmeasured_errors_are_not_corrected_for(shares):
    row = shares[(shares["value"] == "DBS") & (shares["way"] == "rules, corrected")].iloc[0]
    assert np.isnan(row["share"])
    assert three_ways(shares).set_index("value").loc["DBS", "rules, corrected"] == "errors unknown"


RECORD = {
    "record_id": "NCT1",
    "url": "https://clinicaltrials.gov/study/NCT1",
    "public_title": "rTMS <script>alert(1)</script> \u202e for migraine",
    "conditions": ("Fibromyalgia & pain",),
    "arm_labels": ("active rTMS", "sham rTMS"),
    "study_type": "INTERVENTIONAL",
    "allocation": "RANDOMIZED",
    "intervention_model": None,
}


def test_worked_examples_mark_the_words_and_escape_the_rest(root):
    codebook = read_protocol(root / "data" / "protocol").codebook
    records = pd.DataFrame([RECORD])
    made = classify_records(records, codebook)
    examples = worked_examples(records, made, ["NCT1"], ["modality", "condition"])
    assert examples["field"].iloc[0] == "public_title"
    for row in examples.itertuples():
        assert row.text[row.start : row.end]
    markup = evidence_markup(examples, {"NCT1": "a <b> comment"})
    assert "<script>" not in markup
    assert "<mark>rTMS</mark>" in markup
    assert "Fibromyalgia</mark>" in markup
    assert "&lt;b&gt;" in markup
    assert "NCT1, modality rTMS: “rTMS”" in evidence_words(examples)


def test_overlapping_words_are_marked_once_with_both_names():
    row = {"record_id": "A", "url": None, "title": "t", "field": "public_title", "text": "SCS pain"}
    examples = pd.DataFrame(
        [
            row | {"start": 0, "end": 3, "variable": "modality", "value": "SCS", "rule_id": "r"},
            row | {"start": 0, "end": 3, "variable": "target", "value": "cord", "rule_id": "s"},
        ]
    )
    markup = evidence_markup(examples)
    assert markup.count("<mark>") == 1
    assert "modality: SCS" in markup
    assert "target: cord" in markup


def test_the_exercise_is_chosen_by_id_and_not_all_of_one_kind():
    records = pd.DataFrame([{**RECORD, "record_id": f"N{i}"} for i in range(40)])
    coder = labels({f"N{i}": ["sham" if i % 2 else "active"] for i in range(40)}, "comparator")
    chosen = exercise_records(records, coder, "comparator", n=6, most=3)
    assert chosen["answer"].value_counts().to_dict() == {"sham": 3, "active": 3}
    pd.testing.assert_frame_equal(
        chosen, exercise_records(records.iloc[::-1], coder, "comparator", n=6, most=3)
    )
    markup = trainer_markup(chosen, ["sham", "active"], coder="coder A")
    assert markup.count("<select") == 6
    assert markup.count("<label") == 6
    assert "<script>" not in markup


def test_every_chart_has_words_and_few_rows(card, shares):
    summary = summary_table([card, card._replace(half="held")], {"modality": 0.9})
    summary["half"] = ["development", "held"]
    confusion = confusion_table(card.coder, card.rule)
    charts = [
        kappa_chart(summary),
        label_chart(card.labels, "modality"),
        confusion_chart(confusion, "modality"),
        corrected_chart(shares, "Trials by modality"),
    ]
    for number, chart in enumerate(charts):
        markup = chart_markup(chart, caption="n = 30", name=f"chart-{number}")
        assert "<svg" in markup
        assert len(chart.to_dict()["description"]) > 40


def test_a_chart_of_perfect_agreement_says_so():
    same = labels({"A": ["rTMS"], "B": ["SCS"]})
    card = calibration_card(same, same, "modality", draws=10)
    confusion = confusion_table(card.coder, card.rule)
    assert "They never differ" in confusion_chart(confusion, "modality").to_dict()["description"]
