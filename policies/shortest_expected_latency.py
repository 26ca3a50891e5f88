"""Shortest expected latency (SEL): the longest of the shortest plans goes first.

Formula:
    For each job of the window, L = latency of its best plan, given how long each processor is
    still busy. The job with the largest L (the first one on ties) gets its first step dispatched
    if that processor is idle; if not, it waits and the next largest is considered. After each
    dispatch all L are computed anew. Only the best class present competes; the next class gets
    what is left idle.

Parameters:
    window: jobs looked at, 1 or more, default 16.

Good when models differ in length and processors differ in speed. Bad when deadlines differ: it
ignores them, and a job that wants a busy processor waits for it although another one is idle.

Source: Band, MobiSys 2022 (shortest_expected_latency).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

from band.scheduler.policy import Dispatch, PolicyInfo, TaskSpec
from band.scheduler.view import BestPlan, JobView, View


@dataclass(frozen=True)
class Params:
    """Parameters: ``window`` jobs are looked at."""

    window: int = 16


class ShortestExpectedLatency:
    """Dispatches the job whose best plan takes longest."""

    info: ClassVar = PolicyInfo(
        name="shortest_expected_latency",
        aliases=("sel",),
        summary="the job whose best plan takes longest starts first",
        source="Band, MobiSys 2022",
        work_conserving=False,
    )

    def __init__(self, params: Params) -> None:
        self.params = params

    def plan(self, view: View) -> Sequence[Dispatch]:
        """Return the dispatches of one pass."""
        waits = list(view.waits_us)
        tasks: list[TaskSpec] = []
        for _, jobs in groupby(view.window, key=lambda job: job.priority):
            waiting = list(jobs)
            while 0 in waits and (chosen := self._choose(view, waiting, waits)):
                job, plan = chosen
                span = plan.steps[0].span
                tasks.append(TaskSpec.of(job, view.table(job.model), span))
                waits[span.processor] = plan.steps[0].finish_us
                waiting.remove(job)
        return (Dispatch(tuple(tasks)),) if tasks else ()

    def _choose(
        self, view: View, waiting: Sequence[JobView], waits: Sequence[int]
    ) -> tuple[JobView, BestPlan] | None:
        """Return the job with the longest best plan among those whose first step can start."""
        chosen = None
        for job in waiting:
            plan = view.best_plan(job, waits)
            if (
                plan is not None
                and waits[plan.steps[0].span.processor] == 0
                and (chosen is None or plan.latency_us > chosen[1].latency_us)
            ):
                chosen = (job, plan)
        return chosen
