"""One connectome, all targets: placed, mapped, kept, and set against every null."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from compendium.connectome import analysis, archive, battery, networks
from compendium.connectome.collection import own_store, simulated_store
from compendium.connectome.map_files import write_maps
from compendium.connectome.prepare import prepare
from compendium.connectome.simulate import PRESETS, simulate_connectome
from compendium.errors import InputError
from compendium.files import sha256_of
from compendium.target_use import flow_curves, target_use, use_weights
from compendium.targets import read_targets
from tests.connectome_layouts import write_leaddbs


@pytest.fixture(scope="module")
def targets(root):
    return read_targets(root / "data" / "protocol" / "targets.csv")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    connectome = simulate_connectome(**PRESETS["test"])
    return prepare(connectome, tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def whole(store, targets):
    return analysis.analyse(store, targets, null_seeds_per_target=6)


def test_every_target_asked_for_has_an_outcome_and_mapped_ones_a_map(whole, targets):
    assert whole.placed["target_id"].tolist() == [t.target_id for t in targets]
    mapped = whole.placed.loc[whole.placed["outcome"] == "mapped", "target_id"]
    assert whole.targets.seeds["seed"].tolist() == mapped.tolist()
    absent = whole.placed[whole.placed["outcome"] == "not represented"]
    assert (absent["coverage"] < 0.5).all()
    assert absent["reason"].str.contains("not represented").all()
    assert whole.simulated


def test_group_maps_are_those_of_the_subjects(whole):
    z = whole.subject_z[:, 0].astype(float)
    np.testing.assert_allclose(whole.maps.z[0], z.mean(axis=0), atol=1e-5)
    t = stats.ttest_1samp(z, 0, axis=0).statistic
    outside = ~whole.maps.own[0]
    np.testing.assert_allclose(whole.maps.t[0, outside], t[outside], rtol=1e-3, atol=1e-3)


def test_random_seeds_cover_the_classes_of_the_targets(whole):
    seeds = whole.maps.seeds
    kinds = seeds.groupby("group")[["tissue", "hemisphere"]].apply(
        lambda rows: set(map(tuple, rows.to_numpy()))
    )
    wanted = kinds["superficial"] | kinds["deep"]
    assert wanted <= kinds["null"]


def test_two_targets_in_the_same_place_are_not_counted_twice(store, targets):
    first = analysis.primary_targets(targets)[0]
    twin = analysis.displaced_targets([first], 0.01, 1)[0]
    twin = type(twin)(**{**vars(twin), "target_id": "twin"})
    placed = analysis.analyse(store, [first, twin], null_seeds_per_target=0).placed
    assert placed["outcome"].tolist() == ["mapped", "not told apart"]
    assert first.target_id in placed["reason"].iloc[1]


def test_alternatives_stand_in_only_where_they_can_be_mapped(targets):
    primary = [t.target_id for t in analysis.primary_targets(targets)]
    every = {t.target_id for t in targets}
    swapped = [t.target_id for t in analysis.alternative_targets(targets, every)]
    assert len(swapped) == len(primary)
    assert swapped != primary
    assert [t.target_id for t in analysis.alternative_targets(targets, set())] == primary


def test_targets_are_moved_by_exactly_the_distance(targets):
    moved = analysis.displaced_targets(targets, 3.0, 7)
    shifts = [np.subtract(a.centre, b.centre) for a, b in zip(moved, targets, strict=True)]
    np.testing.assert_allclose(np.linalg.norm(shifts, axis=1), 3.0)


def test_an_analysis_comes_back_from_disk_as_it_was(whole, store, tmp_path):
    key = ("sim", "kept")
    archive.keep_analyses({key: whole}, {key: store.folder}, tmp_path)
    back = archive.read_analyses(tmp_path)[key]
    pd.testing.assert_frame_equal(
        back.maps.seeds.astype(str), whole.maps.seeds.astype(str), check_dtype=False
    )
    np.testing.assert_array_equal(back.maps.own, whole.maps.own)
    np.testing.assert_array_equal(back.maps.z, whole.maps.z)
    np.testing.assert_array_equal(back.subject_z, whole.subject_z)
    assert archive.store_of(tmp_path, key).digest == store.digest
    first = (tmp_path / "00" / "subject_z.npy").read_bytes()
    archive.keep_analyses({key: whole}, {key: store.folder}, tmp_path)
    assert (tmp_path / "00" / "subject_z.npy").read_bytes() == first


def test_maps_that_are_gone_are_told(store, targets, tmp_path):
    one = analysis.analyse(store, targets[:3], null_seeds_per_target=0)
    archive.keep_analyses({("sim",): one}, {("sim",): store.folder}, tmp_path)
    (one.folder / "t.npy").unlink()
    with pytest.raises(InputError, match=r"t\.npy.*gone.*run chapter 8"):
        archive.read_analyses(tmp_path)


def test_subjects_values_are_read_again_where_none_were_kept(whole, store, targets, monkeypatch):
    places = np.array([0, 5, 9])
    kept = analysis.subject_values(whole, store, targets, places)
    forgotten = replace(whole, subject_z=None)
    read = analysis.subject_values(forgotten, store, targets, places)
    assert kept.shape == read.shape == (6, len(whole.target_rows), 3)
    np.testing.assert_allclose(read, kept, atol=1e-5)
    assert len(analysis.spread_places(whole)) == whole.space.n_locations
    values = 6 * len(whole.target_rows) * whole.space.n_locations
    monkeypatch.setattr(analysis, "KEPT_VALUES", values // 4)
    assert len(analysis.spread_places(whole)) <= whole.space.n_locations / 4


def test_map_files_have_sidecars_an_index_and_the_same_bytes_again(store, targets, tmp_path):
    few = analysis.analyse(store, targets[:2], null_seeds_per_target=0, subjects=False)
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "conn-other_stats.csv").write_text("left by another connectome")
    index = write_maps({("sim",): few}, {("sim",): store}, targets, tmp_path)
    first = index.read_bytes()
    listed = json.loads(first)
    on_disk = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert on_disk == {*listed, "maps.json"}
    assert all(listed[name] == sha256_of(tmp_path / name) for name in listed)
    images = [name for name in listed if name.endswith("_stat-t_statmap.nii.gz")]
    assert len(images) == len(few.maps) == 2
    t = nib.load(tmp_path / images[0]).get_fdata()[tuple(store.space.indices.T)]
    seed = few.maps.seeds["seed"].str.replace("_", "")
    row = next(n for n, name in enumerate(seed) if f"seed-{name}_" in images[0])
    np.testing.assert_allclose(t, few.maps.t[row], rtol=1e-4, atol=1e-4)
    sidecar = json.loads(
        (tmp_path / images[0].replace("_stat-t_statmap.nii.gz", ".json")).read_text()
    )
    assert sidecar["Simulated"] is True
    assert sidecar["DegreesOfFreedom"] == {"fewest": 5, "most": 5}
    assert sidecar["Threshold"].startswith("none")
    assert write_maps({("sim",): few}, {("sim",): store}, targets, tmp_path).read_bytes() == first


def test_two_connectomes_of_ones_own_are_never_mixed(tmp_path):
    for name, seed in (("one", 1), ("two", 2)):
        mine = simulate_connectome(
            **{**PRESETS["test"], "n_subjects": 3, "n_volumes": 20}, seed=seed
        )
        write_leaddbs(mine, tmp_path / name)
    stores = tmp_path / "stores"
    found = [
        next(iter(own_store(str(tmp_path / name), stores).values()))
        for name in ("one", "two", "one")
    ]
    assert found[0].digest == found[2].digest != found[1].digest
    assert found[0].folder == found[2].folder != found[1].folder


def test_another_simulated_connectome_does_not_meet_the_folder_of_the_first(tmp_path, monkeypatch):
    first = simulated_store(tmp_path, "test")
    monkeypatch.setitem(PRESETS, "test", {**PRESETS["test"], "n_volumes": 30})
    other = simulated_store(tmp_path, "test")
    assert other.digest != first.digest
    assert simulated_store(tmp_path, "test").folder == other.folder != first.folder


def test_missing_analyses_say_which_chapter_keeps_them(tmp_path):
    with pytest.raises(InputError, match="run chapter 8"):
        archive.read_analyses(tmp_path)


def test_the_battery_holds_every_null_and_repeats_itself(whole, targets):
    pain = whole.of_targets(analysis.primary_targets(targets))
    both = whole.of_targets(
        [*analysis.primary_targets(targets), *(t for t in targets if t.role == "comparison")]
    )
    assert battery.both_kinds(both)
    assert not battery.both_kinds(pain)
    tests = battery.overlap_battery(pain, both, n_draws=120, seed=1)
    assert [t.name[:3] for t in tests] == ["(a)", "(b)", "(c)", "(d)", "(e)"]
    again = battery.overlap_battery(pain, both, n_draws=120, seed=1)
    for one, other in zip(tests, again, strict=True):
        np.testing.assert_array_equal(one.null, other.null)
    assert all(0 < t.p <= 1 for t in tests)


def test_moved_targets_overlap_differently(store, targets):
    overlaps = battery.jittered_overlap(
        store,
        analysis.primary_targets(targets),
        rule="continuous",
        millimetres=6.0,
        n_jitters=2,
        seed=1,
    )
    assert len(set(overlaps.round(6))) == 2


def test_weights_of_one_pair_give_that_pairs_similarity(whole, targets):
    pain = whole.of_targets(analysis.primary_targets(targets))
    matrix = networks.similarity(pain.maps, "continuous")
    s, d = pain.maps.rows(group="superficial")[0], pain.maps.rows(group="deep")[0]
    names = pain.maps.seeds["seed"]
    weights = pd.Series(0.0, index=names)
    weights[[names[s], names[d]]] = 1.0
    assert battery.weighted_overlap(matrix, pain, weights) == pytest.approx(matrix[s, d])


def test_trials_are_counted_for_each_coded_target_and_shared_among_its_places(targets):
    trials = pd.DataFrame(
        {
            "trial_id": ["a", "b", "c"],
            "modality": [("rTMS",), ("tDCS", "rTMS"), ("SCS",)],
            "target": [("M1",), ("M1", "DLPFC-L"), ("spinal cord",)],
        }
    )
    use = target_use(trials, targets).set_index("code")
    assert use.loc["M1", "trials"] == 2
    assert use.loc["M1", "n"] == 3
    assert use.loc["spinal cord", "targets"] == ()
    assert use.loc["M1", "low"] < 2 / 3 < use.loc["M1", "high"]
    weights = use_weights(use.reset_index(), ["M1_hand_L", "M1_hand_R", "V1"])
    np.testing.assert_allclose(weights, [0.5, 0.5, 0])
    np.testing.assert_allclose(use_weights(use.reset_index(), ["V1", "Vertex"]), [0.5, 0.5])


def test_the_flow_keeps_every_link_that_is_large_enough():
    trials = pd.DataFrame(
        {
            "modality": [("rTMS",), ("rTMS",), ("tDCS",), ("SCS",)],
            "target": [("M1",), ("M1",), ("M1",), ("spinal cord",)],
        }
    )
    known = pd.DataFrame({"code": ["M1"], "network": ["network 1"], "group": ["superficial"]})
    curves = flow_curves(trials, known, minimum=1)
    links = curves.drop_duplicates("link")
    assert links[["from", "to", "trials"]].to_numpy().tolist() == [
        ["rTMS", "M1", 2],
        ["tDCS", "M1", 1],
        ["M1", "network 1", 3],
    ]
    assert flow_curves(trials, known, minimum=9).empty


CHAPTERS = ("08_targets_and_networks", "09_overlap_and_nulls", "10_verdict")
# enough for both groups, an alternative and a target that parcels lack; every map costs a file
FEW_SITES = ("M1_hand", "DLPFC_F3", "DLPFC_F3beam", "S2", "PSI", "VPL", "CM", "NAcc", "PAG")
FEW = {
    "08_targets_and_networks": {"null_seeds_per_target": 12},
    "09_overlap_and_nulls": {"n_draws": 60, "n_bootstrap": 4, "n_jitters": 1, "n_replicates": 2},
    "10_verdict": {"n_draws": 60},
}


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["Lead-DBS", "BIDS derivatives"])
def test_the_chapters_run_on_a_persons_own_connectome(root, tmp_path, monkeypatch, layout):
    from compendium.chapters import run_chapter
    from tests.connectome_layouts import write_bids

    if not (root / "data" / "external").is_dir():
        pytest.skip("the data packages are not fetched; `compendium data fetch` does")
    mine = simulate_connectome(**PRESETS["test"])
    if layout == "Lead-DBS":
        source = write_leaddbs(mine, tmp_path / "mine")
    else:
        folder = tmp_path / "mine"
        source = write_bids(mine, folder, desc="denoised", space="MNI152NLin6Asym")
    data = tmp_path / "data"
    (data / "derived").mkdir(parents=True)
    for name in ("external", "sources.yml"):
        (data / name).symlink_to(root / "data" / name)
    shutil.copytree(root / "data" / "protocol", data / "protocol")
    targets = pd.read_csv(data / "protocol" / "targets.csv", dtype=str, keep_default_na=False)
    few = targets[targets["site"].isin(FEW_SITES) | (targets["role"] != "analgesic")]
    few.to_csv(data / "protocol" / "targets.csv", index=False)
    (data / "derived" / "trial_table.csv").write_text(
        'trial_id,modality,target\na,"[""rTMS""]","[""M1""]"\nb,"[""rTMS""]","[""M1""]"\n'
    )
    (data / "derived" / "snapshots.csv").write_text("snapshot,kind\nmine,search\n")
    # the second layout shows that any will do: one chapter is enough for that
    for name in CHAPTERS if layout == "Lead-DBS" else CHAPTERS[:1]:
        path = root / "book" / "chapters" / f"{name}.md"
        parameters = {"connectome": str(source)} | FEW[name]
        run_chapter(path, tmp_path / "executed", parameters, root=tmp_path)
    # stores are kept by their path from the project's root, which is this folder here
    monkeypatch.chdir(tmp_path)
    analyses = archive.read_analyses(data / "derived" / "analyses")
    assert {key[1] for key in analyses} == {"as supplied", "simulated"}
    listed = json.loads((data / "derived" / "maps" / "maps.json").read_text())
    mapped = sum(len(a.target_rows) for a in analyses.values() if not a.simulated)
    assert sum(name.endswith("_stat-t_statmap.nii.gz") for name in listed) == mapped
    if layout != "Lead-DBS":
        return
    tests = pd.read_csv(data / "derived" / "null_tests.csv")
    assert tests["connectome"].nunique() == 1
    assert set(tests["global_signal"]) == {"as supplied"}
    assert Path(data / "derived" / "verdict.csv").is_file()
