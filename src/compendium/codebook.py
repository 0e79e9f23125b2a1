"""The codebook: variables, their values with definitions, and the rules that give them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from compendium.rulefile import Part, Vocabulary, open_part, read_rules
from compendium.rules import RuleSet

NOT_STATED = "not stated"
OTHER = "other"
VARIABLE_KEYS = {
    "title", "definition", "multi", "read", "context", "never_read", "guards", "otherwise",
    "values", "rules",
}  # fmt: skip


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
        Without "not stated", which every variable has.
    ruleset : RuleSet
    otherwise : str or None
        The value of a record in which `otherwise_field` has words but no rule applies; None: such
        a record is "not stated".
    otherwise_field : str
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
    file = open_part(path)
    file.only({"fields", "guards", "variables"})
    file.need("variables")
    vocabulary = Vocabulary.of(file)
    variables: dict[str, Variable] = {}
    seen: set[str] = set()
    for name in file.data["variables"]:
        part = file / "variables" / name
        variables[str(name)] = _read_variable(part, vocabulary, variables, seen)
    return Codebook(variables, Path(path))


def _read_variable(
    part: Part, vocabulary: Vocabulary, before: Mapping[str, Variable], seen: set[str]
) -> Variable:
    part.only(VARIABLE_KEYS)
    part.need("title", "definition", "values", "read", "rules")
    raw, name = part.data, str(part.keys[-1])
    values = {str(code): _read_value(part / "values" / code) for code in raw["values"]}
    tiers = tuple(vocabulary.columns(part / "read" / i) for i in range(len(raw["read"])))
    every = tuple(dict.fromkeys(column for tier in tiers for column in tier))
    rules = read_rules(
        part / "rules",
        vocabulary,
        values,
        seen,
        guards=raw.get("guards", ()),
        decided={known: variable.values for known, variable in before.items()},
    )
    never = set(vocabulary.columns(part / "never_read")) if "never_read" in raw else set()
    for position, rule in enumerate(rules):
        for column in sorted(never.intersection(rule.where or every)):
            (part / "rules" / position).fail(
                f"the rule {rule.id!r} reads {column!r}, which {name!r} must never read"
            )
    if "otherwise" in raw:
        (part / "otherwise").need("value", "field")
        (part / "otherwise" / "value").among(values)
        vocabulary.columns(part / "read" / 0)
    return Variable(
        name=name,
        title=str(raw["title"]),
        definition=" ".join(str(raw["definition"]).split()),
        values=values,
        ruleset=RuleSet(
            rules,
            tiers,
            vocabulary.columns(part / "context") if "context" in raw else every,
            bool(raw.get("multi", True)),
        ),
        otherwise=str(raw["otherwise"]["value"]) if "otherwise" in raw else None,
        otherwise_field=str(raw["otherwise"]["field"]) if "otherwise" in raw else "",
    )


def _read_value(part: Part) -> Value:
    if isinstance(part.data, Mapping):
        part.need("definition")
        texts = {str(key): " ".join(str(text).split()) for key, text in part.data.items()}
        return Value(str(part.keys[-1]), texts.pop("definition"), texts)
    if not isinstance(part.data, str) or not part.data.strip():
        part.fail("a value needs a definition", remedy="say when a record has it")
    return Value(str(part.keys[-1]), " ".join(part.data.split()))
