"""Where the cells of a sweep run: processes of this machine, or a Dask cluster."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

from band.errors import BandError, ErrorCode

_DASK: Final = "dask:"
_CONNECT_S: Final = 5
_AHEAD: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """An executor, and how much to give it at a time.

    Attributes:
        width: cells that are handed out and not done; so that a process that dies takes few
            along, and what a cell needs is in memory only so often.
    """

    executor: Executor
    width: int


OpenPool = Callable[[], AbstractContextManager[Pool]]


def pool_opener(where: str, workers: int | None = None) -> OpenPool:
    """Return what opens a pool; it can be opened again when its processes died.

    Args:
        where: ``local``, or ``dask:`` and the address of a Dask scheduler.
        workers: processes of ``local``; None for one per core.

    Raises:
        BandError: INVALID_REQUEST for another place, or workers on a cluster.
    """
    if where == "local":
        count = workers or len(os.sched_getaffinity(0))
        return lambda: _local(count)
    address = where.removeprefix(_DASK)
    if not where.startswith(_DASK) or not address:
        raise BandError(
            ErrorCode.INVALID_REQUEST,
            f"unknown executor {where!r}; it is local, or dask:ADDRESS of a Dask scheduler",
        )
    if workers is not None:
        raise BandError(
            ErrorCode.INVALID_REQUEST,
            "a Dask cluster has the workers it was started with; leave --workers out",
        )
    return lambda: _dask(address)


@contextmanager
def _local(workers: int) -> Iterator[Pool]:
    # Spawned, not forked: threads of this process (a progress bar) may hold locks.
    context = multiprocessing.get_context("spawn")
    before = {child.pid for child in multiprocessing.active_children()}
    executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)
    try:
        yield Pool(executor=executor, width=workers)
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            if child.pid not in before:
                child.terminate()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _begin() -> None:
    """Let a worker end with the sweep, however that ends, and by Ctrl-C without a word.

    The sweep itself says what happened.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # a job in the background ignores it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, name="band-sweep-parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _dask(address: str) -> Iterator[Pool]:
    try:
        from distributed import Client  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise BandError(
            ErrorCode.UNSUPPORTED_FEATURE,
            "a sweep on a Dask cluster needs the extra: pip install 'band-scheduler[dask]'",
        ) from error
    try:
        client = Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise BandError(
            ErrorCode.UNREACHABLE,
            f"no Dask scheduler answers at {address}; start one with `dask scheduler`",
            address=address,
        ) from error
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise BandError(
                ErrorCode.UNREACHABLE,
                f"the Dask scheduler at {address} has no workers; start some with `dask worker`",
                address=address,
            )
        executor = client.get_executor(pure=False)
        try:
            yield Pool(executor=executor, width=_AHEAD * threads)
        finally:
            executor.shutdown(wait=False)  # what it still runs is of no use to anybody
