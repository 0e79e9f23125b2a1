"""From a strategy to what a registry is literally asked, and the faults found before asking."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from compendium.errors import InputError
from compendium.search.essie import BOOLEAN, Fault, lint_expression, write_term
from compendium.search.strategy import API, Block, RegistrySearch, Strategy, Term

QUERY_PARAMETERS = tuple(
    f"query.{name}"
    for name in ["cond", "term", "locn", "titles", "intr", "outc", "spons", "lead", "id", "patient"]
)
FILTER_PARAMETERS = (
    *(
        f"{prefix}.{name}"
        for prefix in ("filter", "postFilter")
        for name in ["overallStatus", "geo", "ids", "advanced", "synonyms"]
    ),
    "aggFilters",
    "geoDecay",
)
_IDS = re.compile(r"(NCT\d+[\s,]*)+", re.IGNORECASE)
_ONE_ID = re.compile(r"NCT0*[1-9]\d{0,7}", re.IGNORECASE)


@dataclass(frozen=True)
class Query:
    """What one registry is asked, verbatim.

    Attributes
    ----------
    parameters : mapping of str to str
        Field or parameter name to its literal value, in the order of the strategy.
    url : str
        For an API the whole address of the first page; for a portal the address of its form.
    """

    registry: str
    interface: str
    parameters: Mapping[str, str]
    url: str


def render_query(strategy: Strategy, registry: str) -> Query:
    """Write the literal parameters of one registry's search.

    Parameters
    ----------
    strategy : Strategy
        Read by `compendium.search.strategy.read_strategy`.
    registry : str
        One of the registries of the strategy.

    Returns
    -------
    Query
        Terms are escaped and joined with OR. An API's parameters include sort, fields, page size
        and the request for a total.
    """
    search = strategy.of(registry)
    parameters = {
        block.parameter: block.expression or _join(strategy, block, search.interface)
        for block in search.blocks
    }
    if search.interface != API:
        return Query(registry, search.interface, parameters, search.address)
    if search.fields:
        parameters["fields"] = "|".join(search.fields)
    if search.sort:
        parameters["sort"] = "|".join(search.sort)
    parameters |= {"format": "json", "countTotal": "true", "pageSize": str(search.page_size)}
    return Query(
        registry, API, parameters, f"{search.address.rstrip('/')}/studies?{urlencode(parameters)}"
    )


def _join(strategy: Strategy, block: Block, interface: str) -> str:
    """Join terms with OR, and concepts, each in brackets, with AND."""
    lists = [
        " OR ".join(_write(term, interface) for term in strategy.concepts[name].terms)
        for name in block.concepts
    ]
    return lists[0] if len(lists) == 1 else " AND ".join(f"({terms})" for terms in lists)


def _write(term: Term, interface: str) -> str:
    """Write a term for one interface.

    The portal reads two bare words as AND and keeps its synonyms on inside quotes, so that there
    every phrase is quoted; only an asterisk switches its synonyms off.
    """
    if interface == API:
        return write_term(term.term, synonyms=term.synonyms)
    return f'"{term.term}"' if " " in term.term or term.term in BOOLEAN else term.term


def lint_strategy(strategy: Strategy) -> list[Fault]:
    """Name every fault of a strategy before anything is sent.

    Returns
    -------
    list of Fault
        In the order of the file; empty if the strategy can be sent.
    """
    faults = []
    used: dict[str, set[str]] = {}
    for search in strategy.registries:
        for block in search.blocks:
            for name in block.concepts:
                used.setdefault(name, set()).add(search.interface)
            faults += [fault.at(block.where) for fault in _lint_block(search, block)]
    for concept in strategy.concepts.values():
        if concept.id not in used:
            faults.append(
                Fault(
                    "unused-concept",
                    f"no registry searches for {concept.id!r}",
                    "name it in a block, or remove it",
                    concept.terms[0].where,
                )
            )
        for term in concept.terms:
            faults += [
                fault.at(term.where) for fault in _lint_term(term, used.get(concept.id, set()))
            ]
    return faults


def require_sound(strategy: Strategy) -> None:
    """Raise if a strategy has faults.

    Raises
    ------
    InputError
        Names every fault, one a line.
    """
    faults = lint_strategy(strategy)
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(
            f"{len(faults)} fault{'s' * (len(faults) > 1)} in the strategy, nothing was sent:\n"
            f"{lines}",
            where=str(strategy.path),
        )


def _lint_term(term: Term, interfaces: set[str]) -> list[Fault]:
    faults = []
    quotes = term.term.count('"')
    if quotes % 2:
        faults.append(
            Fault("unbalanced-quotes", f"a quote in {term.term!r} has no partner", "close it")
        )
    elif quotes and term.synonyms:
        faults.append(
            Fault(
                "quoted-synonyms",
                f"the quotes in {term.term!r} would switch the registry's synonyms off",
                "drop the quotes, or say synonyms: false",
            )
        )
    elif quotes:
        faults.append(
            Fault(
                "quoted-term",
                f"{term.term!r} would be quoted twice",
                "drop the quotes: synonyms: false writes them",
            )
        )
    words = term.term.split()
    if len(words) > 1 and set(words) & set(BOOLEAN):
        faults.append(
            Fault(
                "bare-operator",
                f"an operator inside {term.term!r} would be searched for as a word",
                "make two terms of it, or two concepts",
            )
        )
    if interfaces - {API} and "*" in term.term:
        stem = re.search(r"(\w*)\*(\w*)", term.term)
        if term.synonyms:
            faults.append(
                Fault(
                    "wildcard-synonyms",
                    f"the asterisk of {term.term!r} switches the portal's synonyms off",
                    "write the word out, or say synonyms: false",
                )
            )
        if stem and (len(stem[1]) < 3 or stem[2]):
            faults.append(
                Fault(
                    "wildcard-place",
                    f"the portal finds nothing for {term.term!r}",
                    "put the asterisk at the end, after three letters or more",
                )
            )
    return faults


def _lint_block(search: RegistrySearch, block: Block) -> list[Fault]:
    if search.interface != API:
        return []
    if block.parameter not in (*QUERY_PARAMETERS, *FILTER_PARAMETERS):
        return [
            Fault(
                "unknown-parameter",
                f"{search.registry} has no parameter {block.parameter!r}",
                f"one of {', '.join((*QUERY_PARAMETERS, *FILTER_PARAMETERS))}",
            )
        ]
    if not block.expression:
        if block.parameter in QUERY_PARAMETERS:
            return []
        return [
            Fault(
                "concept-in-filter",
                f"{block.parameter} cannot hold a list of terms",
                "put the concept into a query.… parameter",
            )
        ]
    name = block.parameter.partition(".")[2]
    if block.parameter in QUERY_PARAMETERS and _IDS.fullmatch(block.expression):
        return [
            Fault(
                "ids-only",
                "a query of nothing but NCT ids makes the registry ignore every filter",
                "use filter.ids",
            )
        ]
    if name == "ids":
        return [
            Fault("malformed-id", f"{one!r} fails the whole batch", "write it as NCT01234567")
            for one in re.split(r"[,|]", block.expression)
            if not _ONE_ID.fullmatch(one.strip())
        ]
    if block.parameter == "aggFilters" and re.search(r"\bphase:[^,|]*\bna\b", block.expression):
        return [
            Fault(
                "silent-zero",
                "aggFilters=phase:na finds nothing and says nothing",
                'use filter.advanced with AREA[Phase]"NA"',
            )
        ]
    if block.parameter in QUERY_PARAMETERS or name == "advanced":
        return lint_expression(
            block.expression, needs_area=name == "advanced", synonyms=block.synonyms
        )
    return []
