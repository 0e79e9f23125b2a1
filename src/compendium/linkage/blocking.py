"""Which pairs are worth comparing: an inverted index instead of all pairs."""

import numpy as np
import pandas as pd
from scipy import sparse

from compendium.linkage.bags import Bags

# a word or word pair that more titles than this have leads to too many pairs to be a key; since the
# number does not grow with the records, the work grows with them and not with their square
MOST_COMMON = 400
# how much two titles must share, in bits, to be compared
LEAST_SHARED = 9.0
# how many records of other registries each title is compared with at most
NEAREST = 40
ROWS_AT_ONCE = 2_000


def title_pairs(keys: Bags, owners: np.ndarray, issuers: np.ndarray) -> pd.DataFrame:
    """Find pairs of records of different registries whose titles share rare words or word pairs.

    Parameters
    ----------
    keys : Bags
        One row a title; features are words and neighbouring word pairs.
    owners : ndarray of int
        ``(titles,)``, the record of each title.
    issuers : ndarray of int
        ``(records,)``, the registry of each record.

    Returns
    -------
    DataFrame
        Columns left, right (record numbers, left < right), each pair once, sorted.
    """
    counts = np.asarray(keys.presence.sum(axis=0)).ravel()
    useful = np.flatnonzero((counts > 1) & (counts <= MOST_COMMON))
    index = keys.presence[:, useful].astype(np.float32)
    weighed = index @ sparse.diags_array(keys.bits[useful].astype(np.float32))
    turned = index.T.tocsr()
    found = []
    for start in range(0, index.shape[0], ROWS_AT_ONCE):
        block = (weighed[start : start + ROWS_AT_ONCE] @ turned).tocoo()
        row, column = block.coords
        enough = block.data >= LEAST_SHARED
        left, right = owners[row[enough] + start], owners[column[enough]]
        score = block.data[enough]
        apart = issuers[left] != issuers[right]
        found.append(_nearest(left[apart], right[apart], score[apart]))
    pairs = pd.concat(found) if found else pd.DataFrame({"left": [], "right": []}, dtype=np.int64)
    low, high = np.minimum(pairs.left, pairs.right), np.maximum(pairs.left, pairs.right)
    return _unique(low, high)


def _nearest(left: np.ndarray, right: np.ndarray, score: np.ndarray) -> pd.DataFrame:
    """Keep, for each record on the left, its best `NEAREST` and whatever ties with the last."""
    pairs = pd.DataFrame({"left": left, "right": right, "score": score})
    pairs = pairs.groupby(["left", "right"], sort=False, as_index=False).score.max()
    rank = pairs.groupby("left").score.rank(method="min", ascending=False)
    return pairs.loc[rank <= NEAREST, ["left", "right"]]


def exact_pairs(key: pd.Series, issuers: np.ndarray, *, most: int = 20) -> pd.DataFrame:
    """Pair the records of different registries that have the same key.

    Parameters
    ----------
    key : Series
        One value a record, missing where there is none.
    issuers : ndarray of int
        The registry of each record.
    most : int
        A key that more records share is no key.

    Returns
    -------
    DataFrame
        As from `title_pairs`.
    """
    table = pd.DataFrame({"record": np.arange(len(key)), "key": key.to_numpy()}).dropna()
    size = table.groupby("key").record.transform("size")
    table = table[(size > 1) & (size <= most)]
    both = table.merge(table, on="key", suffixes=("_a", "_b"))
    left, right = both.record_a.to_numpy(), both.record_b.to_numpy()
    keep = (left < right) & (issuers[left] != issuers[right])
    return _unique(left[keep], right[keep])


def _unique(left: np.ndarray, right: np.ndarray) -> pd.DataFrame:
    pairs = pd.DataFrame({"left": np.asarray(left), "right": np.asarray(right)}, dtype=np.int64)
    return pairs.drop_duplicates().sort_values(["left", "right"], ignore_index=True)
