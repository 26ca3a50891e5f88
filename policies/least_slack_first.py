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
from typing import Annotated, ClassVar

from annotated_types import Ge

from band.scheduler.commands import DropReason
from band.scheduler.groups import Group, Line
from band.scheduler.policy import Decision, Dispatch, Drop, PolicyInfo
from band.scheduler.view import View

_NO_DEADLINE_US = 1 << 60


@dataclass(frozen=True)
class Params:
    """Parameters: whether to ``drop_unreachable`` jobs, and ``window`` jobs are looked at."""

    drop_unreachable: bool = True
    window: Annotated[int, Ge(1)] = 16


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
        if 0 not in view.waits_us:
            return ()
        line = Line(view)
        decisions: list[Decision] = []
        for groups in line.classes():
            self._start_or_drop(line, groups, decisions)
        return decisions

    def _start_or_drop(
        self, line: Line, groups: Sequence[Group], decisions: list[Decision]
    ) -> None:
        """Go through the jobs of a class by slack."""
        latest_us = 0
        now_us, waits = line.view.now_us, line.waits
        for slack_us, place, group in by_slack(line, groups):
            job = line.window[place]
            sheds = self.params.drop_unreachable and not job.running
            if 0 not in waits:
                if slack_us >= latest_us:
                    break  # plans are later by no more than the longest wait that has risen
                if not sheds:
                    continue
            step = group.step or line.step(group)
            if step is None:
                continue
            due_us = job.deadline_us
            if sheds and due_us is not None and now_us + step.latency_us > due_us:
                decisions.append(Drop(job.job, DropReason.DEADLINE_UNREACHABLE))
            elif waits[step.span.processor] == 0:
                decisions.append(Dispatch((line.start(group, step, place),)))
                latest_us = max(latest_us, step.finish_us)


def by_slack(line: Line, groups: Sequence[Group]) -> list[tuple[int, int, Group]]:
    """Return (slack, place, group) of each job, sorted by slack and then by place."""
    now_us, window = line.view.now_us, line.window
    found = []
    for group in groups:
        places = group.places
        step = group.step or line.step(group)
        done_us = now_us if step is None else now_us + step.latency_us
        for place in places:
            due_us = window[place][6]  # its deadline
            found.append((_NO_DEADLINE_US if due_us is None else due_us - done_us, place, group))
    found.sort()
    return found
