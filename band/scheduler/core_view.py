"""The view that the core hands to a policy: made for one pass, filled in as it is read."""

from collections.abc import Sequence

from band.plan.best import BestPlan, FirstStep
from band.plan.table import PlanTable
from band.scheduler.plans import JobState
from band.scheduler.state import CoreState
from band.scheduler.view import JobView, ProcessorView

_PlanKey = tuple[str, JobState, tuple[int, ...]]


class CoreView:
    """One pass's view of the core's state.

    Nothing is copied but the window: ``window`` jobs however long the queue is. Best plans are
    remembered for the pass by (model, finished, running, holder, pin, waits), so that many jobs in
    the same state cost one search.
    """

    __slots__ = (
        "_plans",
        "_processors",
        "_state",
        "_window",
        "_window_size",
        "now_us",
        "waits_us",
    )

    def __init__(self, state: CoreState, now_us: int, window_size: int) -> None:
        self.now_us = now_us
        self._state = state
        self._window_size = window_size
        self._window: tuple[JobView, ...] | None = None
        self._processors: tuple[ProcessorView, ...] | None = None
        self.waits_us = current_waits_us(state, now_us)
        self._plans: dict[_PlanKey, BestPlan | None] | None = None

    @property
    def window(self) -> tuple[JobView, ...]:
        """Return the first waiting jobs, by (priority, arrival)."""
        if self._window is None:
            self._window = self._state.queue.head(self._window_size)
        return self._window

    @property
    def processors(self) -> tuple[ProcessorView, ...]:
        """Return every processor that has ever been up, by index."""
        if self._processors is None:
            now_us = self.now_us
            views = []
            for p in sorted(self._state.processors.values(), key=lambda p: p.index):
                running = p.running
                wait_us = 0 if running is None else running.wait_us(now_us)
                residual_us = 0 if running is None else running.residual_us(now_us)
                idle = p.up and running is None
                free_bytes = self._state.free_bytes(p)
                views.append(
                    ProcessorView(
                        p.index, p.name, p.kind, p.up, idle, now_us + wait_us, residual_us,
                        free_bytes, None,
                    )
                )  # fmt: skip
            self._processors = tuple(views)
        return self._processors

    @property
    def models(self) -> tuple[str, ...]:
        """Return the names of all registered models."""
        return tuple(self._state.models)

    def table(self, model: str) -> PlanTable:
        """Return the plan table of a model: loaded spans, processors that are up, current costs.

        Raises:
            KeyError: no model of that name is registered.
        """
        return self._state.models[model].table

    def best_plan(self, job: JobView, waits_us: Sequence[int] | None = None) -> BestPlan | None:
        """Return the earliest-finish plan of a job, given waits (default: the current ones)."""
        waits = waits_us or self.waits_us
        plans = self._state.models[job.model].plans
        state = job[7:11]  # finished, running, holder, processor
        idle_plan, _, starts = plans.idle_plans.get(state) or plans.idle_plan(state)
        for processor, start_us in starts:
            if waits[processor] > start_us:
                break
        else:
            return idle_plan
        if self._plans is None:
            self._plans = {}
        key = (job.model, state, tuple(waits))
        if key not in self._plans:
            self._plans[key] = plans.best_plan(state, waits)
        return self._plans[key]

    def first_step(self, job: JobView, waits_us: Sequence[int] | None = None) -> FirstStep | None:
        """Return how that plan starts. Not remembered: see :mod:`band.scheduler.groups`."""
        waits = waits_us or self.waits_us
        plans = self._state.models[job[1]].plans
        state = job[7:11]
        _, first, starts = plans.idle_plans.get(state) or plans.idle_plan(state)
        for processor, start_us in starts:
            if waits[processor] > start_us:
                return plans.first_step(state, waits)
        return first


def current_waits_us(state: CoreState, now_us: int) -> tuple[int, ...]:
    """Return per processor the time until it is free; ``DOWN_US`` for one that is down."""
    waits = state.free_waits_us.copy()
    for running in state.tasks.values():
        wait_us = running.due_us - now_us
        waits[running.task.processor] = wait_us if wait_us > 0 else running.wait_us(now_us)
    return tuple(waits)
