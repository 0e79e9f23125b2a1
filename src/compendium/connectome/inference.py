"""Which locations a seed is connected with beyond chance, counted by how many were looked at.

With a thousand subjects nearly the whole brain is "significant" for any seed. So the tests here
stand beside sweeps of effect size, and whether a *target* is special is asked elsewhere, of null
seeds (`compendium.connectome.dictionary`) and not of subjects.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from compendium.connectome.flips import MaxT
from compendium.connectome.maps import SeedMaps
from compendium.errors import InputError

METHODS = ("bonferroni", "fdr")
FAMILIES = ("map", "all maps")
EFFECTS = (0.05, 0.1, 0.15, 0.2, 0.3)  # absolute r


@dataclass(frozen=True)
class Significance:
    """A decision at every location.

    Attributes
    ----------
    p : ndarray, shape (K, P), float64
        Two-sided and adjusted for the number of tests; NaN where there is no test.
    alpha : float
        Level.
    n_tests : ndarray, shape (K,), int64
        Tests that each map's p values are adjusted for.
    method : str
        How.
    """

    p: np.ndarray
    alpha: float
    n_tests: np.ndarray
    method: str

    @property
    def mask(self) -> np.ndarray:
        """Where the adjusted p is at most alpha, shape (K, P), bool."""
        return np.nan_to_num(self.p, nan=1.0) <= self.alpha


def two_sided_p(t: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Return the two-sided p of t; NaN where t is."""
    return 2 * stats.t.sf(np.abs(t), np.maximum(df, 1))


def parametric(
    maps: SeedMaps, method: str = "fdr", *, alpha: float = 0.05, family: str = "map"
) -> Significance:
    """Test mean z against zero at every location, adjusted for the tests that were really done.

    Parameters
    ----------
    maps : SeedMaps
        Group maps.
    method : {"bonferroni", "fdr"}
        Family-wise error, or the false discovery rate of Benjamini and Hochberg (1995).
    alpha : float
        Level.
    family : {"map", "all maps"}
        Whether a map is a family of tests by itself, or all maps are one.

    Returns
    -------
    Significance
        Locations that belong to the seed itself are no tests: r is high there whatever the brain
        does.

    Raises
    ------
    InputError
        If the method or the family is unknown.
    """
    if method not in METHODS or family not in FAMILIES:
        raise InputError(
            f"unknown method {method!r} or family {family!r}",
            remedy=f"methods: {', '.join(METHODS)}; families: {', '.join(FAMILIES)}",
        )
    p = two_sided_p(maps.t, maps.df)
    p[maps.own] = np.nan
    tested = np.isfinite(p)
    adjusted = np.full(p.shape, np.nan)
    groups = [slice(row, row + 1) for row in range(len(p))] if family == "map" else [slice(None)]
    n_tests = np.zeros(len(p), np.int64)
    for rows in groups:
        here, values = tested[rows], p[rows]
        n_tests[rows] = here.sum()
        if here.any():
            block = np.full(values.shape, np.nan)
            block[here] = _adjusted(values[here], method)
            adjusted[rows] = block
    return Significance(adjusted, alpha, n_tests, method)


def _adjusted(p: np.ndarray, method: str) -> np.ndarray:
    if method == "fdr":
        return stats.false_discovery_control(p, method="bh")
    return np.minimum(p * len(p), 1)


def smallest_significant_r(n_subjects: int, sd: float, n_tests: int, alpha: float = 0.05) -> float:
    """Return the mean correlation at which t passes Bonferroni's threshold.

    Parameters
    ----------
    n_subjects : int
        Subjects behind the map.
    sd : float
        Standard deviation of Fisher z over subjects.
    n_tests : int
        Locations looked at.
    alpha : float
        Family-wise level.

    Examples
    --------
    >>> round(smallest_significant_r(1000, 0.2, 285_903), 3)
    0.033
    """
    critical = stats.t.isf(alpha / 2 / n_tests, n_subjects - 1)
    return float(np.tanh(critical * sd / np.sqrt(n_subjects)))


def sweep(
    maps: SeedMaps,
    *,
    effects: Sequence[float] = EFFECTS,
    alpha: float = 0.05,
    max_t: MaxT | None = None,
) -> pd.DataFrame:
    """Count the locations that each threshold leaves, positive and negative apart.

    Parameters
    ----------
    maps : SeedMaps
        Group maps.
    effects : sequence of float
        Thresholds of absolute mean r.
    alpha : float
        Level of the tests that stand beside them.
    max_t : MaxT, optional
        Sign flips of the same seeds, for one more row.

    Returns
    -------
    DataFrame
        One row per seed and threshold: ``seed``, ``threshold`` (as in "|r| > 0.1", "Bonferroni",
        "FDR", "sign flips"), ``positive``, ``negative`` (counts), ``tests`` (locations looked
        at; for sign flips, those known in enough subjects, see
        `compendium.connectome.flips.fewest_known`), ``share`` (of them that pass).
    """
    r, away = maps.mean_r, ~maps.own
    decisions = {f"|r| > {effect:g}": np.abs(r) > effect for effect in effects}
    tested = dict.fromkeys([*decisions, "FDR", "Bonferroni"], np.isfinite(r) & away)
    decisions["FDR"] = parametric(maps, "fdr", alpha=alpha).mask
    decisions["Bonferroni"] = parametric(maps, "bonferroni", alpha=alpha).mask
    if max_t is not None:
        p = max_t.p(maps.t)
        tested["sign flips"] = np.isfinite(p) & away
        decisions["sign flips"] = np.nan_to_num(p, nan=1.0) <= alpha
    rows = []
    for row, name in enumerate(maps.names):
        for threshold, passes in decisions.items():
            n_tests = int(tested[threshold][row].sum())
            kept = passes[row] & tested[threshold][row]
            positive = int((kept & (r[row] > 0)).sum())
            negative = int(kept.sum()) - positive
            share = kept.sum() / n_tests if n_tests else np.nan
            rows.append((name, threshold, positive, negative, n_tests, share))
    return pd.DataFrame(
        rows, columns=["seed", "threshold", "positive", "negative", "tests", "share"]
    )
