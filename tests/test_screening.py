"""Screening by rule: decisions with coded reasons, unsure kept."""

import json

import pandas as pd
import pytest

from compendium.protocol import read_protocol
from compendium.screening import DECISION_COLUMNS, final_decisions, screen_records
from compendium.search.ctgov_record import study_row


@pytest.fixture(scope="module")
def eligibility(root):
    return read_protocol(root / "data" / "protocol").eligibility


def last(eligibility, **record):
    table = pd.DataFrame([{"record_id": "X1", **record}])
    row = final_decisions(screen_records(table, eligibility)).iloc[0]
    return row["decision"], row["reason"]


@pytest.mark.parametrize(
    ("title", "conditions", "expected"),
    [
        ("rTMS of the motor cortex for neuropathic pain", ("Neuralgia",), ("include", "in-scope")),
        ("RestoreSensor Study", ("Chronic Pain",), ("include", "in-scope")),
        ("Occipital nerve stimulation", ("Migraine",), ("include", "in-scope")),
        ("Transcutaneous Electrical Nerve Stimulation (TENS) for labour pain", (),
         ("exclude", "physical-currents-only")),
        ("Scrambler Therapy for back pain", (), ("exclude", "physical-currents-only")),
        ("Electroacupuncture for neuralgia", (), ("exclude", "physical-currents-only")),
        ("MR-guided HIFU for painful bone metastases", (), ("exclude", "drug-ablation-pump-only")),
        ("Ultrasound versus electrical stimulation for popliteal-sciatic nerve block",
         ("Postoperative Pain",), ("exclude", "drug-ablation-pump-only")),
        ("rTMS for chronic tinnitus", ("Tinnitus",), ("exclude", "not-about-pain")),
        ("Deep brain stimulation in Parkinson's disease", ("Parkinson Disease",),
         ("exclude", "not-about-pain")),
        ("Dexamethasone in children", ("Migraine",), ("exclude", "drug-ablation-pump-only")),
        ("Subcutaneous Botulinum Toxin for Cutaneous Allodynia", ("Pain",),
         ("exclude", "drug-ablation-pump-only")),
        ("Yoga for back pain", ("Back Pain",), ("exclude", "not-neuromodulation")),
        ("Headache drugs after ECT", ("Headache",), ("exclude", "not-neuromodulation")),
        ("Low-intensity focused ultrasound for back pain", (), ("include", "in-scope")),
        ("Electrical stimulation for shoulder pain", (), ("unsure", "stimulation-unclear")),
        ("Tibial nerve stimulation", ("Anal Fissure",), ("unsure", "pain-role-unclear")),
        ("Pulsed radiofrequency of the gasserian ganglion", ("Trigeminal Neuralgia",),
         ("unsure", "pulsed-radiofrequency-unclear")),
        ("PENS or TENS for cancer pain", ("Pain",), ("unsure", "percutaneous-currents-unclear")),
        ("Recording with a novel SCS paddle", (), ("unsure", "too-little-stated")),
    ],
)  # fmt: skip
def test_decisions(eligibility, title, conditions, expected):
    assert last(eligibility, public_title=title, conditions=conditions) == expected


def test_what_a_title_excludes_does_not_reach_the_next_stage(eligibility):
    table = pd.DataFrame(
        [
            {"record_id": "B", "public_title": "TENS for back pain"},
            {"record_id": "A", "public_title": "SCS for back pain", "conditions": ("Pain",)},
        ]
    )
    decisions = screen_records(table, eligibility)
    assert tuple(decisions.columns) == DECISION_COLUMNS
    assert list(zip(decisions["record_id"], decisions["stage"], strict=True)) == [
        ("A", "title"), ("A", "eligibility"), ("B", "title"),
    ]  # fmt: skip
    assert decisions["decision"].tolist() == ["include", "include", "exclude"]
    assert set(decisions["decided_by"]) == {"rule"}


def test_every_decision_has_a_known_reason_and_its_words(eligibility):
    table = pd.DataFrame([{"record_id": "A", "public_title": "Use of TENS in back pain"}])
    row = screen_records(table, eligibility).iloc[0]
    assert eligibility.reasons[row["reason"]].decision == row["decision"]
    title = table["public_title"][0]
    assert title[row["start"] : row["end"]] == row["matched"] == "TENS"


def test_every_reason_is_used_by_a_rule(eligibility):
    used = {rule.value for stage in eligibility.stages for rule in stage.ruleset.rules}
    assert used == set(eligibility.reasons)


def test_an_empty_record_is_decided_too(eligibility):
    decision, reason = last(eligibility)
    assert decision in ("unsure", "include", "exclude")
    assert reason in eligibility.reasons


def test_currents_given_beside_another_treatment_do_not_bring_a_record_in(eligibility):
    assert last(
        eligibility,
        public_title="Decompression with and without stretching in lumbar disc protrusion",
        conditions=("Disc Herniation",),
        intervention_names=("decompression", "stretching"),
        intervention_descriptions=("electrical nerve stimulation (TENS), then decompression",),
        primary_outcomes=("Pain",),
    ) == ("exclude", "physical-currents-only")


def test_a_registry_s_other_trials_are_not_taken_in(eligibility, shared):
    """Studies on other topics, most of them drugs or exercise, none of them neuromodulation."""
    rows = []
    for path in sorted((shared / "registry" / "native").glob("ctgov-v2-*.json")):
        rows += [study_row(study, {}) for study in json.loads(path.read_text())]
    records = pd.DataFrame(rows).drop_duplicates("record_id")
    final = final_decisions(screen_records(records, eligibility))
    assert len(final) > 200
    assert (final["decision"] == "include").mean() < 0.01
