import csv
import subprocess
import sys

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from compendium.cli.records import import_ictrp
from compendium.errors import InputError
from compendium.normalise.countries import read_country_aliases
from compendium.records import read_records
from compendium.search.ictrp import read_portal
from compendium.search.ictrp_import import import_export
from compendium.search.ictrp_layouts import LAYOUTS, is_contact
from compendium.search.native import RejectedRecord
from compendium.search.snapshot import read_manifest


@pytest.fixture
def exports(root):
    return root / "tests" / "fixtures" / "ictrp"


@pytest.fixture(scope="session")
def aliases(root):
    return read_country_aliases(root / "data" / "protocol" / "countries.csv")


def rows_of(path, aliases):
    table = read_records([path], aliases, accept_unsealed=True).records
    return {row["record_id"]: row for row in table.to_dict("records")}


def drain(path):
    """Read until the end or the error; return what came before it, and the error."""
    found = []
    try:
        for item in read_portal(path):
            found.append(item)
    except InputError as error:
        return found, error
    return found, None


def test_the_layouts_have_the_portals_sizes():
    assert {name: len(fields) for name, fields in LAYOUTS.items()} == {
        "2020": 40,
        "2026 CSV": 58,
        "2026 XML": 57,
    }


# --- what stops a file -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "complete", "message"),
    [
        ("no-closing-root.xml", 3, "breaks off before its closing tag after 3 complete trials"),
        ("cut-mid-record.xml", 1, "breaks off in the middle of a trial after 1 complete trials"),
        ("entity-bomb.xml", 0, "declares a document type"),
        ("outside-entity.xml", 0, "declares a document type"),
        ("unknown-tag.xml", 0, "unknown columns 'Sponsor_ROR'"),
        ("unknown-column.csv", 0, "unknown columns 'Sponsor ROR'"),
        ("other-root.xml", 0, "begins with <clinical_study>"),
        ("web-page.csv", 0, "this is a web page, not a WHO ICTRP export"),
        ("latin-1.csv", 0, "the text is not UTF-8"),
    ],
)
def test_a_broken_file_gives_its_complete_trials_and_then_a_precise_error(
    exports, name, complete, message
):
    found, error = drain(exports / name)
    assert len(found) == complete
    assert error is not None
    assert name in str(error)
    assert message in str(error)


def test_a_file_cut_at_any_byte_never_yields_half_a_trial(exports, tmp_path):
    whole = (exports / "whole-2020.xml").read_bytes()
    expected = list(read_portal(exports / "whole-2020.xml"))
    path = tmp_path / "cut.xml"
    for cut in range(60, len(whole) - 40, 53):
        path.write_bytes(whole[:cut])
        found, error = drain(path)
        assert error is not None, cut
        assert found == expected[: len(found)], cut


def test_an_empty_export_and_a_missing_one_are_named(tmp_path):
    empty = tmp_path / "empty.xml"
    empty.write_bytes(b"")
    with pytest.raises(InputError, match=r"empty\.xml: the file is empty \(0 bytes\)"):
        read_portal(empty)
    with pytest.raises(InputError, match=r"gone\.csv: no such file"):
        read_portal(tmp_path / "gone.csv")


# --- what stops a row --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "good", "reasons"),
    [
        (
            "short-and-long-rows.csv",
            3,
            ["short-row: 57 cells, not 58", "long-row: 60 cells, not 58"],
        ),
        ("unclosed-quote.csv", 3, ["swallowed-rows: a quote was never closed"]),
        ("cut-in-quote.csv", 2, ["short-row: 31 cells, not 58"]),
    ],
)
def test_a_row_that_does_not_fit_is_set_aside_with_its_reason(exports, name, good, reasons):
    found, error = drain(exports / name)
    rejected = [item for item in found if isinstance(item, RejectedRecord)]
    assert error is None
    assert len(found) - len(rejected) == good
    assert [item.reason for item in rejected] == reasons
    assert not any("ada@example.org" in item.excerpt for item in rejected)


def test_a_last_cell_cut_inside_its_quotes_is_set_aside(exports, tmp_path):
    text = (exports / "whole-2026.csv").read_text(encoding="utf-8")
    path = tmp_path / "cut.csv"
    path.write_text(
        text[: text.rindex("parent")] + '"a type\nin two lin', encoding="utf-8", newline=""
    )
    rejected = [item for item in read_portal(path) if isinstance(item, RejectedRecord)]
    assert [item.reason.split(":")[0] for item in rejected] == ["cut-row"]


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_a_harmed_csv_ends_in_rows_reasons_or_an_error(root, tmp_path_factory, data):
    text = (root / "tests/fixtures/ictrp/whole-2026.csv").read_text(encoding="utf-8")
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        text = text[:place] + data.draw(st.sampled_from('",\n\0;x')) + text[place + 1 :]
    path = tmp_path_factory.mktemp("harmed") / "harmed.csv"
    path.write_text(text, encoding="utf-8", newline="")
    found, error = drain(path)
    assert found or error
    for item in found:
        if isinstance(item, RejectedRecord):
            assert item.reason


# --- what is repaired --------------------------------------------------------------------------


def test_the_csv_of_2026_is_read_and_repaired(exports, aliases):
    rows = rows_of(exports / "whole-2026.csv", aliases)
    india = rows["CTRI/2020/04/024500"]
    assert india["registered"] == "2020-04-03"  # day first, though it could be March
    assert india["countries_raw"] == ("India",)  # named twice
    assert (india["phase_raw"], india["phase"]) == ("N/A", "NA")
    padded = rows["ISRCTN10000001"]
    assert padded["scientific_title"] == "tDCS for migraine, a trial"
    assert (padded["phase"], padded["enrolment"]) == ("PHASE2_PHASE3", 98)
    escaped = rows["DRKS00000001"]
    assert escaped["public_title"] == "Pain & sleep <br> a study"
    assert escaped["inclusion_criteria"] == "adults\nwith pain < 5"
    assert escaped["sponsor"] == "Universitätsklinikum Beispiel"
    assert "primary_sponsor:mojibake-repaired" in escaped["flags"]
    assert escaped["enrolment"] == 200
    brazil = rows["RBR-1aaaaa"]
    assert brazil["public_title"] == "Fundación de dor"
    assert brazil["registered"] == "2019-05-20"  # Date_registration3 is "0"
    assert "registered:unreadable-date 0" in brazil["flags"]
    assert brazil["phase"] == "PHASE2_PHASE3"
    assert brazil["results"] == "yes"  # the flag is empty, the date is not
    iran = rows["IRCT20200101000001N1"]
    assert (iran["start_raw"], "start:impossible-date 14/06/2641" in iran["flags"]) == (
        "14/06/2641",
        True,
    )
    assert "bridged:siblings-not-named" in iran["flags"]
    assert iran["sex"] == "ALL"
    assert india["results"] == "unknown"


def test_the_xml_of_2020_is_read_although_empty_tags_are_absent(exports, aliases):
    rows = rows_of(exports / "whole-2020.xml", aliases)
    china = rows["ChiCTR2000000001"]
    assert china["acronym"] is not china  # absent tag
    assert (china["phase"], china["study_type"]) == ("NA", "OBSERVATIONAL")
    assert (china["status_raw"], "status:ambiguous Not Recruiting" in china["flags"]) == (
        "Not Recruiting",
        True,
    )
    assert (china["countries"], china["enrolment"]) == (("CHN",), 60)
    american = rows["NCT00000001"]
    assert (american["allocation"], american["masking"], american["masked_roles"]) == (
        "RANDOMIZED",
        "SINGLE",
        ("PARTICIPANT",),
    )
    assert american["intervention_model"] == "PARALLEL"
    assert american["primary_purpose"] == "TREATMENT"
    assert american["countries"] == ("KOR", "USA")
    assert american["intervention_types"] == ("DEVICE", "OTHER")
    assert american["intervention_names"] == ("stimulator, 10 kHz", "usual care")
    assert (american["registered"], american["start"]) == ("2020-01-27", "2020-01-25")
    european = rows["EUCTR2015-002340-14-NL"]
    assert (european["phase"], european["masking"]) == ("PHASE2_PHASE3", "DOUBLE")
    assert european["allocation"] == "RANDOMIZED"
    assert european["sex"] == "FEMALE"
    assert european["countries"] == ("GBR", "NLD")
    assert "inclusion_criteria:cut-at-8000" in european["flags"]


def test_the_xml_of_2026_is_read(exports, aliases):
    row = rows_of(exports / "whole-2026.xml", aliases)["NCT00000003"]
    assert row["secondary_ids"] == ("2020-000001-01", "ABC-1")
    assert (row["registered"], row["start"], row["enrolment"]) == ("2026-01-02", "2026-01", 12)


@pytest.mark.parametrize("name", ["whole-2026.csv", "whole-2020.xml", "whole-2026.xml"])
def test_no_contact_is_kept(exports, tmp_path, name, aliases):
    items = list(read_portal(exports / name))
    assert not any(is_contact(field) for item in items for field in item.content)
    import_export(exports / name, len(items), tmp_path / "s", processed_date="2026-09-21")
    kept = b"".join(path.read_bytes() for path in (tmp_path / "s").iterdir())
    assert b"example.org" not in kept
    assert b"Ada" not in kept
    assert b"Contact" not in kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ask j.doe+ipd@dept.uni.example.org.", "ask [e-mail left out]."),
        ("Ärztin@klinik.example;x@y.example", "[e-mail left out];[e-mail left out]"),
        ("20 mg @ 8 h, 5@6, a@b", "20 mg @ 8 h, 5@6, a@b"),
        ("a." * 50_000 + "@", "a." * 50_000 + "@"),
    ],
)
def test_an_address_in_free_text_is_left_out(exports, tmp_path, text, kept):
    with (exports / "whole-2026.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows[0]["results ipd description"] = text
    with (tmp_path / "plan.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    first = next(read_portal(tmp_path / "plan.csv"))
    assert first.content["results_ipd_description"] == kept


# --- the real exports --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "trials"), [("ictrp-portal-2020.xml", 578), ("ictrp-portal-2020.csv", 927)]
)
def test_every_row_of_a_real_export_is_read_or_set_aside(shared, tmp_path, aliases, name, trials):
    export = shared / "registry" / "native" / name
    counts = import_export(export, trials, tmp_path / "snapshot")
    assert (counts.read, counts.rejected) == (trials, 0)
    found = read_records([tmp_path / "snapshot"], aliases)
    assert len(found.records) + len(found.quarantine) == trials
    assert found.records["registered"].notna().all()
    assert found.records["start"].notna().all()
    assert found.records["enrolment"].notna().mean() > 0.98
    direct = read_records([export], aliases, accept_unsealed=True).records
    columns = ["record_id", "public_title", "enrolment", "phase", "countries", "sex", "start"]
    assert direct[columns].equals(found.records[columns])


# --- importing ---------------------------------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(import_ictrp, [str(argument) for argument in arguments])


def test_an_import_reconciles_the_portals_total(exports, tmp_path):
    out = tmp_path / "snapshot"
    result = run(exports / "whole-2026.csv", "--announced", 5, "--out", out)
    assert result.exit_code == 0
    assert "announced 5, 5 trials were read and 0 rows set aside: nothing is missing" in (
        result.output
    )
    manifest = read_manifest(out)
    assert (manifest["announced"], manifest["retrieved"]) == (5, 5)
    assert manifest["processed_date"] == "2026-09-21"
    assert manifest["kind"] == "portal export"
    assert "ICTRP" in manifest["attribution"]


@pytest.mark.parametrize(("announced", "message"), [(7, "2 missing"), (3, "2 more than announced")])
def test_a_count_that_differs_writes_nothing(exports, tmp_path, announced, message):
    out = tmp_path / "snapshot"
    result = run(exports / "whole-2026.csv", "--announced", announced, "--out", out)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_cut_export_is_refused_with_announced_against_read(exports, tmp_path):
    result = run(exports / "no-closing-root.xml", "--announced", 4, "--out", tmp_path / "s")
    assert "after 3 complete trials" in str(result.exception)
    assert "announced 4, 3 trials were read and 0 rows set aside: 1 missing" in (
        str(result.exception)
    )
    assert list(tmp_path.iterdir()) == []


def test_a_cut_export_can_be_kept_and_says_so(exports, tmp_path, aliases):
    out = tmp_path / "snapshot"
    run(exports / "no-closing-root.xml", "--announced", 4, "--out", out, "--accept-short")
    assert read_manifest(out)["coverage"].startswith("PARTIAL: the portal announced 4, 3 trials")
    assert len(read_records([out], aliases).records) == 3


def test_rows_that_could_not_be_read_reach_the_quarantine(exports, tmp_path, aliases):
    out = tmp_path / "snapshot"
    assert run(exports / "short-and-long-rows.csv", "--announced", 5, "--out", out).exit_code == 0
    found = read_records([out], aliases)
    assert len(found.records) == 3
    assert found.quarantine["reason"].str.split(":").str[0].tolist() == ["short-row", "long-row"]
    assert found.quarantine["record_id"].tolist() == ["CTRI/2020/04/024501", "CTRI/2020/04/024502"]


def test_a_finished_snapshot_is_never_changed(exports, tmp_path):
    out = tmp_path / "snapshot"
    run(exports / "whole-2026.csv", "--announced", 5, "--out", out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    result = run(exports / "whole-2026.csv", "--announced", 5, "--out", out)
    assert "a finished snapshot is never changed" in str(result.exception)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_an_export_without_a_date_asks_for_one(exports, tmp_path):
    text = (exports / "whole-2026.csv").read_text(encoding="utf-8")
    path = tmp_path / "undated.csv"
    path.write_text(text.replace("09/21/2026 10:40:56", ""), encoding="utf-8", newline="")
    out = tmp_path / "s"
    result = run(path, "--announced", 5, "--out", out)
    assert "no trial says when it was exported" in str(result.exception)
    assert (
        run(path, "--announced", 5, "--out", out, "--processed-date", "2026-09-21").exit_code == 0
    )
    assert "is no day" in str(
        run(
            path, "--announced", 5, "--out", tmp_path / "t", "--processed-date", "2026-09"
        ).exception
    )


def test_the_same_export_gives_the_same_bytes(exports, tmp_path):
    for name in ("a", "b"):
        import_export(exports / "whole-2020.xml", 3, tmp_path / name / "s")
    first, second = ({p.name: p.read_bytes() for p in (tmp_path / n / "s").iterdir()} for n in "ab")
    assert first == second


MEASURE = """
import resource, sys
from pathlib import Path
from compendium.search.ictrp import read_portal
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = sum(1 for _ in read_portal(Path(sys.argv[1])))
print(count, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("suffix", [".xml", ".csv"])
def test_memory_does_not_grow_with_the_file(exports, tmp_path, suffix):
    path, trials = tmp_path / f"large{suffix}", 12_000
    padding = "criteria " * 600
    if suffix == ".xml":
        head, body = (
            "<Trials_downloaded_from_ICTRP>",
            (
                "<Trial><TrialID>NCT{:08d}</TrialID><Public_title>t</Public_title>"
                "<Source_Register>ClinicalTrials.gov</Source_Register>"
                f"<Inclusion_Criteria>{padding}</Inclusion_Criteria></Trial>\n"
            ),
        )
        tail = "</Trials_downloaded_from_ICTRP>"
    else:
        head, tail = "TrialID,Public title,Source Register,Inclusion Criteria\n", ""
        body = f'NCT{{:08d}},t,ClinicalTrials.gov,"{padding}"\n'
    with path.open("w") as stream:
        stream.write(head)
        stream.writelines(body.format(number) for number in range(1, trials + 1))
        stream.write(tail)
    assert path.stat().st_size > 60_000_000
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True
    )
    count, grown = map(int, done.stdout.split())
    assert count == trials
    assert grown < 40  # megabytes, for a file of more than sixty
