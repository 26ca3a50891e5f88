"""Reads a .tflite file that the verifier has passed into a :class:`~band.model.model.Model`."""

import hashlib
from collections.abc import Sequence, Set
from pathlib import Path
from struct import error as StructError  # noqa: N812 - an exception class with a lower-case name
from typing import Any

import numpy as np

from band.errors import BandError, ErrorCode
from band.model.content import Content, open_content
from band.model.graph import Graph, Tensor, forget_shapes
from band.model.model import Model
from band.model.shape_claims import doubtful_shapes
from band.model.tflite_convert import HANDLE_DTYPES, convert_op, convert_tensor, op_types
from band.model.tflite_resources import op_resources
from band.model.tflite_schema import schema
from band.model.tflite_verify import verify_bytes
from band.model.tflite_verify_limits import invalid

# What the generated FlatBuffers code raises on bytes that are not what they claim to be.
_DAMAGE = (
    StructError, ValueError, IndexError, TypeError, AttributeError, KeyError, OverflowError,
    MemoryError,
)  # fmt: skip


def read_model(source: str | Path | Content, *, name: str | None = None) -> Model:
    """Read a .tflite file.

    Args:
        source: path of the file, or what it holds.
        name: the model's name; the file's stem if None ("model" for bytes).

    Returns:
        The model. The constants stay views of the bytes; nothing large is copied. A large file is
        mapped into memory, not read; it must stay as it is while the model is in use. Shapes that
        the file leaves open, or claims without being able to know them, are None.

    Raises:
        BandError: NOT_FOUND if there is no such file; INVALID_MODEL if it is no readable .tflite
            file; UNSUPPORTED_FEATURE if its weights are in another file, or an input or output is
            a handle that only has a meaning inside an interpreter.
    """
    path = None if isinstance(source, bytes | memoryview) else Path(source)
    content = source if isinstance(source, bytes | memoryview) else open_content(Path(source))
    label = name if name is not None else (path.stem if path is not None else "model")
    where = str(path) if path is not None else f"model {label!r}"
    verify_bytes(content, where)
    try:
        tree = schema().ModelT.InitFromObj(schema().Model.GetRootAs(content, 0))
        _inline_external_data(tree, content, where)
        graph = _graph(tree, label, hashlib.sha256(content).hexdigest(), where)
    except _DAMAGE as error:
        raise invalid(where, "is damaged or truncated; get the file again") from error
    return Model(graph=graph, content=content, path=path, tree=tree)


def _inline_external_data(tree: Any, content: Content, where: str) -> None:
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


def _graph(tree: Any, name: str, sha256: str, where: str) -> Graph:
    main = tree.subgraphs[0]
    types = op_types(tree, where)
    graph_inputs = tuple(int(t) for t in _sequence(main.inputs))
    outputs = tuple(int(t) for t in _sequence(main.outputs))
    operators = _sequence(main.operators)
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
    _check_ends(tensors, given, graph_inputs, outputs, where)
    graph = Graph.build(
        name=name,
        sha256=sha256,
        tensors=tensors,
        ops=ops,
        inputs=graph_inputs,
        outputs=outputs,
        subgraph_count=len(tree.subgraphs),
    )
    return forget_shapes(graph, doubtful_shapes(graph))


def _check_ends(
    tensors: Sequence[Tensor],
    given: Set[int],
    inputs: Sequence[int],
    outputs: Sequence[int],
    where: str,
) -> None:
    """Check that every output has a value and that no input or output is a handle."""
    for t in outputs:
        if t not in given and not tensors[t].constant and not tensors[t].variable:
            raise invalid(where, f"has an output {tensors[t].name or t!r} that no op computes")
    for role, ends in (("input", inputs), ("output", outputs)):
        for t in ends:
            if tensors[t].dtype in HANDLE_DTYPES:
                raise BandError(
                    ErrorCode.UNSUPPORTED_FEATURE,
                    f"{where} has an {role} {tensors[t].name or t!r} of type {tensors[t].dtype}, "
                    f"which has no value outside an interpreter; convert it without that {role}",
                    model=where,
                )


def _sequence(value: Any) -> Any:
    """Return a list or array of the file; an absent one is empty."""
    return [] if value is None else value
