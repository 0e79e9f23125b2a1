"""Charts of the engine: subjects behind a map, coverage of targets, recovered truth, speed."""

import altair as alt
import pandas as pd

# light enough, even at their darkest, for dark letters on a light and on a dark page
CELLS = ["#f3d9a4", "#56b4e9"]
INK_ON_CELLS = "#14202b"
QUIET = "#7b8794"  # a grey that shows on white and on black
ROW = 24  # px a row
LISTED = 14  # values that a text alternative names


def subject_spread(values: pd.DataFrame, group: pd.DataFrame) -> alt.LayerChart:
    """Draw each subject's Fisher z at some places, with the mean and its interval.

    Parameters
    ----------
    values : DataFrame
        From `compendium.connectome.lesson.subject_values`.
    group : DataFrame
        From `compendium.connectome.lesson.group_values`, with ``low`` and ``high`` (interval of
        mean z).
    """
    order = group["place"].tolist()
    y = alt.Y("place:N", sort=order, title=None, axis=alt.Axis(labelLimit=240))
    x_title = "Fisher z of each subject (dots), mean and its 95 % interval (line), t"
    dots = (
        alt.Chart(values)
        .mark_point(size=46, filled=False, strokeWidth=1.6, opacity=0.75, color=QUIET)
        .encode(
            y=y,
            x=alt.X("z:Q", title=x_title),
            tooltip=[
                "subject:N",
                alt.Tooltip("r:Q", format=".2f"),
                alt.Tooltip("z:Q", format=".2f"),
            ],
        )
    )
    shown = group[["place", "z", "low", "high", "t", "n"]].assign(
        label=[f"t({n - 1}) = {t:.1f}" for n, t in zip(group["n"], group["t"], strict=True)]
    )
    base = alt.Chart(shown).encode(y=y)
    interval = base.mark_rule(strokeWidth=4).encode(x=alt.X("low:Q", title=x_title), x2="high:Q")
    mean = base.mark_tick(thickness=3, size=18).encode(x=alt.X("z:Q", title=x_title))
    label = base.mark_text(align="right", dy=-12, fontSize=11).encode(
        x=alt.datum(float(values["z"].max())), text="label:N"
    )
    zero = (
        alt.Chart(pd.DataFrame({"z": [0]}))
        .mark_rule(strokeDash=[3, 3], color=QUIET)
        .encode(x=alt.X("z:Q", title=x_title))
    )
    said = "; ".join(
        f"{row.place}: mean z {row.z:.2f}, 95 % interval {row.low:.2f} to {row.high:.2f}, "
        f"t {row.t:.1f}, {row.n} subjects"
        for row in shown.itertuples()
    )
    return alt.layer(zero, dots, interval, mean, label).properties(
        width="container",
        height=2 * ROW * len(order),
        description=f"Fisher z of single subjects at {len(order)} places. {said}.",
    )


def coverage_heat(table: pd.DataFrame) -> alt.LayerChart:
    """Draw how much of each target each connectome holds.

    Parameters
    ----------
    table : DataFrame
        ``target``, ``connectome``, ``coverage``, ``represented``.
    """
    shown = table[["target", "connectome", "coverage", "represented"]].assign(
        label=[
            f"{100 * coverage:.0f} %" if held else "not there"
            for coverage, held in zip(table["coverage"], table["represented"], strict=True)
        ],
    )
    targets = list(dict.fromkeys(shown["target"]))
    columns = list(dict.fromkeys(shown["connectome"]))
    base = alt.Chart(shown).encode(
        y=alt.Y("target:N", sort=targets, title=None, axis=alt.Axis(labelLimit=330)),
        x=alt.X(
            "connectome:N", sort=columns, title=None, axis=alt.Axis(orient="top", labelAngle=0)
        ),
    )
    cells = base.mark_rect(stroke="transparent", strokeWidth=2).encode(
        color=alt.condition(
            "datum.represented",
            alt.Color(
                "coverage:Q",
                title="share of the seed inside",
                scale=alt.Scale(domain=[0.5, 1], range=CELLS),
                legend=alt.Legend(format=".0%", orient="bottom"),
            ),
            alt.value("transparent"),
        ),
        tooltip=["target:N", "connectome:N", alt.Tooltip("coverage:Q", format=".0%")],
    )
    words = base.mark_text(fontSize=11).encode(
        text="label:N",
        color=alt.condition("datum.represented", alt.value(INK_ON_CELLS), alt.value(QUIET)),
    )
    absent = {
        name: sorted(shown["target"][(shown["connectome"] == name) & ~shown["represented"]])
        for name in columns
    }
    said = "; ".join(
        f"{name} does not hold {len(names)} of {len(targets)}"
        + (f": {', '.join(names[:LISTED])}" if names else "")
        for name, names in absent.items()
    )
    return alt.layer(cells, words).properties(
        width="container",
        height=ROW * len(targets),
        description=f"Coverage of {len(targets)} targets by {len(columns)} connectomes. {said}.",
    )


def recovery_dots(table: pd.DataFrame) -> alt.LayerChart:
    """Draw how well each seed's map agrees with the truth, and how well it could.

    Parameters
    ----------
    table : DataFrame
        From `compendium.connectome.recovery.recovery_table`.
    """
    low = min(0.9, float(table["with_truth"].min()) - 0.02)
    title = "correlation with the truth away from the seed (dot); tick: what noise lets one expect"
    scale = alt.Scale(domain=[low, 1], nice=False)
    base = alt.Chart(table[["seed", "with_truth", "ceiling"]]).encode(
        y=alt.Y("seed:N", sort=table["seed"].tolist(), title=None)
    )
    ceilings = base.mark_tick(thickness=3, size=18, color=QUIET).encode(
        x=alt.X("ceiling:Q", title=title, scale=scale)
    )
    dots = base.mark_point(size=70, filled=True, opacity=1).encode(
        x=alt.X("with_truth:Q", title=title, scale=scale),
        tooltip=[
            "seed:N",
            alt.Tooltip("with_truth:Q", format=".3f"),
            alt.Tooltip("ceiling:Q", format=".3f"),
        ],
    )
    worst = table.loc[table["with_truth"].idxmin()]
    return alt.layer(ceilings, dots).properties(
        width="container",
        height=ROW * len(table) + 10,
        description=(
            f"Correlation of {len(table)} simulated maps with their truth: from "
            f"{table['with_truth'].min():.3f} ({worst['seed']}) to "
            f"{table['with_truth'].max():.3f}; what noise lets one expect is "
            f"{table['ceiling'].min():.3f} to {table['ceiling'].max():.3f}, and the largest "
            f"shortfall {(table['ceiling'] - table['with_truth']).max():.3f}."
        ),
    )


def recovery_cloud(binned: pd.DataFrame, seed: str) -> alt.LayerChart:
    """Draw found against true Fisher z, as a cloud of counted cells.

    Parameters
    ----------
    binned : DataFrame
        From `compendium.connectome.recovery.binned_recovery`.
    seed : str
        Name of the seed, for the text alternative.
    """
    cloud = (
        alt.Chart(binned)
        .mark_circle(opacity=0.85)
        .encode(
            x=alt.X("true:Q", title="true Fisher z"),
            y=alt.Y("found:Q", title="found: mean Fisher z"),
            size=alt.Size("voxels:Q", legend=None, scale=alt.Scale(range=[4, 160])),
            tooltip=[alt.Tooltip("true:Q", format=".2f"), alt.Tooltip("found:Q", format=".2f"),
                     "voxels:Q"],
        )
    )  # fmt: skip
    ends = [float(binned["true"].min()), float(binned["true"].max())]
    diagonal = (
        alt.Chart(pd.DataFrame({"true": ends, "found": ends}))
        .mark_line(strokeDash=[4, 4], strokeWidth=1.5, color=QUIET)
        .encode(x="true:Q", y="found:Q")
    )
    return alt.layer(diagonal, cloud).properties(
        width="container",
        height=300,
        description=(
            f"Found against true Fisher z of {int(binned['voxels'].sum())} voxels away from the "
            f"seed {seed}: the cloud lies along the line on which both are equal."
        ),
    )


def speed_chart(table: pd.DataFrame) -> alt.LayerChart:
    """Draw how many times faster the engine is than other ways, with the aims.

    Parameters
    ----------
    table : DataFrame
        Rows of `compendium.benchmark_results.comparison_table` in which more is better.
    """
    shown = table[["comparison", "ratio", "lowest", "highest"]].assign(
        target=table["target"].astype(float),
        label=[f"{ratio:,.3g} ×" for ratio in table["ratio"]],
    )
    shown["end"] = shown[["highest", "target"]].max(axis=1)
    order = shown["comparison"].tolist()
    y = alt.Y("comparison:N", sort=order, title=None, axis=alt.Axis(labelLimit=230))
    title = "times faster (logarithmic); dot: median of paired rounds, line: all rounds, tick: aim"
    ends = shown[["lowest", "highest", "target"]].stack()
    scale = alt.Scale(
        type="log", domain=[min(1.0, float(ends.min()) * 0.8), float(ends.max()) * 3], nice=False
    )
    base = alt.Chart(shown).encode(y=y)
    rounds = base.mark_rule(strokeWidth=3, color=QUIET).encode(
        x=alt.X("lowest:Q", scale=scale, title=title), x2="highest:Q"
    )
    dots = base.mark_point(size=90, filled=True, opacity=1).encode(
        x=alt.X("ratio:Q", scale=scale, title=title),
        tooltip=["comparison:N", alt.Tooltip("ratio:Q", format=",.3g")],
    )
    aims = (
        base.transform_filter("isValid(datum.target)")
        .mark_tick(thickness=3, size=20, color="#d1750a")
        .encode(x=alt.X("target:Q", scale=scale, title=title))
    )
    words = base.mark_text(align="left", dx=10, fontSize=11).encode(
        x=alt.X("end:Q", scale=scale, title=title), text="label:N"
    )
    said = "; ".join(
        f"{row.comparison} {row.ratio:,.3g} times"
        + ("" if pd.isna(row.target) else f" (aim {row.target:g})")
        for row in shown.itertuples()
    )
    return alt.layer(rounds, aims, dots, words).properties(
        width="container",
        height=1.3 * ROW * len(shown),
        description=f"Time of other ways divided by ours, medians of paired rounds. {said}.",
    )


def growth_chart(table: pd.DataFrame) -> alt.HConcatChart:
    """Draw seconds against subjects, seeds and voxels.

    Parameters
    ----------
    table : DataFrame
        From `compendium.benchmark_results.growth_table`.
    """
    panels = []
    for over in dict.fromkeys(table["over"]):
        panels.append(
            alt.Chart(table[table["over"] == over])
            .mark_line(point=True)
            .encode(
                x=alt.X("count:Q", title=over, axis=alt.Axis(tickCount=4, format="~s")),
                y=alt.Y("seconds:Q", title="seconds" if not panels else None),
                tooltip=["count:Q", "seconds:Q"],
            )
            .properties(width=170, height=170)
        )
    said = "; ".join(
        f"{over}: {rows['count'].iloc[0]:,} take {rows['seconds'].iloc[0]:.3g} s, "
        f"{rows['count'].iloc[-1]:,} take {rows['seconds'].iloc[-1]:.3g} s"
        for over, rows in table.groupby("over", sort=False)
    )
    return alt.hconcat(*panels).properties(
        description=f"Seconds on one thread as the work grows, in three panels. {said}."
    )
