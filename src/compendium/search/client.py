"""Ask a registry over HTTP: slowly, patiently, and without believing what it says about itself.

One request a second at most; what may pass (429, 5xx, time-outs, cut answers, a web page where
data should be) is tried again with growing pauses; what will not pass (any other 4xx) never is.
"""

import email.utils
import json
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import requests
import urllib3
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from compendium import __version__
from compendium.errors import InputError

BASE_URL = "https://clinicaltrials.gov/api/v2"
SECONDS_BETWEEN_REQUESTS = 1.0
ATTEMPTS = 6
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 120.0
LONGEST_REQUESTED_PAUSE = 900.0
TIMEOUT = (10.0, 30.0)
MOST_BYTES = 256 * 2**20
MOST_SECONDS = 600.0  # for one answer: a full page takes a few
CHECK_ADDRESS = "check that --base-url is the address before /studies"
TOO_MANY_REQUESTS = 429
REQUEST_TIMEOUT = 408
NOT_FOUND = 404
_CHUNK = 2**16


class RegistryError(InputError):
    """The registry could not be used: what it said, to which request, and what to do."""


class RejectedError(RegistryError):
    """The registry refused this very request; asking again would change nothing."""


class _PassingError(Exception):
    """A failure that may pass. `pause` is what the registry asked for, in seconds."""

    def __init__(self, what: str, pause: float | None = None) -> None:
        super().__init__(what)
        self.pause = pause


@dataclass(frozen=True)
class Clock:
    """Time as the client sees it, so that tests need not wait.

    Attributes
    ----------
    monotonic : callable
        Seconds that never run backwards.
    sleep : callable
        Waits a number of seconds.
    now : callable
        The date, for a ``Retry-After`` given as one.
    jitter : callable
        A number in [0, 1).
    """

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    jitter: Callable[[], float] = random.random


@dataclass(frozen=True)
class Answer:
    """One answer: the bytes as they came (decompressed), and what they say."""

    body: bytes
    data: Mapping


class RegistryClient:
    """Ask one API for JSON.

    Parameters
    ----------
    base_url : str
        The address before ``/studies``.
    clock : Clock
        Where time comes from.
    attempts : int
        How often one request is tried in all.
    timeout : tuple of float
        Seconds to connect, and seconds between two bytes.
    most_bytes : int
        The largest answer that is taken, decompressed.
    most_seconds : float
        The longest that one answer may take to arrive.

    Examples
    --------
    >>> client = RegistryClient("http://127.0.0.1:1/api/v2", attempts=1)
    >>> client.get("/version", {})
    Traceback (most recent call last):
        ...
    compendium.search.client.RegistryError: http://127.0.0.1:1/api/v2/version: no answer after ...
    """

    def __init__(
        self,
        base_url: str = BASE_URL,
        *,
        clock: Clock | None = None,
        attempts: int = ATTEMPTS,
        timeout: tuple[float, float] = TIMEOUT,
        most_bytes: int = MOST_BYTES,
        most_seconds: float = MOST_SECONDS,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.clock = clock or Clock()
        self.attempts = attempts
        self.timeout = timeout
        self.most_bytes = most_bytes
        self.most_seconds = most_seconds
        self._last: float | None = None
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"pain-neuromodulation-compendium/{__version__}"
        self._session.headers["Accept"] = "application/json"

    def get(self, path: str, parameters: Mapping[str, str]) -> Answer:
        """Return the JSON object that `path` answers with.

        Raises
        ------
        RejectedError
            On a 4xx other than 408 and 429, with the registry's own words.
        RegistryError
            On a redirection, an answer that is too long, or when every attempt failed; the message
            has the last reason.
        """
        where = self.base_url + path
        retrying = Retrying(
            retry=retry_if_exception_type(_PassingError),
            stop=stop_after_attempt(self.attempts),
            wait=self._pause,
            sleep=self.clock.sleep,
            reraise=True,
        )
        try:
            return retrying(self._ask, where, parameters)
        except _PassingError as error:
            tries = f"{self.attempts} attempt{'s' * (self.attempts > 1)}"
            raise RegistryError(
                f"no answer after {tries}; the last: {error}",
                where=where,
                remedy="run the same command again later: it goes on where it stopped",
            ) from error

    def _pause(self, state: RetryCallState) -> float:
        """Seconds to wait: what was asked for, else twice as long each time, half of it random."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _PassingError) and error.pause is not None:
            return error.pause
        longest = min(FIRST_PAUSE * 2 ** (state.attempt_number - 1), LONGEST_PAUSE)
        return longest / 2 + longest / 2 * self.clock.jitter()

    def _throttle(self) -> None:
        if self._last is not None:
            wait = self._last + SECONDS_BETWEEN_REQUESTS - self.clock.monotonic()
            if wait > 0:
                self.clock.sleep(wait)

    def _ask(self, where: str, parameters: Mapping[str, str]) -> Answer:
        self._throttle()
        try:
            with self._session.get(
                where,
                params=dict(parameters),
                timeout=self.timeout,
                stream=True,
                allow_redirects=False,
            ) as response:
                body = self._read(response, where)
        except (
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidSchema,
            requests.exceptions.MissingSchema,
        ) as error:
            raise RegistryError(str(error), where=where, remedy=CHECK_ADDRESS) from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _PassingError(_reason(error)) from error
        finally:
            # counted from the end, so that slow answers do not bring requests closer together
            self._last = self.clock.monotonic()
        self._judge(response, body, where)
        return Answer(body, _parse(body))

    def _read(self, response: requests.Response, where: str) -> bytes:
        chunks, size, began = [], 0, time.monotonic()
        # what has come, however little: a whole chunk of an answer that trickles takes for ever
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            size += len(chunk)
            if time.monotonic() - began > self.most_seconds:
                raise _PassingError(
                    f"the answer trickles: {size:,} bytes in {self.most_seconds:g} seconds"
                )
            if size > self.most_bytes:
                raise RegistryError(
                    f"the answer is longer than {self.most_bytes:,} bytes",
                    where=where,
                    remedy="ask for fewer fields, or a smaller page_size, in search.yml",
                )
            chunks.append(chunk)
        return b"".join(chunks)

    def _judge(self, response: requests.Response, body: bytes, where: str) -> None:
        """Raise unless this is a 200 that carries JSON."""
        status = response.status_code
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        said = f"{status} {response.reason or ''}".strip() + _excerpt(body)
        if status in (TOO_MANY_REQUESTS, REQUEST_TIMEOUT) or status >= 500:
            raise _PassingError(said, self._requested_pause(response, where))
        if status >= 400:
            misled = status == NOT_FOUND or where.endswith("/version")  # which takes no parameters
            raise RejectedError(
                f"the registry refused the request: {said}",
                where=where,
                remedy=CHECK_ADDRESS
                if misled
                else "correct the strategy: the same request would be refused again",
            )
        if status >= 300:
            raise RegistryError(
                f"the registry has moved to {response.headers.get('Location', 'nowhere')}",
                where=where,
                remedy="give the new address with --base-url",
            )
        if kind != "application/json":
            raise _PassingError(f"{kind or 'no content type'} instead of JSON" + _excerpt(body))

    def _requested_pause(self, response: requests.Response, where: str) -> float | None:
        """Return the seconds that ``Retry-After`` asks for, given as seconds or as a date."""
        header = response.headers.get("Retry-After", "").strip()
        if not header:
            return None
        if re.fullmatch("[0-9]+", header):
            seconds = float(header)
        else:
            try:
                date = email.utils.parsedate_to_datetime(header)
            except ValueError:
                return None
            if date.tzinfo is None:
                date = date.replace(tzinfo=UTC)
            seconds = max(0.0, (date - self.clock.now()).total_seconds())
        if seconds > LONGEST_REQUESTED_PAUSE:
            raise RegistryError(
                f"the registry asks to wait {seconds:,.0f} seconds",
                where=where,
                remedy="run the same command again after that: it goes on where it stopped",
            )
        return seconds


def _reason(error: Exception) -> str:
    """Say in a few words why there was no answer: before it came, or in the middle of it."""
    if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError):
        return "time-out"
    if isinstance(error, urllib3.exceptions.DecodeError):
        return "the compressed answer is damaged"
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return "the connection was cut in the middle of the answer"
    return f"the connection failed ({type(error).__name__})"


def _excerpt(body: bytes) -> str:
    text = " ".join(body[:400].decode("utf-8", "replace").split())[:120]
    return f": {text}" if text else ""


def _parse(body: bytes) -> Mapping:
    # as strict as the reader of snapshots: UTF-8 only, where `json` alone would guess
    try:
        data = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise _PassingError(
            f"the answer breaks off or is not JSON ({len(body):,} bytes)"
        ) from error
    if not isinstance(data, dict):
        raise _PassingError(f"the answer is JSON, but not an object{_excerpt(body)}")
    return data
