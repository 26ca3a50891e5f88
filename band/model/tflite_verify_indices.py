"""Turns the tables of a file into facts about its tensors and ops, checking every index.

The structure of the bytes is known to be sound here. What is not: numbers that name tensors,
buffers, operator codes and subgraphs, types, and where buffers lie.
"""

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Any, Final

from band.errors import BandError, ErrorCode
from band.model.tflite_verify_arity import Arity, arities
from band.model.tflite_verify_facts import (
    DTYPES,
    FileFacts,
    Meter,
    OpFacts,
    SubgraphFacts,
    TensorFacts,
)
from band.model.tflite_verify_limits import Limits, invalid, too_large
from band.model.tflite_verify_structure import Span

_PLACEHOLDER_OFFSET: Final = 1  # a converter's mark for data that it has not placed yet


def read_facts(model: Any, content: memoryview, where: str, limits: Limits) -> FileFacts:
    """Check every index of a parsed file and return its tensors and ops.

    Args:
        model: the ``Model`` table that the structure walk returned.
        content: the file.
        where: the file, for messages.
        limits: on lists and ranks.

    Raises:
        BandError: INVALID_MODEL if a number points nowhere; UNSUPPORTED_FEATURE if weights are in
            another file or a limit is passed.
    """
    return _Reading(model, content, where, limits).facts()


class _Reading:
    """The tables of one file, on their way to facts."""

    def __init__(self, model: Any, content: memoryview, where: str, limits: Limits) -> None:
        self._model = model
        self._content = content
        self._where = where
        self._limits = limits
        self._operands = 0
        self._buffers: tuple[Span, ...] = ()
        self._codes: tuple[tuple[Arity, str], ...] = ()

    def facts(self) -> FileFacts:
        """Return the facts."""
        model = self._model
        self._buffers = tuple(self._buffer(i, b) for i, b in enumerate(model.buffers))
        self._codes = tuple(self._code(c) for c in model.operator_codes)
        subgraphs = tuple(self._subgraph(i, s) for i, s in enumerate(model.subgraphs))
        for number in self._list(model.metadata_buffer):
            self._range(number, "the metadata list", "buffer", len(self._buffers))
        for entry in model.metadata:
            self._range(entry.buffer, "a metadata entry", "buffer", len(self._buffers))
        for signature in model.signature_defs:
            number = signature.subgraph_index
            self._range(number, "a signature", "subgraph", len(subgraphs))
            for entry in (*signature.inputs, *signature.outputs):
                existing = len(subgraphs[number].tensors)
                self._range(entry.tensor_index, "a signature", "tensor", existing)
        meter = Meter(self._where, self._limits.scanned_bytes)
        return FileFacts(self._content, self._where, self._limits, meter, subgraphs)

    def _buffer(self, index: int, buffer: Any) -> Span:
        """Return where a buffer's bytes lie; those of files above 2 GiB lie behind the tables."""
        if buffer.size == 0 or buffer.offset <= _PLACEHOLDER_OFFSET:
            return Span(*buffer.data)
        if buffer.data.length:
            raise self._damaged(f"buffer {index} has its data in two places")
        return self._outside(buffer.offset, buffer.size, f"buffer {index}")

    def _outside(self, offset: int, size: int, what: str) -> Span:
        if offset + size > len(self._content):
            raise invalid(
                self._where, f"is damaged or truncated: {what} lies past the end of the file"
            )
        return Span(offset, size)

    def _code(self, code: Any) -> tuple[Arity, str]:
        number = max(code.builtin_code, code.deprecated_builtin_code)
        if not 0 <= number < len(arities()):
            raise invalid(
                self._where,
                f"uses operator code {number}, which this version of the runtime lacks",
            )
        name = bytes(self._content[code.custom_code.start :][: code.custom_code.length])
        return arities()[number], name.decode("utf-8", errors="replace")

    def _subgraph(self, number: int, subgraph: Any) -> SubgraphFacts:
        place = f" in subgraph {number}"
        tensors = tuple(self._tensor(i, t, place) for i, t in enumerate(subgraph.tensors))
        ends = []
        for what in ("inputs", "outputs"):
            ends.append(self._list(getattr(subgraph, what)))
            self._ranges(ends[-1], f"the list of {what}{place}", len(tensors), 0)
        ops = tuple(self._op(i, o, len(tensors), place) for i, o in enumerate(subgraph.operators))
        calls = frozenset(c for op in ops for c in self._called(op, place))
        return SubgraphFacts(number, tensors, ops, ends[0], ends[1], calls)

    def _tensor(self, index: int, tensor: Any, place: str) -> TensorFacts:
        if not 0 <= tensor.type < len(DTYPES):
            raise invalid(self._where, f"has a tensor {index} of unknown type {tensor.type}")
        if tensor.external_buffer:
            raise BandError(
                ErrorCode.UNSUPPORTED_FEATURE,
                f"{self._where} keeps weights in another file; convert it to a single .tflite file",
                model=self._where,
            )
        self._range(tensor.buffer, f"tensor {index}{place}", "buffer", len(self._buffers))
        rank = max(tensor.shape.length, tensor.shape_signature.length)
        if rank > self._limits.rank:
            raise too_large(
                self._where,
                f"tensor {index}{place} has {rank} dimensions, and {self._limits.rank} are allowed",
            )
        dtype, bits = DTYPES[tensor.type]
        shape, sizes = self._integers(tensor.shape), self._integers(tensor.shape_signature)
        if len(sizes) != len(shape) or -1 not in sizes:
            sizes = shape
        return TensorFacts(
            number=index,
            shape=shape,
            sizes=sizes,
            dtype=dtype,
            bits=bits,
            data=self._buffers[tensor.buffer],
            variable=bool(tensor.is_variable),
            quantization=tensor.quantization,
            sparsity=tensor.sparsity,
            name=tensor.name,
        )

    def _op(self, index: int, op: Any, tensors: int, place: str) -> OpFacts:
        who = f"op {index}"
        self._range(op.opcode_index, f"{who}{place}", "operator code", len(self._codes))
        arity, custom_name = self._codes[op.opcode_index]
        lists = (self._list(op.inputs), self._list(op.outputs), self._list(op.intermediates))
        self._ranges(lists[0], f"{who} input{place}", tensors, -1)
        for ids in lists[1:]:
            self._ranges(ids, f"{who}{place}", tensors, 0)
        custom = Span(*op.custom_options)
        if op.large_custom_options_size and op.large_custom_options_offset > _PLACEHOLDER_OFFSET:
            custom = self._outside(
                op.large_custom_options_offset,
                op.large_custom_options_size,
                f"data of op {index}",
            )
        options = op.builtin_options2 if op.builtin_options is None else op.builtin_options
        if op.builtin_options is not None and op.builtin_options2 is not None:
            raise self._damaged(f"{who}{place} has two tables of options")
        return OpFacts(index, arity.name, arity, *lists, options, custom, custom_name)

    def _called(self, op: OpFacts, place: str) -> Iterator[int]:
        """Yield the subgraphs that an op's options name."""
        for field in getattr(op.options, "_fields", ()):
            value = getattr(op.options, field)
            numbers: tuple[int, ...] = ()
            if field.endswith("subgraph_index") or field == "subgraph":
                numbers = (value,)
            elif field in {"branch_subgraph_indices", "called_computations"}:
                numbers = self._list(value)
            for number in numbers:
                self._range(
                    number, f"op {op.number}{place}", "subgraph", len(self._model.subgraphs)
                )
                yield number

    def _list(self, span: Span) -> tuple[int, ...]:
        """Return a list of ids; all lists together are limited, since they can share bytes."""
        self._operands += span.length
        if self._operands > self._limits.operands:
            raise too_large(self._where, f"it has more than {self._limits.operands} operands")
        return self._integers(span)

    def _integers(self, span: Span) -> tuple[int, ...]:
        if not span.length:
            return ()
        return Struct(f"<{span.length}i").unpack_from(self._content, span.start)

    def _ranges(self, ids: Sequence[int], who: str, existing: int, lowest: int) -> None:
        if ids and not (lowest <= min(ids) and max(ids) < existing):
            wrong = next(t for t in ids if not lowest <= t < existing)
            self._range(wrong, who, "tensor", existing)

    def _range(self, number: int, who: str, target: str, existing: int) -> None:
        if not 0 <= number < existing:
            raise self._damaged(f"{who} names {target} {number}, but there are {existing}")

    def _damaged(self, problem: str) -> BandError:
        return invalid(self._where, f"is damaged: {problem}")
