"""What the scheduler thread has to do: steps in the order they were put, and wake-ups."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from heapq import heappop, heappush
from queue import Empty, SimpleQueue
from typing import TypeVar

from band.clock import MonotonicClock

T = TypeVar("T")
Step = Callable[[], None]


class Agenda:
    """Steps from any thread, taken by one.

    Args:
        clock: of the wake-ups.
        wake: the step of a wake-up.
    """

    def __init__(self, clock: MonotonicClock, wake: Step) -> None:
        self._clock = clock
        self._wake = wake
        self._wakes: list[int] = []
        self._steps: SimpleQueue[Step | None] = SimpleQueue()
        self._gate = threading.Lock()
        self._ended = False

    def put(self, step: Step) -> None:
        """Do a step after all that were put before; never done if put after :meth:`end`."""
        self._steps.put(step)

    def wake_at(self, at_us: int) -> None:
        """Do the wake-up step at this time. Only for the thread that takes the steps."""
        heappush(self._wakes, at_us)

    def end(self, last: Step) -> None:
        """Put a last step, the first time this is called."""
        with self._gate:
            if not self._ended:
                self._ended = True
                self._steps.put(last)
                self._steps.put(None)

    def ask(self, question: Callable[[], T], join: Callable[[], object]) -> T:
        """Return the answer of a question that is asked among the steps.

        Args:
            question: called in the thread that takes the steps, while there is one.
            join: waits for the end of that thread; the question is then asked in this one.
        """
        answer: Future[T] = Future()

        def reply() -> None:
            try:
                answer.set_result(question())
            except BaseException as error:  # noqa: BLE001 - whoever asks gets it
                answer.set_exception(error)

        with self._gate:
            ended = self._ended
            if not ended:
                self._steps.put(reply)
        if ended:
            join()
            reply()
        return answer.result()

    def next(self) -> Step | None:
        """Return the next step, waiting for it; None after the last one."""
        while self._wakes:
            wait_s = self._clock.wall_s_until(self._wakes[0])
            if wait_s <= 0:
                heappop(self._wakes)
                return self._wake
            try:
                return self._steps.get(timeout=wait_s)
            except Empty:
                continue
        return self._steps.get()
