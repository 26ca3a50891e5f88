"""Heterogeneous earliest finish time (HEFT): the longest job first, with what-if waits.

Formula:
    While a processor is idle: of the window's jobs take the one whose best plan takes longest
    (the first one on ties). If the first step's processor is idle, dispatch it. If not, pretend
    that it has been dispatched (its first step's time is added to that processor's wait), set the
    job aside and look for the longest of the others under these waits. After a dispatch the real
    waits count again. A class is gone through before the next one; its waiting jobs count as load.

Parameters:
    window: jobs looked at, 1 or more, default 8: a pass costs up to window^2 best plans.

Good for throughput with processors that differ much. Bad when deadlines differ: it ignores them.

Source: Band, MobiSys 2022 (heterogeneous_earliest_finish_time); Topcuoglu et al., TPDS 2002.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

from band.scheduler.policy import Dispatch, PolicyInfo
from band.scheduler.rules import one_by_one
from band.scheduler.view import JobView, Step, View


@dataclass(frozen=True)
class Params:
    """Parameters: ``window`` jobs are looked at."""

    window: int = 8


class HeterogeneousEarliestFinishTime:
    """Dispatches the longest job whose processor is idle once busy ones are accounted for."""

    info: ClassVar = PolicyInfo(
        name="heft",
        aliases=("heterogeneous_earliest_finish_time",),
        summary="the longest job first; jobs that wait count as load on their processor",
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
        """Return the next job to dispatch, None if all that is left waits for busy processors."""
        what_if = list(waits)
        for _, group in groupby(waiting, key=lambda job: job.priority):
            candidates = list(group)
            while candidates:
                plans = [(job, view.best_plan(job, what_if)) for job in candidates]
                runnable = [(job, plan) for job, plan in plans if plan is not None]
                if not runnable:
                    break
                job, plan = max(runnable, key=lambda pair: pair[1].latency_us)
                step = plan.steps[0]
                if waits[step.span.processor] == 0:
                    return job, step
                what_if[step.span.processor] = step.finish_us
                candidates.remove(job)
        return None
