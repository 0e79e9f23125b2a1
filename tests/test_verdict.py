import numpy as np
import pandas as pd
import pytest

from compendium.connectome import calibration, nulls, verdict
from compendium.connectome.networks import similarity
from compendium.connectome.overlap import between
from compendium.errors import InputError


@pytest.fixture(scope="module")
def planted():
    return calibration.simulated_maps(np.random.default_rng(0), common=0.8)[0]


@pytest.fixture(scope="module")
def ordinary():
    return calibration.simulated_maps(np.random.default_rng(1), common=0.0)[0]


def test_every_combination_of_choices_is_tried_once_and_ordered(planted, ordinary):
    table = verdict.specification_curve(
        {("planted", "yes"): planted, ("ordinary", "yes"): ordinary},
        ("connectome", "global signal"),
        n_draws=99,
    )
    assert len(table) == 2 * 3 * 3
    assert not table.duplicated(["connectome", "layout", "rule"]).any()
    assert table["standardised_effect"].is_monotonic_increasing
    passes = table.groupby(["connectome", "layout"])["passes"].mean()
    assert passes["planted", "kept"] == 1
    assert passes["ordinary", "kept"] < 0.5


def test_a_claim_holds_only_where_every_connectome_agrees():
    def tests(*p):
        return pd.DataFrame(
            {"null": ["a", "b"], "p_holm": p, "effect": 1.0, "standardised_effect": 2.0}
        )

    claims = [verdict.Claim("A.", "a"), verdict.Claim("B.", "b"), verdict.Claim("C.", "c")]
    table = verdict.judge(claims, {"REST": tests(0.01, 0.2), "PAIN": tests(0.04, 0.01)})
    assert table["answer"].tolist() == ["holds", "holds in part", "not tested"]
    assert verdict.judge(claims[:1], {"REST": tests(0.3, 1)})["answer"].item() == "does not hold"
    below = tests(0.01, 1).assign(effect=-1.0)
    assert verdict.judge(claims[:1], {"REST": below})["answer"].item() == "does not hold"


def test_a_pattern_replicates_with_itself_and_not_with_noise(planted):
    pairs = verdict.replication(planted, planted, "continuous")
    assert len(pairs) == 36
    assert verdict.replication_null(pairs, n_draws=500).p < 0.01
    noise = pairs.assign(second=np.random.default_rng(0).standard_normal(len(pairs)))
    assert verdict.replication_null(noise, n_draws=500).p > 0.01


def test_the_interval_holds_the_excess_it_is_about():
    random = np.random.default_rng(4)
    maps, _ = calibration.simulated_maps(random, common=0.8)
    subject_z = maps.z + 0.05 * random.standard_normal((15, *maps.z.shape))
    maps = maps.with_values(subject_z.mean(axis=0))
    matrix = similarity(maps, "continuous")
    observed = between(matrix, maps.rows(group="superficial"), maps.rows(group="deep"))
    excess = observed - nulls.expected_overlap(maps, matrix)
    low, high = verdict.effect_intervals(maps, subject_z, n_draws=60)["continuous"]
    assert low <= excess <= high
    assert low > 0


@pytest.mark.parametrize(
    ("answers", "beginning"),
    [
        (("holds", "holds"), "A common network survives"),
        (("does not hold", "does not hold"), "A common network is not shown"),
        (("holds", "does not hold"), "The evidence is divided"),
        (("holds in part", "holds"), "The evidence is divided"),
        (("not tested", "holds"), "The claim was not tested"),
    ],
)
def test_the_headline_follows_the_answers(answers, beginning):
    assert verdict.summary(*answers).startswith(beginning)


def test_an_unknown_answer_is_refused():
    with pytest.raises(InputError, match="no answer 'maybe'"):
        verdict.summary("maybe", "holds")
