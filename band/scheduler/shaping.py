"""What shapes a policy's view beyond the state itself: reserved slots, strict classes, cold runs.

All of it is off by default, and then nothing here runs. A policy needs to know of none of it: slots
look like busy processors, strict classes like a shorter window, cold processors like slower ones.
What a policy starts all the same that would run into a slot is held back, not held against it: the
job is shown once more at the same event, alone, with that processor as busy until the slot has
ended, and then the processor is offered to the others.
"""

from collections.abc import Sequence

from mypy_extensions import mypyc_attr

from band.plan.best import BestPlan, FirstStep
from band.plan.hops import DOWN_US
from band.plan.table import PlanTable
from band.scheduler.cold import ColdTables, cold_processors
from band.scheduler.core_view import CoreView
from band.scheduler.options import CoreOptions
from band.scheduler.plans import JobState
from band.scheduler.registered import Runnable
from band.scheduler.reservations import Reservations, Slots
from band.scheduler.state import CoreState, Job, ProcessorState
from band.scheduler.view import JobView, ProcessorView


@mypyc_attr(allow_interpreted_subclasses=True)
class Shaping:
    """Makes the views of one core, and holds tasks back.

    Args:
        state: of the core; not changed.
        options: what is asked for.

    Attributes:
        reservations: the slots, None if there are none.
        strict: jobs of worse classes are not shown while a better one waits.
        held: by job that is held back at this event, when the slots end that it would run into, by
            processor.
        again: those of them that the next views show, and nobody else; none: they show the others.
        replan: a task was held back at this pass that was not before; what the policy decided after
            it was decided as if that task ran.
        active: views are any different from plain ones.
        until_us: when to look again, since a slot kept something from running; else None.
    """

    def __init__(self, state: CoreState, options: CoreOptions) -> None:
        slots = options.reservations
        self._state = state
        self.reservations = Reservations(slots) if slots else None
        self.strict = options.strict_classes
        self.held: dict[int, dict[int, int]] = {}
        self.again: frozenset[int] = frozenset()
        self.replan = False
        self.until_us: int | None = None
        self.cold = ColdTables()
        self.active = bool(slots) or self.strict or state.cools

    def begin(self) -> None:
        """Forget what was held back: another event, another try."""
        self.held.clear()
        self.again = frozenset()
        self.until_us = None

    def view(self, now_us: int, window_size: int) -> "ShapedView":
        """Return the view of one pass."""
        self.replan = False
        if self.again:
            jobs = self._state.jobs
            self.again = frozenset([n for n in self.again if n in jobs and jobs[n].queued])
        return ShapedView(self._state, now_us, window_size, self)

    def holds(
        self, jobs: Sequence[Job], runnable: Runnable, processor: ProcessorState, now_us: int
    ) -> bool:
        """Return whether a task must not start now.

        The first time at this event, its jobs come again, if there is another processor to take.
        So there are at most as many such passes as jobs and processors make pairs.

        Args:
            jobs: that it would serve.
            runnable: what it would run.
            processor: where.
            now_us: the time.
        """
        lead, model = jobs[0], jobs[0].model
        slots = self.closed(lead.request.app, processor.index)
        if slots is None:
            return False
        predicted_us = runnable.cost_us
        if model.transfers and lead.fronts:
            row = model.table.transfer_us[runnable.span.first]
            predicted_us += max(row[holder][processor.index] for _, holder in lead.fronts)
        until_us = slots.meets(now_us, predicted_us)
        if until_us is None:
            return False
        self.look_again(until_us)
        if processor.index not in self.held.get(lead.id, ()):
            for job in jobs:
                self.held.setdefault(job.id, {})[processor.index] = until_us
            others = [index for index in self._state.idle if index not in self.held[lead.id]]
            self.again = frozenset([job.id for job in jobs] if others else [])
            self.replan = True
        return True

    def resume(self) -> bool:
        """Turn from the jobs that were shown again to the others; return whether there were any."""
        shown, self.again = self.again, frozenset()
        return bool(shown)

    def closed(self, app: str, processor: int) -> Slots | None:
        """Return the slots of a processor that an app may not use, None if there are none."""
        if self.reservations is None:
            return None
        return self.reservations.closed_to(app, self._state.processors[processor].name)

    def look_again(self, at_us: int) -> None:
        """Note that a slot that ends then keeps something from running."""
        if self.until_us is None or at_us < self.until_us:
            self.until_us = at_us


class ShapedView(CoreView):
    """A view with reserved slots, strict classes and cold processors worked in.

    To a job, a processor is busy until the slot that it may not use has ended, and to one that was
    held back until the slot has ended that it would have run into. If its best plan would begin
    with a task that runs into a slot, the plan is made anew as if that processor were free only
    when the slot has ended.

    Args:
        state: of the core.
        now_us: the time of the pass.
        window_size: how many jobs are shown.
        shaping: what to work in.
    """

    __slots__ = ("_cold", "_shaping", "_slots", "_sought")

    def __init__(self, state: CoreState, now_us: int, window_size: int, shaping: Shaping) -> None:
        super().__init__(state, now_us, window_size)
        self._shaping = shaping
        self._cold = cold_processors(state, now_us) if state.cools else 0
        self._sought: dict[tuple[str, JobState, tuple[int, ...]], BestPlan | None] = {}
        self._slots: list[int] = []
        if shaping.reservations is not None:
            named = shaping.reservations.processors
            self._slots = [p.index for p in state.processors.values() if p.up and p.name in named]
            self.waits_us = self._closed_to_all()

    @property
    def window(self) -> tuple[JobView, ...]:
        """Return the first waiting jobs that are not held back, or those that come again."""
        if self._window is None:
            entries, held = self._state.queue.entries, self._shaping.held
            again = self._shaping.again
            shown = self._state.queue.head(self._window_size + len(held))
            if again:
                shown = tuple([job for job in shown if job.job in again])
            elif held:
                shown = tuple([job for job in shown if job.job not in held])
            if self._shaping.strict and entries:
                best = entries[0][0][0]
                shown = tuple([job for job in shown if job.priority == best])
            self._window = shown[: self._window_size]
        return self._window

    @property
    def processors(self) -> tuple[ProcessorView, ...]:
        """Return every processor that has ever been up; whose slot is in force on which."""
        views = list(super().processors)
        reservations = self._shaping.reservations
        for place, view in enumerate(views if reservations is not None else ()):
            wait_us = self.waits_us[view.processor]
            if view.processor in self._slots and reservations is not None:
                views[place] = view._replace(
                    idle=view.idle and not wait_us,
                    busy_until_us=max(view.busy_until_us, self.now_us + wait_us),
                    reserved_for=reservations.owner(view.name, self.now_us),
                )
        return tuple(views)

    def table(self, model: str) -> PlanTable:
        """Return the plan table of a model as it holds now: what is cold costs more.

        Raises:
            KeyError: no model of that name is registered.
        """
        return self._shaping.cold.of(self._state.models[model], self._cold)[0]

    def best_plan(self, job: JobView, waits_us: Sequence[int] | None = None) -> BestPlan | None:
        """Return the earliest-finish plan of a job that begins with no task it must not start."""
        waits = list(waits_us or self.waits_us)
        for index in self._slots:
            end_us = self._closed_until(job.app, index)
            if end_us is not None:
                waits[index] = max(waits[index], end_us - self.now_us)
        while True:
            plan = self._plan(job, tuple(waits))
            if plan is None:
                return None
            span, _, finish_us = plan.steps[0]
            processor = span.processor
            if processor not in self._slots or waits[processor]:
                return plan
            slots = self._shaping.closed(job.app, processor)
            end_us = None if slots is None else slots.meets(self.now_us, finish_us)
            if end_us is None:
                return plan
            self._shaping.look_again(end_us)
            waits[processor] = end_us - self.now_us

    def first_step(self, job: JobView, waits_us: Sequence[int] | None = None) -> FirstStep | None:
        """Return how that plan starts; it counts as one that every wait touches."""
        plan = self.best_plan(job, waits_us)
        if plan is None:
            return None
        span, _, finish_us = plan.steps[0]
        return FirstStep(plan.latency_us, span, finish_us, -1)

    def _plan(self, job: JobView, waits: tuple[int, ...]) -> BestPlan | None:
        model, state = self._state.models[job.model], job[7:11]
        key = (job.model, state, waits)
        if key not in self._sought:
            plans = self._shaping.cold.of(model, self._cold)[1]
            self._sought[key] = plans.best_plan(state, waits)
        return self._sought[key]

    def _closed_to_all(self) -> tuple[int, ...]:
        """Return the waits, with slots that none of the window's jobs may use or run into."""
        waits = list(self.waits_us)
        apps = {job.app for job in self.window}
        for index in self._slots:
            ends = [self._closed_until(app, index) for app in apps]
            known = [end_us for end_us in ends if end_us is not None]
            if known:
                self._shaping.look_again(min(known))
            if known and len(known) == len(ends) and waits[index] < DOWN_US:
                waits[index] = max(waits[index], min(known) - self.now_us)
        for number in self._shaping.again:
            for index, end_us in self._shaping.held[number].items():
                waits[index] = max(waits[index], end_us - self.now_us)
        return tuple(waits)

    def _closed_until(self, app: str, processor: int) -> int | None:
        """Return when the slot in force ends that an app may not use; None if none is."""
        slots = self._shaping.closed(app, processor)
        return None if slots is None else slots.meets(self.now_us)
