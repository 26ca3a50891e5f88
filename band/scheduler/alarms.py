"""When the core wants to be woken: each time asked for once, however many jobs want it."""

import heapq
from collections.abc import Callable

from mypy_extensions import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class Alarms:
    """The wake-up times that waiting jobs need, and those that the driver has been asked for.

    A needed time is asked for only when no earlier wake-up is on its way: the tick that comes
    first asks for the next one.

    Attributes:
        needed: heap of (at_us, job).
        background_us: when the core wants to look again at what to load; None for never. No job
            waits for that.
    """

    __slots__ = ("_asked", "_seen", "background_us", "needed")

    def __init__(self) -> None:
        self.needed: list[tuple[int, int]] = []
        self.background_us: int | None = None
        self._seen: set[tuple[int, int]] = set()
        self._asked: list[int] = []

    def need(self, at_us: int, job: int) -> None:
        """Note that a job wants a tick at a time; the same need twice counts once."""
        need = (at_us, job)
        if need not in self._seen:
            self._seen.add(need)
            heapq.heappush(self.needed, need)

    def due(self, now_us: int) -> list[int]:
        """Return the jobs whose time has come, in order of time; each need is returned once."""
        jobs = []
        while self.needed and self.needed[0][0] <= now_us:
            jobs.append(self._pop())
        return jobs

    def ticked(self, now_us: int) -> None:
        """Take a tick: everything asked for up to now has come."""
        while self._asked and self._asked[0] <= now_us:
            heapq.heappop(self._asked)

    def pending(self, waits: Callable[[int], bool]) -> bool:
        """Return whether a waiting job will be woken.

        Args:
            waits: tells whether a job still waits; the needs of others are forgotten.
        """
        while self.needed and not waits(self.needed[0][1]):
            self._pop()
        return bool(self.needed)

    def ask(self, waits: Callable[[int], bool]) -> int | None:
        """Return the time to ask the driver for, None if no new wake-up is needed."""
        at_us = self.background_us
        if self.pending(waits) and (at_us is None or self.needed[0][0] < at_us):
            at_us = self.needed[0][0]
        return at_us if at_us is not None and self.ask_for(at_us) else None

    def ask_for(self, at_us: int) -> bool:
        """Return whether to ask the driver for a wake-up: none so early is on its way."""
        if self._asked and self._asked[0] <= at_us:
            return False
        heapq.heappush(self._asked, at_us)
        return True

    @property
    def asked(self) -> tuple[int, ...]:
        """Return the wake-ups that are on their way."""
        return tuple(self._asked)

    def copy(self) -> "Alarms":
        """Return the same alarms, apart from these; those of loading are left out."""
        twin = Alarms()
        twin.needed, twin._seen = self.needed.copy(), self._seen.copy()
        twin._asked = self._asked.copy()
        return twin

    def _pop(self) -> int:
        need = heapq.heappop(self.needed)
        self._seen.remove(need)
        return need[1]

    def __repr__(self) -> str:
        return f"<Alarms needed={len(self.needed)} asked={self._asked}>"
