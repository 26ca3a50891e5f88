"""The flat simulator: plays a static plan on a trace, many times faster than the whole core.

The inner loop of the offline search. One heap of tuples, slotted jobs, a heap of ready steps per
processor, integers; no policy, view, record or slice. What it plays is, to the microsecond, what
the simulator plays with the core under the policy ``static_plan`` when nothing is noisy and every
planned slice stays loaded: events at the same microsecond come in the same order, and after each
one every idle processor takes its best step, lowest processor first, at most one step of a job at
a time. Requests that another frame supersedes and all other admission rules but ``expires_us``
are left out.
"""

import heapq
from typing import Final, NamedTuple

from band.errors import BandError, ErrorCode
from band.sim.flat_job import FlatJob
from band.sim.flat_plan import FlatPlan, FlatStep
from band.sim.flat_trace import FlatTrace

_EXPIRE, _RELEASE, _FINISHED, _ARRIVED, _TICK = range(5)
"""Order of events at the same microsecond; the first two change the queues and start nothing."""

_NEVER_US: Final = 1 << 60
UNFINISHED: Final = -1


_Entry = tuple[int, int, FlatJob]
"""(key, step, job): a step that is ready; no two have the same key and step."""

_ARRIVAL_BITS: Final = 32
_RANK_BITS: Final = 24


class FlatRun(NamedTuple):
    """What a run leaves.

    Attributes:
        arrived_us: per request, ``UNFINISHED`` for one that was never issued.
        finished_us: per request, ``UNFINISHED`` for one that was dropped or never issued.
        busy_us: per processor.
        tasks: how many steps were run.
        duration_us: time of the last event.
    """

    arrived_us: list[int]
    finished_us: list[int]
    busy_us: list[int]
    tasks: int
    duration_us: int


def play(trace: FlatTrace, plan: FlatPlan, *, queue_limit: int = 4096) -> FlatRun:
    """Return what a plan makes of a trace.

    Args:
        trace: to play.
        plan: names all its models.
        queue_limit: jobs that may wait for their first step, as in the core's options.

    Raises:
        BandError: INVALID_CONFIG if the plan lacks a model of the trace.
    """
    missing = [name for name in trace.models if name not in plan.models]
    if missing:
        raise BandError(
            ErrorCode.INVALID_CONFIG,
            f"the plan has no model {missing[0]!r}, which the trace uses; add a variant for it",
            model=missing[0],
        )
    return _Play(trace, plan, queue_limit).run()


class _Play:
    """One run: heap, clock and queues."""

    def __init__(self, trace: FlatTrace, plan: FlatPlan, queue_limit: int) -> None:
        self._trace = trace
        self._models = [plan.models[name] for name in trace.models]
        priorities = sorted({model.priority for model in self._models})
        self._ranks = {priority: rank for rank, priority in enumerate(priorities)}
        self._branched = any(not c.chain for model in self._models for c in model.round)
        self._edf = plan.edf
        self._queue_limit = queue_limit
        processors = len(plan.edf)
        self._ready: list[list[_Entry]] = [[] for _ in range(processors)]
        self._busy = [False] * processors
        self._dirty: list[int] = []
        self._heap: list[tuple[int, int, int, int, FlatJob | None]] = []
        self._number = 0
        self._roots = iter(trace.roots)
        self._root = UNFINISHED
        self._left = [len(copies) for copies in trace.copies]
        self._missing = list(trace.missing)
        self._turn: dict[tuple[int, int], int] = {}
        self._unstarted = self._arrivals = self._tasks = 0
        self._arrived_us = [UNFINISHED] * len(trace)
        self._finished_us = [UNFINISHED] * len(trace)
        self._busy_us = [0] * processors

    def run(self) -> FlatRun:
        """Play the trace to its end."""
        self._push_root()
        heap, last_us = self._heap, 0
        dispatch = self._dispatch_branched if self._branched else self._dispatch
        while heap:
            now_us, kind, _, item, job = heapq.heappop(heap)
            if job is None:
                if kind == _ARRIVED:
                    last_us = now_us
                    if item == self._root:
                        self._push_root()
                    self._arrive(item, now_us)
            elif kind == _FINISHED:
                last_us = now_us
                self._step_finished(job, item, now_us)
            else:
                self._alarm(kind, job)
                continue
            if self._dirty:
                dispatch(now_us)
        return FlatRun(self._arrived_us, self._finished_us, self._busy_us, self._tasks, last_us)

    def _push(self, at_us: int, kind: int, item: int, job: FlatJob | None) -> None:
        self._number += 1
        heapq.heappush(self._heap, (at_us, kind, self._number, item, job))

    def _push_root(self) -> None:
        """Put the next request that waits for nothing on the heap, one at a time."""
        at_us, self._root = next(self._roots, (0, UNFINISHED))
        if self._root != UNFINISHED:
            self._push(at_us, _ARRIVED, self._root, None)

    def _arrive(self, request: int, now_us: int) -> None:
        trace = self._trace
        self._arrived_us[request] = now_us
        expires_us = trace.expires_us[request]
        if expires_us is not None and expires_us <= now_us:
            return
        if self._unstarted >= self._queue_limit:
            return
        number, priority = trace.model[request], trace.priority[request]
        variants, rank, release_us = self._models[number]
        turn = self._turn.get((number, priority), 0)
        self._turn[number, priority] = (turn + 1) % len(variants)
        deadline_us = trace.deadline_us[request]
        if deadline_us is None:
            deadline_us = _NEVER_US
        place = self._ranks[rank] << _ARRIVAL_BITS | self._arrivals
        by_deadline = (priority << 61 | deadline_us) << _RANK_BITS + _ARRIVAL_BITS | place
        keys = (priority << _RANK_BITS + _ARRIVAL_BITS | place, by_deadline)
        job = FlatJob(request, variants[turn], keys)
        self._arrivals += 1
        self._unstarted += 1
        if expires_us is not None:
            self._push(expires_us, _EXPIRE, 0, job)
        if release_us:
            self._push(now_us + release_us, _RELEASE, 0, job)
            self._push(now_us + release_us, _TICK, 0, None)
        else:
            self._offer(job)

    def _alarm(self, kind: int, job: FlatJob) -> None:
        """Drop a job that has not started in time, or let one start; processors look later."""
        if job.dead or job.started:
            return
        if kind == _RELEASE:
            self._offer(job)
        else:
            job.dead = True
            self._unstarted -= 1

    def _offer(self, job: FlatJob) -> None:
        """Queue the steps whose needs are finished; of a chain the first."""
        if job.chain:
            self._enqueue(job, 0, job.steps[0].processor)
            return
        for index, step in enumerate(job.steps):
            if not job.offered >> index & 1 and not step.needs & ~job.finished:
                self._enqueue(job, index, step.processor)

    def _enqueue(self, job: FlatJob, index: int, processor: int) -> None:
        job.offered |= 1 << index
        heapq.heappush(self._ready[processor], (job.keys[self._edf[processor]], index, job))
        self._dirty.append(processor)

    def _dispatch(self, now_us: int) -> None:
        """Let idle processors take their best steps, the lowest processor first."""
        dirty, busy, ready = self._dirty, self._busy, self._ready
        if len(dirty) > 1:
            dirty.sort()
        for processor in dirty:
            queue = ready[processor]
            if queue and not busy[processor]:
                while queue and queue[0][2].dead:
                    heapq.heappop(queue)
                if queue:
                    _, index, job = heapq.heappop(queue)
                    self._start(job, index, processor, now_us)
        dirty.clear()

    def _dispatch_branched(self, now_us: int) -> None:
        """Do the same where a job may have several ready steps: one of them at a time."""
        dirty = sorted(set(self._dirty))
        self._dirty.clear()
        while dirty:
            served: list[FlatJob] = []
            again: list[int] = []
            for processor in dirty:
                queue = self._ready[processor]
                while queue and queue[0][2].dead:
                    heapq.heappop(queue)
                if not queue or self._busy[processor]:
                    continue
                if queue[0][2] in served:
                    again.append(processor)
                    continue
                _, index, job = heapq.heappop(queue)
                served.append(job)
                self._start(job, index, processor, now_us)
            dirty = again

    def _start(self, job: FlatJob, index: int, processor: int, now_us: int) -> None:
        step = job.steps[index]
        run_us = step.run_us
        if step.moves_us and job.fronts:
            run_us += self._move_us(job, index, step)
        if not job.started:
            job.started = True
            self._unstarted -= 1
        self._busy[processor] = True
        self._busy_us[processor] += run_us
        self._tasks += 1
        number = self._number = self._number + 1
        heapq.heappush(self._heap, (now_us + run_us, _FINISHED, number, index, job))

    @staticmethod
    def _move_us(job: FlatJob, index: int, step: FlatStep) -> int:
        """Return the transfer before a step of a model with branches, and note what it takes."""
        fronts = job.fronts
        if len(fronts) > 1:
            fronts = tuple(f for f in fronts if step.needs >> f[0] & 1) or fronts
        job.taken[index] = fronts
        return max(step.moves_us[holder][step.processor] for _, holder in fronts)

    def _step_finished(self, job: FlatJob, index: int, now_us: int) -> None:
        steps = job.steps
        processor = steps[index].processor
        self._busy[processor] = False
        dirty = self._dirty
        dirty.append(processor)
        if job.chain:
            index += 1
            if index == len(steps):
                self._complete(job.request, now_us)
                return
            processor = steps[index].processor
            key = job.keys[self._edf[processor]]
            heapq.heappush(self._ready[processor], (key, index, job))
            dirty.append(processor)
            return
        job.finished |= 1 << index
        if job.finished + 1 == 1 << len(steps):
            self._complete(job.request, now_us)
        else:
            if steps[index].moves_us:
                taken = job.taken.pop(index, ())
                kept = tuple(front for front in job.fronts if front not in taken)
                job.fronts = (*kept, (index, processor))
            self._offer(job)

    def _complete(self, request: int, now_us: int) -> None:
        """End a request; its group's children arrive once all its copies are done."""
        self._finished_us[request] = now_us
        trace, group = self._trace, self._trace.group[request]
        self._left[group] -= 1
        if self._left[group]:
            return
        for child in trace.children[group]:
            self._missing[child] -= 1
            if not self._missing[child]:
                for copy in trace.copies[child]:
                    self._push(now_us, _ARRIVED, copy, None)
