"""Two snapshots side by side: every change is found, and every figure's change is accounted for."""

import json
from fractions import Fraction

import pandas as pd
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from compendium.cli.search import search
from compendium.search.diff import attribute_change, compare_records
from compendium.search.snapshot import write_manifest
from compendium.tables import read_table

COLUMNS = ["record_id", "registry", "snapshot_id", "public_title", "status", "conditions"]


def table(*rows):
    full = [
        {"registry": "ClinicalTrials.gov", "snapshot_id": "s", "conditions": ()} | row
        for row in rows
    ]
    return pd.DataFrame(full, columns=COLUMNS)


def test_records_that_came_went_and_changed():
    old = table(
        {"record_id": "A", "public_title": "a", "status": "RECRUITING", "conditions": ("x",)},
        {"record_id": "B", "public_title": "b"},
        {"record_id": "C", "public_title": "c"},
    )
    new = table(
        {"record_id": "A", "public_title": "a", "status": "COMPLETED", "conditions": ("x", "y")},
        {"record_id": "B", "public_title": "b", "snapshot_id": "t"},
        {"record_id": "D", "public_title": "d"},
    )
    found = compare_records(old, new)
    assert list(found.appeared["record_id"]) == ["D"]
    assert list(found.vanished["record_id"]) == ["C"]
    assert found.changed.values.tolist() == [
        ["A", "conditions", "x", "x; y"],
        ["A", "status", "RECRUITING", "COMPLETED"],
    ]


def figures(records):
    done = int((records["status"] == "COMPLETED").sum())
    found = {"records": len(records)}
    if len(records):
        found["completed"] = Fraction(done, len(records))
        found["median length"] = float(records["public_title"].str.len().fillna(0).median())
    if done:
        found["share of titles among the completed"] = Fraction(
            int(records["public_title"].notna().sum()), done
        )
    return found


TABLES = st.dictionaries(
    st.sampled_from("ABCDEFG"),
    st.tuples(
        st.sampled_from(["COMPLETED", "RECRUITING", None]), st.sampled_from(["t", "u", None])
    ),
).map(
    lambda rows: table(
        *(
            {"record_id": name, "status": status or pd.NA, "public_title": title or pd.NA}
            for name, (status, title) in rows.items()
        )
    )
)


@given(TABLES, TABLES)
@settings(max_examples=60, deadline=None)
def test_the_parts_sum_exactly_to_the_change(old, new):
    split = attribute_change(old, new, figures)
    for row in split.to_dict("records"):
        assert row["appeared"] + row["changed"] + row["vanished"] == row["change"]
        assert row["before"] + row["change"] == row["after"]
        assert row["after"] == figures(new).get(row["figure"], 0)
    found = compare_records(old, new)
    records = split.set_index("figure").loc["records"]
    assert records["appeared"] == len(found.appeared)
    assert records["vanished"] == -len(found.vanished)
    assert records["changed"] == 0


@given(TABLES)
@settings(max_examples=20, deadline=None)
def test_nothing_moves_between_a_snapshot_and_itself(old):
    found = compare_records(old, old)
    assert not len(found.appeared)
    assert not len(found.vanished)
    assert not len(found.changed)
    assert (attribute_change(old, old, figures)["change"] == 0).all()


def snapshot(folder, studies):
    folder.mkdir()
    page = {"totalCount": len(studies), "studies": studies}
    (folder / "page-0001.json").write_text(json.dumps(page), encoding="utf-8")
    write_manifest(
        folder,
        kind="search",
        registry="ClinicalTrials.gov",
        processed_date="2026-11-20",
        coverage="a part",
        files=[{"name": "page-0001.json", "records": len(studies)}],
        announced=len(studies),
        retrieved=len(studies),
    )
    return folder


def test_the_command_says_which_figures_of_the_book_move(root, tmp_path):
    page = root / "data" / "snapshot" / "ctgov-2020-07-28" / "page-0001.json"
    studies = json.loads(page.read_bytes())["studies"][:13]
    old = snapshot(tmp_path / "old", studies[:12])
    changed = json.loads(json.dumps(studies[1:]))
    status = changed[0]["protocolSection"]["statusModule"]
    status["overallStatus"] = "TERMINATED"
    design = changed[0]["protocolSection"]["designModule"]
    before = design["enrollmentInfo"]["count"]
    design["enrollmentInfo"]["count"] = 9999
    new = snapshot(tmp_path / "new", changed)
    arguments = ["--diff", str(old), str(new), "--protocol", str(root / "data" / "protocol")]
    done = CliRunner().invoke(search, [*arguments, "--out", str(tmp_path / "tables")])
    assert done.exit_code == 0, done.output
    assert "12 registrations before, 12 after: 1 appeared, 1 vanished, 1 changed" in done.output
    assert "status: changed in 1" in done.output
    figures = read_table(tmp_path / "tables" / "figures.csv").set_index("figure")
    row = figures.loc["included trials, status: TERMINATED"].drop("kind").astype(float)
    assert row["changed"] > 0
    assert abs(row[["appeared", "changed", "vanished"]].sum() - row["change"]) < 1e-12
    medians = figures[figures["kind"] == "median"]["changed"].astype(float)
    assert before < 9999
    assert medians.max() > 0
    assert figures.index.str.contains("that start in 19").any()
    assert figures.loc["registrations", "change"] == "0.0"
    assert list(read_table(tmp_path / "tables" / "vanished.csv")["record_id"]) == ["NCT00001923"]
    assert len(read_table(tmp_path / "tables" / "appeared.csv")) == 1
