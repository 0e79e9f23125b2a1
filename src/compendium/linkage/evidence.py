"""Say in words what a link rests on."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from compendium.linkage.columns import lists, texts
from compendium.linkage.comparison import FACTS

# a fact is named as agreeing from this many bits on
TELLING = 0.5
# a field contradicts a link from this many bits on. Enrolment is not among them: registries that
# count one country differ from those that count all
CONTRADICTS = -2.0
CONTRADICTIONS = {
    "country": "no country in common",
    "start": "starts years apart",
    "phase": "different phases",
    "study_type": "different types of study",
}


def agreeing(row: pd.Series) -> list[str]:
    """Return the facts of a weighed pair that speak for a link, in the order of `FACTS`."""
    return [name for name in FACTS if getattr(row, name) >= TELLING]


def teller(records: pd.DataFrame, titles: list[str]) -> Callable[..., str]:
    """Return a function that describes the evidence of a weighed pair.

    Parameters
    ----------
    records : DataFrame
        The records, in the order of the pairs' record numbers.
    titles : list of str
        All titles, as in `Prepared`.

    Returns
    -------
    callable
        Takes a row of `weigh_pairs`; returns a sentence such as
        'NCT… secondary_ids "ISRCTN60778781" [0:14]; titles 0.93 alike: "…" / "…"; enrolment 100'.
    """
    sponsors, acronyms = texts(records, "sponsor"), texts(records, "acronym")
    countries = lists(records, "countries" if "countries" in records.columns else "countries_raw")
    enrolment, starts = texts(records, "enrolment"), texts(records, "start")

    def fact(name: str, left: int, right: int) -> str:
        if name == "sponsor":
            return f'sponsors "{sponsors[left]}" / "{sponsors[right]}"'
        if name == "enrolment":
            return f"enrolment {enrolment[left]}"
        if name == "country":
            both = [c for c in countries[left] if c in set(countries[right])]
            return f"country {', '.join(both[:5])}"
        if name == "start":
            return f"start {starts[left]} / {starts[right]}"
        if name == "acronym":
            return f"acronym {acronyms[left] or acronyms[right]}"
        return FACTS[name]

    def tell(row: pd.Series) -> str:
        parts = [row.stated] if isinstance(row.stated, str) else []
        one, other = titles[row.title_left], titles[row.title_right]
        if one and other:
            parts.append(f'titles {row.overlap:.2f} alike: "{one}" / "{other}"')
        parts += [fact(name, row.left, row.right) for name in agreeing(row)]
        return "; ".join(parts)

    return tell


def kind_of(row: pd.Series, titles_agree: bool) -> str:
    """Name the kinds of evidence of a weighed pair, such as "registry id + title + enrolment"."""
    parts = [row.kind] if isinstance(row.kind, str) else []
    parts += ["title"] if titles_agree else []
    parts += [FACTS[name] for name in agreeing(row)]
    return " + ".join(parts) or "title"


def reason_of(row: pd.Series) -> str:
    """Say what speaks against a link: words that tell sisters apart, fields that contradict it, or
    a better rival.
    """  # noqa: D205
    parts = []
    if row.mark:
        parts.append(f"sister titles: {row.mark}")
    if row.apart:
        parts.append(f"different words: {row.apart}")
    parts += [words for name, words in CONTRADICTIONS.items() if getattr(row, name) <= CONTRADICTS]
    alone = 1 / (1 + np.exp2(-row.bits))
    if alone - row.probability > 0.2:
        parts.append("another record of that registry fits as well or better")
    return "; ".join(parts)
