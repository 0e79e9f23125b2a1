"""The calibration card: fixed halves, and the aims of the rules on coder A's records."""

import numpy as np
import pandas as pd
import pytest

from compendium.calibration import calibration_card, half_of, indicators


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
