"""The smallest parts of a model that can be slices of their own."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final

import networkx as nx

if TYPE_CHECKING:
    from band.model.graph import Graph, Op, Tensor

Part = tuple[int, ...]

# Values of these types cannot be handed from slice to slice: handles have none, strings no known
# size, and numpy, in which values travel, lacks the rest.
IMMOVABLE_DTYPES: Final = frozenset(
    {
        "resource", "variant", "string",
        "bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint4", "int2",
    }
)  # fmt: skip


def atoms(graph: "Graph") -> tuple[Part, ...]:
    """Return the smallest legal parts over the compute ops, in topological order.

    Almost always one op each. Ops that share state (a variable tensor, a resource variable) stay
    together, and so does everything on a path between them: state lives in one interpreter. The
    same holds for the maker and the readers of a tensor that cannot be handed on: one whose shape
    only a run tells, a string, a handle, a number that numpy lacks. A control-flow op is one op
    here; its branches travel with it.

    Returns:
        Parts as ascending op indices. Each compute op is in exactly one part. Parts are ordered
        so that each reads only from earlier ones, by smallest op index where that is free.
    """
    return graph.atoms


def state_groups(graph: "Graph") -> tuple[Part, ...]:
    """Return per piece of state the compute ops that read or write it, ascending.

    A slice that holds such ops keeps state between runs, so the stream of one client must always
    meet the same loaded slice.
    """
    return _state_groups(graph.tensors, graph.ops, graph.compute_ops)


def is_stateful(graph: "Graph") -> bool:
    """Return whether a run of the model can depend on earlier runs."""
    return bool(state_groups(graph))


def is_movable(tensor: "Tensor") -> bool:
    """Return whether a tensor can be handed from one slice to another.

    Its shape must be known before the run, and its type must be one of numpy's numbers.
    """
    known = tensor.shape is not None and all(d >= 0 for d in tensor.shape)
    return known and tensor.dtype not in IMMOVABLE_DTYPES


def smallest_parts(
    tensors: Sequence["Tensor"],
    ops: Sequence["Op"],
    producer: Sequence[int],
    consumers: Sequence[Sequence[int]],
    compute_ops: Sequence[int],
) -> tuple[Part, ...]:
    """Return what :func:`atoms` does, from the tables of a graph in the making."""
    compute = frozenset(compute_ops)
    groups = (
        *_state_groups(tensors, ops, compute_ops),
        *_bound_groups(tensors, producer, consumers, compute),
    )
    if all(len(group) < 2 for group in groups):
        return tuple((op,) for op in compute_ops)
    flow: nx.DiGraph[int] = nx.DiGraph()
    flow.add_nodes_from(compute_ops)
    for tensor, source in enumerate(producer):
        if source in compute:
            flow.add_edges_from((source, c) for c in consumers[tensor] if c in compute)
    for group in groups:
        nx.add_cycle(flow, group)
    # Ops on a cycle cannot be ordered apart: strongly connected components are the parts.
    parts = sorted(tuple(sorted(part)) for part in nx.strongly_connected_components(flow))
    home = {op: number for number, part in enumerate(parts) for op in part}
    order: nx.DiGraph[int] = nx.DiGraph()
    order.add_nodes_from(range(len(parts)))
    order.add_edges_from((home[a], home[b]) for a, b in flow.edges if home[a] != home[b])
    return tuple(parts[number] for number in nx.lexicographical_topological_sort(order))


def _state_groups(
    tensors: Sequence["Tensor"], ops: Sequence["Op"], compute_ops: Iterable[int]
) -> tuple[Part, ...]:
    users: defaultdict[str | int, set[int]] = defaultdict(set)
    for index in compute_ops:
        op = ops[index]
        for name in op.resources:
            users[name].add(index)
        for t in (*op.inputs, *op.outputs):
            if t >= 0 and tensors[t].variable:
                users[t].add(index)
    return tuple(sorted({tuple(sorted(group)) for group in users.values()}))


def _bound_groups(
    tensors: Sequence["Tensor"],
    producer: Sequence[int],
    consumers: Sequence[Sequence[int]],
    compute: Collection[int],
) -> tuple[Part, ...]:
    """Return the makers of tensors that cannot be handed on, each with its readers."""
    return tuple(
        (producer[t.index], *(c for c in consumers[t.index] if c in compute))
        for t in tensors
        if producer[t.index] in compute and not is_movable(t)
    )
