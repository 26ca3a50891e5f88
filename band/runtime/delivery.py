"""Tells the outside what happened, in order, in a thread of its own.

Futures, observers and the recorder are foreign code or do I/O; here they cannot hold up the
scheduler.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from band.errors import FOREIGN_ERRORS
from band.metrics.records import RequestRecord, TaskRecord

_log = logging.getLogger(__name__)

Observer = Callable[[RequestRecord | TaskRecord], None]


class Delivery:
    """A thread that makes the calls it is given, one after the other."""

    def __init__(self) -> None:
        self._observers: tuple[Observer, ...] = ()
        self._queue: SimpleQueue[Sequence[Callable[[], None]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._main, name="band-delivery", daemon=True)
        self._thread.start()

    def add_observer(self, observer: Observer) -> None:
        """Call an observer with every record from now on."""
        self._observers = (*self._observers, observer)

    def put(self, calls: Sequence[Callable[[], None]]) -> None:
        """Make these calls after all that were put before."""
        self._queue.put(calls)

    def observe(self, record: RequestRecord | TaskRecord) -> None:
        """Give a record to the observers. Only for calls that were put."""
        for observer in self._observers:
            try:
                observer(record)
            except FOREIGN_ERRORS:  # foreign code must not end the thread
                _log.exception("observer failed observer=%r record=%r", observer, record)

    def close(self) -> None:
        """Return when everything that was put is delivered."""
        self._queue.put(None)
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _main(self) -> None:
        while (calls := self._queue.get()) is not None:
            for call in calls:
                try:
                    call()
                except FOREIGN_ERRORS:  # foreign code must not end the thread
                    _log.exception("delivery failed call=%r", call)
