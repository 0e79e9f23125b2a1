"""Shares corrected for the errors of whatever counted them."""

from typing import NamedTuple

import numpy as np


class AdjustedShare(NamedTuple):
    """A share as counted and as corrected, with the interval of the latter."""

    k: int
    n: int
    apparent: float
    sensitivity: float
    specificity: float
    estimate: float
    low: float
    high: float


def rogan_gladen(
    apparent: float | np.ndarray, sensitivity: float | np.ndarray, specificity: float | np.ndarray
) -> float | np.ndarray:
    """Return the true share behind an apparent one, held within 0 and 1.

    Parameters
    ----------
    apparent : float or ndarray
        Share of records that got the label.
    sensitivity, specificity : float or ndarray
        Of the labelling; NaN where they sum to 1 or less, for then labels say nothing.

    References
    ----------
    Rogan and Gladen 1978, Am J Epidemiol 107:71-76.

    Examples
    --------
    >>> float(round(rogan_gladen(0.31, 0.9, 0.95), 3))
    0.306
    """
    informative = np.asarray(sensitivity) + specificity - 1
    informative = np.where(informative > 0, informative, np.nan)
    return np.clip((np.asarray(apparent) + specificity - 1) / informative, 0, 1)[()]


def adjusted_share(
    given: np.ndarray,
    truth: np.ndarray,
    labelled: np.ndarray,
    *,
    draws: int = 2000,
    seed: int = 20200728,
    confidence: float = 0.95,
) -> AdjustedShare:
    """Correct the share of records with a label for the label's errors.

    Parameters
    ----------
    given : ndarray of bool, shape (n,)
        Whether each record of interest got the label.
    truth, labelled : ndarray of bool, shape (m,)
        For the records on which the labelling was measured: whether the label holds, and whether
        it was given. They are not assumed to be among the first.
    draws, seed, confidence
        Of the bootstrap, which draws the records of interest and the measured records anew, each
        within its own group, so that the uncertainty of the errors is carried into the interval.

    Returns
    -------
    AdjustedShare
        NaN limits and estimate if the measured records hold no positive or no negative.
    """
    given, truth, labelled = (np.asarray(part, dtype=bool) for part in (given, truth, labelled))
    k, n = int(given.sum()), len(given)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not (positives and negatives and n):
        nan = float("nan")
        return AdjustedShare(k, n, k / n if n else nan, nan, nan, nan, nan, nan)
    hits, passes = int((truth & labelled).sum()), int((~truth & ~labelled).sum())
    generator = np.random.default_rng(seed)
    # half a record is added to each cell, so that a flawless sample is not taken for certainty
    sensitivity = generator.beta(hits + 0.5, positives - hits + 0.5, draws)
    specificity = generator.beta(passes + 0.5, negatives - passes + 0.5, draws)
    apparent = generator.binomial(n, k / n, draws) / n
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(rogan_gladen(apparent, sensitivity, specificity), [tail, 1 - tail])
    estimate = rogan_gladen(k / n, hits / positives, passes / negatives)
    return AdjustedShare(
        k,
        n,
        k / n,
        hits / positives,
        passes / negatives,
        float(estimate),
        float(low),
        float(high),
    )
