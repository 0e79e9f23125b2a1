"""Every pair worth comparing, with its evidence, its marks of sisterhood and its probability."""

import numpy as np
import pandas as pd

from compendium.linkage.blocking import exact_pairs, title_pairs
from compendium.linkage.columns import lists
from compendium.linkage.comparison import Prepared, compare
from compendium.linkage.competition import compete
from compendium.linkage.identifiers import Identity
from compendium.linkage.sisters import sister_mark, subjects_apart
from compendium.linkage.words import fold
from compendium.registry_ids import find_ids

# Log-odds, in bits, of a stated number, whatever the number of records: of 128 that one record
# states 127 are right; those that both state, or that name a third registration, differ from that.
STATED_BITS = {
    "CTIS transition": 7.0,
    "registry id": 7.0,
    "shared UTN": 7.0,
    "shared number": 4.0,
}
BOTH_WAYS_BITS = 3.0
# fields that disagree cast doubt on a stated number, but only so much
MOST_DOUBT = -6.0
# a word that tells sister trials apart; telling words on both sides that the other has nowhere
MARK_BITS, APART_BITS = -4.0, -3.0
# titles that overlap less may be one title in two languages
SAME_LANGUAGE = 0.4
# pairs with longer odds than this are no one's rivals
LONGEST_ODDS = -12.0
# pairs with longer odds than this would not be put forward anyway, so their marks do not matter
WORTH_MARKING = -5.0
SHORTEST_CODE = 5


def candidate_pairs(
    records: pd.DataFrame, identity: Identity, prepared: Prepared, stated: pd.DataFrame
) -> pd.DataFrame:
    """Return the pairs of records of different registries that are worth comparing.

    Parameters
    ----------
    records, identity, prepared
        The records and what was read from them.
    stated : DataFrame
        From `stated_links`.

    Returns
    -------
    DataFrame
        left, right (record numbers, left < right), code (both state one number of the sponsor's).
    """
    sponsor = [
        max(prepared.parties.of(row), key=lambda pair: (pair[1], pair[0]), default=("", 0.0))[0]
        for row in range(prepared.n_records)
    ]
    same = [
        f"{word} {int(n)}" if word and not np.isnan(n) else None
        for word, n in zip(sponsor, prepared.enrolment, strict=True)
    ]
    codes = _code_pairs(records, identity)
    found = pd.concat(
        [
            title_pairs(prepared.key_bags, prepared.owners, identity.issuers),
            exact_pairs(pd.Series(same, dtype="object"), identity.issuers),
            codes,
            stated[["left", "right"]],
        ]
    ).drop_duplicates()
    found = found[identity.issuers[found.left] != identity.issuers[found.right]]
    found = found.sort_values(["left", "right"], ignore_index=True)
    with_code = found.merge(codes.assign(code=True), on=["left", "right"], how="left")
    return with_code.assign(code=with_code.code.eq(True).fillna(False).astype(bool))


def _code_pairs(records: pd.DataFrame, identity: Identity) -> pd.DataFrame:
    """Pair records of different registries that share a number which is no registration's."""
    rows = [
        (row, "".join(c for c in fold(item) if c.isalnum()))
        for row, items in enumerate(lists(records, "secondary_ids"))
        for item in items
        if not find_ids(item)
    ]
    table = pd.DataFrame(rows, columns=["row", "code"]).drop_duplicates()
    table = table[
        (table.code.str.len() >= SHORTEST_CODE) & table.code.str.contains(r"[0-9]{3}", regex=True)
    ]
    # a code of more than two records is a grant's or a programme's
    table = table[table.groupby("code").row.transform("size") == 2]
    both = table.merge(table, on="code")
    both = both[both.row_x < both.row_y]
    pairs = pd.DataFrame({"left": both.row_x, "right": both.row_y}, dtype=np.int64)
    apart = identity.issuers[pairs.left] != identity.issuers[pairs.right]
    return pairs[apart].drop_duplicates().sort_values(["left", "right"], ignore_index=True)


def weigh_pairs(
    prepared: Prepared, identity: Identity, pairs: pd.DataFrame, stated: pd.DataFrame
) -> pd.DataFrame:
    """Weigh pairs and let rivals compete.

    Returns
    -------
    DataFrame
        The columns of `compare`, and ``kind``, ``stated``, ``both_ways`` (from `stated`, missing
        where no number links the pair), ``mark`` and ``apart`` (what tells sisters apart, or ""),
        ``probability`` (with the stated numbers) and ``probability_titles`` (without them).
    """
    table = compare(prepared, pairs).merge(
        stated.rename(columns={"evidence": "stated"}), on=["left", "right"], how="left"
    )
    table = table[table.kind.notna() | (table.bits > LONGEST_ODDS)].reset_index(drop=True)
    marks = [
        _marks(prepared, row) if row.bits > WORTH_MARKING or isinstance(row.kind, str) else ("", "")
        for row in table.itertuples()
    ]
    table["mark"] = [mark for mark, _ in marks]
    table["apart"] = [apart for _, apart in marks]
    table["bits"] += MARK_BITS * (table["mark"] != "") + APART_BITS * (table["apart"] != "")
    for side in ("left", "right"):
        table[f"unit_{side}"] = identity.units[table[side]]
        table[f"issuer_{side}"] = identity.issuers[table[side]]
    table["probability_titles"] = compete(table.bits.to_numpy(), table)
    fields = table.bits - prepared.prior_bits
    number = table.kind.map(STATED_BITS).astype(float)
    number += table.both_ways.map({True: BOTH_WAYS_BITS, False: 0.0}).astype(float)
    with_number = number + np.maximum(fields, MOST_DOUBT)
    table["bits"] = np.where(table.kind.notna(), with_number, table.bits)
    table["probability"] = compete(table.bits.to_numpy(), table)
    return table


def _marks(prepared: Prepared, row: pd.Series) -> tuple[str, str]:
    """Return the sister mark of two records' titles, and the rare words that set them apart."""
    both = {
        (int(a), int(b))
        for a, b in zip(prepared.title_rows[row.left], prepared.title_rows[row.right], strict=True)
    }
    both.add((row.title_left, row.title_right))
    compared = (sister_mark(prepared.titles[a], prepared.titles[b]) for a, b in sorted(both))
    mark = next((found for found in compared if found), "")
    if row.overlap < SAME_LANGUAGE:
        return mark, ""
    bits: dict[str, float] = {}
    sides = []
    for record in (row.left, row.right):
        said = dict(p for k in set(prepared.title_rows[record]) for p in prepared.title_bags.of(k))
        bits |= said
        sides.append((set(said), {word for word, _ in prepared.subjects.of(record)}))
    return mark, subjects_apart(sides[0], sides[1], bits)
