"""Run a search and freeze its answer: whole, proven complete, and able to go on after a kill.

While it runs, everything lies in ``<snapshot>.partial``: whole page files, and a journal that is
replaced as a whole after each page. Only when the last page has come, the totals agree and the
registry's data are still of the version they began with does the folder get its manifest and its
name.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from compendium.errors import InputError
from compendium.files import replacing, sha256_of
from compendium.search.client import RegistryClient, RegistryError, RejectedError
from compendium.search.pager import (
    InconsistentError,
    Page,
    data_version,
    iter_pages,
    require_complete,
)
from compendium.search.query import Query
from compendium.search.snapshot import write_manifest

JOURNAL = "journal.json"
JOURNAL_SCHEMA = "compendium-harvest/1"
MOST_STARTS = 3
Report = Callable[[int, int, str], None]


@dataclass(frozen=True)
class PageEntry:
    """What the journal keeps of one page."""

    name: str
    sha256: str
    ids: tuple[str, ...]
    token: str | None
    next_token: str | None


@dataclass(frozen=True)
class Journal:
    """How far a search has come: what is asked, of which data, and the pages that lie on disk."""

    base_url: str
    parameters: Mapping[str, str]
    version: str
    announced: int | None = None
    pages: tuple[PageEntry, ...] = field(default=())

    @property
    def complete(self) -> bool:
        """Whether the last page has come."""
        return bool(self.pages) and self.pages[-1].next_token is None

    @property
    def retrieved(self) -> int:
        """How many records have come."""
        return sum(len(page.ids) for page in self.pages)


def silent(_retrieved: int, _announced: int, _note: str) -> None:
    """Report nothing."""


def harvest(
    client: RegistryClient,
    query: Query,
    out: Path,
    *,
    about: Mapping[str, str],
    report: Report = silent,
) -> Path:
    """Run one query to its end and write the snapshot folder `out`.

    Parameters
    ----------
    client : RegistryClient
        Asks the registry.
    query : Query
        What to ask, verbatim.
    out : Path
        The snapshot to make. ``<out>.partial`` beside it holds what an earlier, killed run of the
        same query has fetched; it is gone on with if the registry's data are unchanged.
    about : mapping of str to str
        ``coverage``, ``attribution``, ``modified`` and ``licence`` for the manifest.
    report : callable
        Told (records so far, announced, a note) after each page.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        If `out` exists and is not an empty folder: a finished snapshot is never changed; or if
        another run is making it.
    RegistryError
        If the answer is incomplete, repeats records, or the data change too often to be read once.
    """
    # a link would stand in the way of the folder's name, and ".." has none
    out = Path(out).resolve()
    partial = out.with_name(out.name + ".partial")
    pages = partial / out.name
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        return _already_there(out, partial, pages, client.base_url, query)
    with _alone(partial, pages):
        if out.is_dir() and any(out.iterdir()):  # another run has just finished it
            return _already_there(out, partial, pages, client.base_url, query)
        return _harvest(client, query, out, partial, pages, about, report)


@contextmanager
def _alone(partial: Path, pages: Path) -> Iterator[None]:
    """Make the folder of an unfinished search and keep other runs out; remove it if it is empty."""
    pages.mkdir(parents=True, exist_ok=True)
    # the lock is the folder's own and goes with the process: a kill leaves none behind
    folder = os.open(partial, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                "another run is making this snapshot",
                where=str(partial),
                remedy="let it finish, or give another name with --out",
            ) from error
        try:
            yield
        finally:
            if pages.is_dir() and not any(pages.iterdir()):
                shutil.rmtree(partial)
    finally:
        os.close(folder)


def _harvest(
    client: RegistryClient,
    query: Query,
    out: Path,
    partial: Path,
    pages: Path,
    about: Mapping[str, str],
    report: Report,
) -> Path:
    for _ in range(MOST_STARTS):
        before = data_version(client)
        journal = _resume(partial, pages, client.base_url, query.parameters, before)
        resumed = bool(journal.pages)
        try:
            journal = _fetch(client, journal, partial, pages, report)
            _require_all(journal)
        except (InconsistentError, RejectedError) as error:
            after = data_version(client)
            # a token can outlive neither its data version nor the registry's patience; anything
            # else would fail the same way from the same pages, so the next run begins anew
            _forget(partial, pages)
            if after == before and not (resumed and isinstance(error, RejectedError)):
                shutil.rmtree(partial)
                raise
        else:
            after = data_version(client)
            if after == before:
                return _seal(partial, pages, out, journal, query, about)
            _forget(partial, pages)
        report(0, 0, f"the registry's data went from {before} to {after}: from the beginning")
    raise RegistryError(
        f"the registry's data changed during each of {MOST_STARTS} runs",
        where=client.base_url,
        remedy="no snapshot was written; search again when the registry is not being refreshed",
    )


def _already_there(out: Path, partial: Path, pages: Path, base_url: str, query: Query) -> Path:
    """Return `out` if the same search was killed after finishing it; refuse otherwise."""
    journal = _read_journal(partial / JOURNAL)
    if (
        journal is not None
        and not pages.exists()
        and (journal.base_url, journal.parameters) == (base_url, dict(query.parameters))
    ):
        shutil.rmtree(partial)
        return out
    raise InputError(
        "a finished snapshot is never changed",
        where=str(out),
        remedy="give another name with --out",
    )


def _resume(
    partial: Path, pages: Path, base_url: str, parameters: Mapping[str, str], version: str
) -> Journal:
    """Return the journal to go on with; pages that do not fit it are forgotten."""
    fresh = Journal(base_url, dict(parameters), version)
    journal = _read_journal(partial / JOURNAL)
    asked = journal and (journal.base_url, dict(journal.parameters), journal.version)
    if asked != (fresh.base_url, fresh.parameters, fresh.version):
        journal = fresh
    whole = []
    for page in journal.pages:
        path = pages / page.name
        if not path.is_file() or sha256_of(path) != page.sha256:
            break
        whole.append(page)
    journal = replace(journal, pages=tuple(whole)) if whole else fresh
    kept = {page.name for page in whole}
    for path in pages.iterdir():
        if path.name not in kept:
            path.unlink()
    _write_journal(partial / JOURNAL, journal)
    return journal


def _forget(partial: Path, pages: Path) -> None:
    (partial / JOURNAL).unlink(missing_ok=True)
    for path in pages.iterdir():
        path.unlink()


def _fetch(
    client: RegistryClient, journal: Journal, partial: Path, pages: Path, report: Report
) -> Journal:
    """Fetch what the journal lacks, one whole page file and one whole journal at a time."""
    report(journal.retrieved, journal.announced or 0, "")
    if journal.complete:
        return journal
    token = journal.pages[-1].next_token if journal.pages else None
    seen = [page.token for page in journal.pages if page.token]
    for page in iter_pages(client, journal.parameters, token=token, seen=seen):
        journal = _keep(journal, page, pages)
        _write_journal(partial / JOURNAL, journal)
        report(journal.retrieved, journal.announced or 0, "")
    return journal


def _keep(journal: Journal, page: Page, pages: Path) -> Journal:
    name = f"page-{len(journal.pages) + 1:04d}.json"
    with replacing(pages / name, "wb") as stream:
        stream.write(page.body)
    entry = PageEntry(name, sha256_of(pages / name), page.ids, page.token, page.next_token)
    announced = journal.announced if journal.pages else page.announced
    if page.announced is not None and page.announced != announced:
        raise InconsistentError(
            f"page {len(journal.pages) + 1} announces {page.announced:,} records, the first "
            f"announced {announced:,}",
            where=f"{journal.base_url}/studies",
            remedy="no snapshot was written; run the search again",
        )
    journal = replace(journal, announced=announced, pages=(*journal.pages, entry))
    if journal.retrieved > (announced or 0):
        # said at once: an answer that goes on for ever would never come to be counted
        _require_all(journal)
    return journal


def _require_all(journal: Journal) -> None:
    where = f"{journal.base_url}/studies"
    require_complete(journal.announced or 0, [page.ids for page in journal.pages], where)
    if not journal.announced:
        raise InconsistentError(
            "the search finds nothing",
            where=where,
            remedy="no snapshot was written; check the terms and filters of search.yml",
        )


def _seal(
    partial: Path,
    pages: Path,
    out: Path,
    journal: Journal,
    query: Query,
    about: Mapping[str, str],
) -> Path:
    """Write the manifest and give the folder its name."""
    write_manifest(
        pages,
        kind="search",
        registry=query.registry,
        processed_date=journal.version[:10],
        announced=journal.announced,
        retrieved=journal.retrieved,
        query={"address": f"{journal.base_url}/studies", "parameters": dict(query.parameters)},
        data_timestamp_before=journal.version,
        data_timestamp_after=journal.version,
        files=[
            {"name": page.name, "records": len(page.ids), "page_token": page.token}
            for page in journal.pages
        ],
        **about,
    )
    pages.rename(out)
    shutil.rmtree(partial)
    return out


def _write_journal(path: Path, journal: Journal) -> None:
    content = {
        "schema": JOURNAL_SCHEMA,
        "base_url": journal.base_url,
        "parameters": dict(journal.parameters),
        "version": journal.version,
        "announced": journal.announced,
        "pages": [vars(page) for page in journal.pages],
    }
    with replacing(path) as stream:
        json.dump({**content, "sha256": _digest(content)}, stream, indent=1)


def _digest(content: Mapping) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _read_journal(path: Path) -> Journal | None:
    """Read a journal; one that is absent or damaged is None, and the search begins anew."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        sealed = content.pop("sha256")
        if content["schema"] != JOURNAL_SCHEMA or sealed != _digest(content):
            return None
        return Journal(
            content["base_url"],
            content["parameters"],
            content["version"],
            content["announced"],
            tuple(PageEntry(**{**page, "ids": tuple(page["ids"])}) for page in content["pages"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
