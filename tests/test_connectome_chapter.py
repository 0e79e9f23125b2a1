"""What the chapter on the connectome shows: lessons, recovered truth, kept timings, charts."""

import json

import numpy as np
import pandas as pd
import pytest

from compendium.benchmark_results import (
    comparison_table,
    growth_table,
    machine_note,
    read_benchmark,
    slope_table,
)
from compendium.charts import connectome as charts
from compendium.charts.renderer import chart_markup
from compendium.connectome.coverage import coverage_table
from compendium.connectome.inference import smallest_significant_r
from compendium.connectome.lesson import group_values, subject_values
from compendium.connectome.mapping import map_seeds
from compendium.connectome.prepare import Options, prepare
from compendium.connectome.recovery import binned_recovery, recovery_table
from compendium.connectome.seeds import Seed, Sphere, place_seeds
from compendium.connectome.simulate import simulate_connectome
from compendium.errors import InputError
from tests.connectomes import make, parcel_space, reference_z

KEPT = "benchmarks/results/connectome.json"
SITES = [Sphere("M1", (-37, -21, 58), 10), Sphere("PAG", (4, -26, -14), 10)]


@pytest.fixture(scope="module")
def simulated():
    return simulate_connectome(resolution=10, n_subjects=12, n_volumes=120)


@pytest.fixture(scope="module")
def maps(simulated, tmp_path_factory):
    seeds, refused = place_seeds(SITES, simulated.space)
    assert not refused
    return map_seeds(prepare(simulated, tmp_path_factory.mktemp("simulated")), seeds)


@pytest.fixture(scope="module")
def timings(root):
    return read_benchmark(root / KEPT, "connectome")


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    connectome = make(parcel_space(), n_subjects=6)
    seed, *places = (
        Seed(name, np.array([at]), np.array([1.0]), 1.0)
        for name, at in zip("abc", (0, 3, 5), strict=True)
    )
    store = prepare(connectome, tmp_path_factory.mktemp("lesson"), Options(dtype="float32"))
    return connectome, store, seed, places


def test_a_lesson_shows_the_subjects_behind_the_group(lesson):
    connectome, store, seed, places = lesson
    values, group = subject_values(store, seed, places), group_values(store, seed, places)
    z = reference_z(connectome, [seed])[:, 0]
    assert len(values) == 12
    np.testing.assert_allclose(values.loc[values["place"] == "c", "z"], z[:, 5], atol=1e-5)
    np.testing.assert_allclose(group["z"], z[:, [3, 5]].mean(axis=0), atol=1e-5)
    assert group["held_by"].tolist() == ["parcel 3", "parcel 5"]
    assert ((group["low"] < group["z"]) & (group["z"] < group["high"])).all()


def test_recovery_is_the_correlation_with_the_truth_away_from_the_seed(simulated, maps):
    table = recovery_table(simulated, maps)
    assert table["seed"].tolist() == ["M1", "PAG"]
    assert (table["with_truth"] > 0.95).all()
    assert (table["ceiling"] > table["between_halves"]).all()
    spoiled = maps.select(["PAG", "M1"])
    spoiled = type(maps)(**{**maps.__dict__, "moments": spoiled.moments})
    assert (recovery_table(simulated, spoiled)["with_truth"] < 0.9).all()
    cloud = binned_recovery(simulated, maps, "PAG")
    assert cloud["voxels"].sum() == table["locations"][1]


def test_recovery_needs_spheres(simulated, maps):
    seed = Seed("cloud", maps.seeds[0].locations, maps.seeds[0].weights, 1.0)
    other = type(maps)(**{**maps.__dict__, "seeds": (seed, maps.seeds[1])})
    with pytest.raises(InputError, match="cloud: only a sphere"):
        recovery_table(simulated, other)


def test_more_people_make_smaller_effects_significant():
    sizes = [smallest_significant_r(n, 0.2, 1000) for n in (20, 100, 1000)]
    assert sizes == sorted(sizes, reverse=True)
    # t of a mean z of exactly that size is the two-sided Bonferroni threshold
    t = np.arctanh(sizes[1]) / (0.2 / 10)
    from scipy import stats

    assert 2 * stats.t.sf(t, 99) * 1000 == pytest.approx(0.05)


def test_the_kept_timings_say_where_and_when_and_whether_aims_were_met(timings):
    note = machine_note(timings)
    assert timings["date"] in note
    assert "cores" in note
    table = comparison_table(timings)
    for row in table.itertuples():
        better = row.ratio >= row.target if row.sense == "at least" else row.ratio <= row.target
        assert row.met == ("no aim" if pd.isna(row.target) else "yes" if better else "no")
    assert timings["sizes"]["voxels"] >= 230_000
    assert set(growth_table(timings)["over"]) == {"subjects", "seeds", "voxels"}
    assert (slope_table(timings)["milliseconds_each"] > 0).all()


def test_timings_of_something_else_are_refused(tmp_path):
    with pytest.raises(InputError, match="no kept timings"):
        read_benchmark(tmp_path / "none.json", "connectome")
    (tmp_path / "other.json").write_text(json.dumps({"benchmark": "linkage"}))
    with pytest.raises(InputError, match="not timings of 'connectome'"):
        read_benchmark(tmp_path / "other.json", "connectome")


def test_every_chart_has_words_and_few_rows(simulated, maps, timings, lesson):
    _, store, seed, places = lesson
    coverage = coverage_table(SITES, {"simulated": simulated.space, "parcels": store.space})
    speed = comparison_table(timings)
    drawn = {
        "PAG": charts.recovery_dots(recovery_table(simulated, maps)),
        "voxels away": charts.recovery_cloud(binned_recovery(simulated, maps, "M1"), "M1"),
        "mean z": charts.subject_spread(
            subject_values(store, seed, places), group_values(store, seed, places)
        ),
        "does not hold": charts.coverage_heat(coverage),
        "aim": charts.speed_chart(speed[speed["sense"] == "at least"]),
        "three panels": charts.growth_chart(growth_table(timings)),
    }
    for word, chart in drawn.items():
        assert word in chart.to_dict()["description"]
        assert "<svg" in chart_markup(chart, caption=f"A chart about {word}.")
