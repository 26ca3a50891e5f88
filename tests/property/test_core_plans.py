"""The core's shortcuts to best plans give what the kernel gives, ties included."""

import random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from band.plan.hops import DOWN_US
from band.plan.kernel import Kernel
from band.plan.table import PlanTable
from band.scheduler.core import Core
from band.scheduler.core_view import CoreView
from band.scheduler.events import ModelAdded, WorkerUp
from band.scheduler.loader import make_policy
from band.scheduler.plans import Plans
from band.testing.fixed_view import make_job
from band.testing.tables import random_table

PROCESSORS = ("cpu", "gpu", "npu")
WAITS = st.tuples(*[st.one_of(st.just(0), st.integers(0, 4), st.integers(0, 3000))] * 3)
SMALL = settings(max_examples=150, deadline=None, derandomize=True)


@st.composite
def tables(draw: st.DrawFn) -> PlanTable:
    """Return a chain; small costs make ties common."""
    rng = random.Random(draw(st.integers(0, 10_000)))
    table = random_table(
        rng, "m", draw(st.integers(1, 5)), processors=PROCESSORS, move_us=draw(st.integers(0, 3))
    )
    if draw(st.booleans()):
        costs = {(s.first, s.last, s.processor): rng.randint(1, 3) for s in table.spans}
        table = table.with_costs(costs, 1)
    return table


def view_of(table: PlanTable) -> CoreView:
    """Return the view of a core with one model and all processors up."""
    core = Core(make_policy=make_policy)
    for index, name in enumerate(PROCESSORS):
        core.handle(WorkerUp(index, name, "cpu", 1 << 30), 0)
    core.handle(ModelAdded(table), 0)
    return CoreView(core._state, 0, 16)


@SMALL
@given(
    table=tables(),
    asked=st.lists(
        st.tuples(st.integers(0, 4), WAITS, st.integers(-1, 2), st.integers(-1, 2)),
        min_size=1,
        max_size=8,
    ),
)
def test_a_view_gives_the_kernels_plan(
    table: PlanTable, asked: list[tuple[int, tuple[int, ...], int, int]]
) -> None:
    view, kernel = view_of(table), Kernel(table)
    for start, waits, holder, pin in asked:
        if start < table.unit_count:
            job = make_job(0, finished=(1 << start) - 1, holder=holder, processor=pin)
            assert view.best_plan(job, waits) == kernel.plan(start, waits, holder, pin)


@SMALL
@given(
    shape=st.lists(st.integers(0, 31), min_size=2, max_size=5),
    seed=st.integers(0, 999),
    order=st.randoms(use_true_random=False),
    waits=WAITS,
)
def test_a_plan_beside_running_units_covers_what_can_run_and_leaves_the_rest_able_to_finish(
    shape: list[int], seed: int, order: random.Random, waits: tuple[int, ...]
) -> None:
    dependencies = tuple(mask & ((1 << unit) - 1) for unit, mask in enumerate(shape))
    table = random_table(
        random.Random(seed), "m", len(shape), processors=PROCESSORS, dependencies=dependencies
    )
    plans = Plans(table)
    finished, running = random_progress(dependencies, order)
    assume(finished != table.all_units)
    ready = plans.ready_units(finished, running)
    plan = plans.best_plan((finished, running, -1, -1), waits)
    if not ready:
        assert plan is None
        return
    assert plan is not None, "the first processor runs every span"
    done = finished
    for step in plan.steps:
        for unit in range(step.span.first, step.span.last + 1):
            assert not (done | running) >> unit & 1
            assert not dependencies[unit] & ~(done | step.span.units)
        done |= step.span.units
    assert done == finished | ready
    assert plan.steps[-1].finish_us == plan.latency_us
    assert waits[plan.steps[0].span.processor] <= plan.steps[0].start_us < DOWN_US


def random_progress(dependencies: tuple[int, ...], order: random.Random) -> tuple[int, int]:
    """Return masks of finished and running units that a job may have."""
    finished = running = 0
    for unit, needs in enumerate(dependencies):
        if not needs & ~finished:
            choice = order.random()
            if choice < 0.4:
                finished |= 1 << unit
            elif choice < 0.6:
                running |= 1 << unit
    return finished, running
