"""The paging rules of ClinicalTrials.gov API v2, and the proof that nothing was left behind."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from compendium.search.client import CHECK_ADDRESS, RegistryClient, RegistryError
from compendium.search.ctgov import NCT_ID
from compendium.search.native import excerpt

SHOWN_IDS = 5
MOST_EMPTY_PAGES = 50


class InconsistentError(RegistryError):
    """What arrived contradicts itself or what was announced; it cannot become a snapshot."""


@dataclass(frozen=True)
class Page:
    """One page as it came.

    Attributes
    ----------
    body : bytes
        Verbatim, decompressed.
    ids : tuple of str
        NCT ids in the order of the page; may be empty although more pages follow.
    token : str or None
        With which this page was asked for; None for the first.
    next_token : str or None
        With which the next is asked for; None only on the last page.
    announced : int or None
        The total, on the first page.
    """

    body: bytes
    ids: tuple[str, ...]
    token: str | None
    next_token: str | None
    announced: int | None


def data_version(client: RegistryClient) -> str:
    """Return the registry's data version (``dataTimestamp``), an ISO date and time.

    Raises
    ------
    RegistryError
        If the answer does not state one.
    """
    answer = client.get("/version", {})
    timestamp = answer.data.get("dataTimestamp")
    try:
        date.fromisoformat(timestamp[:10])
    except (TypeError, ValueError) as error:
        raise RegistryError(
            "the registry does not state the version of its data by day and time",
            where=f"{client.base_url}/version",
            remedy=CHECK_ADDRESS,
        ) from error
    return timestamp


def iter_pages(
    client: RegistryClient,
    parameters: Mapping[str, str],
    *,
    token: str | None = None,
    seen: Sequence[str] = (),
) -> Iterator[Page]:
    """Walk through the pages of ``/studies``.

    Parameters
    ----------
    client : RegistryClient
        Asks and waits.
    parameters : mapping of str to str
        Sent unchanged with every page; only the token is added.
    token : str, optional
        Where to go on; None begins with the first page.
    seen : sequence of str
        Tokens already used, when going on.

    Yields
    ------
    Page
        Also the empty ones. Ends after the page that names no next token, and only there.

    Raises
    ------
    InconsistentError
        If a page lacks its list of studies, a study its id, the first page its total; or if the
        walk would never end: a token comes back that was used before, or page after page is empty.
    """
    used = {*seen, *([token] if token else [])}
    empty = 0
    while True:
        asked = dict(parameters) | ({"pageToken": token} if token else {})
        answer = client.get("/studies", asked)
        where = f"{client.base_url}/studies, page after token {token or '(none)'}"
        page = _read(answer.body, answer.data, token, where)
        if token is None and page.announced is None:
            raise InconsistentError(
                "the first page announces no total, so completeness cannot be shown",
                where=where,
                remedy="check that countTotal=true is sent",
            )
        if page.next_token in used:
            raise InconsistentError(
                f"the token {page.next_token!r} comes back: the pages run in a circle",
                where=where,
                remedy="run the search again later",
            )
        empty = 0 if page.ids else empty + 1
        if empty > MOST_EMPTY_PAGES:
            raise InconsistentError(
                f"more than {MOST_EMPTY_PAGES} empty pages came in a row, each with a token",
                where=where,
                remedy="run the search again later",
            )
        yield page
        if page.next_token is None:
            return
        token = page.next_token
        used.add(token)


def _read(body: bytes, data: Mapping, token: str | None, where: str) -> Page:
    studies = data.get("studies")
    if not isinstance(studies, list):
        raise InconsistentError(
            f"the answer holds no list of studies (keys: {', '.join(sorted(data)[:5])})",
            where=where,
            remedy=CHECK_ADDRESS,
        )
    ids = []
    for position, study in enumerate(studies):
        try:
            nct_id = study["protocolSection"]["identificationModule"]["nctId"]
        except (KeyError, TypeError):
            nct_id = None
        if not isinstance(nct_id, str) or not NCT_ID.fullmatch(nct_id):
            raise InconsistentError(
                f"studies[{position}] has no NCT id"
                + (f", but {excerpt(nct_id)!r}" if isinstance(nct_id, str) else ""),
                where=where,
                remedy="let `fields` of search.yml include IdentificationModule",
            )
        ids.append(nct_id)
    next_token, announced = data.get("nextPageToken"), data.get("totalCount")
    if next_token is not None and (not isinstance(next_token, str) or not next_token):
        raise InconsistentError(f"{next_token!r} is not a page token", where=where)
    if announced is not None and (type(announced) is not int or announced < 0):
        raise InconsistentError(f"{announced!r} is not a total", where=where)
    return Page(body, tuple(ids), token, next_token, announced)


def require_complete(announced: int, pages: Sequence[Sequence[str]], where: str) -> None:
    """Prove that every announced record arrived once.

    Parameters
    ----------
    announced : int
        The total of the first page.
    pages : sequence of sequences of str
        The ids of each page, in order.
    where : str
        The address, for the message.

    Raises
    ------
    InconsistentError
        Says how many are missing and after which record and page the answer ends, or how many came
        twice and which.

    Examples
    --------
    >>> require_complete(2, [["NCT1"], [], ["NCT2"]], "here")
    >>> require_complete(3, [["NCT1", "NCT2"]], "here")
    Traceback (most recent call last):
        ...
    compendium.search.pager.InconsistentError: here: 3 records announced, 2 arrived: 1 missing ...
    """
    counts = Counter(nct_id for page in pages for nct_id in page)
    repeated = [nct_id for nct_id, times in counts.items() if times > 1]
    problems = []
    if repeated:
        places = {
            nct_id: [str(number) for number, page in enumerate(pages, 1) if nct_id in page]
            for nct_id in repeated[:SHOWN_IDS]
        }
        listed = ", ".join(f"{nct_id} (page {', '.join(on)})" for nct_id, on in places.items())
        more = f" and {len(repeated) - SHOWN_IDS} more" * (len(repeated) > SHOWN_IDS)
        problems.append(f"{len(repeated)} came more than once: {listed}{more}")
    difference = announced - len(counts)
    if difference > 0:
        last = next((page[-1] for page in reversed(pages) if page), "nothing")
        problems.append(
            f"{difference:,} missing (the answer ends with page {len(pages)} after {last})"
        )
    elif difference < 0:
        problems.append(f"{-difference:,} more than announced")
    if problems:
        raise InconsistentError(
            f"{announced:,} records announced, {len(counts):,} arrived: {'; '.join(problems)}",
            where=where,
            remedy="no snapshot was written; run the search again",
        )
