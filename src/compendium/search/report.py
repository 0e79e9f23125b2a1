"""A strategy and its snapshots as tables: what was searched, why, and what came of it."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from compendium.files import sha256_of
from compendium.search.query import render_query
from compendium.search.snapshot import MANIFEST, files_of, verify_snapshot
from compendium.search.strategy import API, NOT_DONE, PORTAL, PRISMA_S_ITEMS, Strategy

SHORT_HASH = 12
SAMPLE = "known-item sample"
INTERFACES = {API: "through its programming interface", PORTAL: "through its web form"}


def term_reasons(strategy: Strategy) -> pd.DataFrame:
    """Return one row per OR-term: ``concept``, ``term``, ``reason``, ``since``, ``synonyms``."""
    return pd.DataFrame(
        [
            (concept.id, term.term, term.reason, term.date, "on" if term.synonyms else "off")
            for concept in strategy.concepts.values()
            for term in concept.terms
        ],
        columns=["concept", "term", "reason", "since", "synonyms"],
    )


def field_reasons(strategy: Strategy) -> pd.DataFrame:
    """Return one row per field that is searched.

    Returns
    -------
    DataFrame
        ``registry``, ``field``, ``filled with`` (concepts or an expression), ``reason``, ``since``.
    """
    return pd.DataFrame(
        [
            (
                search.registry,
                block.parameter,
                block.expression or " AND ".join(block.concepts),
                block.reason,
                block.date,
            )
            for search in strategy.registries
            for block in search.blocks
        ],
        columns=["registry", "field", "filled with", "reason", "since"],
    )


def snapshot_table(folders: Sequence[Path], quarantine: pd.DataFrame) -> pd.DataFrame:
    """Return one row per snapshot, after checking every byte of it.

    Parameters
    ----------
    folders : sequence of Path
        Snapshot folders, in the order they are read.
    quarantine : DataFrame
        What the readers set aside (`compendium.records`).

    Returns
    -------
    DataFrame
        ``snapshot``, ``kind``, ``registry``, ``as of``, ``announced``, ``retrieved``,
        ``set aside``, ``files``, ``sha256`` (of the manifest, which holds that of every file; its
        first 12 digits), ``coverage``.
    """
    rows = []
    for folder in map(Path, folders):
        manifest = verify_snapshot(folder)
        rows.append(
            (
                manifest["id"],
                *(manifest.get(key) for key in ("kind", "registry", "processed_date")),
                *(manifest.get(key) for key in ("announced", "retrieved")),
                int((quarantine["snapshot_id"] == manifest["id"]).sum()),
                len(files_of(manifest)),
                sha256_of(folder / MANIFEST)[:SHORT_HASH],
                manifest.get("coverage"),
            )
        )
    columns = [
        "snapshot", "kind", "registry", "as of", "announced", "retrieved", "set aside", "files",
        "sha256", "coverage",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).astype({"announced": "Int64", "retrieved": "Int64"})


def snapshot_note(manifests: Sequence[Mapping[str, Any]]) -> str:
    """Say in words what a set of snapshots is, and what it is not.

    Parameters
    ----------
    manifests : sequence of mapping
        From `compendium.search.snapshot.read_manifest`.

    Examples
    --------
    >>> snapshot_note([{"kind": "search"}, {"kind": "known-item sample"}])
    '1 complete answer of a registry; 1 known-item sample (trials somebody knew of, not the yield
    of a search)'
    """
    samples = sum(one.get("kind") == SAMPLE for one in manifests)
    answers = len(manifests) - samples
    said = []
    if answers:
        said.append(f"{answers} complete answer{'s' * (answers > 1)} of a registry")
    if samples:
        said.append(
            f"{samples} known-item sample{'s' * (samples > 1)} (trials somebody knew of, not the "
            "yield of a search)"
        )
    return "; ".join(said)


def sample_note(kinds: Iterable[str]) -> str:
    """Say how many snapshots are samples, given the kind of each, where a claim must not be more.

    Examples
    --------
    >>> sample_note(["known-item sample", "search"])
    '1 of 2 snapshots is a sample of known items'
    """
    samples = ["sample" in kind for kind in kinds]
    if not any(samples):
        return f"none of the {len(samples)} snapshots is a sample of known items"
    verb = "is a sample" if sum(samples) == 1 else "are samples"
    return f"{sum(samples)} of {len(samples)} snapshots {verb} of known items"


def prisma_s_table(strategy: Strategy, manifests: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Answer the sixteen items of PRISMA-S (Rethlefsen 2021) from strategy and snapshots.

    Parameters
    ----------
    strategy : Strategy
        Holds an answer, or "not done", for each item.
    manifests : sequence of mapping
        Of the snapshots, from `compendium.search.snapshot.read_manifest`.

    Returns
    -------
    DataFrame
        ``item`` (1 to 16), ``topic``, ``answered`` ("yes" or "not done"), ``answer``.
    """
    words = _filled_in(strategy, manifests)
    return pd.DataFrame(
        [
            (
                number,
                topic,
                NOT_DONE if answer.startswith(NOT_DONE) else "yes",
                answer.removeprefix(NOT_DONE).lstrip(". ") or "–",
            )
            for number, (topic, answer) in enumerate(
                zip(PRISMA_S_ITEMS, (_fill(one, words) for one in strategy.prisma_s), strict=True),
                1,
            )
        ],
        columns=["item", "topic", "answered", "answer"],
    )


def _fill(answer: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        answer = answer.replace(f"{{{name}}}", value)
    return answer


def _filled_in(strategy: Strategy, manifests: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    filters = [
        f"{block.parameter} on {search.registry} ({block.reason})"
        for search in strategy.registries
        for block in search.blocks
        if block.expression
    ]
    fields = [
        f"{search.registry}: {', '.join(render_query(strategy, search.registry).parameters)}"
        for search in strategy.registries
    ]
    answered = {one.get("registry") for one in manifests if one.get("kind") != SAMPLE}
    # a sample is no search: what has only samples to show for it is not done
    undone = "" if answered else f"{NOT_DONE}. "
    return {
        "registries": undone
        + ", ".join(
            f"{s.registry} ({INTERFACES[s.interface]}"
            f"{'' if s.registry in answered else '; written, not yet run'})"
            for s in strategy.registries
        ),
        "queries": "Printed in this chapter as they are sent, field by field: " + "; ".join(fields),
        "limits": "; ".join(
            f"{limit.limit}: {limit.value} ({limit.reason})" for limit in strategy.limits
        ),
        "filters": f"Filters: {'; '.join(filters)}." if filters else "No filters.",
        "dates": undone
        + "; ".join(
            f"{one['id']}: {_searched(one)} {one.get('processed_date', 'unknown')}"
            for one in manifests
        ),
        "totals": undone + "; ".join(f"{one['id']}: {_total(one)}" for one in manifests),
    }


def _searched(manifest: Mapping[str, Any]) -> str:
    if manifest.get("kind") == SAMPLE:
        return "not searched, a known-item sample as of"
    return "the registry's data as of"


def _total(manifest: Mapping[str, Any]) -> str:
    retrieved, announced = manifest.get("retrieved"), manifest.get("announced")
    held = f"{retrieved:,} records" if retrieved is not None else "number of records not stated"
    if manifest.get("kind") == SAMPLE:
        return f"{held}, a sample and not the yield of the search"
    return held + (f" of {announced:,} announced" if announced is not None else "")
