import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compendium.errors import InputError
from compendium.statistics import (
    discontinuation,
    enrolment_quartiles,
    gap_map,
    masking_shares,
    posted_by,
    share,
    share_note,
    share_table,
    starts_per_year,
    time_to_results,
    trend,
)


def test_the_paper_s_share_has_the_interval_that_the_paper_left_out():
    nics = share(240, 487)
    assert (round(nics.low, 3), round(nics.high, 3)) == (0.449, 0.537)
    assert str(nics) == "240 of 487, 49.3 % (44.9–53.7)"
    assert str(share(1234, 5678)).startswith("1,234 of 5,678, 21.7 %")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_estimate_and_mirrors_its_complement(pair):
    k, n = pair
    one, other = share(k, n), share(n - k, n)
    if n == 0:
        assert str(one) == "0 of 0, no estimate"
        return
    assert 0 <= one.low <= one.estimate <= one.high <= 1
    assert one.low == pytest.approx(1 - other.high, abs=1e-12)


@pytest.mark.parametrize(("k", "n"), [(-1, 3), (4, 3)])
def test_no_share_outside_its_denominator(k, n):
    with pytest.raises(InputError, match=f"{k} of {n}"):
        share(k, n)


def test_a_multi_valued_share_counts_trials_and_says_that_it_overlaps():
    table = pd.DataFrame({"modality": [("rTMS", "tDCS"), ("rTMS", "rTMS"), (), ("other",)]})
    shares = share_table(table, "modality", order=["tDCS"])
    assert shares[["value", "k", "n", "known"]].values.tolist() == [
        ["tDCS", 1, 4, True],
        ["rTMS", 2, 4, True],
        ["other", 1, 4, True],
        ["not stated", 1, 4, False],
    ]
    assert shares["text"][1] == str(share(2, 4))
    assert share_note(shares).endswith("several values: the rows sum to 5.")
    phases = pd.DataFrame({"phase": pd.array(["PHASE2", pd.NA, "NA"], dtype="string")})
    alone = share_table(phases, "phase")
    assert alone["value"].tolist() == ["NA", "PHASE2", "not stated"]
    assert alone["k"].sum() == 3
    assert "several" not in share_note(alone)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from("abc"), max_size=3).map(tuple),
            st.lists(st.sampled_from("xyz"), max_size=3).map(tuple),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_the_margins_of_a_gap_map_are_the_share_table_s(rows):
    table = pd.DataFrame(rows, columns=["modality", "condition"])
    cells = gap_map(table, "modality", "condition")
    for axis, side in (("modality", "row"), ("condition", "column")):
        shares = share_table(table, axis).set_index("value")["k"]
        for value, part in cells.groupby(side):
            assert set(part[f"{side}_total"]) == {shares[value]}
    for cell in cells.itertuples():
        both = sum(cell.row in a and cell.column in b for a, b in rows)
        assert cell.n == both
        assert 0 <= cell.p_few <= cell.q_few <= 1


def test_an_empty_cell_is_held_against_its_margins():
    table = pd.DataFrame({"m": ["a"] * 20 + ["b"] * 20, "c": ["x"] * 20 + ["y"] * 20})
    cells = gap_map(table, "m", "c").set_index(["row", "column"])
    empty = cells.loc[("a", "y")]
    assert (empty["n"], empty["expected"]) == (0, 10)
    # none of 20 drawn from 40 of which 20 are "y"
    assert empty["p_few"] == pytest.approx(7.25e-12, rel=0.01)


STARTS = pd.DataFrame(
    {
        "start": pd.array(["2017-05", "2017", "2019-01-02", "2020-06-30", pd.NA], dtype="string"),
        "start_kind": pd.array(["actual"] * 5, dtype="string"),
        "paper_class": [("spinal cord",), ("a",), ("a", "spinal cord"), ("a",), ("a",)],
    }
)


def test_the_last_year_is_partial_and_the_missing_are_counted():
    starts = starts_per_year(STARTS, complete_to=2019)
    assert starts["year"].tolist() == [2017, 2018, 2019, 2020, pd.NA]
    assert starts["n"].tolist() == [2, 0, 1, 1, 1]
    assert starts["state"].tolist() == ["complete"] * 3 + ["partial", "not stated"]
    split = starts_per_year(STARTS, complete_to=2019, by="paper_class")
    assert split.groupby("value")["n"].sum().to_dict() == {"a": 4, "spinal cord": 2}


def test_a_simulated_trend_is_recovered_with_and_without_registry_growth():
    rng = np.random.default_rng(1)
    years = np.arange(2000, 2020)
    counts = rng.poisson(40 * 1.1 ** (years - 2000))
    starts = pd.DataFrame(
        {"year": pd.array(years, dtype="Int64"), "n": counts, "state": "complete"}
    )
    grown = trend(starts)
    assert grown.low < 1.1 < grown.high
    assert grown.high - grown.low < 0.04
    registered = {int(year): int(1000 * 1.1 ** (year - 2000)) for year in years}
    flat = trend(starts, registered=registered)
    assert flat.low < 1.0 < flat.high
    assert flat.offset
    partial = starts.assign(n=[*counts[:-1], 0], state=["complete"] * 19 + ["partial"])
    assert trend(partial).last == 2018
    assert str(grown).endswith("2000–2019")
    with pytest.raises(InputError, match="4 complete years"):
        trend(starts, first=2016)
    with pytest.raises(InputError, match="no number of registrations for 2000"):
        trend(starts, registered={2001: 1})


def test_counts_that_scatter_widen_the_interval_of_the_trend():
    n = [1, 60, 2, 70, 3, 80, 4, 90]
    starts = pd.DataFrame(
        {"year": pd.array(range(2000, 2008), dtype="Int64"), "n": n, "state": "complete"}
    )
    wide = trend(starts)
    assert wide.dispersion > 10
    assert wide.low < 1 < wide.high


def test_unknown_status_is_neither_completed_nor_stopped():
    status = ["COMPLETED"] * 6 + ["TERMINATED", "WITHDRAWN", "UNKNOWN", "UNKNOWN", "RECRUITING"]
    table = pd.DataFrame({"status": pd.array([*status, pd.NA], dtype="string")})
    row = discontinuation(table).iloc[0]
    assert (row["trials"], row["stopped"], row["completed"]) == (12, 2, 6)
    assert (row["unknown"], row["not_stated"], row["ongoing"]) == (2, 1, 1)
    assert row["share"] == 2 / 8
    assert (row["best"], row["worst"]) == (2 / 10, 4 / 10)
    assert row["best"] <= row["share"] <= row["worst"]
    split = discontinuation(table.assign(phase="PHASE2"), by="phase")
    assert split["value"].tolist() == ["PHASE2"]


def six_trials():
    """Primary completion 1 January 2015; three post after 6, 12 and 18 months, three do not."""
    end = ["2015-01-01"] * 6
    posted = ["2015-07-02", "2016-01-01", "2016-07-01", pd.NA, pd.NA, pd.NA]
    data = ["2020-01-01", "2020-01-01", "2020-01-01", "2015-10-01", "2016-04-01", "2017-01-01"]
    text = {"primary_completion": end, "results_first_posted": posted, "data_date": data}
    text["status"] = ["COMPLETED"] * 5 + ["TERMINATED"]
    text["results"] = ["yes"] * 3 + ["no"] * 3
    text["primary_completion_kind"] = ["actual"] * 5 + [pd.NA]
    return pd.DataFrame(text).astype("string")


def test_kaplan_meier_of_six_trials_worked_by_hand():
    result = time_to_results(six_trials())
    assert (result.n, result.events) == (6, 3)
    # 1/6 post at 6 months; one is censored at 9; 1 of 4 at 12; one is censored at 15; 1 of 2 at 18
    survival = np.array([1, 5 / 6, 5 / 6 * 3 / 4, 5 / 6 * 3 / 4 * 1 / 2])
    np.testing.assert_allclose(result.curve["posted"], 1 - survival)
    assert result.curve["at_risk"].tolist() == [6, 6, 4, 2]
    np.testing.assert_allclose(result.curve["months"], [0, 6, 12, 18], atol=0.1)
    # Greenwood at 12 months, on the log(-log) scale
    s, error = survival[2], np.sqrt(1 / (6 * 5) + 1 / (4 * 3))
    spread = 1.959964 * error / -np.log(s)
    at_12 = posted_by(result, 13)
    assert at_12.estimate == pytest.approx(1 - s)
    assert at_12.low == pytest.approx(1 - s ** np.exp(-spread))
    assert at_12.high == pytest.approx(1 - s ** np.exp(spread))
    assert at_12.at_risk == 3
    assert str(at_12).startswith("37.5 % (")
    assert "not estimable" in str(posted_by(result, 1))


def test_who_is_followed_and_who_is_not_sums_to_all():
    table = pd.concat([six_trials(), six_trials()], ignore_index=True)
    changes = {
        0: ("status", "RECRUITING"),
        1: ("primary_completion", "2015"),
        2: ("primary_completion_kind", "anticipated"),
        3: ("results", "unknown"),
        4: ("results", "yes"),
        5: ("primary_completion", "2020-05"),
        6: ("primary_completion", "2015-01"),
        7: ("results_first_posted", "2014-01-01"),
    }
    for row, (column, value) in changes.items():
        table.loc[row, column] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = time_to_results(table)
    cohort = result.cohort.set_index("state")["n"].to_dict()
    assert cohort == {
        "followed": 6,
        "primary completion anticipated or after the data": 2,
        "not completed or terminated": 1,
        "primary completion not dated to the month": 1,
        "results not stated": 1,
        "results posted, date not stated": 1,
    }
    assert result.durations.min() == 0


def test_nobody_and_everybody_posted():
    none = six_trials().assign(results_first_posted=pd.NA, results="no")
    assert posted_by(time_to_results(none), 24).estimate == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        everybody = time_to_results(six_trials().iloc[:3])
    assert everybody.curve["posted"].iloc[-1] == pytest.approx(1)
    nobody = time_to_results(six_trials().iloc[:0])
    assert (nobody.n, nobody.events) == (0, 0)


def test_enrolment_is_a_median_by_kind_and_zero_is_counted():
    table = pd.DataFrame(
        {
            "enrolment": pd.array([10, 20, 90, 0, pd.NA, 40], dtype="Int64"),
            "enrolment_kind": pd.array(["actual"] * 4 + ["anticipated", pd.NA], dtype="string"),
        }
    )
    rows = enrolment_quartiles(table, order=["actual", "anticipated"]).set_index("value")
    assert rows.index.tolist() == ["actual", "anticipated", "not stated"]
    assert rows.loc["actual", ["stated", "zero", "median", "largest"]].tolist() == [4, 1, 15, 90]
    assert rows.loc["anticipated", "stated"] == 0
    assert pd.isna(rows.loc["anticipated", "median"])


def test_masking_is_a_share_of_the_randomised():
    table = pd.DataFrame(
        {
            "allocation": ["RANDOMIZED", "RANDOMIZED", "NA", pd.NA, "NON_RANDOMIZED"],
            "masking": ["DOUBLE", pd.NA, "NONE", "NONE", "NONE"],
        }
    ).astype("string")
    shares = masking_shares(table)
    assert set(shares["n"]) == {2}
    assert shares.set_index("value")["k"].to_dict() == {
        "NONE": 0,
        "SINGLE": 0,
        "DOUBLE": 1,
        "TRIPLE": 0,
        "QUADRUPLE": 0,
        "not stated": 1,
    }
    assert shares["of"].iloc[0] == "randomised trials"
