"""Dysta: what remains, the slack and how long a job has waited, in one score.

Formula:
    score = remaining + beta x (max(0, slack - remaining) + wait / (isolated x queue)), lowest
    first (ties: arrival); class first. Times in milliseconds: remaining = best latency on an idle
    device, with the costs learnt so far; slack = deadline - now, ``no_deadline_us`` where there is
    none; wait = time since arrival; isolated = latency of the whole job; queue = jobs in the
    window. Each job takes its earliest-finish plan, a busy processor is reserved.

Parameters:
    beta: weight of what is not remaining time, 0 or more, default 0.01.
    no_deadline_us: slack of a job without deadline, 0 or more, default 1000000.
    window: jobs looked at, 1 or more, default 16.

Good for mean turnaround with an eye on deadlines. Bad for long jobs under load: the wait enters so
weakly that they starve.

Source: Sparse-DySta, MICRO 2023. Its sparsity-aware latency predictor is the core's estimator here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge

from band.scheduler.policy import Decision, PolicyInfo
from band.scheduler.rules_placing import best_latency_us, isolated_us, place
from band.scheduler.view import JobView, View
from band.units import US_PER_MS


@dataclass(frozen=True)
class Params:
    """Parameters: ``beta``, the slack ``no_deadline_us``, and the ``window``."""

    beta: Annotated[float, Ge(0)] = 0.01
    no_deadline_us: Annotated[int, Ge(0)] = 1_000_000
    window: Annotated[int, Ge(1)] = 16


class Dysta:
    """Takes the job with the lowest score."""

    info: ClassVar = PolicyInfo(
        name="dysta",
        summary="remaining time plus a little slack and waiting, the lowest first",
        source="Sparse-DySta, MICRO 2023",
        work_conserving=False,
    )

    def __init__(self, params: Params) -> None:
        self.params = params

    def plan(self, view: View) -> Sequence[Decision]:
        """Return the decisions of one pass."""
        jobs = sorted(view.window, key=lambda job: (job.priority, self._score(view, job)))
        return place(view, jobs)

    def _score(self, view: View, job: JobView) -> float:
        remaining_us = best_latency_us(view, job)
        slack_us = self.params.no_deadline_us
        if job.deadline_us is not None:
            slack_us = job.deadline_us - view.now_us
        waited_us = view.now_us - job.arrived_us
        waiting = waited_us / (isolated_us(view, job) * len(view.window))
        spare_ms = max(0, slack_us - remaining_us) / US_PER_MS
        return remaining_us / US_PER_MS + self.params.beta * (spare_ms + waiting)
