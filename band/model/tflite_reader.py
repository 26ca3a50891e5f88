"""Reads a .tflite file into a :class:`~band.model.model.Model`, checking every index on the way."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from struct import error as StructError  # noqa: N812 - an exception class with a lower-case name
from typing import Any

import numpy as np

from band.errors import BandError, ErrorCode
from band.model.graph import Graph
from band.model.model import Model
from band.model.tflite_convert import convert_op, convert_tensor, op_types
from band.model.tflite_resources import op_resources
from band.model.tflite_schema import IDENTIFIER, VERSION, schema, subgraph_references, text

# What the generated FlatBuffers code raises on bytes that are not what they claim to be.
_DAMAGE = (
    StructError, ValueError, IndexError, TypeError, AttributeError, KeyError, OverflowError,
    MemoryError,
)  # fmt: skip


def read_model(source: str | Path | bytes, *, name: str | None = None) -> Model:
    """Read a .tflite file.

    Args:
        source: path of the file, or its bytes.
        name: the model's name; the file's stem if None ("model" for bytes).

    Returns:
        The model. The constants stay views of the bytes; nothing large is copied.

    Raises:
        BandError: NOT_FOUND if there is no such file; INVALID_MODEL if it is no readable .tflite
            file; UNSUPPORTED_FEATURE if its weights are in another file.
    """
    path = None if isinstance(source, bytes) else Path(source)
    content = source if isinstance(source, bytes) else _read_bytes(Path(source))
    label = name if name is not None else (path.stem if path is not None else "model")
    where = str(path) if path is not None else f"model {label!r}"
    _check_header(content, where)
    try:
        tree = schema().ModelT.InitFromObj(schema().Model.GetRootAs(content, 0))
        _inline_external_data(tree, content, where)
        _check_indices(tree, where)
        graph = _graph(tree, label, hashlib.sha256(content).hexdigest(), where)
    except _DAMAGE as error:
        raise invalid(where, "is damaged or truncated; get the file again") from error
    return Model(graph=graph, content=content, path=path, tree=tree)


def invalid(where: str, problem: str, **fields: object) -> BandError:
    """Return the error of a file that is not a usable model."""
    return BandError(ErrorCode.INVALID_MODEL, f"{where} {problem}", model=where, **fields)


def _read_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise invalid(str(path), "is a folder; name a .tflite file in it")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        msg = f"no file {path}; check the path, or see `band models list` for known names"
        raise BandError(ErrorCode.NOT_FOUND, msg, model=str(path)) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        msg = f"cannot read {path}: {reason}; check the path and its permissions"
        raise BandError(ErrorCode.NOT_FOUND, msg, model=str(path)) from error


def _check_header(content: bytes, where: str) -> None:
    if not content:
        raise invalid(where, "is empty; get the file again")
    if len(content) < 8 or content[4:8] != IDENTIFIER:
        raise invalid(where, "is not a .tflite file (no TFL3 identifier)")


def _inline_external_data(tree: Any, content: bytes, where: str) -> None:
    """Make data that lies behind the flatbuffer (files above 2 GB) views like all other data."""
    whole = np.frombuffer(content, dtype=np.uint8)

    def span(offset: int, size: int, what: str) -> Any:
        if offset + size > len(whole):
            raise invalid(where, f"is truncated: {what} lies past the end of the file")
        return whole[offset : offset + size]

    for number, buffer in enumerate(tree.buffers or ()):
        # Offset 1 is a converter's placeholder; real offsets lie behind the flatbuffer.
        if buffer.size > 0 and buffer.offset > 1:
            buffer.data = span(buffer.offset, buffer.size, f"buffer {number}")
            buffer.offset = buffer.size = 0
    for subgraph in tree.subgraphs or ():
        for number, op in enumerate(_sequence(subgraph.operators)):
            if op.largeCustomOptionsSize > 0 and op.largeCustomOptionsOffset > 1:
                op.customOptions = span(
                    op.largeCustomOptionsOffset,
                    op.largeCustomOptionsSize,
                    f"data of op {number}",
                )
                op.largeCustomOptionsOffset = op.largeCustomOptionsSize = 0


def _check_indices(tree: Any, where: str) -> None:
    """Check that every number that points somewhere points inside the file."""
    if tree.version != VERSION:
        raise invalid(where, f"has schema version {tree.version}; only version 3 can be read")
    if not tree.subgraphs:
        raise invalid(where, "has no subgraph; get the file again")
    codes, buffers = len(_sequence(tree.operatorCodes)), len(_sequence(tree.buffers))
    for number, subgraph in enumerate(tree.subgraphs):
        tensors = _sequence(subgraph.tensors)
        for index, what, limit in _pointers(subgraph, tensors):
            low = -1 if what.endswith("input") else 0
            bound = {"tensor": len(tensors), "buffer": buffers, "operator code": codes}.get(
                limit, len(tree.subgraphs)
            )
            if not low <= index < bound:
                raise invalid(
                    where,
                    f"is damaged: {what} in subgraph {number} names {limit} {index}, "
                    f"but there are {bound}",
                )
        for tensor in tensors:
            if tensor.externalBuffer:
                raise BandError(
                    ErrorCode.UNSUPPORTED_FEATURE,
                    f"{where} keeps weights in another file; convert it to a single .tflite file",
                    model=where,
                )


def _pointers(subgraph: Any, tensors: list[Any]) -> Iterator[tuple[int, str, str]]:
    """Yield (index, who points, what it points at) for all pointers of one subgraph."""
    for number, tensor in enumerate(tensors):
        yield int(tensor.buffer), f"tensor {number}", "buffer"
    for what in ("inputs", "outputs"):
        for t in _sequence(getattr(subgraph, what)):
            yield int(t), f"the list of {what}", "tensor"
    for number, op in enumerate(_sequence(subgraph.operators)):
        yield int(op.opcodeIndex), f"op {number}", "operator code"
        for t in _sequence(op.inputs):
            yield int(t), f"op {number} input", "tensor"
        for t in (*_sequence(op.outputs), *_sequence(op.intermediates)):
            yield int(t), f"op {number}", "tensor"
        for options in (op.builtinOptions, op.builtinOptions2):
            for called in subgraph_references(options).values():
                for index in called:
                    yield index, f"op {number}", "subgraph"


def _graph(tree: Any, name: str, sha256: str, where: str) -> Graph:
    main = tree.subgraphs[0]
    types = op_types(tree, where)
    graph_inputs = tuple(int(t) for t in _sequence(main.inputs))
    outputs = tuple(int(t) for t in _sequence(main.outputs))
    operators = _sequence(main.operators)
    if not operators:
        raise invalid(where, "has no operators; there is nothing to run")
    produced = {int(t) for op in operators for t in _sequence(op.outputs)}
    given = produced | set(graph_inputs)
    tensors = tuple(
        convert_tensor(i, t, tree.buffers[int(t.buffer)], computed=i in given, where=where)
        for i, t in enumerate(_sequence(main.tensors))
    )
    resources = op_resources(tree, types)
    ops = tuple(
        convert_op(i, op, types[int(op.opcodeIndex)], resources[i])
        for i, op in enumerate(operators)
    )
    _check_order(tensors, ops, graph_inputs, where)
    for t in outputs:
        if t not in produced:
            what = text(main.tensors[t].name) or t
            raise invalid(where, f"has an output {what!r} that no op computes")
    return Graph.build(
        name=name,
        sha256=sha256,
        tensors=tensors,
        ops=ops,
        inputs=graph_inputs,
        outputs=outputs,
        subgraph_count=len(tree.subgraphs),
    )


def _check_order(tensors: Any, ops: Any, graph_inputs: tuple[int, ...], where: str) -> None:
    """Check that ops are in an order that can be executed and that no tensor has two writers."""
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


def _sequence(value: Any) -> Any:
    """Return a list or array of the file; an absent one is empty."""
    return [] if value is None else value
