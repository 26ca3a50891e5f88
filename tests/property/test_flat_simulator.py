"""The flat simulator against the simulator with the core, request by request."""

import random
from collections.abc import Sequence

import pytest

from band.plan.static import StaticPlan
from band.plan.table import PlanTable
from band.scheduler.events import ModelAdded
from band.scheduler.loader import make_policy, policy_swapped
from band.sim.flat import UNFINISHED, play
from band.sim.flat_plan import compile_plan
from band.sim.flat_trace import flatten
from band.sim.simulator import SimRun, simulate
from band.testing.static_plans import random_plan, random_trace
from band.testing.tables import PROCESSORS, chain, make_device, random_table
from band.trace.frames import FrameTracker
from band.trace.schema import Trace

SHAPES = (
    (1, None),
    (3, None),
    (6, None),
    (4, (0, 0b0001, 0b0001, 0b0110)),
    (5, (0, 0, 0b1, 0b10, 0b1100)),
    (5, chain(5)),
    (3, (0, 0, 0b11)),
)


def random_tables(rng: random.Random, step_us: int) -> list[PlanTable]:
    """Return 1 to 5 tables; costs are multiples of ``step_us``, so that events coincide."""
    tables: list[PlanTable] = []
    for number in range(rng.randint(1, 5)):
        units, dependencies = rng.choice(SHAPES)
        table = random_table(
            rng,
            f"m{number}",
            units,
            processors=PROCESSORS[: rng.randint(2, 4)] if number == 0 else tables[0].processors,
            dependencies=dependencies,
            move_us=rng.choice([0, 0, step_us, 7 * step_us]),
        )
        costs = {s[:3]: max(1, s.cost_us // step_us) * step_us for s in table.spans}
        tables.append(table.with_costs(costs, 1))
    return tables


def under_the_core(trace: Trace, tables: Sequence[PlanTable], plan: StaticPlan) -> SimRun:
    return simulate(
        device=make_device(tables[0].processors),
        models=[ModelAdded(table) for table in tables],
        policy=policy_swapped("static_plan", {"models": plan.models, "order": plan.order}),
        make_policy=make_policy,
        source=FrameTracker(trace),
    )


def check_equal(seed: int) -> int:
    rng = random.Random(seed)
    step_us = rng.choice([1, 1, 100, 500])
    tables = random_tables(rng, step_us)
    plan = random_plan(rng, tables)
    names = [table.model for table in tables]
    trace = random_trace(
        rng, names, frames=rng.randint(5, 40), mean_us=rng.choice([300, 1_500]), step_us=step_us
    )
    slow = under_the_core(trace, tables, plan)
    fast = play(flatten(trace), compile_plan(plan, tables))
    assert slow.policy_reports == ()
    assert len(slow.requests) == len(fast.finished_us)
    for record in slow.requests:
        done = record.outcome == "completed"
        finished_us = record.finished_us if done else UNFINISHED
        assert fast.finished_us[record.request] == finished_us, (seed, record)
        if done:
            assert fast.arrived_us[record.request] == record.arrived_us, (seed, record)
    assert fast.tasks == len(slow.tasks)
    busy_us = dict.fromkeys(tables[0].processors, 0)
    for task in slow.tasks:
        busy_us[task.processor] += task.finished_us - task.dispatched_us
    assert list(busy_us.values()) == fast.busy_us
    assert fast.duration_us <= slow.duration_us
    return fast.tasks


@pytest.mark.parametrize("block", range(10))
def test_it_plays_a_static_plan_as_the_core_does_to_the_microsecond(block: int) -> None:
    assert sum(check_equal(seed) for seed in range(block * 30, block * 30 + 30)) > 1_000
