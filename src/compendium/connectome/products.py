"""Rows times seeds, compiled: the matrix product of scipy's BLAS, called without numpy.

Every call from Python takes the interpreter's lock back when it returns, and threads that call
often wait for each other. Here one call widens a block of rows and multiplies it, run by run; and
one call adds up the rows that seeds are made of.
"""

import ctypes

import numpy as np
from numba import njit
from numba.extending import get_cython_function_address

# C = alpha A B + beta C in single precision; BLAS counts along columns first, and takes pointers:
# transa, transb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc
SGEMM = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)(
    get_cython_function_address("scipy.linalg.cython_blas", "sgemm")
)
AS_IT_IS = np.frombuffer(b"N", np.uint8)  # not transposed
ONE_AND_ZERO = np.array([1, 0], np.float32)
WIDENED = 512  # rows that are widened at a time: they stay in the cache until they are multiplied


@njit(nogil=True, error_model="numpy")
def correlate(
    rows: np.ndarray, seeds: np.ndarray, bounds: np.ndarray, at_once: int, out: np.ndarray
) -> None:
    """Write the product of rows and seeds, run by run.

    Parameters
    ----------
    rows : ndarray, shape (n_rows, n_columns), float32, contiguous
        Stored rows.
    seeds : ndarray, shape (n_columns, n_seeds), float32, contiguous
        `SeedSeries.unit`.
    bounds : ndarray, shape (n_runs + 1,), int
        First column of each run, and the number of columns.
    at_once : int
        Rows that are multiplied at once.
    out : ndarray, shape (n_runs, n_rows or more, n_seeds), float32, contiguous
        Overwritten where there are rows.
    """
    n_columns, n_seeds = seeds.shape
    size = np.empty(5, np.int32)  # m, n, k, columns of the seeds, columns of the rows
    size[0] = size[3] = n_seeds
    size[4] = n_columns
    m, n, k, wide, long = (
        size[0:].ctypes, size[1:].ctypes, size[2:].ctypes, size[3:].ctypes, size[4:].ctypes,
    )  # fmt: skip
    plain, one, zero = AS_IT_IS.ctypes, ONE_AND_ZERO[0:].ctypes, ONE_AND_ZERO[1:].ctypes
    for run in range(len(bounds) - 1):
        first = bounds[run]
        size[2] = bounds[run + 1] - first
        of_seeds = seeds[first:].ctypes
        for low in range(0, len(rows), at_once):
            size[1] = min(at_once, len(rows) - low)
            part, to = rows[low:, first:].ctypes, out[run, low:].ctypes
            SGEMM(plain, plain, m, n, k, one, of_seeds, wide, part, long, zero, to, wide)


@njit(nogil=True, error_model="numpy")
def correlate_integers(
    rows: np.ndarray,
    seeds: np.ndarray,
    bounds: np.ndarray,
    at_once: int,
    scratch: np.ndarray,
    out: np.ndarray,
) -> None:
    """Write the product of rows of int16 and seeds, run by run; see `correlate`.

    Parameters
    ----------
    rows, seeds, bounds, at_once, out
        As in `correlate`; the rows are int16.
    scratch : ndarray, shape (WIDENED * n_columns or more,), float32
        Overwritten.
    """
    for first in range(0, len(rows), WIDENED):
        part = rows[first : first + WIDENED]
        of_part, wide = part.reshape(-1), scratch[: part.size]
        for place in range(part.size):
            wide[place] = of_part[place]
        correlate(wide.reshape(part.shape), seeds, bounds, at_once, out[:, first:])


@njit(nogil=True, error_model="numpy")
def add_up_rows(
    rows: np.ndarray,
    locations: np.ndarray,
    starts: np.ndarray,
    members: np.ndarray,
    shares: np.ndarray,
    size: np.ndarray,
    bounds: np.ndarray,
    out: np.ndarray,
) -> None:
    """Write the weighted sum of the raw series that each seed is made of.

    Parameters
    ----------
    rows : ndarray, shape (n_locations, n_columns), int16 or float32
        Stored rows; only those at `locations` are touched.
    locations : ndarray, shape (n_used,), int
        Rows that any seed has.
    starts, members, shares : ndarray
        ``indptr``, ``indices`` and ``data`` of the seeds' weights, a CSR matrix of shape
        (n_seeds, n_used).
    size : ndarray, shape (n_used, n_runs), float64
        What a stored row is multiplied with to be the raw series; 0 where there is no signal.
    bounds : ndarray, shape (n_runs + 1,), int
        First column of each run, and the number of columns.
    out : ndarray, shape (n_seeds, n_columns), float64
        Overwritten.
    """
    for seed in range(len(out)):
        of_seed = out[seed]
        of_seed[:] = 0
        for entry in range(starts[seed], starts[seed + 1]):
            row = rows[locations[members[entry]]]
            for run in range(len(bounds) - 1):
                share = shares[entry] * size[members[entry], run]
                if share != 0:
                    for column in range(bounds[run], bounds[run + 1]):
                        of_seed[column] += share * np.float64(row[column])
