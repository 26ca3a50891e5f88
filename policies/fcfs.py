"""First come, first served (FCFS).

Formula:
    Jobs in the order (class, arrival).
    placement fastest_idle: the job's best plan among the idle processors; it never waits for a
    busy one that would be faster. placement earliest_finish: the plan that ends first, waits
    counted; if its first processor is busy, that time is reserved and the job stays queued.
    shed: drop (deadline_unreachable) when now + best latency on idle processors > deadline, and
    neither start nor reserve what would finish late.

Parameters:
    placement: fastest_idle or earliest_finish, default fastest_idle.
    shed: drop what cannot make its deadline any more, default false.
    window: jobs looked at, 1 or more, default 16.

Good as a baseline, and when all jobs are alike. Bad when a long job stands before short ones.

Source: textbook; shedding and placements as in the rules that XRBench (MLSys 2023) is scored by.
"""

from dataclasses import dataclass
from typing import ClassVar

from band.scheduler.policy import PolicyInfo
from band.scheduler.rules_ordered import Ordered, OrderedParams


@dataclass(frozen=True)
class Params(OrderedParams):
    """Parameters: ``placement``, whether to ``shed``, and ``window`` jobs are looked at."""


class FirstComeFirstServed(Ordered):
    """Takes jobs as they came."""

    info: ClassVar = PolicyInfo(
        name="fcfs",
        aliases=("fifo",),
        summary="first come, first served",
        source="textbook",
        work_conserving=False,
    )
