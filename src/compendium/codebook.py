"""The codebook: variables, their values with definitions, and the rules that give them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compendium.rules import Rule, RuleSet, compile_after, compile_before, compile_patterns
from compendium.yamls import fail, load_yaml, plain

NOT_STATED = "not stated"
OTHER = "other"

# the text columns of a records table that rules may read, and those they may require a value of
TEXT_FIELDS = frozenset(
    (
        "public_title scientific_title acronym conditions keywords condition_mesh intervention_mesh"
        " intervention_types intervention_names intervention_descriptions intervention_other_names"
        " arm_types arm_labels arm_descriptions primary_outcomes secondary_outcomes brief_summary"
        " detailed_description inclusion_criteria exclusion_criteria masking_raw"
    ).split()
)
COLUMNS = TEXT_FIELDS | frozenset(
    (
        "registry study_type allocation intervention_model primary_purpose masking masked_roles"
        " number_of_arms sponsor sponsor_class healthy_volunteers phase status"
    ).split()
)
PATTERN_KEYS = {
    "finds": compile_patterns,
    "with": compile_patterns,
    "without": compile_patterns,
    "not_after": compile_before,
    "not_before": compile_after,
}
RULE_KEYS = {"id", "value", "where", "across", "given", "requires", "yields_to", "rank", "why", "guards"}
VARIABLE_KEYS = {
    "title",
    "definition",
    "multi",
    "read",
    "context",
    "never_read",
    "guards",
    "otherwise",
    "values",
    "rules",
}


@dataclass(frozen=True)
class Value:
    """One value of a variable: its code, its definition, and what it maps to elsewhere."""

    code: str
    definition: str
    maps: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Variable:
    """One thing a record is coded for.

    Attributes
    ----------
    name, title, definition : str
    values : mapping of str to Value
        "not stated" and "other" are never in it unless the file says so.
    ruleset : RuleSet
    otherwise : str or None
        The value for a record in which a field of the first tier named here has words but no rule
        applies; None: such a record is "not stated".
    otherwise_field : str
        The field that must have words for `otherwise`.
    """

    name: str
    title: str
    definition: str
    values: Mapping[str, Value]
    ruleset: RuleSet
    otherwise: str | None = None
    otherwise_field: str = ""


@dataclass(frozen=True)
class Codebook:
    """All variables, in the order in which they are decided."""

    variables: Mapping[str, Variable]
    path: Path

    def __getitem__(self, name: str) -> Variable:
        return self.variables[name]


def read_codebook(path: Path) -> Codebook:
    """Read ``codebook.yml``.

    Parameters
    ----------
    path : Path
        The file. `data/protocol/codebook.yml` explains its own keys at the top.

    Returns
    -------
    Codebook

    Raises
    ------
    InputError
        With file, line and key: a key that is missing or unknown, a field no records table has, a
        value that is not defined, a value without definition, a rule id used twice, a pattern that
        is not a regular expression, a rule that reads a field its variable must never read.
    """
    path = Path(path)
    data = load_yaml(path)
    groups = read_groups(path, data)
    guards = read_guards(path, data)
    need(path, data, [], ("variables",))
    variables: dict[str, Variable] = {}
    seen: set[str] = set()
    for name in data["variables"]:
        variables[str(name)] = _read_variable(path, data, str(name), groups, guards, variables, seen)
    return Codebook(variables, path)


def _read_variable(
    path: Path,
    data: Any,  # noqa: ANN401 - a parsed YAML file
    name: str,
    groups: Mapping[str, Sequence[str]],
    guards: Mapping[str, Mapping[str, Sequence[str]]],
    before: Mapping[str, Variable],
    seen: set[str],
) -> Variable:
    at: list[str | int] = ["variables", name]
    block = data["variables"][name]
    need(path, data, at, ("title", "definition", "values", "read", "rules"))
    only(path, data, at, VARIABLE_KEYS)
    values = {
        str(code): _read_value(path, data, [*at, "values", code]) for code in block["values"]
    }
    tiers = tuple(
        fields_of(path, data, [*at, "read", i], groups) for i in range(len(block["read"]))
    )
    every = tuple(dict.fromkeys(column for tier in tiers for column in tier))
    context = fields_of(path, data, [*at, "context"], groups) if "context" in block else every
    never = frozenset(
        fields_of(path, data, [*at, "never_read"], groups) if "never_read" in block else ()
    )
    rules = read_rules(
        path,
        data,
        [*at, "rules"],
        values=set(values),
        groups=groups,
        guards=guards,
        default_guards=[str(guard) for guard in block.get("guards", [])],
        variables={known: set(variable.values) for known, variable in before.items()},
        seen=seen,
    )
    for position, rule in enumerate(rules):
        for column in rule.where or every:
            if column in never:
                fail(
                    path,
                    data,
                    [*at, "rules", position],
                    f"the rule {rule.id!r} reads {column!r}, which {name!r} must never read",
                )
    otherwise = block.get("otherwise")
    if otherwise is not None:
        need(path, data, [*at, "otherwise"], ("value", "field"))
        if str(otherwise["value"]) not in values:
            fail(path, data, [*at, "otherwise", "value"], f"no such value: {otherwise['value']!r}")
    return Variable(
        name=name,
        title=str(block["title"]),
        definition=" ".join(str(block["definition"]).split()),
        values=values,
        ruleset=RuleSet(rules, tiers, context, bool(block.get("multi", True))),
        otherwise=str(otherwise["value"]) if otherwise else None,
        otherwise_field=str(otherwise["field"]) if otherwise else "",
    )


def _read_value(path: Path, data: Any, at: list[str | int]) -> Value:  # noqa: ANN401
    block = data
    for key in at:
        block = block[key]
    if isinstance(block, str):
        block = {"definition": block}
    if not isinstance(block, Mapping) or not str(block.get("definition") or "").strip():
        fail(path, data, at, "a value needs a definition", remedy="say when a record has it")
    maps = {str(key): str(text) for key, text in block.items() if key != "definition"}
    return Value(str(at[-1]), " ".join(str(block["definition"]).split()), maps)


def read_rules(
    path: Path,
    data: Any,  # noqa: ANN401
    at: Sequence[str | int],
    *,
    values: set[str],
    groups: Mapping[str, Sequence[str]],
    guards: Mapping[str, Mapping[str, Sequence[str]]],
    default_guards: Sequence[str] = (),
    variables: Mapping[str, set[str]] | None = None,
    seen: set[str],
    last_is_default: bool = False,
) -> tuple[Rule, ...]:
    """Compile the list of rules that stands at `at` in a parsed file.

    Parameters
    ----------
    path, data, at
        The file, what `load_yaml` gave for it, and the way down to the list.
    values : set of str
        What a rule may give.
    groups, guards : mapping
        From `read_groups` and `read_guards`.
    default_guards : sequence of str
        Guards of every rule that does not name its own.
    variables : mapping of str to set of str, optional
        Variables a rule may depend on (``given``), with their values.
    seen : set of str
        Rule ids used so far in the file; added to.
    last_is_default : bool
        The last rule must go by nothing, so that it decides what no other rule decided.
    """
    block = data
    for key in at:
        block = block[key]
    rules = []
    for position, raw in enumerate(block):
        here = [*at, position]
        need(path, data, here, ("id", "value"))
        only(path, data, here, RULE_KEYS | set(PATTERN_KEYS))
        identity = str(raw["id"])
        if identity in seen:
            fail(path, data, [*here, "id"], f"the rule id {identity!r} is used twice")
        seen.add(identity)
        check_value(path, data, [*here, "value"], raw["value"], values)
        patterns = {key: _flat(raw.get(key, [])) for key in PATTERN_KEYS}
        for guard in raw.get("guards", default_guards):
            if guard not in guards:
                fail(path, data, here, f"no such guard: {guard!r}; known: {', '.join(guards)}")
            for key, texts in guards[guard].items():
                patterns[key] += texts
        compiled = {
            key: compiler(patterns[key]) if _sound(path, data, here, key, patterns[key]) else None
            for key, compiler in PATTERN_KEYS.items()
        }
        given = _read_given(path, data, here, raw, variables or {})
        requires = _read_requires(path, data, here, raw)
        default = last_is_default and position == len(block) - 1
        idle = not (given or requires or any(key in raw for key in ("finds", "with", "without")))
        if idle is not default:
            wrong = "has nothing to go by" if idle else "must go by nothing: it decides the rest"
            fail(path, data, here, f"the rule {identity!r} {wrong}")
        for i, other in enumerate(raw.get("yields_to", [])):
            check_value(path, data, [*here, "yields_to", i], other, values)
        rules.append(
            Rule(
                id=identity,
                value=str(raw["value"]),
                finds=compiled["finds"],
                where=fields_of(path, data, [*here, "where"], groups) if "where" in raw else None,
                within=compiled["with"],
                without=compiled["without"],
                across=fields_of(path, data, [*here, "across"], groups) if "across" in raw else None,
                not_after=compiled["not_after"],
                not_before=compiled["not_before"],
                given=given,
                requires=requires,
                yields_to=frozenset(str(other) for other in raw.get("yields_to", [])),
                rank=int(raw.get("rank", 0)),
            )
        )
    return tuple(rules)


def _flat(patterns: object) -> list[str]:
    """Spell out lists of patterns inside a list of patterns."""
    if isinstance(patterns, list):
        return [text for part in patterns for text in _flat(part)]
    return [str(patterns)]


def _sound(path: Path, data: Any, at: list[str | int], key: str, texts: Sequence[str]) -> bool:  # noqa: ANN401
    for position, text in enumerate(texts):
        try:
            PATTERN_KEYS[key]([text])
        except re.error as error:
            fail(path, data, [*at, key, position], f"{text!r} is not a pattern: {error}")
    return bool(texts)


def _read_given(
    path: Path,
    data: Any,  # noqa: ANN401
    at: list[str | int],
    raw: Mapping[str, Any],
    variables: Mapping[str, set[str]],
) -> dict[str, frozenset[str]]:
    given = {}
    for name, wanted in plain(raw.get("given", {})).items():
        if name not in variables:
            fail(path, data, [*at, "given", name], f"no variable {name!r} is decided before this one")
        for i, value in enumerate(wanted):
            check_value(path, data, [*at, "given", name, i], value, variables[name])
        given[name] = frozenset(str(value) for value in wanted)
    return given


def _read_requires(
    path: Path,
    data: Any,  # noqa: ANN401
    at: list[str | int],
    raw: Mapping[str, Any],
) -> dict[str, frozenset[str]]:
    requires = {}
    for column, wanted in plain(raw.get("requires", {})).items():
        if column not in COLUMNS:
            fail(path, data, [*at, "requires", column], f"a records table has no field {column!r}")
        requires[column] = frozenset(str(value) for value in wanted)
    return requires


def read_groups(path: Path, data: Any) -> dict[str, tuple[str, ...]]:  # noqa: ANN401
    """Read the named groups of fields of a parsed file (key ``fields``)."""
    groups = {}
    for name, columns in (data.get("fields") or {}).items():
        for i, column in enumerate(columns):
            if column not in TEXT_FIELDS:
                fail(path, data, ["fields", name, i], f"a records table has no field {column!r}")
        groups[str(name)] = tuple(str(column) for column in columns)
    return groups


def read_guards(path: Path, data: Any) -> dict[str, dict[str, list[str]]]:  # noqa: ANN401
    """Read the named guards of a parsed file (key ``guards``)."""
    guards: dict[str, dict[str, list[str]]] = {}
    for name in data.get("guards") or {}:
        only(path, data, ["guards", name], {"not_after", "not_before", "why"})
        guards[str(name)] = {
            key: [str(text) for text in data["guards"][name].get(key, [])]
            for key in ("not_after", "not_before")
        }
        for key, texts in guards[str(name)].items():
            _sound(path, data, ["guards", name], key, texts)
    return guards


def fields_of(
    path: Path,
    data: Any,  # noqa: ANN401
    at: Sequence[str | int],
    groups: Mapping[str, Sequence[str]],
) -> tuple[str, ...]:
    """Return the columns that the list at `at` names, groups spelled out."""
    block = data
    for key in at:
        block = block[key]
    columns: list[str] = []
    for i, name in enumerate(block):
        if name in groups:
            columns += groups[name]
        elif name in TEXT_FIELDS:
            columns.append(str(name))
        else:
            fail(
                path,
                data,
                [*at, i],
                f"{name!r} is neither a field of a records table nor a group",
                remedy=f"groups: {', '.join(groups) or 'none'}",
            )
    return tuple(dict.fromkeys(columns))


def check_value(
    path: Path,
    data: Any,  # noqa: ANN401
    at: Sequence[str | int],
    value: object,
    values: set[str],
) -> None:
    """Raise an `InputError` with file, line and key if `value` is not defined."""
    if str(value) not in values:
        fail(path, data, at, f"no such value: {value!r}", remedy="define it under values")


def need(path: Path, data: Any, at: Sequence[str | int], keys: Iterable[str]) -> None:  # noqa: ANN401
    """Raise an `InputError` if one of `keys` is missing or empty in the mapping at `at`."""
    block = data
    for key in at:
        block = block[key]
    for key in keys:
        if not isinstance(block, Mapping) or block.get(key) in (None, "", [], {}):
            fail(path, data, [*at, key], "this key is missing or empty")


def only(path: Path, data: Any, at: Sequence[str | int], keys: Iterable[str]) -> None:  # noqa: ANN401
    """Raise an `InputError` if the mapping at `at` has a key besides `keys`."""
    block = data
    for key in at:
        block = block[key]
    if not isinstance(block, Mapping):
        fail(path, data, at, "this must be `key: value` lines")
    for key in block:
        if key not in set(keys):
            fail(path, data, [*at, key], f"unknown key; known: {', '.join(sorted(keys))}")
