"""What happens between the tasks of a job, under every policy: whoever is more urgent takes over,
what was cancelled goes no further, branches run side by side, reserved slots stay free.
"""

import random
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from band.plan.table import PlanTable
from band.scheduler.commands import JobOutcome
from band.scheduler.events import Cancelled, ModelAdded, PolicySwapped, RequestArrived, Tick
from band.scheduler.loader import make_policy as load_policy
from band.scheduler.options import CoreOptions, Reservation
from band.scheduler.policy import Policy
from band.scheduler.policy_source import load_file
from band.share import share_dir
from band.sim.simulator import SimRun, simulate
from band.testing.arrivals import FixedArrivals
from band.testing.core_driver import CoreDriver
from band.testing.tables import PROCESSORS, chain, make_device, make_table, random_table

FILES = sorted(share_dir("policies").glob("*.py"))
TWO = ["cpu", "gpu"]
Make = Callable[[], Policy]


@pytest.fixture(params=FILES, ids=[path.stem for path in FILES])
def make(request: pytest.FixtureRequest) -> Make:
    source = load_file(request.param)
    module = sys.modules[source.policy_type.__module__]
    params: Any = getattr(module, "EXAMPLE", None) if source.needs_params else source.params_type()
    if hasattr(params, "simulations"):
        params = replace(params, simulations=3)  # what it decides, not how well
    policy_type: Any = source.policy_type
    return partial(policy_type, params)


def stepwise(model: str, units: int, *processors: str) -> PlanTable:
    """Return a chain that no processor runs in one piece."""
    costs = {name: {(unit, unit): 10 for unit in range(units)} for name in processors}
    return make_table(model, costs, processors=processors)


def test_a_better_class_takes_the_next_boundary_of_a_worse_ones_job(make: Make) -> None:
    driver = CoreDriver(stepwise("m", 3, "cpu"), policy=make(), processors=["cpu"])
    worse = driver.request("m", priority=9, deadline_us=10_000)
    better = [driver.request("m", priority=2, deadline_us=20_000) for _ in range(2)]
    driver.finish_all()
    assert driver.started[0].jobs == (worse,)
    assert {task.jobs[0] for task in driver.started[1:7]} == set(better)
    assert [task.jobs[0] for task in driver.started[7:]] == [worse] * 2
    assert not driver.core.status().reports


def test_a_better_class_that_comes_late_waits_for_one_task_only(make: Make) -> None:
    driver = CoreDriver(stepwise("m", 4, "cpu"), policy=make(), processors=["cpu"])
    worse = [driver.request("m", priority=9) for _ in range(3)]
    driver.finish(0)
    better = driver.request("m", priority=1)
    driver.finish(1)
    assert driver.started[2].jobs == (better,)
    driver.finish_all()
    ended = list(driver.ended)
    assert ended.index(better) == 0
    assert set(ended) == {better, *worse}


def test_nothing_of_a_cancelled_job_runs_after_its_boundary(make: Make) -> None:
    driver = CoreDriver(stepwise("m", 3, "cpu", "gpu"), policy=make(), processors=["cpu", "gpu"])
    jobs = [driver.request("m") for _ in range(3)]
    running = driver.started[0].jobs[0]
    driver.send(Cancelled(running))
    assert driver.abandoned == [0]
    driver.finish_all()
    assert driver.ended[running].outcome is JobOutcome.CANCELLED
    assert [task.id for task in driver.started if running in task.jobs] == [0]
    others = [job for job in jobs if job != running]
    assert {driver.ended[job].outcome for job in others} == {JobOutcome.COMPLETED}
    assert not driver.core.status().reports


DIAMOND = make_table(
    "diamond",
    {
        "cpu": {(0, 0): 10, (1, 1): 30, (2, 2): 30, (3, 3): 10},
        "gpu": {(0, 0): 11, (1, 1): 31, (2, 2): 31, (3, 3): 11},
    },
    processors=["cpu", "gpu"],
    dependencies=[0, 0b0001, 0b0001, 0b0110],
    move_us=2,
)


def test_branches_run_at_once_on_different_processors_and_meet(make: Make) -> None:
    driver = CoreDriver(DIAMOND, policy=make(), processors=["cpu", "gpu"])
    job = driver.request("diamond")
    driver.finish(0)
    branches = sorted(driver.running.values(), key=lambda task: task.slice.units)
    assert [task.slice.units for task in branches] == [0b0010, 0b0100]
    assert {task.processor for task in branches} == {0, 1}
    assert [task.predecessors for task in branches] == [(0,), (0,)]
    first = driver.started[0].processor
    for task in branches:
        assert task.transfer_us == (0 if task.processor == first else 2)
    driver.finish(branches[1].id)
    assert not driver.ended
    assert len(driver.running) == 1, "the join waits for both"
    driver.finish(branches[0].id)
    (join,) = driver.running.values()
    assert join.slice.units == 0b1000
    assert set(join.predecessors) == {branches[0].id, branches[1].id}
    assert join.transfer_us == 2, "one of its inputs comes from the other processor"
    driver.finish_all()
    assert driver.ended[job].outcome is JobOutcome.COMPLETED
    assert not driver.core.status().reports


SLOTS = (
    Reservation(processor="gpu", period_us=3000, length_us=900, app="owner"),
    Reservation(processor="npu", period_us=5000, length_us=1500, offset_us=700),
)


def play(policy: Policy, seed: int, *, noise_sigma: float = 0.0, **options: object) -> SimRun:
    """Play 60 random requests of two apps that overload the device now and then."""
    rng = random.Random(seed)
    shapes = [chain(1), chain(3), (0, 0b0001, 0b0001, 0b0110), chain(5)]
    tables = [
        random_table(rng, f"m{n}", len(shape), dependencies=shape, move_us=rng.choice([0, 40]))
        for n, shape in enumerate(shapes)
    ]
    at_us, arrivals = 0, []
    for number in range(60):
        at_us += int(rng.expovariate(1 / 450))
        request = RequestArrived(
            number,
            rng.choice(tables).model,
            priority=rng.choice([0, 0, 1, 5]),
            deadline_us=rng.choice([None, at_us + 9000]),
            processor=rng.choice([None] * 6 + [*PROCESSORS]),
            app=rng.choice(["owner", "other", ""]),
        )
        arrivals.append((at_us, request))

    def make_policy(event: PolicySwapped) -> Policy:
        return policy if event.name == "tried" else load_policy(event)

    return simulate(
        device=make_device(noise_sigma=noise_sigma),
        models=[ModelAdded(table) for table in tables],
        policy=PolicySwapped("tried", ""),
        make_policy=make_policy,
        source=FixedArrivals(arrivals),
        options=CoreOptions(**options),  # type: ignore[arg-type]
        seed=seed,
    )


@pytest.mark.parametrize("seed", range(2))
def test_no_task_starts_that_would_run_into_a_slot_and_every_request_ends(
    make: Make, seed: int
) -> None:
    run = play(make(), seed, reservations=SLOTS)
    assert run.policy_reports == ()
    assert sorted(r.request for r in run.requests) == list(range(60))
    assert sum(r.outcome == JobOutcome.COMPLETED for r in run.requests) > 20
    assert run.intrusions == (0, 0)


BEFORE_A_SLOT = CoreOptions(
    reservations=(Reservation(processor="gpu", period_us=16_667, length_us=4000),), gather=True
)


def test_nobody_waits_out_a_slot_beside_an_idle_processor_that_ends_sooner(make: Make) -> None:
    table = make_table("m", {"cpu": {(0, 0): 6000}, "gpu": {(0, 0): 5000}}, processors=TWO)
    policy = make()
    if policy.info.name == "price_aware":  # without advice it plans as the default policy does
        policy.advised({"load": 0.5, "prices": (0.5, 0.5), "flows": {}})  # type: ignore[attr-defined]
    driver = CoreDriver(table, policy=policy, processors=TWO, options=BEFORE_A_SLOT)
    driver.now_us = 12_000
    first, second = driver.request("m"), driver.request("m")
    driver.send(Tick())
    assert [(task.jobs, task.processor) for task in driver.started] == [((first,), 0)]
    driver.now_us = 18_000
    driver.finish(0)
    driver.send(Tick())
    assert [(task.jobs, task.processor) for task in driver.started[1:]] == [((second,), 0)]
    driver.finish_all()
    assert not driver.core.status().reports


def test_latencies_that_vary_stop_no_request_beside_slots(make: Make) -> None:
    run = play(make(), 1, reservations=SLOTS, noise_sigma=0.3)
    assert run.policy_reports == ()
    assert sorted(r.request for r in run.requests) == list(range(60))
    assert run.intrusions is not None


def test_strict_classes_leave_no_request_behind(make: Make) -> None:
    run = play(make(), 1, strict_classes=True)
    assert run.policy_reports == ()
    assert sorted(r.request for r in run.requests) == list(range(60))


def test_strict_classes_let_nobody_worse_go_on_while_a_better_job_waits(make: Make) -> None:
    split = stepwise("m", 2, "cpu", "gpu")
    options = CoreOptions(strict_classes=True)
    driver = CoreDriver(split, policy=make(), processors=["cpu", "gpu"], options=options)
    worse = driver.request("m", priority=5)
    better = [driver.request("m", priority=1) for _ in range(3)]
    driver.finish_all()
    first, *later = [task.jobs[0] for task in driver.started]
    assert first == worse
    assert later.index(worse) >= 5, "all but the last task of the better jobs start before it"
    assert set(driver.ended) == {worse, *better}
