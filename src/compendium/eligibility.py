"""The eligibility codebook: coded reasons, stages, and the rules that decide."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from compendium.rulefile import Part, Vocabulary, open_part, read_rules
from compendium.rules import RuleSet

DECISIONS = ("include", "exclude", "unsure")
REASON_KEYS = ("decision", "definition", "example", "counter_example")


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

    Returns
    -------
    Eligibility

    Raises
    ------
    InputError
        With file, line and key: a reason without definition, example or counter-example, a rule
        with an unknown reason, a stage that can end without a decision, and what `read_rules`
        raises.
    """
    file = open_part(path)
    file.only({"fields", "guards", "concepts", "reasons", "stages"})
    file.need("reasons", "stages")
    vocabulary = Vocabulary.of(file)
    reasons = {str(code): _read_reason(file / "reasons" / code) for code in file.data["reasons"]}
    seen: set[str] = set()
    stages = tuple(
        _read_stage(file / "stages" / name, vocabulary, reasons, seen)
        for name in file.data["stages"]
    )
    return Eligibility(reasons, stages, Path(path))


def _read_reason(part: Part) -> Reason:
    part.only(REASON_KEYS)
    part.need(*REASON_KEYS)
    (part / "decision").among(DECISIONS)
    texts = {key: " ".join(str(part.data[key]).split()) for key in REASON_KEYS}
    return Reason(code=str(part.keys[-1]), **texts)


def _read_stage(
    part: Part, vocabulary: Vocabulary, reasons: Mapping[str, Reason], seen: set[str]
) -> Stage:
    part.only({"definition", "read", "rules"})
    part.need("definition", "read", "rules")
    read = vocabulary.columns(part / "read")
    rules = read_rules(part / "rules", vocabulary, reasons, seen, last_is_default=True)
    definition = " ".join(str(part.data["definition"]).split())
    return Stage(str(part.keys[-1]), definition, RuleSet(rules, (read,), read, multi=False))
