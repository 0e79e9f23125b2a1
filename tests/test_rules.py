"""The rule engine: what it finds, where, and what cancels it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compendium.rules import (
    Rule,
    RuleSet,
    apply,
    compile_after,
    compile_before,
    compile_patterns,
    find,
    texts,
)


def rule(name, value, *patterns, **more):
    return Rule(name, value, compile_patterns(patterns), **more)


def decide(record, *rules, tiers=(("title", "names"),), multi=True, known=None):
    context = tuple(name for tier in tiers for name in tier)
    return apply(RuleSet(rules, tiers, context, multi), record, known or {})


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (
            "deep brain stim\\w*",
            "Deep-Brain   Stimulation of the thalamus",
            "Deep-Brain   Stimulation",
        ),
        ("non ?invasive", "noninvasive", "noninvasive"),
        ("non ?invasive", "non-invasive", "non-invasive"),
        ("gamma ?core", "gammaCore® device", "gammaCore"),
        ("Evoke SCS", "Evoke™ SCS system", "Evoke™ SCS"),
        ("SCS", "subSCSx", None),
        ("(?-i:TENS)", "tens of patients", None),
        ("(?-i:TENS)", "TENS unit", "TENS"),
        ("rTMS", "(rTMS)", "rTMS"),
        ("r[uü]ckenmark\\w*", "Rückenmarkstimulation", "Rückenmarkstimulation"),
    ],
)
def test_patterns_follow_the_written_conventions(pattern, text, found):
    hit = compile_patterns([pattern]).search(text)
    assert (hit.group() if hit else None) == found


def test_offsets_point_at_the_words_in_their_own_field():
    record = {"title": "A trial", "names": ("Sham coil", "Active rTMS coil")}
    match = find(rule("a", "rTMS", "rTMS"), record, ["title", "names"])[0]
    assert match.field == "names[1]"
    assert record["names"][1][match.start : match.end] == "rTMS" == match.matched


def test_an_absent_column_and_a_missing_cell_are_not_stated():
    record = {"title": None, "names": ()}
    assert list(texts(record, ["title", "names", "nowhere"])) == []
    assert decide(record, rule("a", "rTMS", "rTMS")) == []


def test_a_longer_match_hides_the_shorter_one_inside_it():
    record = {"title": "Transcutaneous vagus nerve stimulation for migraine"}
    rules = (
        rule("v", "VNS", "vagus nerve stim\\w*"),
        rule("t", "tVNS", "transcutaneous vagus nerve stim\\w*"),
    )
    assert [match.value for match in decide(record, *rules)] == ["tVNS"]


def test_a_value_gives_way_but_not_to_itself():
    record = {"title": "tDCS, namely HD-tDCS"}
    general = rule("g", "tDCS", "tDCS", yields_to=frozenset({"HD-tDCS", "tDCS"}))
    assert [m.value for m in decide(record, general)] == ["tDCS"]
    assert [m.value for m in decide(record, general, rule("h", "HD-tDCS", "HD tDCS"))] == [
        "HD-tDCS"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Adults with no spinal cord stimulator",
        "history of spinal cord stimulation",
        "without a prior spinal cord stimulator",
    ],
)
def test_cancelling_words_before_a_match(text):
    guarded = rule(
        "s",
        "SCS",
        "spinal cord stim\\w*",
        not_after=compile_before(["no", "without", "history of"]),
    )
    assert decide({"title": text}, guarded) == []


def test_cancelling_words_do_not_reach_over_the_end_of_a_clause():
    guarded = rule("s", "SCS", "spinal cord stim\\w*", not_after=compile_before(["no"]))
    assert decide({"title": "There was no surgery; spinal cord stimulation was given"}, guarded)


def test_cancelling_words_after_a_match():
    guarded = rule("s", "SCS", "SCS", not_before=compile_after(["candidates?"]))
    assert decide({"title": "SCS candidates"}, guarded) == []
    assert decide({"title": "SCS for candidates"}, guarded)


def test_lower_tiers_and_ranks_speak_only_when_the_upper_are_silent():
    tiers = (("title",), ("summary",))
    rules = (
        rule("a", "rTMS", "rTMS"),
        rule("b", "SCS", "SCS"),
        rule("c", "device", "Precision", rank=1),
    )
    both = {"title": "rTMS", "summary": "unlike SCS with Precision"}
    assert [m.value for m in decide(both, *rules, tiers=tiers)] == ["rTMS"]
    assert [m.value for m in decide({"summary": "SCS"}, *rules, tiers=tiers)] == ["SCS"]
    assert [m.value for m in decide({"title": "Precision"}, *rules, tiers=tiers)] == ["device"]


def test_with_and_without_look_across_the_record():
    asks = rule("a", "SCI pain", "spinal cord injury", within=compile_patterns(["pain"]))
    bars = rule("b", "MCS", "motor cortex stim\\w*", without=compile_patterns(["transcranial"]))
    assert decide({"title": "Spinal cord injury", "names": ("pain diary",)}, asks)
    assert not decide({"title": "Spinal cord injury"}, asks)
    assert not decide({"title": "Motor cortex stimulation", "names": ("transcranial",)}, bars)


def test_a_value_that_follows_from_another_carries_its_words():
    source = decide({"title": "SCS for pain"}, rule("s", "SCS", "SCS"))
    follows = Rule("t", "spinal cord", given={"modality": frozenset({"SCS"})})
    match = decide({"title": "SCS for pain"}, follows, known={"modality": source})[0]
    assert (match.value, match.matched, match.start) == ("spinal cord", "SCS", 0)
    assert decide({}, follows, known={}) == []


def test_required_columns_hold_one_of_the_values():
    needs = Rule("n", "none", requires={"number_of_arms": frozenset({"1"})})
    assert decide({"number_of_arms": 1}, needs)
    assert not decide({"number_of_arms": 2}, needs)
    assert not decide({}, needs)


def test_a_single_choice_takes_the_first_rule_that_applies():
    rules = (rule("a", "sham", "sham"), rule("b", "active", "versus"))
    assert [m.value for m in decide({"title": "A versus sham"}, *rules, multi=False)] == ["sham"]


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="rTMS tDC,.-()\u00e9\u202e<>", max_size=60))
def test_every_match_is_the_text_it_points_at(text):
    record = {"title": text}
    for match in find(rule("a", "x", "r ?TMS", "tD\\w*"), record, ["title"]):
        assert text[match.start : match.end] == match.matched


def test_a_bad_pattern_is_refused():
    with pytest.raises(re.error):
        compile_patterns(["(unclosed"])
