"""Measures what a policy costs the scheduler thread, for the time budget of the live driver."""

import time
from typing import Final

from band.scheduler.core import Core
from band.scheduler.events import Event, PolicyOverran, RequestArrived, TaskFinished

_BLOCKED_FACTOR: Final = 20
_PATIENCE: Final = 2
_NS_PER_US: Final = 1_000


class OverrunWatch:
    """Says when a policy takes too long for two scheduling events in a row.

    One slow pass is forgiven: the first after a new table also builds what is derived from it.
    The processor time of the thread counts, so that a busy machine is not held against a policy;
    a policy that blocks is found by the clock, at twenty times the budget. One that never returns
    cannot be stopped in a thread.

    Args:
        budget_us: processor time for one event, in microseconds of this machine.
    """

    def __init__(self, budget_us: int) -> None:
        self._budget_us = budget_us
        self._slow = 0
        self._cpu_ns = 0
        self._wall_ns = 0

    def start(self) -> None:
        """Start measuring one event."""
        self._cpu_ns = time.thread_time_ns()
        self._wall_ns = time.perf_counter_ns()

    def stop(self, event: Event, core: Core) -> PolicyOverran | None:
        """Stop measuring; return the event to handle if the policy has overrun its budget."""
        if not isinstance(event, RequestArrived | TaskFinished):
            return None
        cpu_us = (time.thread_time_ns() - self._cpu_ns) // _NS_PER_US
        wall_us = (time.perf_counter_ns() - self._wall_ns) // _NS_PER_US
        if cpu_us <= self._budget_us and wall_us <= _BLOCKED_FACTOR * self._budget_us:
            self._slow = 0
            return None
        self._slow += 1
        if self._slow < _PATIENCE:
            return None
        self._slow = 0
        return PolicyOverran(core.status().policy, max(cpu_us, wall_us))
