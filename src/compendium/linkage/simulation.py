"""Simulated second registrations: real or invented records, registered once more elsewhere.

Nothing here is real. Titles are reworded as registries and their staff reword them; sponsor,
enrolment, country and start are kept or changed as often as was measured on registrations that
people confirmed to be one trial (best token-sort similarity of titles >= 95 in 62 %, >= 80 in 89 %;
enrolment equal in 77 %, a country shared in 86 %, sponsor similar in 64 %).
"""

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from compendium.linkage.columns import lists, numbers, texts
from compendium.registry_ids import parse_id

# what happens to a title, and how often
STYLES = {"same": 0.34, "design": 0.17, "reworded": 0.25, "lay": 0.17, "translated": 0.07}
ENROLMENT_SAME, SPONSOR_SAME, COUNTRY_SAME, START_SAME = 0.77, 0.66, 0.88, 0.75
# a number is stated by at least one side in 75 % of registrations, by both in 17 %
STATED_BY_ONE, STATED_BY_BOTH = 0.58, 0.17

_DESIGNS = (
    "a randomised controlled trial",
    "a randomized, double-blind, sham-controlled trial",
    "a pilot study",
    "a prospective multicentre study",
    "a feasibility study",
    "an open-label trial",
)
_DESIGN = re.compile(
    r"[,:]?\s*\b(?:an?|the)?\s*(?:(?:prospective|multi-?cent(?:er|re)|randomi[sz]ed"
    r"|double[- ]blind(?:ed)?|single[- ]blind(?:ed)?|open[- ]label|sham|placebo|controlled"
    r"|crossover|parallel|pilot|feasibility|clinical|interventional)[,\- ]*)+(?:trial|study)\b\.?",
    re.IGNORECASE,
)
_ABBREVIATIONS = (
    ("transcranial direct current stimulation", "tDCS"),
    ("repetitive transcranial magnetic stimulation", "rTMS"),
    ("transcranial magnetic stimulation", "TMS"),
    ("spinal cord stimulation", "SCS"),
    ("deep brain stimulation", "DBS"),
    ("vagus nerve stimulation", "VNS"),
    ("complex regional pain syndrome", "CRPS"),
    ("randomized controlled trial", "RCT"),
)
_LAY = (
    ("neuropathic pain", "nerve pain"),
    ("efficacy and safety", "how well and how safely"),
    ("efficacy", "effect"),
    ("refractory", "hard-to-treat"),
    ("patients", "people"),
    ("subjects", "people"),
    ("lumbar", "lower back"),
    ("cephalalgia", "headache"),
    ("evaluation of", "testing"),
    ("investigation of", "looking at"),
    ("treatment of", "treating"),
    ("transcranial", "non-invasive"),
    ("chronic", "long-lasting"),
    ("postoperative", "after-surgery"),
    ("stimulator", "implant"),
)
_SPELLINGS = (
    ("randomized", "randomised"),
    ("center", "centre"),
    ("tumor", "tumour"),
    ("edema", "oedema"),
    ("anesthesia", "anaesthesia"),
    ("hospitalized", "hospitalised"),
    ("behavior", "behaviour"),
    ("labeled", "labelled"),
)
_GERMAN = (
    ("stimulation of the", "Stimulation des"),
    ("spinal cord stimulation", "Rückenmarkstimulation"),
    ("deep brain", "Tiefe-Hirn"),
    ("chronic", "chronischen"),
    ("pain", "Schmerzen"),
    ("headache", "Kopfschmerz"),
    ("patients with", "Patienten mit"),
    ("treatment", "Behandlung"),
    ("effect", "Wirkung"),
    ("study", "Studie"),
    ("trial", "Studie"),
    (" of ", " von "),
    (" in ", " bei "),
    (" and ", " und "),
    (" the ", " die "),
    (" for ", " zur "),
    ("randomized", "randomisierte"),
    ("transcranial", "transkranielle"),
    ("nerve", "Nerven"),
)


def _swap(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for old, new in pairs:
        text = re.sub(re.escape(old), new, text, flags=re.IGNORECASE)
    return text


def _abbreviate(text: str, rng: np.random.Generator) -> str:
    pairs = _ABBREVIATIONS if rng.random() < 0.5 else [(b, a) for a, b in _ABBREVIATIONS]
    for old, new in pairs:
        if new.casefold() not in text.casefold():
            text = re.sub(rf"\b{re.escape(old)}\b", new, text, flags=re.IGNORECASE)
    return text


def _turn(text: str) -> str:
    """Put what stands after the first preposition first: "A for B" becomes "B: A"."""
    parts = re.split(r"\s(?:for|in|on)\s", text, maxsplit=1)
    return f"{parts[1]}: {parts[0]}" if len(parts) == 2 else text


def _mistype(text: str, rng: np.random.Generator) -> str:
    place = int(rng.integers(1, max(len(text) - 1, 2)))
    return text[:place] + text[place + 1 :]


def retitle(title: str, style: str, rng: np.random.Generator) -> str:
    """Reword a title as another registry might hold it.

    Parameters
    ----------
    title : str
        A title.
    style : str
        A key of `STYLES`.
    rng : Generator
        Decides the details.
    """
    out = _swap(title, _SPELLINGS) if rng.random() < 0.5 else title
    if style == "same":
        return out.upper() if rng.random() < 0.05 else out
    bare = _DESIGN.sub("", out).strip(" ,:.-")
    bare = bare if len(bare) > 20 else out
    design = _DESIGNS[int(rng.integers(len(_DESIGNS)))]
    if style == "design":
        return f"{bare}: {design}" if rng.random() < 0.6 else bare
    if style == "reworded":
        changed = _abbreviate(bare, rng)
        changed = _swap(changed, _LAY[:4]) if rng.random() < 0.5 else changed
        return _turn(changed) if rng.random() < 0.5 else f"{changed}, {design}"
    if style == "lay":
        return _mistype(_swap(_abbreviate(bare, rng), _LAY), rng)
    return _swap(out, _GERMAN)


def _responsible(sponsor: str, rng: np.random.Generator) -> str:
    """Return a spelling of the same sponsor."""
    if not sponsor:
        return ""
    kind = int(rng.integers(4))
    if kind == 0:
        return sponsor
    if kind == 1:
        return f"Department of Neurology, {sponsor}"
    if kind == 2:
        return re.sub(r"^University of (.+)$", r"\1 University", sponsor)
    return f"{sponsor} ({['UK', 'Germany', 'China', 'Australia'][int(rng.integers(4))]})"


def _eight(rng: np.random.Generator) -> str:
    return f"{int(rng.integers(10**7, 10**8))}"


_NUMBERS: dict[str, Callable[[np.random.Generator], str]] = {
    "ISRCTN": lambda rng: f"ISRCTN{_eight(rng)}",
    "DRKS": lambda rng: f"DRKS000{_eight(rng)[:5]}",
    "ANZCTR": lambda rng: f"ACTRN12618{_eight(rng)}0",
    "ChiCTR": lambda rng: f"ChiCTR18000{_eight(rng)[:5]}",
    "NL-OMON": lambda rng: f"NL-OMON{_eight(rng)[:5]}",
    "JPRN": lambda rng: f"JPRN-UMIN0000{_eight(rng)[:5]}",
    "EUCTR": lambda rng: f"EUCTR2018-00{_eight(rng)[:4]}-{_eight(rng)[:2]}-DE",
}
_COLLABORATORS = ("Investigator", "Charity for Pain", "Regional Health Authority", "Hospital Trust")


def register_again(
    records: pd.DataFrame, chosen: list[int], *, seed: int, stated: bool = True
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simulate a registration in another registry for some records.

    Parameters
    ----------
    records : DataFrame
        Real or invented records.
    chosen : list of int
        Positions of the records to register again.
    seed : int
        Same seed, same registrations.
    stated : bool
        Whether the two registrations state each other's numbers, as often as real ones do.

    Returns
    -------
    simulated : DataFrame
        The second registrations, with the columns that `link_records` reads.
    truth : DataFrame
        record_a < record_b, and ``style``: what happened to the title.
    """
    rng = np.random.default_rng(seed)
    public, scientific = texts(records, "public_title"), texts(records, "scientific_title")
    sponsors, starts = texts(records, "sponsor"), texts(records, "start")
    enrolment, countries = numbers(records, "enrolment"), lists(records, "countries")
    conditions, drugs = lists(records, "conditions"), lists(records, "intervention_names")
    ids = texts(records, "record_id")
    taken = set(ids)
    styles, weights = list(STYLES), list(STYLES.values())
    rows, truth = [], []
    for place in chosen:
        known = parse_id(ids[place])
        names = [name for name in _NUMBERS if known is None or name != known.registry]
        registry = names[int(rng.integers(len(names)))]
        number = _NUMBERS[registry](rng)
        while number in taken:
            number = _NUMBERS[registry](rng)
        taken.add(number)
        style = styles[int(rng.choice(len(styles), p=weights))]
        first = scientific[place] or public[place]
        lay_public = rng.random() < 0.35
        luck = rng.random(6)
        size = enrolment[place]
        if not np.isnan(size) and luck[0] >= ENROLMENT_SAME:
            size = max(1, round(size * float(rng.choice([0.25, 0.5, 0.8, 0.9, 1.2, 2.0]))))
        says = luck[4] < STATED_BY_BOTH or luck[4] < STATED_BY_BOTH + STATED_BY_ONE / 2
        rows.append(
            {
                "record_id": number,
                "registry": registry,
                "public_title": retitle(
                    public[place] or first, "lay" if lay_public else style, rng
                ),
                "scientific_title": retitle(first, style, rng),
                "secondary_ids": (ids[place],) if stated and says else (),
                "sponsor": _responsible(sponsors[place], rng)
                if luck[1] < SPONSOR_SAME
                else _COLLABORATORS[int(rng.integers(len(_COLLABORATORS)))],
                "enrolment": size,
                "countries": countries[place] if luck[2] < COUNTRY_SAME else (),
                "conditions": conditions[place][:1] if luck[5] < 0.8 else (),
                "intervention_names": drugs[place][:1] if luck[5] < 0.5 else (),
                "start": starts[place] if luck[3] < START_SAME else "",
            }
        )
        a, b = sorted((ids[place], number))
        truth.append({"record_a": a, "record_b": b, "style": style})
    simulated = pd.DataFrame(rows)
    if len(simulated):
        simulated["enrolment"] = pd.array(simulated.enrolment, dtype="Float64").astype("Int64")
    return simulated, pd.DataFrame(truth, columns=["record_a", "record_b", "style"])
