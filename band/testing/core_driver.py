"""Drives a core by hand: one event at a time, with its invariants checked after each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from band.plan.table import PlanTable
from band.plan.task import Task
from band.scheduler.commands import Abandon, Command, Finish, Run, WakeAt
from band.scheduler.core import Core
from band.scheduler.events import (
    Event,
    ModelAdded,
    PolicySwapped,
    RequestArrived,
    TaskFinished,
    WorkerUp,
)
from band.scheduler.loader import make_policy
from band.scheduler.options import CoreOptions
from band.scheduler.policy import Policy
from band.testing.tables import PROCESSORS


class CoreDriver:
    """A core with its processors up, and books of what it asked for.

    Args:
        tables: models registered at the start.
        policy: name of a shipped policy, or a policy object to put in force.
        processors: names of the device's processors; all are up.
        options: of the core.
        policies: further policies by name, made when a PolicySwapped asks for them.

    Attributes:
        now_us: time of the next event; tests move it.
        running: tasks that the core started and that have not ended, by id.
        started: every task that the core started, in order.
        ended: how each job ended, by id.
        wakes: times of every WakeAt, in order.
        abandoned: ids of tasks whose results the core does not want.
    """

    def __init__(
        self,
        *tables: PlanTable,
        policy: str | Policy = "shortest_expected_latency",
        processors: Sequence[str] = PROCESSORS,
        options: CoreOptions | None = None,
        policies: Mapping[str, Callable[[], Policy]] | None = None,
    ) -> None:
        self._policies = dict(policies or {})
        if not isinstance(policy, str):
            given = policy
            self._policies["given"] = lambda: given
            policy = "given"
        self.core = Core(make_policy=self._make, options=options)
        self.now_us = 0
        self.running: dict[int, Task] = {}
        self.started: list[Task] = []
        self.ended: dict[int, Finish] = {}
        self.wakes: list[int] = []
        self.abandoned: list[int] = []
        self._next_request = 0
        self.send(PolicySwapped(policy, ""))
        for index, name in enumerate(processors):
            self.send(WorkerUp(index, name, "cpu", 1 << 30))
        for table in tables:
            self.send(ModelAdded(table))

    def send(self, event: Event) -> list[Command]:
        """Give the core an event, check its invariants and note its commands."""
        if isinstance(event, TaskFinished):
            self.running.pop(event.task, None)
        commands = self.core.handle(event, self.now_us)
        for command in commands:
            if isinstance(command, Run):
                self.running[command.task.id] = command.task
                self.started.append(command.task)
            elif isinstance(command, Finish):
                assert command.job not in self.ended, f"job {command.job} ended twice"
                self.ended[command.job] = command
            elif isinstance(command, WakeAt):
                self.wakes.append(command.at_us)
            elif isinstance(command, Abandon):
                self.abandoned.append(command.task)
        self.core.check_invariants()
        return commands

    def request(
        self,
        model: str,
        *,
        priority: int = 0,
        deadline_us: int | None = None,
        expires_us: int | None = None,
        processor: str | None = None,
        **more: Any,
    ) -> int:
        """Let a request arrive; return its id. ``more`` are other fields of RequestArrived."""
        number = self._next_request
        self._next_request += 1
        self.send(
            RequestArrived(
                number,
                model,
                priority=priority,
                deadline_us=deadline_us,
                expires_us=expires_us,
                processor=processor,
                **more,
            )
        )
        return number

    def finish(self, task: int, *, run_us: int | None = None) -> list[Command]:
        """Let a task end now.

        Args:
            task: its id.
            run_us: its execution time, as predicted if None.
        """
        found = self.running[task]
        expected_us = found.predicted_us - found.transfer_us
        return self.send(TaskFinished(task, run_us or expected_us, found.transfer_us))

    def finish_all(self) -> None:
        """Let tasks end, the oldest first, until none runs."""
        while self.running:
            task = self.running[min(self.running)]
            self.now_us += task.predicted_us
            self.finish(task.id)

    def on(self, processor: int) -> Task | None:
        """Return the task that runs on a processor."""
        return next((t for t in self.running.values() if t.processor == processor), None)

    def _make(self, event: PolicySwapped) -> Policy:
        made = self._policies.get(event.name)
        return made() if made is not None else make_policy(event)
