"""Least slack first (LSF): the job with the least time to spare goes first.

Formula:
    slack = deadline - now - latency of the best plan; a job without deadline comes last, equal
    slacks keep their order. In that order, planned with the waits of what has been dispatched
    before in the pass: a job whose plan ends after its deadline is dropped (deadline_unreachable),
    else its first step is dispatched if that processor is idle. Classes come before slack.

Parameters:
    drop_unreachable: drop jobs that cannot make their deadline, default true.
    window: jobs looked at, 1 or more, default 16.

Good when deadlines matter and some load can be shed. Bad without deadlines (it is then first
come, first served) and for jobs without deadline under load: they starve behind all others.

Source: Band, MobiSys 2022 (least_slack_time_first).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from band.scheduler.commands import DropReason
from band.scheduler.policy import Decision, Dispatch, Drop, PolicyInfo, TaskSpec
from band.scheduler.view import JobView, View

_NO_DEADLINE_US = 1 << 60


@dataclass(frozen=True)
class Params:
    """Parameters: whether to ``drop_unreachable`` jobs, and ``window`` jobs are looked at."""

    drop_unreachable: bool = True
    window: int = 16


class LeastSlackFirst:
    """Dispatches by slack and sheds what cannot make its deadline."""

    info: ClassVar = PolicyInfo(
        name="least_slack_first",
        aliases=("least_slack_time_first", "lsf"),
        summary="the job with the least time to spare first; hopeless ones are dropped",
        source="Band, MobiSys 2022",
        work_conserving=False,
    )

    def __init__(self, params: Params) -> None:
        self.params = params

    def plan(self, view: View) -> Sequence[Decision]:
        """Return the dispatches and drops of one pass."""
        waits = list(view.waits_us)
        if 0 not in waits:
            return ()
        decisions: list[Decision] = []
        ordered = sorted(view.window, key=lambda job: (job.priority, self._slack_us(view, job)))
        for job in ordered:
            plan = view.best_plan(job, waits)
            if plan is None:
                continue
            step = plan.steps[0]
            if self._hopeless(job, view.now_us + plan.latency_us):
                decisions.append(Drop(job.job, DropReason.DEADLINE_UNREACHABLE))
            elif waits[step.span.processor] == 0:
                task = TaskSpec.of(job, view.table(job.model), step.span)
                decisions.append(Dispatch((task,)))
                waits[step.span.processor] = step.finish_us
        return decisions

    def _slack_us(self, view: View, job: JobView) -> int:
        plan = view.best_plan(job)
        if job.deadline_us is None or plan is None:
            return _NO_DEADLINE_US
        return job.deadline_us - view.now_us - plan.latency_us

    def _hopeless(self, job: JobView, finish_us: int) -> bool:
        return (
            self.params.drop_unreachable
            and not job.running
            and job.deadline_us is not None
            and finish_us > job.deadline_us
        )
