"""Maps larger than memory: the same numbers from files, and never all of them in memory at once."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from compendium.connectome import hubs, large, networks, nulls, reference
from compendium.errors import InputError

K, P = 40, 6_000


@pytest.fixture(scope="module")
def in_memory():
    random = np.random.default_rng(0)
    shared = random.standard_normal((3, P))
    z = 0.1 * random.standard_normal((K, 3)) @ shared + 0.1 * random.standard_normal((K, P))
    z[:, ::397] = np.nan
    own = np.zeros((K, P), dtype=bool)
    for row in range(K):
        own[row, 40 * row : 40 * row + 60] = True
    seeds = pd.DataFrame(
        {
            "seed": [f"s{i}" for i in range(K)],
            "group": ["superficial"] * 5 + ["deep"] * 5 + ["null"] * (K - 10),
            "role": ["analgesic"] * 10 + ["null"] * (K - 10),
            "tissue": "cortical",
            "hemisphere": "L",
        }
    )
    return networks.MapSet(seeds, z, z * 30, own, 20)


@pytest.fixture
def on_disk(in_memory, tmp_path, monkeypatch):
    monkeypatch.setattr(large, "IN_MEMORY", 0)
    monkeypatch.setattr(networks, "BLOCK", 256)
    monkeypatch.setattr(networks, "ROWS_VALUES", 2 * P)
    arrays = {}
    for name in ("z", "t", "own"):
        np.save(tmp_path / f"{name}.npy", getattr(in_memory, name))
        arrays[name] = large.open_rows(tmp_path / f"{name}.npy")
    return networks.MapSet(in_memory.seeds, **arrays, n_subjects=20)


def results(maps):
    """Everything that chapters 8 to 10 ask of all maps together."""
    pattern = np.sin(np.arange(P) / 50)
    found = {}
    for layout in networks.LAYOUTS:
        cleaned = networks.without_layout(maps, layout)
        for rule in networks.RULES:
            matrix = networks.similarity(cleaned, rule)
            found[layout, rule] = matrix
            found[layout, rule, "null"] = nulls.location_null(cleaned, matrix, n_draws=200).null
        test = reference.reference_null(cleaned, pattern, n_draws=200)
        found[layout, "reference"] = np.array([test.observed, *test.null])
        places = hubs.strongest_places(cleaned, np.arange(10))
        found[layout, "hubs"] = places
        found[layout, "at"] = cleaned.take(np.arange(10)).at(places).t
    targets = maps.take(np.arange(10))
    network = networks.cut_networks(targets, "largest tenth")
    groups = targets.seeds["group"].to_numpy()
    found["conjunction"] = networks.conjunction(network, groups).to_numpy(float)
    return found


def test_maps_in_files_give_the_same_numbers_and_never_fill_memory(in_memory, on_disk):
    assert isinstance(on_disk.z, large.FileArray)
    expected = results(in_memory)
    tracemalloc.start()
    found = results(on_disk)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    for key, values in expected.items():
        np.testing.assert_allclose(found[key], values, rtol=1e-7, atol=1e-9, err_msg=str(key))
    # all that was in hand at any time is less than a single array of all maps
    assert peak < K * P * 8


def test_nothing_is_left_on_disk(on_disk, tmp_path):
    before = sorted(path.name for path in tmp_path.iterdir())
    networks.similarity(networks.without_layout(on_disk, "degree removed"), "continuous")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_an_array_in_a_file_reads_as_an_array_does(in_memory, on_disk):
    rows = np.array([7, 3, 30])
    taken, z = on_disk.z.take(rows), in_memory.z[rows]
    assert taken.shape == z.shape
    np.testing.assert_array_equal(taken[1], z[1])
    np.testing.assert_array_equal(taken[:, 5:9], z[:, 5:9])
    np.testing.assert_array_equal(taken[np.array([2, 0])], z[[2, 0]])
    np.testing.assert_array_equal(taken.take(np.array([2]))[:], z[[2]])
    np.testing.assert_array_equal(taken[0, z[0] > 0], z[0, z[0] > 0])


def test_arithmetic_on_a_whole_file_is_refused(on_disk):
    for attempt in (np.isfinite, np.asarray, lambda array: array - 1, lambda array: 1 - array):
        with pytest.raises(TypeError):
            attempt(on_disk.z)


def test_a_disk_too_small_for_what_is_worked_out_is_told(on_disk, monkeypatch):
    from compendium.connectome import disk

    monkeypatch.setattr(disk, "free_bytes", lambda folder: 1000)
    with pytest.raises(InputError, match="GB are needed"):
        networks.similarity(on_disk, "continuous")
