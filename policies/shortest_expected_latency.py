"""Shortest expected latency (SEL): the longest of the shortest plans goes first.

Formula:
    For each job of the window, L = latency of its best plan, given how long each processor is
    still busy. The job with the largest L (the first one on ties) gets its first step dispatched
    if that processor is idle; if not, it waits and the next largest is considered. After each
    dispatch all L are computed anew. Only jobs of the best class that can start compete.

Parameters:
    window: jobs looked at, 1 or more, default 16.

Good when models differ in length and processors differ in speed. Bad when deadlines differ: it
ignores them, and a job that wants a busy processor waits for it although another one is idle.

Source: Band, MobiSys 2022 (shortest_expected_latency).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from band.scheduler.policy import Dispatch, PolicyInfo
from band.scheduler.rules import one_by_one
from band.scheduler.view import JobView, Step, View


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
        return one_by_one(view, self._choose)

    def _choose(
        self, view: View, waiting: Sequence[JobView], waits: Sequence[int]
    ) -> tuple[JobView, Step] | None:
        """Return the job with the longest best plan among those whose first step can start."""
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
