"""Static plan: every model runs the steps that were planned for it offline, in a planned order.

Formula:
    Jobs of one model and class take its variants in turn, as often as their weights say. A job's
    next steps are those of its variant whose inputs are finished, from ``release_us`` after its
    arrival on. Each idle processor takes the step that is first by (class, priority of the model,
    arrival), or under ``edf`` by (class, deadline, priority, arrival); no deadline comes last.
    A job whose planned steps cannot all run (not loaded, processor down, pinned elsewhere, no
    plan for its model) follows its best plan instead, to its end; it is counted and noted.

Parameters:
    models: model name -> variants (steps of first unit, last unit and processor; weight, 1 or
        more, at most 10,000 together once what they have in common is divided out), priority,
        lower first, default 0, and release_us, 0 or more, default 0.
    order: processor name -> priority or edf, default priority.
    window: jobs looked at, 1 or more, default 4096: a plan is only kept if every job is seen.

Good when the load is known: ``band search`` writes such plans. Bad when it changes: nothing moves
to an idle processor that the plan does not name.

Source: the plans of Puzzle (arXiv 2508.17764) and of every offline mapper.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated, ClassVar, NamedTuple

from annotated_types import Ge

from band.plan.static import Order, PlannedModel, PlannedStep, Variant, spans_of, turns
from band.plan.table import PlanTable, Span
from band.scheduler.policy import Decision, Defer, Dispatch, PolicyInfo, TaskSpec
from band.scheduler.view import JobView, View

_NEVER_US = 1 << 60
_FALLBACKS = 16  # best plans a pass asks for
_KEPT = 4096  # jobs whose variant is remembered though they are not in the window


@dataclass(frozen=True)
class Params:
    """Parameters: the plan of each of ``models``, the ``order`` per processor, the ``window``."""

    models: Mapping[str, PlannedModel]
    order: Mapping[str, Order] = field(default_factory=dict)
    window: Annotated[int, Ge(1)] = 4096

    def __post_init__(self) -> None:
        for name, planned in self.models.items():
            try:
                turns([weight for _, weight in planned[0]])
            except ValueError as error:
                msg = f"model {name!r}: {error}"
                raise ValueError(msg) from error


EXAMPLE = Params(
    models={
        "m": PlannedModel((Variant((PlannedStep(0, 0, "cpu"),)),)),
        "m0": PlannedModel(
            (Variant((PlannedStep(0, 0, "gpu"),), 2), Variant((PlannedStep(0, 0, "cpu"),))),
            priority=1,
        ),
        "m1": PlannedModel((Variant((PlannedStep(0, 1, "cpu"), PlannedStep(2, 2, "cpu"))),)),
        "m2": PlannedModel((Variant(tuple(PlannedStep(unit, unit, "cpu") for unit in range(4))),)),
    },
    order={"cpu": "edf"},
)


_State = tuple[int, int, int, int]
"""(variant, finished, running, processor it is pinned to) of a job."""


class _Planned(NamedTuple):
    """The plan of one model on the table in force.

    Attributes:
        variants: None instead of spans that the table cannot run.
        steps: per state what a job could start now, or why it cannot keep its plan.
    """

    table: PlanTable
    variants: tuple[tuple[Span, ...] | None, ...]
    steps: dict[_State, tuple[Span, ...] | str]


_Key = tuple[int, int, int, int]
"""What a step is ordered by: class, priority or deadline, deadline or priority, arrival."""


class StaticPlan:
    """Plays a plan that was made beforehand.

    Its statistics count ``fallback_jobs``, the jobs that followed their best plan instead; its
    notes say why, once per model, and name the processors of ``order`` that there are not.
    """

    info: ClassVar = PolicyInfo(
        name="static_plan",
        summary="plays a plan that band search has found; needs the plan as parameters",
        source="Puzzle, arXiv 2508.17764",
        work_conserving=False,
    )

    def __init__(self, params: Params) -> None:
        self.params = params
        self._fallback_jobs = 0
        self._edf = {name for name, order in params.order.items() if order == "edf"}
        self._rounds = {
            name: turns([weight for _, weight in planned[0]])
            for name, planned in params.models.items()
        }
        self._planned: dict[str, _Planned] = {}
        self._taken: Counter[tuple[str, int]] = Counter()
        self._variant: dict[int, tuple[str, int | None]] = {}
        self._notes: dict[str, str] = {}

    def statistics(self) -> Mapping[str, float]:
        """Return the number of jobs that did not keep to their plan."""
        return {"fallback_jobs": self._fallback_jobs}

    def notes(self) -> tuple[str, ...]:
        """Return a sentence for each model off its plan and each unknown processor of ``order``."""
        if not self._planned:
            return tuple(self._notes.values())
        device = next(iter(self._planned.values())).table.processors
        unknown = (
            f"order names the processor {name}, which the device does not have; "
            f"the device has {', '.join(device)}"
            for name in self.params.order
            if name not in device
        )
        return (*self._notes.values(), *unknown)

    def plan(self, view: View) -> Sequence[Decision]:
        """Return at most one step per idle processor and per job, and the jobs not released yet."""
        waits, window = view.waits_us, view.window
        decisions: list[Decision] = []
        first: dict[int, tuple[_Key, JobView, Span]] = {}
        searches = 0
        for place, job in enumerate(window):
            steps = self._steps(view, job)
            if steps is None:
                searches += 1
                steps = self._best(view, job) if searches <= _FALLBACKS else ()
            release_us = self._release_us(job)
            if release_us > view.now_us and steps:
                decisions.append(Defer(job.job, release_us))
                continue
            for span in steps:
                if waits[span.processor] == 0:
                    key = self._key(job, place, view.table(job.model).processors[span.processor])
                    best = first.get(span.processor)
                    if best is None or key < best[0]:
                        first[span.processor] = (key, job, span)
        decisions.extend(self._dispatches(view, first))
        self._forget(window)
        return decisions

    def _dispatches(
        self, view: View, first: Mapping[int, tuple[_Key, JobView, Span]]
    ) -> list[Dispatch]:
        """Return the steps of distinct jobs; another step of the same job has the next pass."""
        tasks: dict[int, TaskSpec] = {}
        for processor in sorted(first):
            _, job, span = first[processor]
            if job.job not in tasks:
                table = view.table(job.model)
                tasks[job.job] = TaskSpec.of(job, table, span)
                if job.finished | job.running | span.units == table.all_units:
                    self._variant.pop(job.job, None)
        return [Dispatch(tuple(tasks.values()))] if tasks else []

    def _key(self, job: JobView, place: int, processor: str) -> _Key:
        priority = self.params.models[job.model][1] if job.model in self.params.models else 0
        if processor not in self._edf:
            return job.priority, priority, 0, place
        deadline_us = _NEVER_US if job.deadline_us is None else job.deadline_us
        return job.priority, deadline_us, priority, place

    def _release_us(self, job: JobView) -> int:
        """Return when a job may start; 0 for one that has."""
        if job.finished | job.running or job.model not in self.params.models:
            return 0
        return job.arrived_us + self.params.models[job.model][2]

    def _steps(self, view: View, job: JobView) -> Sequence[Span] | None:
        """Return the planned steps that a job could start now, None if it cannot keep its plan."""
        model, variant = self._variant.get(job.job, ("", None))
        if model != job.model:
            variant = self._take(job)
        if variant is None:
            return None
        planned = self._on(view.table(job.model))
        state = (variant, job.finished, job.running, job.processor)
        steps = planned.steps.get(state)
        if steps is None:
            spans = planned.variants[variant]
            steps = planned.steps[state] = _next_steps(job, spans, planned.table)
        if isinstance(steps, str):
            self._fall_back(job, steps)
            return None
        return steps

    def _take(self, job: JobView) -> int | None:
        """Return the variant whose turn it is, None if there is no plan for the model."""
        if job.model not in self._rounds:
            self._fall_back(job, "the plan does not name it")
            return None
        order = self._rounds[job.model]
        turn = self._taken[job.model, job.priority]
        self._taken[job.model, job.priority] = (turn + 1) % len(order)
        self._variant[job.job] = (job.model, order[turn])
        return order[turn]

    def _on(self, table: PlanTable) -> _Planned:
        """Return the plan of a model on its table, which changes with loads and processors."""
        planned = self._planned.get(table.model)
        if planned is None or planned.table is not table:
            variants = self.params.models[table.model][0]
            spans = tuple(spans_of((PlannedStep(*s) for s in v[0]), table) for v in variants)
            planned = self._planned[table.model] = _Planned(table, spans, {})
        return planned

    def _best(self, view: View, job: JobView) -> Sequence[Span]:
        plan = view.best_plan(job)
        return () if plan is None else (plan.steps[0].span,)

    def _fall_back(self, job: JobView, why: str) -> None:
        """Let a job follow its best plan to its end, and say so once per model."""
        self._variant[job.job] = (job.model, None)
        self._fallback_jobs += 1
        self._notes.setdefault(
            job.model, f"model {job.model} left its static plan for best plans: {why}"
        )

    def _forget(self, window: Sequence[JobView]) -> None:
        """Forget old jobs that do not wait: they were dropped or cancelled."""
        if len(self._variant) > len(window) + 2 * _KEPT:
            waiting = {job.job for job in window}
            old = list(islice(self._variant, len(self._variant) - _KEPT))
            for job in old:
                if job not in waiting:
                    del self._variant[job]


def _next_steps(
    job: JobView, spans: Sequence[Span] | None, table: PlanTable
) -> tuple[Span, ...] | str:
    """Return the spans that a job could start now, or why it cannot keep to them."""
    done = job.finished | job.running
    if spans is None:
        return "its steps are not all loaded on processors that are up"
    if any(s.units & done and s.units & ~done for s in spans):
        return "a job has run other parts than the plan's"
    if job.processor >= 0 and any(s.processor != job.processor for s in spans):
        return "a request is pinned to another processor than the plan's"
    return tuple(s for s in spans if not s.units & done and not _needs(s, table) & ~job.finished)


def _needs(span: Span, table: PlanTable) -> int:
    """Return the mask of units that must be finished before a span starts."""
    needs = 0
    for unit in range(span.first, span.last + 1):
        needs |= table.dependencies[unit]
    return needs & ~span.units
