"""Random static plans and random traces, for comparing what plays them."""

import random
from collections.abc import Sequence

from band.plan.static import Order, PlannedModel, PlannedStep, StaticPlan, Variant
from band.plan.table import PlanTable
from band.trace.schema import Frame, Header, Node, Trace, TraceModel


def random_steps(rng: random.Random, table: PlanTable) -> tuple[PlannedStep, ...]:
    """Return a random chain of spans over all units; single units must run somewhere."""
    steps: list[PlannedStep] = []
    unit = 0
    while unit < table.unit_count:
        span = rng.choice([s for s in table.spans if s.first == unit])
        steps.append(PlannedStep(span.first, span.last, table.processors[span.processor]))
        unit = span.last + 1
    return tuple(steps)


def random_plan(rng: random.Random, tables: Sequence[PlanTable]) -> StaticPlan:
    """Return a random plan: up to three variants a model, some of them released late."""
    models = {}
    for table in tables:
        variants = tuple(
            Variant(random_steps(rng, table), rng.randint(1, 3)) for _ in range(rng.randint(1, 3))
        )
        release_us = rng.choice([0, 0, 0, rng.randint(1, 3_000)])
        models[table.model] = PlannedModel(variants, rng.randint(-2, 2), release_us)
    orders: tuple[Order, Order] = ("priority", "edf")
    return StaticPlan(models, {name: rng.choice(orders) for name in tables[0].processors})


def random_trace(
    rng: random.Random, models: Sequence[str], *, frames: int, mean_us: float, step_us: int = 1
) -> Trace:
    """Return frames of one to three nodes with copies, classes, deadlines and expiries.

    Args:
        rng: source of all draws.
        models: names.
        frames: how many.
        mean_us: between two of them, on average.
        step_us: times are multiples of this, so that many things happen at once.
    """
    found = []
    at_us = 0
    for number in range(frames):
        at_us += round(rng.expovariate(1 / mean_us)) // step_us * step_us
        names = ("a", "b", "c")[: rng.randint(1, 3)]
        nodes = tuple(
            Node(
                id=name,
                model=rng.choice(models),
                count=rng.choice([0, 1, 1, 1, 2]),
                parents=tuple(p for p in names[:place] if rng.random() < 0.5),
                priority=rng.choice([0, 0, 0, 3, 9]),
                deadline_us=rng.choice([None, at_us + rng.randint(500, 9_000)]),
                expires_us=rng.choice([None, None, None, at_us + rng.randint(0, 6) * 1_000]),
            )
            for place, name in enumerate(names)
        )
        found.append(Frame(at_us=at_us, stream=rng.choice("xy"), frame=number, nodes=nodes))
    header = Header(
        scenario="random",
        seconds=max(1, at_us) / 1e6,
        models=tuple(TraceModel(name=name) for name in models),
    )
    return Trace(header=header, frames=tuple(found))
