"""Where a job goes once its turn has come, for policies that are an order and a placement.

Two placements. *Fastest idle*: among the idle processors those that finish it first; it never waits
for a busy one. *Earliest finish*: the plan that ends first, the time for which busy processors are
still busy counted; if its first processor is busy, that time is reserved for it and the jobs behind
it plan around it.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final, Literal

from band.plan.best import BestPlan
from band.plan.hops import DOWN_US
from band.plan.table import Span
from band.scheduler.commands import DropReason
from band.scheduler.policy import Decision, Dispatch, Drop, TaskSpec
from band.scheduler.rules import whole_span
from band.scheduler.view import JobView, View

Placement = Literal["fastest_idle", "earliest_finish"]

NO_DEADLINE_US: Final = 1 << 60
"""Reads as the deadline of a job that has none: it comes last and is never late."""


def due_us(job: JobView) -> int:
    """Return a job's deadline, ``NO_DEADLINE_US`` if it has none."""
    return NO_DEADLINE_US if job.deadline_us is None else job.deadline_us


def idle_waits(view: View) -> tuple[int, ...]:
    """Return the waits as if every processor that is up were idle."""
    return tuple([DOWN_US if wait >= DOWN_US else 0 for wait in view.waits_us])


def busy_as_down(waits: Sequence[int]) -> list[int]:
    """Return the waits as if every busy processor were down."""
    return [DOWN_US if wait else 0 for wait in waits]


def best_latency_us(view: View, job: JobView) -> int:
    """Return the time that the rest of a job takes at best, when every processor is idle.

    ``NO_DEADLINE_US`` for a job that cannot finish.
    """
    plan = view.best_plan(job, idle_waits(view))
    return NO_DEADLINE_US if plan is None else plan.latency_us


def isolated_us(view: View, job: JobView) -> int:
    """Return the time that the whole job takes at best on an idle device, done units included.

    ``NO_DEADLINE_US`` where the whole job could not be run any more.
    """
    return best_latency_us(view, job._replace(finished=0, running=0, holder=-1))


def hopeless(view: View, job: JobView) -> bool:
    """Return whether a job cannot make its deadline even if every processor were idle."""
    return (
        job.deadline_us is not None and view.now_us + best_latency_us(view, job) > job.deadline_us
    )


def place(
    view: View,
    jobs: Sequence[JobView],
    *,
    placement: Placement = "earliest_finish",
    shed: bool = False,
) -> list[Decision]:
    """Return the decisions of a pass that goes through the jobs once, in the given order.

    Args:
        view: of the pass.
        jobs: of its window, the most urgent first.
        placement: where a job goes.
        shed: drop what cannot make its deadline even if every processor were idle, and start or
            reserve nothing that would finish late.
    """
    waits = list(view.waits_us)
    drops: list[Decision] = []
    tasks: list[TaskSpec] = []
    for job in jobs:
        if shed and not job.running and hopeless(view, job):
            drops.append(Drop(job.job, DropReason.DEADLINE_UNREACHABLE))
            continue
        if 0 not in waits:
            if shed:
                continue  # nothing can start any more, but what is hopeless still goes
            break
        plan = _plan(view, job, waits, placement)
        if plan is None or (shed and view.now_us + plan.latency_us > due_us(job)):
            continue
        span, _, finish_us = plan.steps[0]
        if waits[span.processor] == 0:
            tasks.append(TaskSpec.of(job, view.table(job.model), span))
            waits[span.processor] = finish_us
        elif placement == "earliest_finish":
            waits[span.processor] = finish_us
    return [*drops, Dispatch(tuple(tasks))] if tasks else drops


def _plan(view: View, job: JobView, waits: Sequence[int], placement: Placement) -> BestPlan | None:
    """Return the plan of a job; under fastest_idle one of idle processors if they can finish it."""
    if placement == "fastest_idle":
        plan = view.best_plan(job, busy_as_down(waits))
        if plan is not None:
            return plan
    return view.best_plan(job, waits)


Worth = Callable[[Span], float]
"""What a whole run of a job on a processor costs; the least is the best."""


def tells_energy(view: View, job: JobView) -> bool:
    """Return whether the energies of all whole runs of a job are known."""
    return all(span.energy_uj > 0 for span in whole_spans(view, job))


def greedy(
    view: View, jobs: Sequence[JobView], worth: Worth, *, fallback: Collection[int] = ()
) -> list[Decision]:
    """Return the dispatches of jobs that each take the best idle processor and never wait.

    A job runs to its end in one task where an idle processor can do that. A job that no processor
    can run whole follows its best plan as far as idle processors go.

    Args:
        view: of the pass.
        jobs: of its window, in the order in which they choose.
        worth: the least wins, ties go to the processor with the lower index.
        fallback: ids of the jobs that go by latency instead.
    """
    waits = list(view.waits_us)
    tasks: list[TaskSpec] = []
    for job in jobs:
        if 0 not in waits:
            break
        span = _greedy_span(view, job, waits, _latency_us if job.job in fallback else worth)
        if span is not None:
            tasks.append(TaskSpec.of(job, view.table(job.model), span))
            waits[span.processor] = max(1, span.cost_us)
    return [Dispatch(tuple(tasks))] if tasks else []


def _greedy_span(view: View, job: JobView, waits: Sequence[int], worth: Worth) -> Span | None:
    whole = whole_spans(view, job)
    if whole:
        idle = [span for span in whole if waits[span.processor] == 0]
        return min(idle, key=worth, default=None)
    plan = _plan(view, job, waits, "fastest_idle")
    if plan is None or waits[plan.steps[0].span.processor]:
        return None
    return plan.steps[0].span


def whole_spans(view: View, job: JobView) -> list[Span]:
    """Return the spans that run all remaining units of a job, one a processor that can."""
    table = view.table(job.model)
    allowed = range(len(table.processors)) if job.processor < 0 else (job.processor,)
    found = (whole_span(table, job, processor) for processor in allowed)
    return [span for span in found if span is not None]


def _latency_us(span: Span) -> int:
    return span.cost_us


def heads_first(jobs: Sequence[JobView]) -> list[JobView]:
    """Return jobs by class, then in rounds: each model's first job by name, each one's second, ...

    So the models take turns in the order of their names, as in XRBench's queues.
    """
    turns: dict[tuple[int, str], int] = {}
    keyed = []
    for job in jobs:
        queue = (job.priority, job.model)
        turn = turns[queue] = turns.get(queue, -1) + 1
        keyed.append(((job.priority, turn, job.model), job))
    keyed.sort(key=lambda pair: pair[0])
    return [job for _, job in keyed]
