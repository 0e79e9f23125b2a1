"""Titles, sponsors and conditions as bags of words that two registries would share."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

# words that say how a sentence is built, not what it is about
_FUNCTION = """
a an the of in on for to and or with without by from at as is are be its their this that versus vs
via into using use used within between during after before under who which not la le les de des du
et der die das und von zur zum el los en y
"""
FUNCTION_WORDS = frozenset(_FUNCTION.split())
# British and American spellings, and Latin digraphs, brought to one form
_SPELLINGS = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"is(ation|ations|e|ed|es|ing|er|ers)$", r"iz\1"),
        (r"ys(e|ed|es|ing)$", r"yz\1"),
        (r"our(s|ed|ing|al|able)?$", r"or\1"),
        (r"tre(s)?$", r"ter\1"),
        (r"ogue(s)?$", r"og\1"),
        (r"ell(ed|ing)$", r"el\1"),
        (r"ae", "e"),
        (r"oe", "e"),
    )
)
_WORD = re.compile(r"[^\W\d_]+|[0-9]+")
_ABBREVIATED = re.compile(r"((?:[\w\-]+[\s\-]+){1,8})\(([A-Za-z][A-Za-z\-]{1,9})\)")


def fold(text: str) -> str:
    """Return a text without case, accents and ligatures."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    if len(word) < 4 or not word.isascii():
        return word
    for pattern, replacement in _SPELLINGS:
        word = pattern.sub(replacement, word)
    if word.endswith("ies") and len(word) > 5:
        return word[:-3] + "y"
    if word.endswith("s") and len(word) > 4 and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def words(text: str) -> tuple[str, ...]:
    """Split a text into words without case, accent, plural or British spelling.

    Letters and digits part ("COVID19" and "COVID-19" are the same two words); function words go.

    Examples
    --------
    >>> words("Randomised trials of tDCS for tumour pain")
    ('randomized', 'trial', 'tdcs', 'tumor', 'pain')
    """
    return tuple(_stem(w) for w in _WORD.findall(fold(text)) if w not in FUNCTION_WORDS)


def learn_abbreviations(texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Learn from the texts themselves which words an abbreviation stands for.

    "Spinal Cord Stimulation (SCS)" teaches that SCS is spinal cord stimulation. An abbreviation
    that is written out in two ways in the same collection is learnt in its commoner way only if
    that is at least three times as common.

    Parameters
    ----------
    texts : iterable of str
        Titles of all records.

    Returns
    -------
    dict
        Abbreviation (as `words` gives it) → words it stands for.

    Examples
    --------
    >>> learn_abbreviations(["Spinal Cord Stimulation (SCS) in angina"])
    {'scs': ('spinal', 'cord', 'stimulation')}
    """
    seen: dict[str, Counter[tuple[str, ...]]] = {}
    for text in texts:
        for before, short in _ABBREVIATED.findall(text) if "(" in text else ():
            letters = fold(short).replace("-", "")
            long = re.findall(r"\w+", fold(before))[-len(letters) :]
            if len(letters) > 1 and "".join(w[0] for w in long) == letters:
                key = words(short)
                if len(key) == 1:
                    seen.setdefault(key[0], Counter())[words(" ".join(long))] += 1
    learnt = {}
    for short in sorted(seen):
        ranked = sorted(seen[short].items(), key=lambda item: (-item[1], item[0]))
        if len(ranked) == 1 or ranked[0][1] >= 3 * ranked[1][1]:
            learnt[short] = ranked[0][0]
    return learnt


def expand(text_words: Iterable[str], abbreviations: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Replace each abbreviation by the words it stands for; keep the order, drop repeats."""
    out: dict[str, None] = {}
    for word in text_words:
        for part in abbreviations.get(word, (word,)):
            out[part] = None
    return tuple(out)
