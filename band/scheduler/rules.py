"""Parts that several policies are made of. Using them is no duty: a policy needs none of this."""

from collections.abc import Callable, Sequence

from band.plan.best import Step
from band.plan.table import PlanTable, Span
from band.scheduler.policy import Dispatch, TaskSpec
from band.scheduler.view import JobView, View

Choose = Callable[[View, Sequence[JobView], Sequence[int]], tuple[JobView, Step] | None]
"""(view, jobs that wait, waits per processor) -> the next job and the first step of its plan."""


def one_by_one(view: View, choose: Choose) -> Sequence[Dispatch]:
    """Return the dispatches of a pass that chooses one job after another.

    Each choice counts with the waits behind those before it. The pass ends when no processor is
    idle, no job waits, or nothing is chosen.
    """
    waits = list(view.waits_us)
    waiting: Sequence[JobView] = view.window
    tasks: list[TaskSpec] = []
    while waiting and 0 in waits:
        chosen = choose(view, waiting, waits)
        if chosen is None:
            break
        job, (span, _, finish_us) = chosen
        tasks.append(TaskSpec.of(job, view.table(job.model), span))
        if len(waiting) == 1:
            break
        waits[span.processor] = finish_us
        waiting = [other for other in waiting if other is not job]
    return (Dispatch(tuple(tasks)),) if tasks else ()


def whole_span(table: PlanTable, job: JobView, processor: int) -> Span | None:
    """Return the span that runs all remaining units of a job on a processor, None if none does."""
    if job.running or job.finished & (job.finished + 1):
        return None
    return table.find(job.finished.bit_length(), table.unit_count - 1, processor)


def longest_that_can_start(
    view: View, waiting: Sequence[JobView], waits: Sequence[int]
) -> tuple[JobView, Step] | None:
    """Return the job with the longest best plan among those of the best class that can start.

    A job can start if the processor of its plan's first step is idle; the first one wins ties.
    """
    chosen: tuple[JobView, Step] | None = None
    longest_us = -1
    for job in waiting:
        if chosen is not None and job.priority != chosen[0].priority:
            break
        plan = view.best_plan(job, waits)
        if plan is not None and plan.latency_us > longest_us:
            step = plan.steps[0]
            if waits[step.span.processor] == 0:
                chosen, longest_us = (job, step), plan.latency_us
    return chosen
