"""What a chapter shows: tables, cards, pictures, and numbers for its prose.

Everything that came from outside is escaped here, and only here.
"""

import base64
import html
import math
import re
import unicodedata
from ast import literal_eval
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

DOWNLOADS = "../_static/downloads"  # as seen from a chapter's page
# characters: more than that in a narrow column makes a tall row, less is kept on one line
ROOM = {"long": 60, "phrase": 22, "": 16, "short": 0}
LONG_NUMBER = 10_000  # from here on digits stand in groups of three; a year does not
# a hyphen that stands for a minus: before a number, and not within a word, a range or a date
_MINUS = re.compile(r"(?<![^\s(])-(?=\d)")


class Markup:
    """Markup that a notebook displays, with a plain text beside it.

    Parameters
    ----------
    markup : str
        HTML.
    plain : str
        What is shown where HTML is not.
    """

    def __init__(self, markup: str, plain: str = "") -> None:
        self.markup = markup
        self.plain = plain

    def _repr_html_(self) -> str:
        return self.markup

    def __repr__(self) -> str:
        return self.plain


class _Phrase(str):
    """Text that reaches prose as it is.

    The book's builder reads a bound text as Python where it can: "3,485" would become a pair of
    numbers and "+9.7" lose its sign. Such texts are represented with quotes, which it takes off.
    """

    def __repr__(self) -> str:
        try:
            literal_eval(str(self))
        except (SyntaxError, ValueError):
            return str(self)
        return super().__repr__()


def put(markup: Markup) -> None:
    """Display markup in the running notebook."""
    from IPython.display import display

    display(markup)


def slug(text: str) -> str:
    """Return a name for an anchor or a file.

    Examples
    --------
    >>> slug("Starts per year, by class (n = 240)")
    'starts-per-year-by-class-n-240'
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:60].strip("-")


def quote(name: str, text: object) -> None:
    """Bind a computed number or phrase to a name that prose uses.

    Parameters
    ----------
    name : str
        Used in the chapter as ``{glue:text}`name```.
    text : object
        Shown as `str` gives it.
    """
    from myst_nb import glue

    glue(name, _Phrase(_MINUS.sub("−", str(text))), display=False)


def cell_text(value: object) -> str:
    """Return a table cell as plain text: lists joined by semicolons, missing as an en dash."""
    if isinstance(value, tuple | list):
        return "; ".join(cell_text(item) for item in value) or "–"
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return "–"
    if value is pd.NaT:
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, int | np.integer) and abs(value) >= LONG_NUMBER:
        return number_text(value)
    return str(value)


def number_text(value: float, decimals: int | None = None) -> str:
    """Return a number as a table shows it.

    Parameters
    ----------
    value : float
        Any but NaN.
    decimals : int, optional
        Digits after the point; three significant digits where not given. A number too small for
        them keeps its own.

    Examples
    --------
    >>> number_text(-0.0), number_text(-12.34), number_text(34.0, 1), number_text(0.0004, 2)
    ('0', '−12.3', '34.0', '0.0004')
    >>> number_text(float("inf"))
    '∞'
    """
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3g}"
    if decimals is not None:
        text = f"{value:,.{decimals}f}"
        if value and not float(text.replace(",", "")):
            text = f"{value:.1g}"
    if not value:
        text = text.replace("-", "")
    return re.sub("^-", "−", text)


def _column_texts(column: pd.Series) -> list[str]:
    """Return the cells of a column; decimal numbers share one number of digits after the point."""
    if not pd.api.types.is_float_dtype(column):
        return [cell_text(value) for value in column]
    values = [float(value) for value in column.dropna() if math.isfinite(value)]
    shown = [f"{value:.3g}" for value in values if abs(value) < 1000]
    digits = [len(text.partition(".")[2]) for text in shown if "e" not in text]
    # the largest value keeps four significant digits, or its whole part
    before = max((len(f"{abs(value):.0f}") for value in values), default=1)
    decimals = min(max(digits, default=0), max(4 - before, 0), 3)
    return ["–" if pd.isna(v) else number_text(float(v), decimals) for v in column]


def heading(name: object) -> str:
    """Return the name of a column as a reader sees it.

    Examples
    --------
    >>> heading("global_signal")
    'global signal'
    """
    return str(name).replace("_", " ")


def table_markup(
    table: pd.DataFrame,
    *,
    caption: str,
    links: Mapping[str, str] | None = None,
    markup_columns: Sequence[str] = (),
    row_header: bool = True,
) -> str:
    """Return a table as accessible HTML.

    Parameters
    ----------
    table : DataFrame
        Shown in full, without its index. Text is escaped.
    caption : str
        What the table holds.
    links : mapping, optional
        Column → column of addresses that its cells lead to; the latter is not shown. Only web
        addresses become links.
    markup_columns : sequence of str
        Columns whose cells are trusted HTML that this project made.
    row_header : bool
        Whether the first column names the row.
    """
    links = dict(links or {})
    shown = [name for name in table.columns if name not in links.values()]
    kinds = {name: _kind(table[name], name in markup_columns) for name in shown}
    head = "".join(
        f'<th scope="col"{kinds[name]}>{html.escape(heading(name))}</th>' for name in shown
    )
    body = []
    texts = {name: _column_texts(table[name]) for name in shown if name not in markup_columns}
    for number, row in enumerate(table.to_dict("records")):
        cells = []
        for position, name in enumerate(shown):
            trusted = name in markup_columns
            text = str(row[name]) if trusted else html.escape(texts[name][number])
            address = row.get(links.get(name, ""), "")
            if isinstance(address, str) and re.match(r"https?://", address):
                text = f'<a href="{html.escape(address)}" rel="noopener">{text}</a>'
            if position == 0 and row_header:
                cells.append(f'<th scope="row"{kinds[name]}>{text}</th>')
            else:
                cells.append(f"<td{kinds[name]}>{text}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    if not body:
        body.append(f'<tr><td colspan="{len(shown)}">none</td></tr>')
    label = html.escape(caption)
    return (
        f'<div class="table-frame" role="region" tabindex="0" aria-label="{label}">'
        f'<table class="data-table"><caption><span>{label}</span></caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def show_table(
    table: pd.DataFrame,
    *,
    caption: str,
    links: Mapping[str, str] | None = None,
    markup_columns: Sequence[str] = (),
    row_header: bool = True,
) -> None:
    """Show a table; see `table_markup` for the parameters."""
    markup = table_markup(
        table,
        caption=caption,
        links=links,
        markup_columns=markup_columns,
        row_header=row_header,
    )
    put(Markup(markup, plain=f"{caption} ({len(table)} rows)"))


def _kind(column: pd.Series, markup: bool) -> str:
    """Return the class of a column's cells: numbers stand right, long texts get room."""
    if pd.api.types.is_bool_dtype(column):
        return ""
    if pd.api.types.is_numeric_dtype(column):
        return ' class="number"'
    length = 0 if markup else max((len(cell_text(value)) for value in column), default=0)
    kind = next(name for name, least in ROOM.items() if length > least or not least)
    return f' class="{kind}"' if kind else ""


def cards(items: Sequence[tuple[str, str, str]]) -> None:
    """Show headline figures as cards.

    Parameters
    ----------
    items : sequence of (value, label, note)
        The figure, what it counts, and what it rests on.
    """
    inner = "".join(
        f'<li class="card-figure"><span class="card-value">{html.escape(value)}</span>'
        f'<span class="card-label">{html.escape(label)}</span>'
        f'<span class="card-note">{html.escape(note)}</span></li>'
        for value, label, note in items
    )
    plain = "; ".join(f"{label}: {value} ({note})" for value, label, note in items)
    put(Markup(f'<ul class="card-figures">{inner}</ul>', plain=plain))


def show_image(picture: bytes, *, alt: str, caption: str, name: str = "", viewer: str = "") -> None:
    """Show a picture with its text alternative and caption.

    Parameters
    ----------
    picture : bytes
        A PNG, or an SVG of our own making.
    alt : str
        Text alternative.
    caption : str
        What it shows and what it rests on.
    name : str
        Anchor of the figure; made from the caption where not given.
    viewer : str
        File name of an interactive page for the same content, opened inside the figure on demand.
    """
    kind = "image/png" if picture.startswith(b"\x89PNG") else "image/svg+xml"
    source = f"data:{kind};base64,{base64.b64encode(picture).decode('ascii')}"
    button = ""
    if viewer:
        button = (
            f'<button type="button" class="viewer-button" data-viewer="{html.escape(viewer)}">'
            "Explore in 3D</button>"
        )
    markup = (
        f'<figure class="picture" id="fig-{slug(name or caption)}">'
        f'<div class="picture-frame" role="region" tabindex="0" aria-label="{html.escape(alt)}">'
        f'<img src="{source}" alt="{html.escape(alt)}"></div>'
        f"<figcaption>{html.escape(caption)}</figcaption>{button}</figure>"
    )
    put(Markup(markup, plain=caption))


def show_downloads(files: Mapping[Path, str]) -> None:
    """Show links that save files, with their sizes.

    Parameters
    ----------
    files : mapping of Path to str
        File in ``data/derived/downloads``, which the pages serve → what it holds, in words.
    """
    links = "".join(
        f'<li><a href="{DOWNLOADS}/{html.escape(path.name)}" download>{html.escape(path.name)}</a> '
        f"({html.escape(holds)}, {path.stat().st_size / 1000:,.0f} kB)</li>"
        for path, holds in files.items()
    )
    names = ", ".join(path.name for path in files)
    show_markup(f'<ul class="downloads">{links}</ul>', plain=f"Downloads: {names}")


def show_markup(markup: str, *, plain: str) -> None:
    """Show HTML that this project made itself.

    Parameters
    ----------
    markup : str
        Trusted HTML: whatever came from outside must already be escaped.
    plain : str
        The same in words.
    """
    put(Markup(markup, plain=plain))
