"""Earliest deadline first (EDF).

Formula:
    Jobs in the order (class, deadline, model name, arrival); no deadline comes last.
    placement fastest_idle: the job's best plan among the idle processors; it never waits for a
    busy one that would be faster. placement earliest_finish: the plan that ends first, waits
    counted; if its first processor is busy, that time is reserved and the job stays queued.
    shed: drop (deadline_unreachable) when now + best latency on idle processors > deadline, and
    neither start nor reserve what would finish late.

Parameters:
    placement: fastest_idle or earliest_finish, default fastest_idle.
    shed: drop what cannot make its deadline any more, default false.
    window: jobs looked at, 1 or more, default 16.

Good for deadlines while the load can be carried: on one processor it is then optimal. Bad under
overload without shed: one late job makes the next one late.

Source: Liu and Layland, JACM 1973; shedding and placements as in the rules that XRBench
(MLSys 2023) is scored by.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from band.scheduler.policy import PolicyInfo
from band.scheduler.rules_ordered import Ordered, OrderedParams
from band.scheduler.rules_placing import due_us
from band.scheduler.view import JobView, View


@dataclass(frozen=True)
class Params(OrderedParams):
    """Parameters: ``placement``, whether to ``shed``, and ``window`` jobs are looked at."""


class EarliestDeadlineFirst(Ordered):
    """Takes the job whose deadline comes first."""

    info: ClassVar = PolicyInfo(
        name="edf",
        summary="the earliest deadline goes first",
        source="Liu and Layland, JACM 1973",
        work_conserving=False,
    )

    def order(self, view: View) -> Sequence[JobView]:
        """Return the jobs of the window by class, deadline and model."""

        def key(job: JobView) -> tuple[int, int, str]:
            return job.priority, due_us(job), job.model

        return sorted(view.window, key=key)
