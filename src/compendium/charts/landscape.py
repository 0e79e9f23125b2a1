"""Charts of what the trials are: where, how big, which combinations, and what became of them."""

from typing import Any

import altair as alt
import pandas as pd

from compendium.charts.shares import FIT, QUIET, TURN

CELL = 25  # px
# A figure says itself in words as a whole; a label on each of hundreds of marks (aria) would only
# swell the page.
# trials in a country: name of the band, and from how many on
BANDS = (
    ("none", 0),
    ("1", 1),
    ("2–4", 2),
    ("5–9", 5),
    ("10–19", 10),
    ("20–49", 20),
    ("50 or more", 50),
)
SHADES = [0.13, 0.3, 0.42, 0.56, 0.7, 0.85, 1.0]


def gap_heat(cells: pd.DataFrame, *, row_title: str, column_title: str, n: int) -> alt.LayerChart:
    """Draw how many trials combine each row with each column, empty cells included.

    Parameters
    ----------
    cells : DataFrame
        As `compendium.statistics.gap_map` returns it, in the order wanted.
    row_title, column_title : str
        What rows and columns are.
    n : int
        Trials in all.
    """
    busiest = cells.sort_values(["n", "row", "column"], ascending=[False, True, True]).head(6)
    empty = int((cells["n"] == 0).sum())
    gaps = cells[(cells["n"] == 0)].sort_values("expected", ascending=False).head(3)
    words = (
        f"{row_title} by {column_title} of {n} trials. Most trials: "
        + "; ".join(f"{c.row} in {c.column} {c.n}" for c in busiest.itertuples())
        + f". {empty} of {len(cells)} combinations have none; most expected of these: "
        + "; ".join(f"{c.row} in {c.column} ({c.expected:.1f} expected)" for c in gaps.itertuples())
        + "."
    )
    rows = cells.assign(expected=cells["expected"].round(1))
    base = alt.Chart(rows[["row", "column", "n", "expected"]]).encode(
        y=alt.Y("row:N", sort=None, title=None, axis=alt.Axis(labelLimit=165, grid=False)),
        x=alt.X(
            "column:N",
            sort=None,
            title=None,
            axis=alt.Axis(
                orient="top", labelAngle=-55, labelLimit=220, labelOverlap=False, domain=False
            ),
        ),
    )
    # ink stays readable on the densest cell in both modes because its opacity ends at 0.55
    squares = base.mark_rect(cornerRadius=3, aria=False).encode(
        fillOpacity=alt.FillOpacity(
            "n:Q", scale=alt.Scale(type="sqrt", range=[0.0, 0.55]), legend=None
        ),
        strokeOpacity=alt.value(0.25),
        stroke=alt.value(QUIET),
        tooltip=[
            alt.Tooltip("row:N", title=row_title),
            alt.Tooltip("column:N", title=column_title),
            alt.Tooltip("n:Q", title="trials"),
            alt.Tooltip("expected:Q", title="expected if independent"),
        ],
    )
    numbers = (
        base.transform_filter("datum.n > 0").mark_text(fontSize=10, aria=False).encode(text="n:Q")
    )
    return alt.layer(squares, numbers).properties(
        width="container", autosize=FIT, height=CELL * cells["row"].nunique(), description=words
    )


def world_map(countries: pd.DataFrame, outlines: dict[str, Any], *, n: int) -> alt.Chart:
    """Draw in how many trials each country has a site.

    Parameters
    ----------
    countries : DataFrame
        `value` (ISO alpha-3), `name`, `k` (trials with at least one site), `text`.
    outlines : dict
        As `compendium.geography.read_outlines` returns it.
    n : int
        Trials in all.
    """
    first = countries.sort_values(["k", "name"], ascending=[False, True]).head(8)
    words = (
        f"World map: trials with at least one site in a country, of {n} trials. Most: "
        + "; ".join(f"{c.name} {c.text}" for c in first.itertuples())
        + f". {len(countries)} countries have at least one."
    )
    banded = countries.assign(
        band=[[name for name, least in BANDS if k >= least][-1] for k in countries["k"]]
    )
    shapes = alt.InlineData(
        values=outlines, format=alt.TopoDataFormat(type="topojson", feature="countries")
    )
    found = alt.LookupData(
        data=alt.Data(values=banded[["value", "band", "text"]].to_dict("records")),
        key="value",
        fields=["band", "text"],
    )
    return (
        alt.Chart(shapes)
        .transform_lookup(lookup="id", from_=found, default="none")
        .transform_calculate(country="datum.properties.name")
        .mark_geoshape(stroke=QUIET, strokeWidth=0.5, aria=False)
        .encode(
            opacity=alt.Opacity(
                "band:O",
                title="trials with a site",
                scale=alt.Scale(type="ordinal", domain=[name for name, _ in BANDS], range=SHADES),
                legend=alt.Legend(
                    orient="bottom",
                    direction="horizontal",
                    symbolType="square",
                    symbolSize=170,
                    columns=7,
                ),
            ),
            tooltip=[
                alt.Tooltip("country:N", title="country"),
                alt.Tooltip("text:N", title="trials with a site"),
            ],
        )
        .project("naturalEarth1")
        .properties(width="container", autosize=FIT, height=330, description=words)
    )


def enrolment_strip(
    trials: pd.DataFrame, quartiles: pd.DataFrame, *, subject: str
) -> alt.LayerChart:
    """Draw the size of every trial on a logarithmic axis, with medians and quartiles.

    Parameters
    ----------
    trials : DataFrame
        `group`, `enrolment` (above 0), `name`: one row per trial and group.
    quartiles : DataFrame
        As `compendium.statistics.enrolment_quartiles` returns it, with `value` as in `group`; rows
        in the order wanted.
    subject : str
        What is shown, for the text alternative.
    """
    known = quartiles[quartiles["stated"] > 0]
    words = f"{subject}. " + "; ".join(
        f"{q.value}: median {q.median:g} ({q.q1:g} to {q.q3:g}), {q.stated} trials with a number"
        for q in known.itertuples()
    )
    y = alt.Y(
        "group:N",
        sort=list(quartiles["value"]),
        title=None,
        axis=alt.Axis(labelLimit=170, grid=False),
    )
    title = "participants (logarithmic axis)"
    x = alt.X(
        "enrolment:Q",
        title=title,
        scale=alt.Scale(type="log", nice=False, domain=[1, float(trials["enrolment"].max()) * 1.1]),
        axis=alt.Axis(
            values=[1, 3, 10, 30, 100, 300, 1000, 3000, 10000], format=",", titleAnchor="end"
        ),
    )
    ticks = (
        alt.Chart(trials[["group", "enrolment", "name"]])
        .mark_tick(thickness=1.6, size=22, opacity=0.5, aria=False)
        .encode(
            y=y,
            x=x,
            color=alt.Color(
                "group:N", scale=alt.Scale(domain=list(quartiles["value"])), legend=None
            ),
            tooltip=[
                alt.Tooltip("name:N", title="trial"),
                alt.Tooltip("enrolment:Q", title="participants", format=","),
            ],
        )
    )
    summary = known.rename(columns={"value": "group"})[["group", "q1", "median", "q3", "stated"]]
    summary = summary.assign(label=[f"median {m:g}" for m in summary["median"]])
    base = alt.Chart(summary)
    box = base.mark_bar(height=5, yOffset=17, color=QUIET).encode(
        y=y, x=alt.X("q1:Q", title=title), x2="q3:Q"
    )
    middle = base.mark_point(
        shape="diamond", size=110, filled=True, opacity=1, yOffset=17, color=QUIET
    ).encode(y=y, x=alt.X("median:Q", title=title))
    label = base.mark_text(align="left", dx=8, yOffset=17, fontSize=11).encode(
        y=y, x=alt.X("q3:Q", title=title), text="label:N"
    )
    return alt.layer(ticks, box, middle, label).properties(
        width="container", autosize=FIT, height=52 * len(quartiles), description=words + "."
    )


def discontinuation_bounds(table: pd.DataFrame, *, subject: str) -> alt.LayerChart:
    """Draw the share that stopped early, its interval, and the bounds that unknown status allows.

    Parameters
    ----------
    table : DataFrame
        As `compendium.statistics.discontinuation` returns it; rows without an ended trial are left
        out and counted in the text alternative.
    subject : str
        What is shown, for the text alternative.
    """
    shown = table[table["stopped"] + table["completed"] > 0]
    left = len(table) - len(shown)
    words = f"{subject}. " + "; ".join(
        f"{r.value}: {r.text}, between {100 * r.best:.0f} and {100 * r.worst:.0f} % if the"
        f" {r.unknown} of unknown status had all been completed or all stopped"
        for r in shown.itertuples()
    )
    words += f"; {left} groups without an ended trial are not drawn." if left else "."
    rows = shown.assign(
        label=[f"{r.stopped} of {r.stopped + r.completed}" for r in shown.itertuples()]
    )
    rows = rows[["value", "share", "low", "high", "best", "worst", "label", "text", "unknown"]]
    base = alt.Chart(rows)
    y = alt.Y("value:N", sort=None, title=None, axis=alt.Axis(labelLimit=190, grid=False))
    title = "share stopped early, of trials stopped or completed"
    reach = min(1.0, float(rows[["high", "worst"]].max().max()) * 1.05 + 0.01)
    scale = alt.Scale(domain=[0, reach], nice=False)
    axis = alt.Axis(format=".0%", tickCount=5, titleAnchor="end")
    bounds = base.mark_bar(height=13, opacity=0.22, cornerRadius=3).encode(
        y=y, x=alt.X("best:Q", title=title, scale=scale, axis=axis), x2="worst:Q"
    )
    whisker = base.mark_rule(strokeWidth=2, color=QUIET).encode(
        y=y, x=alt.X("low:Q", title=title), x2="high:Q"
    )
    dot = base.mark_point(size=95, filled=True, opacity=1).encode(
        y=y,
        x=alt.X("share:Q", title=title),
        tooltip=[
            alt.Tooltip("value:N", title="trials"),
            alt.Tooltip("text:N", title="stopped early"),
            alt.Tooltip("best:Q", title="if all unknown were completed", format=".0%"),
            alt.Tooltip("worst:Q", title="if all unknown were stopped", format=".0%"),
        ],
    )
    ends = base.transform_calculate(
        first="min(datum.low, datum.best)", last="max(datum.high, datum.worst)"
    )
    after = (
        ends.transform_filter(f"datum.last <= {TURN * reach}")
        .mark_text(align="left", dx=8, fontSize=11)
        .encode(y=y, x=alt.X("last:Q", title=title), text="label:N")
    )
    before = (
        ends.transform_filter(f"datum.last > {TURN * reach}")
        .mark_text(align="left", dx=6, dy=-11, fontSize=11)
        .encode(y=y, x=alt.X("share:Q", title=title), text="label:N")
    )
    return alt.layer(bounds, whisker, dot, after, before).properties(
        width="container", autosize=FIT, height=34 * len(rows), description=words
    )
