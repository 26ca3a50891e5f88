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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from band.scheduler.policy import Decision, Drop, PolicyInfo
from band.scheduler.rules_placing import Placement, due_us, place
from band.scheduler.view import JobView, View


@dataclass(frozen=True)
class Params:
    """Parameters: ``placement``, whether to ``shed``, and ``window`` jobs are looked at."""

    placement: Placement = "fastest_idle"
    shed: bool = False
    window: int = 16


class EarliestDeadlineFirst:
    """Takes the job whose deadline comes first."""

    info: ClassVar = PolicyInfo(
        name="edf",
        summary="the earliest deadline goes first",
        source="Liu and Layland, JACM 1973",
        work_conserving=False,
    )

    def __init__(self, params: Params) -> None:
        self.params = params
        self._shed = 0

    def plan(self, view: View) -> Sequence[Decision]:
        """Return the decisions of one pass."""

        def key(job: JobView) -> tuple[int, int, str]:
            return job.priority, due_us(job), job.model

        jobs = sorted(view.window, key=key)
        decisions = place(view, jobs, placement=self.params.placement, shed=self.params.shed)
        self._shed += sum(isinstance(decision, Drop) for decision in decisions)
        return decisions

    def statistics(self) -> Mapping[str, float]:
        """Return how many jobs it has shed."""
        return {"shed": self._shed}
