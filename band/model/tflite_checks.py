"""Checks of a parsed .tflite file: nothing points outside it, and its ops can be executed."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from band.errors import BandError, ErrorCode
from band.model.content import Content
from band.model.graph import Op, Tensor
from band.model.tflite_schema import IDENTIFIER, VERSION, subgraph_references

_ABSENT = -1  # an optional input that is not there


class _Pointer(NamedTuple):
    """One number of the file that points somewhere.

    Attributes:
        number: what it says.
        who: has it.
        target: what it points at.
        existing: how many of these there are.
        lowest: smallest number allowed.
    """

    number: int
    who: str
    target: str
    existing: int
    lowest: int = 0


def invalid(where: str, problem: str, **fields: object) -> BandError:
    """Return the error of a file that is not a usable model."""
    return BandError(ErrorCode.INVALID_MODEL, f"{where} {problem}", model=where, **fields)


def sequence(value: Any) -> Any:
    """Return a list or array of the file; an absent one is empty."""
    return [] if value is None else value


def check_header(content: Content, where: str) -> None:
    """Refuse bytes that do not even claim to be a .tflite file."""
    if not content:
        raise invalid(where, "is empty; get the file again")
    if len(content) < 8 or content[4:8] != IDENTIFIER:
        raise invalid(where, "is not a .tflite file (no TFL3 identifier)")


def check_indices(tree: Any, where: str) -> None:
    """Check that every number that points somewhere points inside the file.

    Raises:
        BandError: INVALID_MODEL if one does not; UNSUPPORTED_FEATURE if weights are elsewhere.
    """
    if tree.version != VERSION:
        raise invalid(where, f"has schema version {tree.version}; only version 3 can be read")
    if not tree.subgraphs:
        raise invalid(where, "has no subgraph; get the file again")
    for number, subgraph in enumerate(tree.subgraphs):
        for pointer in _pointers(tree, subgraph):
            if not pointer.lowest <= pointer.number < pointer.existing:
                raise invalid(
                    where,
                    f"is damaged: {pointer.who} in subgraph {number} names {pointer.target} "
                    f"{pointer.number}, but there are {pointer.existing}",
                )
        if any(tensor.externalBuffer for tensor in sequence(subgraph.tensors)):
            raise BandError(
                ErrorCode.UNSUPPORTED_FEATURE,
                f"{where} keeps weights in another file; convert it to a single .tflite file",
                model=where,
            )


def check_order(
    tensors: Sequence[Tensor], ops: Sequence[Op], graph_inputs: Sequence[int], where: str
) -> None:
    """Check that ops are in an order that can be executed and that no tensor has two writers.

    Raises:
        BandError: INVALID_MODEL if not.
    """
    ready = set(graph_inputs) | {t.index for t in tensors if t.constant or t.variable}
    written: set[int] = set(graph_inputs)
    for op in ops:
        for t in op.inputs:
            if t >= 0 and t not in ready:
                raise invalid(
                    where,
                    f"is damaged: op {op.index} ({op.type}) reads tensor {t} before it has a value",
                )
        for t in op.outputs:
            if t in written or tensors[t].constant:
                raise invalid(
                    where,
                    f"is damaged: op {op.index} ({op.type}) writes tensor {t}, which has a value",
                )
        written.update(op.outputs)
        ready.update(op.outputs)


def _pointers(tree: Any, subgraph: Any) -> Iterator[_Pointer]:
    """Yield all pointers of one subgraph."""
    tensors = len(sequence(subgraph.tensors))
    for number, tensor in enumerate(sequence(subgraph.tensors)):
        yield _Pointer(
            int(tensor.buffer), f"tensor {number}", "buffer", len(sequence(tree.buffers))
        )
    for what in ("inputs", "outputs"):
        for t in sequence(getattr(subgraph, what)):
            yield _Pointer(int(t), f"the list of {what}", "tensor", tensors)
    for number, op in enumerate(sequence(subgraph.operators)):
        who = f"op {number}"
        codes = len(sequence(tree.operatorCodes))
        yield _Pointer(int(op.opcodeIndex), who, "operator code", codes)
        for t in sequence(op.inputs):
            yield _Pointer(int(t), f"{who} input", "tensor", tensors, _ABSENT)
        for t in (*sequence(op.outputs), *sequence(op.intermediates)):
            yield _Pointer(int(t), who, "tensor", tensors)
        for options in (op.builtinOptions, op.builtinOptions2):
            for called in subgraph_references(options).values():
                for index in called:
                    yield _Pointer(index, who, "subgraph", len(tree.subgraphs))
