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
from operator import itemgetter
from typing import ClassVar

from band.scheduler.commands import DropReason
from band.scheduler.groups import Group, Line
from band.scheduler.policy import Decision, Dispatch, Drop, PolicyInfo
from band.scheduler.view import View

_NO_DEADLINE_US = 1 << 60
_first_three = itemgetter(0, 1, 2)


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
        if 0 not in view.waits_us:
            return ()
        line = Line(view)
        decisions: list[Decision] = []
        latest_us = 0
        for _, slack_us, place, group in by_slack(line):
            sheds = self.params.drop_unreachable and not line.window[place].running
            if 0 not in line.waits and (not sheds or slack_us >= latest_us):
                continue  # a plan is later by no more than the longest wait that has risen
            step = group.step or line.step(group)
            if step is None:
                continue
            job = line.window[place]
            due_us = job.deadline_us
            if sheds and due_us is not None and view.now_us + step.latency_us > due_us:
                decisions.append(Drop(job.job, DropReason.DEADLINE_UNREACHABLE))
            elif line.waits[step.span.processor] == 0:
                decisions.append(Dispatch((line.start(group, step, place),)))
                latest_us = max(latest_us, step.finish_us)
        return decisions


def by_slack(line: Line) -> list[tuple[int, int, int, Group]]:
    """Return (class, slack, place, group) of each job, sorted by them."""
    now_us, window = line.view.now_us, line.window
    found = []
    for group in line.groups:
        priority = group.priority
        for place in group.places:
            slack_us = _NO_DEADLINE_US
            due_us = window[place].deadline_us
            if due_us is not None:
                step = group.step or line.step(group)
                if step is not None:
                    slack_us = due_us - now_us - step.latency_us
            found.append((priority, slack_us, place, group))
    found.sort(key=_first_three)
    return found
