"""Why one pair of records is, or is not, thought to be one trial."""

import pandas as pd

from compendium.errors import InputError
from compendium.linkage.comparison import FACTS, prepare
from compendium.linkage.identifiers import identify, stated_links
from compendium.linkage.weighing import APART_BITS, MARK_BITS, candidate_pairs, weigh_pairs


def explain_pair(records: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Break the odds of a pair into what each piece of evidence adds.

    Parameters
    ----------
    records : DataFrame
        All records: how much an agreement is worth depends on how common it is among them.
    one, other : str
        Ids of two records of different registries.

    Returns
    -------
    DataFrame
        ``evidence`` (words) and ``bits`` (log2 of the factor by which it changes the odds), from
        "before looking" to "in all"; the rows before the last add up to it. A piece that is not
        stated on both sides, or tells nothing, is left out.

    Raises
    ------
    InputError
        If one of the records is not there, or nothing makes the pair worth comparing.
    """
    records = records.sort_values("record_id", ignore_index=True)
    place = {str(record_id): row for row, record_id in enumerate(records.record_id)}
    for record_id in (one, other):
        if record_id not in place:
            raise InputError("no such record", where=record_id, remedy="check its spelling")
    left, right = sorted((place[one], place[other]))
    identity = identify(records)
    stated = stated_links(records, identity)
    prepared = prepare(records)
    pairs = candidate_pairs(records, identity, prepared, stated)
    pairs = pairs[(pairs.left == left) & (pairs.right == right)]
    table = weigh_pairs(prepared, identity, pairs, stated)
    if table.empty:
        raise InputError(
            "nothing makes this pair worth comparing",
            where=f"{one}, {other}",
            remedy="ask for a pair that is in the table of links",
        )
    row = table.iloc[0]
    parts = [("before looking", prepared.prior_bits), ("titles", row.title)]
    parts += [(words, row[name]) for name, words in FACTS.items()]
    parts += [("phase", row.phase), ("study type", row.study_type)]
    parts += [("sister titles", MARK_BITS * bool(row["mark"]))]
    parts += [("different words", APART_BITS * bool(row["apart"]))]
    rest = row.bits - sum(bits for _, bits in parts)
    parts += [("stated number", rest), ("in all", row.bits)]
    out = pd.DataFrame(parts, columns=["evidence", "bits"])
    return out[out.bits.abs() >= 0.05].round({"bits": 1}).reset_index(drop=True)
