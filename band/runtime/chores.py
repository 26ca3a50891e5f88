"""What a worker does between tasks, in the order it was asked for, and none is forgotten."""

import threading
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple

Chore = Callable[[], None]


class _Waiting(NamedTuple):
    due_s: float
    do: Chore


class Chores:
    """The chores of one worker. They are put by any thread, and done by the worker's."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._ended = threading.Event()

    def put(self, chore: Chore, patience_s: float) -> None:
        """Have a chore done; at once and in this thread if the worker has ended.

        Args:
            chore: it must not raise, and must know what to do when the worker has ended.
            patience_s: how long it waits for tasks.
        """
        self._waiting.append(_Waiting(perf_counter() + patience_s, chore))
        # The worker sets this before it looks for chores the last time: one of the two sees it.
        if self._ended.is_set():
            self._do_all()

    def overdue(self) -> bool:
        """Return whether a chore has waited long enough; those before it are done first."""
        if not self._waiting:
            return False
        now_s = perf_counter()
        waiting = tuple(self._waiting)  # a copy: others may put chores meanwhile
        return any(chore.due_s <= now_s for chore in waiting)

    def do_next(self) -> None:
        """Do the one that has waited longest, if there is one."""
        try:
            chore = self._waiting.popleft()
        except IndexError:
            return
        chore.do()

    def end(self) -> None:
        """Do all that are left; the worker takes no more. What comes later is done by who asks."""
        self._ended.set()
        self._do_all()

    def _do_all(self) -> None:
        while self._waiting:
            self.do_next()

    def __len__(self) -> int:
        return len(self._waiting)

    def __repr__(self) -> str:
        return f"<Chores waiting={len(self)} ended={self._ended.is_set()}>"
