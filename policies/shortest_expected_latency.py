"""Shortest expected latency (SEL): the longest of the shortest plans goes first.

Formula:
    For each job of the window, L = latency of its best plan, given how long each processor is
    still busy. The job with the largest L (the first one on ties) gets its first step dispatched
    if that processor is idle; if not, it waits for the next pass and the next largest is
    considered. After each dispatch all L are computed anew. A class is gone through before the
    next one.

Parameters:
    window: jobs looked at, 1 or more, default 16.

Good when models differ in length and processors differ in speed. Bad when deadlines differ: it
ignores them, and a job that wants a busy processor waits for it although another one is idle.

Source: Band, MobiSys 2022 (shortest_expected_latency).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge

from band.scheduler.groups import Line, start_alone
from band.scheduler.policy import Dispatch, PolicyInfo, TaskSpec
from band.scheduler.view import View


@dataclass(frozen=True)
class Params:
    """Parameters: ``window`` jobs are looked at."""

    window: Annotated[int, Ge(1)] = 16


class ShortestExpectedLatency:
    """Dispatches the job whose best plan takes longest."""

    info: ClassVar = PolicyInfo(
        name="shortest_expected_latency",
        aliases=("sel",),
        summary="the job whose best plan takes longest starts first",
        source="Band, MobiSys 2022",
        work_conserving=False,
    )

    def __init__(self, params: Params) -> None:
        self.params = params

    def plan(self, view: View) -> Sequence[Dispatch]:
        """Return the dispatches of one pass."""
        if 0 not in view.waits_us:
            return ()
        window = view.window
        if len(window) == 1:
            return start_alone(view, window[0])
        line = Line(view)
        tasks: list[TaskSpec] = []
        for groups in line.classes():
            while 0 in line.waits:
                group = line.longest(groups, idle_only=True)
                if group is None or group.step is None:
                    break
                line.pass_over(groups, group)
                tasks.append(line.start(group, group.step))
        return (Dispatch(tuple(tasks)),) if tasks else ()
