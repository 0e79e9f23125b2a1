"""From links to trials: connected components, with one registration per registry."""

from collections.abc import Iterable
from itertools import combinations

import networkx as nx
import pandas as pd

from compendium.linkage.columns import texts
from compendium.linkage.identifiers import Identity

# who speaks for a trial: its fullest record
LEADING_REGISTRY = "ClinicalTrials.gov"


class Clusters:
    """Sets of records that grow by merging and refuse a merge that cannot be.

    A merge cannot be if it would put two registrations of one registry, or two records that a
    person keeps apart, into one trial.
    """

    def __init__(self, identity: Identity, apart: Iterable[tuple[int, int]]) -> None:
        self._parent = list(range(len(identity.ids)))
        self._issuers = identity.issuers
        self._groups: dict[int, dict[int, int]] = {}
        self._apart = set(apart)

    def find(self, record: int) -> int:
        """Return the record that stands for a record's cluster."""
        while self._parent[record] != record:
            self._parent[record] = self._parent[self._parent[record]]
            record = self._parent[record]
        return record

    def join(self, left: int, right: int) -> None:
        """Merge two clusters without asking."""
        one, other = sorted((self.find(left), self.find(right)))
        self._parent[other] = one

    def settle(self) -> None:
        """Take the clusters as they are for single registrations; from now on, merges are asked."""
        for record in range(len(self._parent)):
            root = self.find(record)
            self._groups.setdefault(root, {})[int(self._issuers[record])] = root

    def obstacle(self, left: int, right: int) -> int | None:
        """Return the issuer that two clusters both have a registration of, -1 if a person keeps
        them apart, None if they may merge.
        """  # noqa: D205
        one, other = self.find(left), self.find(right)
        if one == other:
            return None
        for a, b in self._apart:
            if {self.find(a), self.find(b)} == {one, other}:
                return -1
        both = self._groups[one].keys() & self._groups[other].keys()
        return min(both) if both else None

    def merge(self, left: int, right: int) -> None:
        """Merge two clusters that have no `obstacle`."""
        one, other = sorted((self.find(left), self.find(right)))
        if one != other:
            self._parent[other] = one
            self._groups[one] |= self._groups.pop(other)


def trials_of(records: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Return the trials: connected components over the links whose decision is "merge".

    Parameters
    ----------
    records : DataFrame
        Needs ``record_id``.
    links : DataFrame
        Needs ``record_a``, ``record_b``, ``decision``. Deleting a row undoes its merge.

    Returns
    -------
    DataFrame
        One row per trial, sorted: ``trial_id`` ("T-" and the leading record), ``record_ids``,
        ``registries`` (tuples) and ``lead_record_id``. Leading is the ClinicalTrials.gov record,
        else the one registered first, else the first in the alphabet; identity does not hang on it.
    """
    ids = records["record_id"].astype(str).tolist()
    registries = dict(zip(ids, texts(records, "registry"), strict=True))
    registered = dict(zip(ids, texts(records, "registered"), strict=True))
    graph = nx.Graph()
    graph.add_nodes_from(ids)
    merged = links[links.decision == "merge"]
    graph.add_edges_from(zip(merged.record_a, merged.record_b, strict=True))
    rows = []
    for component in nx.connected_components(graph):
        members = sorted(component)
        lead = min(
            members,
            key=lambda r: (registries[r] != LEADING_REGISTRY, registered[r] or "9999", r),
        )
        named = tuple(sorted({registries[r] for r in members} - {""}))
        rows.append((f"T-{lead}", tuple(members), named, lead))
    columns = ["trial_id", "record_ids", "registries", "lead_record_id"]
    trials = pd.DataFrame(rows, columns=columns).sort_values("trial_id", ignore_index=True)
    return trials.astype({"trial_id": "string", "lead_record_id": "string"})


def pairs_within(trials: pd.DataFrame) -> set[tuple[str, str]]:
    """Return every pair of records that stand in one trial."""
    return {pair for members in trials.record_ids for pair in combinations(sorted(members), 2)}
