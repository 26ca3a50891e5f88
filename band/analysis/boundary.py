"""Which tensors cross from one unit to the next."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from band.model.graph import Graph


class Boundaries(NamedTuple):
    """Per boundary 0..U: the tensors alive there by original id, and their bytes."""

    tensors: tuple[tuple[int, ...], ...]
    byte_counts: tuple[int, ...]


def boundaries(graph: Graph, units: Sequence[Sequence[int]]) -> Boundaries:
    """Return what is alive between units: made before a boundary, read at or after it.

    Skip tensors travel along. Model inputs and outputs are not counted as such, and neither are
    tensors made by weight ops: each slice holds its own copy. A tensor without a static shape
    counts as 0 bytes.

    Args:
        graph: the model.
        units: ops per unit, in topological order of the units.
    """
    alive: list[list[int]] = [[] for _ in range(len(units) + 1)]
    for tensor, first, last in _crossings(graph, units):
        for boundary in range(first, last + 1):
            alive[boundary].append(tensor)
    return Boundaries(
        tuple(tuple(tensors) for tensors in alive),
        tuple(sum(graph.tensors[t].byte_size or 0 for t in tensors) for tensors in alive),
    )


def boundary_bytes(graph: Graph, units: Sequence[Sequence[int]]) -> list[int]:
    """Return only the bytes alive per boundary, in time linear in the size of the graph."""
    change = [0] * (len(units) + 2)
    for tensor, first, last in _crossings(graph, units):
        byte_count = graph.tensors[tensor].byte_size or 0
        change[first] += byte_count
        change[last + 1] -= byte_count
    return list(accumulate(change[:-1]))


def _crossings(graph: Graph, units: Sequence[Sequence[int]]) -> Iterator[tuple[int, int, int]]:
    """Yield (tensor, first boundary, last boundary) of what is made in one unit for another."""
    home = {op: unit for unit, ops in enumerate(units) for op in ops}
    weight = set(graph.weight_ops)
    for tensor, source in enumerate(graph.producer):
        if source not in home or source in weight:
            continue
        last = max((home[c] for c in graph.consumers[tensor] if c in home), default=-1)
        if last > home[source]:
            yield tensor, home[source] + 1, last
