"""Shortest job first (SJF).

Formula:
    Jobs in the order (class, best latency, deadline, arrival); best latency = what remains of the
    job takes when every processor is idle. With shed and earliest_finish: the simple shedding rule.
    placement fastest_idle: the job's best plan among the idle processors; it never waits for a
    busy one that would be faster. placement earliest_finish: the plan that ends first, waits
    counted; if its first processor is busy, that time is reserved and the job stays queued.
    shed: drop (deadline_unreachable) when now + best latency on idle processors > deadline, and
    neither start nor reserve what would finish late.

Parameters:
    placement: fastest_idle or earliest_finish, default fastest_idle.
    shed: drop what cannot make its deadline any more, default false.
    window: jobs looked at, 1 or more, default 16.

Good for the mean latency, and with shed for many deadlines met under overload. Bad for long
models under load: they starve.

Source: textbook; shedding and placements as in the rules that XRBench (MLSys 2023) is scored by.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from band.scheduler.policy import PolicyInfo
from band.scheduler.rules_ordered import Ordered, OrderedParams
from band.scheduler.rules_placing import best_latency_us, due_us
from band.scheduler.view import JobView, View


@dataclass(frozen=True)
class Params(OrderedParams):
    """Parameters: ``placement``, whether to ``shed``, and ``window`` jobs are looked at."""


class ShortestJobFirst(Ordered):
    """Takes the job that is done soonest."""

    info: ClassVar = PolicyInfo(
        name="sjf",
        aliases=("shortest_job_first",),
        summary="the job that takes least goes first",
        source="textbook",
        work_conserving=False,
    )

    def order(self, view: View) -> Sequence[JobView]:
        """Return the jobs of the window by class, best latency and deadline."""

        def key(job: JobView) -> tuple[int, int, int]:
            return job.priority, best_latency_us(view, job), due_us(job)

        return sorted(view.window, key=key)
