"""ClinicalTrials.gov API v2: pages of `/studies` answers, read one study at a time."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from compendium.errors import InputError
from compendium.normalise.text import storable
from compendium.search.native import (
    MalformedRecordError,
    NativeRecord,
    RejectedRecord,
    excerpt,
    refuse_foreign,
)

REGISTRY = "ClinicalTrials.gov"
STUDY_URL = "https://clinicaltrials.gov/study/{}"
# JSON escapes of what fits no table: NUL, lone surrogates, carriage returns.
_UNSTORABLE = re.compile(r"\\(?:r|u(?:000[0dD]|[dD][89a-fA-F]))")
NCT_ID = re.compile(r"NCT\d{8}")

_JSON_NAMES = {
    dict: "an object", list: "a list", str: "text", int: "a whole number", bool: "true or false",
    float: "a number", type(None): "null",
}  # fmt: skip


def parse_page(content: bytes, where: str) -> dict[str, Any]:
    """Parse one answer of `/studies`.

    Parameters
    ----------
    content : bytes
        The body. Besides a page, a bare list of studies and a single study are understood (what a
        download of several, or of one, gives).
    where : str
        The file or address, for messages.

    Returns
    -------
    dict
        ``studies`` (list), and ``nextPageToken`` and ``totalCount`` where the page has them.

    Raises
    ------
    InputError
        If the text is not UTF-8, not JSON, breaks off, or holds no list of studies.

    Examples
    --------
    >>> parse_page(b'{"studies": [], "totalCount": 0}', "page-0001.json")
    {'studies': [], 'totalCount': 0}
    """
    remedy = "fetch the page again"
    try:
        text = content.decode("utf-8-sig")
        page = json.loads(text)
    except UnicodeDecodeError as error:
        raise InputError(f"byte {error.start} is not UTF-8", where=where, remedy=remedy) from error
    except json.JSONDecodeError as error:
        broken = "breaks off" if error.pos >= len(error.doc.rstrip()) - 1 else "is not valid"
        if error.msg.startswith("Unterminated string"):
            broken = "breaks off inside a text"
        raise InputError(
            f"the JSON {broken} at line {error.lineno}, column {error.colno} ({error.msg})",
            where=where,
            remedy=remedy,
        ) from error
    except (RecursionError, ValueError) as error:
        # nested too deeply, or a number with thousands of digits
        raise InputError(
            f"the JSON cannot be read ({error})", where=where, remedy=remedy
        ) from error
    if _UNSTORABLE.search(text):
        page = _storable_tree(page)
    if isinstance(page, list):
        page = {"studies": page}
    elif isinstance(page, dict) and "protocolSection" in page:
        page = {"studies": [page]}
    if not isinstance(page, dict) or not isinstance(page.get("studies"), list):
        found = f"keys {sorted(page)[:5]}" if isinstance(page, dict) else _JSON_NAMES[type(page)]
        raise InputError(
            f'the JSON holds no list "studies" (found {found})',
            where=where,
            remedy="save the answer of /api/v2/studies as it comes",
        )
    token = page.get("nextPageToken")
    if token is not None and not isinstance(token, str):
        raise InputError("nextPageToken is not text", where=where, remedy=remedy)
    total = page.get("totalCount")
    if total is not None and (not isinstance(total, int) or isinstance(total, bool)):
        raise InputError("totalCount is not a whole number", where=where, remedy=remedy)
    return page


class PageSummary(NamedTuple):
    """What a page says about its place among the others.

    Attributes
    ----------
    name : str
        Its file.
    next_token : str or None
        Token of the page after it; ``None`` on the last.
    total : int or None
        Studies announced; on the first page only.
    held : int
        Studies it holds.
    """

    name: str
    next_token: str | None
    total: int | None
    held: int


def check_page_order(
    pages: Sequence[PageSummary], tokens: Mapping[str, str | None] | None = None
) -> None:
    """Check that pages follow each other as they were answered, and hold what was announced.

    Parameters
    ----------
    pages : sequence of PageSummary
        In reading order.
    tokens : mapping, optional
        Name → the token that page was asked for with (``None`` for the first).

    Raises
    ------
    InputError
        If a page without a successor is not the last, the last has one, a token comes twice, a
        later page has a total that the first has not, a page was not asked for with its
        predecessor's token, or the first page's total is not what the pages hold.
    """
    remedy = "restore the pages in the order in which they came, or search again"

    def refuse(page: PageSummary, what: str) -> InputError:
        return InputError(what, where=page.name, remedy=remedy)

    if all(page.next_token is None and page.total is None for page in pages):
        return  # downloads of single studies, which have no order
    seen: dict[str, str] = {}
    for number, page in enumerate(pages):
        last = number == len(pages) - 1
        if page.next_token is None and not last:
            following = pages[number + 1].name
            raise refuse(
                page, f"wrong page order: it says it is the last page, but {following} follows"
            )
        if page.next_token is not None and last:
            raise refuse(page, "it names a next page that is not here")
        if page.next_token in seen and page.next_token is not None:
            raise refuse(page, f"it names the same next page as {seen[page.next_token]}")
        seen[page.next_token or ""] = page.name
        if page.total not in (None, pages[0].total):
            raise refuse(
                page, f"wrong page order: it carries the total, but {pages[0].name} stands first"
            )
        if tokens and page.name in tokens:
            previous = pages[number - 1] if number else None
            if tokens[page.name] != (previous.next_token if previous else None):
                after = f"does not follow {previous.name}" if previous else "is not the first page"
                raise refuse(page, f"wrong page order: by its token it {after}")
    held = sum(page.held for page in pages)
    if pages[0].total is not None and pages[0].total != held:
        raise refuse(
            pages[0], f"the registry announced {pages[0].total} studies, the pages hold {held}"
        )


def read_pages(
    paths: Sequence[Path], tokens: Mapping[str, str | None] | None = None
) -> Iterator[tuple[Path, NativeRecord | RejectedRecord]]:
    """Read pages in order, study by study, one page in memory at a time.

    Parameters
    ----------
    paths : sequence of Path
        The pages in the order in which they were answered.
    tokens : mapping, optional
        As in `check_page_order`; keys are file names.

    Yields
    ------
    path, record : Path, NativeRecord or RejectedRecord
        A study without a proper NCT id is rejected, with the reason.

    Raises
    ------
    InputError
        If a file is empty, a web page, or broken JSON; after the last study, if the pages do not
        follow each other.
    """
    summaries = []
    for path in paths:
        refuse_foreign(path, "ClinicalTrials.gov JSON")
        page = parse_page(path.read_bytes(), str(path))
        summaries.append(
            PageSummary(
                path.name, page.get("nextPageToken"), page.get("totalCount"), len(page["studies"])
            )
        )
        for number, study in enumerate(page["studies"]):
            yield path, check_study(study, f"studies[{number}]")
    check_page_order(summaries, tokens)


def _storable_tree(node: Any) -> Any:  # noqa: ANN401
    if isinstance(node, str):
        return storable(node)
    if isinstance(node, list):
        return [_storable_tree(item) for item in node]
    if isinstance(node, dict):
        return {key: _storable_tree(value) for key, value in node.items()}
    return node


def brief_title(study: Mapping[str, Any]) -> str:
    """Return a study's title for messages; "" where there is none to be had.

    Messages and excerpts show a title and nothing else, because other parts may name persons.
    """
    try:
        return dig(study, "protocolSection.identificationModule.briefTitle", str) or ""
    except MalformedRecordError:
        return ""


def check_study(study: object, location: str) -> NativeRecord | RejectedRecord:
    """Take one item of a page as a record, or say why it is none.

    Parameters
    ----------
    study : object
        One item of a page's ``studies``.
    location : str
        Where it stands in its file.

    Returns
    -------
    NativeRecord or RejectedRecord
        Rejected if it is no object, or has no proper NCT id.
    """
    if not isinstance(study, dict):
        return RejectedRecord(
            location, "", f"wrong-type: a study is {_JSON_NAMES[type(study)]}", ""
        )
    title = excerpt(brief_title(study))
    try:
        nct_id = dig(study, "protocolSection.identificationModule.nctId", str)
    except MalformedRecordError as error:
        return RejectedRecord(location, "", str(error), title)
    if nct_id is None or not NCT_ID.fullmatch(nct_id.strip().upper()):
        reason = "no-id: the study has no nctId" if nct_id is None else f"bad-id: {nct_id!r}"
        return RejectedRecord(location, nct_id or "", reason, title)
    return NativeRecord(location, study)


def dig(study: Mapping[str, Any], path: str, kind: type) -> Any:  # noqa: ANN401
    """Follow a dotted path into a study.

    Parameters
    ----------
    study : mapping
        Parsed JSON.
    path : str
        Such as ``"protocolSection.statusModule.overallStatus"``.
    kind : type
        What must stand there: str, int, bool, list or dict.

    Returns
    -------
    object or None
        ``None`` if the path, or its value, is absent or null.

    Raises
    ------
    MalformedRecordError
        If something else stands there.

    Examples
    --------
    >>> dig({"designModule": {"phases": ["PHASE2"]}}, "designModule.phases", list)
    ['PHASE2']
    """
    node: Any = study
    keys = path.split(".")
    for depth, key in enumerate(keys):
        if not isinstance(node, dict):
            raise _wrong_type(".".join(keys[:depth]), node, dict)
        node = node.get(key)
        if node is None:
            return None
    if not isinstance(node, kind) or (kind is int and isinstance(node, bool)):
        raise _wrong_type(path, node, kind)
    return node


def texts(study: Mapping[str, Any], path: str, key: str = "") -> list[str]:
    """Return a list of texts at `path`, or the text under `key` of each object there ("" if none).

    Raises
    ------
    MalformedRecordError
        If the list holds anything else.
    """
    found = []
    for number, item in enumerate(dig(study, path, list) or []):
        where = f"{path}[{number}]"
        if key:
            if not isinstance(item, dict):
                raise _wrong_type(where, item, dict)
            found.append(dig(item, key, str) or "")
        elif isinstance(item, str):
            found.append(item)
        else:
            raise _wrong_type(where, item, str)
    return found


def _wrong_type(path: str, found: object, kind: type) -> MalformedRecordError:
    return MalformedRecordError(
        "wrong-type", f"{path} is {_JSON_NAMES[type(found)]}, not {_JSON_NAMES[kind]}"
    )
