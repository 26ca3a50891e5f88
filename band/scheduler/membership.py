"""What may run where: models, loaded slices and processors come and go."""

from band.plan.hops import DOWN_US
from band.scheduler.commands import DropReason
from band.scheduler.events import ModelAdded, SliceEvicted, SliceLoaded, WorkerUp
from band.scheduler.lifecycle import Lifecycle
from band.scheduler.registered import RegisteredModel
from band.scheduler.state import CoreState, ProcessorState


class Membership:
    """Applies the events of models, slices and workers to the state."""

    def __init__(self, state: CoreState, lifecycle: Lifecycle) -> None:
        self._state = state
        self._lifecycle = lifecycle

    def add_model(self, event: ModelAdded) -> None:
        """Register a model, or replace the table of a known one by a higher version.

        With other units than before, the masks of started jobs mean nothing any more: they start
        again on the new table.
        """
        state, table = self._state, event.table
        state.note_size(len(table.processors))
        known = state.models.get(table.model)
        if known is None:
            state.models[table.model] = RegisteredModel(table, event.loaded, state.up())
            return
        if table.version <= known.given_version:
            return
        before = known.full
        known.install(table, event.loaded, max(table.version, before.version + 1))
        same_units = before.dependencies == table.dependencies
        for job in [job for job in state.jobs.values() if job.model is known]:
            if same_units or not (job.finished or job.running):
                self._lifecycle.requeue(job)
            else:
                self._lifecycle.restart(job)

    def remove_model(self, name: str) -> None:
        """Unregister a model: its waiting jobs end, its running tasks may still complete theirs."""
        model = self._state.models.pop(name, None)
        if model is None:
            return
        model.unload()
        for job in [job for job in self._state.jobs.values() if job.model is model]:
            if job.running:
                self._state.queue.discard(job)
            else:
                self._lifecycle.drop(job, DropReason.NO_PROCESSOR)

    def load(self, event: SliceLoaded) -> None:
        """Let a slice that became loaded be used."""
        model = self._state.models.get(event.slice.model)
        if model is not None:
            model.load(event.slice.units, event.processor, event.load_bytes)

    def evict(self, event: SliceEvicted) -> None:
        """Stop using a slice; jobs that cannot finish without it are dropped."""
        model = self._state.models.get(event.slice.model)
        if model is not None and model.evict(event.slice.units, event.processor) is not None:
            self._recheck(model)

    def worker_up(self, event: WorkerUp) -> None:
        """Use a processor (again). A task it had when it went away unnoticed is lost."""
        state = self._state
        self._lose_task(event.processor)
        processor = ProcessorState(event.processor, event.name, event.kind, event.free_bytes)
        state.processors[event.processor] = state.idle[event.processor] = processor
        state.note_size(event.processor + 1)
        state.free_waits_us[event.processor] = 0
        self._set_up()

    def worker_down(self, processor: int) -> None:
        """Stop using a processor; what it ran is run again elsewhere, if that can be."""
        found = self._state.processors.get(processor)
        if found is None or not found.up:
            return
        found.up = False
        self._set_up()
        self._lose_task(processor)
        del self._state.idle[processor]
        self._state.free_waits_us[processor] = DOWN_US
        for model in self._state.models.values():
            self._recheck(model)

    def _set_up(self) -> None:
        up = self._state.up()
        for model in self._state.models.values():
            model.set_up(up)

    def _lose_task(self, processor: int) -> None:
        found = self._state.processors.get(processor)
        if found is not None and found.running is not None:
            running = self._state.take_task(found.running.task.id)
            assert running is not None
            self._lifecycle.lost(running)

    def _recheck(self, model: RegisteredModel) -> None:
        for job in [job for job in self._state.jobs.values() if job.model is model]:
            self._lifecycle.requeue(job)
