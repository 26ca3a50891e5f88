"""Round robin: every idle processor takes the first job that it can run to its end.

Formula:
    For each idle processor in ascending order: the first job of the window, in its order, that
    has a loaded span there over all its remaining units. A job that no processor can run whole
    follows its best plan instead, whose first step must be on that processor.

Parameters:
    window: jobs looked at, 1 or more, default 16.

Good as a baseline and when processors are alike. Bad when they differ: a slow processor takes a
job that a fast one would have finished sooner, wait included.

Source: Band, MobiSys 2022 (round_robin; it has no rotation pointer there either).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge

from band.plan.table import Span
from band.scheduler.policy import Dispatch, PolicyInfo, TaskSpec
from band.scheduler.rules import whole_span
from band.scheduler.view import JobView, View


@dataclass(frozen=True)
class Params:
    """Parameters: ``window`` jobs are looked at."""

    window: Annotated[int, Ge(1)] = 16


class RoundRobin:
    """Gives each idle processor the first job it can run whole."""

    info: ClassVar = PolicyInfo(
        name="round_robin",
        summary="each idle processor takes the first job it can run whole",
        source="Band, MobiSys 2022",
        uses_fallback=False,
    )

    def __init__(self, params: Params) -> None:
        self.params = params

    def plan(self, view: View) -> Sequence[Dispatch]:
        """Return the dispatches of one pass."""
        waiting = list(view.window)
        tasks: list[TaskSpec] = []
        for processor, wait_us in enumerate(view.waits_us):
            if wait_us:
                continue
            for job in waiting:
                span = self._span(view, job, processor)
                if span is not None:
                    tasks.append(TaskSpec.of(job, view.table(job.model), span))
                    waiting.remove(job)
                    break
        return (Dispatch(tuple(tasks)),) if tasks else ()

    def _span(self, view: View, job: JobView, processor: int) -> Span | None:
        """Return what a processor would run of a job now."""
        table = view.table(job.model)
        if job.processor in {-1, processor} and (span := whole_span(table, job, processor)):
            return span
        pinned = range(len(table.processors)) if job.processor < 0 else (job.processor,)
        if any(whole_span(table, job, other) for other in pinned):
            return None
        plan = view.best_plan(job)
        if plan is None or plan.steps[0].span.processor != processor:
            return None
        return plan.steps[0].span
