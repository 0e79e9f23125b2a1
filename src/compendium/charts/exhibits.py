"""The museum's pictures: a card for each exhibit, and how far off the naive readings are."""

import html
from collections.abc import Sequence

import altair as alt
import pandas as pd

from compendium.display import slug
from compendium.museum.exhibit import Visit

WIDEST = 2.0
ROW_HEIGHT = 38


def room_markup(visits: Sequence[Visit]) -> str:
    """Return the cards of one room as HTML.

    Parameters
    ----------
    visits : sequence of Visit
        Each becomes its story, the naive number beside the careful one, and the naive code.
    """
    return "".join(_exhibit_markup(visit) for visit in visits)


def room_text(visits: Sequence[Visit]) -> str:
    """Return the same in words."""
    return " ".join(
        f"{shown.title}: naive {shown.number_text(naive)}, true {shown.number_text(shown.truth)}."
        for shown, naive, _ in visits
    )


def _exhibit_markup(visit: Visit) -> str:
    shown, naive, careful = visit
    refused = careful.number is None
    numbers = (
        (
            shown.number_text(naive),
            "the naive reading",
            f"{shown.counted}; the truth is {shown.number_text(shown.truth)}",
        ),
        (
            shown.number_text(careful.number),
            "the careful reader refuses" if refused else "the careful reading",
            careful.said.removeprefix("refused: "),
        ),
    )
    cards = "".join(
        f'<li class="card-figure"><span class="card-value">{html.escape(value)}</span>'
        f'<span class="card-label">{html.escape(label)}</span>'
        f'<span class="card-note">{html.escape(note)}</span></li>'
        for value, label, note in numbers
    )
    title, habit = html.escape(shown.title), html.escape(shown.naive_habit)
    return (
        f'<section class="exhibit" aria-labelledby="exhibit-{slug(shown.name)}">'
        f'<h3 id="exhibit-{slug(shown.name)}">{title}</h3>'
        f"<p>{html.escape(shown.story)}</p>"
        f'<ul class="card-figures">{cards}</ul>'
        f'<details class="chart-data"><summary>The naive code: {habit}</summary>'
        f'<pre tabindex="0"><code>{html.escape(shown.naive_code)}</code></pre></details>'
        f'<p class="card-note">Met in: {html.escape(shown.seen)}.</p></section>'
    )


def distance_chart(table: pd.DataFrame) -> alt.LayerChart:
    """Draw each naive number against the true one.

    Parameters
    ----------
    table : DataFrame
        From `compendium.museum.tour_table`. Ratios above two, and those where the truth is
        nothing, are drawn at the right edge with their numbers in words.
    """
    data = table[["exhibit", "counted", "naive_text", "true_text"]].assign(
        drawn=table["ratio"].clip(upper=WIDEST),
        side=["too few" if ratio < 1 else "too many" for ratio in table["ratio"]],
        words=[
            f"{title}: {naive} for {true}"
            for title, naive, true in zip(
                table["exhibit"], table["naive_text"], table["true_text"], strict=True
            )
        ],
    )
    base = alt.Chart(data).encode(
        # the names stand above their lines, so that a phone has room for both
        y=alt.Y("exhibit:N", sort=list(data["exhibit"]), title=None, axis=None),
        tooltip=[
            alt.Tooltip("exhibit:N"),
            alt.Tooltip("counted:N", title="counted"),
            alt.Tooltip("naive_text:N", title="naive"),
            alt.Tooltip("true_text:N", title="true"),
        ],
    )
    axis = alt.Axis(
        values=[0, 1, 2],
        labelAlign="center",
        labelFlush=True,
        labelExpr="['nothing', 'the truth', 'double or more'][datum.value]",
    )
    x = alt.X(
        "drawn:Q",
        scale=alt.Scale(domain=[0, WIDEST]),
        axis=axis,
        title="naive number as a multiple of the true one",
    )
    truth = alt.Chart(pd.DataFrame({"drawn": [1.0]})).mark_rule(opacity=0.4).encode(x=x)
    stem = base.mark_rule(strokeWidth=2, yOffset=8).encode(x=x, x2=alt.datum(1.0))
    legend = alt.Legend(orient="top", title="The naive number is")
    colour = alt.Color("side:N", legend=legend, sort=["too few", "too many"])
    point = base.mark_point(opacity=1, yOffset=8, size=80).encode(x=x, color=colour)
    label = base.mark_text(align="left", dy=-7).encode(x=alt.datum(0.0), text="words:N")
    said = "; ".join(f"{row['words']} ({row['counted']})" for row in data.to_dict("records"))
    return alt.layer(truth, stem, point, label).properties(
        width="container",
        height=ROW_HEIGHT * len(data),
        description=f"What naive readings make of broken exports, against the truth. {said}.",
    )
