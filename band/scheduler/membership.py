"""What may run where: models, loaded slices and processors come and go."""

from mypy_extensions import mypyc_attr

from band.plan.hops import DOWN_US
from band.plan.task import units_mask
from band.scheduler.commands import DropReason, Evict
from band.scheduler.estimator import SpanId
from band.scheduler.events import ModelAdded, SliceEvicted, SliceLoaded, WorkerUp
from band.scheduler.lifecycle import Lifecycle
from band.scheduler.registered import RegisteredModel
from band.scheduler.reservations import Reservations
from band.scheduler.residency import Residency
from band.scheduler.slice_books import Place
from band.scheduler.state import CoreState, ProcessorState


@mypyc_attr(allow_interpreted_subclasses=True)
class Membership:
    """Applies the events of models, slices and workers to the state."""

    def __init__(self, state: CoreState, lifecycle: Lifecycle, residency: Residency) -> None:
        self._state = state
        self._reservations = lifecycle.shaping.reservations
        self._lifecycle = lifecycle
        self._residency = residency

    def add_model(self, event: ModelAdded, now_us: int) -> None:
        """Register a model, or replace the table of a known one by a higher version.

        With other units than before, the masks of started jobs mean nothing any more: they start
        again on the new table.
        """
        state = self._state
        unfit: dict[Place, int] = {}
        if self._reservations is not None:
            event, unfit = _fitting(event, self._reservations)
        table = event.table
        state.note_size(len(table.processors))
        if event.slices_bytes is not None:
            self._residency.set_limit(event.slices_bytes, now_us)
        known = state.models.get(table.model)
        if known is not None and table.version <= known.given_version:
            return
        self._residency.retable(table.model, now_us)
        loaded = self._settled(event)
        if state.slices.limit_bytes is not None:
            moving = state.slices.leaving.keys() | state.slices.loading.keys()
            state.slices.orphans.update((p, s) for p, s in unfit.items() if p not in moving)
        if known is None:
            known = RegisteredModel(table, loaded, state.up(), fixed=event.fixed)
            known.touch(now_us)
            state.models[table.model] = known
            return
        before, known.fixed = known.full, event.fixed
        known.install(table, loaded, max(table.version, before.version + 1))
        known.touch(now_us)
        same_units = before.dependencies == table.dependencies
        for job in [job for job in state.jobs.values() if job.model is known]:
            if same_units or not (job.finished or job.running):
                self._lifecycle.requeue(job)
            else:
                self._lifecycle.restart(job)

    def _settled(self, event: ModelAdded) -> tuple[SpanId, ...] | None:
        """Return what is loaded and stays: not what was asked to be evicted.

        What was asked to be loaded, and is said to be, needs no answer any more.
        """
        books, name = self._state.slices, event.table.model
        books.orphans = {p: size for p, size in books.orphans.items() if p.model != name}
        going = {place.span_id for place in books.leaving if place.model == name}
        coming = {place.span_id for place in books.loading if place.model == name}
        if not going and not coming:
            return event.loaded
        loaded = event.loaded
        if loaded is None:
            loaded = tuple(span[:3] for span in event.table.spans)
        for place in [p for p in books.loading if p.model == name and p.span_id in loaded]:
            del books.loading[place]
        return tuple(key for key in loaded if key not in going)

    def remove_model(self, name: str, now_us: int) -> None:
        """Unregister a model: its waiting jobs end, its running tasks may still complete theirs.

        A driver that has given a budget is asked to evict its slices.
        """
        model = self._state.models.pop(name, None)
        if model is None:
            return
        books = self._state.slices
        if books.limit_bytes is not None:
            for (first, last, processor), size in model.load_bytes.items():
                place = Place(name, units_mask(first, last), processor)
                if place not in books.loading:  # the answer will find that nobody wants it
                    books.orphans[place] = size
        model.unload()
        self._residency.retable(name, now_us)
        for job in [job for job in self._state.jobs.values() if job.model is model]:
            if job.running:
                self._state.queue.discard(job)
            else:
                self._lifecycle.drop(job, DropReason.NO_PROCESSOR)

    def load(self, event: SliceLoaded, now_us: int) -> None:
        """Let a slice that became loaded be used; evict it if nobody wants it any more."""
        state, books = self._state, self._state.slices
        place = Place(*event.slice, event.processor)
        if place in books.leaving:
            return
        asked = books.loading.pop(place, None) is not None
        model = state.models.get(place.model)
        used = model is not None and model.load(
            place.units, place.processor, event.load_bytes, event.cost_us
        )
        if used and model is not None:
            model.estimator.touch(place.span_id, now_us)
        elif asked and (model is None or place.span_id not in model.loaded):
            books.leaving[place] = event.load_bytes
            books.evictions += 1
            self._lifecycle.commands.append(Evict(place.slice, place.processor))
        if asked:
            self._residency.answered(place, now_us, loaded=True)
        self._residency.changed(now_us)

    def evict(self, event: SliceEvicted, now_us: int) -> None:
        """Stop using a slice; jobs that cannot finish without it are dropped."""
        books, place = self._state.slices, Place(*event.slice, event.processor)
        books.leaving.pop(place, None)
        books.orphans.pop(place, None)
        if books.loading.pop(place, None) is not None:
            self._residency.answered(place, now_us, loaded=False)
        model = self._state.models.get(place.model)
        if model is not None and model.evict(place.units, place.processor) is not None:
            self._recheck(model)
        self._residency.changed(now_us)

    def worker_up(self, event: WorkerUp, now_us: int) -> None:
        """Use a processor (again). A task it had when it went away unnoticed is lost."""
        state = self._state
        self._lose_task(event.processor)
        processor = ProcessorState(event.processor, event.name, event.kind, event.free_bytes)
        processor.cold_after_us = event.cold_after_us
        if event.cold_after_us is not None:
            state.cools = self._lifecycle.shaping.active = True
        state.processors[event.processor] = state.idle[event.processor] = processor
        state.note_size(event.processor + 1)
        state.free_waits_us[event.processor] = 0
        self._set_up()
        self._residency.retry(event.processor, now_us)

    def worker_down(self, processor: int, now_us: int) -> None:
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
        self._residency.changed(now_us)

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


def _fitting(event: ModelAdded, reservations: Reservations) -> tuple[ModelAdded, dict[Place, int]]:
    """Return an event whose spans all fit between reserved slots, and what is loaded of others."""
    table = event.table
    gone = {span[:3]: span for span in reservations.too_long(table)}
    if not gone:
        return event, {}
    loaded = [s[:3] for s in table.spans] if event.loaded is None else event.loaded
    unfit = [gone[key] for key in loaded if key in gone]
    kept = {span[:3] for span in table.spans} - gone.keys()
    return (
        event._replace(
            table=table.restricted(kept), loaded=tuple(key for key in loaded if key in kept)
        ),
        {Place(table.model, span.units, span.processor): span.load_bytes for span in unfit},
    )
