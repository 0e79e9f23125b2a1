"""Agreement between readers: chance-corrected coefficients, with intervals.

Coefficients that correct for chance differ when a label is rare: Cohen's kappa can be low beside an
agreement of 97 % (the kappa paradox). So kappa is never reported alone here, but with raw
agreement, Gwet's AC1 and the prevalence.
"""

from collections.abc import Callable, Hashable, Sequence

import numpy as np
import pandas as pd
from scipy.stats import hypergeom
from statsmodels.stats.proportion import proportion_confint


def percent_agreement(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    """Return the share of items on which two readers agree.

    Parameters
    ----------
    a, b : sequence
        One code for each item, in the same order; no item may be missing.

    Examples
    --------
    >>> percent_agreement("yyn", "ynn")
    0.6666666666666666
    """
    return float((_codes(a, b)[0] == _codes(a, b)[1]).mean())


def cohen_kappa(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    """Return Cohen's kappa of two readers over nominal codes.

    Parameters
    ----------
    a, b : sequence
        One code for each item, in the same order; no item may be missing.

    Returns
    -------
    float
        NaN if both readers gave every item one and the same code: there is then no variation to
        agree about.

    References
    ----------
    Cohen 1960, Educ Psychol Meas 20:37-46.

    Examples
    --------
    >>> round(cohen_kappa("yyyyynnnnn", "yyyynynnnn"), 2)
    0.6
    """
    left, right, n_codes = _codes(a, b)
    observed = (left == right).mean()
    p, q = (np.bincount(side, minlength=n_codes) / len(left) for side in (left, right))
    expected = float(p @ q)
    return float("nan") if expected == 1 else float((observed - expected) / (1 - expected))


def gwet_ac1(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    """Return Gwet's first-order agreement coefficient of two readers over nominal codes.

    Parameters
    ----------
    a, b : sequence
        One code for each item, in the same order; no item may be missing.

    Returns
    -------
    float
        NaN if only one code occurs.

    References
    ----------
    Gwet 2008, Br J Math Stat Psychol 61:29-48.
    """
    left, right, n_codes = _codes(a, b)
    if n_codes < 2:
        return float("nan")
    observed = (left == right).mean()
    share = (np.bincount(left, minlength=n_codes) + np.bincount(right, minlength=n_codes)) / (
        2 * len(left)
    )
    expected = float((share * (1 - share)).sum() / (n_codes - 1))
    return float((observed - expected) / (1 - expected))


def krippendorff_alpha(ratings: Sequence[Sequence[Hashable | None]]) -> float:
    """Return Krippendorff's alpha over nominal codes; items some readers skipped are allowed.

    Parameters
    ----------
    ratings : sequence of sequences, shape (n_readers, n_items)
        None, NaN or pandas NA where a reader gave no code. Items with fewer than two codes are
        left out.

    Returns
    -------
    float
        NaN if no item has two codes, or only one code occurs.

    References
    ----------
    Krippendorff 2011, Computing Krippendorff's alpha-reliability.

    Examples
    --------
    >>> round(krippendorff_alpha([[1, 2, None, 1], [1, 2, 2, 2], [1, None, 2, 1]]), 3)
    0.64
    """
    items = [[code for code in item if not pd.isna(code)] for item in zip(*ratings, strict=True)]
    codes = sorted({code for item in items for code in item}, key=str)
    counts = np.array([[item.count(code) for code in codes] for item in items], dtype=float)
    counts = counts.reshape(len(items), len(codes))
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts) or (counts.sum(axis=0) > 0).sum() < 2:
        return float("nan")
    sizes = counts.sum(axis=1)
    n = sizes.sum()
    observed = ((sizes**2 - (counts**2).sum(axis=1)) / (sizes - 1)).sum() / n
    totals = counts.sum(axis=0)
    expected = (n**2 - (totals**2).sum()) / (n * (n - 1))
    return float(1 - observed / expected)


def wilson_interval(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval of a share k/n; (0, 1) if n is 0.

    Examples
    --------
    >>> [round(limit, 3) for limit in wilson_interval(240, 487)]
    [0.449, 0.537]
    """
    if n == 0:
        return 0.0, 1.0
    low, high = proportion_confint(k, n, alpha=1 - confidence, method="wilson")
    return float(low), float(high)


def bootstrap_interval(
    statistic: Callable[[np.ndarray], float],
    clusters: Sequence[Hashable],
    *,
    draws: int = 1000,
    seed: int = 20200728,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return a percentile interval by drawing whole clusters with replacement.

    Parameters
    ----------
    statistic : callable
        Takes the positions of the drawn items (with repeats) and returns a number; NaN is left out.
    clusters : sequence
        The cluster of each item; items of one trial are drawn together.
    draws, seed, confidence
        Number of draws, start of the random numbers, and coverage.

    Returns
    -------
    low, high : float
    """
    generator = np.random.default_rng(seed)
    groups = list(pd.Series(range(len(clusters))).groupby(np.asarray(clusters)).indices.values())
    values = []
    for _ in range(draws):
        drawn = generator.integers(len(groups), size=len(groups))
        values.append(statistic(np.concatenate([groups[i] for i in drawn])))
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)


def mean_kappa(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean of per-label kappas, weighted by how often the first reader gave each label.

    Parameters
    ----------
    a, b : ndarray of bool, shape (n_records, n_labels)
        Which labels each reader gave each record.

    Returns
    -------
    float
        Labels with an undefined kappa are left out; NaN if none is left.
    """
    observed = (a == b).mean(axis=0)
    p, q = a.mean(axis=0), b.mean(axis=0)
    expected = p * q + (1 - p) * (1 - q)
    defined = (expected < 1) & (p > 0)
    if not defined.any():
        return float("nan")
    kappa = (observed[defined] - expected[defined]) / (1 - expected[defined])
    return float(np.average(kappa, weights=p[defined]))


def label_table(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """Compare two readers label by label.

    Parameters
    ----------
    a, b : DataFrame of bool
        Index: records, the same for both. Columns: labels. `a` is the standard.

    Returns
    -------
    DataFrame
        One row a label that either reader gave, the most frequent first: value, n (records),
        coder, rule, both (counts), prevalence (of `a`), agreement, kappa, ac1, and precision and
        recall of `b` with Wilson limits (``precision_low`` …).
    """
    columns = sorted(set(a.columns) | set(b.columns))
    a, b = (side.reindex(columns=columns, fill_value=False) for side in (a, b))
    rows = []
    for value in columns:
        left, right = a[value].to_numpy(dtype=bool), b[value].to_numpy(dtype=bool)
        if not (left.any() or right.any()):
            continue
        both, coder, rule = int((left & right).sum()), int(left.sum()), int(right.sum())
        row = {
            "value": value,
            "n": len(left),
            "coder": coder,
            "rule": rule,
            "both": both,
            "prevalence": coder / len(left),
            "agreement": percent_agreement(left, right),
            "kappa": cohen_kappa(left, right),
            "ac1": gwet_ac1(left, right),
        }
        for name, given in (("precision", rule), ("recall", coder)):
            low, high = wilson_interval(both, given)
            row |= {
                name: both / given if given else float("nan"),
                f"{name}_low": low,
                f"{name}_high": high,
            }
        rows.append(row)
    table = pd.DataFrame(rows)
    return table.sort_values(["coder", "value"], ascending=[False, True], ignore_index=True)


def confusion_table(a: pd.DataFrame, b: pd.DataFrame, nothing: str = "(nothing)") -> pd.DataFrame:
    """Count which label stood for which.

    Parameters
    ----------
    a, b : DataFrame of bool
        Index: records, the same for both. Columns: labels. `a` is the standard.
    nothing : str
        Stands where one reader gave a label and the other gave none in its place.

    Returns
    -------
    DataFrame
        coder, rule, count. A label both gave a record counts on the diagonal. What only the first
        gave is set against everything that only the second gave in the same record.
    """
    counts: dict[tuple[str, str], int] = {}
    for record in a.index:
        left = {value for value in a.columns if a.at[record, value]}
        right = {value for value in b.columns if b.at[record, value]}
        pairs = [(value, value) for value in left & right]
        only_left, only_right = sorted(left - right), sorted(right - left)
        pairs += [
            (value, other)
            for value in only_left or ([nothing] if only_right else [])
            for other in only_right or [nothing]
        ]
        for pair in pairs:
            counts[pair] = counts.get(pair, 0) + 1
    rows = [(coder, rule, count) for (coder, rule), count in sorted(counts.items())]
    return pd.DataFrame(rows, columns=["coder", "rule", "count"])


def missed_at_most(excluded: int, audited: int, found: int, confidence: float = 0.95) -> int:
    """Return an upper limit on the relevant records among those excluded, from a random audit.

    Parameters
    ----------
    excluded : int
        Records excluded.
    audited : int
        How many of them, drawn at random, were read again.
    found : int
        How many of those proved relevant.
    confidence : float
        One-sided coverage.

    Returns
    -------
    int
        The largest number of relevant records among the excluded under which finding as few as
        `found` is still not improbable (hypergeometric).

    Examples
    --------
    >>> missed_at_most(500, 100, 0)
    13
    >>> missed_at_most(100, 100, 2)
    2
    """
    most = excluded - audited + found
    for relevant in range(found, most + 1):
        if hypergeom.cdf(found, excluded, relevant, audited) < 1 - confidence:
            return relevant - 1
    return most


def _codes(a: Sequence[Hashable], b: Sequence[Hashable]) -> tuple[np.ndarray, np.ndarray, int]:
    if len(a) != len(b) or len(a) == 0:
        raise ValueError(f"two readers need the same items, at least one: {len(a)} and {len(b)}")
    codes, uniques = pd.factorize(np.array([*a, *b], dtype=object))
    return codes[: len(a)], codes[len(a) :], len(uniques)
