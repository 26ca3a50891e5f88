"""Fans the records of the engine out to watchers, none of which can slow it down."""

import threading
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple, Self

from band.errors import BandError, ErrorCode
from band.metrics.records import RequestRecord, TaskRecord

# Each watcher keeps one thread of the server; each may lag by so many events before it loses some.
MAX_WATCHERS: Final = 16
MAX_WAITING: Final = 4096


class Seen(NamedTuple):
    """One record as a watcher gets it.

    Attributes:
        lost: records since the previous one that came while the watcher lagged too far behind.
    """

    record: TaskRecord | RequestRecord
    lost: int


class Watcher:
    """One reader of records: iterate over it until ``close``, from any thread.

    Args:
        hub: where it was made.
        model: the only model it sees; "" for all.
        limit: records that may wait.
    """

    def __init__(self, hub: "Hub", model: str, limit: int) -> None:
        self._hub = hub
        self._model = model
        self._limit = limit
        self._ready = threading.Condition()
        self._waiting: deque[Seen] = deque()
        self._lost = 0
        self._closed = False

    def offer(self, record: TaskRecord | RequestRecord) -> None:
        """Take a record, or count it as lost; never waits."""
        if self._model and record.model != self._model:
            return
        with self._ready:
            if len(self._waiting) >= self._limit:
                self._lost += 1
                return
            self._waiting.append(Seen(record, self._lost))
            self._lost = 0
            self._ready.notify()

    def close(self) -> None:
        """End the iteration after the records that already wait."""
        self._hub.leave(self)
        with self._ready:
            self._closed = True
            self._ready.notify_all()

    def __iter__(self) -> Iterator[Seen]:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                seen = self._waiting.popleft()
            yield seen

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Hub:
    """An observer of the engine with any number of watchers behind it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watchers: tuple[Watcher, ...] = ()
        self._closed = False

    def __call__(self, record: TaskRecord | RequestRecord) -> None:
        """Give a record to every watcher."""
        for watcher in self._watchers:
            watcher.offer(record)

    def watch(self, model: str = "", *, limit: int = MAX_WAITING) -> Watcher:
        """Return a new watcher; close it when done.

        Raises:
            BandError: QUOTA beyond MAX_WATCHERS, DRAINING after ``close``.
        """
        watcher = Watcher(self, model, limit)
        with self._lock:
            if self._closed:
                raise BandError(ErrorCode.DRAINING, "the daemon is shutting down; watch another")
            if len(self._watchers) >= MAX_WATCHERS:
                raise BandError(
                    ErrorCode.QUOTA,
                    f"{MAX_WATCHERS} clients watch this daemon already; close one of them",
                )
            self._watchers = (*self._watchers, watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Forget a watcher."""
        with self._lock:
            self._watchers = tuple(w for w in self._watchers if w is not watcher)

    def close(self) -> None:
        """End every watcher's iteration and take no new ones."""
        with self._lock:
            self._closed = True
            watchers = self._watchers
        for watcher in watchers:
            watcher.close()
