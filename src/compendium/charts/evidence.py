"""The words that decided, marked in the text they stand in; and a form to code by oneself."""

import html
import json
from collections.abc import Sequence

import pandas as pd

FIELD_WORDS = {
    "public_title": "Title",
    "scientific_title": "Scientific title",
    "conditions": "Condition",
    "keywords": "Keyword",
    "intervention_names": "Intervention",
    "intervention_other_names": "Other name",
    "intervention_descriptions": "Description of the intervention",
    "arm_labels": "Arm",
    "arm_types": "Type of arm",
    "arm_descriptions": "Description of the arm",
    "primary_outcomes": "Primary outcome",
    "condition_mesh": "MeSH heading",
}


def evidence_markup(examples: pd.DataFrame, comments: dict[str, str] | None = None) -> str:
    """Return worked examples as HTML: each text once, the deciding words marked and named.

    Parameters
    ----------
    examples : DataFrame
        From `compendium.calibration_tables.worked_examples`.
    comments : dict, optional
        A sentence for a record, by its id.
    """
    cards = []
    for identity, own in examples.groupby("record_id", sort=False):
        fields = []
        for (name, text), marks in own.groupby(["field", "text"], sort=False):
            label = FIELD_WORDS.get(str(name).split("[")[0], str(name))
            fields.append(f"<dt>{html.escape(label)}</dt><dd>{_marked(str(text), marks)}</dd>")
        address = own["url"].iloc[0]
        title = html.escape(str(identity))
        if isinstance(address, str) and address.startswith("https://"):
            title = f'<a href="{html.escape(address)}" rel="noopener">{title}</a>'
        comment = html.escape((comments or {}).get(str(identity), ""))
        cards.append(
            f'<section class="evidence"><p class="evidence-head">{title}</p>'
            f"<dl>{''.join(fields)}</dl>"
            + (f'<p class="evidence-note">{comment}</p>' if comment else "")
            + "</section>"
        )
    return "".join(cards)


def _marked(text: str, marks: pd.DataFrame) -> str:
    """Mark stretches of a text; stretches that overlap are marked as one with all their names."""
    stretches: list[tuple[int, int, list[str]]] = []
    for mark in marks.sort_values(["start", "end"]).itertuples():
        name = f"{mark.variable}: {mark.value}"
        if stretches and mark.start < stretches[-1][1]:
            start, end, names = stretches[-1]
            stretches[-1] = (start, max(end, mark.end), [*names, name])
        else:
            stretches.append((mark.start, mark.end, [name]))
    parts, at = [], 0
    for start, end, names in stretches:
        tags = "".join(f'<span class="evidence-tag">{html.escape(name)}</span>' for name in names)
        words = html.escape(text[start:end])
        parts.append(f"{html.escape(text[at:start])}<mark>{words}</mark>{tags}")
        at = end
    return "".join(parts) + html.escape(text[at:])


def evidence_words(examples: pd.DataFrame) -> str:
    """Say worked examples in plain text."""
    return "; ".join(
        f"{row.record_id}, {row.variable} {row.value}: “{row.text[row.start : row.end]}”"
        for row in examples.itertuples()
    )


def trainer_markup(records: pd.DataFrame, values: Sequence[str], *, coder: str) -> str:
    """Return a form in which a reader codes records and sees agreement with the coder.

    Parameters
    ----------
    records : DataFrame
        From `compendium.calibration_tables.exercise_records`.
    values : sequence of str
        What may be chosen.
    coder : str
        Name of the reader compared with.
    """
    options = "".join(f"<option>{html.escape(value)}</option>" for value in ["", *values])
    items = "".join(
        f'<li><span class="trainer-title">{html.escape(str(row.title))}</span>'
        f'<span class="trainer-facts">Arms: {html.escape(str(row.arms))}. '
        f"Design: {html.escape(str(row.design))}.</span>"
        f'<label for="trainer-{row.record_id}">{html.escape(row.record_id)}</label>'
        f'<select id="trainer-{row.record_id}" data-answer="{html.escape(row.answer)}">'
        f"{options}</select></li>"
        for row in records.itertuples()
    )
    return (
        f'<form class="trainer" data-coder="{html.escape(coder)}" '
        f'data-values="{html.escape(json.dumps(list(values)))}"><ol>{items}</ol>'
        '<button type="submit">Compare</button>'
        '<output class="trainer-result" aria-live="polite">Without scripts, write your ten codes '
        "down and compare them with the solution below.</output></form>"
    )
