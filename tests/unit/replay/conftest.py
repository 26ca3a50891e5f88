"""A tiny device, two models as plan tables, and a trace, all built in code."""

import pytest

from band.device.profile import Device, Processor, ProcessorKind
from band.device.support_table import Support
from band.plan.table import PlanTable, Span, zero_transfers
from band.scheduler.events import ModelAdded
from band.trace.schema import Frame, Header, Node, Trace, TraceModel

CPU, GPU = 0, 1


def processor(index: int, name: str, kind: ProcessorKind) -> Processor:
    return Processor(
        index=index, name=name, kind=kind, backend="emulated", support=Support(), costs=()
    )


@pytest.fixture
def device() -> Device:
    return Device(
        name="toy",
        version="1",
        description="a CPU that runs all and a GPU that runs most",
        processors=(
            processor(CPU, "cpu", ProcessorKind.CPU),
            processor(GPU, "gpu", ProcessorKind.GPU),
        ),
    )


def table(model: str, spans: tuple[tuple[int, int, int, int], ...], unit_count: int) -> PlanTable:
    return PlanTable(
        model=model,
        version=1,
        processors=("cpu", "gpu"),
        unit_count=unit_count,
        dependencies=tuple((1 << i) - 1 & ~((1 << max(0, i - 1)) - 1) for i in range(unit_count)),
        spans=tuple(Span(first, last, p, cost) for first, last, p, cost in sorted(spans)),
        transfer_us=zero_transfers(unit_count, 2),
    )


@pytest.fixture
def models() -> tuple[ModelAdded, ...]:
    """``hand`` is quickest split (GPU, then CPU for its last unit); ``palm`` runs whole."""
    hand = table("hand", ((0, 1, CPU, 9000), (0, 0, GPU, 4000), (1, 1, CPU, 1000)), 2)
    palm = table("palm", ((0, 0, CPU, 3000), (0, 0, GPU, 2000)), 1)
    return (ModelAdded(hand), ModelAdded(palm))


@pytest.fixture
def trace() -> Trace:
    """20 frames at 100 fps: palm, then one or two hands, due 20 ms after the frame."""
    frames = []
    for i in range(20):
        due_us = i * 10_000 + 20_000
        nodes = (
            Node(id="palm", model="palm", deadline_us=due_us),
            Node(id="hand", model="hand", parents=("palm",), count=1 + i % 2, deadline_us=due_us),
        )
        frames.append(Frame(at_us=i * 10_000, stream="hands", frame=i, nodes=nodes))
    header = Header(
        scenario="toy",
        seed=1,
        seconds=0.2,
        models=(TraceModel(name="palm"), TraceModel(name="hand")),
    )
    return Trace(header=header, frames=tuple(frames))
