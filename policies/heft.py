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
from typing import Annotated, ClassVar

from annotated_types import Ge

from band.scheduler.groups import Line, start_alone
from band.scheduler.policy import Dispatch, PolicyInfo, TaskSpec
from band.scheduler.view import View


@dataclass(frozen=True)
class Params:
    """Parameters: ``window`` jobs are looked at."""

    window: Annotated[int, Ge(1)] = 8


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
        if 0 not in view.waits_us:
            return ()
        window = view.window
        if len(window) == 1:
            return start_alone(view, window[0])
        line = Line(view)
        tasks: list[TaskSpec] = []
        while 0 in line.waits:
            task = self._next(line)
            if task is None:
                break
            tasks.append(task)
        return (Dispatch(tuple(tasks)),) if tasks else ()

    def _next(self, line: Line) -> TaskSpec | None:
        """Return the next task, None if all that is left waits for busy processors."""
        for group in line.groups:
            line.step(group)
        what_if = line.what_if()
        for groups in what_if.classes():
            while (longest := what_if.longest(groups)) is not None and (step := longest.step):
                place = longest.places.pop(0)
                processor = step.span.processor
                if line.waits[processor] == 0:
                    return line.start(line.groups[what_if.groups.index(longest)], step, place)
                what_if.raise_wait(processor, step.finish_us)
        return None
