"""A copy of a core's state, to play the future with: as cheap as can be, and apart for ever.

What never changes is shared: requests, plan tables, runnable spans, and what has been found out
about a table. All that a playing core changes is its own.
"""

from copy import copy
from typing import Final

from band.scheduler.registered import RegisteredModel
from band.scheduler.slice_books import SliceBooks
from band.scheduler.state import CoreState, Job, ProcessorState, RunningTask
from band.scheduler.waiting import WaitingQueue


def copy_state(state: CoreState) -> CoreState:
    """Return a state that plays on from here and never touches the one it was copied from.

    Its slices stay as they are: nothing is being loaded or evicted, and no limit is known.
    """
    return _Copier().state(state)


class _Copier:
    """One copy: which new thing stands for which old one."""

    def __init__(self) -> None:
        self._models: dict[int, RegisteredModel] = {}
        self._jobs: dict[int, Job] = {}
        self._tasks: dict[int, RunningTask] = {}

    def state(self, state: CoreState) -> CoreState:
        twin = copy(state)
        twin.free_waits_us = state.free_waits_us.copy()
        twin.slices = SliceBooks()
        twin.models = {name: self._model(model) for name, model in state.models.items()}
        twin.jobs = {number: self._job(job) for number, job in state.jobs.items()}
        twin.tasks = {number: self._task(task) for number, task in state.tasks.items()}
        twin.processors = {
            index: self._processor(processor) for index, processor in state.processors.items()
        }
        twin.idle = {index: twin.processors[index] for index in state.idle}
        twin.queue = WaitingQueue()
        twin.queue.entries = [(order, self._job(job)) for order, job in state.queue.entries]
        return twin

    def _model(self, model: RegisteredModel) -> RegisteredModel:
        twin = self._models.get(id(model))
        if twin is None:
            twin = self._models[id(model)] = model.copy()
        return twin

    def _job(self, job: Job) -> Job:
        twin = self._jobs.get(id(job))
        if twin is None:
            twin = self._jobs[id(job)] = copy(job)
            twin.home, twin.model = self._model(job.home), self._model(job.model)
            twin.tasks = [self._task(task) for task in job.tasks]
            twin.group = tuple(self._job(other) for other in job.group)
        return twin

    def _task(self, task: RunningTask) -> RunningTask:
        twin = self._tasks.get(id(task))
        if twin is None:
            twin = self._tasks[id(task)] = copy(task)
            twin.model = self._model(task.model)
            twin.jobs = [self._job(job) for job in task.jobs]
        return twin

    def _processor(self, processor: ProcessorState) -> ProcessorState:
        twin = copy(processor)
        twin.running = None if processor.running is None else self._task(processor.running)
        return twin


__all__: Final = ["copy_state"]
