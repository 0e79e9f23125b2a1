"""Charts of shares: a dot where the estimate is, a line as long as what is not known."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from compendium.errors import InputError

ROW = 25  # px a row
# the container gives the width, the rows the height
FIT = alt.AutoSizeParams(type="fit-x", contains="padding")
QUIET = "#7b8794"  # a grey that shows on white and on black
TURN = 0.6  # share of the axis beyond which a label stands before its line
SPOKEN = 15  # values that a text alternative names before it refers to the table


def describe_shares(shares: pd.DataFrame, subject: str) -> str:
    """Say a share table in words, for those who do not see the chart."""
    rows = [f"{row.value} {row.text}" for row in shares.head(SPOKEN).itertuples()]
    left = len(shares) - len(rows)
    more = f"; and {left} more in the data table" if left else ""
    return f"{subject}. " + "; ".join(rows) + more + "."


def share_dots(
    shares: pd.DataFrame, *, subject: str, group: str = "", groups: Sequence[str] = ()
) -> alt.LayerChart:
    """Draw shares with their intervals, one row a value.

    Parameters
    ----------
    shares : DataFrame
        As `compendium.statistics.share_table` returns it, in the order wanted; what is not known is
        drawn hollow.
    subject : str
        What is shown, for the text alternative: "Stimulation modality of 460 trials".
    group : str
        A column of `shares` to colour by.
    groups : sequence of str
        Its values in the order of the house's colours; default: order of appearance.
    """
    if shares.empty:
        raise InputError("there are no shares to draw", where=subject)
    rows = shares.assign(
        label=[
            f"{row.k:,} · {100 * row.share:.1f} %" if row.n else "no estimate"
            for row in shares.itertuples()
        ],
        known=["stated" if known else "not known" for known in shares["known"]],
    )
    columns = [
        "value",
        "share",
        "low",
        "high",
        "label",
        "known",
        "text",
        *([group] if group else []),
    ]
    rows = rows[columns]
    paint = {}
    if group:
        groups = [*groups] or list(dict.fromkeys(rows[group]))
        paint["color"] = alt.Color(
            f"{group}:N",
            title=None,
            scale=alt.Scale(domain=groups),
            legend=alt.Legend(orient="top", columns=2, symbolOpacity=1),
        )
    reach = min(1.0, float(rows["high"].max()) * 1.05 + 0.01)
    y = alt.Y("value:N", sort=None, title=None, axis=alt.Axis(labelLimit=190, grid=False))
    title = f"share of {int(shares['n'].iloc[0]):,} {shares['of'].iloc[0]}, with 95 % interval"
    x = alt.X(
        "share:Q",
        title=title,
        scale=alt.Scale(domain=[0, reach], nice=False),
        axis=alt.Axis(format=".0%", tickCount=5, titleAnchor="end"),
    )
    tooltip = [alt.Tooltip("value:N", title="value"), alt.Tooltip("text:N", title="share")]
    base = alt.Chart(rows)
    whiskers = base.mark_rule(strokeWidth=2, color=QUIET).encode(
        y=y, x=alt.X("low:Q", title=title), x2="high:Q"
    )
    dots = (
        base.transform_filter("datum.known == 'stated'")
        .mark_point(size=95, filled=True, opacity=1)
        .encode(y=y, x=x, tooltip=tooltip, **paint)
    )
    unknown = (
        base.transform_filter("datum.known != 'stated'")
        .mark_point(size=80, filled=False, strokeWidth=2, color=QUIET, opacity=1)
        .encode(y=y, x=x, tooltip=tooltip)
    )
    # beside the line, on the side where there is room even on a phone
    after = (
        base.transform_filter(f"datum.high <= {TURN * reach}")
        .mark_text(align="left", dx=8, fontSize=11)
        .encode(y=y, x=alt.X("high:Q", title=title), text="label:N")
    )
    before = (
        base.transform_filter(f"datum.high > {TURN * reach}")
        .mark_text(align="right", dx=-8, fontSize=11)
        .encode(y=y, x=alt.X("low:Q", title=title), text="label:N")
    )
    return alt.layer(whiskers, dots, unknown, after, before).properties(
        width="container",
        autosize=FIT,
        height=ROW * len(rows),
        description=describe_shares(shares, subject),
    )
