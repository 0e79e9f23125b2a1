"""The same numbers from threads and from a Dask cluster, whatever happens to its workers."""

import os
import pickle
import shutil
import signal
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from compendium.connectome import mapping
from compendium.connectome.dictionary import map_dictionary
from compendium.connectome.flips import sign_flip_max_t
from compendium.connectome.mapping import map_seeds, map_shard
from compendium.connectome.moments import Moments
from compendium.connectome.prepare import Options, prepare
from compendium.connectome.scale import (
    Workers,
    cluster_workers,
    local_workers,
    nothing,
    split,
    workers_of,
)
from compendium.connectome.store import open_store
from compendium.errors import InputError
from tests.connectomes import make, some_seeds, voxel_space


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    connectome = make(voxel_space(), n_subjects=8)
    return prepare(connectome, tmp_path_factory.mktemp("scale"), Options(dtype="float32"))


@pytest.fixture(scope="module")
def seeds(store):
    return some_seeds(store.space)


@contextmanager
def connected():
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def client():
    with connected() as client:
        yield client


@pytest.fixture
def doomed():
    """A cluster of its own, for a test that leaves too few workers to the next."""
    with connected() as client:
        yield client


def test_shares_are_even_and_complete():
    assert split(7, 3) == [range(3), range(3, 5), range(5, 7)]
    assert split(2, 5) == [range(1), range(1, 2)]


def test_workers_are_at_least_one():
    with pytest.raises(InputError, match="0 workers cannot work"):
        local_workers(0)
    assert local_workers().n >= 1


def test_results_keep_the_order_of_the_pieces():
    pieces = [(number,) for number in range(7)]
    assert local_workers(3).run(squared, pieces) == [n * n for n in range(7)]
    assert local_workers(3).run(squared, pieces, merge=np.add) == 91


def squared(number, tick=nothing):
    tick()
    return number * number


def test_no_scheduler_is_said_plainly():
    with pytest.raises(InputError, match=r"tcp://127\.0\.0\.1:1: no Dask scheduler answers"):
        cluster_workers("tcp://127.0.0.1:1", timeout=0.5)


def test_a_matrix_product_keeps_to_one_thread():
    from threadpoolctl import threadpool_limits

    with threadpool_limits(2, user_api="blas"):
        assert blas_threads() == 2
        assert local_workers(2).run(blas_threads, [(), ()]) == [1, 1]
        assert blas_threads() == 2


def blas_threads(tick=nothing):
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")


def shards(store, seeds):
    return [(store, part, seeds, "fisher-z") for part in split(store.n_subjects, 4)]


def fatal_shard(flag, signal_number, store, part, seeds, rule, tick=nothing):
    """Map a shard, but the first worker to come here dies in the middle of it."""
    result = map_shard(store, part, seeds, rule)
    try:
        Path(flag).touch(exist_ok=False)
    except FileExistsError:
        return result
    os.kill(os.getpid(), signal_number)
    return result


def cut_off_shard(flag, store, part, seeds, rule, tick=nothing):
    """Map a shard, but the first worker to come here loses its connection to the scheduler."""
    from distributed import get_worker

    result = map_shard(store, part, seeds, rule)
    try:
        Path(flag).touch(exist_ok=False)
    except FileExistsError:
        return result
    worker = get_worker()
    worker.loop.add_callback(worker.batched_stream.comm.abort)
    return result


@pytest.fixture(scope="module")
def undisturbed(store, seeds):
    workers = local_workers(1)
    return workers.run(map_shard, shards(store, seeds), merge=Moments.merge)


def assert_same(found, expected):
    np.testing.assert_array_equal(found.n, expected.n)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.m2, expected.m2, rtol=0, atol=1e-11)


@pytest.mark.slow
def test_a_cluster_gives_the_maps_of_threads(client, store, seeds):
    workers = workers_of(client)
    assert (workers.n, workers.remote) == (2, True)
    threads = map_seeds(store, seeds, cache=False)
    cluster = map_seeds(store, seeds, cache=False, workers=workers)
    finite = np.abs(threads.t) < 1e3
    np.testing.assert_allclose(cluster.t[finite], threads.t[finite], rtol=0, atol=1e-6)
    np.testing.assert_allclose(cluster.half(1).mean_z, threads.half(1).mean_z, atol=1e-12)
    np.testing.assert_allclose(
        sign_flip_max_t(store, seeds, n_flips=50, workers=workers).null,
        sign_flip_max_t(store, seeds, n_flips=50).null,
        rtol=1e-5,
    )


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_changes_nothing(client, store, seeds, undisturbed, tmp_path):
    flag = tmp_path / "killed"
    pieces = [(flag, signal.SIGKILL, *piece) for piece in shards(store, seeds)]
    found = workers_of(client).run(fatal_shard, pieces, merge=Moments.merge)
    assert flag.exists()
    assert_same(found, undisturbed)


@pytest.mark.slow
def test_maps_are_those_of_threads_though_a_worker_is_killed(
    client, store, seeds, tmp_path, monkeypatch
):
    client.wait_for_workers(2, timeout=60)
    threads = map_seeds(store, seeds, cache=False)
    flag = tmp_path / "killed"
    monkeypatch.setattr(mapping, "map_shard", partial(fatal_shard, flag, signal.SIGKILL))
    cluster = map_seeds(store, seeds, cache=False, workers=workers_of(client))
    assert flag.exists()
    np.testing.assert_array_equal(cluster.n, threads.n)
    np.testing.assert_allclose(cluster.mean_z, threads.mean_z, rtol=0, atol=1e-12)
    np.testing.assert_allclose(cluster.sd, threads.sd, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_what_a_worker_cannot_read_is_named(client, store, seeds, tmp_path):
    """Neither a file that was cut nor a store that only some can see is a lost cluster."""
    client.wait_for_workers(2, timeout=60)
    workers = workers_of(client)
    copy = open_store(shutil.copytree(store.folder, tmp_path / "store"))
    path = copy.subjects[3].path
    os.truncate(path, path.stat().st_size - 1000)
    with pytest.raises(InputError, match=rf"{path}: the file of subject sub-04 has \d+ bytes"):
        map_seeds(copy, seeds, cache=False, workers=workers)
    copy.folder.rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=f"{copy.folder}: no finished store there"):
        map_seeds(copy, seeds, cache=False, workers=workers)


@pytest.mark.slow
def test_workers_started_in_another_folder_find_relative_paths(
    client, store, seeds, tmp_path, monkeypatch
):
    client.wait_for_workers(2, timeout=60)
    monkeypatch.chdir(store.folder.parent)
    relative = open_store(Path(store.folder.name))
    cluster = map_seeds(relative, seeds, cache=False, workers=workers_of(client))
    threads = map_seeds(store, seeds, cache=False)
    np.testing.assert_allclose(cluster.mean_z, threads.mean_z, rtol=0, atol=1e-12)
    monkeypatch.chdir(tmp_path)
    dictionary = map_dictionary(store, seeds, Path("maps"), workers=workers_of(client))
    np.testing.assert_allclose(dictionary.z, threads.mean_z, rtol=0, atol=1e-6)


def test_a_store_travels_as_its_whole_path(store, tmp_path, monkeypatch):
    monkeypatch.chdir(store.folder.parent)
    packed = pickle.dumps(open_store(Path(store.folder.name)))
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(packed).folder == store.folder  # noqa: S301 - packed above


@pytest.mark.slow
def test_a_piece_run_twice_changes_nothing(client, store, seeds, undisturbed):
    client.wait_for_workers(2, timeout=60)
    piece = shards(store, seeds)[0]
    first, second = (client.submit(map_shard, *piece, pure=False).result() for _ in range(2))
    assert_same(first, second)
    assert_same(
        Workers(2, client).run(map_shard, shards(store, seeds), merge=Moments.merge), undisturbed
    )


@pytest.mark.slow
def test_a_piece_that_kills_every_worker_ends_in_a_message(doomed):
    with pytest.raises(InputError, match="lost several workers on one piece"):
        workers_of(doomed).run(always_fatal, [(1,)])


def always_fatal(number, tick=nothing):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_lost_connection_changes_nothing(doomed, store, seeds, undisturbed, tmp_path):
    flag = tmp_path / "cut"
    pieces = [(flag, *piece) for piece in shards(store, seeds)]
    found = workers_of(doomed).run(cut_off_shard, pieces, merge=Moments.merge)
    assert flag.exists()
    assert_same(found, undisturbed)
