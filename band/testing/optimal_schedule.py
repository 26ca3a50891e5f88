"""The best non-preemptive schedule of a few jobs, by branch and bound: an oracle for policies.

It knows all arrivals beforehand and may leave a processor idle on purpose, so no policy can do
better. Jobs are chains of units; a part of one may run on any processor that has a span for it.
"""

from collections.abc import Sequence
from operator import le
from typing import NamedTuple

from band.plan.kernel import Kernel
from band.plan.table import PlanTable

MAX_JOBS = 6


class OracleJob(NamedTuple):
    """A request of the model of a table."""

    table: PlanTable
    arrived_us: int


def least_total_latency_us(jobs: Sequence[OracleJob]) -> int:
    """Return the least sum of latencies over all schedules.

    Tasks are placed in the order of their starts, each as soon as its job's data, its processor
    and that order allow: shifting tasks to the left never makes a latency longer.

    Args:
        jobs: at most ``MAX_JOBS`` on one device; transfers are those of the tables.
    """
    assert len(jobs) <= MAX_JOBS, f"{len(jobs)} jobs are too many to try all schedules"
    return _Search(jobs).run()


class _Search:
    """One search, depth first.

    A branch is cut off where not even each job alone, behind what is placed already, would end
    early enough, and where the same progress was reached before with nothing later.
    """

    def __init__(self, jobs: Sequence[OracleJob]) -> None:
        self._jobs = jobs
        self._best = 1 << 60
        kernels = {job.table.model: Kernel(job.table) for job in jobs}
        self._kernels = [kernels[job.table.model] for job in jobs]
        self._free = [0] * len(jobs[0].table.processors)
        # Per job: next unit, processor that holds its data (-1: none), when they are ready.
        self._state = [(0, -1, job.arrived_us) for job in jobs]
        self._seen: dict[tuple[tuple[int, int], ...], list[tuple[int, ...]]] = {}

    def run(self) -> int:
        self._explore(0)
        return self._best - sum(job.arrived_us for job in self._jobs)

    def _explore(self, start_us: int) -> None:
        """Place one more task, none before ``start_us``."""
        ends = [self._end_us(place, start_us) for place in range(len(self._jobs))]
        if sum(ends) >= self._best:
            return
        left = [place for place in range(len(self._jobs)) if self._open(place)]
        if not left:
            self._best = sum(ends)
        elif not self._dominated(start_us):
            for place in sorted(left, key=lambda place: ends[place]):
                if not self._has_older_twin(place, left):
                    self._branch(place, start_us)

    def _open(self, place: int) -> bool:
        return self._state[place][0] < self._jobs[place].table.unit_count

    def _end_us(self, place: int, start_us: int) -> int:
        """Return when a job would end if no other were placed any more."""
        unit, holder, ready_us = self._state[place]
        if not self._open(place):
            return ready_us
        base_us = max(ready_us, start_us)
        waits = [max(0, free_us - base_us) for free_us in self._free]
        found = self._kernels[place].best(unit, waits, holder)
        assert found is not None
        return base_us + found[0]

    def _has_older_twin(self, place: int, left: Sequence[int]) -> bool:
        """Return whether a job in the same state was ready earlier: it may as well go first."""
        mine = (self._jobs[place].table.model, *self._state[place][:2])
        age = (self._state[place][2], place)
        return any(
            (self._jobs[other].table.model, *self._state[other][:2]) == mine
            and (self._state[other][2], other) < age
            for other in left
        )

    def _branch(self, place: int, start_us: int) -> None:
        table, before = self._jobs[place].table, self._state[place]
        unit, holder, ready_us = before
        for span in table.spans:
            free_us = self._free[span.processor]
            begin_us = max(ready_us, free_us, start_us)
            if span.first == unit:
                move_us = table.transfer_us[unit][holder][span.processor] if holder >= 0 else 0
                end_us = begin_us + move_us + span.cost_us
                self._state[place] = (span.last + 1, span.processor, end_us)
                self._free[span.processor] = end_us
                self._explore(begin_us)
                self._state[place], self._free[span.processor] = before, free_us

    def _dominated(self, start_us: int) -> bool:
        """Return whether the same progress was reached before with everything no later."""
        key = tuple((unit, holder) for unit, holder, _ in self._state)
        times = (
            start_us,
            *(
                max(ready, start_us) if self._open(place) else ready
                for place, (_, _, ready) in enumerate(self._state)
            ),
            *(max(free, start_us) for free in self._free),
        )
        known = self._seen.setdefault(key, [])
        if any(all(map(le, other, times)) for other in known):
            return True
        known[:] = [other for other in known if not all(map(le, times, other))]
        known.append(times)
        return False
