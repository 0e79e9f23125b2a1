"""The PRISMA 2020 flow diagram: boxes of real text, in columns on a screen, stacked on a phone."""

import html
from collections.abc import Mapping, Sequence

from compendium.flow import Exit, Step


def flow_diagram(
    steps: Sequence[Step], *, caption: str, reasons: Mapping[str, str] | None = None
) -> str:
    """Return the diagram as HTML; it is text throughout, so that it is its own alternative.

    Parameters
    ----------
    steps : sequence of Step
        What `compendium.flow.flow_steps` arranged.
    caption : str
        What the diagram rests on.
    reasons : mapping, optional
        Words for coded reasons; a code without an entry is shown with spaces for hyphens.

    Returns
    -------
    str
        A figure for `compendium.display.show_markup`.
    """
    words = reasons or {}
    items = []
    phase = ""
    for step in steps:
        heading = f'<p class="flow-phase">{step.phase}</p>' if step.phase != phase else ""
        phase = step.phase
        leaving = "".join(_leaving(one, words) for one in step.exits)
        side = f'<div class="flow-out">{leaving}</div>' if leaving else ""
        items.append(
            f'<li class="flow-step">{heading}<div class="flow-row">'
            f'<div class="flow-box">{_count(step)}{_breakdown(step.registries)}</div>{side}'
            "</div></li>"
        )
    return (
        f'<figure class="flow" id="fig-flow"><ol class="flow-steps">{"".join(items)}</ol>'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def flow_words(steps: Sequence[Step]) -> str:
    """Say the flow in a sentence, where no diagram can be shown."""
    parts = []
    for step in steps:
        unit = "record" if step.trials is None else "trial"
        n = _units((step.records if step.trials is None else step.trials) or 0, unit)
        out = ", ".join(f"{one.n} {one.what}" for one in step.exits if one.n)
        parts.append(f"{n} {step.what}" + (f" ({out})" if out else ""))
    return "; ".join(parts)


def _count(step: Step) -> str:
    if step.trials is None:
        first, second = _number(step.records or 0, "record"), ""
    else:
        first = _number(step.trials, "trial")
        second = f", {_units(step.records, 'record')}" if step.records is not None else ""
    return f'<p class="flow-count">{first}<span>{html.escape(step.what)}{second}</span></p>'


def _number(n: int, unit: str) -> str:
    return f"<strong>{_units(n, unit)}</strong> "


def _units(n: int, unit: str) -> str:
    return f"{n:,} {unit}{'' if n == 1 else 's'}"


def _leaving(one: Exit, words: Mapping[str, str]) -> str:
    said = [(words.get(code, code.replace("-", " ")), n) for code, n in one.reasons]
    return (
        f'<div class="flow-box flow-side"><p class="flow-count">{_number(one.n, one.unit)}'
        f"<span>{html.escape(one.what)}</span></p>{_breakdown(said)}</div>"
    )


def _breakdown(parts: Sequence[tuple[str, int]]) -> str:
    if not parts:
        return ""
    rows = "".join(
        f"<li><span>{html.escape(name)}</span> <b>{number:,}</b></li>" for name, number in parts
    )
    return f'<ul class="flow-parts">{rows}</ul>'
