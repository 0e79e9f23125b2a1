"""A protocol loads whole, and a broken one says file, line and key."""

import shutil

import pytest

from compendium.errors import InputError
from compendium.protocol import read_protocol

CODEBOOK = """\
fields:
  titles: [public_title]
guards:
  negated:
    not_after: ['no']
variables:
  modality:
    title: Modality
    definition: What is given.
    read: [[titles], [keywords]]
    never_read: [exclusion_criteria]
    guards: [negated]
    values:
      rTMS: Repetitive magnetic stimulation.
      tDCS: Direct current.
    rules:
      - id: r1
        value: rTMS
        finds: ['rTMS']
      - {id: r2, value: tDCS, finds: ['tDCS'], yields_to: [rTMS]}
  class:
    title: Class
    definition: Follows.
    read: [[titles]]
    values: {cortical: Through the skull.}
    rules:
      - {id: c1, value: cortical, given: {modality: [rTMS, tDCS]}}
"""
ELIGIBILITY = """\
reasons:
  in-scope: {decision: include, definition: Pain., example: NCT1 (x), counter_example: NCT2 (y)}
  not-pain: {decision: exclude, definition: None., example: NCT2 (y), counter_example: NCT1 (x)}
stages:
  title:
    definition: Titles.
    read: [public_title]
    rules:
      - {id: t1, value: not-pain, without: ['pain']}
      - {id: t2, value: in-scope}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "codebook.yml").write_text(CODEBOOK, encoding="utf-8")
    (tmp_path / "eligibility.yml").write_text(ELIGIBILITY, encoding="utf-8")
    return tmp_path


def test_a_sound_protocol_loads(folder):
    protocol = read_protocol(folder)
    assert list(protocol.codebook.variables) == ["modality", "class"]
    assert protocol.codebook["modality"].values["rTMS"].definition.startswith("Repetitive")
    assert list(protocol.eligibility.reasons) == ["in-scope", "not-pain"]


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "says"),
    [
        ("titles: [public_title]", "titles: [pubic_title]", 2, "fields.titles[0]", "pubic_title"),
        ("read: [[titles], [keywords]]", "read: [[titel]]", 10, "modality.read[0][0]", "titel"),
        ("value: rTMS\n", "value: rTSM\n", 18, "rules[0].value", "rTSM"),
        ("finds: ['rTMS']", "finds: ['rTMS(']", 19, "rules[0].finds[0]", "not a pattern"),
        ("id: r2", "id: r1", 20, "rules[1].id", "used twice"),
        ("tDCS: Direct current.", "tDCS:", 15, "values.tDCS", "definition"),
        ("    title: Modality\n", "", 7, "variables.modality.title", "missing"),
        ("definition: What is given.", "definitoin: What.", 9, "definitoin", "unknown key"),
        ("        finds: ['rTMS']\n", "", 17, "rules[0]", "nothing to go by"),
        ("finds: ['rTMS']", "find: ['rTMS']", 19, "rules[0].find", "unknown key"),
        ("yields_to: [rTMS]", "yields_to: [TMS]", 20, "yields_to[0]", "TMS"),
        ("guards: [negated]", "guards: [negatd]", 17, "rules[0]", "negatd"),
        ("not_after: ['no']", "not_after: ['no(']", 5, "negated.not_after[0]", "not a pattern"),
        ("given: {modality: [rTMS, tDCS]}", "given: {target: [M1]}", 27, "given.target", "decided"),
        ("given: {modality: [rTMS, tDCS]}", "given: {modality: [TMS]}", 27, "modality[0]", "TMS"),
        ("given: {modality: [rTMS, tDCS]}", "requires: {arms: ['1']}", 27, "requires", "no field"),
        ("[keywords]]", "[exclusion_criteria]]", 17, "rules[0]", "must never read"),
        ("variables:\n", "variabels:\n", 6, "variabels", "unknown key"),
        ("  class:\n", "  modality:\n", 21, "", "modality"),
        ("    title: Class", "   title: Class", None, "", ""),
    ],
)  # fmt: skip
def test_a_broken_codebook_is_named_by_file_line_and_key(folder, old, new, line, key, says):
    assert CODEBOOK.count(old) == 1 or old in ("value: rTMS\n",)
    broken = folder / "codebook.yml"
    broken.write_text(CODEBOOK.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_protocol(folder)
    message = str(caught.value)
    assert f"codebook.yml:{line}" in message if line else "codebook.yml" in message
    assert key in message
    assert says in message


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "says"),
    [
        ("decision: include", "decision: maybe", 2, "reasons.in-scope.decision", "maybe"),
        (", counter_example: NCT2 (y)", "", 2, "counter_example", "missing"),
        ("definition: None.", "definition: ''", 3, "definition", "missing"),
        ("value: not-pain", "value: not-a-pain", 9, "rules[0].value", "not-a-pain"),
        ("      - {id: t2, value: in-scope}\n", "", 9, "rules[0]", "decides the rest"),
        ("read: [public_title]", "read: [title]", 7, "read[0]", "title"),
        ("without: ['pain']", "without: ['pain[']", 9, "without[0]", "not a pattern"),
        ("  title:\n", "  titel:\n    why: x\n", 6, "titel.why", "unknown key"),
    ],
)
def test_a_broken_eligibility_is_named_by_file_line_and_key(folder, old, new, line, key, says):
    broken = folder / "eligibility.yml"
    broken.write_text(ELIGIBILITY.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_protocol(folder)
    message = str(caught.value)
    assert f"eligibility.yml:{line}" in message
    assert key in message
    assert says in message


def test_a_missing_file_or_folder_is_named(folder, tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        read_protocol(tmp_path / "nowhere")
    (folder / "codebook.yml").unlink()
    with pytest.raises(InputError, match=r"codebook\.yml"):
        read_protocol(folder)


def test_the_protocol_of_the_book_keeps_its_promises(root):
    protocol = read_protocol(root / "data" / "protocol")
    modality = protocol.codebook["modality"]
    read = {name for tier in modality.ruleset.tiers for name in tier}
    read |= {name for rule in modality.ruleset.rules for name in rule.where or ()}
    assert not {name for name in read if "criteria" in name}
    for variable in protocol.codebook.variables.values():
        assert all(value.definition for value in variable.values.values())
    classes = set(protocol.codebook["paper_class"].values)
    assert all(value.maps["paper_class"] in classes for value in modality.values.values())
    given = {
        value
        for rule in protocol.codebook["paper_class"].ruleset.rules
        for value in rule.given["modality"]
    }
    assert given == set(modality.values)


def test_another_review_is_another_folder_and_no_code(folder, root):
    shutil.copy(root / "data" / "protocol" / "eligibility.yml", folder / "eligibility.yml")
    assert read_protocol(folder).eligibility.reasons
