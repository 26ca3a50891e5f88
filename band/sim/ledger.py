"""The books of a simulation: one record per request and per task, made from events and commands."""

from typing import Final

from band.device.profile import Device
from band.metrics.records import RequestRecord, TaskRecord
from band.plan.task import Task
from band.scheduler.commands import Finish
from band.scheduler.events import RequestArrived

_new: Final = tuple.__new__  # a NamedTuple's own constructor takes twice as long


class _Open:
    """A request that has not ended."""

    __slots__ = ("arrived_us", "processors", "queue_us", "request", "tasks")

    def __init__(self, request: RequestArrived, arrived_us: int) -> None:
        self.request = request
        self.arrived_us = arrived_us
        self.queue_us: int | None = None
        self.tasks: list[int] = []
        self.processors: list[str] = []


class Ledger:
    """Collects the records of a run.

    Args:
        device: names the processors.
        default_priority: what priority 0 is recorded as.
        word: carried by every task record.

    Attributes:
        requests: of the requests that ended, in that order.
        apps: who sent a request, by its number, for those that say.
    """

    def __init__(self, device: Device, default_priority: int, word: str) -> None:
        self._names = {p.index: p.name for p in device.processors}
        self._default_priority = default_priority
        self._word = word
        self._requests: dict[int, _Open] = {}
        self.requests: list[RequestRecord] = []
        self.apps: dict[int, str] = {}
        self._tasks: list[TaskRecord] = []

    def arrived(self, request: RequestArrived, now_us: int) -> None:
        """Open the account of a request."""
        self._requests[request.request] = _Open(request, now_us)
        if request.app:
            self.apps[request.request] = request.app

    def dispatched(self, task: Task, now_us: int, run_us: int) -> int:
        """Record a task, as if it ended when it should; return the place of the record."""
        number, (model, units), processor, jobs, _, _, _, transfer_us, predicted_us, _ = task
        name = self._names[processor]
        for job in jobs:
            account = self._requests[job]
            if account.queue_us is None:
                account.queue_us = now_us - account.arrived_us
            account.tasks.append(number)
            account.processors.append(name)
        self._tasks.append(
            _new(
                TaskRecord,
                (
                    number,
                    jobs,
                    model,
                    units,
                    name,
                    now_us,
                    now_us + transfer_us + run_us,
                    transfer_us,
                    run_us,
                    predicted_us,
                    True,
                    self._word,
                    0,
                ),
            )
        )
        return len(self._tasks) - 1

    def took(self, place: int, finished_us: int, run_us: int) -> None:
        """Correct the record of a task that took longer than it should."""
        self._tasks[place] = self._tasks[place]._replace(finished_us=finished_us, run_us=run_us)

    def tasks(self) -> tuple[TaskRecord, ...]:
        """Return the tasks in order of their end, and of their start at the same microsecond."""
        return tuple(sorted(self._tasks, key=lambda record: record.finished_us))

    def finished(self, finish: Finish, now_us: int) -> None:
        """Record a request."""
        account = self._requests.pop(finish.job)
        request = account.request
        self.requests.append(
            _new(
                RequestRecord,
                (
                    finish.job,
                    request.model,
                    request.stream,
                    request.frame,
                    request.parents,
                    request.priority or self._default_priority,
                    account.arrived_us,
                    request.deadline_us,
                    account.queue_us,
                    now_us,
                    str(finish.outcome),
                    str(finish.reason),
                    tuple(account.tasks),
                    tuple(account.processors),
                ),
            )
        )
