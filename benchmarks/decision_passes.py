"""Whole scheduling passes: policies against the literal ports of Band's, on the same queues.

Six models of eight units, four workers of which one to three are idle, 40 random queues of 64 jobs
that have finished none, one or two units. What both decide is compared before anything is timed.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from rounds import Paired, compare

from band.plan.table import PlanTable
from band.scheduler.loader import make_policy, policy_swapped
from band.scheduler.policy import Decision, Dispatch, Drop
from band.scheduler.view import JobView
from band.testing import oracle_passes
from band.testing.fixed_view import FixedView, make_job
from band.testing.oracles import PortModel

QUEUES, WINDOW = 40, 64

Port = Callable[[oracle_passes.PortState], None]
PASSES: dict[str, tuple[str, Port]] = {
    "lsf": ("least_slack_first", oracle_passes.least_slack_first),
    "heft": ("heft", oracle_passes.heft),
    "sel": ("shortest_expected_latency", oracle_passes.shortest_expected_latency),
}
LITERAL: dict[str, Port] = {"lsf": partial(oracle_passes.least_slack_first, stacks=True)}
"""Passes that keep Band's own idle set, where the ports above keep the project's."""


class Queue(NamedTuple):
    """One situation: how long each worker is busy, and the waiting jobs in both forms."""

    waits_us: tuple[int, ...]
    jobs: list[JobView]
    port_jobs: list[oracle_passes.PortJob]


class PassFigures(NamedTuple):
    """What the passes of one policy took.

    Attributes:
        paired: CPU times of a pass, and the ratio.
        dispatches: of ours per pass; at most one for each idle worker.
        handed_out: jobs that Band itself would hand out per pass: more than one may go to a worker.
    """

    paired: Paired
    dispatches: float
    handed_out: float


def random_queue(rng: random.Random, models: Sequence[str]) -> Queue:
    """Return a queue with one to three workers idle and deadlines of 20 to 200 ms."""
    idle = rng.sample(range(4), rng.randint(1, 3))
    waits = tuple(0 if worker in idle else rng.randint(1, 8_000) for worker in range(4))
    rows = [
        (number, rng.choice(models), rng.randrange(3), rng.randint(20_000, 200_000))
        for number in range(WINDOW)
    ]
    return Queue(
        waits,
        [make_job(n, model, finished=(1 << u) - 1, deadline_us=due) for n, model, u, due in rows],
        [
            oracle_passes.PortJob(job=n, model=model, start=u, deadline_us=due)
            for n, model, u, due in rows
        ],
    )


def measure(name: str, tables: Sequence[PlanTable], rounds: int) -> PassFigures:
    """Return what passes of a policy cost against the port.

    Raises:
        AssertionError: they decide differently.
    """
    policy_name, port = PASSES[name]
    policy = make_policy(policy_swapped(policy_name, {"window": WINDOW}))
    rng = random.Random(11)
    queues = [random_queue(rng, [table.model for table in tables]) for _ in range(QUEUES)]
    shared = FixedView(tables, [])
    views = [shared.showing(queue.jobs, queue.waits_us) for queue in queues]
    models = {table.model: PortModel.of(table) for table in tables}

    def state(queue: Queue) -> oracle_passes.PortState:
        waiting = dict(enumerate(queue.waits_us))
        return oracle_passes.PortState(models=models, waiting=waiting, jobs=queue.port_jobs.copy())

    dispatches = handed_out = 0
    for queue, view in zip(queues, views, strict=True):
        after = state(queue)
        port(after)
        starts, drops = _decided(policy.plan(view))
        if (starts, drops) != ([(n, key.worker) for n, key in after.started], after.dropped):
            message = f"{policy_name} and its port differ: {starts} and {after.started}"
            raise AssertionError(message)
        literal = state(queue)
        LITERAL.get(name, port)(literal)
        dispatches += len(starts)
        handed_out += len(literal.started) + len(literal.refused)

    def ours() -> None:
        for view in views:
            policy.plan(view)

    def peer() -> None:
        for queue in queues:
            port(state(queue))

    paired = compare(ours, peer, calls=QUEUES, rounds=rounds)
    return PassFigures(paired, dispatches / QUEUES, handed_out / QUEUES)


def _decided(decisions: Sequence[Decision]) -> tuple[list[tuple[int, int]], list[int]]:
    """Return (job, worker) of each dispatch, and the jobs that are dropped."""
    tasks = [spec for d in decisions if isinstance(d, Dispatch) for spec in d.tasks]
    return (
        [(spec.jobs[0], spec.processor) for spec in tasks],
        [d.job for d in decisions if isinstance(d, Drop)],
    )
