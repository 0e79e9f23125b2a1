"""Seed maps against a reference that does one correlation at a time, nilearn, and known truth."""

import errno
import json
import os
import resource
import shutil
from contextlib import contextmanager
from itertools import pairwise

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compendium.connectome import mapping
from compendium.connectome.kernel import Kernel
from compendium.connectome.mapping import group_moments, map_seeds, map_shard, subject_maps
from compendium.connectome.moments import Moments
from compendium.connectome.outputs import map_image, save_maps, save_subject_maps
from compendium.connectome.prepare import Options, prepare
from compendium.connectome.scale import local_workers
from compendium.connectome.seeds import Seed, Sphere, place_seed, seed_matrix
from compendium.connectome.series import SeriesFile, seed_series, seed_weights
from compendium.connectome.simulate import simulate_connectome
from compendium.connectome.store import open_store
from compendium.errors import InputError
from tests.connectomes import make, parcel_space, reference_t, reference_z, some_seeds, voxel_space


@pytest.fixture(scope="module")
def tiny():
    return make(voxel_space())


@pytest.fixture(scope="module")
def seeds(tiny):
    return some_seeds(tiny.space)


@pytest.fixture(scope="module")
def exact(tiny, tmp_path_factory):
    return prepare(tiny, tmp_path_factory.mktemp("exact"), Options(dtype="float32"))


@pytest.fixture(scope="module")
def rounded(tiny, tmp_path_factory):
    return prepare(tiny, tmp_path_factory.mktemp("rounded"))


def outside(space, seeds):
    return (seed_matrix(seeds, space) > 0).toarray() == 0


@pytest.mark.parametrize("rule", ["fisher-z", "mean-r"])
def test_the_float32_store_gives_the_reference_to_a_hundred_thousandth(tiny, exact, seeds, rule):
    z = reference_z(tiny, seeds, rule)
    maps = map_seeds(exact, seeds, rule=rule, cache=False)
    np.testing.assert_allclose(maps.mean_z, z.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(maps.sd, z.std(axis=0, ddof=1), atol=1e-5)
    np.testing.assert_allclose(maps.t, reference_t(z), atol=2e-3)
    assert (maps.n == 6).all()
    assert (maps.df == 5).all()


@pytest.mark.parametrize("rule", ["fisher-z", "mean-r"])
def test_many_runs_of_equal_and_other_lengths_give_the_reference(tmp_path, rule):
    """Runs of one weight share a logarithm, also where each of them correlates perfectly."""
    runs = (*[30] * 8, 45, 45, 20, 45)
    connectome = make(voxel_space(300), n_subjects=3, volumes=runs)
    itself = Seed("one voxel", np.array([5]), np.array([1.0]), 1.0)
    seeds = [*some_seeds(connectome.space), itself]
    store = prepare(connectome, tmp_path / "store", Options(dtype="float32"))
    maps = map_seeds(store, seeds, rule=rule, cache=False)
    z = reference_z(connectome, seeds, rule).mean(axis=0)
    away = outside(connectome.space, [itself])[0]
    np.testing.assert_allclose(maps.mean_z[:, away], z[:, away], atol=1e-5)
    # 1 - |r| is held to a millionth, which float32 knows to a twentieth only
    np.testing.assert_allclose(maps.mean_z[3, 5], z[3, 5], atol=0.05)


def test_the_int16_store_gives_t_to_a_fiftieth(tiny, rounded, seeds):
    z = reference_z(tiny, seeds)
    maps = map_seeds(rounded, seeds, cache=False)
    away = outside(tiny.space, seeds) & (np.abs(reference_t(z)) < 100)
    assert away.mean() > 0.95
    assert np.abs(maps.t - reference_t(z))[away].max() < 0.02
    assert np.abs(maps.mean_z - z.mean(axis=0))[away].max() < 1e-4


def test_a_seed_is_the_mean_of_the_raw_series(tiny, exact, seeds):
    """With unit-norm rows alone, locations of large variance would count too little."""
    wrong = []
    for subject in tiny.iter_subjects():
        run = subject.runs[0].astype(float)
        run = (run - run.mean(axis=0)) / run.std(axis=0)
        mean = run[:, seeds[0].locations] @ seeds[0].weights
        wrong.append([np.corrcoef(mean, column)[0, 1] for column in run[:, :50].T])
    maps = map_seeds(exact, seeds, cache=False)
    assert np.abs(np.mean(wrong, axis=0) - maps.mean_r[0, :50]).max() > 0.01


@pytest.mark.parametrize("rule", ["fisher-z", "mean-r"])
def test_mean_r_and_its_variance_follow_the_rule(tiny, exact, seeds, rule):
    z = reference_z(tiny, seeds, rule)
    maps = map_seeds(exact, seeds, rule=rule, cache=False)
    if rule == "mean-r":
        np.testing.assert_allclose(maps.mean_r, np.tanh(z).mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(maps.variance_r, np.tanh(z).var(axis=0, ddof=1), atol=1e-5)
    else:
        np.testing.assert_allclose(maps.mean_r, np.tanh(z.mean(axis=0)), atol=1e-5)
        with pytest.raises(InputError, match="mean-r only"):
            _ = maps.variance_r


def test_the_interval_is_the_t_interval_of_mean_z(tiny, exact, seeds):
    from scipy import stats

    z = reference_z(tiny, seeds)[:, 0, :20]
    low, high = stats.ttest_1samp(z, 0).confidence_interval(0.9)
    maps = map_seeds(exact, seeds, cache=False)
    found = maps.interval_r(0.9)
    np.testing.assert_allclose(found[0][0, :20], np.tanh(low), atol=1e-5)
    np.testing.assert_allclose(found[1][0, :20], np.tanh(high), atol=1e-5)
    np.testing.assert_allclose(
        maps.effect_size[0, :20], z.mean(axis=0) / z.std(axis=0, ddof=1), atol=1e-3
    )


def test_no_correlation_is_beyond_one(exact, seeds):
    single = Seed("one voxel", np.array([5]), np.array([1.0]), 1.0)
    maps = map_seeds(exact, [*seeds, single], cache=False)
    assert np.abs(maps.mean_r).max() <= 1
    assert np.isfinite(maps.mean_z).all()
    assert maps.mean_r[3, 5] > 0.999


@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(1, 5), max_size=3, unique=True), workers=st.integers(1, 3))
def test_the_cut_and_the_workers_change_nothing(exact, seeds, cuts, workers):
    """Shards of subjects merged in any grouping, or ranges over threads: the same t to 1e-6."""
    whole = map_seeds(exact, seeds, cache=False, workers=local_workers(1)).t
    threads = map_seeds(exact, seeds, cache=False, workers=local_workers(workers)).t
    np.testing.assert_allclose(threads, whole, rtol=0, atol=1e-6)
    edges = [0, *sorted(cuts), 6]
    parts = [map_shard(exact, range(a, b), seeds, "fisher-z") for a, b in pairwise(edges)]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    both = [
        Moments(merged.n[0, half, 0, 0], merged.mean[0, half], merged.m2[0, half])
        for half in range(2)
    ]
    t = both[0].merge(both[1]).t.T
    finite = np.abs(whole) < 1e3
    np.testing.assert_allclose(t[finite], whole[finite], rtol=0, atol=1e-6)


def test_the_order_of_subjects_changes_nothing(tiny, exact, seeds, tmp_path):
    from dataclasses import replace

    turned = replace(tiny, subject_ids=tiny.subject_ids[::-1])
    other = prepare(turned, tmp_path / "store", Options(dtype="float32"))
    t = map_seeds(exact, seeds, cache=False).t
    np.testing.assert_allclose(map_seeds(other, seeds, cache=False).t, t, rtol=1e-9, atol=1e-6)


def test_other_seeds_in_the_pass_change_nothing_that_matters(exact, seeds):
    together = map_seeds(exact, seeds, cache=False)
    alone = map_seeds(exact, seeds[1:2], cache=False)
    np.testing.assert_allclose(alone.mean_z[0], together.mean_z[1], atol=1e-6)


def test_moments_are_kept_and_only_a_new_seed_is_mapped(exact, seeds, monkeypatch):
    fresh = map_seeds(exact, seeds, cache=False)
    map_seeds(exact, seeds[:2])
    asked = []
    real = group_moments
    monkeypatch.setattr(
        mapping,
        "group_moments",
        lambda store, new, *rest: asked.append(new) or real(store, new, *rest),
    )
    again = map_seeds(exact, seeds)
    assert [[seed.name for seed in new] for new in asked] == [["seed 2"]]
    np.testing.assert_allclose(again.mean_z, fresh.mean_z, atol=1e-6)
    map_seeds(exact, seeds)
    assert len(asked) == 1
    renamed = Seed("another name", seeds[0].locations, seeds[0].weights, 1.0)
    heavier = Seed("heavier", seeds[0].locations, seeds[0].weights[::-1].copy(), 1.0)
    map_seeds(exact, [renamed, heavier])
    assert [seed.name for seed in asked[-1]] == ["heavier"]
    map_seeds(exact, [renamed], rule="mean-r")
    assert len(asked) == 3


def test_moments_of_other_data_or_of_another_engine_are_not_used(
    exact, seeds, tmp_path, monkeypatch
):
    map_seeds(exact, seeds)
    other = prepare(make(voxel_space(), seed=1), tmp_path / "store", Options(dtype="float32"))
    shutil.copytree(exact.folder / "moments", other.folder / "moments")
    expected = map_seeds(other, seeds, cache=False).mean_z
    np.testing.assert_array_equal(map_seeds(other, seeds).mean_z, expected)
    asked = counted(monkeypatch)
    map_seeds(other, seeds)
    assert asked == []
    monkeypatch.setattr(mapping, "VERSION", mapping.VERSION + 1)
    map_seeds(other, seeds)
    assert asked == [3]


def counted(monkeypatch):
    """Return a list that gets the number of seeds of every pass over the data."""
    passes, real = [], group_moments

    def group(store, new, *rest):
        passes.append(len(new))
        return real(store, new, *rest)

    monkeypatch.setattr(mapping, "group_moments", group)
    return passes


def damaged(path):
    """Yield a file of moments damaged in every way that was thought of."""
    whole = path.read_bytes()
    with np.load(path) as kept:
        arrays = dict(kept)
    yield whole[: len(whole) // 2]
    yield b""
    yield b"x" * 100
    for place in (0, 5000, len(whole) // 2, len(whole) - 10):
        yield whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :]
    for other in (
        {"n": arrays["n"], "mean": arrays["mean"]},
        arrays | {"m2": np.array([None])},
        arrays | {"n": arrays["n"][..., :-1]},
        arrays | {"mean": arrays["mean"][0]},
        arrays | {"m2": np.repeat(arrays["m2"], 2, axis=0)},
    ):
        np.savez(path, **other)
        yield path.read_bytes()
    np.save(path.with_suffix(".npy"), arrays["mean"])
    yield path.with_suffix(".npy").read_bytes()


def test_damaged_moments_are_mapped_again(exact, seeds, tmp_path, monkeypatch):
    store = open_store(shutil.copytree(exact.folder, tmp_path / "store"))
    shutil.rmtree(store.folder / "moments", ignore_errors=True)
    expected = map_seeds(store, seeds[:1]).mean_z
    (path,) = (store.folder / "moments").iterdir()
    asked = counted(monkeypatch)
    for content in list(damaged(path)):
        path.write_bytes(content)
        np.testing.assert_array_equal(map_seeds(store, seeds[:1]).mean_z, expected)
        map_seeds(store, seeds[:1])
        assert asked == [1]
        asked.clear()


@contextmanager
def files_up_to(n_bytes):
    """Let no file grow beyond a size: the system then writes less than it was given, and fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def a_full_disk(moments):
    with files_up_to(20_000):
        yield
    assert not list(moments.iterdir())


@contextmanager
def a_file_in_its_place(moments):
    moments.write_text("")
    yield


@contextmanager
def a_read_only_disk(moments):
    with no_new_file(errno.EROFS):
        yield


@contextmanager
def a_folder_that_takes_no_files(moments):
    with no_new_file(errno.ENOENT):
        yield


@contextmanager
def no_new_file(number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("compendium.files.tempfile.mkstemp", refuse)
        yield


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (a_full_disk, "File too large"),
        (a_file_in_its_place, "File exists"),
        (a_read_only_disk, "Read-only file system"),
        (a_folder_that_takes_no_files, "no file can be made in this folder"),
    ],
)
def test_moments_that_cannot_be_kept_cost_a_line_and_no_map(
    exact, seeds, tmp_path, trouble, reason
):
    store = open_store(shutil.copytree(exact.folder, tmp_path / "store"))
    moments = store.folder / "moments"
    shutil.rmtree(moments, ignore_errors=True)
    expected = map_seeds(store, seeds, cache=False)
    said = []
    with trouble(moments):
        maps = map_seeds(store, seeds, announce=said.append)
    assert said == [f"the moments of 3 seeds are not kept in {moments}: {reason}"]
    np.testing.assert_array_equal(maps.t, expected.t)


def test_a_full_disk_is_named_before_a_series_is_read_as_zeros(exact, seeds, tmp_path):
    weights = seed_weights(seeds, exact.space)
    whole = SeriesFile(tmp_path / "whole", exact.subjects, len(seeds))
    whole.write(exact, exact.subjects, weights, "fisher-z")
    size = whole.path.stat().st_size
    cut = SeriesFile(tmp_path / "cut", exact.subjects, len(seeds))
    with (
        pytest.raises(InputError, match=f"{tmp_path}: the disk is full"),
        files_up_to(size - 8),
    ):
        cut.write(exact, exact.subjects, weights, "fisher-z")


def test_a_file_that_goes_after_opening_is_named(exact, seeds, tmp_path):
    store = open_store(shutil.copytree(exact.folder, tmp_path / "store"))
    subject = store.subjects[2]
    content = subject.sd_path.read_bytes()
    subject.sd_path.unlink()
    with pytest.raises(InputError, match=f"{subject.sd_path}: the file of subject sub-03 is gone"):
        map_seeds(store, seeds, cache=False)
    subject.sd_path.write_bytes(content)
    subject.path.unlink()
    with pytest.raises(InputError, match=f"{subject.path}: the file of subject sub-03 is gone"):
        map_seeds(store, seeds, cache=False)


def test_counts_of_missing_signal_are_checked_and_made_again(tiny, tmp_path):
    folder = tmp_path / "store"
    store = prepare(tiny, folder)
    path = folder / "missing.npy"
    whole = path.read_bytes()
    for content in (b"", b"garbage", whole[:-4], whole[:-1] + b"x"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"{path}: the file (cannot be read|is not the one)"):
            open_store(folder)
    path.unlink()
    for read in (lambda: open_store(folder), store.missing):
        with pytest.raises(InputError, match=f"{path}: the file is missing; remove manifest.json"):
            read()
    (folder / "manifest.json").unlink()
    assert (prepare(tiny, folder).missing() == 0).all()
    assert path.read_bytes() == whole


def test_halves_are_every_other_subject(tiny, exact, seeds):
    z = reference_z(tiny, seeds)
    maps = map_seeds(exact, seeds, cache=False)
    for half in range(2):
        part = maps.half(half)
        assert part.n_subjects == 3
        assert (part.n == 3).all()
        np.testing.assert_allclose(part.mean_z, z[half::2].mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(part.sd, z[half::2].std(axis=0, ddof=1), atol=1e-5)


@pytest.mark.parametrize("rule", ["fisher-z", "mean-r"])
def test_subject_maps_are_what_the_group_is_made_of(tiny, exact, seeds, rule):
    pairs = list(subject_maps(exact, seeds, rule=rule))
    assert [name for name, _ in pairs] == list(tiny.subject_ids)
    z = np.array([z for _, z in pairs])
    np.testing.assert_allclose(z, reference_z(tiny, seeds, rule), atol=1e-4)


@pytest.mark.parametrize("rule", ["fisher-z", "mean-r"])
def test_subjects_may_have_other_numbers_and_lengths_of_runs(tmp_path, rule):
    def spoil(number, runs):
        if number % 3 == 0:
            del runs[1]
        if number == 2:
            runs[0] = runs[0][:35]
        if number == 5:
            runs.append(runs[0][20:45, ::-1].copy())

    connectome = make(voxel_space(4300), spoil=spoil)
    seeds = some_seeds(connectome.space)
    store = prepare(connectome, tmp_path / "store", Options(dtype="float32"))
    lengths = [[run.n_volumes for run in subject.runs] for subject in store.subjects]
    assert lengths == [[60, 40], [35, 40], [60], [60, 40], [60, 40, 25], [60]]
    z = reference_z(connectome, seeds, rule)
    maps = map_seeds(store, seeds, rule=rule, cache=False, workers=local_workers(2))
    np.testing.assert_allclose(maps.mean_z, z.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(maps.sd, z.std(axis=0, ddof=1), atol=1e-5)
    assert (maps.n == 6).all()
    own = np.array([of for _, of in subject_maps(store, seeds, rule=rule)])
    np.testing.assert_allclose(own, z, atol=1e-4)


def test_one_subject_has_a_mean_and_no_spread(tmp_path):
    connectome = make(voxel_space(300), n_subjects=1)
    seeds = some_seeds(connectome.space)
    store = prepare(connectome, tmp_path / "store", Options(dtype="float32"))
    maps = map_seeds(store, seeds, cache=False)
    np.testing.assert_allclose(maps.mean_z, reference_z(connectome, seeds)[0], atol=1e-5)
    assert (maps.n == 1).all()
    for spread in (maps.sd, maps.t, maps.effect_size, *maps.interval_r()):
        assert np.isnan(spread).all()
    assert np.isnan(maps.half(1).mean_z).all()
    assert save_maps(maps, tmp_path / "maps")


@pytest.mark.parametrize("rule", ["fisher-z", "mean-r"])
def test_a_subject_that_has_lost_every_seed_does_not_count(tmp_path, rule):
    """Also at locations far from any that lacks signal."""

    def spoil(number, runs):
        if number == 4:
            for run in runs:
                run[:, 100:107] = 0

    connectome = make(voxel_space(4300), spoil=spoil)
    seeds = [Seed("lost", np.arange(100, 107), np.full(7, 1 / 7), 1.0)]
    store = prepare(connectome, tmp_path / "store", Options(dtype="float32"))
    maps = map_seeds(store, seeds, rule=rule, cache=False)
    assert (maps.n == 5).all()
    z = reference_z(connectome, seeds, rule)[[0, 1, 2, 4, 5]]
    np.testing.assert_allclose(maps.mean_z, z.mean(axis=0), atol=1e-5)
    everyone = dict(subject_maps(store, seeds, rule=rule))
    assert [name for name, of in everyone.items() if np.isnan(of).any()] == ["sub-04"]
    assert np.isnan(everyone["sub-04"]).all()


def test_a_seed_that_has_lost_half_its_weight_has_no_signal(tmp_path):
    def spoil(number, runs):
        if number == 2:
            for run in runs:
                run[:, 100:103] = 0

    def quarters(name, first):
        return Seed(name, np.arange(first, first + 4), np.full(4, 0.25), 1.0)

    seeds = [quarters("a quarter left", 100), quarters("a half", 101), quarters("most", 102)]
    connectome = make(voxel_space(300), n_subjects=3, spoil=spoil)
    maps = map_seeds(prepare(connectome, tmp_path / "store"), seeds, cache=False)
    assert maps.n[:, 50].tolist() == [2, 2, 3]


def test_missing_signal_is_counted_and_never_zero(tmp_path):
    """A location without signal in one run, in one subject, everywhere; a seed that is lost."""

    def spoil(number, runs):
        runs[0][:, 7] = 3.5
        if number == 2:
            runs[0][:, 11] = np.nan
            runs[1][:, 11] = 0
        runs[0][:, 13] = np.inf
        runs[1][:, 13] = np.nan
        if number == 4:
            for run in runs:
                run[:, 100:104] = 0

    connectome = make(voxel_space(4300), spoil=spoil)
    lost = Seed("lost once", np.arange(100, 105), np.full(5, 0.2), 1.0)
    kept = Seed("kept", np.arange(103, 110), np.full(7, 1 / 7), 1.0)
    store = prepare(connectome, tmp_path / "store", Options(dtype="float32"))
    assert store.missing()[[6, 7, 11, 13, 101]].tolist() == [0, 6, 2, 12, 2]
    assert store.manifest["locations_missing_somewhere"] == 7
    maps = map_seeds(store, [lost, kept], cache=False)
    assert maps.n[:, [6, 7, 11, 13, 101]].tolist() == [[5, 5, 4, 0, 5], [6, 6, 5, 0, 5]]
    assert np.isnan(maps.mean_z[:, 13]).all()
    assert np.isnan(maps.t[:, 13]).all()
    z = reference_z(connectome, [kept])
    clean = make(voxel_space(4300))
    second = np.array(
        [
            np.arctanh(np.corrcoef(run[1][:, 103:110].mean(axis=1), run[1][:, 7])[0, 1])
            for run in (
                [r.astype(float) for r in connectome.load_subject(name).runs]
                for name in clean.subject_ids
                if name != "sub-04"
            )
        ]
    )
    # where the first run has no signal the second speaks alone
    four = connectome.load_subject("sub-04").runs[1].astype(float)
    weighted = np.arctanh(np.corrcoef(four[:, 104:110].mean(axis=1), four[:, 7])[0, 1])
    np.testing.assert_allclose(maps.mean_z[1, 7], np.mean([*second, weighted]), atol=1e-5)
    others = [0, 1, 2, 4, 5]
    np.testing.assert_allclose(
        map_seeds(store, [lost], cache=False).mean_z[0, 50],
        reference_z(connectome, [lost])[others, 0, 50].mean(),
        atol=1e-5,
    )
    assert np.isfinite(z[others, 0, 50]).all()


def test_equal_to_nilearn_on_the_same_images(tmp_path):
    """nilearn's recipe, with `standardize` said aloud and T - 1 where it divides by T."""
    from nilearn.maskers import NiftiMasker, NiftiSpheresMasker

    space = voxel_space()
    connectome = make(space, n_subjects=3, volumes=(80,))
    data = np.zeros(space.shape, np.uint8)
    data[tuple(space.indices.T)] = 1
    mask = nib.Nifti1Image(data, space.affine)
    centre = tuple(space.coordinates[1200])
    expected = []
    for subject in connectome.iter_subjects():
        volume = np.zeros((*space.shape, 80), np.float32)
        volume[tuple(space.indices.T)] = subject.runs[0].T
        image = nib.Nifti1Image(volume, space.affine)
        spheres = NiftiSpheresMasker([centre], radius=9, mask_img=mask, standardize=None)
        brain = NiftiMasker(mask_img=mask, standardize="zscore_sample")
        series = spheres.fit_transform(image)
        series = (series - series.mean(axis=0)) / series.std(axis=0, ddof=1)
        expected.append(np.arctanh(brain.fit_transform(image).T @ series / 79)[:, 0])
    distance = np.linalg.norm(space.coordinates - centre, axis=1)
    inside = np.flatnonzero(distance <= 9)
    seed = Seed("sphere", inside, np.full(len(inside), 1 / len(inside)), 1.0)
    store = prepare(connectome, tmp_path / "store", Options(dtype="float32"))
    maps = map_seeds(store, [seed], cache=False)
    np.testing.assert_allclose(maps.mean_z[0], np.mean(expected, axis=0), atol=1e-4)


def test_the_known_truth_is_recovered(tmp_path):
    connectome = simulate_connectome(resolution=8, n_subjects=24, n_volumes=150)
    sites = [
        Sphere("M1", (-37, -21, 58), 8),
        Sphere("DLPFC", (-41, 36, 33), 8),
        Sphere("thalamus", (-17, -21, 3), 8),
        Sphere("hypothalamus", (-4, -4, -8), 8),
        Sphere("PAG", (3, -28, -12), 8),
    ]
    seeds = [place_seed(site, connectome.space) for site in sites]
    store = prepare(connectome, tmp_path / "store")
    maps = map_seeds(store, seeds)
    truth = connectome.truth(seed_matrix(seeds, connectome.space))
    for row, site in enumerate(sites):
        distance = np.linalg.norm(connectome.space.coordinates - site.centre, axis=1)
        away = distance > 15 + site.radius
        agreement = np.corrcoef(maps.mean_z[row, away], np.arctanh(truth[row, away]))[0, 1]
        assert agreement >= 0.97, (site.name, agreement)


@pytest.mark.parametrize("rule", ["fisher-z", "mean-r"])
def test_images_carry_their_origin_and_say_that_they_are_simulated(exact, seeds, tmp_path, rule):
    maps = map_seeds(exact, seeds[:1], rule=rule, cache=False)
    written = {path.name: path for path in save_maps(maps, tmp_path)}
    stem = "conn-tiny_seed-seed0_space-MNI152NLin6Asym_desc-simulated"
    expected = {
        f"{stem}_stat-{name}_statmap.nii.gz"
        for name in ["r", "rlow", "rhigh", "z", "sd", "t", "d", "n"]
    }
    if rule == "mean-r":
        expected |= {
            f"seed0_conn-tiny_desc-simulated{x}_funcmap.nii.gz"
            for x in ["AvgR", "VarR", "AvgRFz", "T"]
        }
    assert set(written) == expected | {f"{stem}.json"}
    image = nib.load(written[f"{stem}_stat-t_statmap.nii.gz"])
    np.testing.assert_allclose(image.affine, exact.space.affine)
    values = image.get_fdata()[tuple(exact.space.indices.T)]
    np.testing.assert_allclose(values, np.nan_to_num(maps.t[0]), rtol=1e-6)
    sidecar = json.loads(written[f"{stem}.json"].read_text())
    assert sidecar["Simulated"] is True
    assert "no evidence" in sidecar["Warning"]
    assert sidecar["Subjects"] == 6
    assert sidecar["Preparation"]["store"] == exact.digest
    again = {path.name: path.read_bytes() for path in save_maps(maps, tmp_path / "again")}
    assert again == {name: path.read_bytes() for name, path in written.items()}


def test_parcels_give_tables(tmp_path):
    space = parcel_space()
    connectome = make(space, n_subjects=5)
    seed = Seed("two", np.array([1, 4]), np.array([0.5, 0.5]), 0.8)
    maps = map_seeds(prepare(connectome, tmp_path / "store"), [seed])
    table = maps.table("two")
    assert table["name"].tolist() == space.table["name"].tolist()
    assert table.index[table["own"]].tolist() == [1, 4]
    z = reference_z(connectome, [seed])
    np.testing.assert_allclose(table["z"], z[:, 0].mean(axis=0), atol=1e-3)
    assert ((table["rlow"] < table["r"]) & (table["r"] < table["rhigh"])).all()
    assert (table["df"] == 4).all()
    names = [path.name for path in save_maps(maps, tmp_path / "out")]
    assert names == [
        "conn-tiny_seed-two_space-MNI152NLin6Asym_desc-simulated_stats.csv",
        "conn-tiny_seed-two_space-MNI152NLin6Asym_desc-simulated.json",
    ]
    painted = map_image(maps, "two", "z").get_fdata()
    assert painted[2, 0, 0] == pytest.approx(table["z"][1], rel=1e-6)


def test_a_seed_that_does_not_fit_is_refused(exact, seeds):
    beyond = Seed("elsewhere", np.array([9999]), np.array([1.0]), 1.0)
    with pytest.raises(InputError, match="elsewhere: the seed has locations"):
        map_seeds(exact, [beyond])
    with pytest.raises(InputError, match="seed 0: two seeds have this name"):
        map_seeds(exact, [seeds[0], seeds[0]])
    with pytest.raises(InputError, match="no seed"):
        map_seeds(exact, [])
    with pytest.raises(InputError, match="unknown rule 'median'"):
        map_seeds(exact, seeds, rule="median")


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(st.floats(-7, 7, width=32), min_size=1, max_size=30),
    cut=st.integers(0, 30),
)
def test_merged_moments_are_the_moments_of_all(values, cut):
    values = np.array(values)

    def moments(part):
        n = np.full((1, 1), len(part), np.int32)
        total, squares = np.full((1, 1), part.sum()), np.full((1, 1), (part**2).sum())
        return Moments.of_sums(n, total, squares)

    merged = moments(values[:cut]).merge(moments(values[cut:]))
    assert merged.n.item() == len(values)
    assert merged.mean.item() == pytest.approx(values.mean(), abs=1e-9)
    assert merged.m2.item() == pytest.approx(((values - values.mean()) ** 2).sum(), abs=1e-7)


def test_subjects_own_maps_are_written_on_request(exact, seeds, tmp_path):
    written = save_subject_maps(exact, seeds[:2], tmp_path)
    assert len(written) == 12
    assert written[0].name == (
        "sub-01_conn-tiny_seed-seed0_space-MNI152NLin6Asym_desc-simulated_stat-z_statmap.nii.gz"
    )
    z = next(subject_maps(exact, seeds[:2]))[1]
    values = nib.load(written[0]).get_fdata()[tuple(exact.space.indices.T)]
    np.testing.assert_allclose(values, z[0], rtol=1e-6)


def test_subjects_own_tables_are_written_on_request(tmp_path):
    connectome = make(parcel_space(), n_subjects=5)
    store = prepare(connectome, tmp_path / "store")
    seeds = [Seed(name, np.array([at]), np.array([1.0]), 1.0) for at, name in enumerate("ab")]
    written = save_subject_maps(store, seeds, tmp_path / "out")
    assert [path.name for path in written][:1] == [
        "sub-01_conn-tiny_space-MNI152NLin6Asym_desc-simulated_stat-z_maps.csv"
    ]
    assert len(written) == 5
    header = written[0].read_text().splitlines()[0]
    assert header == "name,a,b"


def test_seeds_that_share_a_label_are_not_written_over_one_another(exact, seeds, tmp_path):
    one = Seed("M1 hand", seeds[0].locations, seeds[0].weights, 1.0)
    two = Seed("M1-hand", seeds[1].locations, seeds[1].weights, 1.0)
    maps = map_seeds(exact, [one, two], cache=False)
    with pytest.raises(InputError, match="two seeds would be written to one file"):
        save_maps(maps, tmp_path)
    assert not list(tmp_path.iterdir())


def test_blocks_that_nobody_waits_for_are_left_in_peace(exact, seeds):
    """The next block is read ahead; giving up half-way must not spoil the next use."""
    subject = exact.subjects[0]
    kernel = Kernel(exact, len(seeds), "fisher-z")
    series = seed_series(exact, subject, seed_weights(seeds, exact.space), "fisher-z")
    for _ in kernel.blocks(subject, series, 0, exact.n_locations):
        break
    again = {
        where.start: value.copy()
        for where, value, _ in kernel.blocks(subject, series, 0, exact.n_locations)
    }
    fresh = Kernel(exact, len(seeds), "fisher-z")
    for where, value, _ in fresh.blocks(subject, series, 0, exact.n_locations):
        np.testing.assert_array_equal(again[where.start], value)
    assert len(again) > 1
