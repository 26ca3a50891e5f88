"""The books of a simulation: one record per request and per task, made from events and commands."""

from band.device.profile import Device
from band.metrics.records import RequestRecord, TaskRecord
from band.plan.task import Task
from band.scheduler.commands import Finish
from band.scheduler.events import RequestArrived, TaskFinished


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
        tasks: of the tasks that ended, in that order.
    """

    def __init__(self, device: Device, default_priority: int, word: str) -> None:
        self._names = {p.index: p.name for p in device.processors}
        self._default_priority = default_priority
        self._word = word
        self._requests: dict[int, _Open] = {}
        self._tasks: dict[int, tuple[Task, int]] = {}
        self.requests: list[RequestRecord] = []
        self.tasks: list[TaskRecord] = []

    def arrived(self, request: RequestArrived, now_us: int) -> None:
        """Open the account of a request."""
        self._requests[request.request] = _Open(request, now_us)

    def dispatched(self, task: Task, now_us: int) -> None:
        """Note the start of a task."""
        self._tasks[task.id] = (task, now_us)
        name = self._names[task.processor]
        for job in task.jobs:
            account = self._requests[job]
            if account.queue_us is None:
                account.queue_us = now_us - account.arrived_us
            account.tasks.append(task.id)
            account.processors.append(name)

    def task_finished(self, event: TaskFinished, now_us: int) -> None:
        """Record a task."""
        task, dispatched_us = self._tasks.pop(event.task)
        self.tasks.append(
            TaskRecord(
                task.id,
                task.jobs,
                task.slice.model,
                task.slice.units,
                self._names[task.processor],
                dispatched_us,
                now_us,
                event.transfer_us,
                event.run_us,
                task.predicted_us,
                True,
                self._word,
            )
        )

    def finished(self, finish: Finish, now_us: int) -> None:
        """Record a request."""
        account = self._requests.pop(finish.job)
        request = account.request
        self.requests.append(
            RequestRecord(
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
                finish.outcome.value,
                str(finish.reason),
                tuple(account.tasks),
                tuple(account.processors),
            )
        )
