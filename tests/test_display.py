import base64
import json
import re

import altair as alt
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from myst_nb.core.variables import format_plain_text

from compendium import display
from compendium.charts import renderer
from compendium.errors import InputError

HOSTILE = '<script>alert("x")</script>\u202egnp'


def soup(markup):
    return BeautifulSoup(markup, "html.parser")


def bars(n=3, **properties):
    data = pd.DataFrame({"modality": [f"m{i}" for i in range(n)], "trials": range(n)})
    chart = alt.Chart(data).mark_bar().encode(x="trials:Q", y="modality:N")
    return chart.properties(width="container", **properties), data


def test_a_chart_is_readable_without_scripts_and_carries_its_data():
    chart, data = bars(description="Three modalities")
    page = soup(renderer.chart_markup(chart, caption="Trials (n = 3)", name="mods", data=data))
    figure = page.find("figure", id="fig-mods")
    assert figure.find(role="img")["aria-label"] == "Three modalities"
    assert figure.find("svg").find("path")
    link = figure.find("a", download="mods.csv")["href"]
    text = base64.b64decode(link.split(",", 1)[1]).decode()
    assert text.splitlines()[0] == "modality,trials"
    assert len(figure.find("table").find_all("tr")) == 4
    assert json.loads(figure.find("script").string)["description"] == "Three modalities"


def test_a_chart_without_words_or_with_too_many_rows_is_refused():
    with pytest.raises(InputError, match="without a text alternative"):
        renderer.chart_markup(bars()[0], caption="a")
    with pytest.raises(InputError, match="2001 rows"):
        renderer.chart_markup(bars(2001, description="d")[0], caption="a")


def test_two_charts_of_one_page_share_no_id():
    ids = []
    for name in ("a", "b"):
        chart, _ = bars(description="d")
        markup = renderer.chart_markup(chart, caption="c", name=name)
        ids += [element["id"] for element in soup(markup).find_all(id=True)]
        for target in re.findall(r"url\(#([^)]+)\)", markup):
            assert target.startswith(f"fig-{name}-")
    assert len(ids) == len(set(ids))


def test_the_same_chart_is_the_same_bytes():
    first, second = (renderer.chart_markup(bars(description="d")[0], caption="c") for _ in range(2))
    assert first == second


def test_hostile_text_cannot_leave_its_cell_or_its_chart():
    table = pd.DataFrame({"title": [HOSTILE], "url": ["javascript:alert(1)"]})
    page = soup(display.table_markup(table, caption=HOSTILE, links={"title": "url"}))
    assert page.find("script") is None
    assert page.find("a") is None
    assert page.find("tbody").find("th").get_text() == HOSTILE
    data = pd.DataFrame({"title": [HOSTILE], "n": [1]})
    chart = alt.Chart(data).mark_bar().encode(x="n:Q", y="title:N").properties(description=HOSTILE)
    page = soup(renderer.chart_markup(chart, caption=HOSTILE, data=data))
    assert [s["type"] for s in page.find_all("script")] == ["application/json"]


def test_a_table_tells_heads_from_cells_and_missing_from_none():
    table = pd.DataFrame(
        {
            "class": ["SCS", "DBS"],
            "trials": pd.array([213, pd.NA], dtype="Int64"),
            "sites": [("a", "b"), ()],
            "url": ["https://example.org/x?a=1&b=2", ""],
        }
    )
    page = soup(display.table_markup(table, caption="Classes", links={"class": "url"}))
    assert page.caption.get_text() == "Classes"
    assert [h["scope"] for h in page.thead.find_all("th")] == ["col"] * 3
    assert page.find("a")["href"] == "https://example.org/x?a=1&b=2"
    assert [c.get_text() for c in page.find_all("td")] == ["213", "a; b", "–", "–"]
    region = page.find(role="region")
    assert region["tabindex"] == "0"
    assert region["aria-label"]


def test_a_quoted_number_reaches_prose_without_quotation_marks():
    for text in ("49.3 %", "3,485", "+9.7", "0.50", "(a)", "487", "'quoted'", "1_000", "007"):
        assert format_plain_text(repr(display._Phrase(text)), "") == text


def test_an_empty_table_says_so():
    page = soup(display.table_markup(pd.DataFrame({"record": [], "reason": []}), caption="Harmed"))
    assert [cell.get_text() for cell in page.tbody.find_all("td")] == ["none"]


def test_numbers_of_a_column_share_their_decimals_and_nothing_is_minus_zero():
    table = pd.DataFrame({"class": list("abcd"), "share": [45.9, 34.0, -0.0, None]})
    page = soup(display.table_markup(table, caption="Shares"))
    assert [c.get_text() for c in page.find_all("td")] == ["45.9", "34.0", "0.0", "–"]
    small = pd.DataFrame({"class": list("abc"), "p": [0.5, 0.0002, -0.25]})
    page = soup(display.table_markup(small, caption="Tests"))
    assert [c.get_text() for c in page.find_all("td")] == ["0.500", "0.0002", "−0.250"]


def test_numbers_of_a_wide_column_claim_no_digits_that_were_not_measured():
    table = pd.DataFrame({"way": list("abc"), "ratio": [223.5, 5.178, 0.182]})
    page = soup(display.table_markup(table, caption="Times faster"))
    assert [c.get_text() for c in page.find_all("td")] == ["223.5", "5.2", "0.2"]


def test_long_whole_numbers_are_grouped_and_years_are_not():
    table = pd.DataFrame({"people": [1000], "voxels": [285903], "year": [2026]})
    page = soup(display.table_markup(table, caption="Sizes"))
    assert [c.get_text() for c in page.tbody.find_all(["th", "td"])] == ["1000", "285,903", "2026"]
    assert page.tbody.th["class"] == page.thead.th["class"] == ["number"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-0.15 to 0.14", "−0.15 to 0.14"),
        ("(-4.7 SD)", "(−4.7 SD)"),
        ("2020-07-28", "2020-07-28"),
        ("3,485", "3,485"),
        ("COVID-19", "COVID-19"),
    ],
)
def test_a_minus_in_prose_is_a_minus_and_a_date_keeps_its_hyphens(monkeypatch, text, shown):
    bound = {}
    monkeypatch.setattr("myst_nb.glue", lambda name, value, display: bound.update({name: value}))
    display.quote("a", text)
    assert format_plain_text(repr(bound["a"]), "") == shown
