"""From trials to targets: how often each site is stimulated, and the way from method to site."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compendium.statistics.shares import share, values_of
from compendium.targets import Target


def target_use(trials: pd.DataFrame, targets: Sequence[Target]) -> pd.DataFrame:
    """Count the trials that stimulate each coded site, and the targets that stand for it.

    Parameters
    ----------
    trials : DataFrame
        The trial table, with a column ``target`` of tuples of codes.
    targets : sequence of Target
        The protocol's targets; ``codebook_target`` joins them to the codes.

    Returns
    -------
    DataFrame
        One row a code, most used first: ``code``, ``trials``, ``n``, ``share``, ``low``, ``high``
        (Wilson), ``targets`` (ids of the first choices, empty where the code has no coordinates).
        A trial with several targets counts for each.
    """
    by_code: dict[str, list[str]] = {}
    for target in targets:
        if target.codebook_target and target.is_first_choice:
            by_code.setdefault(target.codebook_target, []).append(target.target_id)
    codes = trials["target"].map(values_of)
    counts = codes.explode().dropna().value_counts()
    rows = []
    for code in sorted(set(counts.index) | set(by_code)):
        part = share(int(counts.get(code, 0)), len(trials))
        rows.append(
            {
                "code": code,
                "trials": part.k,
                "n": part.n,
                "share": part.estimate,
                "low": part.low,
                "high": part.high,
                "targets": tuple(by_code.get(code, ())),
            }
        )
    table = pd.DataFrame(rows)
    return table.sort_values(["trials", "code"], ascending=[False, True]).reset_index(drop=True)


def use_weights(use: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """Return a weight for each target: the trials of its code, shared among its targets.

    Parameters
    ----------
    use : DataFrame
        Result of `target_use`.
    names : sequence of str
        Target ids in the wanted order.

    Returns
    -------
    ndarray, shape (len(names),), float64
        Sums to 1; all equal where no trial names any of them.
    """
    weight = dict.fromkeys(names, 0.0)
    for row in use.itertuples():
        present = [name for name in row.targets if name in weight]
        for name in present:
            weight[name] += row.trials / len(present)
    values = np.array([weight[name] for name in names])
    if values.sum() == 0:
        return np.full(len(names), 1 / len(names))
    return values / values.sum()


def flow_curves(
    trials: pd.DataFrame, networks: pd.DataFrame, *, minimum: int = 2, steps: int = 8
) -> pd.DataFrame:
    """Lay out the flow from modality to target to network as curves to be drawn.

    Parameters
    ----------
    trials : DataFrame
        The trial table, with columns ``modality`` and ``target`` of tuples.
    networks : DataFrame
        ``code`` and ``network`` (with ``group``): which network each coded target belongs to.
    minimum : int
        Links of fewer trials are left out of the picture.
    steps : int
        Points of each curve.

    Returns
    -------
    DataFrame
        ``link``, ``x``, ``y``, ``trials``, ``from``, ``to``, ``group``: what
        `compendium.charts.networks.flow_chart` draws.
    """
    pairs = [
        (modality, target)
        for row in trials[["modality", "target"]].itertuples(index=False)
        for modality in values_of(row.modality)
        for target in values_of(row.target)
    ]
    known = networks.set_index("code")
    first = pd.Series(pairs, dtype=object).value_counts()
    first = {pair: int(n) for pair, n in first.items() if n >= minimum and pair[1] in known.index}
    second: dict[tuple[str, str], int] = {}
    for (_, target), n in first.items():
        key = (target, known.loc[target, "network"])
        second[key] = second.get(key, 0) + n
    methods, sites, ends = _positions(first, 0), _positions(first, 1), _positions(second, 1)
    rows = []
    for stage, (links, left, right) in enumerate(((first, methods, sites), (second, sites, ends))):
        for (source, target), n in sorted(links.items()):
            group = known.loc[target if stage == 0 else source, "group"]
            for step in np.linspace(0, 1, steps):
                bend = step**2 * (3 - 2 * step)
                rows.append(
                    {
                        "link": f"{stage}: {source} – {target}",
                        "x": stage + step,
                        "y": left[source] + (right[target] - left[source]) * bend,
                        "trials": n,
                        "from": source,
                        "to": target,
                        "group": group,
                    }
                )
    columns = ["link", "x", "y", "trials", "from", "to", "group"]
    return pd.DataFrame(rows, columns=columns)


def _positions(links: dict[tuple[str, str], int], end: int) -> dict[str, float]:
    """Place the nodes at one end of the links from 0 to 1, largest first."""
    totals: dict[str, int] = {}
    for pair, n in links.items():
        totals[pair[end]] = totals.get(pair[end], 0) + n
    order = sorted(totals, key=lambda name: (-totals[name], name))
    return {name: (number + 0.5) / len(order) for number, name in enumerate(order)}
