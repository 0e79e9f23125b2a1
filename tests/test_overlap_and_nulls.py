import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.metrics import f1_score

from compendium.connectome import calibration, hubs, networks, nulls, overlap, reference
from compendium.connectome.model import ParcelSpace, VoxelSpace
from compendium.errors import InputError


def map_set(z, groups, *, own=None, t=None, n_subjects=20, tissue="cortical", hemisphere="L"):
    z = np.asarray(z, dtype=float)
    seeds = pd.DataFrame(
        {
            "seed": [f"s{i}" for i in range(len(z))],
            "group": groups,
            "tissue": tissue,
            "hemisphere": hemisphere,
        }
    )
    own = np.zeros(z.shape, dtype=bool) if own is None else own
    return networks.MapSet(seeds, z, z * 10 if t is None else t, own, n_subjects)


def random_maps(seed=0, k=6, p=40):
    return np.random.default_rng(seed).standard_normal((k, p))


def test_the_groups_own_threshold_follows_subjects_and_locations():
    # 5.26 is Bonferroni, two-sided, for 285,903 voxels and 1,000 subjects (computed by hand from
    # the t distribution); fewer subjects and fewer tests give another threshold
    assert networks.bonferroni_t(1000, 285_903) == pytest.approx(5.26, abs=0.01)
    expected = stats.t.isf(0.025 / 94, 20)
    assert networks.bonferroni_t(21, 94) == pytest.approx(expected)


def test_the_largest_tenth_has_the_same_size_for_every_map_and_spares_the_seed():
    z = random_maps(k=3, p=50)
    own = np.zeros(z.shape, dtype=bool)
    own[:, :10] = True
    z[:, 0] = 99  # the seed itself
    network = networks.cut_networks(map_set(z, ["deep"] * 3, own=own), "largest tenth")
    assert network.sum(axis=1).tolist() == [4, 4, 4]
    assert not network[:, :10].any()


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_each_map_has_the_network_it_has_alone(seed):
    random = np.random.default_rng(seed)
    z = random.integers(0, 4, (7, 31)).astype(float)  # many ties
    z[random.random(z.shape) < 0.1] = np.nan
    own = random.random(z.shape) < 0.2
    own[0] = True
    maps = map_set(z, ["deep"] * 7, own=own)
    network = networks.cut_networks(maps, "largest tenth", share=0.3)
    for row in range(7):
        usable = np.flatnonzero(maps.usable(row))
        best = usable[np.argsort(-z[row, usable], kind="stable")]
        size = max(1, round(0.3 * len(usable)))
        assert np.flatnonzero(network[row]).tolist() == sorted(best[:size])


def test_an_unknown_rule_is_refused_with_the_ones_there_are():
    with pytest.raises(InputError, match="Bonferroni, largest tenth"):
        networks.cut_networks(map_set(random_maps(), ["deep"] * 6), "5.1")


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_dice_equals_the_f1_score_on_the_shared_locations(seed):
    random = np.random.default_rng(seed)
    network = random.random((2, 60)) < 0.4
    usable = random.random((2, 60)) < 0.8
    both = usable.all(axis=0)
    expected = f1_score(network[0, both], network[1, both], zero_division=0)
    assert networks.dice_matrix(network, usable)[0, 1] == pytest.approx(expected)


def test_rank_correlation_equals_spearman_where_nothing_is_left_out(monkeypatch):
    values = random_maps(k=4, p=101)
    # the pieces must not show
    monkeypatch.setattr(networks, "BLOCK", 17)
    monkeypatch.setattr(networks, "ROWS_VALUES", 250)
    matrix = networks.rank_correlation_matrix(values, np.ones(values.shape, dtype=bool))
    np.testing.assert_allclose(matrix, stats.spearmanr(values.T).statistic, atol=1e-12)


def test_what_lies_in_either_seed_does_not_count_as_likeness():
    z = random_maps(k=2, p=200)
    own = np.zeros(z.shape, dtype=bool)
    own[0, :20] = True
    with_seed = z.copy()
    with_seed[:, :20] = 50
    a = networks.similarity(map_set(with_seed, ["deep"] * 2, own=own), "continuous")[0, 1]
    b = networks.similarity(map_set(z, ["deep"] * 2, own=own), "continuous")[0, 1]
    assert abs(a) < 0.5
    assert a == pytest.approx(b, abs=0.1)


def test_conjunction_asks_every_group():
    network = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 1, 1]], dtype=bool)
    groups = np.array(["superficial", "superficial", "deep", "deep"])
    table = networks.conjunction(network, groups, share=0.5)
    assert table["common"].tolist() == [True, True, False]
    assert table["superficial"].tolist() == [1, 0.5, 0]


def test_residual_maps_have_nothing_left_of_the_layout():
    layout = np.random.default_rng(3).standard_normal((1, 80))
    maps = map_set(random_maps(k=3, p=80) + 4 * layout, ["deep"] * 3)
    left = networks.residual_maps(maps, layout)
    for row in left.z:
        assert abs(np.corrcoef(row, layout[0])[0, 1]) < 1e-9
    # t is scaled by the same standard error: the ratio of z to t is kept
    np.testing.assert_allclose(left.z / left.t, maps.z / maps.t)


def test_layout_components_are_the_mean_and_the_leading_directions():
    z = random_maps(seed=5, k=30, p=60)
    basis = networks.layout_components(map_set(z, ["null"] * 30), n_components=3)
    np.testing.assert_allclose(basis[0], z.mean(axis=0))
    _, _, directions = np.linalg.svd(z - z.mean(axis=0), full_matrices=False)
    for found, wanted in zip(basis[1:], directions, strict=False):
        assert abs(np.corrcoef(found, wanted)[0, 1]) == pytest.approx(1)


def test_leaving_a_target_out_is_the_overlap_of_the_others():
    maps = map_set(random_maps(k=5), ["superficial"] * 3 + ["deep"] * 2)
    table = overlap.leave_one_target_out(maps, "continuous").set_index("left_out")
    matrix = networks.similarity(maps, "continuous")
    assert table.loc["s1", "overlap"] == pytest.approx(matrix[np.ix_([0, 2], [3, 4])].mean())
    assert table.loc["", "change"] == 0


def test_group_maps_are_a_one_sample_t_test_that_skips_missing_subjects():
    z = np.random.default_rng(1).standard_normal((12, 2, 5))
    z[3:5, 0, 1] = np.nan
    mean, t = overlap.group_maps(z)
    expected = stats.ttest_1samp(z, 0, axis=0, nan_policy="omit").statistic
    np.testing.assert_allclose(t, np.asarray(expected), rtol=1e-12)
    assert mean[0, 1] == pytest.approx(np.nanmean(z[:, 0, 1]))
    drawn = np.random.default_rng(2).integers(0, 12, 12)
    for counted, said in zip(
        overlap.group_maps(z, np.bincount(drawn, minlength=12)),
        overlap.group_maps(z[drawn]),
        strict=True,
    ):
        np.testing.assert_allclose(counted, said, rtol=1e-12)


def test_split_halves_of_the_same_signal_agree_and_of_noise_do_not():
    random = np.random.default_rng(0)
    pattern = random.standard_normal((1, 1, 300))
    own = np.zeros((1, 300), dtype=bool)
    signal = pattern + 0.5 * random.standard_normal((20, 1, 300))
    noise = random.standard_normal((20, 1, 300))
    assert overlap.split_half_reliability(signal, own, 20)["r"].item() > 0.9
    assert abs(overlap.split_half_reliability(noise, own, 20)["r"].item()) < 0.2


def test_p_is_never_zero_for_sampled_draws_and_exact_for_all_arrangements():
    sampled = nulls.NullTest("", 2.0, np.zeros(99))
    exact = nulls.NullTest("", 2.0, np.array([2.0, 1, 0, 0]), exact=True)
    assert sampled.p == 0.01
    assert exact.p == 0.25


def test_holm_is_applied_over_the_tests_shown():
    random = np.random.default_rng(0)
    tests = [nulls.NullTest(str(i), 3.0, random.standard_normal(999)) for i in range(4)]
    table = nulls.table_of_tests(tests)
    assert (table["p_holm"] >= table["p"]).all()
    assert table["p_holm"].max() <= 1


def test_random_seeds_are_matched_and_never_drawn_twice_in_one_draw():
    z = random_maps(k=44)
    maps = map_set(
        z,
        ["superficial", "superficial", "deep", "deep"] + ["null"] * 40,
        hemisphere=["L", "L", "R", "R"] + ["L", "R"] * 20,
    )
    pools = nulls.matched_pools(maps, np.arange(4))
    draws = nulls.draw_matched(pools, 2000, np.random.default_rng(0))
    hemisphere = maps.seeds["hemisphere"].to_numpy()
    assert (hemisphere[draws[:, :2]] == "L").all()
    assert (hemisphere[draws[:, 2:]] == "R").all()
    assert all(len(set(row)) == 4 for row in draws)
    assert (draws >= 4).all()


def test_too_few_matched_seeds_are_refused_by_name():
    maps = map_set(random_maps(k=8), ["superficial", "deep"] + ["null"] * 6)
    with pytest.raises(InputError, match="s0: only 6 random seeds"):
        nulls.location_null(maps, networks.similarity(maps, "continuous"), n_draws=10)


def test_the_expected_overlap_is_the_mean_of_the_drawn_one():
    maps = map_set(random_maps(k=45), ["superficial"] * 3 + ["deep"] * 2 + ["null"] * 40)
    matrix = networks.similarity(maps, "continuous")
    test = nulls.location_null(maps, matrix, n_draws=5000, seed=1)
    error = test.null.std() / np.sqrt(len(test.null))
    assert nulls.expected_overlap(maps, matrix) == pytest.approx(test.null.mean(), abs=5 * error)


def test_labels_are_permuted_over_all_arrangements_when_there_are_few():
    maps = map_set(random_maps(k=7), ["superficial"] * 3 + ["deep"] * 4)
    matrix = networks.similarity(maps, "continuous")
    test = nulls.label_null(maps, matrix)
    assert test.exact
    assert len(test.null) == len(list(itertools.combinations(range(7), 3)))
    assert np.isclose(test.null, test.observed).any()
    inside = [overlap.within(matrix, rows) for rows in (np.arange(3), np.arange(3, 7))]
    across = overlap.between(matrix, np.arange(3), np.arange(3, 7))
    assert test.observed == pytest.approx(across - np.mean(inside))


def test_many_choices_at_once_are_what_each_is_alone():
    random = np.random.default_rng(3)
    matrix = random.standard_normal((6, 6))
    matrix[0, 4] = matrix[4, 0] = np.nan
    first = random.random((20, 6)) < 0.5
    first[0] = False
    means = nulls.mean_between(matrix, first, ~first)
    assert np.isnan(means[0])
    for mean, chosen in zip(means[1:], first[1:], strict=True):
        alone = overlap.between(matrix, np.flatnonzero(chosen), np.flatnonzero(~chosen))
        assert mean == pytest.approx(alone, nan_ok=True)


def test_specificity_needs_both_kinds_in_each_group():
    maps = map_set(random_maps(k=6), ["superficial"] * 3 + ["deep"] * 3)
    matrix = networks.similarity(maps, "continuous")
    with pytest.raises(InputError, match="deep targets are of one kind"):
        nulls.specificity_null(maps, matrix, np.array([1, 0, 0, 1, 1, 1], dtype=bool), n_draws=5)
    test = nulls.specificity_null(
        maps, matrix, np.array([1, 0, 1, 1, 1, 0], dtype=bool), n_draws=200
    )
    assert 0 < test.p <= 1


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_surrogates_keep_mean_variance_and_morans_i(seed):
    random = np.random.default_rng(seed)
    places = random.uniform(-50, 50, (30, 3))
    values = random.standard_normal(30)
    made = nulls.moran_surrogates(values, places, 5, seed)
    weights = 1 / (cdist(places, places) + np.eye(30)) - np.eye(30)

    def moran(x):
        c = x - x.mean()
        return c @ weights @ c / (c @ c)

    for surrogate in made:
        assert surrogate.mean() == pytest.approx(values.mean(), abs=1e-9)
        assert surrogate.std() == pytest.approx(values.std())
        assert moran(surrogate) == pytest.approx(moran(values))
    assert not np.allclose(made[0], made[1])


def test_nulls_keep_their_nominal_rate_and_find_a_planted_network():
    none = calibration.rejection_rates(0.0, n_replicates=100, n_draws=200).set_index("test")
    for rule in ("largest tenth", "continuous"):
        row = none.loc[f"matched random seeds, {rule}"]
        assert row["low"] <= 0.05 <= row["high"]
    smooth = none.loc["two unrelated smooth maps"]
    assert smooth["low"] <= 0.05 <= smooth["high"]
    planted = calibration.rejection_rates(0.6, n_replicates=40, n_draws=200).set_index("test")
    assert planted.loc["matched random seeds, continuous", "rate"] > 0.9


def test_hubs_count_only_paths_between_the_groups():
    # region 0 is reached by both groups, region 1 by superficial targets alone
    z = np.array([[0.6, 0.9, 0.0], [0.6, 0.0, 0.0]])
    own = np.zeros(z.shape, dtype=bool)
    table = hubs.hub_measures(z, own, np.array([0]), np.array([1]))
    assert table["betweenness"].tolist() == [1, 0, 0]
    assert table["participation"].tolist() == [0.5, 0, 0]
    assert table["strength"].tolist() == pytest.approx([0.6, 0.45, 0])


def test_hub_ranks_come_with_intervals_and_leave_one_out_ranges():
    random = np.random.default_rng(0)
    subject_z = 0.2 + 0.05 * random.standard_normal((15, 4, 10))
    subject_z[:, :, 3] += 0.5
    z, t = overlap.group_maps(subject_z)
    maps = map_set(z, ["superficial"] * 2 + ["deep"] * 2, t=t)
    table = hubs.rank_hubs(maps, [f"r{i}" for i in range(10)], subject_z, n_draws=20)
    best = table.iloc[0]
    assert best["region"] == "r3"
    assert best["strength_low"] <= best["strength"] <= best["strength_high"]
    assert best["rank_best"] == best["rank_worst"] == 1


def test_only_strong_locations_can_be_hubs(monkeypatch):
    monkeypatch.setattr(hubs, "MAXIMUM_REGIONS", 3)
    z = np.array([[0.1, 0.5, -0.9, 0.4, 0.3], [0.1, 0.5, -0.9, 0.4, 0.3]])
    maps = map_set(z, ["superficial", "deep"])
    assert hubs.strongest_places(maps, np.array([0, 1])).tolist() == [1, 3, 4]


def voxels(n=12, size=4.0):
    indices = np.argwhere(np.ones((n, n, n))).astype(np.int32)
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = -size * n / 2
    return VoxelSpace((n, n, n), affine, indices)


def test_density_is_the_share_of_studies_near_a_voxel():
    space = voxels()
    foci = pd.DataFrame(
        {
            "study": ["a", "a", "b"],
            "x": [0.0, 1.0, 0.0],
            "y": [0.0, 0.0, 0.0],
            "z": [0.0, 0.0, 16.0],
        }
    )
    coverage = reference.study_coverage(foci, space, radius=6)
    centre = np.linalg.norm(space.coordinates, axis=1).argmin()
    assert coverage.shape == (2, space.n_locations)
    assert coverage[:, centre].tolist() == [1, 0]  # two foci of one study count once
    z = reference.density_z(foci, space, radius=6, n_draws=30)["z"]
    assert z[centre] > 2


def test_parcels_are_represented_by_all_their_volume():
    labels = np.zeros((20, 20, 20), dtype=np.int32)
    labels[:10], labels[10:] = 1, 2
    labels[5, 5, 5] = 3  # smaller than the sampling grid
    table = pd.DataFrame({"value": [2, 1, 3], "name": ["right", "left", "dot"]})
    space = ParcelSpace(labels, np.eye(4), table)
    points, location = reference.sampled_places(space)
    assert set(location) == {0, 1, 2}
    assert points[location == 2].tolist() == [[5, 5, 5]]
    assert (points[location == 0][:, 0] >= 10).all()


def test_a_focus_outside_mni_space_is_refused_with_study_and_contrast():
    coords = {"space": "TAL", "x": [1], "y": [1], "z": [1]}
    with pytest.raises(InputError, match="study s1, contrast c"):
        reference.read_foci(
            f'{{"s1": {{"contrasts": {{"c": {{"coords": {coords}}}}}}}}}'.replace("'", '"'), "foci"
        )


def test_expectations_pass_fail_or_are_not_represented():
    space = voxels()
    x = space.coordinates[:, 0]
    maps = map_set((x / 100)[None], ["deep"])
    expected = pd.DataFrame(
        {
            "target": ["s0", "s0", "s0", "s0", "s9"],
            "region": ["right", "left", "left", "outside", "right"],
            "x": [16, -16, -16, 300, 16],
            "y": 0,
            "z": 0,
            "expectation": ["reaches", "reaches", "does not reach", "reaches", "reaches"],
            "source": "",
        }
    )
    table = reference.check_expectations(expected, maps, space)
    outcomes = ["pass", "fail", "pass", "not represented", "not represented"]
    assert table["outcome"].tolist() == outcomes


def test_a_region_inside_the_seed_tells_nothing():
    space = voxels()
    own = np.ones((1, space.n_locations), dtype=bool)
    maps = map_set(np.ones((1, space.n_locations)), ["deep"], own=own)
    expected = pd.DataFrame(
        [
            {
                "target": "s0",
                "region": "r",
                "x": 0,
                "y": 0,
                "z": 0,
                "expectation": "reaches",
                "source": "",
            }
        ]
    )
    table = reference.check_expectations(expected, maps, space)
    assert table["outcome"].tolist() == ["not represented"]


def test_the_common_network_is_held_against_random_conjunctions():
    random = np.random.default_rng(0)
    pattern = random.standard_normal(60)
    z = random.standard_normal((44, 60))
    z[:4] += 2 * pattern
    maps = map_set(z, ["superficial"] * 2 + ["deep"] * 2 + ["null"] * 40)
    test = reference.reference_null(maps, pattern, n_draws=500)
    assert test.p < 0.01
    assert test.observed > 0.7
