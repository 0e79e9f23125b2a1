"""Compare two registrations field by field and add up what each agreement is worth, in bits.

The reckoning is that of Fellegi and Sunter (J Am Stat Assoc 1969;64:1183-1210): an agreement is
worth ``log2(m / u)``, where m is how often it is seen in two registrations of one trial and u how
often by chance. The m of sponsor, enrolment and country were measured on pairs of registrations
that people confirmed in a public collection of real exports (64 %, 77 % and 86 %); the others are
set by this project. The u are counted in the records at hand, value by value, so that "n = 342"
weighs more than "n = 100", and a word that every title has weighs nothing.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from rapidfuzz import fuzz, process

from compendium.linkage.bags import SMALLEST_REGISTER, Bags, weigh
from compendium.linkage.columns import days, lists, numbers, texts
from compendium.linkage.words import expand, fold, learn_abbreviations, words

# how many links there are for each record, before looking
LINKS_PER_RECORD = 0.1
# Title words come in phrases and are not independent, so their bits count in part; words that only
# one of the titles has count against, most where both titles have some.
TITLE_SHARE = 0.6
WHERE_BOTH_DIFFER = 0.5
WHERE_ONE_DIFFERS = 0.1
# Titles that overlap less than this (Dice, words weighed by rarity) lose bits in proportion; titles
# in two languages overlap hardly at all, so that much is the most they can lose.
ALIKE, LOSS_PER_OVERLAP, LEAST_TITLE = 0.9, 12.0, -3.0
# However alike two titles are, alone they make a link no likelier than this: of 105 pairs of real
# registrations with all but equal titles 63 were one trial.
TITLES_ALONE = 0.6
# agreement, disagreement (bits) and the most that agreement may weigh (bits). Trials of one sponsor
# resemble one another, so no single field may outweigh the title.
SPONSOR_SIMILAR, SPONSOR_DIFFERS, MOST_SPONSOR = 0.64, -1.5, 5.0
ENROLMENT_EQUAL, ENROLMENT_DIFFERS, MOST_ENROLMENT = 0.77, -1.5, 7.0
COUNTRY_SHARED, COUNTRY_DIFFERS, MOST_COUNTRY = 0.86, -2.5, 3.0
START_NEAR, START_FAR, MOST_START = 0.7, -4.0, 2.0
SUBJECT_SHARE, MOST_SUBJECT = 0.15, 4.0
ACRONYM_SHARE, MOST_ACRONYM = 0.5, 4.0
PHASE_DIFFERS = -2.0
TYPE_DIFFERS = -2.0
CODE_SHARED = 8.0
# an enrolment of 0 is that of a withdrawn trial; the largest are sentinels
FEWEST, MOST = 1, 1_000_000

# the fields beside the titles, and what a link's kind calls them
FACTS = {
    "sponsor": "sponsor",
    "enrolment": "enrolment",
    "country": "country",
    "start": "start",
    "acronym": "acronym",
    "subject": "condition and intervention",
    "code": "sponsor code",
}


@dataclass(frozen=True)
class Prepared:
    """Everything about the records that is compared, ready for many pairs at once.

    Rows 0 … n-1 of the bags are the records; rows n … 2n-1 of `parties` and `acronyms` hold, for
    the same records, what the other side's sponsor or acronym may also be found in.
    """

    titles: list[str]
    owners: np.ndarray
    title_rows: np.ndarray
    title_bags: Bags
    key_bags: Bags
    parties: Bags
    countries: Bags
    all_countries: np.ndarray
    subjects: Bags
    acronyms: Bags
    enrolment: np.ndarray
    enrolment_share: np.ndarray
    start: np.ndarray
    start_near: float
    phase: np.ndarray
    study_type: np.ndarray

    @property
    def n_records(self) -> int:
        """How many records there are."""
        return len(self.enrolment)

    @property
    def prior_bits(self) -> float:
        """How unlikely it is that any two records are one trial, before looking; negative."""
        return float(np.log2(LINKS_PER_RECORD / max(self.n_records, SMALLEST_REGISTER)))

    @property
    def most_title_bits(self) -> float:
        """What two equal titles are worth at most."""
        return float(np.log2(TITLES_ALONE / (1 - TITLES_ALONE)) - self.prior_bits)


def prepare(records: pd.DataFrame) -> Prepared:
    """Turn a records table into bags of words and arrays of numbers.

    Parameters
    ----------
    records : DataFrame
        As from `compendium.records.read_records`; only ``record_id`` must be there.
    """
    titles, owners, title_rows = _titles(records)
    abbreviations = learn_abbreviations(titles)
    in_titles = [expand(words(title), abbreviations) for title in titles]
    pairs = [(*row, *(f"{a} {b}" for a, b in pairwise(row))) for row in in_titles]
    sponsors = [words(s) for s in texts(records, "sponsor")]
    with_collaborators = [
        (*s, *words(" ".join(c)))
        for s, c in zip(sponsors, lists(records, "collaborators"), strict=True)
    ]
    subjects = [
        expand(words(" ".join(parts)), abbreviations)
        for parts in (
            (*a, *b)
            for a, b in zip(
                lists(records, "conditions"), lists(records, "intervention_names"), strict=True
            )
        )
    ]
    acronyms = [_acronym(text) for text in texts(records, "acronym")]
    beside = [
        {*own, *(w for k in rows for w in in_titles[k] if len(w) > 2)}
        for own, rows in zip(acronyms, title_rows, strict=True)
    ]
    twice = np.tile(np.arange(len(records)), 2)
    enrolment = numbers(records, "enrolment")
    enrolment[~((enrolment >= FEWEST) & (enrolment < MOST))] = np.nan
    start = days(records, "start")
    coded = "countries" if "countries" in records.columns else "countries_raw"
    return Prepared(
        titles=titles,
        owners=owners,
        title_rows=title_rows,
        title_bags=weigh(in_titles, owners=owners),
        key_bags=weigh(pairs, owners=owners),
        parties=weigh([*sponsors, *with_collaborators], owners=twice),
        countries=weigh(lists(records, coded)),
        all_countries=np.array(
            [c != "partial" for c in texts(records, "countries_coverage")], dtype=bool
        ),
        subjects=weigh(subjects),
        acronyms=weigh([*acronyms, *beside], owners=twice),
        enrolment=enrolment,
        enrolment_share=_share_of_value(enrolment),
        start=start,
        start_near=_share_near(start, 31),
        phase=_coded(texts(records, "phase"), {"", "NA"}),
        study_type=_coded(texts(records, "study_type"), {""}),
    )


def _titles(records: pd.DataFrame) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return all different titles, the record of each, and each record's two title rows."""
    titles: list[str] = []
    owners: list[int] = []
    rows = np.zeros((len(records), 2), dtype=np.int64)
    both = zip(texts(records, "public_title"), texts(records, "scientific_title"), strict=True)
    for record, (public, scientific) in enumerate(both):
        public, scientific = " ".join(public.split()), " ".join(scientific.split())
        for which, title in enumerate((public or scientific, scientific or public)):
            if which and fold(title) == fold(titles[-1]):
                rows[record, 1] = rows[record, 0]
                continue
            rows[record, which] = len(titles)
            titles.append(title)
            owners.append(record)
    return titles, np.array(owners, dtype=np.int64), rows


def _acronym(text: str) -> tuple[str, ...]:
    """Return an acronym as one word; what is too short to be one is none."""
    joined = "".join(c for c in fold(text) if c.isalnum())
    return (joined,) if len(joined) > 2 else ()


def _share_of_value(values: np.ndarray) -> np.ndarray:
    """Return how common each value is among the values stated (NaN stays NaN)."""
    known = values[~np.isnan(values)]
    value, count = np.unique(known, return_counts=True)
    share = count / max(len(known), SMALLEST_REGISTER)
    out = np.full(len(values), np.nan)
    out[~np.isnan(values)] = share[np.searchsorted(value, known)]
    return out


def _share_near(values: np.ndarray, distance: float) -> float:
    """Return the share of all pairs of values that lie within `distance` of each other."""
    known = np.sort(values[~np.isnan(values)])
    if len(known) < 2:
        return 1.0
    upper = np.searchsorted(known, known + distance, side="right")
    near = float((upper - np.arange(len(known)) - 1).sum())
    return max(near, 1.0) / (len(known) * (len(known) - 1) / 2)


def _coded(values: list[str], missing: set[str]) -> np.ndarray:
    names = sorted(set(values) - missing)
    place = {name: k for k, name in enumerate(names)}
    return np.array([place.get(value, -1) for value in values], dtype=np.int64)


def compare(prepared: Prepared, pairs: pd.DataFrame) -> pd.DataFrame:
    """Weigh the evidence that each pair of records is one trial.

    Parameters
    ----------
    prepared : Prepared
        From `prepare`.
    pairs : DataFrame
        Columns left and right: record numbers. An optional column ``code`` tells that both state
        the same number of the sponsor's.

    Returns
    -------
    DataFrame
        `pairs` with columns ``title_left``, ``title_right`` (rows of the best pair of titles),
        ``overlap`` (their Dice overlap, 0 … 1), ``title`` and one column for each of `FACTS`,
        ``phase`` and ``study_type`` (all in bits), ``bits`` (prior and all evidence together) and
        ``probability``.
    """
    left, right = pairs.left.to_numpy(), pairs.right.to_numpy()
    out = pd.DataFrame({"left": left, "right": right})
    for name, values in _compare_titles(prepared, left, right).items():
        out[name] = values
    out["sponsor"] = _compare_sponsors(prepared, left, right)
    out["enrolment"] = _compare_enrolment(prepared, left, right)
    out["country"] = _compare_countries(prepared, left, right)
    out["start"] = _compare_starts(prepared, left, right)
    subject = SUBJECT_SHARE * prepared.subjects.shared(left, right)
    out["subject"] = np.minimum(subject, MOST_SUBJECT)
    out["acronym"] = _compare_acronyms(prepared, left, right)
    shared_code = pairs["code"].to_numpy(bool) if "code" in pairs else np.zeros(len(out), bool)
    out["code"] = np.where(shared_code, CODE_SHARED, 0.0)
    out["phase"] = _differ(prepared.phase, left, right, PHASE_DIFFERS)
    out["study_type"] = _differ(prepared.study_type, left, right, TYPE_DIFFERS)
    out["bits"] = prepared.prior_bits + out[["title", *FACTS, "phase", "study_type"]].sum(axis=1)
    out["probability"] = 1 / (1 + np.exp2(-out.bits))
    return out


def _compare_titles(prepared: Prepared, left: np.ndarray, right: np.ndarray) -> pd.DataFrame:
    """Return the best pair of titles of each pair of records: bits, overlap, which rows."""
    bags = prepared.title_bags
    best = pd.DataFrame({"title": np.full(len(left), -np.inf), "overlap": 0.0})
    best["title_left"], best["title_right"] = (
        prepared.title_rows[left, 0],
        prepared.title_rows[right, 0],
    )
    for which_left in (0, 1):
        for which_right in (0, 1):
            one = prepared.title_rows[left, which_left]
            other = prepared.title_rows[right, which_right]
            shared = bags.shared(one, other)
            only_one, only_other = bags.totals[one] - shared, bags.totals[other] - shared
            overlap = 2 * shared / np.maximum(bags.totals[one] + bags.totals[other], 1e-9)
            information = TITLE_SHARE * (
                shared
                - WHERE_BOTH_DIFFER * np.minimum(only_one, only_other)
                - WHERE_ONE_DIFFERS * (only_one + only_other)
            )
            most = prepared.most_title_bits - LOSS_PER_OVERLAP * np.clip(ALIKE - overlap, 0, 1)
            bits = np.maximum(np.minimum(information, most), LEAST_TITLE)
            better = bits > best.title
            for name, values in (
                ("title", bits),
                ("overlap", overlap),
                ("title_left", one),
                ("title_right", other),
            ):
                best[name] = np.where(better, values, best[name])
    return best


def _compare_sponsors(prepared: Prepared, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    bags, n = prepared.parties, prepared.n_records
    direct = bags.shared(left, right)
    one, other = bags.totals[left], bags.totals[right]
    known = (one > 0) & (other > 0)
    least = np.where(known, np.minimum(one, other), 1.0)
    shared, part = direct, direct / least
    for mine, theirs, whole in ((left, right + n, one), (right, left + n, other)):
        among = bags.shared(mine, theirs)
        among_part = among / np.where(known, whole, 1.0)
        shared = np.where(among_part > part, among, shared)
        part = np.maximum(part, among_part)
    agreed = np.clip(np.log2(SPONSOR_SIMILAR) + shared, 0, MOST_SPONSOR)
    bits = np.where(part >= 0.6, agreed, np.where(part < 0.3, SPONSOR_DIFFERS, 0.0))
    return np.where(known, bits, 0.0)


def _compare_enrolment(prepared: Prepared, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    one, other = prepared.enrolment[left], prepared.enrolment[right]
    known = ~np.isnan(one) & ~np.isnan(other)
    share = np.where(known, prepared.enrolment_share[left], 1.0)
    agreed = np.clip(np.log2(ENROLMENT_EQUAL / share), 0, MOST_ENROLMENT)
    close = np.abs(one - other) <= 0.1 * np.maximum(one, other)
    bits = np.where(one == other, agreed, np.where(close, 0.0, ENROLMENT_DIFFERS))
    return np.where(known, bits, 0.0)


def _compare_countries(prepared: Prepared, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    bags = prepared.countries
    shared = bags.shared(left, right)
    known = (bags.totals[left] > 0) & (bags.totals[right] > 0)
    complete = prepared.all_countries[left] & prepared.all_countries[right]
    agreed = np.clip(np.log2(COUNTRY_SHARED) + shared, 0, MOST_COUNTRY)
    apart = np.where(complete, COUNTRY_DIFFERS, 0.0)
    return np.where(known, np.where(shared > 0, agreed, apart), 0.0)


def _compare_starts(prepared: Prepared, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    distance = np.abs(prepared.start[left] - prepared.start[right])
    agreed = float(np.clip(np.log2(START_NEAR / prepared.start_near), 0, MOST_START))
    bits = np.select(
        [distance <= 31, distance > 730, distance > 365], [agreed, START_FAR, -1.0], 0.0
    )
    return np.where(np.isnan(distance), 0.0, bits)


def _compare_acronyms(prepared: Prepared, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    bags, n = prepared.acronyms, prepared.n_records
    shared = np.maximum(bags.shared(left, right + n), bags.shared(right, left + n))
    return np.minimum(ACRONYM_SHARE * shared, MOST_ACRONYM)


def _differ(codes: np.ndarray, left: np.ndarray, right: np.ndarray, bits: float) -> np.ndarray:
    one, other = codes[left], codes[right]
    return np.where((one >= 0) & (other >= 0) & (one != other), bits, 0.0)


def title_similarity(prepared: Prepared, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the best token-sort similarity (0 … 100) of any two titles of each pair of records."""
    plain = [" ".join(words(title)) for title in prepared.titles]
    best = np.zeros(len(left))
    for which_left in (0, 1):
        for which_right in (0, 1):
            one = [plain[k] for k in prepared.title_rows[left, which_left]]
            other = [plain[k] for k in prepared.title_rows[right, which_right]]
            best = np.maximum(best, process.cpdist(one, other, scorer=fuzz.token_sort_ratio))
    return best
