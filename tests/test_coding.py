"""A coder's sheet: what is read, and the line that is blamed for what cannot be."""

import pytest

from compendium.coding import read_sheet
from compendium.errors import InputError


def test_a_sheet_gives_each_registration_with_its_line(tmp_path):
    sheet = tmp_path / "sheet.jsonl"
    sheet.write_text('{"nct_id": "A", "scope": "include"}\n\n{"record_id": "B", "nct_id": "C"}\n')
    entries = list(read_sheet(sheet))
    assert [entry.record_id for entry in entries] == ["A", "B"]
    assert [entry.place for entry in entries] == [f"{sheet}:1", f"{sheet}:3"]
    assert entries[0].said["scope"] == "include"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"nct_id": ', "not JSON"),
        ('["NCT00000001"]', "not a JSON object"),
        ('{"scope": "include"}', "no record_id and no nct_id"),
    ],
)
def test_a_faulty_line_is_named(tmp_path, line, says):
    sheet = tmp_path / "sheet.jsonl"
    sheet.write_text(f'{{"nct_id": "A"}}\n{line}\n')
    with pytest.raises(InputError, match=rf"sheet\.jsonl:2: {says}"):
        list(read_sheet(sheet))


def test_a_missing_sheet_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.jsonl: no such file"):
        list(read_sheet(tmp_path / "none.jsonl"))
