"""One trial has one registration in a registry: rivals for the same place share the probability."""

import numpy as np
import pandas as pd


def compete(bits: np.ndarray, pairs: pd.DataFrame) -> np.ndarray:
    """Turn log-odds into probabilities under the rule of one registration per registry.

    If a record fits two registrations of another registry, at most one of them is its trial. Its
    odds for each are set against the sum of the odds for all, and for none; the smaller of the two
    views (from the left and from the right record) is the probability of the pair.

    Parameters
    ----------
    bits : ndarray
        ``(pairs,)``, log2 of the odds of each pair by itself.
    pairs : DataFrame
        Columns ``unit_left``, ``unit_right`` (registrations; the national records of one EudraCT
        number are one unit and no rivals), ``issuer_left``, ``issuer_right`` (registries).

    Returns
    -------
    ndarray
        ``(pairs,)`` probabilities.

    Examples
    --------
    >>> two = pd.DataFrame({"unit_left": [1, 1], "unit_right": [2, 3], "issuer_left": 0,
    ...                     "issuer_right": 1})
    >>> compete(np.array([4.0, 4.0]), two).round(2)
    array([0.48, 0.48])
    """
    odds = np.exp2(np.clip(bits, -60, 60))
    table = pairs.assign(odds=odds)
    best = np.ones(len(table))
    for mine, theirs in (("left", "right"), ("right", "left")):
        own = table.groupby(
            [f"unit_{mine}", f"issuer_{theirs}", f"unit_{theirs}"], sort=False
        ).odds.transform("max")
        # each rival registration counts once, by its best record
        once = table.assign(own=own).drop_duplicates([f"unit_{mine}", f"unit_{theirs}"])
        total = once.groupby([f"unit_{mine}", f"issuer_{theirs}"], sort=False).own.sum()
        place = pd.MultiIndex.from_arrays([table[f"unit_{mine}"], table[f"issuer_{theirs}"]])
        rivals = np.maximum(total.reindex(place).to_numpy() - own.to_numpy(), 0)
        best = np.minimum(best, odds / (1 + odds + rivals))
    return best
