"""The simulated connectome: what it claims to be true is what its data tend to."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp

from compendium.connectome.simulate import PRESETS, brain_space, simulate_connectome
from compendium.connectome.smooth_noise import SmoothNoise
from compendium.errors import InputError


def seed_at(space, centre, radius):
    near = np.linalg.norm(space.coordinates - centre, axis=1) <= radius
    return near / near.sum()


def mean_z(connectome, weights, *, regress_global=False):
    total, count = 0, 0
    for subject in connectome.iter_subjects():
        for run in subject.runs:
            run = run - run.mean(axis=0)
            if regress_global:
                mean = run.mean(axis=1, keepdims=True)
                run = run - mean @ (mean.T @ run) / (mean**2).sum()
            seed = run @ weights
            r = seed @ run / np.linalg.norm(seed) / np.linalg.norm(run, axis=0)
            total, count = total + np.arctanh(np.clip(r, -0.999, 0.999)), count + 1
    return total / count


@pytest.mark.parametrize("regress_global", [False, True])
@pytest.mark.parametrize("centre", [(-37, -21, 58), (-4, -26, -14), (-2, -15, -8)])
def test_data_recover_the_analytic_map(centre, regress_global):
    connectome = simulate_connectome(
        resolution=8, n_subjects=20, n_runs=1, n_volumes=200, pain_network=0.7
    )
    weights = seed_at(connectome.space, centre, 9)
    truth = connectome.truth(weights, regress_global=regress_global)
    measured = np.tanh(mean_z(connectome, weights, regress_global=regress_global))
    far = np.linalg.norm(connectome.space.coordinates - centre, axis=1) > 20
    assert np.corrcoef(truth[far], measured[far])[0, 1] > 0.97
    assert np.abs(truth - measured)[far].mean() < 0.02


def test_noise_alone_has_no_long_range_correlation_and_the_known_short_range_one():
    connectome = simulate_connectome(
        resolution=8, n_subjects=8, n_runs=1, n_volumes=400, layout="none", global_signal=0,
        smoothing=24,
    )  # fmt: skip
    space = connectome.space
    weights = np.zeros(space.n_locations)
    weights[np.linalg.norm(space.coordinates - (8, -54, 30), axis=1).argmin()] = 1
    truth = connectome.truth(weights)
    distance = np.linalg.norm(space.coordinates - space.coordinates[weights.argmax()], axis=1)
    # noise smoothed with a Gaussian of SD s correlates as a Gaussian of SD s * sqrt(2)
    np.testing.assert_allclose(truth, np.exp(-(distance**2) / (4 * (24 / 2.3548) ** 2)), atol=0.01)
    near = distance < 24
    assert np.abs(np.tanh(mean_z(connectome, weights)) - truth)[near].max() < 0.1


def test_no_number_is_so_small_that_it_slows_the_processor_down():
    connectome = simulate_connectome(**PRESETS["test"])
    kernels = SmoothNoise(connectome.space, fwhm=6.0).kernels
    for values in (*kernels, connectome.loadings):
        assert values[values > 0].min() > np.finfo(np.float32).tiny * 1e20


def test_a_seed_correlates_perfectly_with_itself():
    connectome = simulate_connectome(**PRESETS["test"])
    one = np.zeros(connectome.space.n_locations)
    one[100] = 1
    truth = connectome.truth(one)
    assert truth[100] == pytest.approx(1)
    assert np.abs(truth).max() <= 1 + 1e-12
    both = connectome.truth(sp.csr_array(np.vstack([one, one])))
    np.testing.assert_allclose(both, np.vstack([truth, truth]), rtol=1e-12)


def test_pain_network_joins_superficial_and_deep_sites_only_when_asked():
    sites = (-37, -21, 58), (-4, -26, -14)
    shared = {}
    for strength in (0.0, 0.8):
        connectome = simulate_connectome(
            resolution=8, n_subjects=1, global_signal=0, pain_network=strength
        )
        cortex, deep = (seed_at(connectome.space, site, 9) for site in sites)
        shared[strength] = connectome.truth(cortex) @ deep
    assert abs(shared[0.0]) < 0.15
    assert shared[0.8] > shared[0.0] + 0.15


def test_random_layout_differs_by_seed_and_leaves_the_global_signal_alone():
    one, same, other = (
        simulate_connectome(resolution=8, n_subjects=1, layout="random", seed=seed)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.loadings, same.loadings)
    assert not np.array_equal(one.loadings[:, :-1], other.loadings[:, :-1])
    assert one.signal_names[-1] == "global"
    np.testing.assert_array_equal(one.loadings[:, -1], other.loadings[:, -1])


def test_a_subject_is_the_same_in_any_order_and_in_another_process():
    connectome = simulate_connectome(**PRESETS["test"])
    last, first = connectome.load_subject("sim-006"), connectome.load_subject("sim-001")
    again = list(connectome.iter_subjects())
    copy = pickle.loads(pickle.dumps(connectome)).load_subject("sim-006")  # noqa: S301
    for a, b in ((first, again[0]), (last, again[-1]), (last, copy)):
        for run, other in zip(a.runs, b.runs, strict=True):
            np.testing.assert_array_equal(run, other)
    assert not np.array_equal(first.runs[0], last.runs[0])
    assert not np.array_equal(first.runs[0], first.runs[1])
    assert first.runs[0].dtype == np.float32


def test_brain_holds_brainstem_and_hypothalamus_and_no_voxel_outside():
    space = brain_space(4)
    cells = {tuple(row) for row in space.indices.tolist()}
    for place in [(-4, -26, -14), (-2, -15.2, -8.4), (0, -30, -30), (-17, -22, 3), (-37, -21, 58)]:
        voxel = np.rint(np.linalg.solve(space.affine[:3, :3], place - space.affine[:3, 3]))
        assert tuple(voxel.astype(int).tolist()) in cells, place
    for place in [(0, 0, 90), (0, -110, 0), (60, 60, 60)]:
        assert np.linalg.norm(space.coordinates - place, axis=1).min() > 8, place


def test_every_claim_says_simulated():
    connectome = simulate_connectome(**PRESETS["test"])
    assert connectome.simulated
    assert "no evidential value" in connectome.provenance["source"]


@pytest.mark.parametrize("wrong", [{"layout": "fractal"}, {"n_subjects": 0}, {"resolution": -1}])
def test_wrong_sizes_are_refused(wrong):
    with pytest.raises(InputError):
        simulate_connectome(**wrong)


def test_unknown_subject_is_refused():
    with pytest.raises(InputError, match="sim-999"):
        simulate_connectome(**PRESETS["test"]).load_subject("sim-999")


@pytest.mark.parametrize(
    "wrong",
    [
        {"resolution": float("nan")},
        {"resolution": 0},
        {"repetition_time": -2},
        {"noise_sd": 0},
        {"noise_sd": -1},
        {"smoothing": -1},
        {"gain_sd": float("inf")},
        {"seed": -1},
    ],
)
def test_parameters_that_make_no_connectome_are_refused(wrong):
    with pytest.raises(InputError, match="above"):
        simulate_connectome(**{**PRESETS["test"], **wrong})


def test_noise_is_only_drawn_where_some_voxel_feels_it():
    space = simulate_connectome(**PRESETS["test"]).space
    noise = SmoothNoise(space, fwhm=6.0)
    reached = np.zeros(space.shape)
    reached.flat[noise.reached] = 1
    everywhere = noise._convolve(np.ones((1, *space.shape)), np.float64)[0, noise.columns]
    there = noise._convolve(reached[None], np.float64)[0, noise.columns]
    np.testing.assert_array_equal(there, everywhere)
    assert 0 < len(noise.reached) < 0.9 * reached.size
