"""Ageing: priority classes whose jobs rise as they wait, so that no class starves.

Formula:
    effective class = class - wait / ``class_us``, lowest first: a job that has waited ``class_us``
    ranks like a fresh one of the class above, and so on past class 1. That order is
    arrival + class x ``class_us``, which never changes. Ties: class, arrival. Each job takes its
    earliest-finish plan, a busy processor is reserved.

Parameters:
    class_us: waiting time that is worth one class, 1 or more, default 100000.
    candidates: jobs that are planned in a pass, 1 or more, default 16.
    window: jobs looked at, 1 or more, default 256; while more wait, the worst of them do not age.

Good for best-effort jobs beside urgent ones. Bad when an urgent class must never wait: strict
classes, which every other policy keeps, are then right.

Source: textbook (ageing, as in multi-level feedback queues).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Annotated, ClassVar

from annotated_types import Ge

from band.scheduler.policy import Decision, Dispatch, PolicyInfo
from band.scheduler.rules_placing import place
from band.scheduler.view import JobView, View


@dataclass(frozen=True)
class Params:
    """Parameters: what waiting is worth (``class_us``), ``candidates`` a pass, the ``window``."""

    class_us: Annotated[int, Ge(1)] = 100_000
    candidates: Annotated[int, Ge(1)] = 16
    window: Annotated[int, Ge(1)] = 256


class Ageing:
    """Takes the job with the best effective class."""

    info: ClassVar = PolicyInfo(
        name="ageing",
        aliases=("aging",),
        summary="priority classes whose jobs rise as they wait; none starves",
        source="textbook",
        work_conserving=False,
    )

    def __init__(self, params: Params) -> None:
        self.params = params
        self._raised = 0

    def plan(self, view: View) -> Sequence[Decision]:
        """Return the decisions of one pass."""
        jobs = nsmallest(self.params.candidates, view.window, key=self._rank)
        decisions = place(view, jobs)
        self._note(view, decisions)
        return decisions

    def statistics(self) -> Mapping[str, float]:
        """Return how many tasks started before those of a better class that waited."""
        return {"raised": self._raised}

    def _rank(self, job: JobView) -> tuple[int, int, int]:
        """Return the order: that of the effective classes, times ``class_us``."""
        return job.arrived_us + job.priority * self.params.class_us, job.priority, job.job

    def _note(self, view: View, decisions: Sequence[Decision]) -> None:
        started = {s.jobs[0] for d in decisions if isinstance(d, Dispatch) for s in d.tasks}
        left = [job.priority for job in view.window if job.job not in started]
        best = min(left, default=None)
        if best is not None:
            self._raised += sum(j.job in started and j.priority > best for j in view.window)
