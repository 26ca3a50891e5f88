"""Planaria lite: the score of Planaria without its fission; one job takes a processor whole.

Formula:
    score = weight / (slack x resources), highest first (ties: arrival); weight = 1 / class,
    slack = deadline - now - remaining, at least 1 us, ``no_deadline_us`` in place of the deadline's
    distance where there is none; remaining = best latency on an idle device; resources = processor
    time of that plan, transfers included. Each job takes its earliest-finish plan, a busy
    processor is reserved.

Parameters:
    no_deadline_us: time to go of a job without deadline, 0 or more, default 1000000.
    window: jobs looked at, 1 or more, default 16.

Good for short jobs whose deadline is near. Bad under overload: a job that is late keeps the highest
score, since nothing is dropped.

Source: Planaria, MICRO 2020 (its scheduling score; the spatial fission needs hardware for it).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge

from band.scheduler.policy import Decision, PolicyInfo
from band.scheduler.rules_placing import idle_waits, place
from band.scheduler.view import JobView, View


@dataclass(frozen=True)
class Params:
    """Parameters: the distance ``no_deadline_us`` and the ``window``."""

    no_deadline_us: Annotated[int, Ge(0)] = 1_000_000
    window: Annotated[int, Ge(1)] = 16


class PlanariaLite:
    """Takes the job that is urgent and small first."""

    info: ClassVar = PolicyInfo(
        name="planaria_lite",
        summary="class over slack times processor time, the highest first",
        source="Planaria, MICRO 2020",
        work_conserving=False,
    )

    def __init__(self, params: Params) -> None:
        self.params = params

    def plan(self, view: View) -> Sequence[Decision]:
        """Return the decisions of one pass."""
        jobs = sorted(view.window, key=lambda job: -self._score(view, job))
        return place(view, jobs)

    def _score(self, view: View, job: JobView) -> float:
        plan = view.best_plan(job, idle_waits(view))
        if plan is None:
            return 0.0
        resources_us = sum(step.finish_us - step.start_us for step in plan.steps)
        left_us = self.params.no_deadline_us
        if job.deadline_us is not None:
            left_us = job.deadline_us - view.now_us
        slack_us = max(1, left_us - plan.latency_us)
        return 1 / (job.priority * slack_us * resources_us)
