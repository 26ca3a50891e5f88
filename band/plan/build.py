"""From a partition to a plan table: a cost, boundary tensors and memory for every span."""

from band.analysis.partition import Partition
from band.device.cost import PartWork, Pricing
from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.memory.ranges import range_memory
from band.model.graph import Graph
from band.plan.table import PlanTable, Span


def build_table(
    graph: Graph, device: Device, partition: Partition, *, name: str, version: int = 1
) -> PlanTable:
    """Return the plan table of a model on a device.

    Costs and energies are those of the device profile, transfers move all tensors alive at a
    boundary. A subgraph that is no range of whole units (Band's ``fallback_per_worker`` can make
    some) has no place in a chain and is left out.

    Args:
        graph: the model.
        device: its processors and links.
        partition: what ``analyze`` made of the two.
        name: the registered name.
        version: of the table.

    Raises:
        BandError: UNSUPPORTED_MODEL if a unit holds only ops that read constants (band mode can
            make such units), if the candidate subgraphs cannot be chained from start to end, or if
            a processor has no cost coefficients.
    """
    units = _compute_units(graph, partition)
    spans = _spans(graph, device, partition, units)
    _check_chain(graph, partition, spans)
    return PlanTable(
        model=name,
        version=version,
        processors=tuple(p.name for p in device.processors),
        unit_count=len(units),
        dependencies=tuple(unit.dependencies for unit in partition.units),
        spans=tuple(spans),
        transfer_us=_transfers(device, partition),
    )


def _spans(
    graph: Graph, device: Device, partition: Partition, units: list[tuple[int, ...]]
) -> list[Span]:
    """Return all candidate spans, sorted; work and memory are summed as a range grows."""
    wanted = _wanted(partition)
    used = sorted({processor for processors in wanted.values() for processor in processors})
    prices = {processor: Pricing(device.processors[processor], graph) for processor in used}
    spans: list[Span] = []
    part = PartWork(graph)
    for memory in range_memory(graph, units):
        if memory.first == memory.last:
            part = PartWork(graph)
        part.add(units[memory.last])
        for processor in wanted.get((memory.first, memory.last), ()):
            cost_us = prices[processor].part_us(part)
            spans.append(
                Span(
                    first=memory.first,
                    last=memory.last,
                    processor=processor,
                    cost_us=cost_us,
                    inputs=memory.inputs,
                    outputs=memory.outputs,
                    peak_bytes=memory.peak_bytes,
                    load_bytes=memory.load_bytes,
                    energy_uj=device.processors[processor].energy_uj(cost_us),
                )
            )
    return spans


def _wanted(partition: Partition) -> dict[tuple[int, int], list[int]]:
    """Return (first, last) -> processors, ascending, of the subgraphs that are ranges of units."""
    wanted: dict[tuple[int, int], set[int]] = {}
    for subgraph in partition.subgraphs:
        first, last = subgraph.units[0], subgraph.units[-1]
        whole = sum(len(partition.units[u].ops) for u in range(first, last + 1))
        if len(subgraph.units) == last - first + 1 and len(subgraph.ops) == whole:
            wanted.setdefault((first, last), set()).add(subgraph.processor)
    return {span: sorted(processors) for span, processors in wanted.items()}


def _compute_units(graph: Graph, partition: Partition) -> list[tuple[int, ...]]:
    """Return the compute ops of each unit."""
    weight = set(graph.weight_ops)
    units = [tuple(op for op in unit.ops if op not in weight) for unit in partition.units]
    for index, ops in enumerate(units):
        if not ops:
            constant = partition.units[index].ops
            raise BandError(
                ErrorCode.UNSUPPORTED_MODEL,
                f"unit {index} of model {graph.name} holds only ops that read constants (op "
                f"{constant[0]}, {graph.ops[constant[0]].type}), which no slice can hold alone; "
                "use cost mode",
                model=graph.name,
                unit=index,
            )
    return units


def _transfers(device: Device, partition: Partition) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """Return [boundary][from][to]; nothing moves before the first unit and after the last."""
    everyone = range(len(device.processors))
    nothing = ((0,) * len(everyone),) * len(everyone)
    inner = tuple(
        tuple(tuple(device.transfer_us(a, b, count) for b in everyone) for a in everyone)
        for count in partition.boundary_bytes[1:-1]
    )
    return (nothing, *inner, nothing)


def _check_chain(graph: Graph, partition: Partition, spans: list[Span]) -> None:
    reached = {0}
    for span in sorted(spans):
        if span.first in reached:
            reached.add(span.last + 1)
    if len(partition.units) not in reached:
        raise BandError(
            ErrorCode.UNSUPPORTED_MODEL,
            f"the subgraphs that {partition.preparation} prepares for model {graph.name} do not "
            "make a chain from its inputs to its outputs; use merge_unit_subgraph",
            model=graph.name,
        )
