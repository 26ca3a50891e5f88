"""Band's policies against literal ports of its passes, over random states.

A state is six models of 1 to 8 units on 2 to 4 processors of which the first runs everything,
some of them busy, and up to 16 jobs somewhere on their way. Costs of a few microseconds make ties
common. What a policy decides must be what the port starts on idle workers and drops, in order.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import pytest

from band.plan.table import PlanTable, Span, zero_transfers
from band.scheduler.loader import make_policy, policy_swapped
from band.scheduler.policy import Dispatch, Drop, Policy
from band.testing import oracle_passes as ports
from band.testing.fixed_view import FixedView, make_job
from band.testing.oracles import PortModel
from band.testing.tables import chain, make_table

MODELS = tuple(f"m{number}" for number in range(6))
WINDOW = 16
STATES_PER_DEVICE = 25
FAST, ALL = 300, 10_000

Decided = tuple[str, int, int, int, int]
"""("run", job, processor, first unit, last unit), or ("drop", job, 0, 0, 0)."""


class Device(NamedTuple):
    """Six models on some processors.

    Attributes:
        view: shows them to a policy.
        models: shows them to a port.
        longest_us: the highest cost of a span.
        mapped: model -> processor, for the fixed mappings.
    """

    tables: list[PlanTable]
    view: FixedView
    models: dict[str, PortModel]
    longest_us: int
    mapped: dict[str, int]

    @property
    def processors(self) -> int:
        """Return the number of processors."""
        return len(self.tables[0].processors)


def random_tables(rng: random.Random) -> list[PlanTable]:
    count = rng.randint(2, 4)
    highest = rng.choice([3, 30, 3_000])
    tables = []
    for model in MODELS:
        units = rng.randint(1, 8)
        spans = []
        for processor in range(count):
            runs = [processor == 0 or rng.random() < 0.8 for _ in range(units)]
            own = [rng.randint(1, highest) for _ in range(units)]
            spans += [
                Span(first, last, processor, max(1, sum(own[first : last + 1]) - (last - first)))
                for first in range(units)
                for last in range(first, units)
                if all(runs[first : last + 1])
            ]
        tables.append(
            PlanTable(
                model=model,
                version=1,
                processors=tuple(f"p{p}" for p in range(count)),
                unit_count=units,
                dependencies=chain(units),
                spans=tuple(sorted(spans)),
                transfer_us=zero_transfers(units, count),
            )
        )
    return tables


def random_device(rng: random.Random) -> Device:
    tables = random_tables(rng)
    return Device(
        tables,
        FixedView(tables, []),
        {table.model: PortModel.of(table) for table in tables},
        max(span.cost_us for table in tables for span in table.spans),
        {m: rng.randrange(len(tables[0].processors)) for m in MODELS if rng.random() < 0.7},
    )


def random_job(rng: random.Random, device: Device, number: int, now_us: int) -> ports.PortJob:
    table = rng.choice(device.tables)
    return ports.PortJob(
        job=number,
        model=table.model,
        start=rng.randrange(table.unit_count),
        deadline_us=rng.choice([None, now_us + rng.randint(1, 4 * device.longest_us)]),
    )


def random_state(rng: random.Random, device: Device) -> ports.PortState:
    """Return what a port sees: up to 16 jobs, mostly fewer."""
    now_us = rng.randint(0, 1_000)
    count = rng.randint(1, rng.choice([3, 5, 7, WINDOW]))
    waits = (
        rng.choice([0, 0, rng.randint(1, 2 * device.longest_us)]) for _ in range(device.processors)
    )
    return ports.PortState(
        models=device.models,
        waiting=dict(enumerate(waits)),
        jobs=[random_job(rng, device, number, now_us) for number in range(count)],
        now_us=now_us,
    )


def of_port(state: ports.PortState) -> list[Decided]:
    """Return what a port has decided: what idle workers start, and drops."""
    runs: list[Decided] = [("run", job, k.worker, k.first, k.last) for job, k in state.started]
    drops: list[Decided] = [("drop", job, 0, 0, 0) for job in state.dropped]
    return drops + runs


def of_policy(policy: Policy, device: Device, state: ports.PortState) -> list[Decided]:
    jobs = [
        make_job(
            job.job,
            job.model,
            deadline_us=job.deadline_us,
            finished=(1 << job.start) - 1,
            processor=job.target,
        )
        for job in state.jobs
    ]
    waits = [state.waiting[p] for p in range(device.processors)]
    runs: list[Decided] = []
    drops: list[Decided] = []
    for decision in policy.plan(device.view.showing(jobs, waits, now_us=state.now_us)):
        if isinstance(decision, Dispatch):
            for spec in decision.tasks:
                units = spec.slice.units
                first = (units & -units).bit_length() - 1
                runs.append(("run", spec.jobs[0], spec.processor, first, units.bit_length() - 1))
        elif isinstance(decision, Drop):
            drops.append(("drop", decision.job, 0, 0, 0))
    return drops + runs


def make(name: str, device: Device) -> Policy:
    params: dict[str, object] = {"window": WINDOW}
    if name.startswith("fixed"):
        params["processors"] = {model: f"p{p}" for model, p in device.mapped.items()}
    return make_policy(policy_swapped(name, params))


def whole_models(rng: random.Random, device: Device, state: ports.PortState, *, pins: bool) -> None:
    """Turn a state into one where nothing falls back: whole models, some jobs with a target."""
    state.jobs = [
        replace(
            job, start=0, target=rng.choice([-1, rng.randrange(device.processors)]) if pins else -1
        )
        for job in state.jobs
    ]


Port = Callable[[ports.PortState, Mapping[str, int]], None]
PORTS: dict[str, Port] = {
    "fixed_worker": ports.fixed_worker,
    "fixed_worker_global_queue": ports.fixed_worker_global_queue,
    "round_robin": lambda state, _: ports.round_robin(state),
    "shortest_expected_latency": lambda state, _: ports.shortest_expected_latency(state),
    "heft": lambda state, _: ports.heft(state),
    "least_slack_first": lambda state, _: ports.least_slack_first(state),
}
WITHOUT_FALLBACK = {"fixed_worker", "fixed_worker_global_queue", "round_robin"}


def check(name: str, states: int) -> None:
    decided = 0
    for seed in range(states // STATES_PER_DEVICE):
        rng = random.Random(seed)
        device = random_device(rng)
        policy = make(name, device)
        for number in range(STATES_PER_DEVICE):
            state = random_state(rng, device)
            if name in WITHOUT_FALLBACK:
                whole_models(rng, device, state, pins=name != "round_robin")
            found = of_policy(policy, device, state)
            PORTS[name](state, device.mapped)
            assert found == of_port(state), f"device {seed}, state {number}"
            decided += len(found)
    assert decided > states, "hardly a state with anything to decide"


def check_reserved(states: int) -> None:
    """Play passes one after another, since what is reserved lives from pass to pass."""
    renewed = decided = 0
    for seed in range(states // STATES_PER_DEVICE):
        rng = random.Random(seed)
        device = random_device(rng)
        policy = make("heft_reserved", device)
        state, running = random_state(rng, device), dict[int, tuple[ports.PortJob, int]]()
        for number in range(STATES_PER_DEVICE):
            renewed += bool(state.reserved)
            before = {job.job: job for job in state.jobs}
            found = of_policy(policy, device, state)
            ports.heft(state, reserve=True)
            assert found == of_port(state), f"device {seed}, pass {number}"
            decided += len(found)
            for job, key in state.started:
                running[key.worker] = before[job], key.last + 1
            state.started.clear()
            time_passes(rng, device, state, running)
            if len(state.jobs) < WINDOW // 2:
                new = 1_000 * (number + 1)
                state.jobs += [
                    random_job(rng, device, new + n, 0) for n in range(rng.randint(0, 3))
                ]
    assert decided > states // 2
    assert renewed > states // 2, "hardly a pass with anything reserved"


def time_passes(
    rng: random.Random,
    device: Device,
    state: ports.PortState,
    running: dict[int, tuple[ports.PortJob, int]],
) -> None:
    """Let some time pass: tasks end, and their jobs come back unless they are through."""
    busy = [wait_us for wait_us in state.waiting.values() if wait_us]
    passed_us = rng.choice(busy) if busy else 0
    for worker, wait_us in state.waiting.items():
        state.waiting[worker] = max(0, wait_us - passed_us)
        if wait_us and wait_us <= passed_us and worker in running:
            job, start = running.pop(worker)
            if start < device.models[job.model].unit_count:
                state.jobs.insert(0, replace(job, start=start))


@pytest.mark.parametrize("name", sorted(PORTS))
def test_a_pass_decides_what_the_port_decides(name: str) -> None:
    check(name, FAST)


def test_passes_with_reservations_decide_what_the_port_decides() -> None:
    check_reserved(FAST)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PORTS))
def test_ten_thousand_passes_decide_what_the_port_decides(name: str) -> None:
    check(name, ALL)


@pytest.mark.slow
def test_ten_thousand_passes_with_reservations_decide_what_the_port_decides() -> None:
    check_reserved(ALL)


def test_a_job_that_ends_leaves_no_reservation() -> None:
    """Band never removes the entry of a job that was dropped or that failed."""
    policy = make_policy(policy_swapped("heft_reserved"))
    table = make_table("m", {"cpu": {(0, 0): 5, (1, 1): 50}, "gpu": {(0, 0): 50, (1, 1): 5}})
    view = FixedView([table], [make_job(0)])
    policy.plan(view)
    assert policy.reserved == {0: (1, 5)}  # type: ignore[attr-defined]
    policy.plan(view.showing([make_job(1)], [3, 0, 0, 0]))
    assert policy.reserved == {0: (1, 5)}, "it still runs"  # type: ignore[attr-defined]
    policy.plan(view.showing([make_job(2)], [0, 9, 9, 9]))
    assert set(policy.reserved) == {2}, "its task is over and it does not wait"  # type: ignore[attr-defined]
