"""`compendium classify` from snapshots to a table."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner

from compendium.classification import LABEL_COLUMNS
from compendium.cli import main
from compendium.cli.classify import classify
from compendium.tables import read_table


@pytest.fixture
def at_root(root, monkeypatch):
    monkeypatch.chdir(root)


SNAPSHOT = "data/snapshot/ictrp-other-registries"


def test_it_labels_every_record_by_rule(at_root, tmp_path):
    out = tmp_path / "labels.csv"
    result = CliRunner().invoke(classify, [SNAPSHOT, "--out", str(out)], catch_exceptions=False)
    assert result.exit_code == 0
    labels = read_table(out, integers=("start", "end"))
    assert tuple(labels.columns) == LABEL_COLUMNS
    assert set(labels["made_by"]) == {"rule"}
    assert labels["record_id"].nunique() == 168
    assert "168 records" in result.stderr
    again = tmp_path / "again.csv"
    CliRunner().invoke(classify, [SNAPSHOT, "--out", str(again)])
    assert out.read_bytes() == again.read_bytes()


def test_a_coder_s_sheet_outranks_the_rules(at_root, tmp_path):
    sheet, out = tmp_path / "coder.jsonl", tmp_path / "labels.parquet"
    sheet.write_text(
        json.dumps({"record_id": "NCT04502251", "modality": ["SCS"]}) + "\n", encoding="utf-8"
    )
    result = CliRunner().invoke(
        classify, [SNAPSHOT, "--out", str(out), "--coded", str(sheet)], catch_exceptions=False
    )
    assert result.exit_code == 0
    labels = pd.read_parquet(out)
    row = labels[(labels["record_id"] == "NCT04502251") & (labels["variable"] == "modality")]
    assert row[["value", "made_by"]].to_numpy().tolist() == [["SCS", "coder-a"]]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([SNAPSHOT, "--out", "labels.txt"], 2, "labels.txt"),
        ([SNAPSHOT, "--out", "labels.csv", "--protocol", "no/where"], 1, "no/where"),
        ([SNAPSHOT, "--out", "labels.csv", "--coded", "none.jsonl"], 1, "none.jsonl"),
        ([SNAPSHOT], 2, "--out"),
        (["no/such/snapshot", "--out", "labels.csv"], 1, "no/such/snapshot"),
    ],
)
def test_bad_requests_end_with_one_line(at_root, monkeypatch, capsys, arguments, code, says):
    monkeypatch.setattr("sys.argv", ["compendium", "classify", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == code
    assert says in capsys.readouterr().err


def test_help_teaches(at_root):
    text = CliRunner().invoke(classify, ["--help"]).output
    for word in ("SNAPSHOT", "record_id", "made_by", "Example", "--coded"):
        assert word in text
