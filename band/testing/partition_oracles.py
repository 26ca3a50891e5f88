"""Brute force: the best plan of a small model, found by looking at all of them."""

from collections.abc import Callable, Sequence

from band.analysis.opgraph import bits_of, mask_of
from band.analysis.partition import Partition
from band.device.cost import estimate_us
from band.device.profile import Device
from band.device.support import refusals
from band.model.graph import Graph

Range = tuple[int, int, int]
"""(processor, first unit, last unit)."""


def best_of_all_ranges(
    graph: Graph, device: Device, partition: Partition, waits_us: Sequence[int]
) -> tuple[int, int]:
    """Return the latency of the best plan over all ranges of units, and how many processors it has.

    Every way to cut the canonical unit order into ranges and to give each range a processor that
    takes its ops is tried. Of plans of equal latency, one with the fewest processors counts.

    Args:
        graph: the model.
        device: its processors and links.
        partition: for its units; its subgraphs are not looked at.
        waits_us: per processor.
    """
    units = [unit.ops for unit in partition.units]
    refused = [set(refusals(p, graph)) for p in device.processors]
    costs: dict[Range, int | None] = {}

    def cost_us(processor: int, first: int, last: int) -> int | None:
        key = (processor, first, last)
        if key not in costs:
            ops = [op for unit in units[first : last + 1] for op in unit]
            taken = not refused[processor].intersection(ops)
            costs[key] = estimate_us(device.processors[processor], graph, ops) if taken else None
        return costs[key]

    def moved_us(boundary: int, source: int, target: int) -> int:
        return device.transfer_us(source, target, partition.boundary_bytes[boundary])

    return _best_from(0, -1, 0, 0, len(units), waits_us, cost_us, moved_us)


def _best_from(
    first: int,
    holder: int,
    ready_us: int,
    used: int,
    units: int,
    waits_us: Sequence[int],
    cost_us: Callable[[int, int, int], int | None],
    moved_us: Callable[[int, int, int], int],
) -> tuple[int, int]:
    if first == units:
        return ready_us, used.bit_count()
    found = []
    for processor, wait_us in enumerate(waits_us):
        arrival = ready_us if holder < 0 else ready_us + moved_us(first, holder, processor)
        for last in range(first, units):
            cost = cost_us(processor, first, last)
            if cost is None:
                break
            found.append(
                _best_from(
                    last + 1,
                    processor,
                    max(wait_us, arrival) + cost,
                    used | 1 << processor,
                    units,
                    waits_us,
                    cost_us,
                    moved_us,
                )
            )
    return min(found, default=(1 << 62, 0))


def best_of_all_partitions(graph: Graph, device: Device) -> int:
    """Return the latency of the best plan over all acyclic partitions when nothing waits.

    Parts that run one after another are differences of a chain of sets that are closed under
    predecessors, so all partitions into convex parts without cycles are chains of such sets. Fit
    for graphs of about seven ops without weight ops.
    """
    count = len(graph.ops)
    needs = [
        mask_of(graph.producer[t] for t in op.inputs if t >= 0 and graph.producer[t] >= 0)
        for op in graph.ops
    ]
    closed = [ops for ops in range(1 << count) if all(not needs[op] & ~ops for op in bits_of(ops))]
    refused = [mask_of(refusals(p, graph)) for p in device.processors]
    alive = {ops: _alive_bytes(graph, ops) for ops in closed}
    reached: dict[int, dict[int, int]] = {0: {-1: 0}}
    for done in sorted(closed, key=int.bit_count):
        for after in closed:
            part = after & ~done
            if not part or done & ~after or done not in reached:
                continue
            for processor in device.processors:
                if part & refused[processor.index]:
                    continue
                cost_us = estimate_us(processor, graph, tuple(bits_of(part)))
                finish = min(
                    ready
                    + (0 if h < 0 else device.transfer_us(h, processor.index, alive[done]))
                    + cost_us
                    for h, ready in reached[done].items()
                )
                known = reached.setdefault(after, {})
                known[processor.index] = min(finish, known.get(processor.index, finish))
    return min(reached[(1 << count) - 1].values())


def _alive_bytes(graph: Graph, ops: int) -> int:
    return sum(
        graph.tensors[t].byte_size or 0
        for t, source in enumerate(graph.producer)
        if source >= 0 and ops >> source & 1 and any(not ops >> c & 1 for c in graph.consumers[t])
    )
