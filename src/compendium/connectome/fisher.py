"""The two inner loops of a mapping, compiled: r to Fisher z, and z into sums.

numpy would go over the same numbers a dozen times, and hand over the interpreter's lock at every
step. Here each loop goes over them once and holds no lock, so that threads do not wait for each
other. No operations are fused or reordered: every processor gives the same numbers.

Fisher z is half the logarithm of x = (1 + r) / (1 - r). With x = m 2^e and m about 1,

    z = e ln(2) / 2 + artanh(s),   s = (m - 1) / (m + 1),   |s| <= 0.172,

where Taylor's series of artanh up to the ninth power is exact to 4e-10.
"""

import numpy as np
from numba import njit

LIMIT = np.float32(1 - 1e-6)  # |r| is held below, so that z is finite where a seed meets itself
HALF_LN2 = np.float32(np.log(2) / 2)
SQRT_HALF = np.int32(np.float32(np.sqrt(0.5)).view(np.int32))  # its bits; m lies above it
MANTISSA = np.int32(23)  # bits
ONE = np.float32(1)
TILE = 2048  # values worked on at a time: they stay in the innermost cache
TOGETHER = 6  # runs that share a logarithm at most: (2 / 1e-6) ** 6 is still a float32
THIRD, FIFTH, SEVENTH, NINTH = (np.float32(1 / power) for power in (3, 5, 7, 9))


@njit(nogil=True, error_model="numpy")
def mean_z(r: np.ndarray, weights: np.ndarray, out: np.ndarray) -> None:
    """Write the weighted sum of several runs' Fisher z.

    Runs that follow each other with the same weight share one logarithm: their z add up to that
    of the product of their (1 + r) / (1 - r).

    Parameters
    ----------
    r : ndarray, shape (n_runs, n_rows, n_seeds), float32, contiguous
        Correlations; held below an absolute value of `LIMIT`.
    weights : ndarray, shape (n_runs,), float32
        Of each run; they sum to 1 for a mean.
    out : ndarray, shape (n_rows, n_seeds), float32, contiguous
        Overwritten.
    """
    of_r, of_out = r.reshape(len(r), -1), out.reshape(-1)
    above, below = np.empty(TILE, np.float32), np.empty(TILE, np.float32)
    for start in range(0, of_out.size, TILE):
        part = of_out[start : start + TILE]
        part[:] = 0
        run = 0
        while run < len(weights):
            weight, most = weights[run], min(run + TOGETHER, len(weights))
            above[:] = 1
            below[:] = 1
            while run < most and weights[run] == weight:
                of_run = of_r[run, start : start + TILE]
                for place in range(part.size):
                    held = min(max(of_run[place], -LIMIT), LIMIT)
                    above[place] *= ONE + held
                    below[place] *= ONE - held
                run += 1
            for place in range(part.size):
                bits = np.float32(above[place] / below[place]).view(np.int32)
                exponent = (bits - SQRT_HALF) >> MANTISSA
                m = np.int32(bits - (exponent << MANTISSA)).view(np.float32)
                s = (m - ONE) / (m + ONE)
                s2 = s * s
                series = ONE + s2 * (THIRD + s2 * (FIFTH + s2 * (SEVENTH + s2 * NINTH)))
                part[place] += weight * (np.float32(exponent) * HALF_LN2 + s * series)


@njit(nogil=True, error_model="numpy")
def add_to_sums(values: np.ndarray, total: np.ndarray, squares: np.ndarray) -> None:
    """Add values and their squares to sums in float64.

    Parameters
    ----------
    values : ndarray, shape (n_rows, n_seeds), float32, contiguous
        One subject's.
    total, squares : ndarray, shape (n_rows, n_seeds), float64, contiguous
        Added to.
    """
    of_values, of_total, of_squares = values.reshape(-1), total.reshape(-1), squares.reshape(-1)
    for place in range(of_values.size):
        value = np.float64(of_values[place])
        of_total[place] += value
        of_squares[place] += value * value
