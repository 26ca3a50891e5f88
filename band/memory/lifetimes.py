"""Tensor lifetimes: from when to when each activation of an op set must be kept.

The rules are those of TFLite's arena planner, which never overwrites inputs and outputs: what
enters lives from the start to the end, what leaves from its op to the end, and everything else
from the op that makes it to the last one that reads it.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from band.model.graph import Graph


class Lifetime(NamedTuple):
    """How long one tensor lives, in positions of the op order, both ends included."""

    tensor: int
    first: int
    last: int
    byte_count: int


def lifetimes(graph: Graph, ops: Sequence[int]) -> tuple[Lifetime, ...]:
    """Return the lifetimes of all activations that a set of ops touches.

    Constants, what weight ops make of them and variables are no activations: they stay as long
    as a slice is loaded.

    Args:
        graph: the model.
        ops: compute ops, in the order of execution.

    Returns:
        One entry per activation; a tensor without a static shape counts as 0 bytes.
    """
    place = {op: position for position, op in enumerate(ops)}
    kept = set(graph.outputs)
    end = len(ops) - 1
    touched = dict.fromkeys(
        t for op in ops for t in (*graph.ops[op].inputs, *graph.ops[op].outputs) if t >= 0
    )
    found = []
    for t in touched:
        if t in graph.weight_tensors or graph.tensors[t].variable:
            continue
        first, last = 0, end
        if graph.producer[t] in place:
            first = last = place[graph.producer[t]]
            readers = [place.get(c, end) for c in graph.consumers[t]]
            last = end if t in kept else max(readers, default=last)
        found.append(Lifetime(t, first, last, graph.tensors[t].byte_size or 0))
    return tuple(found)


def peak_bytes(graph: Graph, ops: Sequence[int]) -> int:
    """Return the most activation bytes alive at once while ops run in this order; 0 for none."""
    change = [0] * (len(ops) + 1)
    for life in lifetimes(graph, ops):
        change[life.first] += life.byte_count
        change[life.last + 1] -= life.byte_count
    return max(accumulate(change))
