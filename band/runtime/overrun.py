"""Measures what a policy costs per event, for the time budget of the live driver."""

import time
from typing import Final

from band.scheduler.events import Event, PolicyOverran, RequestArrived, TaskFinished

_BLOCKED_FACTOR: Final = 20
_NS_PER_US: Final = 1_000


class OverrunWatch:
    """Says when a policy takes too long.

    One slow event is forgiven: the first after a new table also builds what is derived from it.
    From then on the processor time of the thread is watched, so that a busy machine is not held
    against a policy; one that blocks is found by the clock, at twenty times the budget. A policy
    that never returns cannot be stopped in a thread.

    Args:
        budget_us: processor time for one event, in microseconds of this machine.
    """

    def __init__(self, budget_us: int) -> None:
        self._budget_us = budget_us
        self._suspect = False
        self._cpu_ns = 0
        self._wall_ns = 0

    def start(self) -> None:
        """Start measuring one event."""
        if self._suspect:
            self._cpu_ns = time.thread_time_ns()
        self._wall_ns = time.perf_counter_ns()

    def stop(self, event: Event, policy: str) -> PolicyOverran | None:
        """Stop measuring; return the event to handle if the policy has overrun its budget.

        Args:
            event: that was handled.
            policy: in force.
        """
        wall_us = (time.perf_counter_ns() - self._wall_ns) // _NS_PER_US
        if not isinstance(event, RequestArrived | TaskFinished):
            return None
        if wall_us <= self._budget_us:
            self._suspect = False
            return None
        if not self._suspect:
            self._suspect = True
            return None
        cpu_us = (time.thread_time_ns() - self._cpu_ns) // _NS_PER_US
        blocked = wall_us > _BLOCKED_FACTOR * self._budget_us
        if cpu_us <= self._budget_us and not blocked:
            return None
        self._suspect = False
        return PolicyOverran(policy, wall_us if blocked else cpu_us)
