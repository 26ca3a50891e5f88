"""HEFT reserved: as heft, and the second step of a job that has started counts as load already.

Formula:
    As heft: the longest job whose first processor is idle, given who waits. When a job's step is
    dispatched, the next step of its plan is reserved: until that job is dispatched again, the
    time of this step is added to its processor's wait whenever another job is planned.

Parameters:
    window: jobs looked at, 1 or more, default 8: a pass costs up to window^2 best plans.

Good when models are split over processors: what is on its way to a processor keeps others from
it. Bad when plans change: the reservation stays where the plan was, until the next dispatch.

Source: Band, MobiSys 2022 (heterogeneous_earliest_finish_time_reserved).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge

from band.plan.hops import DOWN_US
from band.plan.table import Span
from band.scheduler.policy import Dispatch, PolicyInfo, TaskSpec
from band.scheduler.view import BestPlan, JobView, View


@dataclass(frozen=True)
class Params:
    """Parameters: ``window`` jobs are looked at."""

    window: Annotated[int, Ge(1)] = 8


class HeftReserved:
    """HEFT with a reservation for the next step of every job that has started."""

    info: ClassVar = PolicyInfo(
        name="heft_reserved",
        aliases=("heterogeneous_earliest_finish_time_reserved",),
        summary="heft, and the next step of a started job counts as load on its processor",
        source="Band, MobiSys 2022",
        work_conserving=False,
    )

    def __init__(self, params: Params) -> None:
        self.params = params
        self._reserved: dict[int, tuple[int, int]] = {}
        self._last_on: dict[int, int] = {}

    @property
    def reserved(self) -> Mapping[int, tuple[int, int]]:
        """Return job -> (processor, time) of the steps that are reserved now."""
        return self._reserved

    def plan(self, view: View) -> Sequence[Dispatch]:
        """Return the dispatches of one pass."""
        self._forget_ended(view)
        waits, waiting = list(view.waits_us), list(view.window)
        tasks: list[TaskSpec] = []
        while waiting and 0 in waits:
            chosen = self._choose(view, waiting, waits)
            if chosen is None:
                break
            job, plan = chosen
            span = plan.steps[0].span
            tasks.append(TaskSpec.of(job, view.table(job.model), span))
            waiting.remove(job)
            waits[span.processor] = _finish_us(view, job, span, 0)
            self._reserve(job, plan)
        return (Dispatch(tuple(tasks)),) if tasks else ()

    def _choose(
        self, view: View, waiting: Sequence[JobView], waits: Sequence[int]
    ) -> tuple[JobView, BestPlan] | None:
        """Return the next job to dispatch, None if all that is left waits for busy processors."""
        what_if, candidates = list(waits), list(waiting)
        while candidates:
            heads: dict[object, JobView] = {}
            for job in candidates:
                if job.priority != candidates[0].priority:
                    break
                heads.setdefault((job.model, job[7:11]), job)
            plans = [
                (j, view.best_plan(j, self._with_reserved(j, what_if))) for j in heads.values()
            ]
            runnable = [(job, plan) for job, plan in plans if plan is not None]
            if not runnable:
                stuck = {job.job for job, plan in plans}
                candidates = [job for job in candidates if job.job not in stuck]
                continue
            job, plan = max(runnable, key=lambda pair: pair[1].latency_us)
            span = plan.steps[0].span
            if waits[span.processor] == 0:
                return job, plan
            what_if[span.processor] = _finish_us(view, job, span, what_if[span.processor])
            candidates.remove(job)
        return None

    def _with_reserved(self, job: JobView, waits: Sequence[int]) -> list[int]:
        """Return the waits behind the steps that are reserved for other jobs."""
        behind = list(waits)
        for other, (processor, cost_us) in self._reserved.items():
            if other != job.job:
                behind[processor] += cost_us
        return behind

    def _reserve(self, job: JobView, plan: BestPlan) -> None:
        """Note where a job that is dispatched goes next; nowhere after its last step."""
        self._last_on[plan.steps[0].span.processor] = job.job
        if len(plan.steps) > 1:
            span = plan.steps[1].span
            self._reserved[job.job] = span.processor, span.cost_us
        else:
            self._reserved.pop(job.job, None)

    def _forget_ended(self, view: View) -> None:
        """Forget jobs that neither wait in the window nor run where they were last dispatched.

        So a job that was dropped, failed or cancelled holds nothing, and there are never more
        entries than jobs in the window and processors together.
        """
        if self._reserved:
            live = {job.job for job in view.window}
            for processor, job in self._last_on.items():
                if 0 < view.waits_us[processor] < DOWN_US:
                    live.add(job)
            self._reserved = {job: at for job, at in self._reserved.items() if job in live}


def _finish_us(view: View, job: JobView, span: Span, wait_us: int) -> int:
    """Return when a step ends that starts as soon as its processor and its data are there."""
    move_us = 0
    if job.holder >= 0:
        move_us = view.table(job.model).transfer_us[span.first][job.holder][span.processor]
    return max(wait_us, move_us) + span.cost_us
