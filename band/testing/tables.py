"""Plan tables and devices made of plain numbers, for tests and benchmarks of scheduling."""

import random
from collections.abc import Mapping, Sequence

from band.device.profile import Device, Processor, ProcessorKind
from band.device.support_table import Support
from band.plan.table import PlanTable, Span, zero_transfers

PROCESSORS = ("cpu", "gpu", "dsp", "npu")

Costs = Mapping[str, Mapping[tuple[int, int], int]]
"""processor name -> (first unit, last unit) -> cost in microseconds."""


def chain(unit_count: int) -> tuple[int, ...]:
    """Return the dependencies of units that each need the one before."""
    return tuple(1 << unit - 1 if unit else 0 for unit in range(unit_count))


def make_table(
    model: str,
    costs: Costs,
    *,
    processors: Sequence[str] = PROCESSORS,
    dependencies: Sequence[int] | None = None,
    move_us: int = 0,
    version: int = 1,
    members: tuple[str, ...] = (),
) -> PlanTable:
    """Return a table of the given spans.

    Args:
        model: its name.
        costs: cost of each span.
        processors: all processors of the device.
        dependencies: per unit the mask of units it needs; a chain if None.
        move_us: what moving data between any two processors costs at every inner boundary.
        version: of the table.
        members: models that a merged model serves.
    """
    unit_count = 1 + max(last for spans in costs.values() for _, last in spans)
    spans = sorted(
        Span(
            first,
            last,
            processors.index(name),
            cost_us,
            inputs=(100 + first,) if first else (),
            outputs=(101 + last,) if last + 1 < unit_count else (),
        )
        for name, found in costs.items()
        for (first, last), cost_us in found.items()
    )
    transfers = zero_transfers(unit_count, len(processors))
    if move_us:
        count = len(processors)
        row = tuple(tuple(0 if a == b else move_us for b in range(count)) for a in range(count))
        transfers = (transfers[0], *(row for _ in range(unit_count - 1)), transfers[0])
    return PlanTable(
        model=model,
        version=version,
        processors=tuple(processors),
        unit_count=unit_count,
        dependencies=chain(unit_count) if dependencies is None else tuple(dependencies),
        spans=tuple(spans),
        transfer_us=transfers,
        members=members,
    )


def whole(model: str, **cost_us: int) -> PlanTable:
    """Return a table of one unit: ``whole("m", cpu=10, gpu=4)``."""
    return make_table(model, {name: {(0, 0): cost} for name, cost in cost_us.items()})


def random_table(
    rng: random.Random,
    model: str,
    unit_count: int,
    *,
    processors: Sequence[str] = PROCESSORS,
    supported: float = 0.8,
    dependencies: Sequence[int] | None = None,
    move_us: int = 0,
) -> PlanTable:
    """Return a table whose first processor runs everything and the others most units.

    Args:
        rng: source of the numbers.
        model: its name.
        unit_count: number of units.
        processors: all processors of the device.
        supported: share of the units that a processor other than the first runs.
        dependencies: as for :func:`make_table`.
        move_us: as for :func:`make_table`.
    """
    costs: dict[str, dict[tuple[int, int], int]] = {}
    for place, name in enumerate(processors):
        low, high = (400, 1600) if place == 0 else (200, 1200)
        unit_us = [rng.randint(low, high) for _ in range(unit_count)]
        runs = [place == 0 or rng.random() < supported for _ in range(unit_count)]
        costs[name] = {
            (first, last): sum(unit_us[first : last + 1]) - 20 * (last - first)
            for first in range(unit_count)
            for last in range(first, unit_count)
            if all(runs[first : last + 1])
        }
    return make_table(
        model, costs, processors=processors, dependencies=dependencies, move_us=move_us
    )


def make_device(
    processors: Sequence[str] = PROCESSORS, *, noise_sigma: float = 0.0, name: str = "test"
) -> Device:
    """Return an emulated device with processors of these names, for use with such tables."""
    kinds = {kind.value: kind for kind in ProcessorKind}
    return Device(
        name=name,
        version="1",
        description="made of plain numbers",
        processors=tuple(
            Processor(
                index=index,
                name=processor,
                kind=kinds.get(processor.rstrip("0123456789"), ProcessorKind.CPU),
                backend="emulated",
                support=Support(),
                costs=(),
            )
            for index, processor in enumerate(processors)
        ),
        noise_sigma=noise_sigma,
    )
