"""The calibration card: fixed halves, and the aims of the rules on coder A's records."""

import numpy as np
import pandas as pd
import pytest

from compendium.calibration import calibration_card, half_of, indicators, scope_card
from compendium.errors import InputError
from compendium.screening import read_scope


def labels(*rows):
    return pd.DataFrame(rows, columns=["record_id", "variable", "value"])


def test_the_halves_are_fixed_by_the_id_and_about_equal():
    ids = [f"NCT{number:08d}" for number in range(2000)]
    halves = [half_of(record) for record in ids]
    assert halves == [half_of(record) for record in ids]
    assert abs(halves.count("held") - 1000) < 100
    assert half_of("NCT00205894") == "development"


def test_a_record_without_label_is_not_stated():
    table = indicators(labels(("A", "target", "M1")), "target", ["B", "A"])
    assert table.index.tolist() == ["A", "B"]
    assert table.loc["A"].to_dict() == {"M1": True, "not stated": False}
    assert table.loc["B"].to_dict() == {"M1": False, "not stated": True}


def test_a_card_of_equal_readers_is_one():
    rows = [(f"R{i}", "modality", "rTMS" if i % 2 else "SCS") for i in range(20)]
    card = calibration_card(labels(*rows), labels(*rows), "modality", draws=50)
    assert (card.kappa, card.low, card.high, card.exact, card.n) == (1.0, 1.0, 1.0, 20, 20)


def test_a_card_compares_only_records_both_readers_saw():
    rule = labels(("A", "modality", "rTMS"), ("B", "modality", "SCS"))
    coder = labels(("B", "modality", "SCS"), ("C", "modality", "DBS"), ("A", "modality", "SCS"))
    card = calibration_card(rule, coder, "modality", draws=20)
    assert card.n == 2
    assert card.exact == 1
    assert np.isfinite(card.kappa)


def test_trials_are_drawn_whole():
    rows = [(f"R{i}", "modality", "rTMS" if i < 5 else "SCS") for i in range(10)]
    other = [(f"R{i}", "modality", "rTMS" if i < 4 else "SCS") for i in range(10)]
    trials = pd.Series({f"R{i}": f"T{i // 5}" for i in range(10)})
    card = calibration_card(labels(*other), labels(*rows), "modality", clusters=trials, draws=50)
    alone = calibration_card(labels(*other), labels(*rows), "modality", draws=50)
    assert card.kappa == alone.kappa
    assert (card.low, card.high) != (alone.low, alone.high)


@pytest.fixture(scope="module")
def cards(root):
    from compendium.classification import classify_records, read_coding
    from compendium.normalise.countries import read_country_aliases
    from compendium.protocol import read_protocol
    from compendium.records import read_records

    protocol = read_protocol(root / "data" / "protocol")
    records = read_records(
        [root / "data" / "snapshot" / "ctgov-2020-07-28"],
        read_country_aliases(protocol.countries),
    ).records
    coded = read_coding(root / "data" / "coding" / "coder-a-development.jsonl", protocol.codebook)
    ruled = classify_records(records, protocol.codebook)
    return {
        (variable, half): calibration_card(ruled, coded, variable, half, draws=100)
        for variable in ("modality", "condition", "target")
        for half in ("development", "held")
    }


@pytest.mark.parametrize(
    ("variable", "aim"), [("modality", 0.9), ("condition", 0.8), ("target", 0.7)]
)
def test_the_rules_do_not_fall_below_their_aims_on_the_half_they_were_developed_on(
    cards, variable, aim
):
    assert cards[variable, "development"].kappa >= aim


def test_the_two_halves_share_no_record(cards):
    development, held = (cards["modality", half].coder.index for half in ("development", "held"))
    assert not set(development) & set(held)
    assert len(development) + len(held) == 202


def decisions(**by_record):
    return pd.DataFrame(by_record.items(), columns=["record_id", "decision"])


def test_the_scope_card_keeps_unsure_apart_and_audits_what_was_excluded():
    reader = decisions(A="include", B="include", C="exclude", D="unsure", E="include")
    rules = decisions(
        A="include", B="unsure", C="exclude", D="unsure", E="exclude", F="exclude", G="exclude"
    )
    card = scope_card(rules, reader, draws=50)
    assert (card.n, card.relevant, card.kept) == (5, 3, 2)
    assert (card.excluded, card.audited, card.found) == (4, 2, 1)
    assert card.missed_at_most == 3
    assert card.agreement == pytest.approx(3 / 5)
    counts = card.counts.set_index(["coder", "rule"])["count"].to_dict()
    assert counts["include", "unsure"] == 1
    assert card.labels["value"].tolist() == ["include", "exclude", "unsure"]


def test_scope_is_read_with_the_reader_s_words(tmp_path):
    sheet = tmp_path / "scope.jsonl"
    sheet.write_text(
        '{"nct_id": "B", "scope": "unsure", "scope_reason": "odd"}\n\n'
        '{"nct_id": "A", "scope": "include"}\n',
        encoding="utf-8",
    )
    assert read_scope(sheet)["record_id"].tolist() == ["A", "B"]
    sheet.write_text('{"nct_id": "A", "scope": "maybe"}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"scope\.jsonl:1"):
        read_scope(sheet)
