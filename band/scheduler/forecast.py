"""When a job could end at the earliest, given what runs and who waits in front of it.

The estimate behind shedding. A job alone is exact: its best plan under the waits of the
processors, as a policy would see it. Jobs in front of it are placed one after another, in queue
order, each where it ends first among its best plan on the idle device and its best plans on one
processor alone; their ends are the waits of whoever comes behind. Nothing is remembered from one
event to the next but what follows from a plan table, so it cannot drift.
"""

from collections.abc import Sequence

from band.plan.best import BestPlan
from band.plan.hops import DOWN_US
from band.plan.table import Span
from band.scheduler.core_view import current_waits_us
from band.scheduler.outlook import NEVER_US, Outlooks, Way, Ways
from band.scheduler.plans import JobState
from band.scheduler.registered import RegisteredModel
from band.scheduler.state import CoreState, Job

Order = tuple[int, int]
"""(class, arrival number), the place in the queue."""


class Forecast:
    """The waits of the processors, with the work of the jobs that were added.

    Args:
        state: of the core; not changed.
        now_us: the time.
        p95: a job's own plan takes the 95th percentile of its spans where that is longer.
        outlooks: what tables say; kept by the caller between looks.

    Attributes:
        waits_us: per processor.
    """

    def __init__(self, state: CoreState, now_us: int, *, p95: bool, outlooks: Outlooks) -> None:
        self.waits_us = list(current_waits_us(state, now_us))
        self._state = state
        self._now_us = now_us
        self._p95 = p95
        self._outlooks = outlooks

    def reachable(self, model: RegisteredModel, job: JobState, left_us: int) -> bool:
        """Return whether a job none of whose units runs could end within a time.

        The answer is always that of ``end_us``; the cheapest bound that decides comes first, and a
        search is the last resort.

        Args:
            model: of the job.
            job: what is finished, who holds its data, where it is pinned to.
            left_us: time from now.
        """
        known = model.plans.idle_plan(job)
        idle = known.plan
        if idle is None:
            return True  # not for want of time: the core drops such a job with another reason
        at_once = self._outlooks.at_once(model, job[3])
        if at_once > 1:
            return self._side_by_side_us(model, job, at_once) <= left_us
        if idle.latency_us > left_us:
            return False
        if all(self.waits_us[processor] <= start_us for processor, start_us in known.starts):
            return self._plan_end_us(model, job, idle) <= left_us
        if not self._p95 and self._place(self._outlooks.of(model).ways(job), 0)[0] <= left_us:
            return True
        return self.end_us(model, job) <= left_us

    def end_us(self, model: RegisteredModel, job: JobState) -> int:
        """Return the time from now until a job could end; ``NEVER_US`` if it cannot run.

        For a model whose units may run side by side it is a lower bound: its least work, shared by
        as many tasks as can run at once, from when the first processor is free.
        """
        at_once = self._outlooks.at_once(model, job[3])
        if at_once > 1:
            return self._side_by_side_us(model, job, at_once)
        plan = model.plans.best_plan(job, self.waits_us)
        return NEVER_US if plan is None else self._plan_end_us(model, job, plan)

    def add(self, job: Job) -> None:
        """Put what remains of a job in front of those asked about later.

        If a task of it runs, that is what comes after this task.
        """
        model, begun = job.model, job.finished | job.running
        if begun == model.all_units:
            return
        ready_us, holding = 0, job_state(job)
        if job.running:
            last = max(job.tasks, key=lambda running: running.due_us)
            ready_us = last.wait_us(self._now_us)
            holding = (begun, 0, last.task.processor, job.pin)
        end_us, steps = self._place(self._outlooks.of(model).ways(holding), ready_us)
        if end_us >= DOWN_US:
            return
        waits, end_us = self.waits_us, ready_us
        for processor, move_us, cost_us in steps:
            begin_us = end_us + move_us
            end_us = max(begin_us, waits[processor]) + cost_us
            waits[processor] = end_us

    def add_all(self, jobs: Sequence[Job], count: int) -> None:
        """Put jobs in front, as the first of so many: the others are taken to be like them."""
        before_us = self._sum_us()
        for job in jobs:
            self.add(job)
        if jobs and count > len(jobs):
            up = [p for p, wait_us in enumerate(self.waits_us) if wait_us < DOWN_US]
            more_us = (self._sum_us() - before_us) * (count - len(jobs)) // len(jobs)
            for processor in up:
                self.waits_us[processor] += more_us // len(up)

    def _sum_us(self) -> int:
        return sum(wait_us for wait_us in self.waits_us if wait_us < DOWN_US)

    def _place(self, ways: Ways, ready_us: int) -> tuple[int, Way]:
        """Return the earliest end among ways to finish a job, and the steps of that way."""
        waits, best_us = self.waits_us, NEVER_US
        best: Way = ()
        for steps in ways:
            end_us = ready_us
            for processor, move_us, cost_us in steps:
                begin_us, wait_us = end_us + move_us, waits[processor]
                end_us = (wait_us if wait_us > begin_us else begin_us) + cost_us
            if end_us < best_us:
                best_us, best = end_us, steps
        return best_us, best

    def _plan_end_us(self, model: RegisteredModel, job: JobState, plan: BestPlan) -> int:
        """Return when a plan ends that is the best one under the waits."""
        if not self._p95:
            return plan.latency_us
        moves, holder, end_us = model.table.transfer_us, job[2], 0
        for span, _, _ in plan.steps:
            processor = span.processor
            begin_us = end_us + (moves[span.first][holder][processor] if holder >= 0 else 0)
            end_us = max(begin_us, self.waits_us[processor]) + _p95_us(model, span)
            holder = processor
        return end_us

    def _side_by_side_us(self, model: RegisteredModel, job: JobState, at_once: int) -> int:
        finished, _, _, pin = job
        work_us = self._outlooks.of(model).least_work_us(finished, pin)
        return min(self.waits_us) + -(-work_us // at_once)


def in_front(state: CoreState, count: int, before: Order | None = None) -> list[Job]:
    """Return the jobs with work to do, in queue order: the first that wait, and those that run.

    Args:
        state: of the core.
        count: how many waiting jobs are looked at.
        before: only jobs in front of this place in the queue.
    """
    running = {  # once each: several branches of a job may run
        job.order: job for task in state.tasks.values() for job in task.jobs[:1] if not job.queued
    }
    jobs = sorted([*state.queue.entries[:count], *running.items()])
    return [job for order, job in jobs if before is None or order < before]


def job_state(job: Job) -> JobState:
    """Return what plans depend on, of a job none of whose units runs."""
    return (job.finished, 0, job.fronts[-1][1] if job.fronts else -1, job.pin)


def _p95_us(model: RegisteredModel, span: Span) -> int:
    known_us = model.runnable[span.units, span.processor].estimate.p95_us
    return max(span.cost_us, round(known_us))
