"""Agreement coefficients against published examples, and the invariants they must keep."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from compendium.agreement import (
    bootstrap_interval,
    cohen_kappa,
    confusion_table,
    gwet_ac1,
    krippendorff_alpha,
    label_table,
    mean_kappa,
    missed_at_most,
    percent_agreement,
    wilson_interval,
)


def readers(both, only_a, only_b, neither):
    a = "y" * (both + only_a) + "n" * (only_b + neither)
    b = "y" * both + "n" * only_a + "y" * only_b + "n" * neither
    return a, b


@pytest.mark.parametrize(
    ("table", "agreement", "kappa"),
    [
        # Feinstein and Cicchetti 1990, J Clin Epidemiol 43:543: the same agreement, two kappas
        ((40, 9, 6, 45), 0.85, 0.70),
        ((80, 10, 5, 5), 0.85, 0.32),
        ((20, 5, 10, 15), 0.70, 0.40),
    ],
)
def test_cohen_kappa_of_published_tables(table, agreement, kappa):
    a, b = readers(*table)
    assert percent_agreement(a, b) == pytest.approx(agreement)
    assert cohen_kappa(a, b) == pytest.approx(kappa, abs=0.005)


def test_gwet_ac1_of_the_published_example():
    # Gwet 2008, Br J Math Stat Psychol 61:29: 118, 5, 2 and 0 of 125
    a, b = readers(118, 5, 2, 0)
    assert cohen_kappa(a, b) == pytest.approx(-0.0234, abs=5e-5)
    assert gwet_ac1(a, b) == pytest.approx(0.9408, abs=5e-5)


def test_the_kappa_paradox_of_rare_labels():
    # 97 % agreement on a label that one record in fifty has, and yet a kappa of .35
    a, b = readers(5, 9, 8, 534)
    assert percent_agreement(a, b) == pytest.approx(0.97, abs=0.003)
    assert cohen_kappa(a, b) == pytest.approx(0.35, abs=0.02)
    assert gwet_ac1(a, b) > 0.96


def test_krippendorff_alpha_of_the_published_example():
    # Krippendorff 2011: four observers, twelve units, missing data, nominal metric
    nothing = None
    ratings = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, nothing, nothing, nothing],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nothing, 3],
        [nothing, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nothing],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nothing],
    ]
    assert krippendorff_alpha(ratings) == pytest.approx(0.743, abs=0.0005)
    as_missing = [[pd.NA if cell is None else cell for cell in row] for row in ratings]
    assert krippendorff_alpha(as_missing) == pytest.approx(0.743, abs=0.0005)


def test_undefined_coefficients_are_not_numbers():
    assert math.isnan(cohen_kappa("yyy", "yyy"))
    assert math.isnan(gwet_ac1("yyy", "yyy"))
    assert math.isnan(krippendorff_alpha([["y", None], [None, "n"]]))
    with pytest.raises(ValueError, match="same items"):
        cohen_kappa("yy", "y")


def test_wilson_interval_of_the_paper_s_share():
    assert wilson_interval(240, 487) == pytest.approx((0.449, 0.537), abs=0.0005)
    assert wilson_interval(73, 73)[0] >= 0.95 > wilson_interval(72, 72)[0]
    assert wilson_interval(0, 0) == (0.0, 1.0)


codes = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=2, max_size=40)


@settings(max_examples=60, deadline=None)
@given(codes)
def test_kappa_agrees_with_another_implementation_and_is_symmetric(pairs):
    a, b = zip(*pairs, strict=True)
    ours = cohen_kappa(a, b)
    if not math.isnan(ours):
        assert ours == pytest.approx(cohen_kappa_score(a, b))
        assert cohen_kappa(b, a) == pytest.approx(ours)
        assert -1 <= ours <= 1
    if not math.isnan(gwet_ac1(a, b)):
        assert gwet_ac1(a, b) == pytest.approx(gwet_ac1(b, a))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=2, max_size=30))
def test_perfect_agreement_is_one_or_undefined(a):
    for coefficient in (cohen_kappa(a, a), gwet_ac1(a, a), krippendorff_alpha([a, a])):
        assert math.isnan(coefficient) or coefficient == pytest.approx(1)


def frame(rows, labels="ab"):
    return pd.DataFrame(rows, columns=list(labels), dtype=bool)


def test_the_label_table_counts_and_carries_intervals():
    coder = frame([[1, 0], [1, 0], [0, 1], [0, 0]])
    rule = frame([[1, 0], [0, 0], [0, 1], [0, 1]])
    table = label_table(coder, rule).set_index("value")
    assert table.loc["a", ["coder", "rule", "both"]].tolist() == [2, 1, 1]
    assert table.loc["a", "recall"] == 0.5
    assert table.loc["b", "precision"] == 0.5
    assert table.loc["b", "precision_low"] < 0.5 < table.loc["b", "precision_high"]
    assert table.loc["a", "kappa"] == pytest.approx(0.5)


def test_mean_kappa_weighs_by_the_first_reader_s_prevalence():
    coder = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], dtype=bool)
    rule = np.array([[1, 0], [1, 0], [1, 0], [0, 0]], dtype=bool)
    # kappa 1 with weight 3, kappa 0 with weight 1
    assert mean_kappa(coder, rule) == pytest.approx(0.75)
    assert math.isnan(mean_kappa(coder[:, :0], rule[:, :0]))


def test_the_confusion_table_sets_missed_against_added_labels():
    coder = frame([[1, 0], [1, 0], [1, 1], [0, 0]])
    rule = frame([[1, 0], [0, 1], [1, 0], [0, 1]])
    counts = confusion_table(coder, rule).set_index(["coder", "rule"])["count"].to_dict()
    assert counts == {("a", "a"): 2, ("a", "b"): 1, ("b", "(nothing)"): 1, ("(nothing)", "b"): 1}


def test_the_bootstrap_draws_whole_clusters_and_is_repeatable():
    values = np.array([0.0, 0.0, 1.0, 1.0])
    drawn = []

    def mean(positions):
        drawn.append(sorted(positions))
        return float(values[positions].mean())

    first = bootstrap_interval(mean, ["x", "x", "y", "y"], draws=50, seed=1)
    assert first == bootstrap_interval(mean, ["x", "x", "y", "y"], draws=50, seed=1)
    assert all(positions.count(0) == positions.count(1) for positions in drawn)
    assert first == (0.0, 1.0)


@pytest.mark.parametrize(
    ("excluded", "audited", "found", "most"), [(500, 100, 0, 13), (100, 100, 2, 2), (50, 0, 0, 50)]
)
def test_a_recall_audit_bounds_what_was_missed(excluded, audited, found, most):
    assert missed_at_most(excluded, audited, found) == most


def test_auditing_more_bounds_tighter():
    bounds = [missed_at_most(200, audited, 0) for audited in (10, 50, 100, 200)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[-1] == 0
