"""The query language of ClinicalTrials.gov (Essie): write terms safely, name what is misread.

Only what a search strategy needs: Boolean operators, quotes, grouping and context operators such
as ``AREA[Phase]``. Anything the registry would read otherwise than its author meant is a `Fault`.
"""

import re
from dataclasses import dataclass, replace

BOOLEAN = ("AND", "OR", "NOT")
SOURCE = ("ALL", "MISSING")
LEAVES = ("RANGE", "DISTANCE")
CONTEXT = ("AREA", "SEARCH", "COVERAGE", "EXPANSION", "TILT", *LEAVES)
RESERVED = frozenset((*BOOLEAN, *SOURCE, *CONTEXT))

_TOKEN = re.compile(
    rf"""
      (?P<space>\s+)
    | (?P<context>(?:{"|".join(CONTEXT)})\[(?P<argument>[^\[\]]*)\])
    | (?P<phrase>"(?:\\.|[^"\\])*")
    | (?P<open>\() | (?P<close>\))
    | (?P<stray>["\[\]])
    | (?P<word>(?:\\.|[^\s()\[\]"\\])+)
    | (?P<slash>\\)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Fault:
    """One thing in a strategy that the registry would read otherwise than meant.

    Attributes
    ----------
    code : str
        Short name: ``missing-area``, ``unbalanced-quotes``, ``bare-operator``, …
    what : str
        What is wrong, in a sentence.
    remedy : str
        What to write instead.
    where : str
        File, line and key, where known.
    """

    code: str
    what: str
    remedy: str
    where: str = ""

    def at(self, where: str) -> "Fault":
        """Return the same fault with its place."""
        return replace(self, where=where)

    def __str__(self) -> str:
        return f"{self.where}: " * bool(self.where) + f"[{self.code}] {self.what}; {self.remedy}"


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    argument: str = ""


def write_term(term: str, *, synonyms: bool = True) -> str:
    r"""Write one term so that nothing in it acts as an operator.

    Parameters
    ----------
    term : str
        A word or phrase as a person writes it.
    synonyms : bool
        True leaves the registry's synonym expansion on (no quotes); False asks for this very
        phrase (in quotes), which switches the expansion off.

    Returns
    -------
    str
        Operator words, brackets, quotes and backslashes carry a backslash.

    Examples
    --------
    >>> print(write_term("spinal cord stimulation"))
    spinal cord stimulation
    >>> print(write_term("ALL"), write_term("pain (chronic)"))
    \ALL pain \(chronic\)
    >>> print(write_term('so-called "ALL"', synonyms=False))
    "so-called \"ALL\""
    """
    words = " ".join(term.split())
    if not synonyms:
        return '"' + re.sub(r'(["\\])', r"\\\1", words) + '"'
    escaped = re.sub(r'([()\[\]"\\])', r"\\\1", words)
    return " ".join("\\" + word if word in RESERVED else word for word in escaped.split(" "))


def lint_expression(
    expression: str, *, needs_area: bool = False, synonyms: bool = False
) -> list[Fault]:
    """Name the faults of an expression written by hand.

    Parameters
    ----------
    expression : str
        As it would be sent.
    needs_area : bool
        True for ``filter.advanced``, where a word outside ``AREA[…]`` searches the whole record.
    synonyms : bool
        True if the author wants synonyms; a quoted phrase outside ``AREA[…]`` is then a fault.

    Returns
    -------
    list of Fault
        Empty if there is nothing to say.

    Examples
    --------
    >>> [fault.code for fault in lint_expression("INTERVENTIONAL", needs_area=True)]
    ['missing-area']
    >>> lint_expression('AREA[StudyType]"INTERVENTIONAL"', needs_area=True)
    []
    """
    tokens, faults = _tokens(expression)
    if not faults:
        reader = _Reader(tokens, needs_area=needs_area, synonyms=synonyms)
        reader.read()
        faults = reader.faults
    unique = dict.fromkeys(faults)
    return list(unique)


def _tokens(expression: str) -> tuple[list[_Token], list[Fault]]:
    tokens: list[_Token] = []
    faults: list[Fault] = []
    for match in _TOKEN.finditer(expression):
        kind = match.lastgroup if match.lastgroup != "argument" else "context"
        text = match.group()
        if kind == "stray":
            code = "unbalanced-quotes" if text == '"' else "bare-bracket"
            faults.append(
                Fault(
                    code,
                    f"{text} at character {match.start() + 1} has no partner"
                    if text == '"'
                    else f"{text} at character {match.start() + 1} belongs to no context operator",
                    f"close it, or write \\{text}",
                )
            )
        elif kind == "slash":
            faults.append(
                Fault("bare-backslash", "a backslash ends the expression", "write \\\\ for it")
            )
        elif kind != "space":
            tokens.append(_Token(kind, text, match.group("argument") or ""))
    return tokens, faults


class _Reader:
    """Walk an expression by its grammar (OR binds loosest, then AND, then NOT and contexts)."""

    def __init__(self, tokens: list[_Token], *, needs_area: bool, synonyms: bool) -> None:
        self.tokens = tokens
        self.position = 0
        self.needs_area = needs_area
        self.synonyms = synonyms
        self.faults: list[Fault] = []

    def read(self) -> None:
        if not self.tokens:
            self.fault("empty", "the expression is empty", "write a term or leave the key out")
            return
        self.alternatives(inside=False)
        left = self.peek()
        if left is not None and left.kind == "close":
            self.fault("unbalanced-brackets", ") closes nothing", "remove it or open it before")
        elif left is not None:
            self.fault(
                "missing-operator",
                f"{left.text} follows without an operator",
                f"write AND or OR before {left.text}",
            )

    def peek(self) -> _Token | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def at_word(self, *words: str) -> bool:
        token = self.peek()
        return token is not None and token.kind == "word" and token.text in words

    def fault(self, code: str, what: str, remedy: str) -> None:
        self.faults.append(Fault(code, what, remedy))

    def alternatives(self, *, inside: bool) -> None:
        self.conjunction(inside=inside)
        while self.at_word("OR"):
            self.position += 1
            self.conjunction(inside=inside)

    def conjunction(self, *, inside: bool) -> None:
        self.factor(inside=inside)
        while self.at_word("AND", "NOT"):
            self.position += self.at_word("AND")
            self.factor(inside=inside)

    def factor(self, *, inside: bool) -> None:
        while self.at_word("NOT"):
            self.position += 1
        token = self.peek()
        if token is None or token.kind == "close" or self.at_word("AND", "OR"):
            found = f"before {token.text}" if token else "at the end"
            self.fault(
                "bare-operator",
                f"an operator stands without a term {found}",
                "put a term there, or write the operator word as \\AND, \\OR or \\NOT",
            )
        elif token.kind == "open":
            self.position += 1
            self.alternatives(inside=inside)
            closing = self.peek()
            if closing is None:
                self.fault("unbalanced-brackets", "( is never closed", "close it")
            self.position += closing is not None
        elif token.kind == "context":
            self.context(token, inside=inside)
        else:
            self.term(inside=inside)

    def context(self, token: _Token, *, inside: bool) -> None:
        self.position += 1
        name = token.text.partition("[")[0]
        if not token.argument.strip():
            self.fault("empty", f"{token.text} names nothing", "write a name between the brackets")
        if name in LEAVES:
            if not inside:
                self.missing_area(token.text)
            if name == "RANGE" and token.argument.count(",") != 1:
                self.fault(
                    "bad-range", f"{token.text} has no lower and upper end", "write RANGE[MIN,MAX]"
                )
            return
        self.factor(inside=inside or name == "AREA")

    def term(self, *, inside: bool) -> None:
        words = []
        while (token := self.peek()) is not None and token.kind in ("word", "phrase"):
            if self.at_word(*BOOLEAN):
                break
            words.append(token)
            self.position += 1
            if token.kind == "word" and token.text in RESERVED - {"MISSING"}:
                self.bare(token.text)
            elif token.text == "MISSING" and not inside:
                self.missing_area(token.text)
            elif token.kind == "phrase" and self.synonyms and not inside:
                self.fault(
                    "quoted-synonyms",
                    f"the quotes of {token.text} switch the registry's synonyms off",
                    "drop the quotes, or say synonyms: false",
                )
        if self.needs_area and not inside:
            self.missing_area(" ".join(word.text for word in words))

    def bare(self, word: str) -> None:
        meaning = "stands for every study" if word == "ALL" else "is an operator"
        self.fault(
            "bare-operator", f"{word} alone {meaning}", f'write "{word}" or \\{word} for the word'
        )

    def missing_area(self, text: str) -> None:
        self.fault(
            "missing-area",
            f"{text} stands outside AREA[…] and would be looked for all over the record",
            f"write AREA[FieldName]{text}",
        )
