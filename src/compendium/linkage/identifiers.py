"""Links that registrations state themselves: numbers of other registries in their fields."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations

import networkx as nx
import numpy as np
import pandas as pd

from compendium.linkage.columns import lists, texts
from compendium.registry_ids import UNIVERSAL, find_ids, parse_id

# fields whose numbers name the record's own trial; descriptions speak of other trials as well
TEXT_FIELDS = ("public_title", "scientific_title", "acronym")
# a number that more records claim than a trial has registrations is a programme's, not a trial's
MOST_CLAIMANTS = 4
# kinds, in the order in which they are named
KINDS = (
    "EUCTR root",
    "same registration",
    "NCT alias",
    "CTIS transition",
    "registry id",
    "shared UTN",
    "shared number",
)


@dataclass(frozen=True)
class Identity:
    """Who the records are.

    Attributes
    ----------
    ids : list of str
        ``record_id`` of each record.
    numbers : list of str
        The root of each record's own registration number.
    issuers : ndarray of int
        A number for the registry that gave the id; Japan's offices count apart.
    issuer_names : list of str
        The name of each issuer.
    units : ndarray of int
        A number for the registration: the national records of one EudraCT number, the spellings of
        one Chinese number, and a record and its alias, are one unit.
    roots : dict
        Root of a registration number (also an alias) → records registered under it.
    """

    ids: list[str]
    numbers: list[str]
    issuers: np.ndarray
    issuer_names: list[str]
    units: np.ndarray
    roots: dict[str, list[int]]


def identify(records: pd.DataFrame) -> Identity:
    """Read the records' own numbers.

    Parameters
    ----------
    records : DataFrame
        Needs ``record_id``; where its form is not known, ``registry`` says who gave it.
    """
    ids = records["record_id"].astype(str).tolist()
    issuers, numbers, roots = [], [], defaultdict(list)
    for row, (record_id, registry) in enumerate(zip(ids, texts(records, "registry"), strict=True)):
        known = parse_id(record_id)
        issuers.append(known.issuer if known else registry or "unknown")
        numbers.append(known.root if known else record_id)
        roots[numbers[-1]].append(row)
    # a record that lists an alias is one registration with the record that bears it
    units = nx.utils.UnionFind(numbers)
    for row, aliases in enumerate(lists(records, "nct_aliases")):
        for alias in aliases:
            known = parse_id(alias)
            if known and row not in roots[known.root]:
                roots[known.root].append(row)
                units.union(numbers[row], known.root)
    groups = [units[number] for number in numbers]
    codes, names = pd.factorize(pd.Series(issuers, dtype="object"), sort=True)
    unit_codes, _ = pd.factorize(pd.Series(groups, dtype="object"), sort=True)
    return Identity(ids, numbers, codes, list(names), unit_codes, dict(roots))


@dataclass(frozen=True)
class Claim:
    """A record states a registration number that is not its own."""

    record: int
    root: str
    registry: str
    field: str
    words: str
    start: int
    end: int

    def describe(self, ids: list[str]) -> str:
        """Say where the number stands: record, field, words and place."""
        return f'{ids[self.record]} {self.field} "{self.words}" [{self.start}:{self.end}]'


def claims(records: pd.DataFrame, identity: Identity) -> list[Claim]:
    """Find every registration number that a record states besides its own.

    Returns
    -------
    list of Claim
        At most one per record and number: the first found, in the order of the fields.
    """
    found: dict[tuple[int, str], Claim] = {}
    cells = {"secondary_ids": lists(records, "secondary_ids")}
    cells |= {name: [(t,) if t else () for t in texts(records, name)] for name in TEXT_FIELDS}
    for name, column in cells.items():
        for row, items in enumerate(column):
            for item in items:
                for known in find_ids(item):
                    if row in identity.roots.get(known.root, ()):
                        continue
                    words = item[known.start : known.end]
                    claim = Claim(
                        row, known.root, known.registry, name, words, known.start, known.end
                    )
                    found.setdefault((row, known.root), claim)
    return list(found.values())


def stated_links(records: pd.DataFrame, identity: Identity) -> pd.DataFrame:
    """Link records by the numbers they state.

    Parameters
    ----------
    records : DataFrame
        Any records table with ``record_id``.
    identity : Identity
        From `identify`.

    Returns
    -------
    DataFrame
        left, right (record numbers, left < right), kind (of `KINDS`), evidence (field, words and
        place), both_ways (each record names the other's
        number); one row per pair, the strongest kind. Within one
        registry there are only "EUCTR root", "same registration" and "NCT alias".
    """
    rows: list[tuple[int, int, str, str, bool]] = []
    rows += _same_registration(identity)
    stated = claims(records, identity)
    by_pair: dict[tuple[int, int], list[Claim]] = defaultdict(list)
    shared: dict[str, list[Claim]] = defaultdict(list)
    for claim in stated:
        owners = identity.roots.get(claim.root, [])
        for owner in owners:
            if identity.issuers[owner] != identity.issuers[claim.record]:
                pair = (min(owner, claim.record), max(owner, claim.record))
                by_pair[pair].append(claim)
        if not owners:
            shared[claim.root].append(claim)
    for (left, right), both in by_pair.items():
        kind = _direct_kind(identity, left, right)
        evidence = "; ".join(claim.describe(identity.ids) for claim in both)
        rows.append((left, right, kind, evidence, len({claim.record for claim in both}) == 2))
    for group in shared.values():
        rows += _shared(identity, group)
    table = pd.DataFrame(rows, columns=["left", "right", "kind", "evidence", "both_ways"])
    table = table.astype({"left": "int64", "right": "int64", "both_ways": bool})
    table["rank"] = table.kind.map(KINDS.index)
    table = table.sort_values(["left", "right", "rank"], ignore_index=True)
    return table.drop_duplicates(["left", "right"], ignore_index=True).drop(columns="rank")


def _same_registration(identity: Identity) -> list[tuple[int, int, str, str, bool]]:
    """Pair the records of one registry that stand under one number."""
    rows = []
    for root, members in identity.roots.items():
        for left, right in combinations(sorted(set(members)), 2):
            if identity.numbers[left] != identity.numbers[right]:
                kind = "NCT alias"
            elif root.startswith("EUCTR"):
                kind = "EUCTR root"
            else:
                kind = "same registration"
            rows.append((left, right, kind, f"both registered under {root}", True))
    return rows


def _direct_kind(identity: Identity, left: int, right: int) -> str:
    names = {identity.issuer_names[identity.issuers[k]] for k in (left, right)}
    return "CTIS transition" if names == {"CTIS", "EUCTR"} else "registry id"


def _shared(identity: Identity, group: list[Claim]) -> list[tuple[int, int, str, str, bool]]:
    """Pair the records of different registries that state the same number of a third."""
    if len({identity.units[claim.record] for claim in group}) > MOST_CLAIMANTS:
        return []
    kind = "shared UTN" if group[0].registry == UNIVERSAL else "shared number"
    rows = []
    for one, other in combinations(sorted(group, key=lambda claim: claim.record), 2):
        if identity.issuers[one.record] != identity.issuers[other.record]:
            evidence = f"{one.describe(identity.ids)}; {other.describe(identity.ids)}"
            rows.append((one.record, other.record, kind, evidence, False))
    return rows
