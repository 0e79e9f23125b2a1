import json

import pytest

from compendium import colophon
from compendium.errors import InputError

RECORD = {
    "chapter": "01_a",
    "parameters": {"n": 3},
    "inputs": {"a": "0", "b": "1"},
    "outputs": {"c": "2"},
    "text_sha256": "f" * 64,
    "versions": {"python": "3.11", "pandas": "3"},
    "seconds": 17.25,
    "snapshots": [
        {
            "id": "s|1",
            "kind": "search",
            "registry": "R",
            "processed_date": "2020-07-28",
            "retrieved": "5",
        }
    ],
}


def test_the_colophon_names_data_chapters_versions_and_commit_but_no_clock(tmp_path):
    executed = tmp_path / "executed"
    executed.mkdir()
    (executed / "01_a.json").write_text(json.dumps(RECORD, sort_keys=True))
    page = tmp_path / "colophon.md"
    page.write_text(f"# Colophon\n\n{colophon.PLACE}\n\nThe end.\n")
    colophon.write_colophon(page, executed, tmp_path)
    text = page.read_text()
    assert "| s/1 | search | R | 2020-07-28 | 5 |" in text
    assert "| 01_a | n = 3 | 2 | 1 | `ffffffffffff` |" in text
    assert "pandas 3, python 3.11." in text
    assert "not a git checkout" in text
    assert "17.25" not in text
    assert text.endswith("The end.\n")


def test_a_page_without_the_place_is_refused(tmp_path):
    page = tmp_path / "colophon.md"
    page.write_text("# Colophon\n")
    with pytest.raises(InputError, match=r"colophon\.md: no <!-- provenance -->"):
        colophon.write_colophon(page, tmp_path, tmp_path)
