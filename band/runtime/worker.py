"""A worker: the thread that owns one processor's backend and is the only one to call it.

It runs one task at a time. Whatever else the backend must do (load, profile, unload) is a chore. A
chore waits while there are tasks, but not longer than its patience: then the next task waits for
it, or a processor that always has a task could never take a new model. What nobody waits for has
no limit to its patience.
"""

import math
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import Final, NamedTuple, TypeVar

from band.device.profile import Processor
from band.errors import BandError, ErrorCode
from band.model.slice import Slice
from band.plan.task import SliceKey
from band.runtime.backends.protocol import (
    Backend,
    BackendContext,
    BackendInfo,
    RunResult,
    WorkerLostError,
)
from band.runtime.chores import Chores
from band.runtime.discovery import open_backend
from band.runtime.reports import Done, Down, Failed, Order, Report, Up

T = TypeVar("T")

_FIRST_PROBE_S: Final = 0.05
_LAST_PROBE_S: Final = 5.0

PATIENCE_S: Final = 0.05
"""How long a chore waits for tasks that somebody waits for: a registration, an eviction."""

UNHURRIED: Final = math.inf
"""The patience of a chore that nobody waits for."""


class _Loaded(NamedTuple):
    handle: int
    slice: Slice


class Worker:
    """The thread of one processor.

    Args:
        processor: which.
        context: for the backend.
        report: takes what happens to tasks and to the processor; called from the thread.

    Attributes:
        loads_during_requests: slices that the backend loaded inside a task; 0 if all is well.
    """

    def __init__(
        self, processor: Processor, context: BackendContext, report: Callable[[Report], None]
    ) -> None:
        self.processor = processor
        self.loads_during_requests = 0
        self._context = context
        self._report = report
        self._backend: Backend | None = None
        self._slices: dict[SliceKey, _Loaded] = {}
        self._orders: deque[Order] = deque()
        self._chores = Chores()
        self._wake: SimpleQueue[bool] = SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(
            target=self._main, name=f"band-worker-{processor.name}", daemon=True
        )

    def start(self) -> BackendInfo:
        """Start the thread and open the backend in it.

        Raises:
            BandError: the backend cannot be used on this machine.
        """
        self._thread.start()
        return self._do(self._open).result()

    def run(self, order: Order) -> None:
        """Run a task next; its end is reported."""
        self._orders.append(order)
        self._wake.put(True)

    def forget_orders(self) -> None:
        """Drop the tasks that it has not begun: the scheduler counts them as lost."""
        self._orders.clear()

    def call(self, chore: Callable[[Backend], T], patience_s: float = PATIENCE_S) -> "Future[T]":
        """Call the backend from its thread, between tasks."""
        return self._do(lambda: chore(self._ready()), patience_s)

    def load(self, key: SliceKey, part: Slice, patience_s: float = PATIENCE_S) -> "Future[int]":
        """Load a slice; the result is the bytes it takes."""

        def chore() -> int:
            loaded = self._ready().load(part.content, part.inputs, part.outputs)
            self._slices[key] = _Loaded(loaded.handle, part)
            return loaded.load_bytes

        return self._do(chore, patience_s)

    def unload(self, key: SliceKey) -> "Future[None]":
        """Free a slice; nothing happens if it is not loaded."""

        def chore() -> None:
            loaded = self._slices.pop(key, None)
            if loaded is not None and self._backend is not None:
                self._backend.unload(loaded.handle)

        return self._do(chore)

    def reload(self, key: SliceKey) -> "Future[None]":
        """Load a slice anew, with its state as at the start."""
        return self._do(lambda: self._reload(key))

    def handle(self, key: SliceKey) -> int:
        """Return the backend's handle of a loaded slice; for chores."""
        return self._slices[key].handle

    def close(self) -> None:
        """End the thread after what it is doing, and free everything. May be called again."""
        self._closing.set()
        self._wake.put(False)
        if self._thread.is_alive():
            self._thread.join()

    def _do(self, chore: Callable[[], T], patience_s: float = PATIENCE_S) -> "Future[T]":
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(chore())
            except BandError as error:
                future.set_exception(error)
            except WorkerLostError as error:
                future.set_exception(error)
                if self._backend is not None and not self._closing.is_set():
                    self._lose(_text(error))
            except Exception as error:  # noqa: BLE001 - a defect of a backend: whoever waits gets it
                future.set_exception(
                    BandError(
                        ErrorCode.BACKEND_FAILED,
                        f"processor {self.processor.name!r}: {_text(error)}",
                    )
                )

        self._chores.put(run, patience_s)
        self._wake.put(True)
        return future

    def _main(self) -> None:
        # One token for each item put; forgotten orders leave tokens without one.
        while not self._closing.is_set() and self._wake.get():
            if self._orders and not self._chores.overdue():
                self._run(self._orders.popleft())
            else:
                self._chores.do_next()
        self._close_backend()
        self._chores.end()  # without a backend: whoever waits for a load or a call gets an error

    def _open(self) -> BackendInfo:
        self._backend = open_backend(self.processor, self._context)
        return self._backend.info()

    def _ready(self) -> Backend:
        if self._backend is None or self._closing.is_set():
            raise WorkerLostError(f"processor {self.processor.name!r} is down")
        return self._backend

    def _run(self, order: Order) -> None:
        try:
            result = self._run_slice(order)
        except BandError as error:
            self._report(Failed(order.task, error.message))
            if error.code is ErrorCode.BACKEND_FAILED:
                self._recover(lambda: self._reload(order.slice))
        except WorkerLostError as error:
            self._lose(_text(error))
        except Exception as error:  # noqa: BLE001 - a defect of a backend must not end the worker
            # The job fails instead of running elsewhere: it may be what breaks the backend.
            self._report(Failed(order.task, f"processor {self.processor.name!r}: {_text(error)}"))
            self._lose(_text(error))
        else:
            self._report(Done(order.task, result))

    def _run_slice(self, order: Order) -> RunResult:
        backend, loaded = self._ready(), self._slices.get(order.slice)
        if loaded is None:
            raise BandError(
                ErrorCode.INTERNAL,
                f"units {order.slice.units:b} of {order.slice.model!r} are not loaded on "
                f"{self.processor.name!r}",
            )
        loads = backend.loads
        try:
            return backend.run(loaded.handle, order.inputs, order.pace, order.allocate)
        finally:
            self.loads_during_requests += backend.loads - loads

    def _reload(self, key: SliceKey) -> None:
        """Give a slice a new interpreter; a failed run may have left the old one in any state."""
        backend, loaded = self._ready(), self._slices.get(key)
        if loaded is None:
            return
        backend.unload(loaded.handle)
        part = loaded.slice
        handle = backend.load(part.content, part.inputs, part.outputs).handle
        self._slices[key] = _Loaded(handle, part)

    def _recover(self, repair: Callable[[], None]) -> None:
        try:
            repair()
        except Exception as error:  # noqa: BLE001 - see _run
            self._lose(_text(error))

    def _lose(self, reason: str) -> None:
        """Report the processor as down, and make the backend anew until that works."""
        self._close_backend()
        self._report(Down(self.processor.index, reason))
        wait_s = _FIRST_PROBE_S
        while not self._closed_within(wait_s):
            try:
                self._open()
                for key in self._slices:
                    self._load_kept(key)
            except Exception:  # noqa: BLE001 - down until a probe succeeds
                self._close_backend()
                wait_s = min(2 * wait_s, _LAST_PROBE_S)
            else:
                self._report(Up(self.processor.index))
                return

    def _closed_within(self, wait_s: float) -> bool:
        """Wait, doing chores: without a backend they end at once. Return whether to close."""
        end_s = perf_counter() + wait_s
        while (left_s := end_s - perf_counter()) > 0 and not self._closing.is_set():
            try:
                self._wake.get(timeout=left_s)
            except Empty:
                break
            self._chores.do_next()
        return self._closing.is_set()

    def _load_kept(self, key: SliceKey) -> None:
        part = self._slices[key].slice
        loaded = self._ready().load(part.content, part.inputs, part.outputs)
        self._slices[key] = _Loaded(loaded.handle, part)

    def _close_backend(self) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            try:
                backend.close()
            except Exception:  # noqa: BLE001 - it is being thrown away
                return

    def __repr__(self) -> str:
        state = "down" if self._backend is None else f"{len(self._slices)} slices"
        return f"<Worker {self.processor.name} {state}>"


def _text(error: Exception) -> str:
    """Return what a person may read of an exception."""
    if isinstance(error, BandError | WorkerLostError):
        return str(error) or "it is gone"
    return f"{type(error).__name__}: {error}"
