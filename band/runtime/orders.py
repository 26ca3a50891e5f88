"""The tasks that workers have now, and the record of each when it ends."""

from collections.abc import Callable
from typing import NamedTuple

from band.metrics.records import TaskRecord
from band.plan.task import Task
from band.runtime.backends.protocol import Pace, RunResult
from band.runtime.live import LiveJob, Outputs
from band.runtime.memory import BufferPool
from band.runtime.reports import Order
from band.scheduler.events import WorkerUp


class _Running(NamedTuple):
    task: Task
    job: LiveJob
    processor: WorkerUp
    dispatched_us: int
    outputs: Outputs


class OrderBook:
    """Opens and closes tasks. Only steps of the driver call it.

    Args:
        pool: where boundary tensors come from and go back to.
        ended: is given the record of each task.
    """

    def __init__(self, pool: BufferPool, ended: Callable[[TaskRecord], None]) -> None:
        self._pool = pool
        self._ended = ended
        self._running: dict[int, _Running] = {}

    def open(self, task: Task, job: LiveJob, processor: WorkerUp, now_us: int) -> Order:
        """Return the order for a task that starts now."""
        outputs = Outputs(job.model.outputs, self._pool)
        self._running[task.id] = _Running(task, job, processor, now_us, outputs)
        job.dispatched(task.id, processor.name, now_us)
        profile_us = job.model.profile_us[task.slice.units, task.processor]
        pace = Pace(now_us, task.transfer_us, profile_us)
        return Order(task.id, task.slice, job.inputs(), pace, outputs.allocate)

    def done(self, number: int, result: RunResult, now_us: int) -> bool:
        """Take the outputs of a task; return False if it was counted as lost before."""
        running = self._running.pop(number, None)
        if running is None:
            return False
        running.job.finished(running.task.slice.units, result.outputs, self._pool)
        self._close(running, now_us, result.run_us, result.transfer_us, result.overrun_us)
        return True

    def lose(self, number: int, now_us: int) -> None:
        """Note that a task ended without a result."""
        running = self._running.pop(number, None)
        if running is not None:
            running.outputs.give_back()
            running.job.lost(self._pool)
            self._close(running, now_us, now_us - running.dispatched_us, 0, None)

    def on(self, processor: int) -> tuple[int, ...]:
        """Return the tasks of a processor."""
        return tuple(n for n, r in self._running.items() if r.task.processor == processor)

    def _close(
        self,
        running: _Running,
        now_us: int,
        run_us: int,
        transfer_us: int,
        overrun_us: int | None,
    ) -> None:
        task = running.task
        record = TaskRecord(
            task.id,
            task.jobs,
            task.slice.model,
            task.slice.units,
            running.processor.name,
            running.dispatched_us,
            now_us,
            transfer_us,
            run_us,
            task.predicted_us,
            overrun_us is not None,
            running.processor.word,
            overrun_us or 0,
        )
        running.job.records.append(record)
        self._ended(record)

    def __len__(self) -> int:
        return len(self._running)
