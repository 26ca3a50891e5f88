"""Rehearsal: the near future, played by a copy of the core under one piece of advice.

The same core and the same policy class as in the run itself, on the load that is expected and on
the costs of the tables. Nothing is recorded but how requests end, for this is done hundreds of
times for one advice.
"""

import heapq
from collections import Counter
from typing import Final, NamedTuple

from band.plan.task import SliceKey, Task
from band.scheduler.advice import EndedRequest, Rehearsed, Snapshot
from band.scheduler.commands import DropReason, Finish, JobOutcome, Run, WakeAt
from band.scheduler.core import CoreCopy
from band.scheduler.events import Event, RequestArrived, TaskFinished, Tick
from band.scheduler.policy import Policy
from band.sim.expected import Expected, expect

_FINISHED, _ARRIVED, _TICK = range(3)
"""Order of events at the same microsecond, as in the simulator."""

_new: Final = tuple.__new__  # a NamedTuple's own constructor takes twice as long
_TICKED: Final = Tick()


class Stage(NamedTuple):
    """Where every rehearsal of one moment begins.

    Attributes:
        core: is copied for each one.
        now_us: the moment.
        arrive_until_us: new frames come up to this time; what has come is played to its end.
        end_us: but not beyond this one.
        expected: what arrives.
        energy_uj: of one run of a slice on a processor, where it is known.
    """

    core: CoreCopy
    now_us: int
    end_us: int
    expected: Expected
    energy_uj: dict[tuple[SliceKey, int], int]


def make_stage(core: CoreCopy, snapshot: Snapshot, horizon_us: int, margin: float = 0.0) -> Stage:
    """Return what rehearsals of a moment have in common.

    New frames come within the horizon. What has come by then is played to its end, though no
    longer than the horizon once more.

    Args:
        core: a copy made at that moment.
        snapshot: of it.
        horizon_us: how far to look ahead.
        margin: requests come by this share faster than is expected.
    """
    now_us = snapshot.now_us
    streams = [
        load._replace(period_us=max(1, round(load.period_us / (1 + margin))))
        for load in snapshot.streams
    ]
    return Stage(
        core=core,
        now_us=now_us,
        end_us=now_us + 2 * horizon_us,
        expected=expect(streams, core.requests, now_us + horizon_us),
        energy_uj={
            (table.slice_key(span), span.processor): span.energy_uj
            for table in snapshot.tables.values()
            for span in table.spans
            if span.energy_uj
        },
    )


def rehearse(stage: Stage, policy: Policy) -> Rehearsed:
    """Play a policy, already advised, from a moment on.

    Requests without their own end are those that were under way at the end of the play.
    """
    return _Play(stage, policy).run()


class _Play:
    """One rehearsal: the heap, the clock, and how requests have ended."""

    def __init__(self, stage: Stage, policy: Policy) -> None:
        self._core = stage.core.copy(policy)
        self._end_us = stage.end_us
        self._expected = stage.expected
        self._energy_uj = stage.energy_uj
        self._waiting = stage.expected.parents.copy()
        self._roots = iter(stage.expected.roots)
        self._root: RequestArrived | None = None
        self._open = {request.request: (request, stage.now_us) for request in stage.core.requests}
        self._left = len(self._open)
        self._spent_uj: Counter[int] = Counter()
        self._ended: list[EndedRequest] = []
        self._heap: list[tuple[int, int, int, Event]] = []
        self._count = 0
        self._now_us = stage.now_us
        for task, due_us in stage.core.running(stage.now_us):
            self._push(due_us, _FINISHED, _end_of(task))
        for at_us in stage.core.wakes_us:
            self._push(at_us, _TICK, _TICKED)

    def run(self) -> Rehearsed:
        """Play to the end."""
        self._push_root()
        heap, handle, end_us = self._heap, self._core.handle, self._end_us
        while heap and heap[0][0] <= end_us and self._left:
            now_us, kind, _, event = heapq.heappop(heap)
            self._now_us = now_us
            if kind == _ARRIVED:
                assert isinstance(event, RequestArrived)
                self._open[event.request] = (event, now_us)
                if event is self._root:
                    self._push_root()
            for command in handle(event, now_us):
                if isinstance(command, Run):
                    task = command.task
                    self._push(now_us + task.predicted_us, _FINISHED, _end_of(task))
                    if self._energy_uj:
                        self._spend(task)
                elif isinstance(command, Finish):
                    self._finished(command)
                elif isinstance(command, WakeAt):
                    self._push(command.at_us, _TICK, _TICKED)
        left = Counter(request.model for request, _ in self._open.values())
        return Rehearsed(tuple(self._ended), tuple(sorted(left.items())))

    def _spend(self, task: Task) -> None:
        energy_uj = self._energy_uj.get((task.slice, task.processor), 0)
        for job in task.jobs:
            self._spent_uj[job] += energy_uj // len(task.jobs)

    def _finished(self, finish: Finish) -> None:
        self._left -= 1
        request, arrived_us = self._open.pop(finish.job)
        self._note(request, arrived_us, finish.outcome, finish.reason)
        children = self._expected.children.get(finish.job, ())
        for child in children:
            if finish.outcome is not JobOutcome.COMPLETED:
                self._never_issued(child)
            elif child in self._waiting:
                self._waiting[child] -= 1
                if not self._waiting[child]:
                    self._push(self._now_us, _ARRIVED, self._expected.requests[child])

    def _never_issued(self, child: int) -> None:
        """Note a child of a request that did not complete, and its own children, once each."""
        if self._waiting.pop(child, None) is None:
            return
        request = self._expected.requests[child]
        self._note(request, self._now_us, JobOutcome.DROPPED, DropReason.PARENT_DROPPED)
        for grandchild in self._expected.children.get(child, ()):
            self._never_issued(grandchild)

    def _note(
        self, request: RequestArrived, arrived_us: int, outcome: JobOutcome, reason: str
    ) -> None:
        ended = (
            request.model,
            request.stream,
            request.frame,
            arrived_us,
            request.deadline_us,
            self._now_us,
            outcome,
            reason,
            self._spent_uj.pop(request.request, 0),
        )
        self._ended.append(_new(EndedRequest, ended))

    def _push(self, at_us: int, kind: int, event: Event) -> None:
        self._count += 1
        self._left += kind == _ARRIVED
        heapq.heappush(self._heap, (at_us, kind, self._count, event))

    def _push_root(self) -> None:
        """Put the next frame on the heap; one at a time, as the simulator does."""
        at_us, self._root = next(self._roots, (0, None))
        if self._root is not None:
            self._push(at_us, _ARRIVED, self._root)


def _end_of(task: Task) -> TaskFinished:
    run_us = task.predicted_us - task.transfer_us
    return _new(TaskFinished, (task.id, run_us, task.transfer_us))
