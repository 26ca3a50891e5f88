"""No policy passes the limits printed next to it: random devices, loads, dependencies and DAGs."""

import random
from functools import cache

import pytest

from band.metrics.records import RequestRecord
from band.metrics.runs import RunLabel, RunRecords
from band.metrics.summary import RunSummary, summarise
from band.plan.table import PlanTable
from band.replay.bound import Limits, demands, limits
from band.scheduler.events import ModelAdded
from band.scheduler.loader import list_policies, make_policy
from band.sim.simulator import WORD, simulate
from band.testing.shipped import quick
from band.testing.tables import make_device, random_table
from band.trace.contents import TraceContents, contents
from band.trace.frames import FrameTracker
from band.trace.schema import Frame, Header, Node, Trace, TraceModel
from band.units import US_PER_S

SWAPPED = {source.name: quick(source) for source in list_policies()}
POLICIES = tuple(SWAPPED)
MODELS = ("a", "b", "c")
PROCESSORS = ("cpu", "gpu", "npu")
SHAPES = ((0,), (0, 1, 2), (0, 1, 1, 6))
SECONDS = 0.2


def tables(rng: random.Random) -> tuple[PlanTable, ...]:
    return tuple(
        random_table(
            rng,
            model,
            len(shape),
            processors=PROCESSORS,
            dependencies=shape,
            move_us=rng.choice((0, 200)),
        )
        for model, shape in zip(MODELS, rng.sample(SHAPES, 3), strict=True)
    )


def trace(rng: random.Random) -> Trace:
    """Return two streams, from a light load to one far beyond what the device can do."""
    load = rng.choice((0.5, 1.0, 2.0, 4.0))
    frames = []
    for stream in ("s", "t"):
        period_us = rng.uniform(3_000, 9_000) / load
        models = rng.sample(MODELS, 3)
        slo_us = rng.randint(2_000, 12_000)
        for number in range(int(SECONDS * US_PER_S / period_us)):
            at_us = round(number * period_us + rng.random() * period_us / 2)
            deadline_us = at_us + slo_us if rng.random() < 0.9 else None
            nodes = (
                Node(id="root", model=models[0], deadline_us=deadline_us),
                Node(id="many", model=models[1], count=rng.choice((0, 1, 2)), parents=("root",)),
                Node(id="leaf", model=models[2], parents=("many",), deadline_us=deadline_us),
            )
            frames.append(Frame(at_us=at_us, stream=stream, frame=number, nodes=nodes))
    frames.sort(key=lambda frame: frame.at_us)
    header = Header(
        scenario="x", seed=0, seconds=SECONDS, models=tuple(TraceModel(name=m) for m in MODELS)
    )
    return Trace(header=header, frames=frames)


@cache
def case(seed: int) -> tuple[tuple[PlanTable, ...], Trace, TraceContents, Limits]:
    rng = random.Random(seed)
    made, played = tables(rng), trace(rng)
    counted = contents(played)
    return made, played, counted, limits(made, counted, demands(played))


def run(policy: str, seed: int) -> tuple[RunSummary, tuple[RequestRecord, ...]]:
    made, played, counted, known = case(seed)
    result = simulate(
        device=make_device(PROCESSORS),
        models=[ModelAdded(table) for table in made],
        policy=SWAPPED[policy],
        make_policy=make_policy,
        source=FrameTracker(played),
        seed=seed,
    )
    records = RunRecords(
        label=RunLabel(policy=policy, on="sim", device="test", emulated=True, word=WORD),
        requests=result.requests,
        tasks=result.tasks,
        processors=PROCESSORS,
        capacity_bound=known.capacity,
        on_time_bound=known.on_time,
        alone=known.alone,
    )
    return summarise(records, sent=counted.models, trace_us=counted.trace_us), result.requests


def check(policy: str, seed: int) -> None:
    summary, requests = run(policy, seed)
    on_time = sum(r.deadline_us is not None and r.on_time for r in requests)
    bound = case(seed)[3].on_time
    assert bound is not None
    assert on_time <= bound, f"{policy}, case {seed}: {on_time} on time of at most {bound}"
    assert summary.capacity_share is not None
    assert 0 <= summary.capacity_share <= 1 + 1e-6
    assert summary.slo_share is None or 0 <= summary.slo_share <= 1
    assert summary.fairness is not None
    assert summary.fairness.antt is None or summary.fairness.antt >= 1
    assert summary.fairness.jain is None or 0 < summary.fairness.jain <= 1 + 1e-9


@pytest.mark.parametrize("policy", POLICIES)
def test_no_policy_passes_the_limits(policy: str) -> None:
    check(policy, 1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 10))
def test_no_policy_passes_the_limits_of_many_random_cases(seed: int) -> None:
    for policy in POLICIES:
        check(policy, seed)


def test_the_limit_of_deadlines_bites_under_overload_and_is_nearly_reached() -> None:
    found = [run("shortest_expected_latency", seed)[0] for seed in range(2, 10)]
    bounds = [summary.slo_bound for summary in found if summary.slo_bound is not None]
    assert min(bounds) < 0.9
    assert max(summary.slo_share or 0 for summary in found) > 0.9
