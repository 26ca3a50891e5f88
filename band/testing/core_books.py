"""The books that a driver of a core can keep: what must be true of the core, seen from outside.

They take constant memory however long they are kept: of a job that has ended, only that it did.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from band.plan.task import Task
from band.scheduler.commands import (
    Abandon,
    Advise,
    Command,
    Evict,
    Finish,
    JobOutcome,
    Load,
    Run,
    WakeAt,
)
from band.scheduler.core import Core
from band.scheduler.events import Event, RequestArrived
from band.sim.advise import advice_task, advise

_CHECK_EVERY: Final = 16
"""The core's own invariants are the dearest check; they are made at every so many events."""


class Books:
    """Hands events to a core, and checks every command that comes back.

    Args:
        core: fresh.
        heard: called with every command.

    Attributes:
        now_us: time of the next event.
        events: handled so far.
        sent: requests so far.
        ended: of those, by outcome.
        running: tasks on processors, by id.
        up: processors that can run tasks.
        wakes: times of the ticks asked for.
        asked: slices to load or evict.
        upheavals: how often a processor, slice or table has come or gone: a job may begin again.
    """

    def __init__(self, core: Core, heard: Callable[[Command], object] | None = None) -> None:
        self.core = core
        self._heard = heard
        self.now_us = 0
        self.events = self.sent = 0
        self.ended: Counter[str] = Counter()
        self.running: dict[int, Task] = {}
        self.up: set[int] = set()
        self.wakes: list[int] = []
        self.asked: list[Load | Evict] = []
        self.upheavals = 0
        self._open: dict[int, _Progress] = {}
        self._wanted: set[int] = set()

    @property
    def open(self) -> int:
        """Return how many requests have not ended."""
        return len(self._open)

    def send(self, event: Event) -> None:
        """Give the core an event.

        Raises:
            AssertionError: a command breaks a rule.
            InvariantError: the core contradicts itself.
        """
        self.events += 1
        if isinstance(event, RequestArrived):
            self.sent += 1
            self._open[event.request] = _Progress()
        for command in self.core.handle(event, self.now_us):
            self._obey(command)
        if self.events % _CHECK_EVERY == 0:
            self.core.check_invariants()

    def _obey(self, command: Command) -> None:
        if self._heard is not None:
            self._heard(command)
        if isinstance(command, Run):
            self._start(command.task)
        elif isinstance(command, Finish):
            self._end(command)
        elif isinstance(command, Abandon):
            self._wanted.remove(command.task)
        elif isinstance(command, WakeAt):
            assert command.at_us > self.now_us, "it asks for a time that has passed"
            self.wakes.append(command.at_us)
        elif isinstance(command, Advise):
            advice = advise(advice_task(self.core, command.policy, self.now_us))
            assert not advice.reason, advice.reason
            self.send(advice)
        else:
            self.upheavals += isinstance(command, Evict)  # it is out of use from now on
            self.asked.append(command)

    def _start(self, task: Task) -> None:
        assert task.processor in self.up, "it runs on a processor that is down"
        busy = {other.processor for other in self.running.values()}
        assert task.processor not in busy, "two tasks run on one processor"
        for job in task.jobs:
            self._open[job].run(task.slice.units, self.upheavals)
        self.running[task.id] = task
        self._wanted.add(task.id)

    def _end(self, finish: Finish) -> None:
        progress = self._open.pop(finish.job, None)
        assert progress is not None, "a job ended twice, or was never sent"
        self.ended[finish.outcome] += 1
        if finish.outcome is JobOutcome.COMPLETED:
            assert not any(finish.job in self.running[t].jobs for t in self._wanted)
            assert progress.complete(self.upheavals), "it completed without all of its units"

    def take(self, number: int) -> Task:
        """Return a running task that is over."""
        self._wanted.discard(number)
        return self.running.pop(number)

    def lose(self, processor: int) -> None:
        """Forget the task of a processor that is gone, or begins anew."""
        for task in [t for t in self.running.values() if t.processor == processor]:
            self.take(task.id)

    def check(self) -> None:
        """Compare the books with what the core says of itself.

        Raises:
            AssertionError: a job is lost, or a policy was replaced.
        """
        status = self.core.status()
        assert status.jobs == len(self._open), "a job is lost"
        assert status.running == len(self.running)
        assert len(self._open) + sum(self.ended.values()) == self.sent
        assert not status.reports, status.reports


class _Progress:
    """What a job has run so far.

    A job may run units again, or all, after an upheaval: a processor, a slice or a table that it
    needed is gone. Until the first one since its start, everything is known of it.
    """

    __slots__ = ("began", "ran", "units")

    def __init__(self) -> None:
        self.units = 0
        self.began = -1
        self.ran: dict[int, int] = {}

    def run(self, units: int, upheavals: int) -> None:
        """Note a task.

        Raises:
            AssertionError: a unit runs twice although nothing has happened meanwhile.
        """
        if not self.units:
            self.began = upheavals
        self.units |= units
        for unit in range(units.bit_length()):
            if units >> unit & 1:
                assert self.ran.get(unit) != upheavals, "a unit runs twice"
                self.ran[unit] = upheavals

    def complete(self, upheavals: int) -> bool:
        """Return whether it has run all units from the first on, as far as can be told."""
        whole = self.units > 0 and self.units & (self.units + 1) == 0
        return whole or self.began != upheavals
