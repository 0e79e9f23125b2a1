"""The live search over real HTTP, against a registry of our own that misbehaves on demand.

Every fault ends in the whole result or in a precise error; never in a short snapshot.
"""

import email.utils
import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compendium import cli
from compendium.errors import InputError
from compendium.normalise.countries import read_country_aliases
from compendium.records import read_records
from compendium.search.client import (
    Clock,
    RegistryClient,
    RegistryError,
    RejectedError,
)
from compendium.search.diff import compare_records
from compendium.search.harvest import harvest
from compendium.search.pager import InconsistentError
from compendium.search.query import Query, render_query
from compendium.search.snapshot import files_of, read_manifest, verify_snapshot
from compendium.search.strategy import read_strategy
from tests.ctgov_server import (
    CtgovServer,
    cut_connection,
    openapi_check,
    own_check,
    repeated_token,
    reshaped,
    short_json,
    silence,
    status,
    study,
    trickle,
    truncated_gzip,
    web_page,
    web_page_called_json,
    whole_gzip,
)

START = datetime(2026, 11, 24, 9, 0, 0, tzinfo=UTC)
ABOUT = {"coverage": "all", "attribution": "ours", "modified": "no", "licence": "free"}


class FakeTime:
    """A clock that a test winds: sleeping only moves the hands."""

    def __init__(self):
        self.seconds = 0.0
        self.naps = []

    def sleep(self, seconds):
        self.naps.append(seconds)
        self.seconds += seconds

    @property
    def clock(self):
        return Clock(
            lambda: self.seconds,
            self.sleep,
            lambda: START + timedelta(seconds=self.seconds),
            lambda: 0.5,
        )


@pytest.fixture
def hands():
    return FakeTime()


@pytest.fixture
def registry():
    with CtgovServer([study(n) for n in range(1, 26)]) as server:
        yield server


def query(page_size=10, **more):
    parameters = {"query.cond": "pain", "countTotal": "true", "pageSize": str(page_size)} | more
    return Query("ClinicalTrials.gov", "api", parameters, "")


def run(server, out, hands, asked=None, **options):
    client = RegistryClient(server.base_url, clock=hands.clock, **options)
    return harvest(client, asked or query(), out, about=ABOUT)


def ids_in(folder):
    manifest = verify_snapshot(folder)
    return [
        one["protocolSection"]["identificationModule"]["nctId"]
        for entry in manifest["files"]
        for one in json.loads((folder / entry["name"]).read_bytes())["studies"]
    ]


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def nothing_but(tmp_path, *names):
    return sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


EVERYTHING = [f"NCT{n:08d}" for n in range(1, 26)]


def test_a_search_is_frozen_with_its_query_totals_and_hashes(registry, tmp_path, hands):
    out = run(registry, tmp_path / "new", hands)
    manifest = verify_snapshot(out)
    assert ids_in(out) == EVERYTHING
    assert [entry["records"] for entry in manifest["files"]] == [10, 10, 5]
    assert (manifest["id"], manifest["kind"]) == ("new", "search")
    assert (manifest["announced"], manifest["retrieved"]) == (25, 25)
    assert manifest["data_timestamp_before"] == manifest["data_timestamp_after"]
    assert manifest["processed_date"] == "2026-11-20"
    assert manifest["query"]["parameters"] == dict(query().parameters)
    assert manifest["query"]["address"] == f"{registry.base_url}/studies"
    assert nothing_but(tmp_path, "new")


def test_pages_are_asked_for_by_the_rules(registry, tmp_path, hands):
    run(registry, tmp_path / "new", hands)
    first, *others = registry.searches
    assert "pageToken" not in first
    for asked in others:
        assert {k: v for k, v in asked.items() if k != "pageToken"} == first
    # the version is read before and after
    assert [path for path, _ in registry.requests] == ["/version", *["/studies"] * 3, "/version"]


def test_at_most_one_request_a_second(registry, tmp_path, hands):
    run(registry, tmp_path / "new", hands)
    assert hands.naps == [1.0] * 4


def test_3454_trials_of_which_1000_arrive(tmp_path, hands):
    with CtgovServer([study(n) for n in range(1, 3455)]) as server:
        server.lose_after = 1000
        with pytest.raises(
            InconsistentError,
            match=r"3,454 records announced, 1,000 arrived: 2,454 missing "
            r"\(the answer ends with page 1 after NCT00001000\); no snapshot was written",
        ):
            run(server, tmp_path / "new", hands, query(1000))
        assert nothing_but(tmp_path)
        # the next run is not held up by the failed one
        server.lose_after = None
        out = run(server, tmp_path / "new", hands, query(1000))
        assert [e["records"] for e in read_manifest(out)["files"]] == [1000, 1000, 1000, 454]


def test_tokens_may_grow(registry, tmp_path, hands):
    registry.token_length = 3000
    assert ids_in(run(registry, tmp_path / "new", hands)) == EVERYTHING


def test_an_empty_page_with_a_token_is_not_the_end(registry, tmp_path, hands):
    registry.empty_pages = {1, 3}
    out = run(registry, tmp_path / "new", hands)
    assert ids_in(out) == EVERYTHING
    assert [entry["records"] for entry in read_manifest(out)["files"]] == [0, 10, 0, 10, 5]


def test_a_repeated_token_is_refused(registry, tmp_path, hands):
    registry.plan[2] = repeated_token
    with pytest.raises(InconsistentError, match="comes back: the pages run in a circle"):
        run(registry, tmp_path / "new", hands)
    assert nothing_but(tmp_path)


def test_a_token_from_further_back_is_refused(registry, tmp_path, hands):
    # after a resumed start as well: the tokens of the journal count
    registry.plan[2] = status(503)
    registry.plan[3] = lambda handler, _: handler.send_json(
        200, {"studies": [study(99)], "nextPageToken": registry.searches[1]["pageToken"]}
    )
    with pytest.raises(RegistryError, match="no answer after 1 attempt"):
        run(registry, tmp_path / "new", hands, attempts=1)
    with pytest.raises(InconsistentError, match="in a circle"):
        run(registry, tmp_path / "new", hands, attempts=1)


def rename_first(page, name):
    page["studies"][0]["protocolSection"]["identificationModule"]["nctId"] = name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda page: page.pop("totalCount"), "announces no total"),
        (lambda page: page.pop("studies"), "holds no list of studies"),
        (lambda page: page.update(totalCount="many"), "'many' is not a total"),
        (lambda page: page.update(totalCount=26), "1 missing"),
        (lambda page: page.update(totalCount=24), "1 more than announced"),
        (lambda page: page.update(nextPageToken=7), "7 is not a page token"),
        (lambda page: page["studies"].append({"hasResults": False}), r"studies\[10\] has no NCT"),
        (
            lambda page: page["studies"].append(study(13)),
            r"1 came more than once: NCT00000013 \(page 1, 2\)",
        ),
        (lambda page: rename_first(page, "nct00000013"), "no NCT id, but 'nct00000013'"),
        (lambda page: rename_first(page, "../manifest"), "no NCT id, but '../manifest'"),
    ],
)
def test_a_page_that_contradicts_itself(registry, tmp_path, hands, change, message):
    registry.plan[1] = reshaped(change)
    with pytest.raises(InconsistentError, match=message):
        run(registry, tmp_path / "new", hands)
    assert nothing_but(tmp_path)


def test_a_total_that_changes_between_pages(registry, tmp_path, hands):
    registry.plan[2] = reshaped(lambda page: page.update(totalCount=30))
    with pytest.raises(InconsistentError, match=r"page 2 announces 30 records, the first .* 25"):
        run(registry, tmp_path / "new", hands)


@pytest.mark.parametrize(
    ("studies", "message"),
    [
        (lambda number: [], "more than 50 empty pages came in a row"),
        (lambda number: [study(100 + number)], "25 records announced, 26 arrived: 1 more than"),
    ],
    ids=["empty", "more"],
)
def test_pages_that_never_end(registry, tmp_path, hands, studies, message):
    def one_more(handler, parameters):
        number = len(handler.server.registry.searches)
        page = {"studies": studies(number), "nextPageToken": f"t{number}", "totalCount": 25}
        handler.send_json(200, page)

    registry.always = one_more
    with pytest.raises(InconsistentError, match=message):
        run(registry, tmp_path / "new", hands)
    assert nothing_but(tmp_path)


def test_a_search_that_finds_nothing_makes_no_snapshot(tmp_path, hands):
    with (
        CtgovServer([]) as server,
        pytest.raises(InconsistentError, match=r"finds nothing; .* check the terms"),
    ):
        run(server, tmp_path / "new", hands)
    assert nothing_but(tmp_path)


@pytest.mark.parametrize(
    "fault",
    [
        status(429),
        status(500),
        status(503),
        web_page,
        web_page_called_json,
        cut_connection,
        short_json,
        truncated_gzip,
        lambda handler, _: handler.send_json(200, [1, 2]),
        lambda handler, _: handler.send(200, "application/json", b""),
        lambda handler, _: handler.send(200, "application/json", b"[" * 100_000),
        lambda handler, _: handler.send(200, "application/json", b'{"a":' + b"9" * 5000 + b"}"),
        lambda handler, _: handler.send(200, "application/json", '{"a": 1}'.encode("utf-16")),
    ],
    ids=[
        "429", "500", "503", "html", "html-as-json", "cut", "short", "short-gzip", "list", "empty",
        "deep", "digits", "utf-16",
    ],
)  # fmt: skip
def test_what_passes_is_waited_out_and_what_stays_is_an_error(registry, tmp_path, hands, fault):
    registry.plan = {2: fault, 3: fault, 5: fault}
    assert ids_in(run(registry, tmp_path / "new", hands)) == EVERYTHING
    registry.always = fault
    with pytest.raises(RegistryError, match=r"/studies: no answer after 6 attempts; the last: \w"):
        run(registry, tmp_path / "other", hands)
    # not one page has come, so that there is nothing to go on with
    assert nothing_but(tmp_path, "new")


def test_a_time_out_is_waited_out(registry, tmp_path, hands):
    registry.plan = {2: silence(5)}
    assert ids_in(run(registry, tmp_path / "new", hands, timeout=(1, 0.1))) == EVERYTHING
    registry.always = silence(5)
    with pytest.raises(RegistryError, match="after 2 attempts; the last: time-out"):
        run(registry, tmp_path / "other", hands, timeout=(1, 0.1), attempts=2)


def test_an_answer_that_trickles_is_not_waited_for(registry, tmp_path, hands):
    registry.plan = {2: trickle}
    assert ids_in(run(registry, tmp_path / "new", hands, most_seconds=0.2)) == EVERYTHING
    registry.always = trickle
    with pytest.raises(RegistryError, match=r"the last: the answer trickles: [\d,]+ bytes in 0.2"):
        run(registry, tmp_path / "other", hands, most_seconds=0.2, attempts=2)


def test_nobody_listens(tmp_path, hands):
    with CtgovServer([]) as server:
        address = server.base_url
    client = RegistryClient(address, clock=hands.clock, attempts=2)
    with pytest.raises(RegistryError, match="no answer after 2 attempts; the last: the connection"):
        harvest(client, query(), tmp_path / "new", about=ABOUT)


def test_compressed_pages_are_read(registry, tmp_path, hands):
    registry.always = whole_gzip
    assert ids_in(run(registry, tmp_path / "new", hands)) == EVERYTHING


def test_pauses_grow_with_jitter(registry, tmp_path, hands):
    registry.plan = dict.fromkeys(range(1, 6), status(503))
    run(registry, tmp_path / "new", hands)
    # half of 2, 4, 8, 16, 32 seconds is certain, half of the rest is the clock's jitter of 0.5
    assert [nap for nap in hands.naps if nap > 1] == [1.5, 3.0, 6.0, 12.0, 24.0]


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(registry, tmp_path, hands, form):
    when = email.utils.format_datetime(START + timedelta(seconds=43), usegmt=True)
    registry.plan = {1: status(429, {"Retry-After": "42" if form == "seconds" else when})}
    assert ids_in(run(registry, tmp_path / "new", hands)) == EVERYTHING
    assert [nap for nap in hands.naps if nap > 1] == [42.0]


def test_a_retry_after_nobody_would_wait_for_is_said(registry, tmp_path, hands):
    registry.plan = {2: status(503, {"Retry-After": "7200"})}
    with pytest.raises(RegistryError, match="asks to wait 7,200 seconds; run the same command"):
        run(registry, tmp_path / "new", hands)
    assert ids_in(run(registry, tmp_path / "new", hands)) == EVERYTHING


@pytest.mark.parametrize("text", ["soon", "²", "1.5", "-5"])
def test_an_unreadable_retry_after_is_an_ordinary_pause(registry, tmp_path, hands, text):
    registry.plan = {1: status(429, {"Retry-After": text})}
    run(registry, tmp_path / "new", hands)
    assert [nap for nap in hands.naps if nap > 1] == [1.5]


@pytest.mark.parametrize("code", [400, 401, 403, 404, 414])
def test_a_refusal_is_never_repeated(registry, tmp_path, hands, code):
    registry.always = status(code, body=b"`query.cond` has invalid value")
    with pytest.raises(RejectedError, match=rf"{code} .*`query\.cond` has invalid value"):
        run(registry, tmp_path / "new", hands)
    assert len(registry.searches) == 1
    assert nothing_but(tmp_path)


def test_a_wrong_parameter_is_refused_by_our_registry(registry, tmp_path, hands):
    with pytest.raises(RejectedError, match="pageSize is not within 1 and 1000"):
        run(registry, tmp_path / "new", hands, query(1001))
    with pytest.raises(RejectedError, match=r"unknown parameter query\.condition"):
        run(registry, tmp_path / "new", hands, query(**{"query.condition": "pain"}))
    assert len(registry.rejected) == 2


def test_a_redirection_is_not_followed(registry, tmp_path, hands):
    registry.always = status(301, {"Location": "https://elsewhere.example/api"})
    with pytest.raises(RegistryError, match=r"has moved to https://elsewhere\.example/api"):
        run(registry, tmp_path / "new", hands)
    assert nothing_but(tmp_path)


def test_an_endless_answer_is_cut(registry, tmp_path, hands):
    with pytest.raises(RegistryError, match=r"longer than 500 bytes; ask for fewer fields"):
        run(registry, tmp_path / "new", hands, most_bytes=500)


def test_a_version_change_at_the_end_begins_anew(registry, tmp_path, hands):
    registry.versions = ["2026-11-19T09:00:00"]
    out = run(registry, tmp_path / "new", hands)
    manifest = read_manifest(out)
    assert ids_in(out) == EVERYTHING
    assert manifest["data_timestamp_before"] == "2026-11-20T09:00:05"
    assert len(registry.searches) == 6


def test_a_version_change_in_the_middle_begins_anew(registry, tmp_path, hands):
    """The old token is refused, one trial is new: the result is of the new version alone."""

    def refresh(handler, parameters):
        registry.version = "2026-11-23T09:00:00"
        registry.studies.append(study(26))
        handler.right(parameters)

    registry.plan[2] = refresh
    out = run(registry, tmp_path / "new", hands)
    assert ids_in(out) == [*EVERYTHING, "NCT00000026"]
    assert read_manifest(out)["data_timestamp_before"] == "2026-11-23T09:00:00"


def test_data_that_never_hold_still_are_given_up(registry, tmp_path, hands):
    registry.versions = [f"2026-11-{day:02d}T09:00:00" for day in range(1, 30)]
    with pytest.raises(RegistryError, match="changed during each of 3 runs"):
        run(registry, tmp_path / "new", hands)
    assert not (tmp_path / "new").exists()


def test_an_api_without_a_version(registry, tmp_path, hands):
    client = RegistryClient(registry.base_url + "/nowhere", clock=hands.clock)
    with pytest.raises(RejectedError, match=r"404 .*check that --base-url is the address"):
        harvest(client, query(), tmp_path / "new", about=ABOUT)
    registry.versions = ["yesterday"]
    with pytest.raises(RegistryError, match="does not state the version of its data"):
        run(registry, tmp_path / "new", hands)
    assert nothing_but(tmp_path)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "localhost:80/api", "ftp://127.0.0.1/", "http://"]
)
def test_a_wrong_address_is_said_at_once(tmp_path, hands, address):
    with pytest.raises(RegistryError, match="check that --base-url is the address"):
        harvest(RegistryClient(address, clock=hands.clock), query(), tmp_path / "x", about=ABOUT)
    assert not hands.naps
    assert nothing_but(tmp_path)


def test_two_runs_do_not_make_one_snapshot(registry, tmp_path, hands):
    def second(handler, parameters):
        with pytest.raises(InputError, match="another run is making this snapshot"):
            run(registry, tmp_path / "new", FakeTime())
        handler.right(parameters)

    registry.plan[2] = second
    assert ids_in(run(registry, tmp_path / "new", hands)) == EVERYTHING
    assert nothing_but(tmp_path, "new")


def test_the_place_may_be_named_by_a_link(registry, tmp_path, hands):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    assert ids_in(run(registry, tmp_path / "link", hands)) == EVERYTHING
    assert nothing_but(tmp_path, "disk", "link")


def test_a_full_disk_is_said_in_one_line(monkeypatch, capsys):
    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cli, "compendium", full)
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    assert capsys.readouterr().err == "compendium: writing: No space left on device\n"


def test_a_finished_snapshot_is_never_changed(registry, tmp_path, hands):
    out = run(registry, tmp_path / "new", hands)
    before = contents(out)
    registry.studies.append(study(26))
    with pytest.raises(InputError, match="a finished snapshot is never changed"):
        run(registry, out, hands)
    assert contents(out) == before


FATES = st.sampled_from(["whole", "cut", "flip", "gone", "spare"])


def test_an_empty_folder_is_not_a_snapshot_yet(registry, tmp_path, hands):
    (tmp_path / "new").mkdir()
    assert ids_in(run(registry, tmp_path / "new", hands)) == EVERYTHING
    (tmp_path / "file").write_text("something")
    os.mkfifo(tmp_path / "pipe")
    for name in ("file", "pipe"):
        with pytest.raises(InputError, match="never changed"):
            run(registry, tmp_path / name, hands)


def stopped_at(registry, out, hands, page):
    """Leave a partial folder behind: the registry is down from this page on."""
    registry.always = status(503)
    registry.plan = {n: lambda handler, asked: handler.right(asked) for n in range(1, page)}
    with pytest.raises(RegistryError, match="goes on where it stopped"):
        run(registry, out, hands, attempts=1)
    registry.always = None
    registry.plan = {}
    registry.requests.clear()


def test_a_stopped_run_goes_on_where_it_was(registry, tmp_path, hands):
    whole = contents(run(registry, tmp_path / "whole" / "new", hands))
    registry.requests.clear()
    stopped_at(registry, tmp_path / "new", hands, page=3)
    out = run(registry, tmp_path / "new", hands)
    assert ids_in(out) == EVERYTHING
    assert len(registry.searches) == 1
    # the same snapshot as without the stop, but for the tokens the server made anew
    names = [name for name in whole if name == "page-0003.json"]
    assert {name: contents(out)[name] for name in names} == {name: whole[name] for name in names}


def test_a_stopped_run_of_another_version_begins_anew(registry, tmp_path, hands):
    stopped_at(registry, tmp_path / "new", hands, page=3)
    registry.version = "2026-11-23T09:00:00"
    assert ids_in(run(registry, tmp_path / "new", hands)) == EVERYTHING
    assert len(registry.searches) == 3


def test_a_stopped_run_of_another_query_begins_anew(registry, tmp_path, hands):
    stopped_at(registry, tmp_path / "new", hands, page=3)
    out = run(registry, tmp_path / "new", hands, query(**{"query.intr": "TMS"}))
    assert read_manifest(out)["query"]["parameters"]["query.intr"] == "TMS"
    assert len(registry.searches) == 3


def test_a_forgotten_token_begins_anew(registry, tmp_path, hands):
    stopped_at(registry, tmp_path / "new", hands, page=3)
    registry.tokens.clear()
    assert ids_in(run(registry, tmp_path / "new", hands)) == EVERYTHING


@given(data=st.data())
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_is_left_of_a_killed_run_the_next_one_is_whole(registry, tmp_path_factory, data):
    """Kill at any byte: each file may be whole, cut, changed, missing, or half-written."""
    hands = FakeTime()
    tmp_path = tmp_path_factory.mktemp("killed")
    stopped_at(registry, tmp_path / "new", hands, page=data.draw(st.integers(1, 3), label="page"))
    partial = tmp_path / "new.partial"
    for path in sorted(path for path in partial.rglob("*") if path.is_file()):
        fate = data.draw(
            st.sampled_from(["whole", "cut", "flip", "gone", "spare"]), label=path.name
        )
        content = path.read_bytes()
        if fate == "cut":
            path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
        elif fate == "flip":
            at = data.draw(st.integers(0, len(content) - 1))
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        elif fate == "gone":
            path.unlink()
        elif fate == "spare":
            (path.parent / f".{path.name}.abc").write_bytes(content[: len(content) // 2])
    out = run(registry, tmp_path / "new", hands)
    assert ids_in(out) == EVERYTHING
    assert nothing_but(tmp_path, "new")


def test_a_kill_after_the_rename_is_finished_by_the_next_run(registry, tmp_path, hands):
    stopped_at(registry, tmp_path / "new", hands, page=3)
    journal = (tmp_path / "new.partial" / "journal.json").read_bytes()
    out = run(registry, tmp_path / "new", hands)
    before = contents(out)
    (tmp_path / "new.partial").mkdir()
    (tmp_path / "new.partial" / "journal.json").write_bytes(journal)
    assert run(registry, out, hands) == out
    assert contents(out) == before
    assert nothing_but(tmp_path, "new")


def test_a_killed_process_is_taken_up_by_the_next(root, tmp_path):
    """`compendium search` is killed without warning while it waits for its second page."""
    command = [
        sys.executable, "-c", "from compendium.cli import main; main()", "search",
        "--protocol", str(root / "data" / "protocol"), "--out", str(tmp_path / "new"),
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    with CtgovServer([study(n) for n in range(1, 1500)]) as server:
        server.plan[2] = silence(30)
        command += ["--base-url", server.base_url]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while len(server.searches) < 2 and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert nothing_but(tmp_path, "new.partial")
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "WHO ICTRP" in done.stdout
        # one request before the kill, the one that was killed, and its repetition
        assert len(server.searches) == 3
        again = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
    assert again.returncode == 1
    assert "never changed" in again.stderr
    assert ids_in(tmp_path / "new") == [f"NCT{n:08d}" for n in range(1, 1500)]


@pytest.mark.parametrize("specification", ["own", "openapi"])
def test_the_projects_own_search_obeys_the_specification(
    root, request, tmp_path, hands, specification
):
    checks = [own_check()]
    if specification == "openapi":
        shared = request.getfixturevalue("shared")
        checks.append(openapi_check(shared / "registry" / "native" / "ctgov-openapi-2.0.5.yaml"))
    asked = render_query(read_strategy(root / "data" / "protocol"), "ClinicalTrials.gov")
    asked = replace(asked, parameters={**asked.parameters, "pageSize": "10"})
    with CtgovServer([study(n) for n in range(1, 26)], checks) as server:
        assert ids_in(run(server, tmp_path / "new", hands, asked)) == EVERYTHING
        assert server.rejected == []


def test_a_live_search_feeds_the_readers_of_the_embedded_snapshot(root, tmp_path, hands):
    embedded = root / "data" / "snapshot" / "ctgov-2020-07-28"
    studies = [
        one
        for entry in files_of(read_manifest(embedded))
        for one in json.loads((embedded / entry["name"]).read_bytes())["studies"]
    ]
    with CtgovServer(studies) as server:
        server.empty_pages = {2}
        server.token_length = 50
        out = run(server, tmp_path / "live", hands, query(100))
    aliases = read_country_aliases(root / "data" / "protocol" / "countries.csv")
    old, new = (read_records([folder], aliases) for folder in (embedded, out))
    assert len(new.records) == 328
    assert new.quarantine.empty
    found = compare_records(old.records, new.records)
    assert found.appeared.empty
    assert found.vanished.empty
    # the embedded snapshot's manifest alone says which records' countries were read in part
    assert set(found.changed["field"]) <= {"countries_coverage"}
