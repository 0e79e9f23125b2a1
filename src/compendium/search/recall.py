"""Which known trials a strategy would find, and which term finds what no other does.

Terms are matched here against the records' own text, in the fields that the registry searches. The
registries also expand terms to synonyms, and read unquoted words apart from each other; neither is
imitated, so a trial counted as missed here may well be found there.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from compendium.agreement import wilson_interval
from compendium.errors import InputError
from compendium.registry_ids import parse_id
from compendium.search.strategy import API, RegistrySearch, Strategy
from compendium.tables import read_table

KNOWN_ITEMS = "known_items.csv"
KNOWN_COLUMNS = ("record_id", "origin", "half")
HALVES = ("development", "held-out")

_BREAK = "\x1f"  # stands between two entries; no phrase runs across it
_TITLES = ("public_title", "scientific_title", "acronym")
_CONDITIONS = ("conditions", "condition_mesh")
_NAMES = ("intervention_names", "intervention_other_names", "intervention_mesh")
SEARCHED: Mapping[str, tuple[str, ...]] = {
    "query.cond": (*_TITLES, *_CONDITIONS, "keywords"),
    "query.intr": (*_TITLES, *_NAMES, "arm_labels", "keywords"),
    "query.titles": _TITLES,
    "query.term": (
        *_TITLES, *_CONDITIONS, *_NAMES, "keywords", "arm_labels", "intervention_descriptions",
        "brief_summary", "detailed_description", "primary_outcomes", "secondary_outcomes",
    ),
    "Standard search": (*_TITLES, *_CONDITIONS, *_NAMES, "intervention_descriptions"),
}  # fmt: skip
"""Parameter of a search form → columns of the record table that it looks in."""


def read_known_items(folder: Path) -> pd.DataFrame:
    """Read the protocol's list of records that a good search has to find.

    Parameters
    ----------
    folder : Path
        A protocol folder with ``known_items.csv``.

    Returns
    -------
    DataFrame
        ``record_id``, ``origin`` (who says it belongs) and ``half``: "development" items were
        looked at while the terms were chosen, "held-out" items were not.

    Raises
    ------
    InputError
        If the file is missing, lacks a column, repeats a record, or has another half.
    """
    path = Path(folder) / KNOWN_ITEMS
    items = read_table(path)
    if tuple(items.columns) != KNOWN_COLUMNS:
        raise InputError(f"the columns are not {', '.join(KNOWN_COLUMNS)}", where=str(path))
    repeated = items.loc[items["record_id"].duplicated(), "record_id"]
    if len(repeated):
        raise InputError(f"{repeated.iloc[0]} is listed twice", where=str(path))
    wrong = items.loc[~items["half"].isin(HALVES), "half"]
    if len(wrong):
        raise InputError(
            f"{wrong.iloc[0]!r} is no half", where=str(path), remedy=f"one of {', '.join(HALVES)}"
        )
    return items


def term_pattern(term: str) -> re.Pattern[str]:
    """Return the pattern of a term: its words in this order, whole, any case, plural allowed.

    Examples
    --------
    >>> bool(term_pattern("nerve stimulator").search("Implanted Nerve-Stimulators"))
    True
    >>> bool(term_pattern("SCS").search("discs"))
    False
    """
    words = re.findall(r"\w+", term.rstrip("*"))
    end = r"\w*" if term.endswith("*") else r"s?\b"
    return re.compile(r"\b" + rf"[^\w{_BREAK}]+".join(map(re.escape, words)) + end, re.IGNORECASE)


def match_terms(records: pd.DataFrame, strategy: Strategy) -> pd.DataFrame:
    """Match every term of the strategy against every record, in the fields it is searched in.

    Parameters
    ----------
    records : DataFrame
        The record table. A record of a registry with a search of its own is matched against that
        search; any other against the portal's.
    strategy : Strategy
        The search.

    Returns
    -------
    DataFrame
        ``record_id``, ``searched_in`` (registry of the strategy), ``concept``, ``term``: one row
        per record and term that matches, sorted.

    Raises
    ------
    InputError
        If a block searches a field of which this project does not know the columns.
    """
    rows = []
    for search, part in _by_search(records, strategy):
        for block in search.blocks:
            if not block.concepts:
                continue
            if block.parameter not in SEARCHED:
                raise InputError(
                    f"it is not known which fields {block.parameter!r} looks in",
                    where=block.where,
                    remedy=f"one of {', '.join(SEARCHED)}",
                )
            texts = _texts(part, SEARCHED[block.parameter])
            for name in block.concepts:
                for term in strategy.concepts[name].terms:
                    found = texts.str.contains(term_pattern(term.term))
                    rows += [
                        (record_id, search.registry, name, term.term)
                        for record_id in part.loc[found, "record_id"]
                    ]
    columns = ["record_id", "searched_in", "concept", "term"]
    return (
        pd.DataFrame(rows, columns=columns, dtype="string")
        .drop_duplicates()
        .sort_values(columns, ignore_index=True)
    )


def _by_search(
    records: pd.DataFrame, strategy: Strategy
) -> list[tuple[RegistrySearch, pd.DataFrame]]:
    own = {search.registry for search in strategy.registries if search.interface == API}
    pairs = []
    for search in strategy.registries:
        if search.registry in own:
            part = records[records["registry"] == search.registry]
        else:
            part = records[~records["registry"].isin(own)]
        pairs.append((search, part))
    return pairs


def _texts(records: pd.DataFrame, columns: tuple[str, ...]) -> pd.Series:
    """Join the text of some columns, entries kept apart, so that no phrase spans two."""
    parts = pd.Series([[] for _ in range(len(records))], index=records.index, dtype=object)
    for name in columns:
        for entries, cell in zip(parts, records[name], strict=True):
            entries.extend(cell if isinstance(cell, tuple) else [] if pd.isna(cell) else [cell])
    return parts.map(f" {_BREAK} ".join).astype("string")


def known_item_table(
    records: pd.DataFrame, strategy: Strategy, known: pd.DataFrame, matches: pd.DataFrame
) -> pd.DataFrame:
    """Say for each known item whether the terms find it, and what is lacking if not.

    Parameters
    ----------
    records, known, matches : DataFrame
        From `compendium.records`, `read_known_items` and `match_terms`.
    strategy : Strategy
        The search.

    Returns
    -------
    DataFrame
        One row per known item: ``record_id``, ``registry``, ``half``, ``held`` (whether it is among
        the records; after a live search, whether the registry itself found it), ``public_title``,
        ``found`` (whether it is held and every concept has a term that matches), ``lacking``
        (concepts of held items of which no term matches).
    """
    hits = {record_id: set(one) for record_id, one in matches.groupby("record_id")["concept"]}
    wanted = {
        record_id: [name for block in search.blocks for name in block.concepts]
        for search, part in _by_search(records, strategy)
        for record_id in part["record_id"]
    }
    about = records.set_index("record_id")[["registry", "public_title"]]
    rows = []
    for item in known.sort_values("record_id").itertuples():
        held = item.record_id in wanted
        have = hits.get(item.record_id, set())
        lacking = tuple(name for name in wanted.get(item.record_id, ()) if name not in have)
        registry, title = (
            about.loc[item.record_id] if held else (_registry_of(item.record_id), None)
        )
        rows.append(
            (item.record_id, registry, item.half, held, title, held and not lacking, lacking)
        )
    columns = ["record_id", "registry", "half", "held", "public_title", "found", "lacking"]
    return pd.DataFrame(rows, columns=columns)


def _registry_of(record_id: str) -> str:
    parsed = parse_id(record_id)
    return parsed.registry if parsed else "unknown registry"


def recall_table(items: pd.DataFrame, by: str) -> pd.DataFrame:
    """Count known items found, with relative recall and its Wilson interval.

    Parameters
    ----------
    items : DataFrame
        From `known_item_table`; usually the held ones.
    by : str
        Column to group by, such as ``"registry"`` or ``"half"``.

    Returns
    -------
    DataFrame
        ``by``, ``found``, ``known``, ``recall``, ``low``, ``high`` (95 %); the last row is "all".

    Examples
    --------
    >>> items = pd.DataFrame({"registry": ["A"] * 35, "found": [True] * 35})
    >>> recall_table(items, "registry").round(3).to_dict("records")[1]
    {'registry': 'all', 'found': 35, 'known': 35, 'recall': 1.0, 'low': 0.901, 'high': 1.0}
    """
    groups = [
        *sorted(items.groupby(by)["found"], key=lambda pair: pair[0]),
        ("all", items["found"]),
    ]
    rows = []
    for name, found in groups:
        count, total = int(found.sum()), len(found)
        low, high = wilson_interval(count, total)
        rows.append((name, count, total, count / total if total else float("nan"), low, high))
    return pd.DataFrame(rows, columns=[by, "found", "known", "recall", "low", "high"])


def recall_note(table: pd.DataFrame, group: str) -> str:
    """Say one row of `recall_table` in words.

    Examples
    --------
    >>> items = pd.DataFrame({"half": ["held-out"] * 4, "found": [True] * 3 + [False]})
    >>> recall_note(recall_table(items, "half"), "held-out")
    '3 of 4 (75.0 %, 95 % interval 30.1–95.4 %)'
    >>> recall_note(recall_table(items, "half"), "development")
    'none to count'
    """
    rows = table[table[table.columns[0]] == group]
    if rows.empty or not rows["known"].iloc[0]:
        return "none to count"
    row = rows.iloc[0]
    return (
        f"{row['found']:,} of {row['known']:,} ({100 * row['recall']:.1f} %, 95 % interval "
        f"{100 * row['low']:.1f}–{100 * row['high']:.1f} %)"
    )


def term_table(strategy: Strategy, items: pd.DataFrame, matches: pd.DataFrame) -> pd.DataFrame:
    """Remove each term in turn and list the known items that would be lost with it.

    Parameters
    ----------
    strategy : Strategy
        The search.
    items, matches : DataFrame
        From `known_item_table` and `match_terms`.

    Returns
    -------
    DataFrame
        One row per concept and term: ``concept``, ``term``, ``records`` (of all records, how many
        it matches), ``known`` (known items it matches), ``lost`` (tuple of the known items that
        only this term finds: the ones it rescues), ``n_lost``, ``reason``, ``date``.
    """
    found = set(items.loc[items["found"], "record_id"])
    known = set(items["record_id"])
    rescued: dict[tuple[str, str], set[str]] = {}
    for (record_id, concept), terms in matches.groupby(["record_id", "concept"])["term"]:
        if len(terms) == 1 and record_id in found:
            rescued.setdefault((concept, terms.iloc[0]), set()).add(record_id)
    matched = {key: set(ids) for key, ids in matches.groupby(["concept", "term"])["record_id"]}
    rows = []
    for concept in strategy.concepts.values():
        for term in concept.terms:
            hits = matched.get((concept.id, term.term), set())
            lost = tuple(sorted(rescued.get((concept.id, term.term), ())))
            rows.append(
                (
                    concept.id,
                    term.term,
                    len(hits),
                    len(hits & known),
                    lost,
                    len(lost),
                    term.reason,
                    term.date,
                )
            )
    columns = ["concept", "term", "records", "known", "lost", "n_lost", "reason", "date"]
    return pd.DataFrame(rows, columns=columns)


def rescued_items(terms: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """List which term rescues which trial.

    Parameters
    ----------
    terms : DataFrame
        From `term_table`.
    records : DataFrame
        From `compendium.records`.

    Returns
    -------
    DataFrame
        One row per term and known item that only it finds: ``concept``, ``term``, ``record_id``,
        ``public_title``, ``url``. A term that rescues nothing has no row.
    """
    long = terms[["concept", "term", "lost"]].explode("lost").dropna(subset=["lost"])
    about = records[["record_id", "public_title", "url"]]
    return (
        long.rename(columns={"lost": "record_id"})
        .merge(about, on="record_id", how="left", validate="many_to_one")
        .sort_values(["concept", "term", "record_id"], ignore_index=True)
    )
