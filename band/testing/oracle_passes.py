"""Literal ports of Band's scheduling passes (band.md 3.5), which the policies are compared with.

They follow the original in shape: a queue of jobs, maps of waits, every plan by the port of the
dynamic programme, one evaluation per (model, resolved units) where Band has one. What a project
rule changes is an argument or said at the line: the order of ties of the plans, LSF's stable sort
and its idle set, which shrinks after each dispatch. Workers are those of band.md 3.2: a global
queue worker refuses a second job, a device queue worker takes it behind the first.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field

from band.testing.oracles import PortModel, PortPlan, SubgraphKey, Ties, shortest_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class PortJob:
    """A job of Band's queue.

    Attributes:
        start: first unit that is not resolved.
        deadline_us: enqueue time + SLO, None without SLO.
        target: the worker that the request asks for, -1 for none.
    """

    job: int
    model: str
    start: int = 0
    deadline_us: int | None = None
    target: int = -1


@dataclass(slots=True, kw_only=True)
class PortState:
    """What a pass sees, and what it leaves.

    Attributes:
        waiting: worker -> time until it is free, as Band computes it at the start of the pass.
        jobs: the window.
        reserved: job -> second subgraph of its plan, of HEFT reserved.
        started: (job, subgraph) enqueued on a worker that was idle, in order.
        refused: the same for workers that were busy: Band puts the job back or behind another.
        dropped: jobs marked as SLO violations.
    """

    models: Mapping[str, PortModel]
    waiting: dict[int, int]
    jobs: list[PortJob]
    now_us: int = 0
    ties: Ties = Ties.TOTAL
    reserved: MutableMapping[int, tuple[str, SubgraphKey]] = field(default_factory=dict)
    started: list[tuple[int, SubgraphKey]] = field(default_factory=list)
    refused: list[tuple[int, SubgraphKey]] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)

    def plan(self, job: PortJob, waiting: Mapping[int, int]) -> PortPlan:
        """Return Band's shortest plan of a job."""
        found = shortest_plan(self.models[job.model], job.start, waiting, self.ties)
        assert found is not None, "worker 0 runs everything"
        return found

    def expected_us(self, model: str, key: SubgraphKey) -> int:
        """Return Band's expected latency of a subgraph."""
        return self.models[model].expected[key]

    def idle(self) -> set[int]:
        """Return the workers whose waiting time is 0."""
        return {worker for worker, wait_us in self.waiting.items() if wait_us == 0}

    def enqueue(self, job: PortJob, key: SubgraphKey) -> None:
        """Give a worker a job; a busy one does not start it."""
        if self.waiting[key.worker]:
            self.refused.append((job.job, key))
        else:
            self.started.append((job.job, key))
            self.waiting[key.worker] = self.expected_us(job.model, key)


def fixed_worker(state: PortState, workers: Mapping[str, int]) -> None:
    """Pop all, first in first out, each onto its worker."""
    while state.jobs:
        job = state.jobs.pop(0)
        worker = job.target if job.target >= 0 else workers.get(job.model, 0)
        key = _largest(state.models[job.model], worker)
        if key is not None:
            state.enqueue(job, key)
        else:
            state.dropped.append(job.job)


def fixed_worker_global_queue(state: PortState, workers: Mapping[str, int]) -> None:
    """Give each idle worker the first job of the queue that belongs to it.

    The original aborts as not implemented: this is fixed_worker on global queue workers, where a
    job whose worker is busy stays in the queue.
    """
    left = []
    for job in state.jobs:
        worker = job.target if job.target >= 0 else workers.get(job.model, 0)
        key = _largest(state.models[job.model], worker)
        if key is None:
            state.dropped.append(job.job)
        elif worker in state.idle():
            state.enqueue(job, key)
        else:
            left.append(job)
    state.jobs = left


def round_robin(state: PortState) -> None:
    """For each idle worker, ascending: the first job that has a subgraph there."""
    for worker in sorted(state.idle()):
        for job in state.jobs:
            key = _largest(state.models[job.model], worker)
            if key is not None:
                state.enqueue(job, key)
                state.jobs.remove(job)
                break


def shortest_expected_latency(state: PortState) -> None:
    """Until the window is empty: the job with the largest shortest latency."""
    while state.jobs:
        job, plan = _largest_shortest(state, state.jobs, lambda _: state.waiting)
        state.jobs.remove(job)
        state.enqueue(job, plan.keys[0])


def heft(state: PortState, *, reserve: bool = False) -> None:
    """While some worker is idle: the longest job whose worker is idle, given who waits.

    Args:
        state: of the pass.
        reserve: heterogeneous_earliest_finish_time_reserved.
    """
    while state.jobs and state.idle():
        local = dict(state.waiting)
        yielded: set[int] = set()

        def waiting(job: PortJob, local: Mapping[int, int] = local) -> Mapping[int, int]:
            with_reserved = dict(local)
            for other, (model, key) in state.reserved.items():
                if other != job.job:
                    with_reserved[key.worker] += state.expected_us(model, key)
            return with_reserved if reserve else local

        while True:
            candidates = [job for job in state.jobs if job.job not in yielded]
            if not candidates:
                return
            job, plan = _largest_shortest(state, candidates, waiting)
            key = plan.keys[0]
            if key.worker in state.idle():
                break
            local[key.worker] += state.expected_us(job.model, key)
            yielded.add(job.job)
        state.jobs.remove(job)
        state.enqueue(job, key)
        if reserve and len(plan.keys) > 1:
            state.reserved[job.job] = (job.model, plan.keys[1])
        else:
            state.reserved.pop(job.job, None)


def least_slack_first(state: PortState, *, stacks: bool = False) -> None:
    """By slack: drop what is too late, start what an idle worker takes.

    Args:
        state: of the pass.
        stacks: the idle set stays as it was at the start, as in Band: several jobs may hit one
            worker, which starts the first of them.
    """
    idle = state.idle()
    if not idle:
        return
    local = dict(state.waiting)
    slack = {}
    for job in state.jobs:
        expected = state.plan(job, local).latency_us
        none = job.deadline_us is None
        slack[job.job] = 1 << 60 if none else (job.deadline_us or 0) - state.now_us - expected
    left = []
    for job in sorted(state.jobs, key=lambda job: slack[job.job]):
        plan = state.plan(job, local)
        key = plan.keys[0]
        if job.deadline_us is not None and state.now_us + plan.latency_us > job.deadline_us:
            state.dropped.append(job.job)
        elif key.worker in idle:
            local[key.worker] += state.expected_us(job.model, key)
            state.enqueue(job, key)
            if not stacks:
                idle.remove(key.worker)
        else:
            left.append(job)
    state.jobs = left


def _largest(model: PortModel, worker: int) -> SubgraphKey | None:
    """Return the subgraph with most units on a worker: without fallback that is the whole model."""
    whole = SubgraphKey(worker, 0, model.unit_count - 1)
    return whole if whole in model.expected else None


def _largest_shortest(
    state: PortState,
    jobs: Sequence[PortJob],
    waiting: Callable[[PortJob], Mapping[int, int]],
) -> tuple[PortJob, PortPlan]:
    """Return the job with the largest shortest latency, the first on ties; distinct states only."""
    chosen: tuple[PortJob, PortPlan] | None = None
    searched: set[tuple[str, int]] = set()
    for job in jobs:
        if (job.model, job.start) in searched:
            continue
        searched.add((job.model, job.start))
        plan = state.plan(job, waiting(job))
        if chosen is None or plan.latency_us > chosen[1].latency_us:
            chosen = job, plan
    assert chosen is not None
    return chosen
