"""The search as a note for a reference manager: one RIS entry for each registry searched."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from compendium.files import replacing
from compendium.ris import ris_document
from compendium.search.query import Query, render_query
from compendium.search.report import INTERFACES, SAMPLE
from compendium.search.strategy import Strategy


def write_search_note(
    strategy: Strategy, manifests: Sequence[Mapping[str, Any]], path: Path
) -> Path:
    """Write `search_note` to a file and return its path."""
    with replacing(path) as stream:
        stream.write(search_note(strategy, manifests))
    return Path(path)


def search_note(strategy: Strategy, manifests: Sequence[Mapping[str, Any]]) -> str:
    """Return the strategy as RIS, so that it travels with the references it led to.

    Parameters
    ----------
    strategy : Strategy
        The search.
    manifests : sequence of mapping
        Of the snapshots, from `compendium.search.snapshot.read_manifest`.

    Returns
    -------
    str
        Per registry an entry of type ELEC: registry in DB, address in UR, the question in AB, and
        one note (N1) for each field of the query as sent and for each snapshot that this search
        made. Y2 is the day of the registry's data in the newest of them, and is left out where
        there is none.
    """
    return ris_document(
        [
            _entry(strategy, render_query(strategy, search.registry), manifests)
            for search in strategy.registries
        ]
    )


def _entry(
    strategy: Strategy, query: Query, manifests: Sequence[Mapping[str, Any]]
) -> dict[str, object]:
    made = [one for one in manifests if _made_by(one, query)]
    days = sorted(str(one.get("processed_date") or "") for one in made)
    return {
        "type_of_reference": "ELEC",
        "title": f"{strategy.title}: search of {query.registry}",
        "abstract": strategy.question,
        "name_of_database": query.registry,
        "urls": [query.url],
        "access_date": days[-1] if days else "",
        "notes": [
            f"Searched {INTERFACES[query.interface]}.",
            *(f"{name} = {value}" for name, value in query.parameters.items()),
            *(map(_yield, made) if made else [NOT_RUN]),
        ],
    }


NOT_RUN = "No snapshot at hand was made by this search: it has a wording, but no yield yet."


def _made_by(manifest: Mapping[str, Any], query: Query) -> bool:
    """Say whether a snapshot is an answer to this very query.

    What was pasted into a portal is not recorded; its export counts as this search's.
    """
    if manifest.get("kind") == SAMPLE or manifest.get("registry") != query.registry:
        return False
    sent = manifest.get("query")
    return sent is None or sent.get("parameters") == dict(query.parameters)


def _yield(manifest: Mapping[str, Any]) -> str:
    return (
        f"{manifest['id']}: data of {manifest.get('processed_date', 'an unknown day')}, "
        f"{manifest.get('retrieved')} records of {manifest.get('announced')} announced."
    )
