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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from band.scheduler.policy import Decision, Drop, PolicyInfo
from band.scheduler.rules_placing import Placement, place
from band.scheduler.view import View


@dataclass(frozen=True)
class Params:
    """Parameters: ``placement``, whether to ``shed``, and ``window`` jobs are looked at."""

    placement: Placement = "fastest_idle"
    shed: bool = False
    window: int = 16


class FirstComeFirstServed:
    """Takes jobs as they came."""

    info: ClassVar = PolicyInfo(
        name="fcfs",
        aliases=("fifo",),
        summary="first come, first served",
        source="textbook",
        work_conserving=False,
    )

    def __init__(self, params: Params) -> None:
        self.params = params
        self._shed = 0

    def plan(self, view: View) -> Sequence[Decision]:
        """Return the decisions of one pass."""
        jobs = view.window
        decisions = place(view, jobs, placement=self.params.placement, shed=self.params.shed)
        self._shed += sum(isinstance(decision, Drop) for decision in decisions)
        return decisions

    def statistics(self) -> Mapping[str, float]:
        """Return how many jobs it has shed."""
        return {"shed": self._shed}
