"""What drives the core: steps from any thread, done one after the other.

There is no hand-over to a thread that does nothing else: whoever puts a step does it at once, and
whatever others put meanwhile, unless somebody is at it already. A hop to another thread costs 50
to 200 us of latency, more than a step takes. A thread of its own waits for the wake-ups, takes
over from a caller that has done more than its share, and does the steps of the main thread, where
an interrupt from the keyboard could end a step half done.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from heapq import heappop, heappush
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

from band.clock import MonotonicClock

T = TypeVar("T")
Step = Callable[[], None]

_SHARE: Final = 32


class Agenda:
    """Steps in the order they were put, never two at a time.

    Args:
        clock: of the wake-ups.
        perform: does a step; it must not raise.
        wake: the step of a wake-up.
    """

    def __init__(self, clock: MonotonicClock, perform: Callable[[Step], None], wake: Step) -> None:
        self._clock = clock
        self._perform = perform
        self._wake = wake
        self._steps: deque[Step] = deque()
        self._turn = threading.Lock()
        self._wakes: list[int] = []
        self._next_us: int | None = None
        self._signals: SimpleQueue[bool] = SimpleQueue()
        self._thread = threading.Thread(target=self._main, name="band-scheduler", daemon=True)

    def start(self) -> None:
        """Start the thread of the wake-ups."""
        self._thread.start()

    def put(self, step: Step) -> None:
        """Do a step after all that were put before: now, or when whoever is at it gets there."""
        self._steps.append(step)
        if threading.current_thread() is threading.main_thread() and self._thread.is_alive():
            self._signals.put(True)
        else:
            self._take_turns(_SHARE)

    def ask(self, question: Callable[[], T]) -> T:
        """Return the answer of a question that is asked among the steps. Not from within one."""
        answer: Future[T] = Future()

        def reply() -> None:
            try:
                answer.set_result(question())
            except BaseException as error:  # noqa: BLE001 - whoever asks gets it
                answer.set_exception(error)

        self.put(reply)
        return answer.result()

    def wake_at(self, at_us: int) -> None:
        """Do the wake-up step at this time. Only from within a step."""
        heappush(self._wakes, at_us)
        if self._wakes[0] != self._next_us:
            self._next_us = self._wakes[0]
            self._signals.put(True)

    def end(self) -> None:
        """End the thread. Steps that are put later are still done, wake-ups are not."""
        self._signals.put(False)
        if self._thread is not threading.current_thread():
            self._thread.join()
            self._take_turns(None)  # what the main thread left to it in its last moment

    def _take_turns(self, share: int | None) -> None:
        """Do steps until none is left, the share is done, or somebody else is at it."""
        done = 0
        # Looked at again after the lock is free: a step put just before that is not lost.
        while self._steps and self._turn.acquire(blocking=False):
            try:
                while self._steps and (share is None or done < share):
                    done += 1
                    self._perform(self._steps.popleft())
            finally:
                self._turn.release()
            if share is not None and done >= share:
                self._signals.put(True)
                return

    def _main(self) -> None:
        going = True
        while going:
            next_us = self._next_us
            wait_s = None if next_us is None else max(0.0, self._clock.wall_s_until(next_us))
            try:
                going = self._signals.get(timeout=wait_s)
            except Empty:
                self._steps.append(self._ring)
            self._take_turns(None)

    def _ring(self) -> None:
        now_us = self._clock.now_us()
        while self._wakes and self._wakes[0] <= now_us:
            heappop(self._wakes)
            self._wake()
        self._next_us = self._wakes[0] if self._wakes else None
