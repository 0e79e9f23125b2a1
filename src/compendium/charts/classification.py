"""Charts of the calibration card: agreement, precision and recall, confusion, corrected shares."""

import altair as alt
import pandas as pd

from compendium.charts.shares import QUIET

TITLE = "mean kappa with 95 % interval; tick: aim"
HALVES = {"development": "development half", "held": "held half"}


def kappa_chart(summary: pd.DataFrame) -> alt.LayerChart:
    """Draw kappa with its interval for each variable and half, and the aim as a tick.

    Parameters
    ----------
    summary : DataFrame
        From `compendium.calibration_tables.summary_table`.
    """
    rows = summary.assign(half=summary["half"].map(HALVES))
    rows = rows[["variable", "half", "kappa", "low", "high", "aim", "records"]]
    said = "; ".join(
        f"{row.variable}, {row.half}: {row.kappa:.2f} ({row.low:.2f} to {row.high:.2f})"
        for row in rows.itertuples()
    )
    y = alt.Y("variable:N", sort=None, title=None, axis=alt.Axis(grid=False))
    offset = alt.YOffset("half:N", sort=list(HALVES.values()))
    hue = alt.Color(
        "half:N",
        title=None,
        scale=alt.Scale(domain=list(HALVES.values())),
        legend=alt.Legend(orient="top", symbolOpacity=1),
    )
    base = alt.Chart(rows)

    def across(column: str) -> alt.X:
        """Put another column on the same axis."""
        return alt.X(
            f"{column}:Q",
            title=TITLE,
            scale=alt.Scale(domain=[0.5, 1.0], zero=False),
            axis=alt.Axis(tickCount=5, format=".1f"),
        )

    lines = base.mark_rule(strokeWidth=2, color=QUIET).encode(
        y=y, yOffset=offset, x=across("low"), x2="high:Q"
    )
    dots = base.mark_point(size=95, opacity=1).encode(
        y=y,
        yOffset=offset,
        x=across("kappa"),
        color=hue,
        shape=alt.Shape("half:N", legend=None),
        tooltip=[
            "variable:N",
            "half:N",
            alt.Tooltip("kappa:Q", format=".2f"),
            alt.Tooltip("low:Q", format=".2f"),
            alt.Tooltip("high:Q", format=".2f"),
            "records:Q",
        ],
    )
    aims = (
        base.transform_filter("isValid(datum.aim)")
        .mark_tick(thickness=3, size=34, color="#b85f00")
        .encode(y=y, x=across("aim"))
    )
    return (lines + aims + dots).properties(
        width="container",
        height=alt.Step(22),
        description=f"Agreement of rules and coder: mean kappa by variable and half. {said}.",
    )


def label_chart(labels: pd.DataFrame, variable: str, most: int = 24) -> alt.LayerChart:
    """Draw precision and recall of each label with Wilson intervals.

    Parameters
    ----------
    labels : DataFrame
        `Card.labels`, from `compendium.agreement.label_table`.
    variable : str
        For the text alternative.
    most : int
        Draw only so many labels, the most frequent first.
    """
    rows = labels.head(most)
    long = pd.concat(
        [
            pd.DataFrame(
                {
                    "label": rows["value"] + " (" + rows["coder"].astype(str) + ")",
                    "measure": measure,
                    "estimate": rows[measure],
                    "low": rows[f"{measure}_low"],
                    "high": rows[f"{measure}_high"],
                }
            )
            for measure in ("recall", "precision")
        ]
    ).dropna(subset=["estimate"])
    order = (rows["value"] + " (" + rows["coder"].astype(str) + ")").tolist()
    low = long[long["estimate"] < 1]
    said = "; ".join(f"{row.measure} of {row.label} {row.estimate:.2f}" for row in low.itertuples())
    measures = ["recall", "precision"]
    y = alt.Y("label:N", sort=order, title=None, axis=alt.Axis(labelLimit=180, grid=False))
    offset = alt.YOffset("measure:N", sort=measures)
    x = alt.X(
        "estimate:Q",
        title="with 95 % Wilson interval",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(tickCount=5, format=".1f"),
    )
    base = alt.Chart(long)
    lines = base.mark_rule(strokeWidth=1.5, color=QUIET).encode(
        y=y, yOffset=offset, x="low:Q", x2="high:Q"
    )
    dots = base.mark_point(size=60, opacity=1).encode(
        y=y,
        yOffset=offset,
        x=x,
        color=alt.Color(
            "measure:N",
            title=None,
            scale=alt.Scale(domain=measures),
            legend=alt.Legend(orient="top", symbolOpacity=1),
        ),
        shape=alt.Shape("measure:N", legend=None),
        tooltip=["label:N", "measure:N", alt.Tooltip("estimate:Q", format=".2f")],
    )
    return (lines + dots).properties(
        width="container",
        height=alt.Step(9),
        description=(
            f"Recall and precision of the rules for {variable}, by label, with the coder's count "
            f"in brackets. Below 1: {said or 'none'}."
        ),
    )


def confusion_chart(confusion: pd.DataFrame, variable: str) -> alt.LayerChart:
    """Draw which label stood for which: only rows and columns in which the two differ.

    Parameters
    ----------
    confusion : DataFrame
        From `compendium.agreement.confusion_table`.
    variable : str
        For the text alternative.
    """
    apart = confusion[confusion["coder"] != confusion["rule"]]
    involved = set(apart["coder"]) | set(apart["rule"])
    rows = confusion[confusion["coder"].isin(involved) & confusion["rule"].isin(involved)]
    rows = rows.assign(agree=rows["coder"] == rows["rule"])
    order = sorted(involved, key=lambda value: (value.startswith("("), value))
    said = "; ".join(
        f"coder {row.coder}, rules {row.rule}: {row.count}" for row in apart.itertuples(name="Pair")
    )
    x = alt.X(
        "rule:N",
        sort=order,
        title="given by the rules",
        axis=alt.Axis(labelAngle=-50, labelLimit=170, orient="bottom", labelOverlap=False),
    )
    y = alt.Y("coder:N", sort=order, title="given by the coder", axis=alt.Axis(labelLimit=170))
    base = alt.Chart(rows).encode(x=x, y=y)
    cells = base.mark_rect(cornerRadius=3).encode(
        color=alt.Color(
            "agree:N",
            scale=alt.Scale(domain=[True, False], range=["#0b6e99", "#a85400"]),
            legend=alt.Legend(
                title=None, orient="top", labelExpr="datum.value ? 'the same' : 'not the same'"
            ),
        ),
        tooltip=["coder:N", "rule:N", "count:Q"],
    )
    numbers = base.mark_text(color="#ffffff", fontWeight=600).encode(text="count:Q")
    return (cells + numbers).properties(
        width=alt.Step(30),
        height=alt.Step(26),
        description=(
            f"Where coder and rules differ on {variable}; labels on which they never differ are "
            f"left out. {said or 'They never differ'}."
        ),
    )


def corrected_chart(shares: pd.DataFrame, subject: str) -> alt.LayerChart:
    """Draw each share three ways: by rule, corrected for error, with the coder before the rules.

    Parameters
    ----------
    shares : DataFrame
        From `compendium.calibration_tables.error_adjusted`.
    subject : str
        What is counted, for the text alternative.
    """
    rows = shares.dropna(subset=["share"]).drop(columns=["k"])
    ways = ["rules alone", "rules, corrected", "coder before rules"]
    said = "; ".join(
        f"{row.value}, {row.way} {100 * row.share:.1f} % ({100 * row.low:.1f} to "
        f"{100 * row.high:.1f})"
        for row in rows.head(15).itertuples()
    )
    y = alt.Y("value:N", sort=None, title=None, axis=alt.Axis(labelLimit=200, grid=False))
    offset = alt.YOffset("way:N", sort=ways)
    base = alt.Chart(rows)
    lines = base.mark_rule(strokeWidth=2, color=QUIET).encode(
        y=y, yOffset=offset, x="low:Q", x2="high:Q"
    )
    dots = base.mark_point(size=80, opacity=1).encode(
        y=y,
        yOffset=offset,
        x=alt.X(
            "share:Q",
            title=f"share of {int(shares['n'].iloc[0])} trials, with 95 % interval",
            axis=alt.Axis(format=".0%", tickCount=6),
        ),
        color=alt.Color(
            "way:N",
            title=None,
            scale=alt.Scale(domain=ways),
            legend=alt.Legend(orient="top", symbolOpacity=1),
        ),
        shape=alt.Shape("way:N", legend=None),
        tooltip=[
            "value:N",
            "way:N",
            alt.Tooltip("share:Q", format=".1%"),
            alt.Tooltip("low:Q", format=".1%"),
            alt.Tooltip("high:Q", format=".1%"),
        ],
    )
    return (lines + dots).properties(
        width="container",
        height=alt.Step(17),
        description=f"{subject}, counted three ways. {said}.",
    )
