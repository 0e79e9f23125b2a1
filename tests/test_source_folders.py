"""What else lies in a folder: the same volumes once more, notes of other programs, odd headers."""

import dataclasses
import gzip
import json
import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from compendium.connectome.cleaning import Cleaning
from compendium.connectome.model import Subject
from compendium.connectome.prepare import Options, prepare
from compendium.connectome.simulate import simulate_connectome
from compendium.connectome.sources import open_connectome, recognise
from compendium.errors import InputError
from tests.connectome_layouts import (
    write_bids,
    write_cifti,
    write_gsp,
    write_leaddbs,
    write_mask,
    write_nimlab,
    write_parcellated,
)
from tests.connectomes import made_once

SPACE = "MNI152NLin6Asym"


@pytest.fixture(scope="module")
def truth():
    return made_once(simulate_connectome(resolution=10, n_subjects=2, n_runs=2, n_volumes=40))


@pytest.fixture
def xcpd(truth, tmp_path):
    return write_bids(truth, tmp_path / "xcpd", desc="denoised", space=SPACE)


@pytest.fixture
def fmriprep(truth, tmp_path):
    return write_bids(truth, tmp_path / "fmriprep", desc="preproc", space=SPACE)


@pytest.fixture
def tables(truth, tmp_path):
    write_parcellated(truth, tmp_path / "tables")
    return tmp_path / "tables"


def copied(path, old, new):
    """Copy a file beside itself under another name."""
    assert old in path.name
    return shutil.copy(path, path.with_name(path.name.replace(old, new)))


def runs_of(connectome):
    return [len(subject.runs) for subject in connectome.iter_subjects()]


def test_runs_that_are_joined_as_well_are_not_counted_twice(xcpd, tables):
    for path in xcpd.rglob("*run-1*_bold.nii.gz"):
        copied(path, "_run-1", "")
    opened = open_connectome(xcpd)
    assert runs_of(opened) == [2, 2]
    assert opened.provenance["left_out"] == [
        f"sub-sim00{n}_task-rest_space-{SPACE}_desc-denoised_bold.nii.gz: several runs joined; "
        "they are read one by one"
        for n in (1, 2)
    ]
    for path in tables.rglob("*run-1*_timeseries.tsv"):
        copied(path, "_run-1", "")
    assert runs_of(open_connectome(tables)) == [2, 2]


def test_single_echoes_are_left_out_or_refused(fmriprep):
    for path in list(fmriprep.rglob("*_bold.nii.gz")):
        for echo in "12":
            copied(path, "_space-", f"_echo-{echo}_space-")
    opened = open_connectome(fmriprep)
    assert runs_of(opened) == [2, 2]
    assert len(opened.provenance["left_out"]) == 8
    next(path for path in fmriprep.rglob("*_bold.nii.gz") if "echo" not in path.name).unlink()
    with pytest.raises(InputError, match=r"one echo of a run.*combine the echoes"):
        open_connectome(fmriprep)


@pytest.mark.parametrize("kind", ["xcpd", "gsp", "tables"])
def test_one_run_in_two_places_is_refused(truth, tmp_path, xcpd, tables, kind):
    folder = {"xcpd": xcpd, "tables": tables, "gsp": tmp_path / "gsp"}[kind]
    if kind == "gsp":
        write_gsp(truth, folder)
    path = next(
        path
        for path in folder.rglob("sub-sim001*")
        if path.name.endswith(("_bold.nii.gz", "finalmask.nii.gz", ".tsv"))
    )
    other = folder / "sub-sim001" / "backup"
    other.mkdir(parents=True)
    shutil.copy(path, other / path.name)
    with pytest.raises(InputError, match=r"the same run is there twice, also as .*sub-sim001"):
        open_connectome(folder)
    (other / path.name).unlink()
    if kind != "tables":
        nib.save(nib.load(path), path.with_suffix(""))
        with pytest.raises(InputError, match="the same run is there twice"):
            open_connectome(folder)


def test_subjects_without_a_file_that_fits_are_named(xcpd):
    shutil.rmtree(xcpd / "sub-sim002" / "func")
    assert open_connectome(xcpd).provenance["left_out"] == ["sub-sim002: no file that fits"]


def test_hidden_files_are_no_runs(truth, tmp_path, xcpd):
    path = next(xcpd.rglob("*_bold.nii.gz"))
    path.with_name(f"._{path.name}").write_bytes(b"a note of the system")
    assert runs_of(open_connectome(xcpd)) == [2, 2]
    folder = write_nimlab(truth, tmp_path / "nimlab")
    (folder / "._sim001.npy").write_bytes(b"a note of the system")
    assert open_connectome(f"{folder}?mask={write_mask(truth, tmp_path / 'm.nii')}").n_subjects == 2
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "._sub.npy").touch()
    with pytest.raises(InputError, match="no known layout"):
        recognise(empty)


def test_tables_of_several_spaces_must_be_chosen_and_bring_their_own_atlas(tables):
    other = "MNI152NLin6Asym"
    for path in list(tables.rglob("*_timeseries.tsv")):
        copied(path, "MNI152NLin2009aSym", other)
    with pytest.raises(InputError, match=r"several values of space.*choose one with space="):
        open_connectome(tables)
    atlas = next(tables.rglob("*_dseg.nii.gz"))
    image = nib.load(atlas)
    affine = image.affine.copy()
    affine[0, 3] += 8
    nib.save(
        nib.Nifti1Image(np.asarray(image.dataobj), affine),
        atlas.with_name(atlas.name.replace("MNI152NLin2009aSym", "AAA")),
    )
    with pytest.raises(InputError, match=r"which of them.*labels="):
        open_connectome(f"{tables}?space={other}")
    opened = open_connectome(f"{tables}?space=MNI152NLin2009aSym")
    np.testing.assert_allclose(opened.space.affine, image.affine)
    assert runs_of(opened) == [2, 2]


def test_an_atlas_is_not_taken_for_one_whose_name_begins_alike(tables):
    for path in tables.rglob("atlas-Pie*dseg*"):
        copied(path, "atlas-Pie", "atlas-Pie100")
    assert open_connectome(tables).name == "tables-Pie"
    for path in tables.rglob("atlas-Pie_*dseg*"):
        path.unlink()
    with pytest.raises(InputError, match=r"atlas-Pie_\*dseg.* is not in the folder"):
        open_connectome(tables)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the atlas's table cannot be read"),
        ("index\tlabel\n1\tä\n".encode("utf-16"), "the atlas's table cannot be read"),
        (b"index\tlabel\nn/a\tSlice1\n", "the index 'n/a' is no whole number"),
        (b"index\tlabel\n1.5\tSlice1\n", "the index '1.5' is no whole number"),
    ],
)
def test_a_table_of_parcels_that_cannot_serve(tables, content, reason):
    path = next(tables.rglob("*_dseg.tsv"))
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason) as caught:
        open_connectome(tables)
    assert path.name in str(caught.value)


def test_a_table_of_parcels_that_is_not_there(tables):
    with pytest.raises(InputError, match="cannot be read"):
        open_connectome(f"{tables}?table=nowhere.tsv")


def test_the_mask_of_a_run_is_found_packed_or_not(truth, fmriprep):
    path = next(fmriprep.rglob("*_bold.nii.gz"))
    mask = path.with_name(path.name.replace("preproc_bold", "brain_mask"))
    image = nib.load(mask)
    inside = np.asarray(image.dataobj).copy()
    inside[: inside.shape[0] // 3] = 0
    nib.save(nib.Nifti1Image(inside, image.affine), mask)
    half = np.isnan(open_connectome(fmriprep).load_subject("sub-sim001").runs[0]).all(axis=0).sum()
    nib.save(nib.load(path), path.with_suffix(""))
    path.unlink()
    again = open_connectome(fmriprep).load_subject("sub-sim001").runs[0]
    assert np.isnan(again).all(axis=0).sum() == half > 20


@pytest.mark.parametrize("kind", ["gsp", "nimlab"])
def test_an_image_that_does_not_say_where_it_lies_is_refused(truth, tmp_path, kind):
    folder = (write_gsp if kind == "gsp" else write_nimlab)(truth, tmp_path / kind)
    mask = write_mask(truth, tmp_path / "mask.nii.gz")
    for path in [*folder.rglob("*.nii.gz"), mask]:
        content = bytearray(gzip.decompress(path.read_bytes()))
        content[252:256] = bytes(4)  # the two codes
        path.write_bytes(gzip.compress(content))
    with pytest.raises(InputError, match=r"does not say where the image lies.*fslcpgeom"):
        open_connectome(f"{folder}?mask={mask}")


def test_a_mask_may_have_a_fourth_axis_of_one_and_must_hold_something(truth, tmp_path):
    mask = write_mask(truth, tmp_path / "mask.nii.gz")
    image = nib.load(mask)
    data = np.asarray(image.dataobj)
    nib.save(nib.Nifti1Image(data[..., None], image.affine), tmp_path / "four.nii.gz")
    nib.save(nib.Nifti1Image(np.zeros_like(data), image.affine), tmp_path / "none.nii.gz")
    nib.save(nib.Nifti1Image(np.stack([data] * 2, -1), image.affine), tmp_path / "two.nii.gz")
    gsp = write_gsp(truth, tmp_path / "gsp")
    nimlab = write_nimlab(truth, tmp_path / "nimlab")
    for folder in (gsp, nimlab):
        opened = open_connectome(f"{folder}?mask={tmp_path / 'four.nii.gz'}")
        assert opened.space.n_locations == truth.space.n_locations
        with pytest.raises(InputError, match="a mask is a 3D image, this one is 4D"):
            open_connectome(f"{folder}?mask={tmp_path / 'two.nii.gz'}")
    with pytest.raises(InputError, match="the mask holds no voxel"):
        open_connectome(f"{gsp}?mask={tmp_path / 'none.nii.gz'}")


@pytest.mark.parametrize("stated", ["n/a", [2.0], {}, -1, 0, 2000])
def test_a_repetition_time_that_is_none_is_refused(xcpd, stated):
    path = next(xcpd.rglob("*_bold.json"))
    path.write_text(json.dumps({"RepetitionTime": stated}))
    with pytest.raises(InputError, match="is no repetition time") as caught:
        list(open_connectome(xcpd).iter_subjects())
    assert path.name in str(caught.value)


@pytest.mark.parametrize("kind", ["xcpd", "tables"])
def test_a_repetition_time_that_is_mended_makes_another_store(xcpd, tables, tmp_path, kind):
    folder = {"xcpd": xcpd, "tables": tables}[kind]
    for path in folder.rglob("*_timeseries.tsv"):
        path.with_suffix(".json").write_text(json.dumps({"RepetitionTime": 2.0}))
    options = Options(Cleaning((0.01, 0.2)))
    prepare(open_connectome(folder), tmp_path / "store", options)
    for path in folder.rglob("sub-*.json"):
        path.write_text(json.dumps({"RepetitionTime": 1.2}))
    with pytest.raises(InputError, match="the source of 2 subjects changed"):
        prepare(open_connectome(folder), tmp_path / "store", options)


def test_layouts_that_do_not_state_the_repetition_time_take_it_as_an_option(truth, tmp_path):
    mask = write_mask(truth, tmp_path / "mask.nii.gz")
    lead = write_leaddbs(truth, tmp_path / "lead")
    nimlab = write_nimlab(truth, tmp_path / "nimlab")
    for source in (f"{lead}?tr=2.0", f"{nimlab}?tr=2.0&mask={mask}"):
        assert open_connectome(source).load_subject("sim-001").repetition_time == 2.0
        with pytest.raises(InputError, match="'fast' is no repetition time"):
            open_connectome(source.replace("2.0", "fast"))


def test_images_in_a_persons_own_space_are_refused(truth, tmp_path):
    folder = write_bids(truth, tmp_path / "native", desc="denoised", space="T1w")
    with pytest.raises(InputError, match="each person's own space"):
        open_connectome(folder)


def test_the_task_is_chosen_before_the_resolution(xcpd):
    path = next(xcpd.rglob("*run-1*_bold.nii.gz"))
    copied(path, "task-rest_run-1_space-", "task-pain_run-1_res-2_space-")
    assert runs_of(open_connectome(xcpd)) == [2, 2]


def test_a_hole_in_a_confound_is_named(fmriprep):
    path = next(fmriprep.rglob("*confounds*.tsv"))
    table = pd.read_csv(path, sep="\t", na_values=["n/a"])
    table.loc[17, "csf"] = np.nan
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    with pytest.raises(InputError, match="the confound csf has no number in volume 18"):
        list(open_connectome(fmriprep).iter_subjects())


def test_fmriprep_with_dense_series_is_read_by_its_volumes(truth, fmriprep, tmp_path):
    write_cifti(truth, tmp_path / "cifti")
    for path in (tmp_path / "cifti").glob("*.dtseries.nii"):
        name = path.name.replace("_desc-denoised", "")
        shutil.copy(path, fmriprep / "sub-sim001" / "func" / name)
    assert recognise(fmriprep) == "fmriprep"
    with pytest.raises(InputError, match=r"not denoised.*kind=fmriprep"):
        open_connectome(f"{fmriprep}?kind=cifti")


def test_dense_series_of_the_cortex_alone_and_of_volumes_alone(truth, tmp_path):
    write_cifti(truth, tmp_path / "cifti")
    alone = {"cortex": ["CIFTI_STRUCTURE_CORTEX_LEFT"], "volume": ["CIFTI_STRUCTURE_THALAMUS_LEFT"]}
    for kind, names in alone.items():
        (tmp_path / kind).mkdir()
        for path in (tmp_path / "cifti").glob("*.dtseries.nii"):
            image = nib.load(path)
            times, models = (image.header.get_axis(number) for number in (0, 1))
            parts = {name: (part, axis) for name, part, axis in models.iter_structures()}
            part, axis = parts[names[0]]
            data = np.asarray(image.dataobj)[:, part]
            nib.save(nib.Cifti2Image(data, header=(times, axis)), tmp_path / kind / path.name)
    with pytest.raises(InputError, match=r"the cortex alone.*parcellated tables"):
        open_connectome(tmp_path / "cortex")
    # no surface is needed where there is no cortex
    assert open_connectome(tmp_path / "volume", tmp_path / "no project").n_subjects == 2


def test_a_flat_folder_of_the_human_connectome_project_is_refused(truth, tmp_path):
    write_cifti(truth, tmp_path / "cifti")
    flat = tmp_path / "flat"
    flat.mkdir()
    path = next((tmp_path / "cifti").glob("*.dtseries.nii"))
    for run in "12":
        shutil.copy(path, flat / f"100307_rfMRI_REST{run}_LR_Atlas.dtseries.nii")
    with pytest.raises(InputError, match=r"does not say whose run.*a folder of its own"):
        open_connectome(flat)


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        ([], "is a JSON object"),
        ({"formatversion": "v2"}, "the formatversion 'v2' is no number"),
        ({"formatversion": None}, "is no number"),
        ({"subsets": [{"subs": [1]}]}, "the subsets are no list"),
        ({"subsets": [{"name": "Two", "subs": "1:3"}]}, "the subsets are no list"),
        ({"subsets": None}, "the subsets are no list"),
        ({"subsets": {"name": "Two", "subs": [0, 2]}}, "names subject 0 of 2"),
        ({"subsets": {"name": "Two", "subs": [1, 3]}}, "names subject 3 of 2"),
        ({"subsets": {"name": "Two", "subs": []}}, "names no subject"),
    ],
)
def test_descriptions_of_a_data_set_that_cannot_serve(truth, tmp_path, info, reason):
    folder = write_leaddbs(truth, tmp_path / "lead")
    (folder / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(InputError, match=reason) as caught:
        open_connectome(f"{folder}?subset=Two")
    assert "dataset_info.json" in str(caught.value)


def test_headers_of_unknown_types_and_broken_xml_are_named(truth, tmp_path):
    folder = write_gsp(truth, tmp_path / "gsp")
    path = next(folder.rglob("*.nii.gz"))
    plain = path.with_suffix("")
    nib.save(nib.load(path), plain)
    path.unlink()
    content = bytearray(plain.read_bytes())
    content[70:72] = (9999).to_bytes(2, "little")
    plain.write_bytes(content)
    with pytest.raises(InputError, match="sub-sim001: the image cannot be read"):
        open_connectome(folder)
    write_cifti(truth, tmp_path / "cifti")
    dense = next((tmp_path / "cifti").glob("*.dtseries.nii"))
    dense.write_bytes(dense.read_bytes().replace(b"<Matrix", b"<Ma\x00rix", 1))
    with pytest.raises(InputError, match="the file cannot be read"):
        open_connectome(tmp_path / "cifti")


def test_a_folder_has_a_name_from_inside_too(xcpd, monkeypatch):
    monkeypatch.chdir(xcpd)
    assert open_connectome(".").name == "xcpd"
    monkeypatch.chdir(xcpd / "sub-sim001")
    assert open_connectome("..").name == "xcpd"


def test_runs_of_several_sessions_are_one_subjects(truth, xcpd):
    func = xcpd / "sub-sim001" / "func"
    for session, run in (("1", "run-1"), ("2", "run-2")):
        own = xcpd / "sub-sim001" / f"ses-{session}" / "func"
        own.mkdir(parents=True)
        for path in func.glob(f"*{run}*"):
            path.rename(own / path.name.replace("_task", f"_ses-{session}_task"))
    assert runs_of(open_connectome(xcpd)) == [2, 2]
    first = open_connectome(xcpd).load_subject("sub-sim001").runs[0]
    assert np.isfinite(first).any(axis=0).sum() == truth.space.n_locations


@pytest.mark.parametrize("time_first", [False, True])
def test_a_square_series_of_lead_dbs_is_turned_as_its_version_says(tmp_path, time_first):
    """As many volumes as stored voxels: only the version tells which is which."""
    whole = simulate_connectome(resolution=12, n_subjects=1, n_runs=1, n_volumes=60)
    n = 60
    space = dataclasses.replace(whole.space, indices=whole.space.indices[200 : 200 + n])
    run = whole.load_subject("sim-001").runs[0][:, 200 : 200 + n]
    square = dataclasses.replace(
        whole, space=space, load_subject=lambda name: Subject(name, (run,), None)
    )
    folder = write_leaddbs(square, tmp_path / "lead", time_first=time_first)
    opened = open_connectome(folder)
    order = [
        np.linalg.norm(opened.space.coordinates - place, axis=1).argmin()
        for place in space.coordinates
    ]
    np.testing.assert_allclose(opened.load_subject("sim-001").runs[0][:, order], run, atol=1e-4)
