"""Carries out what the core asks for: slices are loaded and evicted beside the requests.

Cutting, loading and measuring take milliseconds to seconds, so a thread of its own does them, one
slice at a time. Each step on a worker is a chore that waits for that worker's tasks.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Final

from band.errors import BandError
from band.plan.task import SliceKey
from band.runtime.backends.protocol import Array, Pace, WorkerLostError
from band.runtime.loading import Registered
from band.runtime.measuring import Subject, random_inputs, summary
from band.runtime.memory import MemoryAccount
from band.runtime.stores import SliceStore
from band.runtime.worker import UNHURRIED, Worker
from band.runtime.workforce import Post
from band.scheduler.commands import Evict, Load
from band.scheduler.events import Event, SliceEvicted, SliceLoaded
from band.scheduler.slice_books import span_id

_NO_PACE: Final = Pace(0, 0, 0)
_POLL_S: Final = 0.5

_log = logging.getLogger(__name__)


class Mover:
    """Loads and evicts the slices of registered models.

    Args:
        posts: the workers, by processor.
        account: memory for slices is counted here.
        store: where slices come from.
        runs: how often a slice is run to measure it, on processors that are not emulated.
        tell: lets an event happen to the core.
    """

    def __init__(
        self,
        posts: Mapping[int, Post],
        account: MemoryAccount,
        store: SliceStore,
        runs: int,
        tell: Callable[[Event], None],
    ) -> None:
        self._posts = posts
        self._account = account
        self._store = store
        self._runs = runs
        self._tell = tell
        self._models: dict[str, Registered] = {}
        self._orders: SimpleQueue[Load | None] = SimpleQueue()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._main, name="band-loader", daemon=True)
        self._thread.start()

    def adopt(self, registered: Registered) -> None:
        """Take a model whose slices may be loaded and evicted from now on."""
        self._models[registered.live.name] = registered

    def abandon(self, registered: Registered) -> None:
        """Wait until all slices of a removed model are gone, then forget it."""
        with self._changed:
            while registered.loads and not self._closed:
                self._changed.wait(_POLL_S)
        self._models.pop(registered.live.name, None)

    def load(self, command: Load) -> None:
        """Load a slice when its turn comes; the memory for it is taken now. Does not wait."""
        registered = self._models[command.slice.model]
        key = span_id(command.slice.units, command.processor)
        span = registered.table.find(*key)
        assert span is not None
        self._account.force(span.load_bytes)
        registered.loads[key] = span.load_bytes
        self._orders.put(command)

    def evict(self, command: Evict) -> None:
        """Evict a slice after the task that its processor has now. Does not wait."""
        worker = self._posts[command.processor].worker
        worker.unload(command.slice).add_done_callback(partial(self._evicted, command))

    def close(self) -> None:
        """End the thread after what it is doing; the workers must be closed already."""
        self._closed = True
        self._orders.put(None)
        self._thread.join()

    def _main(self) -> None:
        while (command := self._orders.get()) is not None and not self._closed:
            registered = self._models[command.slice.model]
            try:
                event: Event = self._load(registered, command)
            except (BandError, WorkerLostError) as error:
                _log.warning(
                    "slice not loaded model=%s units=%x processor=%s reason=%s",
                    *command.slice,
                    self._posts[command.processor].up.name,
                    error,
                )
                self._posts[command.processor].worker.unload(command.slice)
                self._forget(registered, command.slice, command.processor, held=False)
                event = SliceEvicted(command.slice, command.processor)
            self._tell(event)

    def _load(self, registered: Registered, command: Load) -> SliceLoaded:
        key = span_id(command.slice.units, command.processor)
        worker = self._posts[command.processor].worker
        model, ops = registered.prepared.model, registered.ops(key)
        part = self._store.take(model, ops)
        try:
            taken = worker.load(command.slice, part, UNHURRIED).result()
            size = max(registered.loads[key], taken)
            self._account.force(size - registered.loads[key])
            registered.loads[key] = size
            inputs = random_inputs(model.graph, part)
            cost_us = self._measure(worker, command.slice, inputs)
        except BaseException:
            self._store.give_back(model, ops)
            raise
        return SliceLoaded(command.slice, command.processor, size, cost_us)

    def _measure(self, worker: Worker, key: SliceKey, inputs: Mapping[int, Array]) -> int | None:
        """Run a slice a few times, letting tasks go between; return what it takes.

        Returns:
            The mean; None for an emulated processor, whose profile says it.
        """
        subject = worker.call(
            lambda _: Subject(worker.handle(key), inputs, lambda: _NO_PACE), UNHURRIED
        ).result()
        worker.call(subject.warm_up, UNHURRIED).result()
        if worker.processor.emulated:
            return None
        while worker.call(lambda backend: subject.run(backend, self._runs), UNHURRIED).result():
            pass
        return summary(subject.timings).mean_us if subject.timings else None

    def _evicted(self, command: Evict, done: "Future[None]") -> None:
        """Count a slice as gone. Called by the worker; one that is closing frees everything."""
        del done
        self._forget(self._models[command.slice.model], command.slice, command.processor, held=True)
        self._tell(SliceEvicted(command.slice, command.processor))

    def _forget(self, registered: Registered, key: SliceKey, processor: int, *, held: bool) -> None:
        span = span_id(key.units, processor)
        if held:
            self._store.give_back(registered.prepared.model, registered.ops(span))
        self._account.release(registered.loads[span])
        with self._changed:
            del registered.loads[span]
            self._changed.notify_all()

    def __repr__(self) -> str:
        return f"<Mover models={len(self._models)} waiting={self._orders.qsize()}>"
