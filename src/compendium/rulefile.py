"""Rules, fields and guards as they stand in a protocol's YAML files."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from compendium.rules import Rule, compile_after, compile_before, compile_patterns
from compendium.yamls import fail, load_yaml, plain

# the text columns of a records table that a rule may read
TEXT_FIELDS = frozenset(
    {
        "public_title", "scientific_title", "acronym", "conditions", "keywords",
        "condition_mesh", "intervention_mesh", "intervention_types", "intervention_names",
        "intervention_descriptions", "intervention_other_names", "arm_types", "arm_labels",
        "arm_descriptions", "primary_outcomes", "secondary_outcomes", "brief_summary",
        "detailed_description", "inclusion_criteria", "exclusion_criteria", "masking_raw",
    }
)  # fmt: skip
# the columns of which a rule may require a value
COLUMNS = TEXT_FIELDS | {
    "registry", "study_type", "allocation", "intervention_model", "primary_purpose", "masking",
    "masked_roles", "number_of_arms", "sponsor_class", "healthy_volunteers", "phase", "status",
}  # fmt: skip
PATTERNS = {
    "finds": compile_patterns,
    "with": compile_patterns,
    "without": compile_patterns,
    "not_after": compile_before,
    "not_before": compile_after,
}
RULE_KEYS = {
    "id", "value", "where", "across", "given", "requires", "yields_to", "rank", "why", "guards",
    *PATTERNS,
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A part of a parsed YAML file that knows the way to itself, so that faults name their place.

    Attributes
    ----------
    path : Path
        The file.
    root : mapping
        What `load_yaml` gave for the whole of it.
    keys : tuple of str or int
        The way down to this part.
    """

    path: Path
    root: Any
    keys: tuple[str | int, ...] = ()

    @property
    def data(self) -> Any:  # noqa: ANN401 - whatever YAML holds
        """What stands at this part."""
        block = self.root
        for key in self.keys:
            block = block[key]
        return block

    def __truediv__(self, key: str | int) -> "Part":
        return Part(self.path, self.root, (*self.keys, key))

    def fail(self, what: str, *, remedy: str = "") -> NoReturn:
        """Raise an `InputError` that names file, line and key."""
        fail(self.path, self.root, self.keys, what, remedy=remedy)

    def need(self, *keys: str) -> None:
        """Raise an `InputError` if one of `keys` is missing or empty here."""
        for key in keys:
            if not isinstance(self.data, Mapping) or self.data.get(key) in (None, "", [], {}):
                (self / key).fail("this key is missing or empty")

    def only(self, keys: Iterable[str]) -> None:
        """Raise an `InputError` if there is a key besides `keys` here."""
        if not isinstance(self.data, Mapping):
            self.fail("this must be `key: value` lines")
        for key in self.data:
            if key not in set(keys):
                (self / key).fail("unknown key", remedy=f"known: {', '.join(sorted(keys))}")

    def among(self, values: Iterable[str]) -> str:
        """Return what stands here as text, or raise an `InputError` if it is none of `values`."""
        if str(self.data) not in set(values):
            self.fail(f"no such value: {self.data!r}", remedy=f"known: {', '.join(sorted(values))}")
        return str(self.data)


def open_part(path: Path) -> Part:
    """Load a YAML file as one part."""
    return Part(Path(path), load_yaml(path))


@dataclass(frozen=True)
class Vocabulary:
    """What the rules of a file may name: groups of fields, and guards, sets of cancelling words."""

    groups: Mapping[str, tuple[str, ...]]
    guards: Mapping[str, Mapping[str, list[str]]]

    @classmethod
    def of(cls, file: Part) -> "Vocabulary":
        """Read the keys ``fields`` and ``guards`` of a file."""
        groups = {}
        for name, columns in (file.data.get("fields") or {}).items():
            part = file / "fields" / name
            groups[str(name)] = tuple((part / i).among(TEXT_FIELDS) for i in range(len(columns)))
        guards = {}
        for name, words in (file.data.get("guards") or {}).items():
            part = file / "guards" / name
            part.only({"not_after", "not_before", "why"})
            sides = ("not_after", "not_before")
            guards[str(name)] = {side: _patterns(part, side, words) for side in sides}
        return cls(groups, guards)

    def columns(self, part: Part) -> tuple[str, ...]:
        """Return the columns that a list of fields and groups names, groups spelled out."""
        names: list[str] = []
        for i, name in enumerate(part.data):
            if name in self.groups:
                names += self.groups[name]
            elif name in TEXT_FIELDS:
                names.append(str(name))
            else:
                (part / i).fail(
                    f"{name!r} is neither a field of a records table nor a group",
                    remedy=f"groups: {', '.join(self.groups) or 'none'}",
                )
        return tuple(dict.fromkeys(names))


def read_rules(
    part: Part,
    vocabulary: Vocabulary,
    values: Iterable[str],
    seen: set[str],
    *,
    guards: Sequence[str] = (),
    decided: Mapping[str, Iterable[str]] | None = None,
    last_is_default: bool = False,
) -> tuple[Rule, ...]:
    """Compile a list of rules.

    Parameters
    ----------
    part : Part
        The list.
    vocabulary : Vocabulary
        Groups of fields and guards that the rules may name.
    values : iterable of str
        What a rule may give.
    seen : set of str
        Rule ids used so far in the file; added to.
    guards : sequence of str
        Guards of every rule that does not name its own.
    decided : mapping of str to iterable of str, optional
        Variables that a rule may depend on (``given``), with their values.
    last_is_default : bool
        The last rule must go by nothing, so that it decides what no other rule decided.

    Raises
    ------
    InputError
        With file, line and key of the first fault.
    """
    rules = []
    for position in range(len(part.data)):
        rule = part / position
        rule.need("id", "value")
        rule.only(RULE_KEYS)
        identity = str(rule.data["id"])
        if identity in seen:
            (rule / "id").fail(f"the rule id {identity!r} is used twice")
        seen.add(identity)
        idle = not RULE_KEYS & {"finds", "with", "without", "given", "requires"} & set(rule.data)
        if idle is not (last_is_default and position == len(part.data) - 1):
            wrong = "has nothing to go by" if idle else "must go by nothing: it decides the rest"
            rule.fail(f"the rule {identity!r} {wrong}")
        rules.append(_read_rule(rule, vocabulary, set(values), guards, decided or {}))
    return tuple(rules)


def _read_rule(
    rule: Part,
    vocabulary: Vocabulary,
    values: set[str],
    guards: Sequence[str],
    decided: Mapping[str, Iterable[str]],
) -> Rule:
    raw = rule.data
    patterns = {key: _patterns(rule, key, raw) for key in PATTERNS}
    for guard in raw.get("guards", guards):
        if guard not in vocabulary.guards:
            rule.fail(f"no such guard: {guard!r}", remedy=f"known: {', '.join(vocabulary.guards)}")
        for key, words in vocabulary.guards[guard].items():
            patterns[key] = patterns[key] + words
    compiled = {
        key: _compile(rule / key, texts, PATTERNS[key]) if texts else None
        for key, texts in patterns.items()
    }
    yields_to = raw.get("yields_to", [])
    return Rule(
        id=str(raw["id"]),
        value=(rule / "value").among(values),
        finds=compiled["finds"],
        where=vocabulary.columns(rule / "where") if "where" in raw else None,
        within=compiled["with"],
        without=compiled["without"],
        across=vocabulary.columns(rule / "across") if "across" in raw else None,
        not_after=compiled["not_after"],
        not_before=compiled["not_before"],
        given=_read_given(rule, decided),
        requires=_read_requires(rule),
        yields_to=frozenset((rule / "yields_to" / i).among(values) for i in range(len(yields_to))),
        rank=int(raw.get("rank", 0)),
    )


def _patterns(part: Part, key: str, raw: Mapping[str, Any]) -> list[str]:
    patterns = _flat(raw.get(key, []))
    for position, text in enumerate(patterns):
        # only such a text can be mended by its neighbours when all are joined into one pattern
        if "[" in text or text.count("(") != text.count(")"):
            _compile(part / key / position, text, re.compile)
    return patterns


def _compile(part: Part, text: object, compiler: Callable[[Any], re.Pattern]) -> re.Pattern:
    try:
        return compiler(text)
    except re.error as error:
        part.fail(f"{text!r} is not a pattern: {error}")


def _flat(patterns: object) -> list[str]:
    """Spell out lists of patterns inside a list of patterns."""
    if isinstance(patterns, list):
        return [text for part in patterns for text in _flat(part)]
    return [str(patterns)]


def _read_given(rule: Part, decided: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]]:
    given = {}
    for name, wanted in (rule.data.get("given") or {}).items():
        part = rule / "given" / name
        if name not in decided:
            part.fail(f"no variable {name!r} is decided before this one")
        given[str(name)] = frozenset((part / i).among(decided[name]) for i in range(len(wanted)))
    return given


def _read_requires(rule: Part) -> dict[str, frozenset[str]]:
    requires = {}
    for column, wanted in (rule.data.get("requires") or {}).items():
        if column not in COLUMNS:
            (rule / "requires" / column).fail(f"a records table has no field {column!r}")
        requires[str(column)] = frozenset(str(value) for value in plain(wanted))
    return requires
