"""Fixed worker: every model always runs on the same processor.

Formula:
    The processor of a job is the one its request is pinned to, else ``processors[model]``, else
    the first one that runs the whole model. The job's remaining units run there in one task when
    such a slice is loaded, else in as few steps as the best plan on that processor alone takes.
    Jobs of one processor keep their order. A job whose processor cannot run it is dropped with
    no_processor.

Parameters:
    processors: model name -> processor name, default none.
    window: jobs looked at, 1 or more, default 16.

Good for a fixed mapping found offline, and to know what one processor can do. Bad whenever the
mapped processor is the busy one: nothing moves.

Source: Band, MobiSys 2022 (fixed_worker; its model-to-worker map is never filled there).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from band.plan.table import PlanTable, Span
from band.scheduler.commands import DropReason
from band.scheduler.policy import Decision, Dispatch, Drop, PolicyInfo, TaskSpec
from band.scheduler.rules import whole_span
from band.scheduler.view import JobView, View


@dataclass(frozen=True)
class Params:
    """Parameters: ``processors`` by model, and ``window`` jobs are looked at."""

    processors: Mapping[str, str] = field(default_factory=dict)
    window: int = 16


class FixedWorker:
    """Runs each model on its own processor."""

    info: ClassVar = PolicyInfo(
        name="fixed_worker",
        aliases=("fixed_device",),
        summary="every model runs on one fixed processor",
        source="Band, MobiSys 2022",
        uses_fallback=False,
        work_conserving=False,
    )

    def __init__(self, params: Params) -> None:
        self.params = params

    def plan(self, view: View) -> Sequence[Decision]:
        """Return the dispatches and drops of one pass."""
        waits = list(view.waits_us)
        decisions: list[Decision] = []
        for job in view.window:
            table = view.table(job.model)
            span = self._span(view, job, table)
            if span is not None and waits[span.processor] == 0:
                decisions.append(Dispatch((TaskSpec.of(job, table, span),)))
                waits[span.processor] = span.cost_us
            elif span is None and not job.running:
                decisions.append(Drop(job.job, DropReason.NO_PROCESSOR))
        return decisions

    def _span(self, view: View, job: JobView, table: PlanTable) -> Span | None:
        """Return what the job's processor runs next, None if it cannot run the job."""
        name = self.params.processors.get(job.model)
        if job.processor < 0 and name is None:
            spans = (whole_span(table, job, p) for p in range(len(table.processors)))
            whole = next((span for span in spans if span is not None), None)
            chosen = job
        elif job.processor < 0 and name not in table.processors:
            return None
        else:
            fixed = job.processor if job.processor >= 0 else table.processors.index(str(name))
            whole = whole_span(table, job, fixed)
            chosen = job._replace(processor=fixed)
        if whole is not None:
            return whole
        plan = view.best_plan(chosen)
        return None if plan is None else plan.steps[0].span
