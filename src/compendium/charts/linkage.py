"""Charts of linkage: what was linked, on what evidence, how well, and at what cost."""

import altair as alt
import numpy as np
import pandas as pd

ROW = 24  # px a row
QUIET = "#7b8794"  # a grey that shows on white and on black


def registry_chart(table: pd.DataFrame) -> alt.LayerChart:
    """Draw how many registrations of each registry stand alone, were linked, or wait.

    Parameters
    ----------
    table : DataFrame
        From `compendium.linkage.summary.registry_table`: registry, records, linked, waiting.
    """
    rows = table.melt(
        id_vars="registry",
        value_vars=["records", "linked", "waiting"],
        var_name="what",
        value_name="count",
    )
    names = {
        "records": "registrations",
        "linked": "linked with another registry",
        "waiting": "may be linked, wait for a person",
    }
    rows["what"] = rows["what"].map(names)
    rows = rows[rows["count"] > 0]
    said = "; ".join(
        f"{r.registry} {r.records} registrations, {r.linked} linked, {r.waiting} waiting"
        for r in table.itertuples()
    )
    y = alt.Y("registry:N", sort=list(table["registry"]), title=None)
    x = alt.X(
        "count:Q",
        title="registrations (logarithmic)",
        scale=alt.Scale(type="log", domain=[0.8, float(table["records"].max()) * 2]),
        axis=alt.Axis(tickCount=4, format="~s"),
    )
    points = (
        alt.Chart(rows)
        .mark_point(size=130, opacity=1, filled=False, strokeWidth=2.5)
        .encode(
            y=y,
            x=x,
            color=alt.Color(
                "what:N",
                title=None,
                scale=alt.Scale(domain=list(names.values())),
                legend=alt.Legend(orient="top", columns=1),
            ),
            shape=alt.Shape("what:N", scale=alt.Scale(domain=list(names.values())), legend=None),
            tooltip=["registry:N", "what:N", "count:Q"],
        )
    )
    counts = (
        alt.Chart(rows[rows["what"] == "registrations"])
        .mark_text(align="left", dx=10)
        .encode(y=y, x=x, text="count:Q")
    )
    return alt.layer(points, counts).properties(
        width="container",
        height=ROW * len(table),
        description=f"Registrations by registry, and how many were linked. {said}.",
    )


def evidence_chart(parts: pd.DataFrame, pair: str) -> alt.LayerChart:
    """Draw how each piece of evidence moves the odds of a pair.

    Parameters
    ----------
    parts : DataFrame
        From `compendium.linkage.explain.explain_pair`.
    pair : str
        Which pair, for the text alternative.
    """
    rows = parts.copy()
    total = rows["evidence"] == "in all"
    rows["end"] = rows["bits"].cumsum().where(~total, rows["bits"])
    rows["begin"] = (rows["end"] - rows["bits"]).where(~total, 0.0)
    rows["label"] = [f"{bits:+.1f}" for bits in rows["bits"]]
    rows["side"] = np.where(
        total, "in all", np.where(rows["bits"] > 0, "speaks for one trial", "speaks against")
    )
    rows["at"] = rows[["begin", "end"]].max(axis=1)
    y = alt.Y("evidence:N", sort=list(rows["evidence"]), title=None, axis=alt.Axis(labelLimit=220))
    bars = (
        alt.Chart(rows)
        .mark_bar(height=14)
        .encode(
            y=y,
            x=alt.X("begin:Q", title="log2 of the odds that it is one trial (bits)"),
            x2="end:Q",
            color=alt.Color(
                "side:N",
                title=None,
                scale=alt.Scale(domain=["speaks for one trial", "speaks against", "in all"]),
                legend=alt.Legend(orient="top"),
            ),
            tooltip=["evidence:N", "label:N"],
        )
    )
    labels = alt.Chart(rows).mark_text(align="left", dx=4).encode(y=y, x="at:Q", text="label:N")
    zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(strokeDash=[3, 3]).encode(x="zero:Q")
    said = ", ".join(f"{r.evidence} {r.label}" for r in rows.itertuples())
    return alt.layer(zero, bars, labels).properties(
        width="container",
        height=ROW * len(rows),
        description=f"Evidence on {pair}, in bits: {said}. Above zero, one trial is likelier.",
    )


def pair_chart(pairs: pd.DataFrame) -> alt.Chart:
    """Draw title overlap against probability for pairs whose truth is known.

    Parameters
    ----------
    pairs : DataFrame
        ``title_overlap``, ``probability``, ``decision``, ``truth`` ("one trial" or "two trials"),
        ``pair``.
    """
    rows = pairs[["title_overlap", "probability", "decision", "truth", "pair"]]
    counts = rows.groupby(["truth", "decision"]).size()
    said = "; ".join(f"{truth}, {what}: {n}" for (truth, what), n in counts.items())
    return (
        alt.Chart(rows)
        .mark_point(size=55, opacity=0.75)
        .encode(
            x=alt.X(
                "title_overlap:Q",
                title="overlap of the titles, rare words counting more",
                scale=alt.Scale(domain=[0, 1]),
            ),
            y=alt.Y(
                "probability:Q",
                title="probability of being one trial",
                scale=alt.Scale(domain=[0, 1]),
            ),
            color=alt.Color(
                "truth:N",
                title="in truth",
                scale=alt.Scale(domain=["one trial", "two trials"]),
                legend=alt.Legend(orient="top"),
            ),
            shape=alt.Shape(
                "decision:N",
                title="decided",
                scale=alt.Scale(
                    domain=["merge", "review", "keep-apart"],
                    range=["circle", "triangle-up", "cross"],
                ),
                legend=alt.Legend(orient="top", symbolFillColor=QUIET, symbolStrokeColor=QUIET),
            ),
            tooltip=["pair:N", "truth:N", "decision:N", "title_overlap:Q", "probability:Q"],
        )
        .properties(
            width="container",
            height=340,
            description=(
                "Pairs of registrations by the overlap of their titles and the probability that "
                f"they are one trial. {said}."
            ),
        )
    )


def rule_chart(table: pd.DataFrame) -> alt.LayerChart:
    """Draw what a naive title rule finds and what it wrongly merges, threshold by threshold.

    Parameters
    ----------
    table : DataFrame
        ``rule`` (words), ``recall``, ``wrong`` (share of sister pairs merged), ``naive`` (bool).
    """
    rows = table.assign(kind=np.where(table["naive"], "titles only", "this book's linker"))
    x = alt.X(
        "wrong:Q",
        title="sister trials wrongly merged without a person",
        axis=alt.Axis(format=".0%"),
    )
    y = alt.Y(
        "recall:Q",
        title="cross-registrations found",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format=".0%"),
    )
    line = alt.Chart(rows[rows["naive"]]).mark_line(opacity=0.5).encode(x=x, y=y, order="recall:Q")
    points = (
        alt.Chart(rows)
        .mark_point(size=90, opacity=1)
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "kind:N",
                title=None,
                scale=alt.Scale(domain=["this book's linker", "titles only"]),
                legend=alt.Legend(orient="top"),
            ),
            tooltip=[
                "rule:N",
                alt.Tooltip("recall:Q", format=".1%"),
                alt.Tooltip("wrong:Q", format=".1%"),
            ],
        )
    )
    labels = alt.Chart(rows).mark_text(align="left", dx=9, dy=12).encode(x=x, y=y, text="rule:N")
    said = "; ".join(
        f"{r.rule}: {r.recall:.0%} found, {r.wrong:.0%} of sisters merged"
        for r in rows.itertuples()
    )
    return alt.layer(line, points, labels).properties(
        width="container", height=300, description=f"Recall against wrong merges. {said}."
    )


def calibration_chart(table: pd.DataFrame) -> alt.LayerChart:
    """Draw how often links were right against the probability that they were given.

    Parameters
    ----------
    table : DataFrame
        From `compendium.linkage.evaluation.calibration`.
    """
    rows = table.assign(
        counted=[f"{row.k} of {row.n}" for row in table.itertuples()],
        bin=[
            f"{100 * low:g} to {100 * high:g} %"
            for low, high in zip(table["from"], table["to"], strict=True)
        ],
    )
    x = alt.X(
        "bin:N", sort=list(rows["bin"]), title="probability given", axis=alt.Axis(labelAngle=0)
    )
    y = alt.Y(
        "estimate:Q",
        title="share that were one trial",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format=".0%", tickCount=5),
    )
    whiskers = (
        alt.Chart(rows)
        .mark_rule(strokeWidth=2, color=QUIET)
        .encode(x=x, y=alt.Y("low:Q", title="share that were one trial"), y2="high:Q")
    )
    marks = pd.concat(
        [
            rows[["bin", "estimate", "counted"]].assign(what="right in truth"),
            rows[["bin", "expected", "counted"]]
            .rename(columns={"expected": "estimate"})
            .assign(what="mean probability given"),
        ]
    )
    names = ["right in truth", "mean probability given"]
    points = (
        alt.Chart(marks)
        .mark_point(size=100, opacity=1)
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "what:N",
                title=None,
                scale=alt.Scale(domain=names),
                legend=alt.Legend(orient="top"),
            ),
            shape=alt.Shape(
                "what:N", scale=alt.Scale(domain=names, range=["circle", "diamond"]), legend=None
            ),
            tooltip=["bin:N", "what:N", alt.Tooltip("estimate:Q", format=".1%"), "counted:N"],
        )
    )
    words = alt.Chart(rows).mark_text(align="left", dx=12).encode(x=x, y=y, text="counted:N")
    said = "; ".join(
        f"given {r.bin} (mean {r.expected:.0%}), right {r.counted} (95 % interval {r.low:.0%} to "
        f"{r.high:.0%})"
        for r in rows.itertuples()
    )
    return alt.layer(whiskers, points, words).properties(
        width="container",
        height=300,
        description=f"Probability given to links against how often they were right. {said}.",
    )


def draws_chart(table: pd.DataFrame, *, low: float, high: float, decided: int) -> alt.LayerChart:
    """Draw in how many clusterings each number of trials came out.

    Parameters
    ----------
    table : DataFrame
        ``trials``, ``draws``.
    low, high : float
        Bounds of the 95 % interval.
    decided : int
        The number that the decisions make.
    """
    rows = table.assign(
        inside=np.where(table["trials"].between(low, high), "in the 95 % interval", "outside")
    )
    bars = (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            x=alt.X("trials:O", title="number of trials", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("draws:Q", title="clusterings drawn"),
            color=alt.Color(
                "inside:N",
                title=None,
                scale=alt.Scale(domain=["in the 95 % interval", "outside"]),
                legend=alt.Legend(orient="top"),
            ),
            tooltip=["trials:O", "draws:Q"],
        )
    )
    mark = (
        alt.Chart(rows[rows["trials"] == decided].assign(words="as decided now"))
        .mark_text(dy=-8)
        .encode(x="trials:O", y="draws:Q", text="words:N")
    )
    return alt.layer(bars, mark).properties(
        width="container",
        height=240,
        description=(
            f"Number of trials over {int(table['draws'].sum()):,} clusterings: 95 % of them "
            f"between {low:g} and {high:g}; the decisions taken so far make {decided}."
        ),
    )


def growth_chart(table: pd.DataFrame) -> alt.LayerChart:
    """Draw seconds against records for both ways of linking, measured and extrapolated.

    Parameters
    ----------
    table : DataFrame
        ``way``, ``records``, ``seconds``, ``basis`` ("measured" or "extrapolated").
    """
    scale = alt.Scale(type="log")
    ways = ["linked", "all pairs"]
    names = {"linked": "blocking (this book)", "all pairs": "all pairs of titles"}
    rows = table.assign(way=table["way"].map(names))
    x = alt.X("records:Q", title="records", scale=scale, axis=alt.Axis(format="~s"))
    y = alt.Y("seconds:Q", title="seconds", scale=scale, axis=alt.Axis(format=",~g", tickCount=6))
    color = alt.Color(
        "way:N",
        title=None,
        scale=alt.Scale(domain=[names[w] for w in ways]),
        legend=alt.Legend(orient="top"),
    )
    base = alt.Chart(rows)
    line = base.mark_line(opacity=0.5).encode(x=x, y=y, color=color)
    points = base.mark_point(size=80, opacity=1).encode(
        x=x,
        y=y,
        color=color,
        shape=alt.Shape(
            "basis:N",
            title=None,
            scale=alt.Scale(domain=["measured", "extrapolated"], range=["circle", "cross"]),
            legend=alt.Legend(orient="top", symbolFillColor=QUIET, symbolStrokeColor=QUIET),
        ),
        tooltip=["way:N", "records:Q", "seconds:Q", "basis:N"],
    )
    said = "; ".join(
        f"{r.way}, {r.records:,} records: {r.seconds:,.1f} s ({r.basis})" for r in rows.itertuples()
    )
    return alt.layer(line, points).properties(
        width="container", height=300, description=f"Time to link, by number of records. {said}."
    )
