import json
import shutil
import subprocess
import sys
from contextlib import suppress

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from compendium.cli.records import records as command
from compendium.errors import InputError
from compendium.normalise.countries import read_country_aliases
from compendium.record_schema import COLUMNS, SCHEMA
from compendium.records import flag_table, read_record_table, read_records
from compendium.search.ctgov import PageSummary, check_page_order, check_study
from compendium.search.ctgov_record import split_criteria, study_row
from compendium.search.native import MalformedRecordError, RejectedRecord
from compendium.search.snapshot import (
    MANIFEST,
    UnsealedError,
    read_manifests,
    verify_snapshot,
    write_manifest,
)
from compendium.tables import write_table

SNAPSHOTS = ("background", "ctgov-2020-07-28", "ictrp-other-registries")


@pytest.fixture(scope="session")
def aliases(root):
    return read_country_aliases(root / "data" / "protocol" / "countries.csv")


@pytest.fixture(scope="session")
def embedded(root, aliases):
    return read_records([root / "data" / "snapshot" / name for name in SNAPSHOTS], aliases)


def test_every_embedded_record_is_read_and_none_is_set_aside(embedded):
    assert embedded.quarantine.empty
    assert embedded.records.groupby("snapshot_id").size().to_dict() == {
        "background": 204,
        "ctgov-2020-07-28": 328,
        "ictrp-other-registries": 168,
    }
    assert tuple(embedded.records.columns) == COLUMNS
    SCHEMA.validate(embedded.records)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_table_comes_back_from_disk_as_it_was(embedded, tmp_path, suffix):
    path = write_table(embedded.records, tmp_path / f"records{suffix}")
    pd.testing.assert_frame_equal(read_record_table(path), embedded.records)


def test_unknown_is_not_no(embedded):
    sample = embedded.records.query("snapshot_id == 'ctgov-2020-07-28'")
    assert sample["results"].value_counts().to_dict() == {"no": 235, "yes": 48, "unknown": 45}
    assert sample["countries_coverage"].value_counts().to_dict() == {
        "complete": 267,
        "unknown": 51,
        "partial": 10,
    }
    assert sample["phase"].isna().sum() == 20
    assert (sample["phase"] == "NA").sum() == 234


def test_every_country_of_the_embedded_records_is_resolved(embedded):
    unresolved = [f for flags in embedded.records["flags"] for f in flags if "unresolved" in f]
    assert unresolved == []


# --- a snapshot's integrity ---------------------------------------------------------------------


@pytest.fixture
def copy(root, tmp_path):
    """A copy of the embedded ClinicalTrials.gov snapshot, to be harmed."""
    folder = tmp_path / "ctgov-2020-07-28"
    shutil.copytree(root / "data" / "snapshot" / folder.name, folder)
    return folder


@pytest.mark.parametrize("name", ["page-0001.json", "page-0003.json", "known-items.csv"])
def test_one_changed_byte_is_refused_by_file_name(copy, aliases, name):
    content = bytearray((copy / name).read_bytes())
    content[1000] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}: the file is not the one that was sealed"):
        read_records([copy], aliases)


def harm_missing(folder):
    (folder / "page-0002.json").unlink()


def harm_empty(folder):
    (folder / "page-0002.json").write_bytes(b"")


def harm_extra(folder):
    (folder / "page-0002.json").rename(folder / "page-2.json")
    shutil.copy(folder / "page-2.json", folder / "page-0002.json")


def harm_manifest(folder):
    (folder / MANIFEST).write_text('{"files": [')


def harm_manifest_gone(folder):
    (folder / MANIFEST).unlink()


def harm_outside(folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][0]["name"] = "../elsewhere.json"
    (folder / MANIFEST).write_text(json.dumps(manifest))


def harm_count(folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][1]["records"] = 99
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (harm_missing, r"page-0002\.json: the manifest lists it, but it is missing"),
        (harm_empty, r"page-0002\.json: the file is empty \(0 bytes\)"),
        (harm_extra, r"page-2\.json: the file lies in the snapshot but the manifest does not"),
        (harm_manifest, r"manifest\.json: the manifest is not JSON"),
        (harm_manifest_gone, r"has no manifest\.json, so nothing vouches"),
        (harm_outside, r"points outside the snapshot"),
        (harm_count, r"page-0002\.json: the manifest says 99 records, the file holds 100"),
    ],
)
def test_a_harmed_snapshot_is_refused_by_name(copy, aliases, harm, message):
    harm(copy)
    with pytest.raises(InputError, match=message):
        read_records([copy], aliases)


def test_no_snapshot_and_no_folder(tmp_path, aliases):
    with pytest.raises(InputError, match="no snapshot was named"):
        read_records([], aliases)
    with pytest.raises(InputError, match="no such snapshot folder"):
        read_records([tmp_path / "nowhere"], aliases)


@given(st.binary(max_size=200))
@settings(max_examples=30)
def test_what_was_sealed_verifies(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("snapshot")
    (folder / "page.json").write_bytes(content + b" ")
    write_manifest(
        folder,
        kind="search",
        registry="ClinicalTrials.gov",
        processed_date="2026-01-01",
        coverage="all",
        files=[{"name": "page.json", "records": 0}],
        announced=0,
        retrieved=0,
    )
    assert verify_snapshot(folder)["files"][0]["bytes"] == len(content) + 1


# --- pages of ClinicalTrials.gov ----------------------------------------------------------------


@pytest.fixture
def pages(root):
    return root / "tests" / "fixtures" / "ctgov"


def seal(folder, names, **further):
    """Seal the named pages in reading order."""
    write_manifest(
        folder,
        kind="search",
        registry="ClinicalTrials.gov",
        processed_date="2026-01-01",
        coverage="all",
        files=[{"name": name} for name in names],
        announced=None,
        retrieved=0,
        **further,
    )


def sealed(tmp_path, source, names, order=None):
    folder = tmp_path / "sealed"
    folder.mkdir()
    for name in names:
        shutil.copy(source / name, folder / name)
    seal(folder, order or names)
    return folder


def test_an_empty_page_in_the_middle_is_no_end(tmp_path, pages, aliases):
    names = ["page-0001.json", "page-0002.json", "page-0003.json"]
    found = read_records([sealed(tmp_path, pages, names)], aliases)
    assert found.records["record_id"].tolist() == ["NCT00000011", "NCT00000012", "NCT00000013"]


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ((1, 3, 2), r"page-0003\.json: wrong page order: it says it is the last page, but"),
        ((2, 1, 3), r"page-0001\.json: wrong page order: it carries the total"),
        ((3, 2, 1), r"page-0003\.json: wrong page order"),
        ((1, 2), r"page-0002\.json: it names a next page that is not here"),
        ((1,), r"page-0001\.json: it names a next page that is not here"),
        ((1, 1, 3), r"page-0001\.json: "),
    ],
)
def test_a_wrong_page_order_is_refused(tmp_path, pages, aliases, order, message):
    names = [f"page-000{number}.json" for number in order]
    folder = sealed(tmp_path, pages, sorted(set(names)), names)
    with pytest.raises(InputError, match=message):
        read_records([folder], aliases)


def test_pages_swapped_in_the_middle_are_told_by_their_tokens():
    pages = [
        PageSummary("one", "A", 4, 1),
        PageSummary("two", "B", None, 1),
        PageSummary("three", "C", None, 1),
        PageSummary("four", None, None, 1),
    ]
    tokens = {"one": None, "two": "A", "three": "B", "four": "C"}
    check_page_order(pages, tokens)
    swapped = [pages[0], pages[2], pages[1], pages[3]]
    with pytest.raises(InputError, match="three: wrong page order: by its token it does not"):
        check_page_order(swapped, tokens)
    with pytest.raises(InputError, match="two: it names the same next page as one"):
        check_page_order([pages[0], PageSummary("two", "A", None, 1), *pages[2:]])
    with pytest.raises(InputError, match="announced 9 studies, the pages hold 4"):
        check_page_order([pages[0]._replace(total=9), *pages[1:]])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("truncated.json", "the JSON breaks off"),
        ("web-page.json", "this is a web page, not ClinicalTrials.gov JSON"),
        ("bad-request.json", "the JSON is not valid at line 1, column 1"),
        ("no-studies.json", "the snapshot holds no records"),
    ],
)
def test_a_page_that_is_no_page_is_named(tmp_path, pages, aliases, name, message):
    with pytest.raises(InputError, match=message):
        read_records([sealed(tmp_path, pages, [name])], aliases)


def test_a_page_of_no_bytes_is_named(pages, aliases):
    with pytest.raises(InputError, match=r"zero-bytes\.json: the file is empty \(0 bytes\)"):
        read_records([pages / "zero-bytes.json"], aliases, accept_unsealed=True)


@pytest.mark.parametrize("cut", [1, 60, 300, -2])
def test_a_truncated_page_is_never_half_read(pages, tmp_path, aliases, cut):
    path = tmp_path / "page.json"
    path.write_bytes((pages / "page-0001.json").read_bytes()[:cut])
    with pytest.raises(InputError, match=r"page\.json: the JSON breaks off"):
        read_records([path], aliases, accept_unsealed=True)


def test_bad_studies_are_set_aside_with_their_reasons(pages, aliases):
    found = read_records([pages / "quarantined.json"], aliases, accept_unsealed=True)
    assert found.records["record_id"].tolist() == ["NCT00000035"]
    reasons = dict(zip(found.quarantine["location"], found.quarantine["reason"], strict=True))
    assert reasons == {
        "studies[0]": "unknown-status: statusModule.overallStatus is 'FROZEN'",
        "studies[1]": "negative-enrolment: an enrolment of -5",
        "studies[2]": "unknown-phase: designModule.phases has 'PHASE5'",
        "studies[3]": "wrong-type: conditionsModule.conditions is text, not a list",
        "studies[4]": "bad-id: 'NCT123'",
        "studies[5]": "no-id: the study has no nctId",
        "studies[6]": "wrong-type: a study is text",
        "studies[8]": "repeated-in-snapshot: already read from quarantined.json/quarantined.json "
        "studies[7]",
        "studies[9]": "wrong-type: statusModule.startDateStruct is text, not an object",
    }


def test_odd_studies_are_kept_and_flagged(pages, aliases):
    found = read_records([pages / "odd-but-kept.json"], aliases, accept_unsealed=True)
    assert found.quarantine.empty
    rows = {row["record_id"][-2:]: row for row in found.records.to_dict("records")}
    assert rows["21"]["public_title"] == "<script>alert('x')</script>"
    assert "public_title:markup" in rows["21"]["flags"]
    assert rows["22"]["public_title"] == "\u202eniap rof SCS\u202c and a bell \u0007"
    assert "public_title:control-characters" in rows["22"]["flags"]
    assert rows["23"]["start_raw"] == "2641-06-14"
    assert pd.isna(rows["23"]["start"])
    assert "start:impossible-date" in rows["23"]["flags"]
    assert (rows["24"]["start"], rows["24"]["completion"]) == ("1998-12", "2004")
    assert rows["24"]["completion_kind"] == "anticipated"
    assert rows["25"]["enrolment_raw"] == "99999999"
    assert pd.isna(rows["25"]["enrolment"])
    assert (rows["25"]["enrolment_kind"], rows["26"]["enrolment"]) == ("actual", 0)
    assert rows["27"]["phase"] == "NA"
    assert (rows["27"]["countries"], rows["27"]["countries_raw"]) == (
        ("TUR",),
        ("Turkey (Türkiye)", "Kosovo"),
    )
    assert "countries:unresolved Kosovo" in rows["27"]["flags"]
    assert rows["28"]["nct_aliases"] == ("NCT00000099",)
    assert rows["28"]["secondary_ids"] == ("ORG-1", "2015-002340-14")


def test_no_contact_reaches_the_table(pages, aliases, tmp_path):
    found = read_records([pages / "odd-but-kept.json"], aliases, accept_unsealed=True)
    path = write_table(found.records, tmp_path / "records.csv")
    text = path.read_text(encoding="utf-8")
    assert "Example" not in text
    assert "example.org" not in text


def study(title, number="NCT00000041"):
    identification = {"nctId": number, "briefTitle": title}
    return {"protocolSection": {"identificationModule": identification}}


def test_a_title_of_ten_thousand_characters_is_kept_and_flagged(tmp_path, aliases):
    path = tmp_path / "page.json"
    path.write_text(json.dumps({"studies": [study("pain " * 2000)]}))
    row = read_records([path], aliases, accept_unsealed=True).records.loc[0]
    assert len(row["public_title"]) == 10_000
    assert "public_title:very-long" in row["flags"]


ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=[]), min_size=1, max_size=40)


@given(st.lists(ANY_TEXT, min_size=20, max_size=60))
@settings(max_examples=4, deadline=None)
def test_any_title_survives_the_table(tmp_path_factory, titles):
    folder = tmp_path_factory.mktemp("titles")
    path = folder / "page.json"
    studies = [study(title, f"NCT{number:08d}") for number, title in enumerate(titles, start=1)]
    path.write_text(json.dumps({"studies": studies}))
    table = read_records([path], {}, accept_unsealed=True).records
    back = read_record_table(write_table(table, folder / "records.csv"))
    pd.testing.assert_frame_equal(back, table)


def places(node, path=()):
    """Yield the path of every value in parsed JSON."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_value_in_any_place_ends_in_a_row_or_a_reason(root, data):
    page = json.loads((root / "data/snapshot/ctgov-2020-07-28/page-0004.json").read_text())
    harmed = page["studies"][0]
    path = data.draw(st.sampled_from(sorted(places(harmed), key=str)))
    node = harmed
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = data.draw(
        st.sampled_from([None, [], {}, "", 0, -1, 1.5, True, "x", ["x"], [1], {"a": 1}, [None]])
    )
    record = check_study(harmed, "studies[0]")
    if isinstance(record, RejectedRecord):
        assert record.reason
        return
    with suppress(MalformedRecordError):
        assert study_row(record.content, {})["record_id"].startswith("NCT")


def test_every_real_study_is_read(shared, aliases):
    folder = shared / "registry" / "native"
    files = [folder / f"ctgov-v2-{part}.json" for part in "abc"]
    found = read_records(files, aliases, accept_unsealed=True)
    assert len(found.records) == 238
    assert found.quarantine.empty
    assert not any("unresolved" in flag for flags in found.records["flags"] for flag in flags)
    assert found.records["inclusion_criteria"].notna().all()


def test_criteria_are_split_at_their_headings():
    assert split_criteria("Adults only") == ("Adults only", None)
    both = split_criteria("Exclusion Criteria:\nepilepsy\nInclusion Criteria:\nadults")
    assert both == ("Inclusion Criteria:\nadults", "Exclusion Criteria:\nepilepsy")
    inside = "Inclusion Criteria:\nmeets no exclusion criteria of the device"
    assert split_criteria(inside) == (inside, None)


# --- several snapshots, and the command -----------------------------------------------------------


def test_a_record_of_two_snapshots_is_kept_once_and_listed(pages, aliases, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    shutil.copy(pages / "page-0003.json", again)
    found = read_records([pages / "page-0003.json", again], aliases, accept_unsealed=True)
    assert len(found.records) == 1
    reason = found.quarantine["reason"].tolist()
    assert reason == [
        "repeated-in-later-snapshot: already read from page-0003.json/page-0003.json studies[0]"
    ]


def test_files_without_a_manifest_are_refused_unless_asked_for(pages, aliases):
    with pytest.raises(UnsealedError, match="this is a file, not a snapshot folder"):
        read_records([pages / "page-0003.json"], aliases)
    found = read_records([pages / "page-0003.json"], aliases, accept_unsealed=True)
    assert "snapshot:unsealed" in found.records.loc[0, "flags"]


def test_pages_without_a_manifest_are_read_in_natural_order(pages, aliases, tmp_path):
    for source, name in ((1, "page-9"), (2, "page-10"), (3, "page-11")):
        shutil.copy(pages / f"page-000{source}.json", tmp_path / f"{name}.json")
    assert len(read_records([tmp_path], aliases, accept_unsealed=True).records) == 3


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_the_command_writes_both_tables_and_says_what_it_set_aside(root, pages, tmp_path):
    out = tmp_path / "records.csv"
    countries = root / "data/protocol/countries.csv"
    result = run(pages / "quarantined.json", "--out", out, "--countries", countries)
    assert result.exit_code == 0
    assert "1 records" in result.output
    assert "9 set aside" in result.output
    assert "set aside: 1 × unknown-status" in result.output
    assert "without a manifest" in result.output
    assert len(read_record_table(out)) == 1
    assert len(pd.read_csv(tmp_path / "records-quarantine.csv")) == 9


def test_the_command_gives_the_same_bytes_twice(root, tmp_path):
    arguments = [root / "data" / "snapshot" / name for name in SNAPSHOTS]
    countries = root / "data/protocol/countries.csv"
    for name in ("a", "b"):
        result = run(*arguments, "--out", tmp_path / f"{name}.csv", "--countries", countries)
        assert result.exit_code == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_a_failing_command_writes_nothing(root, pages, tmp_path):
    countries = root / "data/protocol/countries.csv"
    out = tmp_path / "records.csv"
    result = run(pages / "truncated.json", "--out", out, "--countries", countries)
    assert isinstance(result.exception, InputError)
    assert list(tmp_path.iterdir()) == []
    assert run(pages, "--out", tmp_path / "records.xlsx").exit_code == 2


def test_the_transcription_can_be_repeated_byte_by_byte(root, shared, tmp_path):
    script = root / "tools" / "transcribe_snapshot.py"
    subprocess.run([sys.executable, script, shared / "registry" / "records", tmp_path], check=True)
    for name in SNAPSHOTS:
        made = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        kept = (root / "data" / "snapshot" / name).iterdir()
        assert made == {path.name: path.read_bytes() for path in kept}


def test_flags_are_counted_once_a_record_without_their_raw_values(pages, aliases):
    found = read_records([pages / "odd-but-kept.json"], aliases, accept_unsealed=True)
    counted = flag_table(found.records).set_index("flag")
    assert counted.loc["snapshot:unsealed", "records"] == len(found.records)
    assert counted.loc["start:impossible-date"].tolist() == [1, "NCT00000023"]
    assert "countries:unresolved" in counted.index
    assert list(flag_table(found.records.head(0)).columns) == ["flag", "records", "example"]


def test_a_snapshot_keeps_its_name_in_a_folder_of_another(root, tmp_path, aliases):
    original = root / "data" / "snapshot" / "background"
    moved = shutil.copytree(original, tmp_path / "renamed")
    assert list(read_manifests([moved])) == ["background"]
    records, _ = read_records([moved], aliases)
    assert set(records["snapshot_id"]) == {"background"}
    with pytest.raises(InputError, match="renamed: the snapshot background is given twice"):
        read_manifests([original, moved])
