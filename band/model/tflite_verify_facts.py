"""What a file says about its tensors and ops, in the form in which the verifier's rules read it."""

from struct import Struct
from typing import Any, Final, NamedTuple

import numpy as np

from band.model.tflite_verify_arity import Arity
from band.model.tflite_verify_limits import Limits, too_large
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
_LABEL_BYTES: Final = 200
_NUMBER_COST: Final = 64  # bytes that an array is read in while one number becomes an object


class TensorFacts(NamedTuple):
    """One tensor.

    Attributes:
        number: in its subgraph.
        shape: as the file has it; () also where it has none.
        sizes: the shape with -1 for each dimension that only a run tells.
        dtype: lower-case name.
        bits: width of one value; 0 if it has none (strings, handles).
        data: the bytes of its buffer.
        variable: it keeps its value between runs.
        quantization, sparsity: their tables, or None.
        name: where its name lies.
    """

    number: int
    shape: tuple[int, ...]
    sizes: tuple[int, ...]
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
