"""Labels: the right codes for real wording, with their words, by rule or by hand."""

import json

import pandas as pd
import pytest

from compendium.classification import LABEL_COLUMNS, classify_records, read_coding
from compendium.errors import InputError
from compendium.protocol import read_protocol
from compendium.tables import read_table, write_table


@pytest.fixture(scope="module")
def codebook(root):
    return read_protocol(root / "data" / "protocol").codebook


def coded(codebook, variable, **record):
    """Return the values that one record with these cells gets."""
    table = pd.DataFrame([{"record_id": "X1", **record}])
    labels = classify_records(table, codebook)
    return set(labels.loc[labels["variable"] == variable, "value"])


MODALITY = [
    ("Repetitive transcranial magnetic stimulation in fibromyalgia", {"rTMS"}),
    ("Neuronavigated rTMS for phantom limb pain", {"rTMS"}),
    ("Transcranial Magnetic Stimulation for CRPS", {"rTMS"}),
    ("Transkranielle Magnetstimulation bei Fibromyalgie", {"rTMS"}),
    ("Intermittent theta-burst stimulation (iTBS) for chronic pain", {"TBS"}),
    ("Deep TMS with the H-coil in central pain", {"deepTMS"}),
    ("Single-pulse transcranial magnetic stimulation (sTMS) for migraine", {"sTMS"}),
    ("Transcranial direct current stimulation in knee osteoarthritis", {"tDCS"}),
    ("Transkranielle Gleichstromstimulation bei Kopfschmerz", {"tDCS"}),
    ("High-Definition Transcranial Direct Current Stimulation (HD-tDCS) in TMD", {"HD-tDCS"}),
    ("tDCS in chronic pain: 4x1 HD-tDCS", {"HD-tDCS"}),
    ("Transcranial alternating current stimulation for back pain", {"tACS"}),
    ("Cranial electrotherapy stimulation with Alpha-Stim in fibromyalgia", {"CES"}),
    ("Low-intensity focused ultrasound of the insula", {"TUS"}),
    ("Spinal Cord Stimulation (SCS) for failed back surgery syndrome", {"SCS"}),
    ("Senza HF10 therapy for chronic back pain", {"SCS"}),
    ("Spinal neuromodulation for refractory angina", {"SCS"}),
    ("Transcutaneous spinal cord stimulation for low back pain", {"tSCS"}),
    ("Trans-spinal direct current stimulation (tsDCS) for pelvic pain", {"tSCS"}),
    ("Dorsal root ganglion stimulation with the Axium system", {"DRG"}),
    ("Deep Brain Stimulation of the posterior hypothalamus", {"DBS"}),
    ("Motor cortex stimulation for trigeminal neuropathic pain", {"MCS"}),
    ("tDCS of the motor cortex: motor cortex stimulation after surgery", {"tDCS"}),
    ("SPRINT Peripheral Nerve Stimulation (PNS) System", {"PNS"}),
    ("StimRouter for shoulder pain", {"PNS"}),
    ("Sacral neuromodulation for pelvic pain", {"PNS"}),
    ("Subcutaneous peripheral nerve field stimulation for back pain", {"PNFS"}),
    ("Occipital Nerve Stimulation for cluster headache", {"ONS"}),
    ("gammaCore for migraine", {"tVNS"}),
    ("Transcutaneous auricular vagus nerve stimulation (taVNS)", {"tVNS"}),
    ("Implanted vagus nerve stimulation (VNS) for fibromyalgia", {"VNS"}),
    ("Sphenopalatine ganglion stimulation for cluster headache", {"SPG"}),
    ("External trigeminal nerve stimulation with Cefaly", {"TNS"}),
    ("Cefaly tDCS for migraine", {"tDCS"}),
    ("TENS for labour pain", {"TENS"}),
    ("Electroacupuncture for neck pain", {"other"}),
    ("Pulsed radiofrequency of the dorsal root ganglion", {"other"}),
    ("Spinal cord stimulation versus dorsal root ganglion stimulation", {"SCS", "DRG"}),
    ("rTMS versus tDCS in neuropathic pain", {"rTMS", "tDCS"}),
    ("tDCS combined with transcranial ultrasound", {"tDCS", "TUS"}),
    ("Neuromodulation for chronic pain", {"other"}),
    ("Duloxetine for chronic pain", {"not stated"}),
    ("Tens of patients with pain", {"not stated"}),
    ("Exercise in patients with no spinal cord stimulator", {"not stated"}),
]


@pytest.mark.parametrize(("title", "expected"), MODALITY, ids=[title for title, _ in MODALITY])
def test_modality(codebook, title, expected):
    assert coded(codebook, "modality", public_title=title) == expected


def test_modality_is_never_read_from_criteria_or_outcomes(codebook):
    assert coded(
        codebook,
        "modality",
        public_title="Duloxetine for neuropathic pain",
        inclusion_criteria="failed spinal cord stimulation",
        exclusion_criteria="any implanted spinal cord stimulator; prior rTMS",
        primary_outcomes=("cortical excitability by transcranial magnetic stimulation",),
    ) == {"not stated"}


def test_sham_and_prior_stimulation_do_not_mislead(codebook):
    assert coded(
        codebook,
        "modality",
        public_title="Active versus sham tDCS after failed spinal cord stimulation",
        intervention_names=("active tDCS", "sham tDCS"),
    ) == {"tDCS"}


def test_a_summary_is_read_only_if_nothing_above_it_speaks(codebook):
    background = "Unlike spinal cord stimulation, deep brain stimulation is rarely used."
    assert coded(codebook, "modality", public_title="rTMS for pain", brief_summary=background) == {
        "rTMS"
    }
    assert coded(codebook, "modality", public_title="A pain study", brief_summary=background) == {
        "SCS", "DBS",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"public_title": "rTMS of the left dorsolateral prefrontal cortex"}, {"DLPFC-L"}),
        ({"public_title": "rTMS", "arm_labels": ("10 Hz over L-DLPFC", "sham")}, {"DLPFC-L"}),
        ({"public_title": "tDCS", "intervention_descriptions": ("anode over F3",)}, {"DLPFC-L"}),
        ({"public_title": "rTMS of the right DLPFC"}, {"DLPFC-R"}),
        ({"public_title": "rTMS over DLPFC"}, {"DLPFC"}),
        ({"public_title": "rTMS of motor or prefrontal cortex"}, {"M1", "PFC-other"}),
        ({"public_title": "tDCS of M1 and of the primary somatosensory cortex"}, {"M1", "S1"}),
        ({"public_title": "rTMS of the supplementary motor area"}, {"SMA"}),
        ({"public_title": "rTMS of the secondary somatosensory cortex"}, {"S2"}),
        ({"public_title": "tDCS of the visual cortex in migraine"}, {"occipital cortex"}),
        ({"public_title": "DBS of periventricular grey and thalamus"}, {"PAG/PVG", "thalamus"}),
        ({"public_title": "Deep brain stimulation of the hypothalamus"}, {"hypothalamus"}),
        ({"public_title": "SCS for back pain"}, {"spinal cord"}),
        ({"public_title": "Occipital nerve stimulation"}, {"occipital nerve"}),
        ({"public_title": "iTBS over L-DLPFC to dACC"}, {"DLPFC-L"}),
        ({"public_title": "tDCS", "primary_outcomes": ("M1 excitability",)}, {"not stated"}),
        ({"public_title": "rTMS of the auditory cortex"}, {"other"}),
    ],
)  # fmt: skip
def test_target(codebook, cells, expected):
    assert coded(codebook, "target", **cells) == expected


@pytest.mark.parametrize(
    ("title", "conditions", "expected"),
    [
        ("tDCS for pain", ("Fibromyalgia",), {"fibromyalgia/widespread"}),
        ("tDCS for pain", ("Spinal Cord Injuries",), {"neuropathic-central-SCI"}),
        ("tDCS for hand function", ("Spinal Cord Injuries",), {"other"}),
        ("tDCS in stroke with pain", ("Stroke",), {"neuropathic-central-stroke"}),
        ("PNS for shoulder pain", ("Hemiplegic Shoulder Pain",), {"musculoskeletal/OA", "other"}),
        ("SCS in pain", ("Failed Back Surgery Syndrome",), {"PSPS/FBSS"}),
        ("SCS", ("Neuropathic Pain",), {"neuropathic-peripheral"}),
        ("rTMS", ("Neuropathic Pain",), {"other"}),
        ("rTMS", ("Multiple Sclerosis", "Pain"), {"neuropathic-central-other"}),
        ("SCS", ("Diabetic Neuropathy, Painful",), {"diabetic-neuropathy"}),
        ("SCS", ("Postherpetic Neuralgia",), {"postherpetic"}),
        ("SCS", ("Refractory Angina Pectoris",), {"angina/ischaemic"}),
        ("rTMS", ("Chronic Pain",), {"chronic-pain-mixed"}),
        ("rTMS", ("Chronic Pain", "Fibromyalgia"), {"fibromyalgia/widespread"}),
        ("SCS for chronic pain of the trunk and/or limbs", ("Back Pain",),
         {"chronic-pain-mixed", "low-back/neck/radicular"}),
        ("tDCS after knee arthroplasty", ("Postoperative Pain",), {"postoperative/acute"}),
        ("tDCS", ("Chemotherapy-Induced Peripheral Neuropathy", "Pain"),
         {"neuropathic-peripheral", "cancer"}),
        ("rTMS for tinnitus", ("Tinnitus",), {"other"}),
        ("tDCS and pain perception in healthy volunteers", (), {"experimental/healthy"}),
        ("tDCS", (), {"not stated"}),
    ],
)  # fmt: skip
def test_condition(codebook, title, conditions, expected):
    assert coded(codebook, "condition", public_title=title, conditions=conditions) == expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"arm_types": ("EXPERIMENTAL", "SHAM_COMPARATOR")}, "sham"),
        ({"arm_labels": ("real", "placebo stimulation")}, "sham"),
        ({"study_type": "OBSERVATIONAL"}, "none"),
        ({"intervention_model": "SINGLE_GROUP", "number_of_arms": 1}, "none"),
        ({"arm_labels": ("SCS", "conventional medical management")}, "usual-care"),
        ({"arm_types": ("EXPERIMENTAL", "NO_INTERVENTION")}, "no-treatment"),
        ({"arm_labels": ("9 Hz", "4 Hz"), "intervention_model": "CROSSOVER"}, "dose-or-parameter"),
        ({"arm_types": ("EXPERIMENTAL", "ACTIVE_COMPARATOR")}, "active"),
        ({"allocation": "RANDOMIZED"}, "unclear"),
        ({"public_title": "A study"}, "not stated"),
    ],
)  # fmt: skip
def test_comparator(codebook, cells, expected):
    assert coded(codebook, "comparator", **cells) == {expected}


def test_labels_have_their_words_and_offsets(codebook):
    record = {
        "record_id": "X1",
        "public_title": "A trial of stimulation",
        "intervention_names": ("sham", "Deep Brain Stimulation of the thalamus"),
    }
    labels = classify_records(pd.DataFrame([record]), codebook)
    assert tuple(labels.columns) == LABEL_COLUMNS
    row = labels[labels["value"] == "DBS"].iloc[0]
    assert row["field"] == "intervention_names[1]"
    assert record["intervention_names"][1][row["start"] : row["end"]] == row["matched"]
    assert row["rule_id"] == "modality-dbs"
    assert row["made_by"] == "rule"


def test_not_stated_and_other_are_distinct_and_every_variable_is_answered(codebook):
    table = pd.DataFrame([{"record_id": "B"}, {"record_id": "A", "conditions": ("Tinnitus",)}])
    labels = classify_records(table, codebook)
    assert labels["record_id"].is_monotonic_increasing
    assert set(labels["variable"]) == set(codebook.variables)
    condition = labels[labels["variable"] == "condition"].set_index("record_id")["value"]
    assert condition.to_dict() == {"A": "other", "B": "not stated"}


def test_the_order_of_records_does_not_matter(codebook):
    table = pd.DataFrame(
        [{"record_id": name, "public_title": f"{name} rTMS"} for name in ("C", "A", "B")]
    )
    pd.testing.assert_frame_equal(
        classify_records(table, codebook), classify_records(table.iloc[::-1], codebook)
    )


def test_a_coder_outranks_the_rules_and_what_follows_says_so(codebook, tmp_path):
    sheet = tmp_path / "coder.jsonl"
    entry = {
        "nct_id": "X1", "modality": ["SCS"], "target": [], "condition": ["other:gout"],
        "target_quote": None, "comparator": "sham",
    }  # fmt: skip
    sheet.write_text(json.dumps(entry) + "\n", encoding="utf-8")
    table = pd.DataFrame(
        [
            {"record_id": "X1", "public_title": "rTMS of the motor cortex for migraine"},
            {"record_id": "X2", "public_title": "rTMS of the motor cortex for migraine"},
        ]
    )
    labels = classify_records(table, codebook, read_coding(sheet, codebook))
    seen = {(row.record_id, row.variable): (row.value, row.made_by) for row in labels.itertuples()}
    assert seen["X1", "modality"] == ("SCS", "coder-a")
    assert seen["X1", "paper_class"] == ("spinal cord", "coder-a")
    assert seen["X1", "target"] == ("not stated", "coder-a")
    assert seen["X1", "condition"] == ("other", "coder-a")
    assert seen["X2", "modality"] == ("rTMS", "rule")
    assert seen["X2", "target"] == ("M1", "rule")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ('{"modality": []}', "record_id"),
        ('{"nct_id": "N", "modality": ["XYZ"]}', "XYZ"),
    ],
)
def test_a_broken_coding_sheet_is_named_by_line(codebook, tmp_path, text, says):
    sheet = tmp_path / "coder.jsonl"
    sheet.write_text('{"nct_id": "N0"}\n' + text + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"coder\.jsonl:2") as caught:
        read_coding(sheet, codebook)
    assert says in str(caught.value)


def test_labels_survive_the_disk(codebook, tmp_path):
    labels = classify_records(
        pd.DataFrame([{"record_id": "X1", "public_title": "rTMS <script> \u202e pain"}]), codebook
    )
    back = read_table(write_table(labels, tmp_path / "labels.csv"), integers=("start", "end"))
    pd.testing.assert_frame_equal(labels, back, check_dtype=False)


def test_common_words_that_are_also_product_names_label_nothing(codebook):
    assert coded(
        codebook,
        "modality",
        public_title="Walking for people with Parkinson disease",
        brief_summary="Music may evoke walking with precision, in synergy and with freedom.",
        detailed_description="The genesis of gait; a spectra of sounds; two sprints a day.",
    ) == {"not stated"}


def test_a_long_description_cannot_outvote_the_title(codebook):
    background = (
        "Deep brain stimulation, motor cortex stimulation and transcutaneous electrical nerve "
        "stimulation have been tried. The dorsolateral prefrontal cortex and the insula take part. "
    ) * 20
    cells = {
        "public_title": "Spinal cord stimulation for complex regional pain syndrome",
        "detailed_description": background,
        "inclusion_criteria": "low back pain; fibromyalgia",
    }
    assert coded(codebook, "modality", **cells) == {"SCS"}
    assert coded(codebook, "target", **cells) == {"spinal cord"}
    assert coded(codebook, "condition", **cells) == {"CRPS"}


def test_criteria_are_read_for_the_condition_only_if_nothing_else_states_one(codebook):
    cells = {"public_title": "A new stimulator", "inclusion_criteria": "adults with migraine"}
    assert coded(codebook, "condition", **cells) == {"migraine"}
    cells["exclusion_criteria"] = "cluster headache"
    assert coded(codebook, "condition", **cells) == {"migraine"}
