"""Preparing a connectome: what is kept, what is refused, and what a kill or a full disk leaves."""

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compendium.connectome import prepare as preparing
from compendium.connectome import store as store_module
from compendium.connectome.cleaning import Cleaning, clean_run
from compendium.connectome.mapping import map_seeds
from compendium.connectome.model import Subject
from compendium.connectome.prepare import Options, prepare
from compendium.connectome.series import seed_series, seed_weights
from compendium.connectome.store import open_store
from compendium.errors import InputError
from tests.connectomes import make, parcel_space, reference_z, some_seeds, voxel_space


@pytest.fixture
def tiny():
    return make(voxel_space(300), n_subjects=3)


def rows_of(store):
    return [np.array(subject.rows(), float) * store.scale for subject in store.subjects]


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# what is kept


def test_rows_are_demeaned_of_length_one_within_each_run_and_sds_are_raw(tiny, tmp_path):
    store = prepare(tiny, tmp_path / "store", Options(dtype="float32"))
    for subject, stored in zip(tiny.iter_subjects(), store.subjects, strict=True):
        for number, (run, place) in enumerate(zip(subject.runs, stored.runs, strict=True)):
            part = stored.rows()[:, place.start : place.stop]
            run = run.astype(float)
            np.testing.assert_allclose(
                part, ((run - run.mean(0)) / np.linalg.norm(run - run.mean(0), axis=0)).T, atol=1e-6
            )
            np.testing.assert_allclose(stored.sd()[:, number], run.std(axis=0, ddof=1), rtol=1e-5)
            assert (place.n_volumes, place.df) == (len(run), len(run) - 1)


def test_int16_is_within_half_a_step_and_the_manifest_says_what_it_costs(tiny, tmp_path):
    exact = rows_of(prepare(tiny, tmp_path / "exact", Options(dtype="float32")))
    store = prepare(make(voxel_space(300), n_subjects=5), tmp_path / "store")
    for one, other in zip(exact, rows_of(store), strict=False):
        assert np.abs(one - other).max() <= store.scale * 0.51
    assert store.dtype == np.int16
    cost = store.manifest["rounding"]
    assert 0 < cost["median_t"] < 0.01
    assert cost["median_t"] < cost["largest_t"]
    assert cost["subjects"] == 5


def test_half_precision_is_not_offered():
    with pytest.raises(InputError, match="int16 or float32, not float16"):
        Options(dtype="float16")


def test_a_parcel_space_comes_back_as_it_was(tmp_path):
    connectome = make(parcel_space(), n_subjects=2)
    store = prepare(connectome, tmp_path / "store")
    assert store.space.table.equals(connectome.space.table)
    np.testing.assert_array_equal(store.space.labels, connectome.space.labels)
    np.testing.assert_array_equal(store.space.affine, connectome.space.affine)


def test_the_same_data_give_the_same_bytes(tiny, tmp_path):
    prepare(tiny, tmp_path / "one")
    prepare(tiny, tmp_path / "two")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    assert str(tmp_path) not in (tmp_path / "one" / "manifest.json").read_text()


def test_the_manifest_says_simulated_and_what_was_done(tiny, tmp_path):
    options = Options(Cleaning(band=(0.01, 0.15), regress_global=True))
    store = prepare(tiny, tmp_path / "store", options)
    manifest = json.loads((tmp_path / "store" / "manifest.json").read_text())
    assert manifest["connectome"] == {
        "name": "tiny",
        "simulated": True,
        "provenance": {"made": "for a test", "seed": 0},
    }
    assert manifest["options"] == {
        "band": [0.01, 0.15],
        "regress_global": True,
    }
    run = manifest["subjects"][0]["runs"][0]
    # 60 volumes of 2 s: cosines are a 240th of a Hz apart
    inside = sum(0.01 <= number / 240 <= 0.15 for number in range(60))
    assert run == {"volumes": 60, "columns": inside, "regressors": 1, "df": inside - 1}
    assert [subject["id"] for subject in manifest["subjects"]] == list(tiny.subject_ids)
    assert manifest["columns"] == "cosine coefficients"
    assert store.simulated


# cleaning


def project_out(run, columns):
    columns = np.column_stack([np.ones(len(run)), *columns])
    return run - columns @ np.linalg.lstsq(columns, run, rcond=None)[0]


def test_global_signal_regression_is_the_least_squares_residual(tiny, tmp_path):
    cleaning = Cleaning(regress_global=True)
    store = prepare(tiny, tmp_path / "store", Options(cleaning, "float32"))
    run = tiny.load_subject("sub-01").runs[0].astype(float)
    residual = project_out(run, [run.mean(axis=1)])
    stored = store.subjects[0].rows()[:, :60]
    np.testing.assert_allclose(stored, (residual / np.linalg.norm(residual, axis=0)).T, atol=1e-5)
    assert store.subjects[0].runs[0].df == 58


def with_confounds(connectome, tables):
    def load(subject_id):
        return replace(connectome.load_subject(subject_id), confounds=tables[subject_id])

    return replace(connectome, load_subject=load)


def test_confounds_are_regressed_out_with_the_rest(tiny, tmp_path):
    rng = np.random.default_rng(3)
    tables = {name: (rng.random((60, 4)), rng.random((40, 4))) for name in tiny.subject_ids}
    cleaning = Cleaning(regress_global=True)
    store = prepare(with_confounds(tiny, tables), tmp_path / "store", Options(cleaning, "float32"))
    run = tiny.load_subject("sub-02").runs[1].astype(float)
    residual = project_out(run, [run.mean(axis=1), *tables["sub-02"][1].T])
    stored = store.subjects[1].rows()[:, 60:]
    np.testing.assert_allclose(stored, (residual / np.linalg.norm(residual, axis=0)).T, atol=1e-5)
    assert store.subjects[1].runs[1].df == 40 - 1 - 5


def test_a_regressor_for_one_volume_leaves_what_is_left_without_the_volume(tiny, tmp_path):
    """Scrubbed volumes: the same correlations and degrees of freedom as if they were cut out."""
    out = [3, 4, 17]
    spikes = {name: (np.eye(60)[:, out], np.zeros((40, 0))) for name in tiny.subject_ids}
    store = prepare(
        with_confounds(tiny, spikes), tmp_path / "store", Options(Cleaning(), "float32")
    )
    run = np.delete(tiny.load_subject("sub-01").runs[0].astype(float), out, axis=0)
    stored = store.subjects[0].rows()[:50, :60]
    np.testing.assert_allclose(stored @ stored.T, np.corrcoef(run[:, :50].T), atol=1e-5)
    assert [run.df for run in store.subjects[0].runs] == [60 - 3 - 1, 39]


def test_a_run_weighs_as_much_as_its_degrees_of_freedom_less_two(tiny, tmp_path):
    """What is regressed out of a run must lessen its part in the mean of Fisher z."""
    rng = np.random.default_rng(4)
    tables = {name: (rng.random((60, 30)), np.zeros((40, 0))) for name in tiny.subject_ids}
    store = prepare(with_confounds(tiny, tables), tmp_path / "store")
    weights = seed_weights(some_seeds(store.space), store.space)
    series = seed_series(store, store.subjects[0], weights, "fisher-z")
    first, second = 60 - 3 - 30, 40 - 3
    np.testing.assert_allclose(series.weights[0], first / (first + second), rtol=1e-6)
    series = seed_series(store, store.subjects[0], weights, "mean-r")
    np.testing.assert_allclose(series.weights, 0.5)


def test_a_confound_that_repeats_others_costs_nothing():
    rng = np.random.default_rng(5)
    run, two = rng.standard_normal((50, 4)), rng.standard_normal((50, 2))
    repeated = np.column_stack([two, two.sum(axis=1), np.ones(50)])  # the mean is counted already
    clean = clean_run(run, Cleaning(), confounds=repeated)
    assert (clean.n_regressors, clean.df) == (2, 50 - 1 - 2)


@settings(max_examples=20, deadline=None)
@given(
    n=st.integers(40, 90),
    low=st.floats(0, 0.05),
    width=st.floats(0.12, 0.2),
    confounds=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_a_band_keeps_every_correlation_of_the_filtered_series(n, low, width, confounds, seed):
    """Coefficients are a rotation: r is that of the series filtered and cleaned in time."""
    from scipy.fft import dct, idct

    rng = np.random.default_rng(seed)
    run = rng.standard_normal((n, 6)).cumsum(axis=0) + 1000
    extra = rng.standard_normal((n, confounds))
    clean = clean_run(run, Cleaning((low, low + width)), 2.0, extra)
    frequency = np.arange(n) / (2 * n * 2.0)
    inside = (frequency >= low) & (frequency <= low + width) & (frequency > 0)

    def filtered(columns):
        return idct(dct(columns, axis=0, norm="ortho") * inside[:, None], axis=0, norm="ortho")

    series, regressors = filtered(run), filtered(extra)
    if confounds:
        series = series - regressors @ np.linalg.lstsq(regressors, series, rcond=None)[0]
    unit, sd = clean.block(0, 6)
    np.testing.assert_allclose(unit.T @ unit, np.corrcoef(series.T), atol=1e-8)
    np.testing.assert_allclose(sd, series.std(axis=0, ddof=1), rtol=1e-8)
    assert clean.df == inside.sum() - confounds
    assert clean.n_columns == inside.sum() < n


def test_a_band_needs_the_time_between_volumes(tiny, tmp_path):
    def timeless(subject_id):
        return replace(tiny.load_subject(subject_id), repetition_time=None)

    with pytest.raises(InputError, match=r"subject sub-01, run 1: a band in Hz needs the time"):
        prepare(
            replace(tiny, load_subject=timeless),
            tmp_path / "store",
            Options(Cleaning(band=(0.01, 0.1))),
        )
    with pytest.raises(InputError, match=r"0\.1 to 0\.01 Hz is empty"):
        Cleaning(band=(0.1, 0.01))


# bad input: a precise message with the subject, and nothing half-written


def spoiled(change):
    return make(voxel_space(300), n_subjects=3, spoil=change)


def second(change):
    def spoil(number, runs):
        if number == 2:
            change(runs)

    return spoiled(spoil)


BAD = {
    "3 volumes": (
        lambda runs: runs.__setitem__(1, runs[1][:3]),
        r"subject sub-02, run 2: 3 volumes leave 2 degrees of freedom, at least 10",
    ),
    "another grid": (
        lambda runs: runs.__setitem__(0, runs[0][:, :299]),
        r"subject sub-02, run 1: 299 locations, the connectome has 300",
    ),
    "one volume": (
        lambda runs: runs.__setitem__(0, runs[0][0]),
        r"subject sub-02, run 1: a run is a table .* this is 1D",
    ),
    "text": (
        lambda runs: runs.__setitem__(0, runs[0].astype(object)),
        r"subject sub-02, run 1: a run is a table .* of type object",
    ),
    "no signal": (
        lambda runs: runs[0].fill(np.nan),
        r"subject sub-02, run 1: no location has a signal",
    ),
    "constant": (
        lambda runs: runs[0].fill(7.0),
        r"subject sub-02, run 1: no location has a signal",
    ),
    "no runs": (lambda runs: runs.clear(), r"sub-02: the subject has no runs"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_subject_is_named_and_leaves_nothing_half_written(kind, tmp_path):
    change, message = BAD[kind]
    with pytest.raises(InputError, match=message):
        prepare(second(change), tmp_path / "store")
    left = files_of(tmp_path / "store")
    assert "subjects/sub-01.json" in left
    assert not [name for name in left if "sub-02" in name or "/." in name]
    with pytest.raises(InputError, match="no finished store"):
        open_store(tmp_path / "store")


def test_confounds_that_do_not_fit_are_refused(tiny, tmp_path):
    for tables, message in [
        ((np.ones((60, 2)),), "sub-01: 1 tables of confounds for 2 runs"),
        ((np.ones((59, 2)), np.ones((40, 2))), "run 1: the confounds are not a table of 60"),
        ((np.full((60, 2), np.nan), np.ones((40, 2))), "run 1: the confounds are not a table"),
    ]:
        with pytest.raises(InputError, match=message):
            prepare(with_confounds(tiny, dict.fromkeys(tiny.subject_ids, tables)), tmp_path / "s")


def test_two_subjects_of_one_name_are_refused(tiny, tmp_path):
    for names in (("sub-01", "sub-01"), ("sub-01", "SUB-01"), ("sub/01", "sub-01")):
        with pytest.raises(InputError, match="two subjects have the same identifier"):
            prepare(replace(tiny, subject_ids=names), tmp_path / "store")
    with pytest.raises(InputError, match="no subjects"):
        prepare(replace(tiny, subject_ids=()), tmp_path / "store")


def test_the_need_is_announced_before_anything_large_is_written(tiny, tmp_path):
    said = []

    def listen(text):
        said.append((text, list((tmp_path / "store").rglob("*.npy"))))

    prepare(tiny, tmp_path / "store", announce=listen)
    (text, written), *more = said
    assert not more
    assert not written
    assert "3 subjects of 3" in text
    assert "GB are free" in text


def test_a_disk_that_is_too_small_is_refused_at_once(tiny, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**20))
    with pytest.raises(InputError, match=r"about .* are needed and 0\.00 GB are free"):
        prepare(tiny, tmp_path / "store")
    assert set(files_of(tmp_path / "store")) == {"preparing.json"}


def test_a_disk_that_fills_up_leaves_whole_subjects_and_can_be_gone_on_with(
    tiny, tmp_path, monkeypatch
):
    calls = []
    real = preparing._rows

    def filling(*arguments):
        calls.append(1)
        for number, block in enumerate(real(*arguments)):
            if len(calls) == 2 and number == 0:
                yield block
                raise OSError(errno.ENOSPC, "No space left on device")
            yield block

    monkeypatch.setattr(preparing, "_rows", filling)
    with pytest.raises(InputError, match=r"the disk is full .* it goes on where it stopped"):
        prepare(tiny, tmp_path / "store")
    left = files_of(tmp_path / "store")
    assert {name for name in left if "sub-" in name} == {
        "subjects/sub-01.npy",
        "subjects/sub-01.json",
        "sd/sub-01.npy",
        "probes/sub-01.npy",
    }
    prepare(tiny, tmp_path / "store")
    assert len(calls) == 4
    monkeypatch.setattr(preparing, "_rows", real)
    prepare(tiny, tmp_path / "afresh")
    assert files_of(tmp_path / "store") == files_of(tmp_path / "afresh")


KILLED = """
import sys, time
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from tests.connectomes import make, voxel_space
from compendium.connectome.prepare import prepare
from dataclasses import replace
tiny = make(voxel_space(300), n_subjects=3)
def slow(subject_id):
    if subject_id == "sub-03":
        print("third", flush=True)
        time.sleep(60)
    return tiny.load_subject(subject_id)
prepare(replace(tiny, load_subject=slow), Path(sys.argv[1]))
"""


def test_a_killed_preparation_goes_on_where_it_stopped(tiny, tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "store"), str(Path(__file__).parents[1])],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdout.readline() == b"third\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    (tmp_path / "store" / "subjects" / ".sub-03.npy.leftover").write_bytes(b"half")
    before = (tmp_path / "store" / "subjects" / "sub-01.npy").stat().st_mtime_ns
    time.sleep(0.01)
    store = prepare(tiny, tmp_path / "store")
    assert (tmp_path / "store" / "subjects" / "sub-01.npy").stat().st_mtime_ns == before
    assert store.digest == prepare(tiny, tmp_path / "afresh").digest


def test_a_finished_store_is_returned_and_other_options_are_refused(tiny, tmp_path):
    first = prepare(tiny, tmp_path / "store")

    def fail(subject_id):
        raise AssertionError(subject_id)

    again = prepare(replace(tiny, load_subject=fail), tmp_path / "store")
    assert again.digest == first.digest
    for options in (Options(dtype="float32"), Options(Cleaning(regress_global=True))):
        with pytest.raises(InputError, match="other data or with other options"):
            prepare(tiny, tmp_path / "store", options)
    with pytest.raises(InputError, match="other data or with other options"):
        prepare(make(voxel_space(300), n_subjects=3, seed=8), tmp_path / "store")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="the folder holds something else"):
        prepare(tiny, tmp_path / "full")


def test_a_source_that_changed_is_noticed(tiny, tmp_path):
    source = tmp_path / "sub-01.nii"
    source.write_text("before")
    connectome = replace(tiny, sources={"sub-01": (source,)})
    store = prepare(connectome, tmp_path / "store")
    assert store.manifest["subjects"][0]["sources"][0]["name"] == "sub-01.nii"
    source.write_text("after")
    with pytest.raises(InputError, match=r"the source of 1 subjects changed .*first: sub-01"):
        prepare(connectome, tmp_path / "store")
    source.unlink()
    with pytest.raises(InputError, match=r"sub-01\.nii: a file of subject sub-01 is missing"):
        prepare(connectome, tmp_path / "store")


# a store that was damaged


def test_a_missing_or_cut_file_is_named(tiny, tmp_path):
    prepare(tiny, tmp_path / "store")
    path = tmp_path / "store" / "subjects" / "sub-02.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(InputError, match=r"sub-02\.npy: the file of subject sub-02 has \d+ bytes"):
        open_store(tmp_path / "store")
    path.unlink()
    with pytest.raises(InputError, match=r"sub-02\.npy: the file of subject sub-02 is missing"):
        open_store(tmp_path / "store")
    (tmp_path / "store" / "manifest.json").unlink()
    store = prepare(tiny, tmp_path / "store")
    assert path.read_bytes() == whole
    path.write_bytes(whole[: len(whole) // 2])  # after opening
    with pytest.raises(InputError, match="the file of subject sub-02 is gone or ends too early"):
        map_seeds(store, some_seeds(tiny.space, 1, 3))


def test_a_manifest_or_mask_that_was_edited_is_refused(tiny, tmp_path):
    prepare(tiny, tmp_path / "store")
    manifest = tmp_path / "store" / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"df": 59', '"df": 99'))
    with pytest.raises(InputError, match="changed by hand"):
        open_store(tmp_path / "store")
    manifest.write_text(text[:50])
    with pytest.raises(InputError, match="not JSON"):
        open_store(tmp_path / "store")
    manifest.write_text("{}")
    with pytest.raises(InputError, match="not a store of this version"):
        open_store(tmp_path / "store")
    manifest.write_text(text)
    indices = tmp_path / "store" / "space" / "indices.npy"
    np.save(indices, np.load(indices)[::-1])
    with pytest.raises(InputError, match="the mask, the labels or their order"):
        open_store(tmp_path / "store")
    np.save(indices, np.array([{}]), allow_pickle=True)
    with pytest.raises(InputError, match="the space cannot be read"):
        open_store(tmp_path / "store")


def test_a_subject_of_one_run_is_a_subject(tmp_path):
    one = make(voxel_space(300), n_subjects=4)

    def load(subject_id):
        subject = one.load_subject(subject_id)
        return Subject(subject.id, subject.runs[: 1 + (subject_id != "sub-03")], 2.0)

    connectome = replace(one, load_subject=load)
    seeds = some_seeds(one.space, 2, 4)
    maps = map_seeds(prepare(connectome, tmp_path / "store", Options(dtype="float32")), seeds)
    np.testing.assert_allclose(maps.mean_z, reference_z(connectome, seeds).mean(axis=0), atol=1e-5)


@pytest.mark.parametrize("near", [0, 5_000, 1_000_000])
@pytest.mark.parametrize("span", [0, 9_000, 1_000_000])
def test_rows_that_will_be_read_are_asked_for(tmp_path, monkeypatch, near, span):
    monkeypatch.setattr(store_module, "NEAR", near)
    monkeypatch.setattr(store_module, "SPAN", span)
    store = prepare(make(voxel_space(400), n_subjects=1), tmp_path / "store")
    subject = store.subjects[0]
    row_bytes = subject.dtype.itemsize * subject.n_columns
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(
        os, "posix_fadvise", lambda _, place, size, __: asked.append((place, place + size))
    )
    for count in (1, 7, 90, 400):
        asked.clear()
        places = np.sort(np.random.default_rng(count).permutation(400)[:count])
        np.testing.assert_array_equal(subject.rows_at(places), subject.rows())
        begins = subject.offset + places * row_bytes
        for begin in begins.tolist():
            assert any(low <= begin and begin + row_bytes <= high for low, high in asked)
        assert max(high - low for low, high in asked) <= span + 2 * row_bytes
        assert all(low in begins for low, _ in asked)


def test_a_cut_file_is_named_when_its_rows_are_to_be_read(tmp_path):
    store = prepare(make(voxel_space(400), n_subjects=1), tmp_path / "store")
    subject = store.subjects[0]
    places = np.array([0, 1, 2, 7, 9, 10, 398, 399])
    assert subject.rows_at(np.array([], int)).shape == (400, subject.n_columns)
    with subject.path.open("r+b") as stream:
        stream.truncate(subject.path.stat().st_size - 8)
    with pytest.raises(InputError, match=f"{subject.id} is gone or ends too early"):
        subject.rows_at(places)
    subject.path.unlink()
    with pytest.raises(InputError, match="is gone"):
        subject.rows_at(places)


# what is taken out, and what is then left


def test_a_regressor_outside_the_band_takes_nothing_and_costs_nothing():
    """fMRIPrep's slow cosines lie below a usual band: in it they are rounding, no series."""
    rng = np.random.default_rng(7)
    n = 200
    slow = np.column_stack([np.cos(np.pi * (np.arange(n) + 0.5) * k / n) for k in range(1, 7)])
    run = rng.standard_normal((n, 50))
    plain = clean_run(run, Cleaning((0.02, 0.1)), 2.0)
    for scale in (1, 1e6, 1e-6):
        clean = clean_run(run, Cleaning((0.02, 0.1)), 2.0, scale * slow)
        assert (clean.n_regressors, clean.df) == (0, plain.df)
        np.testing.assert_array_equal(clean.block(0, 50)[0], plain.block(0, 50)[0])
    # nor does a constant, whose mean is not a number of few digits
    assert clean_run(run, Cleaning(), confounds=np.full((n, 1), 7.7)).n_regressors == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_location_whose_signal_was_all_taken_out_is_missing(tmp_path, dtype):
    """The edge of a brain that moved: zero but for the volumes that are scrubbed."""

    def spoil(number, runs):
        for run in runs:
            run[:, 5:45] = 0
            run[0, 5:45] = np.linspace(500, 900, 40)

    space = voxel_space(300)
    moved = make(space, n_subjects=3, spoil=spoil)
    first = {name: (np.eye(60)[:, :1], np.eye(40)[:, :1]) for name in moved.subject_ids}
    store = prepare(with_confounds(moved, first), tmp_path / "store")
    assert store.missing()[5:45].tolist() == [6] * 40
    assert store.manifest["locations_missing_somewhere"] == 40
    assert not store.subjects[0].rows()[5:45].any()
    # and one that moves at other frequencies than the band keeps
    time = np.arange(200)
    run = np.random.default_rng(0).standard_normal((200, 3)).astype(dtype)
    run[:, 1] = 1000 + np.cos(np.pi * (time + 0.5) * 2 / 200)
    unit, sd = clean_run(run, Cleaning((0.02, 0.1)), 2.0).block(0, 3)
    assert np.isnan(sd).tolist() == [False, True, False]
    assert not unit[:, 1].any()


def test_the_need_of_a_band_is_what_the_band_keeps(tiny, tmp_path):
    said = []
    store = prepare(tiny, tmp_path / "store", Options(Cleaning((0.01, 0.1))), announce=said.append)
    stored = sum(path.stat().st_size for path in (tmp_path / "store" / "subjects").glob("*.npy"))
    per_subject = float(said[0].split("(")[1].split(" MB")[0])
    assert per_subject * 3 * 1e6 == pytest.approx(stored, abs=3 * 1e5)
    assert store.subjects[0].n_columns < 50


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"files": 3}', b"\xff\xfe"])
def test_a_damaged_entry_of_a_subject_is_made_anew(tiny, tmp_path, content):
    whole = prepare(tiny, tmp_path / "store")
    (tmp_path / "store" / "manifest.json").unlink()
    (tmp_path / "store" / "subjects" / "sub-02.json").write_bytes(content)
    assert prepare(tiny, tmp_path / "store").digest == whole.digest


def test_a_damaged_plan_is_named(tiny, tmp_path):
    prepare(tiny, tmp_path / "store")
    (tmp_path / "store" / "preparing.json").write_bytes(b'{"format": ')
    with pytest.raises(InputError, match=r"preparing\.json: the note .* is damaged"):
        prepare(tiny, tmp_path / "store")


def test_probes_that_were_deleted_are_made_anew(tmp_path):
    connectome = make(voxel_space(300))
    whole = prepare(connectome, tmp_path / "store")
    shutil.rmtree(tmp_path / "store" / "probes")
    (tmp_path / "store" / "manifest.json").unlink()
    assert prepare(connectome, tmp_path / "store").digest == whole.digest


def test_subjects_that_are_all_the_same_have_no_error_in_t(tmp_path):
    connectome = make(voxel_space(300))
    same = replace(
        connectome,
        load_subject=lambda name: replace(connectome.load_subject("sub-01"), id=name),
    )
    store = prepare(same, tmp_path / "store")
    assert store.manifest["rounding"] is None
    text = (tmp_path / "store" / "manifest.json").read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_a_long_preparation_shows_how_far_it_is(tiny, tmp_path, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", screen)
    prepare(tiny, tmp_path / "quiet")
    assert screen.getvalue() == ""
    prepare(tiny, tmp_path / "store", progress=True)
    assert "preparing tiny: 100%" in screen.getvalue()
