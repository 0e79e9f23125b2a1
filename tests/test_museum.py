import pandas as pd
import pytest

from compendium.charts.exhibits import distance_chart, room_markup
from compendium.museum import EXHIBITS, tour, tour_table

# What the naive reading is documented to yield, and whether the careful reader gives a number.
DOCUMENTED = {
    "nct0": (3, False),
    "polite-end": (3, False),
    "coerced-page": (1000, False),
    "empty-page": (2, True),
    "slipped-rows": (4, True),
    "open-quote": (2, True),
    "web-page": (6, False),
    "day-first": (1, True),
    "year-2641": (2641, True),
    "serial-date": (1970, True),
    "last-group": (358, True),
    "sentinel": (25_000_037.25, True),
    "phase-na": (3, True),
    "results-flag": (0, True),
    "escaped": (1, True),
    "padded": (0, True),
    "garbled": (3, True),
    "countries": (6, True),
    "zeros": (3, True),
}


@pytest.fixture(scope="module")
def visits():
    return {visit.exhibit.name: visit for visit in tour(EXHIBITS)}


def test_every_exhibit_is_documented(visits):
    assert list(visits) == list(DOCUMENTED)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_naive_reading_yields_its_wrong_number(visits, name):
    wrong, _ = DOCUMENTED[name]
    assert visits[name].naive == wrong
    assert visits[name].naive != visits[name].exhibit.truth


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_careful_reading_is_true_or_refuses_with_a_reason(visits, name):
    careful = visits[name].careful
    assert (careful.number is not None) == DOCUMENTED[name][1]
    assert careful.said
    if careful.number is not None:
        assert careful.number == visits[name].exhibit.truth


def test_the_cut_file_holds_a_trial_called_nct0(tmp_path):
    from lxml import etree

    exhibit = next(e for e in EXHIBITS if e.name == "nct0")
    tree = etree.parse(exhibit.make(tmp_path), etree.XMLParser(recover=True))
    assert [trial.findtext("TrialID") for trial in tree.iter("Trial")][-1] == "NCT0"


def test_the_code_on_show_is_the_code_that_ran():
    exhibit = next(e for e in EXHIBITS if e.name == "phase-na")
    assert exhibit.naive_habit == "Count the empty cells."
    assert exhibit.naive_code == ('table = pd.read_csv(path)\nreturn table["Phase"].isna().sum()')


def test_the_table_sets_naive_beside_true(visits):
    table = tour_table(list(visits.values()))
    assert len(table) == len(EXHIBITS)
    assert (table["naive"] != table["true"]).all()
    assert (table["careful"].isna() | (table["careful"] == table["true"])).all()
    assert table.loc[table["counted"].str.startswith("year"), "naive_text"].tolist() == [
        "2641",
        "1970",
    ]


def test_the_cards_escape_what_they_show(visits):
    shown = list(visits.values())
    hostile = shown[0].exhibit.__class__(
        **{**vars(shown[0].exhibit), "title": "<script>alert(1)</script>"}
    )
    markup = room_markup([shown[0]._replace(exhibit=hostile), *shown[1:]])
    assert "<script>" not in markup
    assert markup.count("<h3") == len(EXHIBITS)


def test_the_chart_says_in_words_what_it_draws(visits):
    chart = distance_chart(tour_table(list(visits.values())))
    spec = chart.to_dict()
    assert "The trial called NCT0: 3 for 4 (trials in the export)" in spec["description"]
    drawn = pd.DataFrame(next(rows for rows in spec["datasets"].values() if len(rows) > 1))
    assert drawn["drawn"].between(0, 2).all()
