"""Charts of targets, networks, overlap and nulls."""

import altair as alt
import pandas as pd

CURVE_WIDTH = 390  # px: two panels side by side with their labels have no container to fill


def flow_chart(links: pd.DataFrame, *, description: str) -> alt.Chart:
    """Draw the flow from modality to target to network.

    Parameters
    ----------
    links : DataFrame
        ``link`` (id), ``x`` (0 modality, 1 target, 2 network; steps between them), ``y``,
        ``trials``, ``from``, ``to``: the points of each curve, in order.
    description : str
        Text alternative.
    """
    first, second = (links[links["link"].str.startswith(f"{stage}:")] for stage in (0, 1))
    nodes = pd.concat(
        [
            first[first["x"] == 0].assign(node=first["from"]),
            first[first["x"] == 1].assign(node=first["to"]),
            second[second["x"] == 2].assign(node=second["to"]),
        ]
    )
    nodes = nodes.groupby(["x", "node"], as_index=False)["y"].mean()
    curves = (
        alt.Chart(links)
        .mark_line(opacity=0.45)
        .encode(
            x=alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-0.35, 2.5])),
            y=alt.Y("y:Q", axis=None, scale=alt.Scale(reverse=True)),
            detail="link:N",
            order="x:Q",
            size=alt.Size("trials:Q", scale=alt.Scale(range=[1.5, 22]), legend=None),
            color=alt.Color("group:N", title="target", legend=alt.Legend(orient="top")),
            tooltip=["from:N", "to:N", "trials:Q"],
        )
    )
    labels = [
        alt.Chart(nodes[nodes["x"] == place])
        .mark_text(align=align, dx=dx, dy=dy, fontSize=11)
        .encode(x="x:Q", y="y:Q", text="node:N")
        for place, align, dx, dy in (
            (0.0, "right", -6, 0),
            (1.0, "center", 0, -15),
            (2.0, "left", 6, 0),
        )
    ]
    return alt.layer(curves, *labels).properties(
        width="container", height=440, description=description
    )


def similarity_chart(pairs: pd.DataFrame, *, measure: str, description: str) -> alt.Chart:
    """Draw the superficial × deep similarity matrix.

    Parameters
    ----------
    pairs : DataFrame
        ``superficial``, ``deep``, ``similarity``; optionally ``panel`` (one matrix each).
    measure : str
        What the colour shows.
    description : str
        Text alternative.
    """
    base = alt.Chart(pairs).encode(
        x=alt.X(
            "deep:N",
            title="deep target",
            sort=None,
            axis=alt.Axis(labelAngle=-35, labelOverlap=False, labelLimit=360),
        ),
        y=alt.Y(
            "superficial:N",
            title="superficial target",
            sort=None,
            axis=alt.Axis(
                labelOverlap=False, titleAngle=0, titleAlign="right", titleX=-6, titleY=-10
            ),
        ),
    )
    cells = base.mark_rect().encode(
        color=alt.Color(
            "similarity:Q",
            title=measure,
            scale=alt.Scale(scheme="blueorange", domainMid=0, reverse=True),
        ),
        tooltip=["superficial", "deep", alt.Tooltip("similarity:Q", format=".2f")],
    )
    return cells.properties(
        width="container",
        height=24 * pairs["superficial"].nunique() + 20,
        description=description,
    )


def null_chart(tests: pd.DataFrame, *, measure: str, description: str) -> alt.Chart:
    """Draw what each null allows (bar: 95 % of its draws) and what was observed (point).

    Parameters
    ----------
    tests : DataFrame
        Rows of `compendium.connectome.nulls.table_of_tests` with ``label``.
    measure : str
        What the axis shows.
    description : str
        Text alternative.
    """
    table = tests.assign(
        verdict=[
            "more than the null allows" if p < 0.05 and effect > 0 else "within the null"
            for p, effect in zip(tests["p_holm"], tests["effect"], strict=True)
        ]
    )
    y = alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=320))
    bars = (
        alt.Chart(table)
        .mark_rule(strokeWidth=9, opacity=0.3, strokeCap="round")
        .encode(
            x=alt.X("null_low:Q", title=measure, scale=alt.Scale(zero=False)), x2="null_high", y=y
        )
    )
    means = alt.Chart(table).mark_tick(thickness=2, size=16).encode(x="null_mean:Q", y=y)
    points = (
        alt.Chart(table)
        .mark_point(filled=True, size=110, opacity=1)
        .encode(
            x="observed:Q",
            y=y,
            color=alt.Color(
                "verdict:N",
                title="observed",
                # the first two hues of the page's mode
                scale=alt.Scale(domain=["more than the null allows", "within the null"]),
                legend=alt.Legend(orient="top"),
            ),
            shape=alt.Shape("verdict:N", legend=None),
            tooltip=[
                "label",
                alt.Tooltip("observed:Q", format=".3f"),
                alt.Tooltip("null_mean:Q", format=".3f"),
                alt.Tooltip("standardised_effect:Q", format="+.1f", title="effect (SD of null)"),
                alt.Tooltip("p_holm:Q", format=".3g", title="p (Holm)"),
                "draws",
            ],
        )
    )
    return alt.layer(bars, means, points).properties(
        width="container", height=34 * len(table) + 20, description=description
    )


def specification_chart(
    curve: pd.DataFrame, choices: list[str], *, description: str
) -> alt.VConcatChart:
    """Draw the specification curve: every combination of choices, from least to most overlap.

    Parameters
    ----------
    curve : DataFrame
        `compendium.connectome.verdict.specification_curve`.
    choices : list of str
        Columns that were varied.
    description : str
        Text alternative.
    """
    curve = curve.assign(outcome=curve["passes"].map({True: "p < 0.05", False: "p ≥ 0.05"}))
    x = alt.X("order:Q", title=None, axis=None, scale=alt.Scale(nice=False, padding=6))
    colour = alt.Color(
        "outcome:N",
        title=None,
        scale=alt.Scale(domain=["p < 0.05", "p ≥ 0.05"]),
        legend=alt.Legend(orient="top"),
    )
    points = (
        alt.Chart(curve)
        .mark_point(filled=True, size=34, opacity=0.95)
        .encode(
            x=x,
            y=alt.Y("standardised_effect:Q", title="overlap beyond random seeds (SD of the null)"),
            color=colour,
            shape=alt.Shape("outcome:N", legend=None),
            tooltip=[
                *choices,
                alt.Tooltip("observed:Q", format=".3f"),
                alt.Tooltip("null_mean:Q", format=".3f"),
                alt.Tooltip("p:Q", format=".3g"),
            ],
        )
    )
    zero = alt.Chart(pd.DataFrame({"zero": [0]})).mark_rule(strokeDash=[4, 4]).encode(y="zero:Q")
    top = alt.layer(zero, points).properties(width=CURVE_WIDTH, height=220)
    long = curve.melt(
        id_vars=["order", "outcome"], value_vars=choices, var_name="choice", value_name="value"
    )
    rows = [f"{choice}: {value}" for choice in choices for value in sorted(curve[choice].unique())]
    long["row"] = long["choice"] + ": " + long["value"]
    bottom = (
        alt.Chart(long[["order", "outcome", "row"]])
        .mark_tick(thickness=2.5, size=11)
        .encode(
            x=x,
            y=alt.Y("row:N", sort=rows, title=None, axis=alt.Axis(labelLimit=260)),
            color=colour,
        )
        .properties(width=CURVE_WIDTH, height=15 * len(rows))
    )
    return alt.vconcat(top, bottom, spacing=6).properties(description=description)


def hub_chart(hubs: pd.DataFrame, *, description: str) -> alt.LayerChart:
    """Draw the strongest regions with bootstrap intervals.

    Parameters
    ----------
    hubs : DataFrame
        Rows of `compendium.connectome.hubs.rank_hubs`, best first.
    description : str
        Text alternative.
    """
    y = alt.Y("region:N", sort=None, title=None, axis=alt.Axis(labelLimit=240))
    base = alt.Chart(hubs)
    bars = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("strength_low:Q", title="strength (mean positive z)"), x2="strength_high", y=y
    )
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        x="strength:Q",
        y=y,
        color=alt.Color("participation:Q", scale=alt.Scale(scheme="viridis")),
        tooltip=[
            "region",
            alt.Tooltip("strength:Q", format=".3f"),
            alt.Tooltip("participation:Q", format=".2f"),
            alt.Tooltip("betweenness:Q", format=".3f"),
            "rank_best",
            "rank_worst",
        ],
    )
    return alt.layer(bars, points).properties(
        width="container", height=21 * len(hubs) + 20, description=description
    )


def rate_chart(rates: pd.DataFrame, *, nominal: float, description: str) -> alt.LayerChart:
    """Draw how often each test rejects on simulated brains, with the nominal rate.

    Parameters
    ----------
    rates : DataFrame
        `compendium.connectome.calibration.rejection_rates` with ``truth`` (the simulated world).
    nominal : float
        Nominal false-positive rate.
    description : str
        Text alternative.
    """
    y = alt.Y("test:N", sort=None, title=None, axis=alt.Axis(labelLimit=300))
    base = alt.Chart(rates)
    colour = alt.Color("truth:N", title="simulated world", legend=alt.Legend(orient="top"))
    offset = alt.YOffset("truth:N")
    bars = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title="share of simulated brains in which the test rejects"),
        x2="high",
        y=y,
        yOffset=offset,
        color=colour,
    )
    points = base.mark_point(filled=True, size=80, opacity=1).encode(
        x="rate:Q",
        y=y,
        yOffset=offset,
        color=colour,
        shape=alt.Shape("truth:N", legend=None),
        tooltip=["test", "truth", "rejected", "replicates", alt.Tooltip("rate:Q", format=".1%")],
    )
    line = (
        alt.Chart(pd.DataFrame({"nominal": [nominal]}))
        .mark_rule(strokeDash=[4, 4])
        .encode(x="nominal:Q")
    )
    return alt.layer(line, bars, points).properties(
        width="container", height=56 * rates["test"].nunique(), description=description
    )


def replication_chart(
    pairs: pd.DataFrame, *, first: str, second: str, description: str
) -> alt.Chart:
    """Draw each pair's similarity in one connectome against that in the other."""
    return (
        alt.Chart(pairs)
        .mark_point(filled=True, size=70, opacity=0.75)
        .encode(
            x=alt.X("first:Q", title=f"similarity in {first}"),
            y=alt.Y("second:Q", title=f"similarity in {second}"),
            tooltip=[
                "superficial",
                "deep",
                alt.Tooltip("first:Q", format=".2f"),
                alt.Tooltip("second:Q", format=".2f"),
            ],
        )
        .properties(width="container", height=320, description=description)
    )


def reliability_chart(table: pd.DataFrame, *, description: str) -> alt.LayerChart:
    """Draw split-half reliability for each target.

    Parameters
    ----------
    table : DataFrame
        ``seed``, ``connectome``, ``r``, ``low``, ``high``.
    description : str
        Text alternative.
    """
    y = alt.Y("seed:N", sort=None, title=None)
    base = alt.Chart(table)
    colour = alt.Color("connectome:N", legend=alt.Legend(orient="top"))
    bars = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title="correlation of the maps of two halves of the subjects"),
        x2="high",
        y=y,
        yOffset="connectome:N",
        color=colour,
    )
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        x="r:Q",
        y=y,
        yOffset="connectome:N",
        color=colour,
        shape=alt.Shape("connectome:N", legend=None),
        tooltip=["seed", "connectome", alt.Tooltip("r:Q", format=".2f")],
    )
    return alt.layer(bars, points).properties(
        width="container", height=30 * table["seed"].nunique() + 20, description=description
    )
