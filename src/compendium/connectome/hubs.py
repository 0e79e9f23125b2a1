"""Which regions carry the common network of superficial and deep targets.

The graph has three layers: superficial targets, regions, deep targets. An edge joins a target to a
region with the positive part of the region's mean z in the target's map; targets are joined only
through regions, so that a region's betweenness is the traffic it carries between the two groups.
"""

import networkx as nx
import numpy as np
import pandas as pd

from compendium.connectome.networks import MapSet
from compendium.connectome.overlap import bootstrap_maps

MAXIMUM_REGIONS = 300
MEASURES = ("strength", "participation", "betweenness")


def hub_measures(
    z: np.ndarray, own: np.ndarray, superficial: np.ndarray, deep: np.ndarray
) -> pd.DataFrame:
    """Measure every region's place in the superficial-region-deep graph.

    Parameters
    ----------
    z : ndarray, shape (K, P), float64
        Mean Fisher z of each target's map.
    own : ndarray, shape (K, P), bool
        Locations inside the seed: no edge, since the region would join the target to itself.
    superficial, deep : ndarray of int
        Rows of the two groups.

    Returns
    -------
    DataFrame, P rows
        ``strength``: mean edge weight over all targets (a region that is its own seed for some
        target is averaged over the others); ``participation``: 1 minus the sum of the squared
        shares of its strength in each group, 0 where only one group reaches it and 0.5 where both
        reach it equally; ``betweenness``: share of the shortest paths between superficial and deep
        targets (edge length 1/weight) that pass through it.
    """
    weight = np.where(own | ~np.isfinite(z), np.nan, np.maximum(z, 0))
    with np.errstate(invalid="ignore"):
        by_group = np.vstack([_mean_of_known(weight[superficial]), _mean_of_known(weight[deep])])
        total = by_group.sum(axis=0)
        participation = np.where(total > 0, 1 - ((by_group / total) ** 2).sum(axis=0), 0.0)
    strength = _mean_of_known(weight[np.concatenate([superficial, deep])])
    return pd.DataFrame(
        {
            "strength": strength,
            "participation": participation,
            "betweenness": _carried_paths(weight, superficial, deep),
        }
    )


def strongest_places(maps: MapSet, targets: np.ndarray) -> np.ndarray:
    """Return the locations that can be hubs: the strongest `MAXIMUM_REGIONS`, in their order.

    All paths run through strong locations; counting paths through every voxel of a brain would take
    days and change no rank among the first.
    """
    weight = np.where(maps.own[targets], np.nan, np.maximum(maps.z[targets], 0))
    strength = _mean_of_known(weight)
    return np.sort(np.argsort(-strength, kind="stable")[:MAXIMUM_REGIONS])


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.zeros(values.shape[1]), where=count > 0)


def _carried_paths(weight: np.ndarray, superficial: np.ndarray, deep: np.ndarray) -> np.ndarray:
    """Betweenness of regions for paths from superficial to deep targets.

    With two edges from any superficial target over a region to any deep one, longer paths exist
    (over further targets), so Dijkstra decides; networkx does the counting.
    """
    graph = nx.Graph()
    targets = [("target", int(row)) for row in np.concatenate([superficial, deep])]
    graph.add_nodes_from(targets)
    for row in np.concatenate([superficial, deep]):
        for place in np.flatnonzero(np.nan_to_num(weight[row]) > 0):
            graph.add_edge(
                ("target", int(row)), ("region", int(place)), length=1 / weight[row, place]
            )
    scores = nx.betweenness_centrality_subset(
        graph,
        sources=[("target", int(row)) for row in superficial],
        targets=[("target", int(row)) for row in deep],
        weight="length",
    )
    pairs = len(superficial) * len(deep)
    # networkx halves undirected counts; each pair is one path here
    carried = np.zeros(weight.shape[1])
    for (kind, place), score in scores.items():
        if kind == "region":
            carried[place] = 2 * score / pairs
    return carried


def rank_hubs(
    maps: MapSet,
    names: list[str],
    subject_z: np.ndarray,
    *,
    n_draws: int = 200,
    seed: int = 20220121,
) -> pd.DataFrame:
    """Rank regions with bootstrap intervals over subjects and leave-one-target-out stability.

    Parameters
    ----------
    maps : MapSet
        Superficial and deep targets, at the locations that can be hubs (`strongest_places`).
    names : list of str
        Name of each location.
    subject_z : ndarray, shape (n_subjects, K, P)
        Fisher z of every subject for the same seeds.
    n_draws : int
        Bootstrap draws over subjects.
    seed : int
        Seed of the random generator.

    Returns
    -------
    DataFrame, P rows, best first by strength
        For each measure: value, ``_low``, ``_high`` (95 % percentile interval), ``_rank``; and
        ``rank_worst``, ``rank_best``: the range of its strength rank when each target is left out.
    """
    superficial, deep = maps.rows(group="superficial"), maps.rows(group="deep")
    table = hub_measures(maps.z, maps.own, superficial, deep)
    draws = bootstrap_maps(
        subject_z,
        n_draws,
        seed,
        lambda z, _: hub_measures(z, maps.own, superficial, deep).to_numpy(),
    )
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    for column, measure in enumerate(MEASURES):
        table[f"{measure}_low"], table[f"{measure}_high"] = low[:, column], high[:, column]
        table[f"{measure}_rank"] = _rank(table[measure].to_numpy())
    left_out = []
    for row in np.concatenate([superficial, deep]):
        kept = hub_measures(maps.z, maps.own, superficial[superficial != row], deep[deep != row])
        left_out.append(_rank(kept["strength"].to_numpy()))
    table["rank_best"] = np.min(left_out, axis=0)
    table["rank_worst"] = np.max(left_out, axis=0)
    table.insert(0, "region", names)
    return table.sort_values(["strength_rank", "region"]).reset_index(drop=True)


def _rank(values: np.ndarray) -> np.ndarray:
    """Rank 1 for the largest; ties share the better rank."""
    return pd.Series(values).rank(ascending=False, method="min").astype(int).to_numpy()
