import hashlib
import json

import pandas as pd
import pytest

from compendium.errors import InputError
from compendium.geography import drawn_countries, read_outlines
from compendium.protocol import read_protocol
from compendium.wording import in_words, read_words, reworded


def test_outlines_carry_the_codes_of_the_tables(root):
    path = root / "data" / "geography" / "countries-110m.json"
    readme = (path.parent / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(path.read_bytes()).hexdigest() in readme
    outlines = read_outlines(path)
    drawn = drawn_countries(outlines)
    assert {"USA", "BRA", "FRA", "NOR", "TWN", "KOR", "EGY"} <= drawn
    assert "ATA" not in drawn
    assert list(outlines["objects"]) == ["countries"]
    shapes = outlines["objects"]["countries"]["geometries"]
    unnamed = [shape["properties"]["name"] for shape in shapes if "id" not in shape]
    assert sorted(unnamed) == ["Kosovo", "N. Cyprus", "Somaliland"]


@pytest.mark.parametrize("content", ["", "[1]", json.dumps({"objects": {"land": {}}})])
def test_a_file_that_is_no_topology_is_refused(tmp_path, content):
    path = tmp_path / "outlines.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"outlines\.json: no topology"):
        read_outlines(path)
    with pytest.raises(InputError, match="no such file"):
        read_outlines(tmp_path / "none.json")


def test_codes_are_said_in_words_and_unknown_codes_stay():
    table = pd.DataFrame({"value": ["NA", "PHASE4", "not stated", "PHASE9"]})
    assert reworded(table, "phase")["value"].tolist() == [
        "not applicable",
        "phase 4",
        "not stated",
        "PHASE9",
    ]
    assert in_words("GBR", "countries") == "United Kingdom"


def test_a_protocol_s_words_stand_beside_the_registries(root, tmp_path):
    words = read_words(root / "data" / "protocol" / "words.yml")
    assert in_words("PSPS/FBSS", "condition", words) == "failed back surgery"
    assert in_words("PHASE4", "phase", words) == "phase 4"
    codebook = read_protocol(root / "data" / "protocol").codebook
    for variable in set(words) & set(codebook.variables):
        assert set(words[variable]) <= set(codebook[variable].values), variable
        said = [in_words(code, variable, words) for code in codebook[variable].values]
        assert len(set(said)) == len(said), "two codes with the same words"
    broken = tmp_path / "words.yml"
    broken.write_text("condition:\n  CRPS:\n")
    with pytest.raises(InputError, match=r"words\.yml:2: condition\.CRPS"):
        read_words(broken)
    broken.write_text("condition: 3\n")
    with pytest.raises(InputError, match=r"words\.yml:1: condition"):
        read_words(broken)
