"""Who takes what of a model, and who refuses what: counts, shares, groups that stay readable."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from band.analysis.partition import Partition, Unsupported
from band.device.cost import estimate_us
from band.device.profile import Device
from band.memory.ranges import range_memory
from band.model.graph import Graph
from band.model.work import graph_work
from band.plan.evidence import CostBasis, Known, basis_of
from band.plan.table import PlanTable

_WHICH = re.compile(r"\b(op|tensor) \d+(?: \([^)]*\))?")


class Amount(NamedTuple):
    """How much of a model a set of ops is.

    Attributes:
        macs: multiply-accumulates.
        weight_bytes: constants read, each once, as the file stores them.
        activation_bytes: activations written.
    """

    ops: int = 0
    macs: int = 0
    weight_bytes: int = 0
    activation_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What one processor takes of a model.

    Attributes:
        available: False if the device lists it but it cannot be used; then it takes nothing.
        takes: ops in the canonical order.
        refused: the other ops, in the canonical order.
        amount: the work of what it takes.
    """

    processor: int
    available: bool
    takes: tuple[int, ...]
    refused: tuple[int, ...]
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """The whole model on one processor alone.

    Attributes:
        latency_us: None if the processor does not take every op.
        basis: how the latency is known.
        peak_bytes: activations alive at the worst moment.
        load_bytes: memory that the loaded model takes.
        hindered_by: the first op, in the canonical order, that the processor refuses.
    """

    latency_us: int | None
    basis: CostBasis | None
    peak_bytes: int
    load_bytes: int
    hindered_by: Unsupported | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitGroup:
    """All units that the same processors take."""

    processors: tuple[int, ...]
    units: tuple[int, ...]
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalGroup:
    """Ops that one processor refuses for one reason.

    Attributes:
        reason: of all of them; where they name different ops or tensors, these are left out.
        types: op types with their counts, the most frequent first.
        ops: in the canonical order.
    """

    processor: int
    reason: str
    types: tuple[tuple[str, int], ...]
    ops: tuple[int, ...]
    amount: Amount


def amount(graph: Graph, ops: Sequence[int]) -> Amount:
    """Return how much of a model a set of ops is; shared constants count once."""
    work = graph_work(graph, ops)
    return Amount(len(ops), work.macs, work.parameter_bytes, work.written_bytes)


def supports(
    graph: Graph, device: Device, partition: Partition, order: Sequence[int]
) -> tuple[Support, ...]:
    """Return per processor of the device what it takes of the ops in ``order``."""
    refused: dict[str, set[int]] = {p.name: set() for p in device.processors}
    for entry in partition.unsupported:
        refused[entry.processor].add(entry.op)
    found = []
    for processor in device.processors:
        no = refused[processor.name] if processor.available else set(order)
        takes = tuple(op for op in order if op not in no)
        found.append(
            Support(
                processor=processor.index,
                available=processor.available,
                takes=takes,
                refused=tuple(op for op in order if op in no),
                amount=amount(graph, takes),
            )
        )
    return tuple(found)


def whole_models(
    graph: Graph,
    device: Device,
    partition: Partition,
    found: Sequence[Support],
    table: PlanTable | None,
    profiled: Mapping[tuple[int, int, int], Known],
) -> tuple[Whole | None, ...]:
    """Return the whole model on each available processor alone, None for the others.

    The latency is that of the table; where the table has no such span (another preparation, or
    other spans are better) it is estimated from the device profile.
    """
    (memory,) = range_memory(graph, [graph.compute_ops])
    reasons = {(entry.processor, entry.op): entry for entry in partition.unsupported}
    wholes: list[Whole | None] = []
    for support in found:
        processor = device.processors[support.processor]
        if not support.available:
            wholes.append(None)
            continue
        latency_us = basis = None
        if not support.refused and processor.costs:
            key = (0, table.unit_count - 1 if table is not None else 0, processor.index)
            span = table.find(*key) if table is not None else None
            latency_us = span.cost_us if span else estimate_us(processor, graph, graph.compute_ops)
            known = profiled.get(key) if span else None
            basis = basis_of(processor, graph, graph.compute_ops, profiled=known)
        wholes.append(
            Whole(
                latency_us=latency_us,
                basis=basis,
                peak_bytes=memory.peak_bytes,
                load_bytes=memory.load_bytes,
                hindered_by=reasons.get((processor.name, support.refused[0]))
                if support.refused
                else None,
            )
        )
    return tuple(wholes)


def grouped_units(graph: Graph, partition: Partition) -> tuple[UnitGroup, ...]:
    """Return the units by who takes them, the group with the most ops first."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for unit in partition.units:
        groups.setdefault(unit.processors, []).append(unit.index)
    found = [
        UnitGroup(
            processors=processors,
            units=tuple(units),
            amount=amount(graph, [op for u in units for op in partition.units[u].ops]),
        )
        for processors, units in groups.items()
    ]
    return tuple(sorted(found, key=lambda group: (-group.amount.ops, group.units)))


def grouped_refusals(
    graph: Graph, device: Device, partition: Partition, order: Sequence[int]
) -> tuple[RefusalGroup, ...]:
    """Return refused ops by processor and reason, by processor, the largest group first.

    Reasons that differ only in the op or tensor they name make one group.
    """
    place = {op: position for position, op in enumerate(order)}
    groups: dict[tuple[str, str], list[Unsupported]] = {}
    for entry in partition.unsupported:
        groups.setdefault((entry.processor, _WHICH.sub(r"another \1", entry.reason)), []).append(
            entry
        )
    index = {p.name: p.index for p in device.processors}
    found = []
    for (name, reason), entries in groups.items():
        ops = sorted((e.op for e in entries), key=lambda op: (place.get(op, len(place)), op))
        told = {entry.reason for entry in entries}
        found.append(
            RefusalGroup(
                processor=index[name],
                reason=told.pop() if len(told) == 1 else reason,
                types=tuple(Counter(e.type for e in entries).most_common()),
                ops=tuple(ops),
                amount=amount(graph, ops),
            )
        )
    return tuple(sorted(found, key=lambda g: (g.processor, -len(g.ops), g.ops)))
