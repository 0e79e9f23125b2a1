"""The embedded sets: each trap of the packages on made-up archives, then on the real ones."""

import pickle

import numpy as np
import pytest

from compendium import datasets
from compendium.connectome.atlases import name_places, read_atlas, read_lookup
from compendium.connectome.embedded import (
    pain_connectome,
    pain_runs,
    read_mist_table,
    read_pain_events,
    rest_connectome,
)
from compendium.connectome.seeds import SeedRefusedError, Sphere, place_seed, seed_table
from compendium.errors import InputError
from tests.synthetic_wheels import AAL2_CODES, make_project, pain_series, rest_series


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("project"))


@pytest.fixture
def project(made, monkeypatch):
    monkeypatch.delenv(datasets.FOLDER_VARIABLE, raising=False)
    return made


def require(root, *sets):
    missing = [
        package.key
        for package in datasets.select(sets, root)
        if not datasets.is_cached(package, root)
    ]
    if missing:
        pytest.skip(f"not fetched: run `compendium data fetch {' '.join(missing)}`")


# On made-up archives


def test_rest_reads_each_person_once_and_lists_what_it_left_out(project):
    rest = rest_connectome(project)
    assert rest.subject_ids == (
        "gw-001", "gw-002", "gw-005", "gw-release-0.1.2-0", "hcp-101309", "hcp-280941",
    )  # fmt: skip
    left_out = rest.provenance["duplicates_left_out"]
    assert len(left_out) == 2
    assert any("10_tc.mat" in line for line in left_out)


def test_rest_series_are_raw_time_by_region_in_label_order(project):
    rest = rest_connectome(project)
    subject = rest.load_subject("gw-005")
    np.testing.assert_allclose(subject.runs[0], rest_series(3).T, rtol=1e-6)
    assert subject.runs[0].dtype == np.float32
    assert rest.space.table["value"].tolist() == AAL2_CODES[:94]
    assert rest.space.table["name"].iloc[5] == "Region5_R"
    assert rest.space.table["hemisphere"].iloc[5] == "R"
    assert "not filtered" in rest.provenance["processing"]


def test_rest_repetition_times_differ_and_one_is_called_unverified(project):
    rest = rest_connectome(project)
    assert rest.load_subject("hcp-101309").repetition_time == 0.72
    assert rest.load_subject("gw-001").repetition_time == 2.0
    assert "unverified" in rest.provenance["repetition_time"]


def test_the_sets_say_how_small_they_are_and_what_differs_within(project):
    rest, pain = rest_connectome(project), pain_connectome(project)
    for one in (rest, pain):
        assert one.provenance["sample"] == (
            f"demonstration-size normative sample, n = {one.n_subjects}"
        )
    assert "are RL runs, the other hcp-* are LR" in rest.provenance["phase_encoding"]


def test_regions_without_series_cover_nothing(project):
    space = rest_connectome(project).space
    last = np.argwhere(space.labels == AAL2_CODES[100])[0]
    centre = space.affine[:3, :3] @ last + space.affine[:3, 3]
    with pytest.raises(SeedRefusedError, match="0%"):
        place_seed(Sphere("cerebellum", tuple(centre), 2), space)


def test_mist_values_are_row_numbers_not_the_column_called_index(project):
    pain = pain_connectome(project)
    table = pain.space.table
    assert table["value"].tolist() == list(range(1, 123))
    assert table["label"].iloc[0] == "P1"
    seed = place_seed(Sphere("first", (0, 0, 0), 0.4), pain.space)
    assert seed_table([seed], pain.space)["name"].tolist() == ["P1"]


def test_mist_names_that_occur_twice_are_told_apart(project):
    table = pain_connectome(project).space.table
    assert table["name"].iloc[-2:].tolist() == ["TWIN (121)", "TWIN (122)"]
    assert table["name"].is_unique
    assert read_mist_table(b"\tindex\tlabels\tmodules\n1\t5\tA\tM\n")["name"].tolist() == ["A"]


def test_pain_runs_leave_stray_files_out_and_know_the_missing_run(project):
    pain = pain_connectome(project)
    assert pain.subject_ids == ("sub-01", "sub-02", "sub-03")
    assert pain.provenance["runs"]["sub-01"] == ["03", "07"]
    assert [len(subject.runs) for subject in pain.iter_subjects()] == [2, 3, 3]
    assert pain_runs(["resources/ex_timeseries_task/_extract_timeseries32.tsv"]) == {}


def test_global_signal_is_no_parcel_and_a_constant_parcel_is_missing(project):
    pain = pain_connectome(project)
    runs = pain.load_subject("sub-02").runs
    expected = pain_series(2, "03")[:, 1:]
    assert np.isnan(runs[1][:, 10]).all()
    np.testing.assert_allclose(
        np.delete(runs[1], 10, axis=1), np.delete(expected, 10, axis=1), rtol=1e-5
    )
    assert not np.isnan(runs[0]).any()
    assert not np.isnan(runs[2]).any()


@pytest.mark.parametrize("run", ["01", "03", "07"])
def test_event_onsets_are_counted_from_the_run(project, run):
    events = read_pain_events("sub-02", run, project)
    assert events["onset"].tolist() == pytest.approx([10.216])
    assert list(events) == ["onset", "duration", "temperature", "rating", "regulation"]
    with pytest.raises(InputError, match="sub-09"):
        read_pain_events("sub-09", run, project)


def test_loaders_can_be_sent_to_a_worker(project):
    for connectome in (rest_connectome(project), pain_connectome(project)):
        copy = pickle.loads(pickle.dumps(connectome))  # noqa: S301
        subject = connectome.subject_ids[-1]
        for one, other in zip(
            connectome.load_subject(subject).runs, copy.load_subject(subject).runs, strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_lookups_with_and_without_a_header_and_with_a_mark(project):
    assert read_lookup("\ufeff2,AV_L\n4,VA_L\n".encode())["value"].tolist() == [2, 4]
    assert read_lookup(b"Region_Index,Region_Name\n1,Pu\n")["name"].tolist() == ["Pu"]
    for name in ("THOMAS", "CIT168"):
        assert read_atlas(name, project).table["value"].tolist() == [7, 21]


def test_nuclei_that_overlap_are_drawn_once(project):
    atlas = read_atlas("Brainstem Navigator", project)
    assert atlas.table.set_index("name")["n_voxels"].to_dict() == {"PAG": 2, "DR": 1}
    assert name_places([(1, 1, 1), (1, 1, 2), (5, 5, 5), (99, 0, 0)], atlas) == [
        "PAG", "DR", None, None,
    ]  # fmt: skip


def test_unknown_atlas_and_template_are_refused(project):
    with pytest.raises(InputError, match="AAL3"):
        read_atlas("AAL9", project)
    with pytest.raises(InputError, match="NLin6Asym"):
        read_atlas("THOMAS", project, template="Talairach")


# On the real archives


def test_real_rest_set(root):
    require(root, "rest")
    rest = rest_connectome(root)
    assert rest.n_subjects == 21
    assert sum(name.startswith("hcp-") for name in rest.subject_ids) == 10
    assert len(rest.provenance["duplicates_left_out"]) == 10
    shapes = {subject.runs[0].shape for subject in rest.iter_subjects()}
    assert shapes == {(1200, 94), (355, 94)}
    assert rest.space.table["name"].iloc[[0, 93]].tolist() == ["Precentral_L", "Temporal_Inf_R"]


def test_real_rest_rows_are_the_regions_they_are_said_to_be(root):
    """The strongest partner of most regions is their twin on the other side."""
    require(root, "rest")
    rest = rest_connectome(root)
    mean = np.zeros((94, 94))
    for subject in rest.iter_subjects():
        run = subject.runs[0].astype(float)
        run = run - run.mean(axis=0)
        whole = run.mean(axis=1, keepdims=True)
        run -= whole @ (whole.T @ run) / (whole**2).sum()
        mean += np.arctanh(np.corrcoef(run.T) * (1 - np.eye(94)))
    names = rest.space.table["name"].str.replace(r"_[LR]$", "", regex=True).to_numpy()
    assert (names[mean.argmax(axis=1)] == names).mean() > 0.6


def test_real_pain_set(root):
    require(root, "pain")
    pain = pain_connectome(root)
    assert pain.n_subjects == 33
    assert pain.provenance["runs"]["sub-01"] == ["03", "07"]
    missing, n_runs, lengths = {}, 0, set()
    for subject in pain.iter_subjects():
        for run in subject.runs:
            n_runs += 1
            lengths.add(run.shape)
            for column in np.flatnonzero(np.isnan(run).any(axis=0)):
                name = pain.space.table["name"].iloc[column]
                missing[name] = missing.get(name, 0) + 1
    assert n_runs == 98
    assert lengths == {(209, 122), (191, 122)}
    assert missing == {"CER7b_l": 23, "CER9_v": 6, "CER7b_m": 4}
    twice = pain.space.table["name"][pain.space.table["label"].duplicated(keep=False)]
    assert sorted(twice) == [
        "L_IPlob (29)", "L_IPlob (34)", "PCcor (107)", "PCcor (27)", "PRC_d (32)", "PRC_d (38)",
        "SPlob (41)", "SPlob (48)",
    ]  # fmt: skip


@pytest.mark.parametrize("run", ["01", "03", "07"])
def test_real_events_begin_with_the_run(root, run):
    require(root, "pain")
    for number in range(2, 34):
        onset = read_pain_events(f"sub-{number:02d}", run, root)["onset"]
        assert 0 <= onset.min() < 30, number
        assert onset.max() < 2 * 209, number


@pytest.mark.parametrize(
    ("place", "coverage", "strongest"),
    [
        ((-38, -22, 56), 1.00, "L_MOTnet_dl"),
        ((-41, 36, 33), 0.97, "L_MFgyr_a"),
        ((-5, 20, 30), 1.00, "ACcor_d"),
        ((-18, -21, 5), 0.96, "THAL_v"),
        ((-10, 9, -9), 0.98, "CAUDNH_NACC"),
        ((-19, -6, -4), 0.72, "PUT_a"),
    ],
)
def test_known_places_fall_into_the_right_mist_parcels(root, place, coverage, strongest):
    require(root, "pain")
    space = pain_connectome(root).space
    seed = place_seed(Sphere("place", place, 6), space)
    assert seed.coverage == pytest.approx(coverage, abs=0.02)
    assert seed_table([seed], space)["name"].iloc[0] == strongest


@pytest.mark.parametrize("place", [(-4, -26, -14), (2, -15.2, -8.4), (12, -15.3, -7.4)])
@pytest.mark.parametrize("connectome", [rest_connectome, pain_connectome])
def test_brainstem_hypothalamus_and_subthalamic_nucleus_are_not_represented(
    root, connectome, place
):
    require(root, "rest", "pain")
    with pytest.raises(SeedRefusedError):
        place_seed(Sphere("deep", place, 6), connectome(root).space)


def test_real_anatomy_puts_the_nuclei_where_they_are(root):
    require(root, "anatomy")
    thalamus = read_atlas("THOMAS", root, "MNI152NLin6Asym").table.set_index("name")
    subcortex = read_atlas("CIT168", root, "MNI152NLin6Asym").table.set_index("name")
    for table, name, expected in (
        (thalamus, "VPl_L", (-17.9, -21.3, 5.3)),
        (thalamus, "CM_L", (-9.3, -20.4, 2.7)),
        (subcortex, "HTH_LH", (-5.3, -3.8, -10.3)),
        (subcortex, "NAC_LH", (-10.8, 8.0, -10.8)),
    ):
        np.testing.assert_allclose(
            table.loc[name, ["x", "y", "z"]].to_numpy(float), expected, atol=0.1
        )
    assert read_atlas("AAL3", root).n_locations == 166
    assert read_atlas("AAL2", root).n_locations == 120


@pytest.mark.slow
def test_real_brainstem_nuclei_are_where_they_are(root):
    require(root, "anatomy")
    table = read_atlas("Brainstem Navigator", root).table.set_index("name")
    assert len(table) == 66
    np.testing.assert_allclose(
        table.loc["PAG", ["x", "y", "z"]].to_numpy(float), (-0.1, -32.5, -9.0), atol=0.1
    )
