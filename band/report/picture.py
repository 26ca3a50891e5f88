"""The partition of a model as a grid: a column per op in canonical order, a row per processor.

What the terminal strip and the SVG draw; no size, no colour, no text layout here.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from band.analysis.partition import Partition
from band.device.profile import Device
from band.model.graph import Graph
from band.plan.explain import Explanation
from band.plan.explain_plans import Cut, ExplainedStep


class Cell(IntEnum):
    """What one processor does with one op."""

    REFUSED = 0
    TAKEN = 1
    CHOSEN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One processor.

    Attributes:
        reasons: op -> why it is refused.
        ops: how many ops it takes.
        mac_share: of the model's multiply-accumulates that it takes.
    """

    name: str
    available: bool
    cells: tuple[Cell, ...]
    reasons: dict[int, str]
    ops: int
    mac_share: float


class Extent(NamedTuple):
    """Columns first..last, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The partition of a model.

    Attributes:
        title: the model, the device and the word that its figures must carry.
        word: that word ("emulated"), or "".
        ops: op index per column.
        types: op type per column.
        rows: one per processor, by index.
        units: the columns of each unit.
        steps: the steps of the chosen plan with their columns; empty without a plan.
        cuts: the cuts of the plan, each between the steps of its position and the next one.
        latency_us: of the plan, None without one.
    """

    title: str
    word: str
    ops: tuple[int, ...]
    types: tuple[str, ...]
    rows: tuple[Row, ...]
    units: tuple[Extent, ...]
    steps: tuple[tuple[ExplainedStep, Extent], ...]
    cuts: tuple[Cut, ...]
    latency_us: int | None


def picture(
    graph: Graph, device: Device, partition: Partition, explanation: Explanation
) -> Picture:
    """Return the grid of a partition and the way of the chosen plan through it."""
    units: list[Extent] = []
    for unit in partition.units:
        first = units[-1].last + 1 if units else 0
        units.append(Extent(first, first + len(unit.ops) - 1))
    plan = explanation.plans[0] if explanation.plans else None
    steps = tuple(
        (step, Extent(units[step.units[0]].first, units[step.units[-1]].last))
        for step in (plan.steps if plan else ())
    )
    word = "emulated" if device.emulated else ""
    return Picture(
        title=f"{graph.name} on {f'{word} ' if word else ''}{device.name}",
        word=word,
        ops=explanation.order,
        types=tuple(graph.ops[op].type for op in explanation.order),
        rows=tuple(_row(device, partition, explanation, steps, p.index) for p in device.processors),
        units=tuple(units),
        steps=steps,
        cuts=plan.cuts if plan else (),
        latency_us=plan.latency_us if plan else None,
    )


def _row(
    device: Device,
    partition: Partition,
    explanation: Explanation,
    steps: tuple[tuple[ExplainedStep, Extent], ...],
    index: int,
) -> Row:
    support = explanation.processors[index].support
    name = device.processors[index].name
    refused = set(support.refused)
    cells = [Cell.REFUSED if op in refused else Cell.TAKEN for op in explanation.order]
    for step, extent in steps:
        if step.processor == index:
            cells[extent.first : extent.last + 1] = [Cell.CHOSEN] * (extent.last - extent.first + 1)
    return Row(
        name=name,
        available=support.available,
        cells=tuple(cells),
        reasons={u.op: u.reason for u in partition.unsupported if u.processor == name},
        ops=len(support.takes),
        mac_share=support.amount.macs / max(1, explanation.total.macs),
    )
