"""Labelled sets: records of which it is known which are one trial, and which are sisters."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from compendium.linkage.columns import lists, texts
from compendium.linkage.comparison import prepare, title_similarity
from compendium.linkage.identifiers import Identity, identify, stated_links
from compendium.linkage.simulation import register_again
from compendium.linkage.words import fold
from compendium.registry_ids import find_ids

# where numbers of registrations are looked for and taken out
TEXT_COLUMNS = ("public_title", "scientific_title", "acronym")
# ids of records that are moved to another registry for the test
MOVED = "DRKS0009{:04d}"


@dataclass(frozen=True)
class LabelledSet:
    """Records, and pairs of them that are known to be one trial or known not to be.

    Attributes
    ----------
    records : DataFrame
        With every stated registration number taken out, unless they were to stay.
    pairs : DataFrame
        record_a < record_b, ``same`` (bool), ``origin`` ("stated": linked by a number that a real
        registry states; "simulated": a simulated second registration of a real record; "sister":
        two real, separately registered trials with like titles, one of them moved to another
        registry for the test), ``style`` (what the simulation did to the title), ``moved`` and
        ``moved_from`` (the id of the moved record, in the set and in truth).
    """

    records: pd.DataFrame
    pairs: pd.DataFrame


def hide_numbers(records: pd.DataFrame) -> pd.DataFrame:
    """Return the records without any registration number but their own ids."""
    out = records.copy()
    for name in TEXT_COLUMNS:
        if name in out.columns:
            out[name] = pd.array([_without(text) or None for text in texts(out, name)], "string")
    out["secondary_ids"] = pd.Series(
        [
            tuple(item for item in items if not find_ids(item))
            for items in lists(out, "secondary_ids")
        ],
        index=out.index,
        dtype=object,
    )
    return out


def _without(text: str) -> str:
    for found in reversed(find_ids(text)):
        text = text[: found.start] + text[found.end :]
    return text


def labelled_set(
    records: pd.DataFrame,
    *,
    stated: bool = True,
    simulated: int = 30,
    sisters: int = 0,
    hide: bool = True,
    titles_apart: bool = False,
    seed: int = 1951,
) -> LabelledSet:
    """Make a labelled set from real records.

    Parameters
    ----------
    records : DataFrame
        A records table.
    stated : bool
        Whether pairs that a real registry links are in the set; if not, one of each is left out.
    simulated : int
        How many records get a simulated second registration.
    sisters : int
        How many pairs of real sister trials at most: of one registry, with the likest titles.
    hide : bool
        Whether registration numbers are taken out. If not, the simulated registrations state each
        other's numbers as often as real ones do.
    titles_apart : bool
        A harder test with real titles: only records with two different titles are registered again;
        the first registration keeps the public title only, the second has the scientific one, word
        for word.
    seed : int
        Same seed, same set.
    """
    records = records.sort_values("record_id", ignore_index=True)
    identity = identify(records)
    across = _across(records, identity)
    if not stated:
        records = records.drop(index=across.right.unique()).reset_index(drop=True)
        identity, across = identify(records), across.iloc[:0]
    ids = records.record_id.astype(str)
    rows = [
        {"record_a": ids[left], "record_b": ids[right], "same": True, "origin": "stated"}
        for left, right in zip(across.left, across.right, strict=True)
    ]
    taken = {int(k) for pair in zip(across.left, across.right, strict=True) for k in pair}
    alike = _sister_pairs(records, taken, sisters) if sisters else []
    moved = {right: MOVED.format(k) for k, (_, right) in enumerate(alike)}
    hidden = hide_numbers(records) if hide else records.copy()
    hidden["record_id"] = pd.array([moved.get(k, record) for k, record in enumerate(ids)], "string")
    if "registry" in hidden:
        hidden.loc[list(moved), "registry"] = "DRKS"
    rows += [
        {
            "record_a": min(ids[left], moved[right]),
            "record_b": max(ids[left], moved[right]),
            "same": False,
            "origin": "sister",
            "moved": moved[right],
            "moved_from": ids[right],
        }
        for left, right in alike
    ]
    rng = np.random.default_rng(seed)
    free = [k for k in range(len(records)) if k not in taken and k not in moved]
    if titles_apart:
        free = [k for k in free if _two_titles(records.iloc[k])]
    chosen = sorted(rng.choice(free, size=min(simulated, len(free)), replace=False).tolist())
    second, truth = register_again(hidden, chosen, seed=seed, stated=not hide)
    if titles_apart:
        second["public_title"] = texts(hidden.iloc[chosen], "scientific_title")
        second["scientific_title"] = None
        hidden.loc[chosen, "scientific_title"] = None
    rows += truth.assign(same=True, origin="simulated").to_dict("records")
    columns = ["record_a", "record_b", "same", "origin", "style", "moved", "moved_from"]
    pairs = pd.DataFrame(rows, columns=columns).astype({"same": bool})
    return LabelledSet(
        pd.concat([hidden, second], ignore_index=True),
        pairs.sort_values(["record_a", "record_b"], ignore_index=True),
    )


def _two_titles(record: pd.Series) -> bool:
    one, other = record.get("public_title"), record.get("scientific_title")
    return pd.notna(one) and pd.notna(other) and fold(one) != fold(other)


def _across(records: pd.DataFrame, identity: Identity) -> pd.DataFrame:
    """Return the pairs of different registries of which one states the other's number."""
    stated = stated_links(records, identity)
    direct = stated[stated.kind.isin(["registry id", "CTIS transition"])]
    return direct[identity.issuers[direct.left] != identity.issuers[direct.right]]


def _sister_pairs(
    records: pd.DataFrame, taken: set[int], most: int, *, least: float = 75.0
) -> list[tuple[int, int]]:
    """Find the pairs of one registry with the likest titles, each record in one pair at most."""
    prepared, identity = prepare(records), identify(records)
    both = [
        pair
        for issuer in np.unique(identity.issuers)
        for pair in combinations(np.flatnonzero(identity.issuers == issuer).tolist(), 2)
    ]
    left, right = np.array(both, dtype=np.int64).reshape(-1, 2).T
    likeness = title_similarity(prepared, left, right)
    order = np.lexsort((right, left, -likeness))
    used, found = set(taken), []
    for k in order[likeness[order] >= least]:
        pair = (int(left[k]), int(right[k]))
        if len(found) < most and not used.intersection(pair):
            found.append(pair)
            used.update(pair)
    return found
