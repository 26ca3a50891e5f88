"""PREMA: tokens grow with priority and waiting; the shortest job among those with most goes first.

Formula:
    weight(class) = 9 for the classes up to ``high``, 3 up to ``medium``, else 1.
    tokens = weight x (1 + wait / isolated); isolated = latency of the whole job on an idle device,
    wait = time in the system less the part of it that is done.
    threshold = the highest of 9, 3, 1 that the largest token reaches. Jobs with that many tokens
    are candidates and go first, the shortest remaining one before the others (ties: more tokens);
    the rest follows in the same order. Each job takes its earliest-finish plan, a busy processor
    is reserved. Here class weighs in but is no wall: a job that waits long enough passes any.

Parameters:
    high, medium: last class of each level, 1 or more, default 4 and 8.
    window: jobs looked at, 1 or more, default 16.

Good for short jobs with some fairness, without any deadline. Bad for deadlines, which it ignores.

Source: PREMA, HPCA 2020 (one processor there; its preemption is at subgraph boundaries here).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from annotated_types import Ge

from band.scheduler.policy import Decision, PolicyInfo
from band.scheduler.rules_placing import best_latency_us, isolated_us, place
from band.scheduler.view import JobView, View

_LEVELS: Final = (9, 3, 1)


@dataclass(frozen=True)
class Params:
    """Parameters: the last classes of level ``high`` and ``medium``, and the ``window``."""

    high: Annotated[int, Ge(1)] = 4
    medium: Annotated[int, Ge(1)] = 8
    window: Annotated[int, Ge(1)] = 16


class Prema:
    """Takes the shortest of the jobs that have earned their turn."""

    info: ClassVar = PolicyInfo(
        name="prema",
        summary="tokens grow with priority and waiting; of the richest the shortest goes first",
        source="PREMA, HPCA 2020",
        work_conserving=False,
    )

    def __init__(self, params: Params) -> None:
        self.params = params

    def plan(self, view: View) -> Sequence[Decision]:
        """Return the decisions of one pass."""
        known = [(self._tokens(view, job), best_latency_us(view, job), job) for job in view.window]
        if not known:
            return ()
        largest = max(tokens for tokens, _, _ in known)
        threshold = next((level for level in _LEVELS if largest >= level), _LEVELS[-1])
        known.sort(key=lambda entry: (entry[0] < threshold, entry[1], -entry[0]))
        return place(view, [job for _, _, job in known])

    def _tokens(self, view: View, job: JobView) -> float:
        whole_us = isolated_us(view, job)
        done_us = max(0, whole_us - best_latency_us(view, job))
        waited_us = max(0, view.now_us - job.arrived_us - done_us)
        return self._weight(job.priority) * (1 + waited_us / whole_us)

    def _weight(self, priority: int) -> int:
        if priority <= self.params.high:
            return _LEVELS[0]
        return _LEVELS[1] if priority <= self.params.medium else _LEVELS[2]
