"""Bags of words as a sparse matrix, weighed by how rare each word is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

# frequencies in a handful of records say little about how rare a word is in a registry
SMALLEST_REGISTER = 300
# a word seen in one record in a thousand says as much as one that is rarer still
MOST_BITS = 10.0
# what every record has tells next to nothing, but it is there
LEAST_BITS = 0.001


@dataclass(frozen=True)
class Bags:
    """Sets of features (words, countries, ...), one row each.

    Attributes
    ----------
    names : list of str
        The features, in alphabetical order.
    presence : csr_array
        ``(rows, features)``, 1 where the row has the feature.
    bits : ndarray
        ``(features,)``, the information in bits of finding the feature by chance.
    totals : ndarray
        ``(rows,)``, the sum of bits of each row.
    """

    names: list[str]
    presence: sparse.csr_array
    bits: np.ndarray
    totals: np.ndarray

    def of(self, row: int) -> list[tuple[str, float]]:
        """Return the features of a row, each with its bits."""
        first, last = self.presence.indptr[row : row + 2]
        places = self.presence.indices[first:last]
        return [(self.names[k], float(self.bits[k])) for k in places]

    def shared(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return, in bits, what row ``left[k]`` and row ``right[k]`` have in common."""
        out = np.empty(len(left))
        for start in range(0, len(left), 100_000):
            part = slice(start, start + 100_000)
            both = self.presence[left[part]].multiply(self.presence[right[part]])
            out[part] = both @ self.bits
        return out


def weigh(rows: Sequence[Iterable[str]], *, owners: np.ndarray | None = None) -> Bags:
    """Build `Bags` whose features weigh ``-log2`` of the share of owners that have them.

    Parameters
    ----------
    rows : sequence of iterables of str
        One bag each; repeats within a bag count once.
    owners : ndarray of int, optional
        The record each row belongs to, where a record may have several bags. A feature is as
        common as the number of its owners.

    Returns
    -------
    Bags
        Features in alphabetical order, so that the order of rows changes nothing.
    """
    sets = [sorted(set(row)) for row in rows]
    names = sorted({feature for row in sets for feature in row})
    place = {name: k for k, name in enumerate(names)}
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in sets], dtype=np.int64)])
    indices = np.fromiter(
        (place[feature] for row in sets for feature in row), dtype=np.int64, count=indptr[-1]
    )
    presence = sparse.csr_array(
        (np.ones(len(indices), dtype=np.float32), indices, indptr), shape=(len(sets), len(names))
    )
    owners = np.arange(len(sets)) if owners is None else owners
    n_owners = int(owners.max()) + 1 if len(owners) else 0
    belongs = sparse.csr_array(
        (np.ones(len(owners), dtype=np.float32), (owners, np.arange(len(owners)))),
        shape=(n_owners, len(sets)),
    )
    owned = (belongs @ presence) > 0
    common = np.asarray(owned.sum(axis=0)).ravel().astype(float)
    share = common / max(n_owners, SMALLEST_REGISTER)
    bits = np.clip(-np.log2(share), LEAST_BITS, MOST_BITS)
    return Bags(names, presence, bits, presence @ bits)
