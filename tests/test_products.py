"""The compiled matrix product against numpy's in double precision."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from compendium.connectome.products import WIDENED, add_up_rows, correlate, correlate_integers


def written(rows, seeds, bounds, at_once, beyond=0):
    """Return what is written; NaN where nothing is."""
    out = np.full((len(bounds) - 1, len(rows) + beyond, seeds.shape[1]), np.nan, np.float32)
    if rows.dtype == np.int16:
        scratch = np.empty(WIDENED * rows.shape[1], np.float32)
        correlate_integers(rows, seeds, bounds, at_once, scratch, out)
    else:
        correlate(rows, seeds, bounds, at_once, out)
    return out


# no deadline: the first example waits for the compiler
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@settings(deadline=None)
@given(
    n_rows=st.one_of(st.integers(1, 40), st.integers(WIDENED - 1, 2 * WIDENED + 1)),
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    n_seeds=st.integers(1, 25),
    at_once=st.sampled_from([16, 100, 4096]),
    number=st.integers(0, 2**32 - 1),
)
def test_every_run_is_multiplied_with_its_own_columns(
    dtype, n_rows, lengths, n_seeds, at_once, number
):
    rng = np.random.default_rng(number)
    bounds = np.cumsum([0, *lengths])
    rows = rng.integers(-32768, 32768, (n_rows, bounds[-1])).astype(dtype)
    seeds = rng.standard_normal((bounds[-1], n_seeds)).astype(np.float32)
    out = written(rows, seeds, bounds, at_once)
    for run, (first, last) in enumerate(pairwise(bounds)):
        parts = rows[:, first:last].astype(float), seeds[first:last].astype(float)
        rounding = np.abs(parts[0]) @ np.abs(parts[1]) * 4e-6
        assert (np.abs(out[run] - parts[0] @ parts[1]) <= rounding).all()


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_nothing_is_written_where_there_is_no_row(dtype):
    rows = np.ones((WIDENED + 3, 7), dtype)
    out = written(rows, np.ones((7, 2), np.float32), np.array([0, 4, 7]), 64, beyond=5)
    assert np.isnan(out[:, len(rows) :]).all()
    np.testing.assert_array_equal(out[0, : len(rows)], 4)
    np.testing.assert_array_equal(out[1, : len(rows)], 3)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@settings(deadline=None)
@given(
    n_locations=st.integers(1, 60),
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    n_seeds=st.integers(1, 6),
    number=st.integers(0, 2**32 - 1),
)
def test_a_seed_is_the_weighted_sum_of_the_raw_series_that_have_signal(
    dtype, n_locations, lengths, n_seeds, number
):
    rng = np.random.default_rng(number)
    bounds = np.cumsum([0, *lengths])
    rows = rng.integers(-32768, 32768, (n_locations, bounds[-1])).astype(dtype)
    used = np.flatnonzero(rng.random(n_locations) < 0.6)
    weights = sp.csr_array(rng.random((n_seeds, len(used))) * (rng.random((n_seeds, 1)) < 0.7))
    size = rng.random((len(used), len(lengths))) * (rng.random((len(used), 1)) < 0.7)
    size[rng.random(size.shape) < 0.2] = 0
    # what has no signal is not even looked at: it may be no number
    if dtype == np.float32:
        for run, (first, last) in enumerate(pairwise(bounds)):
            rows[used[size[:, run] == 0], first:last] = np.nan
    out = np.full((n_seeds, bounds[-1]), np.nan)
    add_up_rows(rows, used, weights.indptr, weights.indices, weights.data, size, bounds, out)
    raw = np.nan_to_num(rows[used].astype(float)) * np.repeat(size, lengths, axis=1)
    np.testing.assert_allclose(out, weights @ raw, rtol=1e-12, atol=1e-7)
