"""How many trials there are when some links are only likely, and how many links are missed."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import norm


@dataclass(frozen=True)
class TrialCount:
    """A number of trials with the uncertainty of the links.

    Attributes
    ----------
    records : int
        How many registrations there are.
    decided : int
        How many trials the decisions make.
    expected : float
        Mean over the draws.
    low, high : float
        2.5 % and 97.5 % quantiles of the draws.
    draws : ndarray
        ``(draws,)``, the number of trials in each.
    """

    records: int
    decided: int
    expected: float
    low: float
    high: float
    draws: np.ndarray


def count_trials(
    n_records: int, links: pd.DataFrame, *, draws: int = 1_000, seed: int = 20_200_728
) -> TrialCount:
    """Count the trials again and again, each link there or not as its probability says.

    Parameters
    ----------
    n_records : int
        How many registrations there are.
    links : DataFrame
        From `compendium.linkage.link_records`: record_a, record_b, probability, decision. What a
        person decided has probability 0 or 1.
    draws : int
        How many clusterings.
    seed : int
        Same seed, same draws.

    Examples
    --------
    >>> links = pd.DataFrame({"record_a": ["a"], "record_b": ["b"], "probability": [0.5],
    ...                       "decision": ["review"]})
    >>> found = count_trials(3, links)
    >>> found.decided, found.low, found.high
    (3, 2.0, 3.0)
    """
    rng = np.random.default_rng(seed)
    codes, names = pd.factorize(pd.concat([links.record_a, links.record_b]), sort=True)
    left, right = codes[: len(links)], codes[len(links) :]
    probability = links.probability.to_numpy(float)

    def trials(kept: np.ndarray) -> int:
        edges = coo_array(
            (np.ones(kept.sum()), (left[kept], right[kept])), shape=(len(names), len(names))
        )
        return n_records - len(names) + connected_components(edges, directed=False)[0]

    if not len(links):
        flat = np.full(draws, n_records)
        return TrialCount(n_records, n_records, float(n_records), n_records, n_records, flat)
    counts = np.array([trials(rng.random(len(links)) < probability) for _ in range(draws)])
    low, high = np.quantile(counts, [0.025, 0.975])
    decided = trials((links.decision == "merge").to_numpy(bool))
    return TrialCount(n_records, decided, float(counts.mean()), float(low), float(high), counts)


def draw_table(count: TrialCount) -> pd.DataFrame:
    """Return how many draws gave each number of trials: ``trials``, ``draws``."""
    trials, draws = np.unique(count.draws, return_counts=True)
    return pd.DataFrame({"trials": trials, "draws": draws})


@dataclass(frozen=True)
class Capture:
    """A capture-recapture estimate of the links that two methods both miss.

    Attributes
    ----------
    first, second, both : int
        Links that the first method found, the second, and both.
    found : int
        Links that at least one of them found.
    estimate, low, high : float
        Chapman's estimate of all links, with its 95 % interval (never below `found`).
    missed, missed_low, missed_high : float
        The same less what was found.
    """

    first: int
    second: int
    both: int
    found: int
    estimate: float
    low: float
    high: float
    missed: float
    missed_low: float
    missed_high: float


def capture_recapture(first: int, second: int, both: int) -> Capture:
    """Estimate how many there are from two independent catches.

    Parameters
    ----------
    first, second, both : int
        Sizes of the two catches and of their overlap.

    Notes
    -----
    Chapman (Univ Calif Publ Stat 1951;1:131-160), with Seber's variance and an interval that is
    symmetric in the logarithm of the number missed. The two methods must be independent: if the
    links that state their numbers are also those with like titles, the estimate is too low.

    Examples
    --------
    >>> round(capture_recapture(60, 80, 48).estimate, 1)
    99.8
    """
    if not 0 <= both <= min(first, second):
        raise ValueError(f"the overlap {both} does not fit into {first} and {second}")
    found = first + second - both
    estimate = (first + 1) * (second + 1) / (both + 1) - 1
    variance = (
        (first + 1)
        * (second + 1)
        * (first - both)
        * (second - both)
        / ((both + 1) ** 2 * (both + 2))
    )
    missed = estimate - found
    if missed <= 0 or variance <= 0:
        return Capture(first, second, both, found, estimate, estimate, estimate, 0.0, 0.0, 0.0)
    spread = float(np.exp(norm.ppf(0.975) * np.sqrt(np.log1p(variance / missed**2))))
    low, high = missed / spread, missed * spread
    return Capture(
        first, second, both, found, estimate, found + low, found + high, missed, low, high
    )


def links_by_method(links: pd.DataFrame) -> tuple[int, int, int]:
    """Count the accepted links across registries by the method that found them.

    Parameters
    ----------
    links : DataFrame
        From `link_records`. Links within one registry (aliases, national records) are no catch of
        either method and are left out, as are those that only a person found.

    Returns
    -------
    tuple of int
        Found by stated numbers, by titles and facts, by both.
    """
    within = links.kind.isin(["EUCTR root", "same registration", "NCT alias"])
    accepted = links[(links.decision == "merge") & ~within]
    by = accepted.found_by.value_counts()
    both = int(by.get("both", 0))
    return int(by.get("ids", 0)) + both, int(by.get("titles", 0)) + both, both
