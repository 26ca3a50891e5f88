"""What a file says about its tensors and ops, every index of it checked.

The structure of the bytes is known to be sound here. What is not: numbers that name tensors,
buffers, operator codes and subgraphs, types, and where buffers lie.
"""

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Any, Final, NamedTuple

import numpy as np

from band.errors import BandError, ErrorCode
from band.model.tflite_verify_arity import Arity, arities
from band.model.tflite_verify_limits import Limits, invalid, too_large
from band.model.tflite_verify_structure import Span

# Types by number; the schema's names in lower case, and the width of one value in bits.
DTYPES: Final = (
    ("float32", 32), ("float16", 16), ("int32", 32), ("uint8", 8), ("int64", 64), ("string", 0),
    ("bool", 8), ("int16", 16), ("complex64", 64), ("int8", 8), ("float64", 64),
    ("complex128", 128), ("uint64", 64), ("resource", 0), ("variant", 0), ("uint32", 32),
    ("uint16", 16), ("int4", 4), ("bfloat16", 16), ("int2", 2), ("uint4", 4),
    ("float8_e4m3fn", 8), ("float8_e5m2", 8),
)  # fmt: skip
CUSTOM: Final = "CUSTOM"
_PLACEHOLDER_OFFSET: Final = 1  # a converter's mark for data that it has not placed yet
_LABEL_BYTES: Final = 200
_NUMBER_COST: Final = 64  # bytes that an array is read in while one number becomes an object


class TensorFacts(NamedTuple):
    """One tensor.

    Attributes:
        number: in its subgraph.
        shape: as the file has it; () also where it has none.
        dtype: lower-case name.
        bits: width of one value; 0 if it has none (strings, handles).
        data: the bytes of its buffer.
        variable: it keeps its value between runs.
        quantization, sparsity: their tables, or None.
        name: where its name lies.
    """

    number: int
    shape: tuple[int, ...]
    dtype: str
    bits: int
    data: Span
    variable: bool
    quantization: Any
    sparsity: Any
    name: Span

    @property
    def constant(self) -> bool:
        """Whether the file holds its value."""
        return not self.variable and (self.data.length > 0 or 0 in self.shape)


class OpFacts(NamedTuple):
    """One op.

    Attributes:
        number: in its subgraph.
        kind: builtin name; ``CUSTOM`` for a custom op.
        arity: what such an op takes.
        inputs, outputs, intermediates: tensors; -1 for one that is absent.
        options: the table of its options, or None.
        custom: bytes of custom options.
        custom_name: of a custom op.
    """

    number: int
    kind: str
    arity: Arity
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    intermediates: tuple[int, ...]
    options: Any
    custom: Span
    custom_name: str


class SubgraphFacts(NamedTuple):
    """One subgraph; ``calls`` are the subgraphs that its ops name."""

    number: int
    tensors: tuple[TensorFacts, ...]
    ops: tuple[OpFacts, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    calls: frozenset[int]


class Meter:
    """Counts the bytes of vectors that are read, since many tables can name one vector."""

    __slots__ = ("_left", "_where")

    def __init__(self, where: str, limit_bytes: int) -> None:
        self._where = where
        self._left = limit_bytes

    def charge(self, size_bytes: int) -> None:
        """Count bytes.

        Raises:
            BandError: UNSUPPORTED_FEATURE if they are too many.
        """
        self._left -= size_bytes
        if self._left < 0:
            raise too_large(self._where, "it takes too long to check; its tables share vectors")


class FileFacts(NamedTuple):
    """One file: its bytes, its name in messages, the limits, what was read, the subgraphs."""

    content: memoryview
    where: str
    limits: Limits
    meter: Meter
    subgraphs: tuple[SubgraphFacts, ...]

    def label(self, tensor: TensorFacts) -> str:
        """Return the name of a tensor for messages, its index if it has none."""
        start, length = tensor.name
        text = bytes(self.content[start : start + min(length, _LABEL_BYTES)])
        return repr(text.decode("utf-8", errors="replace")) if text else str(tensor.number)

    def numbers(self, span: Span, code: str) -> tuple[Any, ...]:
        """Return a vector's values; ``code`` is that of the struct module."""
        if span.length > 1:
            self.meter.charge(_NUMBER_COST * span.length)
        return Struct(f"<{span.length}{code}").unpack_from(self.content, span.start)

    def array(self, span: Span, dtype: str) -> "np.ndarray[Any, np.dtype[Any]]":
        """Return a vector as an array that shares the file's bytes."""
        size_bytes = span.length * np.dtype(dtype).itemsize
        self.meter.charge(size_bytes)
        raw = self.content[span.start : span.start + size_bytes]
        return np.frombuffer(raw, dtype=dtype)

    def integers(self, tensor: TensorFacts) -> tuple[int, ...] | None:
        """Return the values of an int32 or int64 constant, None of any other tensor."""
        if not tensor.constant or tensor.dtype not in {"int32", "int64"}:
            return None
        code = "i" if tensor.dtype == "int32" else "q"
        count = tensor.data.length * 8 // tensor.bits
        return self.numbers(Span(tensor.data.start, count), code)


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
        return TensorFacts(
            number=index,
            shape=self._integers(tensor.shape),
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
