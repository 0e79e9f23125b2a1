"""The eligibility codebook: coded reasons, stages, and the rules that decide."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from compendium.codebook import (
    fields_of,
    need,
    only,
    read_groups,
    read_guards,
    read_rules,
)
from compendium.rules import RuleSet
from compendium.yamls import fail, load_yaml

DECISIONS = ("include", "exclude", "unsure")


@dataclass(frozen=True)
class Reason:
    """One coded reason of a decision.

    Attributes
    ----------
    code, definition : str
    decision : str
        What a record with this reason is: include, exclude or unsure.
    example, counter_example : str
        A record for which it holds, and one for which it seems to but does not: id and a word.
    """

    code: str
    decision: str
    definition: str
    example: str
    counter_example: str


@dataclass(frozen=True)
class Stage:
    """One stage of screening: its name and the rules that decide in it, first come first served."""

    name: str
    definition: str
    ruleset: RuleSet


@dataclass(frozen=True)
class Eligibility:
    """All reasons and stages, in the order of the file."""

    reasons: Mapping[str, Reason]
    stages: tuple[Stage, ...]
    path: Path


def read_eligibility(path: Path) -> Eligibility:
    """Read ``eligibility.yml``.

    Parameters
    ----------
    path : Path
        The file. `data/protocol/eligibility.yml` explains its own keys at the top.

    Raises
    ------
    InputError
        With file, line and key: a reason without definition, example or counter-example, a rule
        with an unknown reason, a stage that can end without a decision, and what `read_codebook`
        raises for rules.
    """
    path = Path(path)
    data = load_yaml(path)
    only(path, data, [], {"fields", "guards", "concepts", "reasons", "stages"})
    need(path, data, [], ("reasons", "stages"))
    groups, guards = read_groups(path, data), read_guards(path, data)
    reasons = {}
    for code in data["reasons"]:
        at = ["reasons", code]
        keys = ("decision", "definition", "example", "counter_example")
        need(path, data, at, keys)
        only(path, data, at, keys)
        block = data["reasons"][code]
        if block["decision"] not in DECISIONS:
            fail(path, data, [*at, "decision"], f"a decision is one of {', '.join(DECISIONS)}")
        texts = {key: " ".join(str(block[key]).split()) for key in keys}
        reasons[str(code)] = Reason(str(code), **texts)
    seen: set[str] = set()
    stages = []
    for name in data["stages"]:
        at = ["stages", name]
        need(path, data, at, ("definition", "read", "rules"))
        only(path, data, at, {"definition", "read", "context", "rules"})
        block = data["stages"][name]
        read = fields_of(path, data, [*at, "read"], groups)
        context = fields_of(path, data, [*at, "context"], groups) if "context" in block else read
        rules = read_rules(
            path,
            data,
            [*at, "rules"],
            values=set(reasons),
            groups=groups,
            guards=guards,
            seen=seen,
            last_is_default=True,
        )
        definition = " ".join(str(block["definition"]).split())
        stages.append(Stage(str(name), definition, RuleSet(rules, (read,), context, multi=False)))
    return Eligibility(reasons, tuple(stages), path)
