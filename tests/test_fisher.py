"""The compiled loops of a mapping against numpy in double precision."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from compendium.connectome.fisher import LIMIT, TILE, TOGETHER, add_to_sums, mean_z

CORRELATIONS = st.floats(-1, 1, width=32)
TABLES = st.tuples(st.integers(1, 40), st.integers(1, 12))


def z_of(r):
    z = np.full_like(r, np.nan)
    mean_z(r[None], np.ones(1, np.float32), z)
    return z


# no deadline: the first example waits for the compiler
@settings(deadline=None)
@given(r=arrays(np.float32, TABLES, elements=CORRELATIONS))
def test_z_is_artanh_as_far_as_single_precision_knows_r(r):
    held = np.clip(r.astype(float), -LIMIT, LIMIT)
    known_to = 4e-7 + 1.2e-7 / (1 - np.abs(held))
    assert (np.abs(z_of(r) - np.arctanh(held)) <= known_to).all()


def test_z_is_exact_to_half_a_millionth_over_the_whole_usual_range():
    r = np.linspace(-0.99, 0.99, 200_000, dtype=np.float32).reshape(-1, 20)
    assert np.abs(z_of(r) - np.arctanh(r.astype(float))).max() < 5e-7


def test_a_perfect_correlation_gives_a_finite_z_and_none_gives_none():
    z = z_of(np.array([[1, -1, 0, 1.0000001]], np.float32))
    assert np.isfinite(z).all()
    assert z[0, 2] == 0
    assert z[0, 0] == z[0, 3] == z_of(np.full((1, 1), LIMIT))[0, 0]
    np.testing.assert_allclose(z[0, 1], -z[0, 0], rtol=2e-7)


# no deadline: the first example waits for the compiler
@settings(deadline=None)
@given(
    r=arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 20), st.integers(1, 5)),
             elements=st.floats(-0.9375, 0.9375, width=32)),
    weights=st.lists(st.sampled_from([0.25, 0.5, 1]), min_size=9, max_size=9),
)  # fmt: skip
def test_runs_are_averaged_with_their_weights_whether_or_not_they_share_a_logarithm(r, weights):
    weights = np.array(weights[: len(r)], np.float32)
    out = np.full_like(r[0], np.nan)
    mean_z(r, weights, out)
    known = np.einsum("r,rls->ls", weights, np.arctanh(r.astype(float)))
    np.testing.assert_allclose(out, known, rtol=0, atol=len(r) * 2e-6)


def test_as_many_runs_as_share_a_logarithm_may_all_be_perfect():
    r = np.ones((2 * TOGETHER + 1, TILE + 3, 1), np.float32)
    r[:, ::2] = -1
    out = np.empty_like(r[0])
    mean_z(r, np.full(len(r), 1 / len(r), np.float32), out)
    np.testing.assert_allclose(np.abs(out), np.arctanh(float(LIMIT)), rtol=1e-5)
    assert (out[::2] < 0).all()
    assert (out[1::2] > 0).all()


# no deadline: the first example waits for the compiler
@settings(deadline=None)
@given(
    values=arrays(np.float32, st.tuples(st.integers(1, 6), st.just(7), st.just(3)),
                  elements=st.floats(-8, 8, width=32))
)  # fmt: skip
def test_sums_are_those_of_double_precision(values):
    total, squares = np.zeros((2, 7, 3))
    for one in values:
        add_to_sums(one, total, squares)
    wide = values.astype(float)
    np.testing.assert_allclose(total, wide.sum(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(squares, (wide**2).sum(axis=0), rtol=1e-12, atol=1e-12)
