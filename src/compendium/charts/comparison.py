"""Charts that set the paper and this book side by side, and the book beside its own choices."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from compendium.charts.shares import FIT, QUIET
from compendium.comparison import span

STRIP = 260  # px for the shares
ROW_OF_CHOICE = 29  # px for each choice below them


def side_by_side(table: pd.DataFrame, *, sources: Sequence[str]) -> alt.LayerChart:
    """Draw the paper's shares and ours, class by class.

    Parameters
    ----------
    table : DataFrame
        As `compendium.comparison.beside_the_paper` returns it.
    sources : sequence of str
        In the order wanted, the paper first.
    """
    words = "The paper's shares and this book's, with 95 % intervals. " + "; ".join(
        f"{row['class']}, {row['source']}: {row['text']}" for row in table.to_dict("records")
    )
    table = table.assign(point=table["share"].fillna(table["high"]))
    base = alt.Chart(table[["class", "source", "point", "low", "high", "text", "bound"]])
    y = alt.Y(
        "class:N",
        sort=list(dict.fromkeys(table["class"])),
        title=None,
        axis=alt.Axis(labelExpr="split(datum.label, ' ')", grid=False),
    )
    offset = alt.YOffset("source:N", sort=list(sources))
    title = "share of trials, with 95 % interval"
    reach = min(1.0, float(table["high"].max()) * 1.08)
    x = alt.X(
        "point:Q",
        title=title,
        scale=alt.Scale(domain=[0, reach], nice=False),
        axis=alt.Axis(format=".0%", tickCount=5, titleAnchor="end"),
    )
    color = alt.Color(
        "source:N",
        title=None,
        sort=list(sources),
        scale=alt.Scale(domain=list(sources)),
        legend=alt.Legend(orient="top", direction="vertical", labelLimit=330),
    )
    tooltip = [alt.Tooltip("source:N", title="source"), alt.Tooltip("text:N", title="share")]
    whisker = base.mark_rule(strokeWidth=2.5).encode(
        y=y, yOffset=offset, x=alt.X("low:Q", title=title), x2="high:Q", color=color
    )
    dot = (
        base.transform_filter("!datum.bound")
        .mark_point(size=90, filled=True, opacity=1)
        .encode(y=y, yOffset=offset, x=x, color=color, tooltip=tooltip)
    )
    limit = (
        base.transform_filter("datum.bound")
        .mark_point(size=110, shape="triangle-left", filled=True, opacity=1)
        .encode(y=y, yOffset=offset, x=x, color=color, tooltip=tooltip)
    )
    return alt.layer(whisker, dot, limit).properties(
        width="container",
        autosize=FIT,
        height=(19 * len(sources) + 14) * table["class"].nunique(),
        description=words + ".",
    )


def specification_strip(
    table: pd.DataFrame, published: Mapping[str, float], *, choices: Mapping[str, Sequence[str]]
) -> alt.LayerChart:
    """Draw each class's share under every combination of choices, and the choices below.

    Parameters
    ----------
    table : DataFrame
        As `compendium.comparison.headline_specifications` returns it.
    published : mapping
        Class → the paper's share, drawn as a line.
    choices : mapping
        Choice → its options, the book's own first.
    """
    classes = list(dict.fromkeys(table["class"]))
    words = f"Shares under all {table['rank'].nunique()} combinations of choices. " + "; ".join(
        f"{name}: {span(part['share'])}, by the book's own choices "
        f"{part.loc[part['own'], 'text'].iloc[0]}"
        + (f", the paper {100 * published[name]:.1f} %" if name in published else "")
        for name, part in table.groupby("class", sort=False)
    )
    top = 1.04 * max([*table["high"].dropna(), *published.values()])
    step = top * ROW_OF_CHOICE / STRIP
    floor = -step * (len(choices) + 0.4)
    scale = alt.Scale(domain=[floor, top], nice=False)
    ticks = [tick / 5 for tick in range(6) if tick / 5 < top]
    axis = alt.Axis(format=".0%", values=ticks, domain=False)
    rank = alt.X("rank:Q", axis=None, title=None, scale=alt.Scale(nice=False, zero=False))
    y = alt.Y("share:Q", title="share of trials", axis=axis, scale=scale)
    color = alt.Color(
        "class:N",
        title=None,
        scale=alt.Scale(domain=classes),
        legend=alt.Legend(orient="top", symbolOpacity=1),
    )
    rows = table[["rank", "class", "share", "low", "high", "text", "own"]]
    base = alt.Chart(rows)
    whiskers = base.mark_rule(opacity=0.3).encode(
        x=rank,
        y=alt.Y("low:Q", title="share of trials", axis=axis, scale=scale),
        y2="high:Q",
        color=color,
    )
    dots = base.mark_point(size=20, filled=True, opacity=1).encode(
        x=rank,
        y=y,
        color=color,
        tooltip=[alt.Tooltip("class:N"), alt.Tooltip("text:N", title="share")],
    )
    own = (
        base.transform_filter("datum.own")
        .mark_point(size=170, filled=False, strokeWidth=2, opacity=1, color=QUIET)
        .encode(x=rank, y=y)
    )
    lines = pd.DataFrame(
        [{"class": name, "share": value} for name, value in published.items() if name in classes]
    )
    paper = alt.Chart(lines).mark_rule(strokeDash=[6, 4], strokeWidth=1.6).encode(y=y, color=color)
    # below the shares, one row a choice: a tick where the combination departs from the book's own
    marks, names = [], []
    for place, (choice, options) in enumerate(choices.items(), start=1):
        names.append({"rank": 1, "at": -step * place, "words": f"{choice}: {options[1]}"})
        departing = table[(table["class"] == classes[0]) & (table[choice] != options[0])]
        marks += [{"rank": number, "at": -step * (place + 0.4)} for number in departing["rank"]]
    at = alt.Y("at:Q", title="share of trials", axis=axis, scale=scale)
    matrix = (
        alt.Chart(pd.DataFrame(marks))
        .mark_tick(thickness=2.5, orient="vertical", size=8, color=QUIET)
        .encode(x=rank, y=at)
    )
    labels = (
        alt.Chart(pd.DataFrame(names))
        .mark_text(align="left", baseline="middle", fontSize=11)
        .encode(x=rank, y=at, text="words:N")
    )
    return alt.layer(paper, whiskers, dots, own, matrix, labels).properties(
        width="container",
        autosize=FIT,
        height=STRIP + ROW_OF_CHOICE * (len(choices) + 1),
        description=words + ".",
    )
