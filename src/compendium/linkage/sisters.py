"""Marks of sister trials: titles that are alike but for the word that tells two trials apart."""

import re

from rapidfuzz import fuzz

from compendium.linkage.words import fold, words

NUMERALS = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6"}
NUMERALS |= {"one": "1", "two": "2", "three": "3", "four": "4", "first": "1", "second": "2"}
# of each group two trials may each have one: the other arm, side, age or dose is another trial
GROUPS = tuple(
    frozenset(group.split())
    for group in (
        "left right bilateral",
        "upper lower",
        "cervical lumbar thoracic",
        "high low",
        "acute chronic",
        "adult child children pediatric adolescent infant elderly",
        "male female men women",
        "inpatient outpatient",
        "mild moderate severe",
        "us usa eu europe china japan",
        "knee hip shoulder hand foot ankle elbow wrist",
        "motor prefrontal insula occipital",
        "m dlpfc",
        "oral intravenous topical",
    )
)
# what is said of a trial that follows on another, or leaves a country out
FOLLOW_ONS = frozenset(["extension", "continuation", "rollover", "substudy", "followup", "ex"])
_FOLLOW_UP = re.compile(r"(long[\s-]*term )?follow[\s-]*up|roll[\s-]*over|sub[\s-]*study")
# how a trial was designed and described; registries add and drop these words freely
_DESIGN = """
randomized randomised randomization controlled control trial study double single triple blind
blinded masked open label sham placebo parallel crossover cross over pilot feasibility prospective
retrospective observational multicenter centre center site clinical interventional patient subject
participant people person efficacy effect effectiveness safety tolerability evaluate evaluating
evaluation assess assessing assessment investigate investigating investigation compare comparing
compared comparison comparative treatment treating treated therapy phase new novel design group arm
type disease disorder common analysis research test testing versus improve improving impact role
presenting confirmed cause caused induced due
"""
DESIGN_WORDS = frozenset(_DESIGN.split())
# two titles that share less than this of their words are different sentences, not sisters
SAME_SENTENCE = 0.6
# words are uncommon or rare from so many bits on: in one record of 8, in one of 64
UNCOMMON, RARE = 3.0, 6.0


def sister_mark(one: str, other: str) -> str:
    """Name what tells two otherwise like titles apart.

    Parameters
    ----------
    one, other : str
        Titles of two registrations, of the same sort (both public, or both scientific).

    Returns
    -------
    str
        Such as "1 / 2", "left / right", "- / extension"; "" if there is no such mark.

    Examples
    --------
    >>> sister_mark("tDCS for knee pain I", "tDCS for knee pain II")
    '1 / 2'
    >>> sister_mark("Burst stimulation in adults", "Burst stimulation in children")
    'adult / children'
    >>> sister_mark("tDCS for knee pain", "Transcranial stimulation for painful knees")
    ''
    """
    left, right = _read(one), _read(other)
    if not left or not right or left == right:
        return ""
    shared = left & right
    if 2 * len(shared) / (len(left) + len(right)) < SAME_SENTENCE:
        return ""
    only_left, only_right = sorted(left - right), sorted(right - left)
    numbers = [[w for w in side if _numbers_a_trial(w)] for side in (only_left, only_right)]
    rest = [[w for w in side if not w.isdigit()] for side in (only_left, only_right)]
    if (numbers[0] and numbers[1]) or (any(numbers) and not any(rest)):
        return _mark(numbers[0], numbers[1])
    for group in GROUPS:
        here, there = group.intersection(only_left), group.intersection(only_right)
        if here and there:
            return _mark(sorted(here), sorted(there))
    if FOLLOW_ONS.intersection(only_left) or FOLLOW_ONS.intersection(only_right):
        return _mark(*[sorted(FOLLOW_ONS.intersection(s)) for s in (only_left, only_right)])
    return ""


def _read(title: str) -> set[str]:
    plain = _FOLLOW_UP.sub("followup", fold(title))
    return {NUMERALS.get(word, word.lstrip("0") or "0") for word in words(plain)}


def _numbers_a_trial(word: str) -> bool:
    """Tell a numeral that may be a sequel's or a dose's from a year."""
    return word.isdigit() and int(word) < 1900


def _mark(left: list[str], right: list[str]) -> str:
    return f"{' '.join(left) or '-'} / {' '.join(right) or '-'}"


def subjects_apart(
    one: tuple[set[str], set[str]], other: tuple[set[str], set[str]], bits: dict[str, float]
) -> str:
    """Name a telling title word of each record that the other has nowhere, in no spelling.

    Parameters
    ----------
    one, other : pair of sets of str
        The words of a record's titles, and those of its conditions and interventions.
    bits : dict
        How rare each title word is.

    Returns
    -------
    str
        Such as "sarilumab / hydroxychloroquine"; "" unless both sides have a word that is not
        common, and one of them a rare one.
    """
    sides = []
    for mine, theirs in ((one, other), (other, one)):
        known = theirs[0] | theirs[1] | DESIGN_WORDS
        alone = [w for w in mine[0] - known if bits[w] >= UNCOMMON and not _known(w, known)]
        sides.append(sorted(alone, key=lambda w: (-bits[w], w)))
    if sides[0] and sides[1] and max(bits[side[0]] for side in sides) >= RARE:
        return _mark(sides[0][:2], sides[1][:2])
    return ""


def _known(word: str, among: set[str]) -> bool:
    """Tell whether a word is short, a number, or like one of the others."""
    if len(word) < 4 or word.isdigit():
        return True
    long = [w for w in among if len(w) > 3]
    return any(w[:5] == word[:5] or fuzz.ratio(word, w) >= 75 for w in long)
