"""Link registrations of one trial, keep the evidence, and leave the doubtful to people."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from compendium.errors import InputError
from compendium.linkage.clusters import Clusters, trials_of
from compendium.linkage.columns import texts
from compendium.linkage.comparison import FACTS, prepare
from compendium.linkage.evidence import CONTRADICTIONS, CONTRADICTS, kind_of, reason_of, teller
from compendium.linkage.identifiers import Identity, identify, stated_links
from compendium.linkage.review import check_review, decisions_of
from compendium.linkage.weighing import APART_BITS, MARK_BITS, candidate_pairs, weigh_pairs

# a stated number merges from this probability on, titles and facts together from that
MERGE_STATED, MERGE_ALIKE = 0.8, 0.95
# what is likelier than this waits for a person; what looked likelier than that before sister marks
# and rivals were weighed is listed as kept apart, with the reason
REVIEW, SEEN = 0.05, 0.5
# from where on titles, and facts, are each a kind of evidence that stands by itself
TITLE_AGREES, FACTS_AGREE = 0.8, 5.0
STRONG_FACTS = ("sponsor", "enrolment", "acronym", "code")

# the columns that may link two records; others (registry, registered, ...) only lend a hand
COMPARED = frozenset(
    {
        "public_title", "scientific_title", "acronym", "sponsor", "collaborators", "enrolment",
        "countries", "countries_raw", "start", "phase", "study_type", "conditions",
        "intervention_names", "secondary_ids", "nct_aliases",
    }
)  # fmt: skip
WITHIN = ("EUCTR root", "same registration", "NCT alias")
DIRECT = ("CTIS transition", "registry id", "shared UTN")
COLUMNS = (
    "record_a",
    "record_b",
    "kind",
    "evidence",
    "decision",
    "decided_by",
    "probability",
    "reason",
    "found_by",
    "title_overlap",
    "bits",
)


@dataclass(frozen=True)
class Linkage:
    """Links between records, and the trials they make.

    Attributes
    ----------
    links : DataFrame
        One row per pair of records that was linked, put forward, or kept apart for a reason:
        record_a < record_b, kind, evidence, decision ("merge", "review", "keep-apart"),
        decided_by ("rule" or a person), probability, reason, found_by ("ids", "titles", "both"),
        title_overlap (0 … 1), bits (log2 of the odds before rivals are weighed).
    trials : DataFrame
        One row per trial: trial_id, record_ids, registries, lead_record_id.
    """

    links: pd.DataFrame
    trials: pd.DataFrame


def link_records(records: pd.DataFrame, review: pd.DataFrame | None = None) -> Linkage:
    """Link the registrations of one trial.

    Parameters
    ----------
    records : DataFrame
        One row a registration; any table will do, such as one from
        `compendium.records.read_records` or `compendium.tables.read_table`. The order of rows and
        the index change nothing, and the table is not changed.

        ``record_id`` must be there: the registration number, or any other text that stands once.
        Every other column may be missing, and any cell of it (None, NaN, NA, ""): what is not
        stated neither speaks for a link nor against it.

        Text: ``public_title``, ``scientific_title`` (the more of both, the better), ``acronym``,
        ``sponsor``, ``registry`` (who gave an id whose form says nothing), ``phase``,
        ``study_type``, ``start`` and ``registered`` (ISO dates: a day or a month),
        ``countries_coverage`` ("partial" where not all countries are listed).

        Lists: ``secondary_ids``, ``nct_aliases``, ``countries`` (codes or names, of one sort in the
        whole table; else ``countries_raw``), ``conditions``, ``intervention_names``,
        ``collaborators``. A cell may be a tuple, list, set or array, or a text: a JSON list, or
        items between semicolons.

        Numbers: ``enrolment``; 0, a million and more, and what is no number count as not stated.

        Further columns are not looked at.
    review : DataFrame, optional
        What people decided (`compendium.linkage.review.read_review`); it outranks every rule.

    Returns
    -------
    Linkage

    Raises
    ------
    InputError
        If there is no column ``record_id``, an id is missing or stands twice, two columns have one
        name, none of several columns is one of those above, or the review is not in order.

    Notes
    -----
    A pair is merged by rule if one record states the other's number and nothing contradicts it, or
    if titles and facts agree independently and no word marks sister trials. Within a registry only
    aliases, national records of one EudraCT number and spellings of one number are merged. All else
    that may be one trial waits for a person.

    Examples
    --------
    >>> records = pd.DataFrame({
    ...     "record_id": ["ISRCTN60778781", "NCT03876054"],
    ...     "secondary_ids": [("NCT03876054",), ()],
    ... })
    >>> link_records(records).trials.record_ids.tolist()
    [('ISRCTN60778781', 'NCT03876054')]
    """
    records = _checked(records)
    decided = None if review is None else decisions_of(check_review(review))
    identity = identify(records)
    stated = stated_links(records, identity)
    prepared = prepare(records)
    pairs = candidate_pairs(records, identity, prepared, stated)
    weighed = weigh_pairs(prepared, identity, pairs, stated)
    rows = _decide(weighed)
    tell = teller(records, prepared.titles)
    across = pd.DataFrame(
        {
            "left": rows.left,
            "right": rows.right,
            "kind": [kind_of(row, row.titles_agree) for row in rows.itertuples()],
            "evidence": [tell(row) for row in rows.itertuples()],
            "probability": rows.probability,
            "decision": rows.decision,
            "reason": [reason_of(row) for row in rows.itertuples()],
            "found_by": _found_by(rows),
            "title_overlap": rows.overlap,
            "bits": rows.bits,
        }
    )
    links = pd.concat([_within(stated), across], ignore_index=True)
    links["decided_by"] = "rule"
    links = _ask_people(links, decided, identity)
    table = _table(_settle(links, identity), identity)
    return Linkage(table, trials_of(records, table))


def _checked(records: pd.DataFrame) -> pd.DataFrame:
    """Return the records sorted by id, or say what keeps them from being linked."""
    _check_columns(records.columns)
    ids = pd.Series(texts(records, "record_id"), dtype="object").str.strip()
    if (ids == "").any():
        nameless = int(ids.eq("").to_numpy().argmax())
        raise InputError(
            f"{(ids == '').sum()} of {len(ids)} records have no record_id",
            where=f"records, row {nameless + 1}",
            remedy="give each its registration number",
        )
    if ids.duplicated().any():
        twice = sorted(set(ids[ids.duplicated()]))
        raise InputError(
            f"{len(twice)} record ids stand more than once, such as {twice[0]}",
            where="records",
            remedy="keep one row a registration",
        )
    named = records.assign(record_id=ids.astype("string").to_numpy())
    return named.sort_values("record_id", ignore_index=True)


def _check_columns(columns: pd.Index) -> None:
    """Refuse a table without ids, with two columns of one name, or with nothing to compare."""
    doubled = sorted(set(columns[columns.duplicated()].map(str)))
    if doubled:
        raise InputError(
            f"two columns are named {', '.join(doubled)}",
            where="records",
            remedy="keep one of them",
        )
    names = ", ".join(map(str, columns)) or "none"
    if "record_id" not in columns:
        raise InputError(
            f"no column is named record_id; the columns are: {names}",
            where="records",
            remedy="give the column of registration numbers that name",
        )
    if len(columns) > 1 and not COMPARED.intersection(columns):
        raise InputError(
            f"none of the columns can be compared: {names}",
            where="records",
            remedy=f"rename them to those that are: {', '.join(sorted(COMPARED))}",
        )


def _decide(weighed: pd.DataFrame) -> pd.DataFrame:
    """Decide every weighed pair that is worth a row."""
    table = weighed.copy()
    facts = table[list(FACTS)].clip(lower=0)
    table["titles_agree"] = table.overlap >= TITLE_AGREES
    facts_agree = (facts.sum(axis=1) >= FACTS_AGREE) & (
        facts[list(STRONG_FACTS)].max(axis=1) >= 2.0
    )
    contradicted = table[list(CONTRADICTIONS)].min(axis=1) <= CONTRADICTS
    told_apart = (table["mark"] != "") | (table["apart"] != "") | contradicted
    direct, shared = table.kind.isin(DIRECT), table.kind.eq("shared number").fillna(False)
    alike = table.probability >= MERGE_ALIKE
    merge = (
        (direct & (table.probability >= MERGE_STATED) & (table["mark"] == ""))
        | (shared & alike & (table.titles_agree | facts_agree) & ~told_apart)
        | (table.kind.isna() & alike & table.titles_agree & facts_agree & ~told_apart)
    )
    review = table.kind.notna() | (table.probability >= REVIEW)
    looked_alike = 1 / (1 + np.exp2(-(table.bits - _penalty(table)))) >= SEEN
    table["decision"] = np.select(
        [merge, review, looked_alike], ["merge", "review", "keep-apart"], "none"
    )
    return table[table.decision != "none"].reset_index(drop=True)


def _penalty(table: pd.DataFrame) -> pd.Series:
    return MARK_BITS * (table["mark"] != "") + APART_BITS * (table["apart"] != "")


def _found_by(rows: pd.DataFrame) -> np.ndarray:
    """Say which method finds a pair: the stated numbers, or titles and facts without them."""
    by_titles = rows.probability_titles >= REVIEW
    return np.select([rows.kind.notna() & by_titles, by_titles], ["both", "titles"], "ids")


def _within(stated: pd.DataFrame) -> pd.DataFrame:
    """Return the merges within one registry: aliases and spellings of one registration."""
    rows = stated[stated.kind.isin(WITHIN)]
    return pd.DataFrame(
        {
            "left": rows.left,
            "right": rows.right,
            "kind": rows.kind,
            "evidence": rows.evidence,
            "probability": 0.999,
            "decision": "merge",
            "reason": "",
            "found_by": "ids",
            "title_overlap": np.nan,
            "bits": np.nan,
        }
    )


def _ask_people(
    links: pd.DataFrame, decided: pd.DataFrame | None, identity: Identity
) -> pd.DataFrame:
    """Let what people decided outrank the rule; a pair that no rule found gets a row of its own."""
    if decided is None or decided.empty:
        return links
    place = {record_id: row for row, record_id in enumerate(identity.ids)}
    known = decided[decided.record_a.isin(place) & decided.record_b.isin(place)]
    people = pd.DataFrame(
        {
            "left": known.record_a.map(place).astype("int64"),
            "right": known.record_b.map(place).astype("int64"),
            "person": known.decided_by.astype(object),
            "said": known.decision.astype(object),
            "why": known.reason.fillna("").astype(object),
        }
    )
    table = links.merge(people, on=["left", "right"], how="outer")
    spoken = table.person.notna()
    table.loc[spoken, "decision"] = table.said[spoken]
    table.loc[spoken, "decided_by"] = table.person[spoken]
    table.loc[spoken, "reason"] = table.why[spoken]
    table.loc[spoken, "probability"] = (table.said[spoken] == "merge").astype(float)
    blank = {"kind": "by hand", "evidence": "", "found_by": "people"}
    return table.fillna(blank).drop(columns=["person", "said", "why"])


def _settle(links: pd.DataFrame, identity: Identity) -> pd.DataFrame:
    """Merge likeliest first; a merge that would join what must stay apart goes to review."""
    by_rule = links.decided_by == "rule"
    apart = links[~by_rule & (links.decision == "keep-apart")]
    clusters = Clusters(identity, zip(apart.left, apart.right, strict=True))
    merges = links[links.decision == "merge"]
    firm = ~merges.index.isin(links.index[by_rule]) | merges.kind.isin(WITHIN)
    for row in merges[firm].itertuples():
        clusters.join(row.left, row.right)
    clusters.settle()
    links = links.copy()
    order = merges[~firm].sort_values(
        ["probability", "bits", "left", "right"], ascending=[False, False, True, True]
    )
    for row in order.itertuples():
        obstacle = clusters.obstacle(row.left, row.right)
        if obstacle is None:
            clusters.merge(row.left, row.right)
            continue
        links.loc[row.Index, "decision"] = "review"
        links.loc[row.Index, "reason"] = (
            "would join records that a person keeps apart"
            if obstacle < 0
            else f"would join two registrations of {identity.issuer_names[obstacle]}"
        )
    return links


def _table(links: pd.DataFrame, identity: Identity) -> pd.DataFrame:
    """Return the links as the table that is kept."""
    ids = np.array(identity.ids, dtype=object)
    out = links.assign(
        record_a=ids[links.left.to_numpy(int)], record_b=ids[links.right.to_numpy(int)]
    )
    out = out[list(COLUMNS)].sort_values(["record_a", "record_b"], ignore_index=True)
    numbers = {"probability": 4, "title_overlap": 3, "bits": 1}
    words = [name for name in COLUMNS if name not in numbers]
    return out.astype(dict.fromkeys(words, "string") | dict.fromkeys(numbers, float)).round(numbers)
