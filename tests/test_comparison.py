import itertools

import pandas as pd
import pytest

from compendium.charts.comparison import side_by_side, specification_strip
from compendium.charts.renderer import chart_markup
from compendium.comparison import (
    CHOICES,
    beside_the_paper,
    bridge,
    choice_effects,
    headline_specifications,
    narrow,
    order_note,
)
from compendium.errors import InputError
from compendium.published import counts_behind, read_published

CLASSES = ["non-invasive cortical", "spinal cord", "deep brain"]
DATE = "2020-07-28"


@pytest.fixture(scope="module")
def published(root):
    return read_published(root / "data" / "protocol" / "published.yml")


@pytest.fixture(scope="module")
def tables():
    rows = [
        (("non-invasive cortical",), "include", "2015", "2026-04"),
        (("non-invasive cortical", "extension"), "include", "2016", "2026-04"),
        (("spinal cord",), "include", "2017", "2026-04"),
        (("extension",), "include", "2018", "2026-04"),
        (("deep brain",), "unsure", "2019", "2026-04"),
        (("spinal cord", "deep brain"), "include", "2021", "2026-04"),
        (("not stated",), "include", "2012", "2026-04"),
        (("spinal cord",), "include", None, "2026-04"),
        (("spinal cord",), "include", None, DATE),
    ]
    table = pd.DataFrame(rows, columns=["paper_class", "decision", "registered", "data_date"])
    table["registered"] = table["registered"].astype("string")
    keys = itertools.product(CHOICES["decided by"], CHOICES["counted in"])
    return dict.fromkeys(keys, table)


def test_only_what_the_abstract_prints_is_the_paper_s(published):
    assert published.trials == 487
    assert [(one.value, one.printed) for one in published.shares] == [
        ("non-invasive cortical", "49.3 %"),
        ("spinal cord", "43.7 %"),
        ("deep brain", "< 3 %"),
    ]
    assert [one.counts for one in published.shares] == [(240, 240), (213, 213), (0, 14)]
    assert [one.exact for one in published.shares] == [True, True, False]


@pytest.mark.parametrize("k", [0, 1, 13, 240, 486, 487])
def test_a_count_is_among_those_its_own_percentage_allows(k):
    low, high = counts_behind(f"{100 * k / 487:.1f} %", 487)
    assert low == k == high
    assert counts_behind(f"{100 * k / 487:.0f} %", 487)[0] <= k


def test_a_figure_that_cannot_be_is_refused_with_its_line(tmp_path):
    with pytest.raises(InputError, match="no whole number of 3"):
        counts_behind("50.0 %", 3)
    path = tmp_path / "published.yml"
    text = "cite: x\ntrials: 487\nregistries: [a]\nshares:\n  spinal cord:\n    printed: many\n"
    path.write_text(text)
    with pytest.raises(InputError, match=r"published\.yml:6: shares\.spinal cord\.printed: 'many'"):
        read_published(path)
    path.write_text("cite: x\n")
    with pytest.raises(InputError, match=r"published\.yml: trials"):
        read_published(path)


def test_each_choice_keeps_what_it_says(tables):
    own = {
        "denominator": "paper's scope",
        "era": "the paper's",
        "unsure": "left out",
        "several": "under each",
    }
    table = tables["rules only", "trials"]

    def kept(**changed):
        return narrow(table, CLASSES, DATE, **(own | changed))["paper_class"].tolist()

    assert kept() == [
        ("non-invasive cortical",),
        ("non-invasive cortical",),
        ("spinal cord",),
        ("spinal cord",),
    ]
    assert len(kept(denominator="with the extension")) == 5
    assert len(kept(era="all snapshots")) == 6
    assert len(kept(unsure="counted in")) == 5
    assert len(kept(era="all snapshots", several="left out")) == 5


def test_every_combination_is_counted_once_and_one_is_the_book_s(tables):
    specifications = headline_specifications(tables, CLASSES, DATE, CLASSES)
    combinations = specifications[list(CHOICES)].drop_duplicates()
    assert len(combinations) == 2 ** len(CHOICES)
    assert specifications["rank"].nunique() == len(combinations)
    own = specifications[specifications["own"]].set_index("class")
    assert own["text"]["non-invasive cortical"].startswith("2 of 4")
    first = specifications[specifications["class"] == CLASSES[0]].sort_values("rank")
    assert first["share"].is_monotonic_increasing


def test_what_each_choice_moves_is_measured_with_the_others_held(tables):
    specifications = headline_specifications(tables, CLASSES, DATE, CLASSES)
    effects = choice_effects(specifications).set_index("choice")
    assert set(effects.index) == set(CHOICES)
    # both ways to decide, and both units, were given the same table
    assert effects.loc["decided by", CLASSES].abs().max() == 0
    assert effects.loc["counted in", CLASSES].abs().max() == 0
    wider = effects.loc["denominator"]
    assert wider["to"] == "with the extension"
    assert wider["spinal cord"] < 0, "a wider denominator makes a share smaller"
    assert effects.index[-1] in ("decided by", "counted in")


def test_the_order_and_the_meeting_of_intervals_are_said(tables, published):
    beside = beside_the_paper(published, {"ours": tables["rules only", "trials"]}, CLASSES)
    assert order_note(beside, "ours").startswith("the classes stand in another order")
    same = tables["rules only", "trials"].assign(
        paper_class=[(CLASSES[0],)] * 5 + [(CLASSES[1],)] * 4
    )
    beside = beside_the_paper(published, {"ours": same}, CLASSES)
    assert order_note(beside, "ours") == (
        "the classes stand in the paper's order; our interval and the paper's meet for "
        "non-invasive cortical, spinal cord, deep brain"
    )


def test_the_bridge_sums_to_the_difference(tables, published):
    steps = bridge(tables, CLASSES, DATE, published)
    for _, way in steps.groupby("class"):
        assert way["step"].iloc[-1] == "the paper"
        assert way["change"].sum() == pytest.approx(way["share"].iloc[-1] - way["share"].iloc[0])
    assert set(steps["class"]) == {"non-invasive cortical", "spinal cord"}, "a bound is no figure"


def test_the_charts_say_bound_and_paper_in_words(tables, published):
    ours = {"this book": tables["rules only", "trials"]}
    table = beside_the_paper(published, ours, CLASSES)
    assert table["bound"].sum() == 1
    assert table.loc[table["bound"], "text"].item() == "< 3 % of 487: at most 14 trials"
    chart = side_by_side(table, sources=["the paper", "this book"])
    assert "240 of 487, 49.3 % (44.9–53.7)" in chart.to_dict()["description"]
    assert "<svg" in chart_markup(chart, caption="c")
    specifications = headline_specifications(tables, CLASSES, DATE, CLASSES)
    lines = {one.value: one.counts[0] / one.n for one in published.shares if one.exact}
    strip = specification_strip(specifications, lines, choices=CHOICES)
    assert "the paper 49.3 %" in strip.to_dict()["description"]
    assert "<svg" in chart_markup(strip, caption="c")


def test_snapshots_without_a_counted_trial_are_said_in_words(tables, published):
    nothing = {key: table.head(0) for key, table in tables.items()}
    table = headline_specifications(nothing, CLASSES, DATE, CLASSES)
    beside = beside_the_paper(published, {"ours": table.head(0).assign(paper_class=[])}, CLASSES)
    assert order_note(beside, "ours") == "there is no trial here to hold beside the paper's"
    chart = specification_strip(table, {"spinal cord": 0.437}, choices=CHOICES)
    words = chart.to_dict()["description"]
    assert "spinal cord: no estimate" in words
    assert "nan" not in words
    assert "<svg" in chart_markup(chart, caption="c")
