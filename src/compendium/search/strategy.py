"""The search strategy as data: ``search.yml`` of a protocol folder, read and checked.

A strategy names concepts (each a list of OR-terms with reason and date), says for each registry
which concept goes into which field, and answers the sixteen items of PRISMA-S.
"""

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from compendium.errors import InputError
from compendium.yamls import Key, dotted, fail, line_of, load_yaml

API = "api"
PORTAL = "portal"
INTERFACES = (API, PORTAL)
MAX_PAGE_SIZE = 1000
MAX_SORT_KEYS = 2
NOT_DONE = "not done"

FILLED_IN = ("registries", "queries", "limits", "filters", "dates", "totals")
"""Names in braces that an answer may leave to be filled in from strategy and snapshots."""

PRISMA_S_ITEMS = (
    "Database name",
    "Multi-database searching",
    "Study registries",
    "Online resources and browsing",
    "Citation searching",
    "Contacts",
    "Other methods",
    "Full search strategies",
    "Limits and restrictions",
    "Search filters",
    "Prior work",
    "Updates",
    "Dates of searches",
    "Peer review",
    "Total records",
    "Deduplication",
)


@dataclass(frozen=True)
class Term:
    """One OR-term: what is searched, why, since when, and whether synonyms are wanted."""

    term: str
    reason: str
    date: str
    synonyms: bool
    where: str


@dataclass(frozen=True)
class Concept:
    """One idea of the question and its OR-terms."""

    id: str
    means: str
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Block:
    """One field of a search form: concepts joined with AND, or an expression written by hand."""

    parameter: str
    concepts: tuple[str, ...]
    expression: str
    synonyms: bool
    reason: str
    date: str
    where: str


@dataclass(frozen=True)
class RegistrySearch:
    """How one registry is searched.

    Attributes
    ----------
    interface : {"api", "portal"}
        ``api`` is sent by ``compendium search``; ``portal`` is written out to be pasted by hand.
    sort, fields : tuple of str
        Sent to an API as they are.
    page_size : int
        Records a page, at most 1,000.
    """

    registry: str
    interface: str
    address: str
    blocks: tuple[Block, ...]
    sort: tuple[str, ...]
    fields: tuple[str, ...]
    page_size: int
    where: str


@dataclass(frozen=True)
class Limit:
    """A limit that was set or, more often, not set, and why."""

    limit: str
    value: str
    reason: str


@dataclass(frozen=True)
class Strategy:
    """Everything ``search.yml`` says."""

    path: Path
    title: str
    question: str
    concepts: Mapping[str, Concept]
    registries: tuple[RegistrySearch, ...]
    limits: tuple[Limit, ...]
    prisma_s: tuple[str, ...]

    def of(self, registry: str) -> RegistrySearch:
        """Return the search of one registry.

        Raises
        ------
        InputError
            If the strategy does not search it; the message lists those it does.
        """
        for search in self.registries:
            if search.registry == registry:
                return search
        names = ", ".join(search.registry for search in self.registries)
        raise InputError(
            f"the strategy does not search {registry}",
            where=str(self.path),
            remedy=f"choose from {names}",
        )


def read_strategy(folder: Path) -> Strategy:
    """Read ``search.yml`` of a protocol folder.

    Parameters
    ----------
    folder : Path
        A protocol folder, such as ``data/protocol``.

    Returns
    -------
    Strategy

    Raises
    ------
    InputError
        If a key is missing, unknown or of the wrong kind; the message has file, line and key.
    """
    return _Reader(Path(folder) / "search.yml").strategy()


class _Reader:
    """Read one file; every method takes the way down to what it reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = load_yaml(path)

    def fail(self, keys: Sequence[Key], what: str, remedy: str = "") -> None:
        fail(self.path, self.data, keys, what, remedy=remedy)

    def where(self, keys: Sequence[Key]) -> str:
        return f"{self.path}:{line_of(self.data, keys)}: {dotted(keys)}"

    def at(self, keys: Sequence[Key]) -> object:
        value = self.data
        for key in keys:
            value = value[key]
        return value

    def mapping(self, keys: Sequence[Key], required: str, optional: str = "") -> Mapping:
        """Return a mapping that has every required key and no unknown one."""
        value = self.at(keys)
        known = (*required.split(), *optional.split())
        if not isinstance(value, Mapping):
            self.fail(keys, "is not a list of `key: value`", f"write {', '.join(known)}")
        for key in value:
            if key not in known:
                self.fail([*keys, key], "unknown key", f"known here: {', '.join(known)}")
        for key in required.split():
            if key not in value:
                self.fail([*keys, key], "missing", f"say the {key.replace('_', ' ')}")
        return value

    def text(self, keys: Sequence[Key], default: str | None = None) -> str:
        parent = self.at(keys[:-1])
        if default is not None and keys[-1] not in parent:
            return default
        value = self.at(keys)
        if not isinstance(value, str) or not value.strip():
            self.fail(keys, f"{value!r} is not a text", "put it between quotes if it is meant so")
        return " ".join(value.split())

    def date(self, keys: Sequence[Key]) -> str:
        value = self.at(keys)
        if not isinstance(value, datetime.date) or isinstance(value, datetime.datetime):
            self.fail(keys, f"{value!r} is not a date", "write it as 2026-11-24, without quotes")
        return value.isoformat()

    def flag(self, keys: Sequence[Key], default: bool) -> bool:
        value = self.at(keys[:-1]).get(keys[-1], default)
        if not isinstance(value, bool):
            self.fail(keys, f"{value!r} is neither true nor false")
        return bool(value)

    def items(self, keys: Sequence[Key], *, at_least: int = 1) -> range:
        value = self.at(keys)
        if not isinstance(value, list) or len(value) < at_least:
            self.fail(keys, f"is not a list of at least {at_least}")
        return range(len(value))

    def texts(self, keys: Sequence[Key]) -> tuple[str, ...]:
        if keys[-1] not in self.at(keys[:-1]):
            return ()
        return tuple(self.text([*keys, i]) for i in self.items(keys))

    def strategy(self) -> Strategy:
        self.mapping([], "schema title question concepts registries limits prisma_s")
        if self.at(["schema"]) != 1:
            self.fail(["schema"], f"{self.at(['schema'])!r} is not a known layout", "write 1")
        concepts = [self.concept(["concepts", i]) for i in self.items(["concepts"])]
        by_id = {concept.id: concept for concept in concepts}
        if len(by_id) < len(concepts):
            self.fail(["concepts"], "two concepts have one id", "rename one")
        registries = tuple(
            self.registry(["registries", i], by_id) for i in self.items(["registries"])
        )
        if len({search.registry for search in registries}) < len(registries):
            self.fail(["registries"], "a registry is searched twice", "join the two")
        return Strategy(
            self.path,
            self.text(["title"]),
            self.text(["question"]),
            by_id,
            registries,
            tuple(self.limit(["limits", i]) for i in self.items(["limits"])),
            tuple(self.answer(i) for i in self.items(["prisma_s"], at_least=len(PRISMA_S_ITEMS))),
        )

    def concept(self, keys: list[Key]) -> Concept:
        self.mapping(keys, "id means terms")
        terms = [self.term([*keys, "terms", i]) for i in self.items([*keys, "terms"])]
        seen: set[str] = set()
        for i, term in enumerate(terms):
            if term.term.casefold() in seen:
                self.fail([*keys, "terms", i], f"{term.term!r} is listed twice", "remove one")
            seen.add(term.term.casefold())
        return Concept(self.text([*keys, "id"]), self.text([*keys, "means"]), tuple(terms))

    def term(self, keys: list[Key]) -> Term:
        self.mapping(keys, "term reason date", "synonyms")
        return Term(
            self.text([*keys, "term"]),
            self.text([*keys, "reason"]),
            self.date([*keys, "date"]),
            self.flag([*keys, "synonyms"], True),
            self.where([*keys, "term"]),
        )

    def registry(self, keys: list[Key], concepts: Mapping[str, Concept]) -> RegistrySearch:
        self.mapping(keys, "registry interface address blocks", "sort fields page_size")
        interface = self.text([*keys, "interface"])
        if interface not in INTERFACES:
            self.fail([*keys, "interface"], f"{interface!r} is not known", f"one of {INTERFACES}")
        sort = self.texts([*keys, "sort"])
        for i, key in enumerate(sort):
            if i >= MAX_SORT_KEYS or not re.fullmatch(r"(@relevance|[A-Za-z]+)(:(asc|desc))?", key):
                self.fail([*keys, "sort", i], f"{key!r} cannot be sorted by", "see the example")
        page_size = self.at(keys).get("page_size", MAX_PAGE_SIZE)
        if type(page_size) is not int or not 1 <= page_size <= MAX_PAGE_SIZE:
            self.fail(
                [*keys, "page_size"],
                f"{page_size!r} is not a page size",
                f"1 to {MAX_PAGE_SIZE}: the registry silently cuts anything above",
            )
        blocks = tuple(
            self.block([*keys, "blocks", i], concepts) for i in self.items([*keys, "blocks"])
        )
        names = [block.parameter for block in blocks]
        for i, name in enumerate(names):
            if name in names[:i]:
                self.fail([*keys, "blocks", i], f"{name} is set twice", "join the two with AND")
        return RegistrySearch(
            self.text([*keys, "registry"]),
            interface,
            self.text([*keys, "address"]),
            blocks,
            sort,
            self.texts([*keys, "fields"]),
            page_size,
            self.where(keys),
        )

    def block(self, keys: list[Key], concepts: Mapping[str, Concept]) -> Block:
        value = self.mapping(keys, "parameter reason date", "concepts expression synonyms")
        if ("concepts" in value) == ("expression" in value):
            self.fail(keys, "has to have either concepts or an expression")
        named = self.texts([*keys, "concepts"])
        for i, name in enumerate(named):
            if name not in concepts:
                self.fail(
                    [*keys, "concepts", i], f"no concept {name!r}", f"known: {', '.join(concepts)}"
                )
        return Block(
            self.text([*keys, "parameter"]),
            named,
            self.text([*keys, "expression"], ""),
            self.flag([*keys, "synonyms"], True),
            self.text([*keys, "reason"]),
            self.date([*keys, "date"]),
            self.where(keys),
        )

    def limit(self, keys: list[Key]) -> Limit:
        self.mapping(keys, "limit value reason")
        return Limit(*(self.text([*keys, key]) for key in ("limit", "value", "reason")))

    def answer(self, position: int) -> str:
        keys: list[Key] = ["prisma_s", position]
        self.mapping(keys, "item answer")
        if position >= len(PRISMA_S_ITEMS):
            self.fail(keys, f"PRISMA-S has {len(PRISMA_S_ITEMS)} items")
        if self.text([*keys, "item"]) != PRISMA_S_ITEMS[position]:
            self.fail(
                [*keys, "item"],
                f"item {position + 1} is {PRISMA_S_ITEMS[position]!r}",
                f"answer it, or write {NOT_DONE!r} and why",
            )
        answer = self.text([*keys, "answer"])
        for name in re.findall(r"\{(.*?)\}", answer):
            if name not in FILLED_IN:
                self.fail([*keys, "answer"], f"{{{name}}} is not filled in", f"one of {FILLED_IN}")
        return answer
