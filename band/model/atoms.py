"""The smallest parts of a model that can be slices of their own."""

from collections import defaultdict

import networkx as nx

from band.model.graph import Graph


def atoms(graph: Graph) -> tuple[tuple[int, ...], ...]:
    """Return the smallest legal parts over the compute ops, in topological order.

    Almost always one op each. Ops that share state (a variable tensor, a resource variable) stay
    together, and so does everything on a path between them: state lives in one interpreter. A
    control-flow op is one op here; its branches travel with it.

    Returns:
        Parts as ascending op indices. Each compute op is in exactly one part. Parts are ordered
        so that each reads only from earlier ones, by smallest op index where that is free.
    """
    groups = state_groups(graph)
    if all(len(group) < 2 for group in groups):
        return tuple((op,) for op in graph.compute_ops)
    flow: nx.DiGraph[int] = nx.DiGraph()
    flow.add_nodes_from(graph.compute_ops)
    compute = set(graph.compute_ops)
    for tensor, source in enumerate(graph.producer):
        if source in compute:
            flow.add_edges_from((source, c) for c in graph.consumers[tensor] if c in compute)
    for group in groups:
        nx.add_cycle(flow, group)
    # Ops on a cycle cannot be ordered apart: strongly connected components are the parts.
    parts = sorted(tuple(sorted(part)) for part in nx.strongly_connected_components(flow))
    home = {op: number for number, part in enumerate(parts) for op in part}
    order: nx.DiGraph[int] = nx.DiGraph()
    order.add_nodes_from(range(len(parts)))
    order.add_edges_from((home[a], home[b]) for a, b in flow.edges if home[a] != home[b])
    return tuple(parts[number] for number in nx.lexicographical_topological_sort(order))


def state_groups(graph: Graph) -> tuple[tuple[int, ...], ...]:
    """Return per piece of state the compute ops that read or write it, ascending.

    A slice that holds such ops keeps state between runs, so the stream of one client must always
    meet the same loaded slice.
    """
    users: defaultdict[str | int, set[int]] = defaultdict(set)
    for index in graph.compute_ops:
        op = graph.ops[index]
        for name in op.resources:
            users[name].add(index)
        for t in (*op.inputs, *op.outputs):
            if t >= 0 and graph.tensors[t].variable:
                users[t].add(index)
    return tuple(sorted({tuple(sorted(group)) for group in users.values()}))


def is_stateful(graph: Graph) -> bool:
    """Return whether a run of the model can depend on earlier runs."""
    return bool(state_groups(graph))
