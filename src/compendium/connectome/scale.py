"""Run the pieces of a mapping with Dask: threads on one machine, or a cluster beyond it.

A piece is a plain function of plain arguments that returns a value and changes nothing, so it
may be run twice, or again after its worker was lost, and the result is the same.
"""

import os
import pickle
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import dask
from threadpoolctl import ThreadpoolController
from tqdm import tqdm

from compendium.errors import InputError

SHARDS_PER_WORKER = 2
RETRIES = 3


@dataclass(frozen=True)
class Workers:
    """Who does the work.

    Attributes
    ----------
    n : int
        Threads on this machine, or workers of the cluster.
    client : distributed.Client or None
        Connected to the cluster; None for threads.
    """

    n: int
    client: Any = None

    @property
    def remote(self) -> bool:
        """Whether the work leaves this process."""
        return self.client is not None

    def run(
        self,
        function: Callable,
        pieces: Sequence[tuple],
        *,
        merge: Callable | None = None,
        bar: tqdm | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the function returns
        """Return the results of ``function(*piece)`` in the order of the pieces.

        Parameters
        ----------
        function : callable
            Importable by name, so that a worker can find it. Called with one more argument,
            ``tick``: to be called after each unit of work, where somebody watches.
        pieces : sequence of tuple
            Arguments.
        merge : callable, optional
            ``merge(first, second)``; the results are then merged pairwise where they lie, always
            in the same order, and one result is returned.
        bar : tqdm, optional
            Moved on with each unit of work (threads) or its share for each piece (cluster).

        Raises
        ------
        InputError
            If the cluster was lost, or lost too many workers on one piece.
        """
        if self.remote:
            return _on_cluster(self.client, function, pieces, merge, bar)
        return _on_threads(self.n, function, pieces, merge, bar)


def local_workers(n: int | None = None) -> Workers:
    """Return threads on this machine: as many as the process may use, unless `n` says otherwise."""
    if n is None:
        affinity = getattr(os, "sched_getaffinity", None)
        n = len(affinity(0)) if affinity else os.cpu_count() or 1
    if n < 1:
        raise InputError(f"{n} workers cannot work", remedy="ask for 1 or more")
    return Workers(n)


def cluster_workers(address: str, timeout: float = 30.0) -> Workers:
    """Connect to a Dask scheduler.

    Parameters
    ----------
    address : str
        Of the scheduler, as in ``tcp://10.0.0.1:8786``.
    timeout : float
        Seconds to wait for it.

    Returns
    -------
    Workers
        Every worker must see the store under the same path.

    Raises
    ------
    InputError
        If no scheduler answers, or it has no workers.
    """
    from distributed import Client

    try:
        client = Client(address, timeout=timeout)
    except (OSError, ValueError) as error:
        raise InputError(
            f"no Dask scheduler answers ({error})",
            where=address,
            remedy="start one with `dask scheduler` and workers with `dask worker`",
        ) from error
    return workers_of(client)


def workers_of(client: Any) -> Workers:  # noqa: ANN401 - distributed is imported on use
    """Return the workers of a connected ``distributed.Client``."""
    n = len(client.scheduler_info(n_workers=-1)["workers"])
    if not n:
        raise InputError(
            "the Dask scheduler has no workers", remedy="start some with `dask worker ADDRESS`"
        )
    return Workers(n, client)


def one_blas_thread() -> AbstractContextManager:
    """Keep matrix products to one thread each: the workers are the parallelism."""
    return _blas().limit(limits=1, user_api="blas")


@cache
def _blas() -> ThreadpoolController:
    """Return numpy's and scipy's BLAS, which takes milliseconds to look for."""
    import scipy.linalg  # noqa: F401 - loads the second of the two

    return ThreadpoolController()


def nothing(*_: object) -> None:
    """Do nothing: the tick of a piece that nobody watches."""


def split(n: int, parts: int) -> list[range]:
    """Return `parts` consecutive ranges that share out ``range(n)``; none is empty.

    Examples
    --------
    >>> split(5, 2)
    [range(0, 3), range(3, 5)]
    """
    parts = max(1, min(n, parts))
    size, longer = divmod(n, parts)
    starts = [number * size + min(number, longer) for number in range(parts + 1)]
    return [range(start, stop) for start, stop in pairwise(starts)]


def _on_threads(
    n: int, function: Callable, pieces: Sequence[tuple], merge: Callable | None, bar: tqdm | None
) -> Any:  # noqa: ANN401
    tick = nothing if bar is None else bar.update
    # partial: Dask would otherwise look for its own collections inside every argument
    tasks = [dask.delayed(partial(function, *piece, tick), pure=False)() for piece in pieces]
    if merge is not None:
        tasks = [_tree(tasks, dask.delayed(merge, pure=False))]
    with one_blas_thread():
        how = {"scheduler": "sync"} if n == 1 else {"scheduler": "threads", "num_workers": n}
        results = list(dask.compute(*tasks, **how))
    return results if merge is None else results[0]


def _on_cluster(
    client: Any,  # noqa: ANN401
    function: Callable,
    pieces: Sequence[tuple],
    merge: Callable | None,
    bar: tqdm | None,
) -> Any:  # noqa: ANN401
    from distributed import CancelledError, KilledWorker, as_completed
    from distributed.comm.core import CommClosedError

    leaves = [
        client.submit(_remote, function, _packed(piece), pure=False, retries=RETRIES)
        for piece in pieces
    ]
    wanted = leaves if merge is None else [_tree(leaves, partial(client.submit, merge, pure=False))]
    try:
        if bar is not None:
            share, rest = divmod(bar.total or len(pieces), len(pieces))
            for number, _ in enumerate(as_completed(leaves)):
                bar.update(share + (number < rest))
        results = client.gather(wanted)
    except (CancelledError, CommClosedError, KilledWorker) as error:
        raise InputError(
            f"the cluster was lost or lost several workers on one piece ({error})",
            remedy="look at the workers' memory and logs, and run the same command again",
        ) from error
    return results if merge is None else results[0]


def _packed(piece: tuple) -> bytes:
    """Return a piece as bytes, its paths absolute: a worker may have been started elsewhere."""
    whole = [value.absolute() if isinstance(value, Path) else value for value in piece]
    return pickle.dumps(whole)


def _remote(function: Callable, packed: bytes) -> Any:  # noqa: ANN401
    # unpacked here: Dask would call a store that a worker cannot open a lost dependency
    piece = pickle.loads(packed)  # noqa: S301 - packed by `_packed`, in a process of our own
    with one_blas_thread():
        return function(*piece, nothing)


def _tree(tasks: list, merge: Callable) -> Any:  # noqa: ANN401
    while len(tasks) > 1:
        pairs = [merge(*tasks[at : at + 2]) for at in range(0, len(tasks) - 1, 2)]
        tasks = pairs + tasks[2 * len(pairs) :]
    return tasks[0]
