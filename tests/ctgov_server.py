"""A ClinicalTrials.gov of our own on the loopback: it pages by the rules, and misbehaves on demand.

`CtgovServer` answers ``/api/v2/version`` and ``/api/v2/studies``. Every request is held against a
specification of the parameters; what the specification does not allow is answered with 400 as plain
text, the way the registry does, and remembered in `rejected`.
"""

import contextlib
import gzip
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

PREFIX = "/api/v2"
SPECIFICATION = Path(__file__).parent / "fixtures" / "ctgov_parameters.json"
FREE = ("countTotal", "pageSize", "pageToken")

Check = Callable[[str, Mapping[str, str]], str]
Reply = Callable[["Handler", Mapping[str, str]], None]


def own_check() -> Check:
    """Return a check of requests against our own parameter list: the first fault, or nothing."""
    paths = json.loads(SPECIFICATION.read_text(encoding="utf-8"))["paths"]

    def check(path: str, parameters: Mapping[str, str]) -> str:
        for name, value in parameters.items():
            rule = paths[path].get(name)
            if rule is None:
                return f"unknown parameter {name}"
            items = re.split(r"[,|]", value) if rule["type"] == "list" else [value]
            if len(items) > rule.get("most", len(items)):
                return f"{name} has more than {rule['most']} items"
            if not all(re.fullmatch(rule.get("pattern", ".*"), item, re.S) for item in items):
                return f"{name} has a bad item"
            if value not in rule.get("one_of", [value]):
                return f"{name} is none of {rule['one_of']}"
            if rule["type"] == "integer" and not (
                re.fullmatch(r"\d+", value) and rule["least"] <= int(value) <= rule["greatest"]
            ):
                return f"{name} is not within {rule['least']} and {rule['greatest']}"
        return ""

    return check


def openapi_check(document: Path) -> Check:
    """Return a check of requests against the API's own OpenAPI document."""
    from openapi_core import OpenAPI
    from openapi_core.exceptions import OpenAPIError
    from openapi_core.testing import MockRequest

    api = OpenAPI.from_file_path(str(document))
    paths = api.spec.read_value()["paths"]

    def check(path: str, parameters: Mapping[str, str]) -> str:
        # the library checks the parameters it knows; a name the document lacks is a fault as well
        known = {entry["name"] for entry in paths[path]["get"]["parameters"]}
        unknown = sorted(set(parameters) - known)
        if unknown:
            return f"unknown parameter {unknown[0]}"
        request = MockRequest(
            "https://clinicaltrials.gov", "get", PREFIX + path, args=dict(parameters)
        )
        try:
            api.validate_request(request)
        except OpenAPIError as error:
            return f"{type(error).__name__}: {error} {error.__cause__ or ''}"
        return ""

    return check


def study(number: int) -> dict:
    """Return a small study whose id says its number."""
    return {
        "protocolSection": {
            "identificationModule": {
                "nctId": f"NCT{number:08d}",
                "briefTitle": f"Spinal cord stimulation for pain, trial {number}",
            },
            "statusModule": {"overallStatus": "COMPLETED"},
            "designModule": {"studyType": "INTERVENTIONAL"},
        },
        "hasResults": False,
    }


class CtgovServer:
    """A loopback registry.

    Parameters
    ----------
    studies : sequence of dict
        What every search finds, in this order.
    checks : sequence of callables
        Each request must pass all; the default is our own parameter list.

    Attributes
    ----------
    plan : dict of int to Reply
        What to do instead of the right thing at the n-th request to ``/studies`` (from 1).
    always : Reply or None
        What to do instead at every request to ``/studies``.
    version : str
        The data version; `versions` may hold a queue that is used up first, one an answer.
    empty_pages : set of int
        Numbers of pages (from 1) before which an empty page is served.
    token_length : int
        How much longer each token is than the last.
    lose_after : int or None
        End the answer after so many studies without a word.
    """

    def __init__(self, studies: Sequence[dict], checks: Sequence[Check] | None = None) -> None:
        self.studies = list(studies)
        self.checks = [own_check()] if checks is None else list(checks)
        self.plan: dict[int, Reply] = {}
        self.always: Reply | None = None
        self.version = "2026-11-20T09:00:05"
        self.versions: list[str] = []
        self.empty_pages: set[int] = set()
        self.token_length = 0
        self.lose_after: int | None = None
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.rejected: list[str] = []
        self.tokens: dict[str, tuple[int, int, dict, str]] = {}
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.registry = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    def __enter__(self) -> "CtgovServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{PREFIX}"

    @property
    def searches(self) -> list[dict[str, str]]:
        """The parameters of every request to ``/studies``."""
        return [parameters for path, parameters in self.requests if path == "/studies"]

    def page(self, parameters: Mapping[str, str]) -> tuple[int, dict | str]:
        """Return status and content of the right answer to a search."""
        asked = {name: value for name, value in parameters.items() if name not in FREE}
        start, number = 0, 1
        if "pageToken" in parameters:
            token = parameters["pageToken"]
            if token not in self.tokens:
                return 400, "`pageToken` has invalid value"
            start, number, first, version = self.tokens[token]
            if asked != first:
                return 400, "parameters differ from those of the first page"
            if version != self.version:
                return 400, "`pageToken` belongs to another data version"
        size = int(parameters.get("pageSize", 10))
        found = self.studies if self.lose_after is None else self.studies[: self.lose_after]
        empty = number in self.empty_pages
        stop = start if empty else start + size
        content: dict = {"studies": found[start:stop]}
        if "pageToken" not in parameters and parameters.get("countTotal") == "true":
            content["totalCount"] = len(self.studies)
        if stop < len(found):
            token = f"t{number}-" + "x" * (self.token_length * number) + f"-{len(self.tokens)}"
            self.tokens[token] = (stop, number + 1, asked, self.version)
            content["nextPageToken"] = token
        return 200, content


class Handler(BaseHTTPRequestHandler):
    """Answer one request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        registry: CtgovServer = self.server.registry
        split = urlsplit(self.path)
        path = split.path.removeprefix(PREFIX)
        parameters = dict(parse_qsl(split.query, keep_blank_values=True))
        with registry.lock:
            registry.requests.append((path, parameters))
            if path == "/version":
                version = registry.versions.pop(0) if registry.versions else registry.version
                self.send_json(200, {"apiVersion": "2.0.5", "dataTimestamp": version})
                return
            if path != "/studies":
                self.send(404, "text/plain", b"not found")
                return
            fault = next(filter(None, (check(path, parameters) for check in registry.checks)), "")
            if fault:
                registry.rejected.append(fault)
                self.send(400, "text/plain", fault.encode())
                return
            reply = registry.plan.pop(len(registry.searches), registry.always)
            if reply is not None:
                reply(self, parameters)
                return
            self.right(parameters)

    def right(self, parameters: Mapping[str, str]) -> None:
        """Answer as the registry should."""
        status, content = self.server.registry.page(parameters)
        if isinstance(content, str):
            self.send(status, "text/plain", content.encode())
        else:
            self.send_json(status, content)

    def send_json(self, status: int, content: object) -> None:
        self.send(status, "application/json", json.dumps(content).encode())

    def send(
        self, status: int, kind: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if "Content-Length" not in (headers or {}):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def status(code: int, headers: Mapping[str, str] | None = None, body: bytes = b"busy") -> Reply:
    """Answer with a status and plain text."""
    return lambda handler, _: handler.send(code, "text/plain", body, headers)


def web_page(handler: Handler, _: Mapping[str, str]) -> None:
    """Answer 200 with HTML."""
    handler.send(200, "text/html", b"<!DOCTYPE html><title>Maintenance</title>")


def web_page_called_json(handler: Handler, _: Mapping[str, str]) -> None:
    """Answer 200 with HTML that calls itself JSON."""
    handler.send(200, "application/json", b"<!DOCTYPE html><title>Maintenance</title>")


def cut_connection(handler: Handler, parameters: Mapping[str, str]) -> None:
    """Promise a whole page, send half of it, and reset the connection."""
    _, content = handler.server.registry.page(parameters)
    body = json.dumps(content).encode()
    handler.send(
        200, "application/json", body[: len(body) // 2], {"Content-Length": str(len(body))}
    )
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def short_json(handler: Handler, parameters: Mapping[str, str]) -> None:
    """Send half a page with a length that fits the half."""
    _, content = handler.server.registry.page(parameters)
    body = json.dumps(content).encode()
    handler.send(200, "application/json", body[: len(body) // 2])


def truncated_gzip(handler: Handler, parameters: Mapping[str, str]) -> None:
    """Send a compressed page whose end is missing, with a length that fits."""
    _, content = handler.server.registry.page(parameters)
    body = gzip.compress(json.dumps(content).encode())
    handler.send(200, "application/json", body[: len(body) * 2 // 3], {"Content-Encoding": "gzip"})


def whole_gzip(handler: Handler, parameters: Mapping[str, str]) -> None:
    """Send a compressed page."""
    _, content = handler.server.registry.page(parameters)
    body = gzip.compress(json.dumps(content).encode())
    handler.send(200, "application/json", body, {"Content-Encoding": "gzip"})


def silence(seconds: float) -> Reply:
    """Say nothing for longer than the client waits, then hang up."""

    def reply(handler: Handler, _: Mapping[str, str]) -> None:
        # released at once when the client hangs up: nothing waits out the whole time
        handler.connection.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            handler.connection.recv(1)
        handler.close_connection = True

    return reply


def trickle(handler: Handler, _: Mapping[str, str]) -> None:
    """Promise a page and send it byte by byte, for as long as the client listens."""
    handler.send(200, "application/json", b"{", {"Content-Length": str(10**9)})
    handler.close_connection = True
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b" ")
            time.sleep(0.01)


def repeated_token(handler: Handler, parameters: Mapping[str, str]) -> None:
    """Answer rightly, but point back to the page that was just asked for."""
    _, content = handler.server.registry.page(parameters)
    content["nextPageToken"] = parameters["pageToken"]
    handler.send_json(200, content)


def reshaped(change: Callable[[dict], None]) -> Reply:
    """Answer rightly after `change` has had its way with the page."""

    def reply(handler: Handler, parameters: Mapping[str, str]) -> None:
        _, content = handler.server.registry.page(parameters)
        change(content)
        handler.send_json(200, content)

    return reply
