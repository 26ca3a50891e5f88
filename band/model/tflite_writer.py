"""Writes parts of a model as .tflite files of their own.

The rules (measured on real models with both runtimes): weight ops and their constants go into
every slice that needs them; state stays in one slice; control flow travels with the subgraphs it
calls; every tensor keeps its quantisation and sparsity; byte data is aligned to 16.
"""

from collections.abc import Collection
from pathlib import Path

from band.errors import BandError, ErrorCode
from band.model.graph import Graph
from band.model.model import Model
from band.model.slice import Slice
from band.model.tflite_assembly import Assembly
from band.model.tflite_external import fits, pack_in_pieces
from band.model.tflite_schema import pack


def write_slice(model: Model, ops: Collection[int]) -> Slice:
    """Write a part of a model as a file of its own.

    Args:
        model: the model; shapes come from its graph.
        ops: op indices. Weight ops need not be named: what the part needs is copied into it.

    Returns:
        The slice. Its inputs are all tensors read but not made there, its outputs all tensors made
        there that other ops read or that leave the model; both in ascending tensor order. An
        output of the model that no op makes (a constant, a variable tensor) leaves the slice that
        :func:`loose_outputs` says. A part of weight ops alone (Band makes such units) has neither
        inputs nor outputs: each reader has its own copy. Above 2 GiB the weights lie behind the
        flatbuffer.

    Raises:
        BandError: INVALID_REQUEST if the set is empty, names an unknown op, cuts an atom, or is
            not convex (data would leave the slice and come back).
    """
    graph = model.graph
    compute = _checked(graph, ops)
    chosen = set(compute)
    written = _with_weight_ops(graph, compute or tuple(ops))
    read = {t for op in compute for t in graph.dynamic_inputs(op)}
    made = {t for op in compute for t in graph.ops[op].outputs}
    leaving = set(graph.outputs)
    outputs = {t for t in made if t in leaving or any(c not in chosen for c in graph.consumers[t])}
    outputs.update(t for t, op in loose_outputs(graph).items() if op in chosen)
    assembly = Assembly(model)
    inputs = tuple(sorted(read - made))
    assembly.add_main(written, inputs, tuple(sorted(outputs)))
    content = _content(assembly.tree())
    return Slice(ops=compute, inputs=inputs, outputs=tuple(sorted(outputs)), content=content)


def write_whole(model: Model) -> Slice:
    """Write the whole model with the shapes of its graph: what chains of slices are compared with.

    Inputs and outputs are those of the model, in its order, and its signatures come along.
    :func:`save_whole` takes less memory where the model is large.
    """
    graph = model.graph
    content = _content(_whole_tree(model))
    return Slice(ops=graph.compute_ops, inputs=graph.inputs, outputs=graph.outputs, content=content)


def save_whole(model: Model, path: Path) -> None:
    """Write what :func:`write_whole` does to a file, piece by piece.

    Raises:
        OSError: the file cannot be written.
    """
    tree = _whole_tree(model)
    with path.open("wb") as file:
        for piece in (pack(tree),) if fits(tree) else pack_in_pieces(tree):
            file.write(piece)


def loose_outputs(graph: Graph) -> dict[int, int]:
    """Return the outputs of the model that no op makes, with the op whose slice hands them out.

    These are constants and variable tensors; an input that is an output too is with the caller.
    """
    loose = [t for t in graph.outputs if graph.producer[t] < 0 and t not in graph.inputs]
    compute = set(graph.compute_ops) if loose else set[int]()
    return {t: min(compute.intersection(graph.consumers[t]) or compute) for t in loose if compute}


def _content(tree: object) -> bytes:
    return pack(tree) if fits(tree) else b"".join(pack_in_pieces(tree))


def _whole_tree(model: Model) -> object:
    graph = model.graph
    assembly = Assembly(model)
    assembly.add_main(tuple(range(len(graph.ops))), graph.inputs, graph.outputs)
    return assembly.tree(signatures=True)


def _checked(graph: Graph, ops: Collection[int]) -> tuple[int, ...]:
    """Return the compute ops of a legal set, ascending."""
    if not ops:
        raise _refused(graph, "cannot be cut to a slice of no op; name at least one", ops)
    unknown = [op for op in ops if not 0 <= op < len(graph.ops)]
    if unknown:
        last = len(graph.ops) - 1
        raise _refused(graph, f"has no op {unknown[0]}; its ops are 0 to {last}", ops)
    compute = tuple(sorted({int(op) for op in ops if graph.atom_of[op] >= 0}))
    chosen = set(compute)
    for part in dict.fromkeys(graph.atoms[graph.atom_of[op]] for op in compute):
        if left_out := [op for op in part if op not in chosen]:
            inside = min(chosen.intersection(part))
            raise _refused(
                graph,
                f"cannot be cut between op {inside} and op {left_out[0]}: they share state or a "
                f"tensor that cannot be handed on; keep the ops {_span(part)} in one slice",
                ops,
            )
    _check_convex(graph, chosen)
    return compute


def _check_convex(graph: Graph, chosen: set[int]) -> None:
    """Refuse a set from which data leaves and comes back.

    Ops are in an order that can be executed, so only those between the first and the last of the
    set can lie on such a path.
    """
    behind: set[int] = set()  # ops outside the set that depend on it
    for index in range(min(chosen, default=0), max(chosen, default=-1) + 1):
        if graph.atom_of[index] < 0:
            continue
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
    needed = set(compute)
    waiting = list(compute)
    while waiting:
        for t in graph.ops[waiting.pop()].inputs:
            source = graph.producer[t] if t >= 0 else -1
            if source >= 0 and source not in needed and graph.atom_of[source] < 0:
                needed.add(source)
                waiting.append(source)
    if resources := {name for op in needed for name in graph.ops[op].resources}:
        needed.update(
            op
            for op in graph.weight_ops
            if graph.ops[op].type == "CALL_ONCE" and resources.intersection(graph.ops[op].resources)
        )
    return tuple(sorted(needed))


def _span(part: tuple[int, ...]) -> str:
    listed = ", ".join(str(op) for op in part[:8])
    return listed + (", ..." if len(part) > 8 else "")


def _refused(graph: Graph, problem: str, ops: Collection[int]) -> BandError:
    return BandError(
        ErrorCode.INVALID_REQUEST, f"model {graph.name!r} {problem}", model=graph.name, ops=ops
    )
