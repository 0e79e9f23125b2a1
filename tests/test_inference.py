"""Thresholds, sign flips and null dictionaries: their error rates and their arithmetic."""

from contextlib import nullcontext

import numpy as np
import pytest
from scipy import stats

from compendium.connectome import dictionary as dictionary_module
from compendium.connectome import flips as flips_module
from compendium.connectome.dictionary import map_dictionary
from compendium.connectome.flips import (
    MaxT,
    check_flips,
    fewest_known,
    max_t_of_maps,
    random_signs,
    sign_flip_max_t,
)
from compendium.connectome.inference import parametric, sweep
from compendium.connectome.kernel import BLOCK
from compendium.connectome.mapping import map_seeds, subject_maps
from compendium.connectome.prepare import Options, prepare
from compendium.connectome.scale import local_workers, workers_of
from compendium.connectome.seeds import Seed
from compendium.errors import InputError
from tests.connectomes import make, parcel_space, some_seeds, voxel_space
from tests.test_scale import connected

N_NULL_SEEDS = 150


@pytest.fixture(scope="module")
def null_store(tmp_path_factory):
    """Independent noise everywhere: every rejection is false."""
    connectome = make(voxel_space(400), n_subjects=16, volumes=(40,), mixing=0.0)
    return prepare(connectome, tmp_path_factory.mktemp("null"), Options(dtype="float32"))


@pytest.fixture(scope="module")
def null_seeds():
    return [
        Seed(f"s{number}", np.array([2 * number]), np.array([1.0]), 1.0)
        for number in range(N_NULL_SEEDS)
    ]


@pytest.fixture(scope="module")
def null_maps(null_store, null_seeds):
    return map_seeds(null_store, null_seeds, cache=False)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    connectome = make(voxel_space(), n_subjects=12)
    return prepare(connectome, tmp_path_factory.mktemp("some"), Options(dtype="float32"))


@pytest.fixture(scope="module")
def seeds(store):
    return some_seeds(store.space)


def binomial_range(n, p):
    return stats.binom.interval(0.999, n, p)


def test_t_has_its_nominal_false_positive_rate(null_maps):
    away = ~null_maps.own
    critical = stats.t.ppf(0.975, 15)
    low, high = binomial_range(away.sum(), 0.05)
    assert low <= (np.abs(null_maps.t[away]) > critical).sum() <= high


@pytest.mark.parametrize("method", ["bonferroni", "fdr"])
def test_a_null_map_has_any_rejection_as_often_as_alpha_says(null_maps, method):
    decision = parametric(null_maps, method)
    assert set(decision.n_tests) == {399}
    low, high = binomial_range(N_NULL_SEEDS, 0.05)
    assert low <= decision.mask.any(axis=1).sum() <= high


def test_max_t_has_its_nominal_family_wise_rate(null_store, null_seeds, null_maps):
    flips = sign_flip_max_t(null_store, null_seeds, n_flips=199)
    t = np.where(null_maps.own, np.nan, null_maps.t)
    low, high = binomial_range(N_NULL_SEEDS, 0.05)
    assert low <= (np.nanmin(flips.p(t), axis=1) <= 0.05).sum() <= high


def test_adjusted_p_are_those_of_statsmodels(store, seeds):
    from statsmodels.stats.multitest import multipletests

    maps = map_seeds(store, seeds, cache=False)
    raw = 2 * stats.t.sf(np.abs(maps.t), maps.df)
    for method, name in [("bonferroni", "bonferroni"), ("fdr", "fdr_bh")]:
        found = parametric(maps, method).p
        for row in range(len(maps)):
            away = ~maps.own[row]
            expected = multipletests(raw[row, away], method=name)[1]
            np.testing.assert_allclose(found[row, away], expected, rtol=1e-10)
            assert np.isnan(found[row, ~away]).all()
        joint = parametric(maps, method, family="all maps")
        expected = multipletests(raw[~maps.own], method=name)[1]
        np.testing.assert_allclose(joint.p[~maps.own], expected, rtol=1e-10)
        assert set(joint.n_tests) == {(~maps.own).sum()}


def test_locations_without_signal_are_no_tests(tmp_path):
    def spoil(number, runs):
        for run in runs:
            run[:, 3] = 0

    connectome = make(parcel_space(), n_subjects=6, spoil=spoil)
    seed = Seed("one", np.array([0]), np.array([1.0]), 1.0)
    maps = map_seeds(prepare(connectome, tmp_path / "store"), [seed])
    assert parametric(maps, "bonferroni").n_tests.tolist() == [10]
    assert not parametric(maps, "fdr").mask[0, [0, 3]].any()
    assert (sweep(maps)["tests"] == 10).all()


def test_a_sweep_counts_both_signs(store, seeds):
    maps = map_seeds(store, seeds, cache=False)
    table = sweep(maps, effects=(0.1, 0.3))
    assert table["threshold"].tolist() == ["|r| > 0.1", "|r| > 0.3", "FDR", "Bonferroni"] * 3
    r, away = maps.mean_r[1], ~maps.own[1]
    row = table.iloc[4]
    assert (row["positive"], row["negative"]) == (
        ((r > 0.1) & away).sum(),
        ((r < -0.1) & away).sum(),
    )
    assert row["share"] == pytest.approx((np.abs(r[away]) > 0.1).mean())
    with pytest.raises(InputError, match="unknown method 'holm'"):
        parametric(maps, "holm")


def plain_max_t(z, signs):
    flipped = np.einsum("ps,skv->pskv", signs.astype(float), z.astype(float))
    t = flipped.mean(axis=1) / (flipped.std(axis=1, ddof=1) / np.sqrt(z.shape[0]))
    return np.sort(np.abs(t).max(axis=2).T, axis=1)


@pytest.mark.parametrize(("workers", "groups"), [(1, 2), (3, 9)])
def test_streamed_flips_are_the_flips_one_by_one(store, seeds, workers, groups, monkeypatch):
    z = np.array([z for _, z in subject_maps(store, seeds)])
    monkeypatch.setattr(flips_module, "BUDGET", 4 * 12 * BLOCK * groups)
    flips = sign_flip_max_t(store, seeds, n_flips=50, workers=local_workers(workers))
    expected = plain_max_t(z, random_signs(12, 50, 2022))
    np.testing.assert_allclose(flips.null, expected, rtol=2e-4)
    in_memory = max_t_of_maps(z[:, 1], random_signs(12, 50, 2022))
    np.testing.assert_allclose(np.sort(in_memory), expected[1], rtol=2e-4)


def test_flips_count_missing_values_out(tmp_path):
    def spoil(number, runs):
        if number in (2, 5):
            for run in runs:
                run[:, 30:200] = np.nan

    connectome = make(voxel_space(300), n_subjects=9, spoil=spoil, mixing=0.0)
    seed = Seed("one", np.array([0]), np.array([1.0]), 1.0)
    store = prepare(connectome, tmp_path / "store", Options(dtype="float32"))
    z = np.array([z for _, z in subject_maps(store, [seed])])
    signs = random_signs(9, 60, 2022)
    flips = sign_flip_max_t(store, [seed], n_flips=60)
    few = [number for number in range(9) if number not in (1, 4)]
    some = np.zeros(300, bool)
    some[30:200] = True
    flipped = signs[:, :, None] * z[None, :, 0]
    expected = []
    for flip in flipped:
        whole = stats.ttest_1samp(flip[:, ~some], 0).statistic
        part = stats.ttest_1samp(flip[few][:, some], 0).statistic
        expected.append(max(np.abs(whole).max(), np.abs(part).max()))
    np.testing.assert_allclose(flips.null[0], np.sort(expected), rtol=2e-4)


def known_in(counts):
    """Spoil a connectome: location → how many of the first subjects know it."""

    def spoil(number, runs):
        for location, count in counts.items():
            if number > count:
                for run in runs:
                    run[:, location] = 0

    return spoil


def p_in_double_precision(store, seed, t, signs):
    """Return p of t among the flips of all locations that enough subjects know."""
    z = np.array([z[0] for _, z in subject_maps(store, [seed])], float)
    largest = np.zeros(len(signs))
    for values in z.T:
        known = np.isfinite(values)
        if known.sum() >= fewest_known(len(values)):
            flipped = signs[:, known] * values[known]
            largest = np.maximum(largest, np.abs(stats.ttest_1samp(flipped, 0, axis=1).statistic))
    return (1 + (largest >= abs(t) * (1 - 1e-9)).sum()) / (1 + len(signs))


def test_flips_that_change_no_known_value_count_as_observed(tmp_path):
    """A location that 6 of 9 subjects know keeps its t in one flip of 32."""
    clear = known_in({5: 6})

    def spoil(number, runs):
        rng = np.random.default_rng(number)
        for run in runs:
            own = run[:, 50].std() * rng.standard_normal(len(run))
            run[:, 5] = run[:, 50] + 0.02 * own
        clear(number, runs)

    connectome = make(voxel_space(300), n_subjects=9, spoil=spoil, mixing=0.0)
    store = prepare(connectome, tmp_path / "store", Options(dtype="float32"))
    seed = Seed("one", np.array([50]), np.array([1.0]), 1.0)
    maps = map_seeds(store, [seed], cache=False)
    assert maps.n[0, 5] == 6
    assert maps.t[0, 5] > 20
    flips = sign_flip_max_t(store, [seed])
    expected = p_in_double_precision(store, seed, maps.t[0, 5], random_signs(9, 1000, 0))
    assert expected >= 8 / 256
    assert flips.p(maps.t)[0, 5] == pytest.approx(expected)


@pytest.mark.parametrize("spread", [0.3, 0.01, 1e-4, 1e-6])
def test_rounding_lowers_no_t_of_a_flip_that_changes_nothing(spread):
    rng = np.random.default_rng(0)
    signs = random_signs(9, 1000, 0)
    same = np.abs(signs[:, :6].sum(axis=1)) == 6
    for _ in range(20):
        z = np.full((9, 1), np.nan, np.float32)
        z[:6, 0] = 0.7 + spread * rng.standard_normal(6)
        t = stats.ttest_1samp(z[:6, 0].astype(float), 0).statistic
        reached = max_t_of_maps(z, signs) >= t
        assert reached[same].all()
        assert not reached[~same].any()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_location_that_few_subjects_know_is_not_tested(tmp_path, workers):
    connectome = make(voxel_space(4200), n_subjects=16, spoil=known_in({5: 2, 6: 7, 4150: 8}))
    store = prepare(connectome, tmp_path / "store", Options(dtype="float32"))
    seeds = [Seed(f"s{at}", np.array([at]), np.array([1.0]), 1.0) for at in (50, 4100)]
    maps = map_seeds(store, seeds, cache=False)
    flips = sign_flip_max_t(store, seeds, n_flips=99, workers=local_workers(workers))
    few = np.isin(np.arange(4200), [5, 6])
    assert (flips.tested == ~few).all()
    p = flips.p(maps.t)
    assert np.isnan(p[:, few]).all()
    assert np.isfinite(p[:, 4150]).all()
    z = np.array([z for _, z in subject_maps(store, seeds)])
    for row in (0, 1):
        signs = random_signs(16, 99, 2022)
        in_memory = max_t_of_maps(z[:, row], signs)
        np.testing.assert_array_equal(max_t_of_maps(z[:, row, ~few], signs), in_memory)
        np.testing.assert_allclose(np.sort(in_memory), flips.null[row], rtol=1e-5)
        assert flips.threshold()[row] < 12


def test_locations_that_few_subjects_know_leave_the_family_wise_rate(tmp_path):
    few = dict.fromkeys(range(200, 300), 3)
    connectome = make(
        voxel_space(300), n_subjects=16, volumes=(40,), mixing=0.0, spoil=known_in(few)
    )
    store = prepare(connectome, tmp_path / "store", Options(dtype="float32"))
    seeds = [Seed(f"s{at}", np.array([at]), np.array([1.0]), 1.0) for at in range(N_NULL_SEEDS)]
    maps = map_seeds(store, seeds, cache=False)
    p = sign_flip_max_t(store, seeds, n_flips=199).p(np.where(maps.own, np.nan, maps.t))
    low, high = binomial_range(N_NULL_SEEDS, 0.05)
    assert low <= (np.nanmin(p, axis=1) <= 0.05).sum() <= high


def test_a_sweep_counts_the_locations_that_sign_flips_tested(tmp_path):
    connectome = make(voxel_space(300), n_subjects=12, spoil=known_in({5: 3, 6: 2, 7: 11}))
    store = prepare(connectome, tmp_path / "store", Options(dtype="float32"))
    maps = map_seeds(store, some_seeds(store.space), cache=False)
    flips = sign_flip_max_t(store, maps.seeds, n_flips=99)
    table = sweep(maps, max_t=flips).groupby("threshold")
    rows = table.get_group("sign flips")
    assert rows["seed"].tolist() == list(maps.names)
    for row, line in enumerate(rows.itertuples()):
        tested = ~maps.own[row]
        assert table.get_group("FDR")["tests"].iloc[row] == tested.sum()
        tested[[5, 6]] = False
        beaten = (flips.null[row] < np.abs(maps.t[row])[:, None]).sum(axis=1)
        passes = tested & (beaten >= 95)
        assert line.positive == (passes & (maps.t[row] > 0)).sum()
        assert line.negative == (passes & (maps.t[row] < 0)).sum()
        assert (line.tests, line.share) == (tested.sum(), passes.sum() / tested.sum())
    assert rows["positive"].sum() > 0
    assert rows["negative"].sum() > 0
    assert (rows["share"] < 0.9).all()


def test_equal_to_permuted_ols_within_monte_carlo_error(store, seeds):
    from nilearn.mass_univariate import permuted_ols

    z = np.array([z[1] for _, z in subject_maps(store, seeds)])
    result = permuted_ols(
        np.ones((12, 1)), z, model_intercept=False, n_perm=1000, random_state=3, output_type="dict"
    )
    flips = sign_flip_max_t(store, seeds[1:2], n_flips=1000)
    maps = map_seeds(store, seeds[1:2], cache=False)
    np.testing.assert_allclose(result["t"][0], maps.t[0], rtol=2e-3)
    theirs = np.sort(np.abs(result["h0_max_t"][0]))
    for level in (0.5, 0.8, 0.95):
        ours = np.quantile(flips.null[0], level)
        # Monte-Carlo error of both quantiles, from resampling one of them
        rng = np.random.default_rng(0)
        error = np.std([np.quantile(rng.choice(theirs, 1000), level) for _ in range(200)])
        assert abs(ours - np.quantile(theirs, level)) < 4 * np.sqrt(2) * error


def test_few_subjects_get_every_flip_once():
    signs = random_signs(6, 1000, 0)
    assert len(signs) == 31
    assert len({tuple(row) for row in signs}) == 31
    assert (np.abs(signs.sum(axis=1)) < 6).all()
    assert random_signs(12, 50, 0).shape == (50, 12)


def test_thresholds_and_p_agree():
    tested = np.ones((1, 5), bool)
    flips = MaxT(("one",), np.arange(1.0, 100.0)[None], tested)
    assert flips.threshold(0.05).tolist() == [95.0]
    p = flips.p(np.array([[95.5, 94.5, 200.0, 0.0, np.nan]]))[0]
    np.testing.assert_allclose(p[:4], [0.05, 0.06, 0.01, 1.0])
    assert np.isnan(p[4])
    assert flips.threshold(0.001).tolist() == [np.inf]
    untested = MaxT(("one",), np.zeros((1, 99)), ~tested)
    assert untested.threshold(0.05).tolist() == [np.inf]
    assert np.isnan(untested.p(np.full((1, 5), 9.0))).all()


def test_too_few_subjects_cannot_be_flipped(tmp_path):
    connectome = make(parcel_space(), n_subjects=4)
    store = prepare(connectome, tmp_path / "store")
    with pytest.raises(InputError, match="tiny: 4 subjects have too few sign flips"):
        sign_flip_max_t(store, [Seed("one", np.array([0]), np.array([1.0]), 1.0)])


def test_flips_that_can_show_nothing_are_refused(store, seeds):
    nothing_below = "5 subjects .* with 15 no p is below 0.0625; use a connectome of 6 subjects"
    with pytest.raises(InputError, match=nothing_below):
        check_flips(5, 1000)
    with pytest.raises(InputError, match=r"with 18 sign flips no p is below 0\.0526; ask for 19"):
        sign_flip_max_t(store, seeds, n_flips=18)
    with pytest.raises(InputError, match="5 subjects"):
        random_signs(5, 1000, 0)
    with pytest.raises(InputError, match="5 subjects"):
        max_t_of_maps(np.zeros((5, 3), np.float32), np.ones((15, 5), np.float32))
    for subjects, count in ((6, 1000), (100, 19)):
        null = np.zeros((1, len(random_signs(subjects, count, 0))))
        assert MaxT(("one",), null, np.ones((1, 1), bool)).p(np.ones((1, 1))) <= 0.05


def test_a_dictionary_holds_the_maps_of_all_its_seeds(store, tmp_path, monkeypatch):
    from compendium.connectome import mapping

    monkeypatch.setattr(mapping, "BUDGET", 40 * 32 * BLOCK)  # two ranges of locations
    seeds = some_seeds(store.space, n=40)
    said = []
    found = map_dictionary(
        store, seeds, tmp_path / "null", workers=local_workers(2), announce=said.append
    )
    maps = map_seeds(store, seeds, cache=False)
    np.testing.assert_allclose(found.z, maps.mean_z, atol=1e-6)
    np.testing.assert_allclose(found.t, maps.t, rtol=1e-4, atol=1e-4)
    exact = map_dictionary(store, seeds, tmp_path / "exact", dtype="float64")
    np.testing.assert_array_equal(exact.z, maps.mean_z)
    np.testing.assert_array_equal(exact.t, maps.t)
    assert "40 seeds" in said[0]
    assert sorted(path.name for path in (tmp_path / "null").iterdir()) == [
        "dictionary.json",
        "seeds.csv",
        "t.npy",
        "z.npy",
    ]
    again = map_dictionary(store, seeds, tmp_path / "null", announce=said.append)
    assert len(said) == 1
    np.testing.assert_array_equal(again.z, found.z)
    with pytest.raises(InputError, match="maps of other seeds"):
        map_dictionary(store, seeds[1:], tmp_path / "null")


def fatal(*_):
    raise RuntimeError("killed")


@pytest.mark.parametrize(
    ("fate", "end"), [(fatal, pytest.raises(RuntimeError)), (None, nullcontext())]
)
def test_two_runs_of_one_dictionary_leave_each_other_alone(store, tmp_path, monkeypatch, fate, end):
    from compendium.connectome import mapping

    monkeypatch.setattr(mapping, "BUDGET", 40 * 32 * BLOCK)  # two ranges of locations
    seeds, folder = some_seeds(store.space, n=40), tmp_path / "null"
    write_range, met, said = dictionary_module._write_range, [], []

    def meet_another_run(*arguments):
        write_range(*arguments)
        if not met:
            met.extend(folder.iterdir())
            monkeypatch.setattr(dictionary_module, "_write_range", fate or write_range)
            with end:
                map_dictionary(store, seeds, folder, announce=said.append)

    monkeypatch.setattr(dictionary_module, "_write_range", meet_another_run)
    found = map_dictionary(store, seeds, folder, workers=local_workers(1))
    maps = map_seeds(store, seeds, cache=False)
    np.testing.assert_allclose(found.z, maps.mean_z, atol=1e-6)
    np.testing.assert_allclose(found.t, maps.t, rtol=1e-4, atol=1e-4)
    assert said[1] == f"another run is at work or was killed; in the latter case, delete {met[0]}"
    assert sorted(path.name for path in folder.iterdir()) == sorted(dictionary_module.FILES)


def test_another_dictionary_that_was_finished_first_stays(store, seeds, tmp_path, monkeypatch):
    folder = tmp_path / "null"
    all_series = dictionary_module.all_series

    def meet_another_run(*arguments):
        monkeypatch.undo()
        map_dictionary(store, seeds[:2], folder)
        return all_series(*arguments)

    monkeypatch.setattr(dictionary_module, "all_series", meet_another_run)
    with pytest.raises(InputError, match="maps of other seeds"):
        map_dictionary(store, seeds, folder)
    assert map_dictionary(store, seeds[:2], folder).z.shape == (2, store.n_locations)


@pytest.mark.slow
def test_a_cluster_makes_the_dictionary_of_threads(store, tmp_path, monkeypatch):
    from compendium.connectome import mapping

    monkeypatch.setattr(mapping, "BUDGET", 40 * 32 * BLOCK)  # two ranges of locations
    seeds = some_seeds(store.space, n=40)
    threads = map_dictionary(store, seeds, tmp_path / "threads", workers=local_workers(2))
    with connected() as client:
        cluster = map_dictionary(store, seeds, tmp_path / "cluster", workers=workers_of(client))
    np.testing.assert_array_equal(cluster.z, threads.z)
    np.testing.assert_array_equal(cluster.t, threads.t)
    assert sorted(path.name for path in (tmp_path / "cluster").iterdir()) == sorted(
        dictionary_module.FILES
    )


@pytest.fixture(scope="module")
def blob(tmp_path_factory):
    """A connectome whose only signal is shared by two separate blocks of voxels."""
    space = voxel_space(2520)
    blocks = [(space.indices >= low).all(axis=1) & (space.indices < low + 4).all(axis=1)
              for low in (1, 6)]  # fmt: skip

    def add(number, runs):
        rng = np.random.default_rng([5, number])
        for run in runs:
            shared = rng.standard_normal(len(run))
            for block in blocks:
                run[:, block] += 60 * shared[:, None]

    # locations in an order of their own, as Lead-DBS has them
    turned = np.argsort(np.ravel_multi_index(space.indices.T, space.shape, order="F"))
    space = type(space)(space.shape, space.affine, space.indices[turned], space.template)
    blocks = [block[turned] for block in blocks]
    connectome = make(space, n_subjects=8, volumes=(40,), mixing=0.0, spoil=add)
    store = prepare(connectome, tmp_path_factory.mktemp("blob"), Options(dtype="float32"))
    return store, blocks


def test_clusters_find_the_block_that_belongs_to_the_seed(blob):
    from compendium.connectome.clusters import cluster_test

    store, (first, second) = blob
    own = np.flatnonzero(first)
    seed = Seed("block", own, np.full(len(own), 1 / len(own)), 1.0)
    found = cluster_test(store, seed, n_flips=60, tfce=True)
    assert (found.p_size[second] < 0.05).mean() > 0.9
    assert (found.p_tfce[second] < 0.05).all()
    rest = ~(first | second)
    assert (found.p_size[rest] < 0.05).mean() < 0.02
    np.testing.assert_allclose(found.t, map_seeds(store, [seed], cache=False).t[0], rtol=1e-3)


def test_every_p_of_clusters_is_the_one_that_its_name_says(blob, monkeypatch):
    from nilearn import mass_univariate

    from compendium.connectome.clusters import cluster_test

    store, (first, _) = blob
    results, permuted_ols = [], mass_univariate.permuted_ols

    def recorded(*arguments, **options):
        results.append(permuted_ols(*arguments, **options))
        return results[0]

    monkeypatch.setattr(mass_univariate, "permuted_ols", recorded)
    own = np.flatnonzero(first)
    seed = Seed("block", own, np.full(len(own), 1 / len(own)), 1.0)
    found = cluster_test(store, seed, n_flips=30, cluster_p=0.05, tfce=True)
    # nilearn has the voxels in C order
    order = np.lexsort(store.space.indices.T[::-1])
    of_name = {"t": found.p_max_t, "size": found.p_size, "mass": found.p_mass, "tfce": found.p_tfce}
    for name, p in of_name.items():
        np.testing.assert_allclose(p[order], 10 ** -results[0][f"logp_max_{name}"][0])
    different = {p.tobytes() for p in of_name.values()}
    assert len(different) == 4


def test_clusters_need_voxels_that_all_subjects_have(blob, tmp_path):
    from compendium.connectome.clusters import cluster_test

    seed = Seed("one", np.array([0]), np.array([1.0]), 1.0)
    parcels = prepare(make(parcel_space(), n_subjects=5), tmp_path / "parcels")
    with pytest.raises(InputError, match="clusters are made of voxels"):
        cluster_test(parcels, seed)

    def spoil(number, runs):
        if number == 2:
            for run in runs:
                run[:, 7:9] = 0

    gaps = prepare(make(voxel_space(300), n_subjects=5, spoil=spoil), tmp_path / "gaps")
    with pytest.raises(InputError, match="2 locations have no signal in some subject"):
        cluster_test(gaps, seed)
