"""What a record is coded for: by rule, or by a person whose word outranks the rule's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from compendium.codebook import NOT_STATED, OTHER, Codebook, Variable
from compendium.coding import read_sheet
from compendium.errors import InputError
from compendium.rules import Match, apply

LABEL_COLUMNS = (
    "record_id",
    "variable",
    "value",
    "rule_id",
    "field",
    "matched",
    "start",
    "end",
    "made_by",
)
RULE = "rule"


def classify_records(
    records: pd.DataFrame, codebook: Codebook, coded: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Label every record for every variable of the codebook.

    Parameters
    ----------
    records : DataFrame
        One row a registration, with `record_id`; any other column of the records table that is
        absent is taken as not stated.
    codebook : Codebook
        Variables, values and rules.
    coded : DataFrame, optional
        What a person coded, from `read_coding`. For a record and variable that it holds, its
        values stand instead of the rules'; variables that follow from another (invasiveness, the
        paper's class) follow from what stands.

    Returns
    -------
    DataFrame
        One row a label, sorted by record and, within it, in the codebook's order: record_id,
        variable, value, rule_id, field, matched, start, end (Int64), made_by. `start` and `end`
        count characters of the named field; an element of a list field is named
        ``intervention_names[1]``, counted from 0. A variable that nothing is stated about has the
        one value "not stated" and no words.

    Raises
    ------
    InputError
        If `coded` names a variable or value that the codebook lacks.
    """
    by_hand = _by_record(coded, codebook)
    rows: list[tuple] = []
    for record in records.sort_values("record_id").to_dict("records"):
        identity = str(record["record_id"])
        known: dict[str, list[Match]] = {}
        makers: dict[tuple[str, str], str] = {}
        for name, variable in codebook.variables.items():
            hand = by_hand.get((identity, name))
            if hand is None:
                known[name] = _by_rule(variable, record, known)
                maker = {match.value: _maker(match, variable, makers) for match in known[name]}
            else:
                coder, known[name] = hand
                maker = {match.value: coder for match in known[name]}
            makers |= {(name, value): who for value, who in maker.items()}
            order = list(variable.values)
            stated = sorted(known[name], key=lambda match, order=order: order.index(match.value))
            stated = stated or [Match(NOT_STATED, "")]
            default = hand[0] if hand else RULE
            rows += [
                _row(identity, name, match, maker.get(match.value, default)) for match in stated
            ]
    return _table(rows)


def _by_rule(
    variable: Variable, record: Mapping[str, Any], known: Mapping[str, Sequence[Match]]
) -> list[Match]:
    matches = apply(variable.ruleset, record, known)
    stated = record.get(variable.otherwise_field) if variable.otherwise else None
    if matches or not isinstance(stated, tuple | list | str) or not stated:
        return matches
    listed = not isinstance(stated, str)
    text = stated[0] if listed else stated
    place = f"{variable.otherwise_field}[0]" if listed else variable.otherwise_field
    return [Match(variable.otherwise, f"{variable.name}-otherwise", place, text, 0, len(text))]


def _maker(match: Match, variable: Variable, makers: Mapping[tuple[str, str], str]) -> str:
    """Who made a rule's label: the maker of the value it follows from, or the rule itself."""
    rule = next((rule for rule in variable.ruleset.rules if rule.id == match.rule_id), None)
    if rule is None or rule.finds is not None:
        return RULE
    sources = [
        makers[name, value]
        for name, values in rule.given.items()
        for value in values
        if (name, value) in makers
    ]
    return sources[0] if sources else RULE


def _row(identity: str, variable: str, match: Match, maker: str) -> tuple:
    return (
        identity,
        variable,
        match.value,
        match.rule_id,
        match.field,
        match.matched,
        match.start,
        match.end,
        maker,
    )


def _table(rows: Sequence[tuple]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(LABEL_COLUMNS))
    for name in LABEL_COLUMNS:
        if name in ("start", "end"):
            table[name] = table[name].astype("Int64")
        else:
            table[name] = table[name].astype("string").replace("", pd.NA)
    return table


def read_coding(path: Path, codebook: Codebook, coder: str = "coder-a") -> pd.DataFrame:
    """Read one coder's sheet.

    Parameters
    ----------
    path : Path
        JSON Lines: ``nct_id`` (or ``record_id``), ``modality``, ``target``, ``condition`` (lists),
        ``comparator``, ``scope``, ``scope_reason``, ``target_quote``. An entry may carry words of
        its own: "other:amygdala", "DLPFC (side not stated)".
    codebook : Codebook
        Says which variables and values there are.
    coder : str
        The coder's name, kept with every value.

    Returns
    -------
    DataFrame
        record_id, variable, value, words, made_by; an empty list becomes one row "not stated".

    Raises
    ------
    InputError
        As `compendium.coding.read_sheet`, and with file, line and the value that the codebook
        lacks.
    """
    rows = []
    for record_id, said, place in read_sheet(path):
        for name in codebook.variables:
            if name not in said:
                continue
            given = said[name] if isinstance(said[name], list) else [said[name]]
            for text in [str(item) for item in given if item] or [NOT_STATED]:
                value, words = _value_and_words(text)
                if value not in codebook[name].values and value != NOT_STATED:
                    raise InputError(
                        f"the codebook has no {name} {value!r}", where=f"{place}: {name}"
                    )
                quote = said.get("target_quote") if name == "target" else None
                rows.append((record_id, name, value, words or quote or "", coder))
    table = pd.DataFrame(
        rows, columns=["record_id", "variable", "value", "words", "made_by"]
    ).drop_duplicates(["record_id", "variable", "value"], ignore_index=True)
    return table.astype("string")


def _value_and_words(text: str) -> tuple[str, str]:
    """Part a coder's entry into code and free words.

    >>> _value_and_words("other:amygdala"), _value_and_words("DLPFC (side not stated)")
    (('other', 'amygdala'), ('DLPFC', 'side not stated'))
    """
    if text.startswith(f"{OTHER}:"):
        return OTHER, text.removeprefix(f"{OTHER}:").strip()
    value, _, words = text.partition(" (")
    return value, words.removesuffix(")")


def _by_record(
    coded: pd.DataFrame | None, codebook: Codebook
) -> dict[tuple[str, str], tuple[str, list[Match]]]:
    held: dict[tuple[str, str], tuple[str, list[Match]]] = {}
    if coded is None:
        return held
    for row in coded.itertuples():
        if row.variable not in codebook.variables:
            raise InputError(f"the codebook has no variable {row.variable!r}", where=row.record_id)
        known = codebook[row.variable].values
        if row.value not in known and row.value != NOT_STATED:
            raise InputError(
                f"the codebook has no {row.variable} {row.value!r}", where=row.record_id
            )
        _, matches = held.setdefault((row.record_id, row.variable), (row.made_by, []))
        if row.value != NOT_STATED:
            words = getattr(row, "words", "")
            matches.append(Match(row.value, "", "", "" if pd.isna(words) else str(words)))
    return held
