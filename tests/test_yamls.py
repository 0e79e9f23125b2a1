"""Protocol files: a fault is named with file, line and key."""

import datetime

import pytest

from compendium.errors import InputError
from compendium.yamls import fail, line_of, load_yaml, plain

TEXT = """\
title: pain
concepts:
  - id: a
    terms: [x, y]
  - id: b
    date: 2020-07-28
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "search.yml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_lines_of_keys_and_items(file):
    data = load_yaml(file)
    assert line_of(data, ["title"]) == 1
    assert line_of(data, ["concepts", 1]) == 5
    assert line_of(data, ["concepts", 1, "date"]) == 6
    # a missing key is placed at its parent
    assert line_of(data, ["concepts", 0, "reason"]) == 3
    assert line_of(data, ["nothing"]) is None


def test_fail_names_file_line_and_key(file):
    data = load_yaml(file)
    with pytest.raises(InputError, match=r"search\.yml:6: concepts\[1\]\.date: too early; mend it"):
        fail(file, data, ["concepts", 1, "date"], "too early", remedy="mend it")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("- a\n", "does not begin with"),
        ("a: 1\na: 2\n", ":2: found duplicate key"),
        ("a: [1, 2\nb: 3\n", r":\d: "),
        ("\ta: 1\n", ":1: "),
    ],
)
def test_broken_files(tmp_path, text, message):
    path = tmp_path / "broken.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_yaml(path)


def test_missing_and_undecodable(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_yaml(tmp_path / "none.yml")
    path = tmp_path / "latin.yml"
    path.write_bytes("a: é\n".encode("latin-1"))
    with pytest.raises(InputError, match="byte 3 is not UTF-8"):
        load_yaml(path)


def test_plain_has_no_line_numbers(file):
    data = plain(load_yaml(file))
    assert type(data) is dict
    assert type(data["concepts"]) is list
    assert data["concepts"][1]["date"] == datetime.date(2020, 7, 28)
    assert plain({"a": True, "b": 1}) == {"a": True, "b": 1}
