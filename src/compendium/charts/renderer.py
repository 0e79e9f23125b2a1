"""Charts on the page: a still picture for everyone, a live one where scripts run.

No page fetches anything: the Vega library is one file of the book, shared by all pages.
"""

import base64
import copy
import html
import json
import re
from typing import Any

import altair as alt
import pandas as pd
import vl_convert as vlc

from compendium.charts.theme import house_config
from compendium.display import Markup, put, slug, table_markup
from compendium.errors import InputError

MAXIMUM_ROWS = 2000
STILL_WIDTH = 680  # px: what "container" means in a still picture
LISTED_ROWS = 60  # a longer table is offered as a file only


def show(
    chart: alt.TopLevelMixin, *, caption: str, name: str = "", data: pd.DataFrame | None = None
) -> None:
    """Show a chart with its caption, its text alternative and its data.

    Parameters
    ----------
    chart : altair chart
        Must have a ``description`` (the text alternative) and at most 2,000 rows of data.
    caption : str
        What the chart shows and what it rests on (n, N, source). Plain text.
    name : str
        Anchor of the figure (``#fig-name``); made from the caption where not given.
    data : DataFrame, optional
        The table behind the chart, offered as a CSV file and, where short, as a table.

    Raises
    ------
    InputError
        If the chart has no description or too many rows.
    """
    put(Markup(chart_markup(chart, caption=caption, name=name, data=data), plain=caption))


def chart_markup(
    chart: alt.TopLevelMixin, *, caption: str, name: str = "", data: pd.DataFrame | None = None
) -> str:
    """Return the HTML of `show`; see there."""
    anchor = "fig-" + slug(name or caption)
    # rows are checked here, with a message of our own, rather than by Altair's switch
    with alt.data_transformers.enable("default", max_rows=None):
        spec = chart.to_dict()
    description = spec.get("description", "")
    if not description:
        raise InputError(
            "a chart without a text alternative",
            where=anchor,
            remedy="give the chart a description: .properties(description=...)",
        )
    rows = sum(len(values) for values in spec.get("datasets", {}).values())
    if rows > MAXIMUM_ROWS:
        raise InputError(
            f"a chart of {rows} rows; a page carries at most {MAXIMUM_ROWS}",
            where=anchor,
            remedy="aggregate the table before charting it",
        )
    # the page brings the configuration, in the colours of its mode
    spec.pop("config", None)
    if spec.get("width") == "container":
        # its width is the page's, axes included; its height is what its rows need
        spec.setdefault("autosize", {"type": "fit-x", "contains": "padding"})
    parts = [
        f'<figure class="chart" id="{anchor}">',
        f'<div class="chart-canvas" role="img" aria-label="{html.escape(description)}">',
        still_picture(spec, anchor),
        "</div>",
        f'<script type="application/json" class="chart-spec">{_json(spec)}</script>',
        f"<figcaption>{html.escape(caption)}",
    ]
    if data is not None:
        parts.append(f" {csv_link(data, slug(name or caption))}")
    parts.append("</figcaption>")
    if data is not None and len(data) <= LISTED_ROWS:
        parts.append(
            '<details class="chart-data"><summary>The numbers behind this chart</summary>'
            f"{table_markup(data, caption='Data of the chart: ' + caption)}</details>"
        )
    parts.append("</figure>")
    return "".join(parts)


def still_picture(spec: dict[str, Any], anchor: str) -> str:
    """Return a chart as SVG in the light house style, with ids of its own."""
    still = copy.deepcopy(spec)
    _fix_width(still)
    svg = vlc.vegalite_to_svg(still, config=house_config())
    # several charts share a page: what one defines must not be found by another; and the library
    # counts its ids over the whole process, which must not show
    ids = {old: f"{anchor}-{n}" for n, old in enumerate(re.findall(r'\bid="([^"]+)"', svg))}
    svg = re.sub(r'\bid="([^"]+)"', lambda found: f'id="{ids[found[1]]}"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", lambda found: f"url(#{ids[found[1]]})", svg)
    return svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)


def csv_link(data: pd.DataFrame, filename: str) -> str:
    """Return a link that saves a table as CSV; the file is inside the link."""
    text = data.to_csv(index=False, lineterminator="\n")
    payload = base64.b64encode(text.encode("utf-8")).decode("ascii")
    return (
        f'<a class="data-link" download="{filename}.csv" '
        f'href="data:text/csv;charset=utf-8;base64,{payload}">Data (CSV)</a>'
    )


def _fix_width(spec: dict[str, Any]) -> None:
    if spec.get("width") == "container":
        spec["width"] = STILL_WIDTH


def _json(spec: dict[str, Any]) -> str:
    text = json.dumps(spec, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    # "</script>" inside a title must not end the element
    return text.replace("<", "\\u003c")
