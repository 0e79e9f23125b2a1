"""Charts of the search: what it finds of what is known, and what each term adds."""

import html

import altair as alt
import pandas as pd

from compendium.search.query import Query
from compendium.search.recall import recall_note

ROW_HEIGHT = 22


def recall_chart(table: pd.DataFrame, by: str, label: str) -> alt.LayerChart:
    """Draw relative recall with its interval, a row for each group.

    Parameters
    ----------
    table : DataFrame
        From `compendium.search.recall.recall_table`.
    by : str
        Its first column.
    label : str
        What the groups are, in words.
    """
    data = table.assign(
        counted=[f"{k} of {n}" for k, n in zip(table["found"], table["known"], strict=True)]
    )
    order = list(data[by])
    base = alt.Chart(data).encode(
        y=alt.Y(f"{by}:N", sort=order, title=None),
        tooltip=[
            alt.Tooltip(f"{by}:N", title=label),
            alt.Tooltip("counted:N", title="found"),
            alt.Tooltip("recall:Q", format=".1%"),
            alt.Tooltip("low:Q", format=".1%", title="95 % from"),
            alt.Tooltip("high:Q", format=".1%", title="95 % to"),
        ],
    )
    scale = alt.Scale(domain=[0, 1])
    axis = alt.Axis(format="%")
    interval = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", scale=scale, axis=axis, title="known items found"), x2="high:Q"
    )
    point = base.mark_point(size=80, opacity=1).encode(x=alt.X("recall:Q", scale=scale, axis=axis))
    count = base.mark_text(align="left", dx=8).encode(x=alt.datum(1.0), text="counted:N")
    said = "; ".join(f"{group}: {recall_note(table, group)}" for group in order)
    return alt.layer(interval, point, count).properties(
        width="container",
        height=ROW_HEIGHT * len(data) + 10,
        description=f"Known items that the search terms find, by {label}. {said}.",
    )


def term_chart(table: pd.DataFrame) -> alt.LayerChart:
    """Draw for each term how many known items it finds, and how many only it finds.

    Parameters
    ----------
    table : DataFrame
        Rows of one concept from `compendium.search.recall.term_table`.
    """
    data = table[["term", "known", "n_lost", "reason"]].sort_values(
        ["known", "term"], ascending=[False, True]
    )
    base = alt.Chart(data).encode(
        y=alt.Y("term:N", sort=list(data["term"]), title=None, axis=alt.Axis(labelLimit=260)),
        tooltip=[
            alt.Tooltip("term:N"),
            alt.Tooltip("known:Q", title="known items it finds"),
            alt.Tooltip("n_lost:Q", title="that no other term finds"),
            alt.Tooltip("reason:N"),
        ],
    )
    found = base.mark_bar(opacity=0.3).encode(x=alt.X("known:Q", title="known items"))
    alone = base.mark_bar().encode(x="n_lost:Q")
    first = data.sort_values("n_lost", ascending=False, kind="stable").head(5)
    most = ", ".join(f"{row.term} ({row.n_lost})" for row in first.itertuples())
    silent = int((data["known"] == 0).sum())
    return alt.layer(found, alone).properties(
        width="container",
        height=alt.Step(16),
        description=(
            f"{len(data)} terms by the number of known items they find. Found by one term alone, "
            f"most often: {most}. {silent} terms find none of the known items."
        ),
    )


def query_markup(query: Query) -> str:
    """Return a query as it is sent, one field a block, as HTML."""
    fields = "".join(
        f"<dt><code>{html.escape(name)}</code></dt>"
        f"<dd><pre tabindex='0'>{html.escape(value)}</pre></dd>"
        for name, value in query.parameters.items()
    )
    address = html.escape(query.url)
    return (
        f"<details class='query'><summary>{html.escape(query.registry)}: the query, "
        f"character by character</summary><dl>{fields}</dl>"
        f"<p>Address of the first page</p><pre tabindex='0'>{address}</pre></details>"
    )
