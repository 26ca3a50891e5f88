"""Writes parts of a model as .tflite files of their own.

The rules (measured on real models with both runtimes): weight ops and their constants go into
every slice that needs them; state stays in one slice; control flow travels with the subgraphs it
calls; every tensor keeps its quantisation and sparsity; byte data is aligned to 16.
"""

from collections.abc import Collection, Iterable

from band.errors import BandError, ErrorCode
from band.model.atoms import atoms
from band.model.graph import Graph
from band.model.model import Model
from band.model.slice import Slice
from band.model.tflite_assembly import Assembly


def write_slice(model: Model, ops: Collection[int]) -> Slice:
    """Write a part of a model as a file of its own.

    Args:
        model: the model; shapes come from its graph.
        ops: op indices. Weight ops need not be named: what the part needs is copied into it.

    Returns:
        The slice. Its inputs are all tensors read but not made there, its outputs all tensors made
        there that other ops read or that leave the model; both in ascending tensor order. A part
        of weight ops alone (Band makes such units) has neither: each reader has its own copy.

    Raises:
        BandError: INVALID_REQUEST if the set is empty, names an unknown op, cuts ops that share
            state, or is not convex (data would leave the slice and come back).
    """
    graph = model.graph
    compute = _checked(graph, ops)
    chosen = set(compute)
    written = _with_weight_ops(graph, compute or tuple(ops))
    read = {t for op in compute for t in graph.dynamic_inputs(op)}
    made = {t for op in compute for t in graph.ops[op].outputs}
    leaving = set(graph.outputs)
    outputs = sorted(
        t for t in made if t in leaving or any(c not in chosen for c in graph.consumers[t])
    )
    return _write(model, compute, written, sorted(read - made), outputs)


def write_whole(model: Model) -> Slice:
    """Write the whole model with the shapes of its graph: what chains of slices are compared with.

    Inputs and outputs are those of the model, in its order.
    """
    graph = model.graph
    everything = range(len(graph.ops))
    return _write(model, graph.compute_ops, everything, graph.inputs, graph.outputs)


def _write(
    model: Model,
    compute: tuple[int, ...],
    written: Iterable[int],
    inputs: Iterable[int],
    outputs: Iterable[int],
) -> Slice:
    assembly = Assembly(model)
    inputs, outputs = tuple(inputs), tuple(outputs)
    assembly.add_main(tuple(written), inputs, outputs)
    return Slice(ops=compute, inputs=inputs, outputs=outputs, content=assembly.content())


def _checked(graph: Graph, ops: Collection[int]) -> tuple[int, ...]:
    """Return the compute ops of a legal set, ascending."""
    if not ops:
        raise _refused(graph, "cannot be cut to a slice of no op; name at least one", ops)
    unknown = [op for op in ops if not 0 <= op < len(graph.ops)]
    if unknown:
        last = len(graph.ops) - 1
        raise _refused(graph, f"has no op {unknown[0]}; its ops are 0 to {last}", ops)
    weight = set(graph.weight_ops)
    compute = tuple(sorted({int(op) for op in ops} - weight))
    chosen = set(compute)
    for part in atoms(graph):
        inside = chosen.intersection(part)
        if inside and len(inside) < len(part):
            left_out = next(op for op in part if op not in chosen)
            raise _refused(
                graph,
                f"cannot be cut between op {min(inside)} and op {left_out}: they share state; "
                f"keep the ops {_span(part)} in one slice",
                ops,
            )
    _check_convex(graph, chosen)
    return compute


def _check_convex(graph: Graph, chosen: set[int]) -> None:
    """Refuse a set from which data leaves and comes back."""
    behind: set[int] = set()  # ops outside the set that depend on it
    for index in graph.compute_ops:
        sources = {graph.producer[t] for t in graph.dynamic_inputs(index)}
        between = sources & behind
        if index not in chosen and (between or sources & chosen):
            behind.add(index)
        elif index in chosen and between:
            raise _refused(
                graph,
                f"cannot be cut so that op {index} is in the slice and op {min(between)}, which "
                f"it needs and which needs the slice, is not; add that op",
                chosen,
            )


def _with_weight_ops(graph: Graph, compute: tuple[int, ...]) -> tuple[int, ...]:
    """Return the ops of a slice in file order: its compute ops and the weight ops they need."""
    weight = set(graph.weight_ops)
    needed = set(compute)
    waiting = list(compute)
    while waiting:
        for t in graph.ops[waiting.pop()].inputs:
            source = graph.producer[t] if t >= 0 else -1
            if source in weight and source not in needed:
                needed.add(source)
                waiting.append(source)
    if any(graph.ops[op].resources or graph.ops[op].type == "HASHTABLE" for op in needed):
        needed.update(op for op in weight if graph.ops[op].type == "CALL_ONCE")
    return tuple(sorted(needed))


def _span(part: tuple[int, ...]) -> str:
    listed = ", ".join(str(op) for op in part[:8])
    return listed + (", ..." if len(part) > 8 else "")


def _refused(graph: Graph, problem: str, ops: Collection[int]) -> BandError:
    return BandError(
        ErrorCode.INVALID_REQUEST, f"model {graph.name!r} {problem}", model=graph.name, ops=ops
    )
