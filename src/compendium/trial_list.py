"""The table of all trials as a page: plain HTML that a script makes searchable and sortable."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote_plus

import pandas as pd

from compendium.landscape import RULE, entry_address
from compendium.statistics.shares import NOT_STATED, values_of
from compendium.wording import WORDS, in_words

LIST_PAGE = "12_trial_table.html"


@dataclass(frozen=True)
class Column:
    """One column of the list.

    Attributes
    ----------
    variable : str
        Column of the trial table.
    title : str
        Its heading.
    kind : {"text", "number"}
        How it sorts.
    filtered : bool
        Whether the page offers a menu of its values.
    """

    variable: str
    title: str
    kind: str = "text"
    filtered: bool = False


COLUMNS = (
    Column("modality", "Modality", filtered=True),
    Column("target", "Target", filtered=True),
    Column("condition", "Condition", filtered=True),
    Column("status", "Status", filtered=True),
    Column("start_year", "Start", kind="number"),
    Column("enrolment", "Size", kind="number"),
)
# said in the details of a trial, not in a column of its own
FACTS = (
    ("scientific_title", "Scientific title"),
    ("registries", "Registries"),
    ("sponsor", "Sponsor"),
    ("countries", "Countries"),
    ("phase", "Phase"),
    ("allocation", "Allocation"),
    ("masking", "Masking"),
    ("data_date", "Data as of"),
)


def trial_list_markup(
    table: pd.DataFrame,
    evidence: pd.DataFrame,
    *,
    caption: str,
    titles: Mapping[str, str],
    columns: Sequence[Column] = COLUMNS,
    words: Mapping[str, Mapping[str, str]] = WORDS,
) -> str:
    """Return the list of trials, the latest start first, as HTML that is complete without a script.

    ``trial-list.js`` adds search, filters and sorting; nothing it needs is outside the markup.

    Parameters
    ----------
    table : DataFrame
        What `compendium.landscape.trial_table` returned.
    evidence : DataFrame
        What `compendium.landscape.trial_labels` returned for it.
    caption : str
        What is listed and what it rests on.
    titles : mapping
        Names of the labels' variables.
    columns : sequence of Column
        What is shown beside the trial's number and title.
    words : mapping
        Words for codes, as `compendium.wording.read_words` returns them.
    """
    rows = table.assign(start_year=table["start"].str[:4])
    rows = rows.sort_values(
        ["start", "trial_id"], ascending=[False, True], na_position="last", kind="stable"
    )
    behind = dict(list(evidence.groupby("trial_id", sort=False)))
    body = "".join(
        _row(row, behind.get(row["trial_id"]), columns, titles, words)
        for row in rows.to_dict("records")
    )
    heads = "".join(
        f'<th scope="col" role="columnheader" data-name="{html.escape(c.variable)}"'
        f' data-sort="{c.kind}"{" data-filter" if c.filtered else ""}>{html.escape(c.title)}</th>'
        for c in columns
    )
    label = html.escape(caption)
    return (
        '<div class="trial-list" data-trial-list>'
        f'<table role="table"><caption>{label}</caption><thead role="rowgroup"><tr role="row">'
        f'<th scope="col" role="columnheader" data-name="trial" data-sort="text">Trial</th>{heads}'
        f'</tr></thead><tbody role="rowgroup">{body}</tbody></table></div>'
    )


def open_trials(shares: pd.DataFrame, variable: str, page: str = LIST_PAGE) -> str:
    """Return links from the values of a share table to the list of the trials behind each.

    Parameters
    ----------
    shares : DataFrame
        As `compendium.statistics.share_table` returns it, `value` in words.
    variable : str
        A filtered column of the list.
    page : str
        Where the list stands.
    """
    links = ", ".join(
        f'<a href="{page}?{variable}={html.escape(quote_plus(row.value))}">'
        f"{html.escape(row.value)}</a> ({row.k:,})"
        for row in shares[shares["k"] > 0].itertuples()
    )
    return f'<p class="open-trials">Open the trials: {links}</p>'


def _row(
    row: Mapping[str, object],
    evidence: pd.DataFrame | None,
    columns: Sequence[Column],
    titles: Mapping[str, str],
    words: Mapping[str, Mapping[str, str]],
) -> str:
    number = str(row["lead_record_id"])
    title = row["public_title"] if pd.notna(row["public_title"]) else row["scientific_title"]
    title = "title not stated" if pd.isna(title) else str(title)
    address = html.escape(entry_address(number, row["url"]))
    link = f'<a href="{address}" rel="noopener">{html.escape(number)}</a>'
    cells = "".join(_cell(row[column.variable], column, words) for column in columns)
    return (
        f'<tr role="row" id="trial-{html.escape(number)}">'
        f'<th scope="row" role="rowheader" data-v="{html.escape(number)}">{link} '
        f'<bdi class="t">{html.escape(title)}</bdi>'
        f"{_details(row, evidence, titles, words)}</th>{cells}</tr>"
    )


def _cell(value: object, column: Column, words: Mapping[str, Mapping[str, str]]) -> str:
    values = values_of(value) if isinstance(value, tuple) else ("",) if pd.isna(value) else (value,)
    if column.kind == "text":
        values = tuple(str(one) or NOT_STATED for one in values)
        said = ", ".join(in_words(one, column.variable, words) for one in values)
        kept = "|".join(in_words(one, column.variable, words) for one in values)
    else:
        kept = str(values[0])
        said = kept or "–"
    return (
        f'<td role="cell" data-label="{html.escape(column.title)}" data-v="{html.escape(kept)}">'
        f"{html.escape(said)}</td>"
    )


def _details(
    row: Mapping[str, object],
    evidence: pd.DataFrame | None,
    titles: Mapping[str, str],
    words: Mapping[str, Mapping[str, str]],
) -> str:
    said = []
    others = [record for record in row["record_ids"] if record != row["lead_record_id"]]
    if others:
        said.append(("Also registered as", html.escape(", ".join(others))))
    for variable, name in FACTS:
        values = [v for v in values_of(row[variable]) if v != NOT_STATED]
        if values:
            text = ", ".join(in_words(one, variable, words) for one in values)
            said.append((name, f"<bdi>{html.escape(text)}</bdi>"))
    if evidence is not None:
        for variable, labels in evidence.groupby("variable", sort=False):
            if variable in titles:
                reasons = "; ".join(_reason(label) for label in labels.to_dict("records"))
                said.append((titles[variable], reasons))
    items = "".join(f"<dt>{html.escape(name)}</dt><dd>{text}</dd>" for name, text in said)
    return f"<details><summary>Why these labels</summary><dl>{items}</dl></details>"


def _reason(label: Mapping[str, object]) -> str:
    """Say one label with the words that led to it, where they stand, and who made it."""
    matched = label["matched"]
    quoted = "" if pd.isna(matched) else f" <q>{html.escape(str(matched))}</q>"
    place = "" if pd.isna(label["field"]) else f" in {html.escape(_place(str(label['field'])))}"
    if label["made_by"] != RULE:
        maker = f"read by {label['made_by']}"
    elif pd.isna(label["rule_id"]):
        maker = "no rule applies"
    else:
        maker = f"rule {label['rule_id']}"
    return f"{html.escape(str(label['value']))}:{quoted}{place} ({html.escape(maker)})"


def _place(field: str) -> str:
    return field.partition("[")[0].replace("_", " ")
