"""Charts over time: starts a year, and time to results."""

import altair as alt
import pandas as pd

from compendium.charts.shares import FIT, QUIET


def start_bars(starts: pd.DataFrame, *, order: list[str], subject: str) -> alt.LayerChart:
    """Draw starts per year, stacked by group; years the data do not cover in full are pale.

    Parameters
    ----------
    starts : DataFrame
        As `compendium.statistics.starts_per_year` returns it, `value` in words.
    order : list of str
        Groups, the largest first.
    subject : str
        What is shown, for the text alternative.
    """
    dated = starts[starts["state"] != "not stated"].astype({"year": int})
    by_year = dated.groupby("year")["n"].sum()
    peak = int(by_year.idxmax())
    partial = sorted(dated.loc[dated["state"] == "partial", "year"].unique())
    undated = int(starts.loc[starts["state"] == "not stated", "n"].sum())
    words = (
        f"{subject}. From {by_year.index.min()} ({by_year.iloc[0]}) to the peak in {peak} "
        f"({by_year.max()}). "
        + "; ".join(f"{name} {int(dated.loc[dated['value'] == name, 'n'].sum())}" for name in order)
        + " in all. "
        + (f"From {partial[0]} on the data are incomplete and the bars pale. " if partial else "")
        + f"{undated} without a start date."
    )
    rows = dated[dated["n"] > 0].assign(
        rank=lambda frame: frame["value"].map({name: place for place, name in enumerate(order)})
    )
    first, last = int(by_year.index.min()), int(by_year.index.max())
    bars = (
        alt.Chart(rows[["year", "value", "n", "state", "rank"]])
        .mark_bar(cornerRadiusEnd=0)
        .encode(
            x=alt.X(
                "year:O",
                title=None,
                scale=alt.Scale(domain=list(range(first, last + 1))),
                axis=alt.Axis(labelAngle=0, labelOverlap="greedy", labelSeparation=6),
            ),
            y=alt.Y("sum(n):Q", title="trials that start", axis=alt.Axis(tickCount=5)),
            color=alt.Color(
                "value:N",
                title=None,
                scale=alt.Scale(domain=order),
                legend=alt.Legend(orient="top", columns=2),
            ),
            order=alt.Order("rank:Q"),
            opacity=alt.condition("datum.state == 'partial'", alt.value(0.38), alt.value(1)),
            tooltip=[
                alt.Tooltip("year:O", title="year"),
                alt.Tooltip("value:N", title="class"),
                alt.Tooltip("n:Q", title="trials"),
                alt.Tooltip("state:N", title="year covered"),
            ],
        )
    )
    layers = [bars]
    if partial:
        note = pd.DataFrame({"year": [int(partial[0])], "words": ["incomplete →"]})
        layers.append(
            alt.Chart(note)
            .mark_text(align="left", baseline="top", y=2, dx=-8, fontSize=11, color=QUIET)
            .encode(x="year:O", text="words:N")
        )
    return alt.layer(*layers).properties(
        width="container", autosize=FIT, height=280, description=words
    )


def results_curve(
    curve: pd.DataFrame, *, n: int, marks: tuple[float, ...] = (12, 24), subject: str
) -> alt.LayerChart:
    """Draw the share of trials with posted results against time since primary completion.

    Parameters
    ----------
    curve : DataFrame
        `months`, `posted`, `low`, `high`, `at_risk`: the `curve` of
        `compendium.statistics.time_to_results`.
    n : int
        Trials followed.
    marks : tuple of float
        Months to mark by a line.
    subject : str
        What is shown, for the text alternative.
    """
    last = curve.iloc[-1]
    at = [curve[curve["months"] <= month].iloc[-1] for month in marks]
    words = (
        f"{subject}. Kaplan–Meier curve of {n} trials, from 0 to {100 * last['posted']:.0f} % at "
        f"{last['months']:.0f} months; "
        + "; ".join(
            f"{100 * row['posted']:.0f} % by {month:g} months"
            for month, row in zip(marks, at, strict=True)
        )
        + "."
    )
    highest = float(curve[["posted", "high"]].max().max())
    x = alt.X("months:Q", title="months since primary completion", axis=alt.Axis(grid=False))
    y = alt.Y(
        "posted:Q",
        title="share with results posted",
        scale=alt.Scale(domain=[0, min(1.0, max(0.05, highest * 1.1))]),
        axis=alt.Axis(format=".0%", tickCount=5),
    )
    base = alt.Chart(curve[["months", "posted", "low", "high", "at_risk"]])
    band = (
        base.transform_filter("isValid(datum.low)")
        .mark_area(interpolate="step-after", opacity=0.2)
        .encode(x=x, y=alt.Y("low:Q", title="share with results posted"), y2="high:Q")
    )
    line = base.mark_line(interpolate="step-after").encode(
        x=x,
        y=y,
        tooltip=[
            alt.Tooltip("months:Q", format=".1f"),
            alt.Tooltip("posted:Q", title="posted", format=".1%"),
            alt.Tooltip("at_risk:Q", title="followed until then"),
        ],
    )
    moments = pd.DataFrame({"months": list(marks), "words": [f"{m:g} months" for m in marks]})
    rules = alt.Chart(moments).mark_rule(strokeDash=[3, 4], color=QUIET).encode(x=x)
    names = (
        alt.Chart(moments)
        .mark_text(align="left", dx=4, y=6, fontSize=11, color=QUIET)
        .encode(x=x, text="words:N")
    )
    return alt.layer(band, rules, names, line).properties(
        width="container", autosize=FIT, height=280, description=words
    )
