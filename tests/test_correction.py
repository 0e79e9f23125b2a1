"""Error-adjusted shares recover the truth in simulation."""

import math

import numpy as np
import pytest

from compendium.correction import adjusted_share, rogan_gladen


def test_rogan_gladen_undoes_known_errors():
    truth = 0.3
    apparent = truth * 0.9 + (1 - truth) * (1 - 0.95)
    assert rogan_gladen(apparent, 0.9, 0.95) == pytest.approx(truth)


def test_the_estimate_stays_between_0_and_1_and_senseless_labels_give_nothing():
    assert rogan_gladen(0.01, 0.9, 0.95) == 0
    assert rogan_gladen(1.0, 0.9, 0.95) == 1
    assert math.isnan(rogan_gladen(0.3, 0.5, 0.5))


def test_a_flawless_labelling_changes_nothing_but_keeps_doubt():
    truth = np.arange(100) < 40
    share = adjusted_share(np.arange(300) < 120, truth, truth)
    assert (share.k, share.n) == (120, 300)
    assert share.estimate == pytest.approx(0.4)
    assert share.low < 0.4 < share.high


def test_without_positives_nothing_is_claimed():
    none = np.zeros(20, dtype=bool)
    assert math.isnan(adjusted_share(none, none, none).estimate)


@pytest.mark.parametrize(("sensitivity", "specificity"), [(0.9, 0.97), (0.8, 0.95)])
def test_intervals_cover_the_true_share_as_often_as_they_say(sensitivity, specificity):
    generator = np.random.default_rng(7)
    prevalence, runs, covered = 0.35, 150, 0
    for run in range(runs):

        def label(truth):
            draws = generator.random(len(truth))
            return np.where(truth, draws < sensitivity, draws < 1 - specificity)

        measured = generator.random(200) < prevalence
        interest = generator.random(400) < prevalence
        share = adjusted_share(label(interest), measured, label(measured), draws=400, seed=run)
        covered += share.low <= prevalence <= share.high
    assert 0.89 <= covered / runs <= 1.0


def test_the_same_seed_gives_the_same_interval():
    truth = np.arange(60) % 3 == 0
    given = np.arange(200) % 4 == 0
    assert adjusted_share(given, truth, truth) == adjusted_share(given, truth, truth)
