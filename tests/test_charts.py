"""Every chart of the landscape: it draws, says itself in words, and stays small."""

import altair as alt
import pandas as pd
import pytest

from compendium.charts.landscape import discontinuation_bounds, enrolment_strip, gap_heat, world_map
from compendium.charts.renderer import MAXIMUM_ROWS, chart_markup
from compendium.charts.shares import describe_shares, share_dots
from compendium.charts.years import results_curve, start_bars
from compendium.geography import country_name, read_outlines
from compendium.statistics import (
    discontinuation,
    enrolment_quartiles,
    gap_map,
    share_table,
    starts_per_year,
    time_to_results,
)


@pytest.fixture(scope="module")
def trials():
    n = 60
    modality = [("SCS",), ("rTMS", "tDCS"), ("DBS",), ()]
    return pd.DataFrame(
        {
            "trial_id": [f"T{i}" for i in range(n)],
            "modality": [modality[i % 4] for i in range(n)],
            "condition": [("CRPS",) if i % 3 else ("migraine", "cancer") for i in range(n)],
            "countries": [("USA", "SGP") if i % 2 else ("FRA",) for i in range(n)],
            "status": ["COMPLETED", "TERMINATED", "UNKNOWN", "RECRUITING"] * 15,
            "enrolment": pd.array([(i * 7) % 90 for i in range(n)], dtype="Int64"),
            "enrolment_kind": ["actual", "anticipated"] * 30,
            "start": [f"{2005 + i % 17}-03" for i in range(n - 2)] + [pd.NA] * 2,
            "primary_completion": ["2015-01-01"] * n,
            "primary_completion_kind": ["actual"] * n,
            "results": ["yes", "no"] * 30,
            "results_first_posted": ["2016-06-01", pd.NA] * 30,
            "data_date": ["2020-07-28"] * n,
        }
    )


def drawn(chart: alt.TopLevelMixin) -> str:
    markup = chart_markup(chart, caption="n = 60")
    assert "<svg" in markup
    return chart.to_dict()["description"]


def test_shares(trials):
    shares = share_table(trials, "modality")
    words = drawn(share_dots(shares, subject="Modality of 60 trials"))
    assert words.startswith("Modality of 60 trials. ")
    assert "DBS 15 of 60, 25.0 % (15.8–37.2)" in words
    assert "not stated 15 of 60" in words
    grouped = shares.assign(family=["implanted", "not", "not", "implanted", "none"])
    drawn(share_dots(grouped, subject="Modality", group="family"))
    many = pd.concat([shares] * 4, ignore_index=True)
    assert describe_shares(many, "x").endswith("; and 5 more in the data table.")


def test_gaps(trials):
    cells = gap_map(trials, "condition", "modality")
    words = drawn(gap_heat(cells, row_title="Condition", column_title="modality", n=60))
    assert "CRPS in" in words
    assert f"of {len(cells)} combinations have none" in words


def test_map(trials, root):
    outlines = read_outlines(root / "data" / "geography" / "countries-110m.json")
    shares = share_table(trials, "countries")
    shares["name"] = [country_name(code) for code in shares["value"]]
    chart = world_map(shares, outlines, n=60)
    words = drawn(chart)
    assert "France 30 of 60" in words
    assert "Singapore 30 of 60" in words, "a country too small to be drawn is still said"
    assert len(chart_markup(chart, caption="c")) < 400_000


def test_sizes(trials):
    sized = trials[trials["enrolment"] > 0]
    rows = pd.DataFrame(
        {
            "group": sized["enrolment_kind"],
            "enrolment": sized["enrolment"].astype(int),
            "name": sized["trial_id"],
        }
    )
    quartiles = enrolment_quartiles(trials)
    words = drawn(enrolment_strip(rows, quartiles, subject="Enrolment of 60 trials"))
    assert "actual: median" in words


def test_stopped_early(trials):
    table = discontinuation(trials, by="modality")
    words = drawn(discontinuation_bounds(table, subject="Stopped early"))
    assert "rTMS: 15 of 15" in words
    assert "groups without an ended trial are not drawn" in words


def test_starts(trials):
    starts = starts_per_year(trials, complete_to=2019, by="modality")
    order = sorted(starts["value"].unique())
    words = drawn(start_bars(starts, order=order, subject="Starts"))
    assert "From 2020 on the data are incomplete" in words
    assert words.endswith("2 without a start date.")


def test_results(trials):
    completed = time_to_results(trials)
    chart = results_curve(completed.curve, n=completed.n, subject="Results posted")
    assert "% by 24 months" in drawn(chart)


def test_no_chart_carries_more_rows_than_a_page_may(trials):
    cells = gap_map(trials, "condition", "modality")
    spec = gap_heat(cells, row_title="c", column_title="m", n=60).to_dict()
    assert sum(len(rows) for rows in spec["datasets"].values()) < MAXIMUM_ROWS
