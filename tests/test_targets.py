"""Targets: every row has a place, a source and a grade; plans convert; what is recalled says so."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compendium.connectome.coverage import coverage_table
from compendium.connectome.model import ParcelSpace
from compendium.connectome.seeds import place_seeds
from compendium.connectome.simulate import brain_space
from compendium.errors import InputError
from compendium.targets import (
    acpc_to_mni,
    read_pain_peaks,
    read_targets,
    site_names,
    target_table,
)


@pytest.fixture(scope="module")
def path(root) -> Path:
    return root / "data" / "protocol" / "targets.csv"


@pytest.fixture(scope="module")
def targets(path):
    return read_targets(path)


def by_id(targets):
    return {target.target_id: target for target in targets}


def test_every_target_cites_a_source_in_the_bibliography(targets, root):
    keys = set(re.findall(r"@\w+\{([^,]+),", (root / "book" / "references.bib").read_text("utf-8")))
    for target in targets:
        assert target.citation, target.target_id
        assert set(target.citation) <= keys, target.target_id


def test_bibliography_has_every_key_once(root):
    keys = re.findall(r"@\w+\{([^,]+),", (root / "book" / "references.bib").read_text("utf-8"))
    assert len(keys) == len(set(keys))


def test_what_was_recalled_is_unverified_and_nothing_else(targets):
    for target in targets:
        assert ("R" in target.evidence) == (target.verified == "unverified"), target.target_id


def test_groups_roles_and_controls_are_there(targets):
    table = target_table(targets)
    first = table[table["alternative_to"].isna()]
    counts = first.groupby(["group", "role"])["site"].nunique()
    assert counts["superficial", "analgesic"] >= 7
    assert counts["deep", "analgesic"] >= 8
    assert counts["deep", "comparison"] == 2
    assert counts["superficial", "comparison"] == 3
    assert set(first.loc[first["role"] == "control", "site"]) == {"V1", "A1", "Vertex"}


def test_conflicting_coordinates_are_kept_as_alternatives(targets):
    known = by_id(targets)
    distance = np.subtract(known["DLPFC_F3_L"].centre, known["DLPFC_F3beam_L"].centre)
    assert np.linalg.norm(distance) == pytest.approx(28.7, abs=0.1)
    assert known["DLPFC_F3beam_L"].alternative_to == "DLPFC_F3_L"
    options = {t.target_id for t in targets if t.alternative_to == "VPL_L"}
    assert {"VPL_THOMAS_L", "VPL_plan_L"} <= options
    for target in targets:
        if target.alternative_to:
            assert known[target.alternative_to].is_first_choice
            assert known[target.alternative_to].side in (target.side, "mid")
            assert target.alternative_kind


def test_left_is_left(targets):
    for target in targets:
        assert np.sign(target.x) == {"L": -1, "R": 1}.get(target.side, np.sign(target.x))
        assert target.side != "mid" or abs(target.x) < 5


def test_templates_are_told_apart_and_plans_lie_in_the_template_of_the_landmarks(targets):
    assert {target.space for target in targets} == {
        "MNI152", "MNI152NLin2009bAsym", "MNI152NLin2009cAsym",
    }  # fmt: skip
    for target in targets:
        if target.acpc_origin:
            assert target.space == "MNI152NLin2009bAsym"
            assert target.uncertainty_mm == 2


def test_pain_peaks_that_stand_for_a_target_are_marked(targets, root):
    peaks = read_pain_peaks(root / "data" / "protocol" / "pain_peaks_neurosynth_v7.csv")
    assert len(peaks) == 71
    proxies = [target for target in targets if target.proxy]
    assert {target.site for target in proxies} == {"PSI", "dACC_TMS", "Cb"}
    for target in proxies:
        if "mirror" in (target.note or ""):
            continue
        nearest = np.linalg.norm(peaks[["x", "y", "z"]].to_numpy() - target.centre, axis=1).min()
        assert nearest < 3, target.target_id


def test_all_but_one_target_can_be_placed_in_the_simulated_brain(targets):
    _, refused = place_seeds(targets, brain_space(4))
    assert [refusal.name for refusal in refused] == ["DLPFC_Fitz_L"]


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ((14, 11.5, 0, "R", "MCP"), (13.8, -23.4, -2.5)),
        ((10, 10, 0, "R", "MCP"), (9.9, -21.8, -2.7)),
        ((2, 3, -5, "R", "MCP"), (2.0, -15.2, -8.4)),
        ((2, 6, -8, "R", "MCP"), (1.9, -18.5, -11.0)),
        ((4, -2, 0, "R", "PC"), (3.8, -22.8, -2.6)),
        ((8, -1, -3, "R", "AC"), (8.3, 1.9, -8.1)),
    ],
)
def test_plans_convert_to_known_places(plan, expected):
    np.testing.assert_allclose(acpc_to_mni(*plan), expected, atol=0.06)


@given(*[st.floats(-30, 30)] * 3, *[st.floats(-30, 30)] * 3)
def test_the_conversion_keeps_distances(a, b, c, d, e, f):
    one, other = acpc_to_mni(a, b, c, "R"), acpc_to_mni(d, e, f, "R")
    assert np.linalg.norm(one - other) == pytest.approx(
        np.linalg.norm(np.subtract((a, b, c), (d, e, f))), abs=1e-9
    )


def test_commissures_lie_on_their_own_line():
    np.testing.assert_allclose(acpc_to_mni(0, 0, 0, "L", "AC"), (0.25, 1.298, -5.003))
    behind = acpc_to_mni(0, 26.189766875632934, 0, "L", "AC")
    np.testing.assert_allclose(behind, acpc_to_mni(0, 0, 0, "L", "PC"), atol=1e-9)
    with pytest.raises(InputError):
        acpc_to_mni(1, 1, 1, "mid")


def broken(path, tmp_path, change):
    table = pd.read_csv(path, dtype="string")
    table = change(table)
    table.to_csv(tmp_path / "targets.csv", index=False)
    return tmp_path / "targets.csv"


def put(column, value, row=0):
    def change(table):
        table.loc[row, column] = value
        return table

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda table: table.drop(columns="evidence"), "'evidence' is missing"),
        (put("x", "left"), "line 2.*not a number"),
        (put("x", "inf"), "line 2.*finite"),
        (put("x", pd.NA), "line 2.*'x' is empty"),
        (put("radius_mm", "0"), "line 2.*above zero"),
        (put("group", "shallow"), "line 2.*group.*superficial"),
        (put("space", "MNI305"), "line 2.*space"),
        (put("target_id", "M1_hand_R"), "line 3.*twice"),
        (put("alternative_to", "M2_hand_L"), "M2_hand_L"),
        (put("acpc_origin", "bregma"), "acpc_origin"),
    ],
)
def test_tables_that_cannot_be_meant_are_refused(path, tmp_path, change, reason):
    with pytest.raises(InputError, match=reason):
        read_targets(broken(path, tmp_path, change))


def test_coordinates_that_are_not_what_the_plan_says_are_refused(path, tmp_path):
    table = pd.read_csv(path, dtype="string")
    row = table.index[table["acpc_origin"].notna()][0]
    with pytest.raises(InputError, match="the plan converts to"):
        read_targets(broken(path, tmp_path, put("y", "0", row)))


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(InputError, match="no such table"):
        read_targets(tmp_path / "targets.csv")
    with pytest.raises(InputError, match="missing"):
        read_pain_peaks(tmp_path / "peaks.csv")


def test_coverage_says_what_holds_a_target_and_what_it_cannot_be_told_from(targets):
    labels = np.zeros((60, 60, 60), np.int32)
    labels[:30], labels[30:] = 1, 2
    table = pd.DataFrame({"value": [1, 2], "name": ["left half", "right half"]})
    affine = np.array([[3, 0, 0, -88.5], [0, 3, 0, -120], [0, 0, 3, -70], [0, 0, 0, 1.0]])
    space = ParcelSpace(labels, affine, table)
    known = by_id(targets)
    chosen = [known[name] for name in ("M1_hand_L", "DLPFC_F3_L", "M1_hand_R", "V1")]
    result = coverage_table(chosen, {"halves": space, "voxels": brain_space(8)})
    assert len(result) == 8
    halves = result[result["connectome"] == "halves"].set_index("target")
    assert halves["represented"].all()
    assert halves.loc["M1_hand_L", "same_as"] == ("DLPFC_F3_L",)
    assert halves.loc["M1_hand_L", "held_by"] == "left half 1.00"
    assert halves.loc["M1_hand_R", "same_as"] == ()
    voxels = result[result["connectome"] == "voxels"].set_index("target")
    assert voxels["held_by"].isna().all()
    assert (voxels["same_as"] == ()).all()


def test_a_refused_target_keeps_its_row_and_the_reason(targets):
    outside = by_id(targets)["DLPFC_Fitz_L"]
    row = coverage_table([outside], {"sim": brain_space(4)}).iloc[0]
    assert not row["represented"]
    assert row["coverage"] < 0.5
    assert "not represented" in row["notes"][0]


def test_a_site_is_named_once_for_both_sides_and_never_with_one(targets):
    names = site_names(targets)
    assert len(names) == len(set(names)) < len(targets)
    assert not any(name.endswith((", left", ", right")) for name in names)
    assert site_names([by_id(targets)[name] for name in ("PAG_R", "PAG_L", "dACC_TMS")]) == [
        "Periaqueductal grey",
        "Anterior midcingulate cortex, deep TMS",
    ]
