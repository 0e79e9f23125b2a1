"""Rules that are data: a pattern, the fields it may read, and what cancels it.

A rule finds words in named fields of a record and gives a value. Where it found them is kept with
the value, so that a reader can see the words that decided.

Patterns are regular expressions with three conventions: case is ignored; a match begins and ends
at the edge of a word; a space stands for any run of spaces, hyphens or trade marks, and a space
followed by ``?`` for none or such a run. So ``deep brain stimulation`` also finds
"Deep-Brain  Stimulation", and ``non ?invasive`` finds "noninvasive". Acronyms that are also words
are written ``(?-i:TENS)``.

Offsets count characters of the field's own text. In a field that is a list they count within one
element, and the element's position, from 0, stands with the field's name:
``intervention_names[1]``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

GAP = r"[\s\-\u2010-\u2015_®™©]"
CLAUSE_END = re.compile(r"[.;:)\]\n!?]")
WORDS_BETWEEN = r"(?:\W+\w+){0,3}\W*$"


@dataclass(frozen=True)
class Rule:
    """One rule of a codebook.

    Attributes
    ----------
    id : str
        Unique in its file.
    value : str
        What the rule gives.
    finds : re.Pattern or None
        What must be found; None: the rule rests on `given` or `requires` alone.
    where : tuple of str or None
        The fields it reads; None: those of its rule set, tier by tier.
    within, without : re.Pattern or None
        What must, or must not, be found anywhere in the fields `across`.
    across : tuple of str or None
        Where those two look; None: in the rule set's context.
    not_after, not_before : re.Pattern or None
        What cancels a match when it stands just before, or just after, in the same clause.
    given : mapping of str to frozenset of str
        Values another variable must hold.
    requires : mapping of str to frozenset of str
        What columns of the record must hold.
    yields_to : frozenset of str
        Values before which this rule's value gives way.
    rank : int
        Rules of rank 1 are tried when those of rank 0 found nothing, and so on.
    """

    id: str
    value: str
    finds: re.Pattern[str] | None = None
    where: tuple[str, ...] | None = None
    within: re.Pattern[str] | None = None
    without: re.Pattern[str] | None = None
    across: tuple[str, ...] | None = None
    not_after: re.Pattern[str] | None = None
    not_before: re.Pattern[str] | None = None
    given: Mapping[str, frozenset[str]] = field(default_factory=dict)
    requires: Mapping[str, frozenset[str]] = field(default_factory=dict)
    yields_to: frozenset[str] = frozenset()
    rank: int = 0


@dataclass(frozen=True)
class RuleSet:
    """Rules that decide one thing together.

    Attributes
    ----------
    rules : tuple of Rule
        In the file's order.
    tiers : tuple of tuple of str
        Fields read first, fields read if those gave nothing, and so on.
    context : tuple of str
        Fields in which `Rule.within` and `Rule.without` look.
    multi : bool
        False: the first rule that applies decides alone.
    """

    rules: tuple[Rule, ...]
    tiers: tuple[tuple[str, ...], ...]
    context: tuple[str, ...]
    multi: bool = True


@dataclass(frozen=True)
class Match:
    """A value, the rule that gave it and the words it rests on.

    `field` is empty and the offsets are None where a rule rests on no words.
    """

    value: str
    rule_id: str
    field: str = ""
    matched: str = ""
    start: int | None = None
    end: int | None = None


def compile_patterns(patterns: Sequence[str]) -> re.Pattern[str]:
    r"""Join patterns, written as the module's text says, into one regular expression.

    Raises
    ------
    re.error
        If one of them is not a regular expression.

    Examples
    --------
    >>> compile_patterns(["deep brain stim\\w*"]).search("Deep-Brain Stimulators").group()
    'Deep-Brain Stimulators'
    """
    joined = "|".join(f"(?:{_spaced(pattern)})" for pattern in patterns)
    # one look back for all: most places in a text are inside a word and are left at once
    return re.compile(rf"(?<![^\W_])(?:{joined})(?![^\W_])", re.IGNORECASE)


def compile_before(patterns: Sequence[str]) -> re.Pattern[str]:
    """Compile words that cancel a match when at most three other words stand between."""
    joined = "|".join(rf"(?<![^\W_])(?:{_spaced(pattern)})" for pattern in patterns)
    return re.compile(f"(?:{joined}){WORDS_BETWEEN}", re.IGNORECASE)


def compile_after(patterns: Sequence[str]) -> re.Pattern[str]:
    """Compile words that cancel a match when they follow it directly."""
    joined = "|".join(_spaced(pattern) for pattern in patterns)
    return re.compile(rf"\W*(?:{joined})(?![^\W_])", re.IGNORECASE)


def _spaced(pattern: str) -> str:
    return pattern.replace(" ?", f"{GAP}*").replace(" ", f"{GAP}+")


def texts(record: Mapping[str, Any], fields: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every non-empty cell among `fields`, list cells by element.

    Examples
    --------
    >>> list(texts({"title": "rTMS", "names": ("sham", "coil"), "other": None}, ["title", "names"]))
    [('title', 'rTMS'), ('names[0]', 'sham'), ('names[1]', 'coil')]
    """
    for name in fields:
        cell = record.get(name)
        if isinstance(cell, str):
            if cell:
                yield name, cell
        elif isinstance(cell, tuple | list):
            yield from ((f"{name}[{i}]", text) for i, text in enumerate(cell) if text)


def find(rule: Rule, record: Mapping[str, Any], fields: Sequence[str]) -> list[Match]:
    """Return every place in `fields` where a rule's words stand and are not cancelled.

    Parameters
    ----------
    rule : Rule
        Must have `finds`.
    record : mapping
        Column to text, tuple of texts, or missing value.
    fields : sequence of str
        Columns to read.
    """
    found = []
    for name, text in texts(record, fields):
        for hit in rule.finds.finditer(text):
            if rule.not_after and rule.not_after.search(_clause_before(text, hit.start())):
                continue
            if rule.not_before and rule.not_before.match(text, hit.end()):
                continue
            if hit.end() > hit.start():
                found.append(Match(rule.value, rule.id, name, hit.group(), hit.start(), hit.end()))
    return found


def _clause_before(text: str, position: int) -> str:
    return CLAUSE_END.split(text[max(0, position - 120) : position])[-1]


def apply(
    ruleset: RuleSet, record: Mapping[str, Any], known: Mapping[str, Sequence[Match]]
) -> list[Match]:
    """Return the values a rule set gives one record, each with its first evidence.

    Parameters
    ----------
    ruleset : RuleSet
        Rules, and the order in which they read.
    record : mapping
        Column to text, tuple of texts, or missing value; a column that is not there is not stated.
    known : mapping of str to sequence of Match
        Values of the variables decided before, for rules with `given`.

    Returns
    -------
    list of Match
        One for each value, in the order of the rules; at most one if the set is not `multi`.
    """
    admitted = [rule for rule in ruleset.rules if _admits(rule, ruleset, record, known)]
    if not ruleset.multi:
        every = tuple(dict.fromkeys(name for tier in ruleset.tiers for name in tier))
        for rule in admitted:
            found = _evidence(rule, ruleset, record, rule.where or every, known)
            if found:
                return found[:1]
        return []
    for rank in sorted({rule.rank for rule in admitted}):
        ranked = [rule for rule in admitted if rule.rank == rank]
        own = [
            match
            for rule in ranked
            if rule.where is not None or rule.finds is None
            for match in _evidence(rule, ruleset, record, rule.where or (), known)
        ]
        # a rule with fields of its own has spoken: only the first tier may still add to it
        for tier in ruleset.tiers[: 1 if own else None]:
            tiered = [
                match
                for rule in ranked
                if rule.where is None and rule.finds is not None
                for match in find(rule, record, tier)
            ]
            if own or tiered:
                return _settle(own + tiered, ranked)
    return []


def _admits(
    rule: Rule,
    ruleset: RuleSet,
    record: Mapping[str, Any],
    known: Mapping[str, Sequence[Match]],
) -> bool:
    for variable, values in rule.given.items():
        if not values & {match.value for match in known.get(variable, ())}:
            return False
    for column, values in rule.requires.items():
        cell = record.get(column)
        held = set(cell) if isinstance(cell, tuple | list) else {str(cell)}
        if not values & held:
            return False
    for pattern, wanted in ((rule.within, True), (rule.without, False)):
        if pattern is not None:
            fields = rule.across or ruleset.context
            seen = any(pattern.search(text) for _, text in texts(record, fields))
            if seen is not wanted:
                return False
    return True


def _evidence(
    rule: Rule,
    ruleset: RuleSet,
    record: Mapping[str, Any],
    fields: Sequence[str],
    known: Mapping[str, Sequence[Match]],
) -> list[Match]:
    if rule.finds is not None:
        return find(rule, record, fields)
    for variable, values in rule.given.items():
        for match in known.get(variable, ()):
            if match.value in values:
                # the words that showed the one value are the evidence for the other
                return [
                    Match(rule.value, rule.id, match.field, match.matched, match.start, match.end)
                ]
    if rule.within is not None:
        for name, text in texts(record, rule.across or ruleset.context):
            hit = rule.within.search(text)
            if hit:
                return [Match(rule.value, rule.id, name, hit.group(), hit.start(), hit.end())]
    for column in rule.requires:
        return [Match(rule.value, rule.id, column, str(record.get(column)))]
    return [Match(rule.value, rule.id)]


def _settle(matches: Sequence[Match], rules: Sequence[Rule]) -> list[Match]:
    """Let longer matches hide shorter ones inside them, then let values give way."""
    kept = [match for match in matches if not any(_hides(other, match) for other in matches)]
    yields = {rule.id: rule.yields_to for rule in rules}
    values = {match.value for match in kept}
    kept = [match for match in kept if not (yields[match.rule_id] & (values - {match.value}))]
    first: dict[str, Match] = {}
    for match in kept:
        first.setdefault(match.value, match)
    return list(first.values())


def _hides(longer: Match, shorter: Match) -> bool:
    return (
        longer.value != shorter.value
        and longer.field == shorter.field
        and longer.start is not None
        and shorter.start is not None
        and longer.start <= shorter.start
        and shorter.end <= longer.end
        and longer.end - longer.start > shorter.end - shorter.start
    )
