"""What a part of a model costs on a processor, by formula or by a published latency.

Formula for a set of ops, charged once per subgraph:
``dispatch + per_op * ops + rate * GMAC + offchip_rate * max(0, weight MB - onchip MB)``.
The rates of device profiles were fitted on plain MACs of whole models. Class weights therefore
only distribute a model's time over its ops: the weighted MACs are scaled so that the whole model
has its plain MACs.

A published latency of the exact file is what the whole model costs; a part of it costs the
formula's value times published / formula of the whole. Scaling the dispatch too keeps every part
positive where the published figure lies below the fitted dispatch.

All functions are pure. Work per op is counted once per graph and kept for the last few graphs.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from band.device.profile import Processor
from band.errors import BandError, ErrorCode
from band.model.graph import Graph
from band.model.work import OpWork, graph_work, op_work, parameters

COMPUTE_DTYPES: Final = ("float32", "int8", "int16")
"""What coefficients can hold for. Tensors of other types (indices, booleans) carry no MACs."""

_CLASS_OF: Final[Mapping[str, str]] = MappingProxyType(
    {
        "float32": "float32",
        "float16": "float32",
        "bfloat16": "float32",
        "float64": "float32",
        "complex64": "float32",
        "complex128": "float32",
        "int8": "int8",
        "uint8": "int8",
        "int4": "int8",
        "uint4": "int8",
        "int16": "int16",
        "uint16": "int16",
    }
)
_MACS_PER_GMAC: Final = 1e9
_BYTES_PER_MB: Final = 1e6
_GRAPHS_KEPT: Final = 16


def op_dtype(graph: Graph, op: int) -> str | None:
    """Return the compute type of one op, None if it handles only indices, booleans or text.

    The first data input that has a compute type decides, else the outputs: weights do not, so a
    model with fp16 or int8 weights and float activations computes in float32.
    """
    tensors = (*graph.dynamic_inputs(op), *graph.ops[op].outputs)
    classes = (_CLASS_OF.get(graph.tensors[t].dtype) for t in tensors)
    return next((c for c in classes if c is not None), None)


def compute_dtype(graph: Graph, ops: Collection[int]) -> str:
    """Return the compute type that a set of ops is charged for.

    It is the type of most of their MACs. Ops without MACs are charged as the whole model is, so
    that a tail of element-wise ops costs the same type of dispatch as the rest.
    """
    return PartWork(graph, ops).dtypes[0]


def cost_refusal(processor: Processor, dtype: str | None) -> str | None:
    """Return why a processor cannot be charged for a compute type, or None if it can.

    Args:
        processor: any processor.
        dtype: as ``op_dtype`` gives it; None needs no coefficient of its own.
    """
    if dtype is None and processor.costs:
        return None
    if any(c.dtype == dtype for c in processor.costs):
        return None
    return f"no cost coefficient for {dtype or 'any type'} on {processor.name}"


def estimate_us(processor: Processor, graph: Graph, ops: Collection[int]) -> int:
    """Return the expected latency of a set of ops as one subgraph, in microseconds, at least 1.

    Args:
        processor: one that takes all the ops.
        graph: the whole model, with its shapes.
        ops: op indices; weight ops among them are free.

    Raises:
        BandError: UNSUPPORTED_MODEL if the processor has no cost coefficients at all.
    """
    return Pricing(processor, graph).part_us(PartWork(graph, ops))


def published_latency_us(processor: Processor, graph: Graph) -> int | None:
    """Return the published latency of exactly this file on a processor, or None."""
    rows = (row for row in processor.published if row.sha256 == graph.sha256)
    return next((row.latency_us for row in rows), None)


class _WorkTable(NamedTuple):
    """Work, compute type and constants of every compute op of a graph, and their totals."""

    works: Mapping[int, OpWork]
    dtypes: Mapping[int, str | None]
    parameters: Mapping[int, tuple[tuple[int, int], ...]]
    total: OpWork
    dtype: str


class PartWork:
    """The work of a part of a model that may grow: what a price needs, summed as ops are added.

    Args:
        graph: the whole model, with its shapes.
        ops: ops to begin with.

    Attributes:
        ops: compute ops of the part, in the order in which they were added.
    """

    __slots__ = ("_seen", "count", "depthwise_macs", "dtype_macs", "dtype_ops", "macs", "ops",
                 "parameter_bytes", "table")  # fmt: skip

    def __init__(self, graph: Graph, ops: Collection[int] = ()) -> None:
        self.table = _table(graph)
        self.ops: list[int] = []
        self.count = 0
        self.macs = 0
        self.depthwise_macs = 0
        self.parameter_bytes = 0
        self.dtype_macs: Counter[str] = Counter()
        self.dtype_ops: Counter[str] = Counter()
        self._seen: set[int] = set()
        self.add(ops)

    def add(self, ops: Collection[int]) -> None:
        """Add ops that are not in the part yet; weight ops among them are free."""
        for op in ops:
            work = self.table.works.get(op)
            if work is None:
                continue
            self.ops.append(op)
            self.count += 1
            self.macs += work.macs
            self.depthwise_macs += work.depthwise_macs
            dtype = self.table.dtypes[op]
            if dtype is not None:
                self.dtype_ops[dtype] += 1
                if work.macs:
                    self.dtype_macs[dtype] += work.macs
            for tensor, byte_count in self.table.parameters[op]:
                if tensor not in self._seen:
                    self._seen.add(tensor)
                    self.parameter_bytes += byte_count

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Return compute types, best first: by MACs, then the whole model's, then by ops."""
        ranked = [d for d, _ in self.dtype_macs.most_common()] or [self.table.dtype]
        return (*ranked, *(d for d, _ in self.dtype_ops.most_common()))


class Pricing:
    """What one processor charges for parts of one model.

    Args:
        processor: one that takes the parts.
        graph: the whole model, with its shapes.

    Raises:
        BandError: UNSUPPORTED_MODEL if the processor has no cost coefficients at all.
    """

    __slots__ = ("_costs", "_first", "_scale", "_table")

    def __init__(self, processor: Processor, graph: Graph) -> None:
        if not processor.costs:
            message = f"processor {processor.name} has no cost coefficients; give it some"
            raise BandError(ErrorCode.UNSUPPORTED_MODEL, message, processor=processor.name)
        self._costs = {c.dtype: c for c in processor.costs}
        self._first = processor.costs[0]
        self._table = _table(graph)
        self._scale = 1.0
        published_us = published_latency_us(processor, graph)
        if published_us is not None:
            whole_us = self._formula_us(PartWork(graph, graph.compute_ops))
            self._scale = published_us / whole_us

    def part_us(self, part: PartWork) -> int:
        """Return the expected latency of a part as one subgraph, at least 1."""
        return max(1, round(self._formula_us(part) * self._scale))

    def _formula_us(self, part: PartWork) -> float:
        known = (self._costs[d] for d in part.dtypes if d in self._costs)
        cost = next(known, self._first)
        total = self._table.total
        extra = cost.depthwise_weight - 1
        whole = total.macs + extra * total.depthwise_macs
        weighted = part.macs + extra * part.depthwise_macs
        macs = weighted * total.macs / whole if whole else 0.0
        us = cost.dispatch_us + cost.per_op_us * part.count
        us += cost.us_per_gmac * macs / _MACS_PER_GMAC
        weight_mb = part.parameter_bytes / _BYTES_PER_MB
        us += cost.us_per_offchip_mb * max(0.0, weight_mb - cost.onchip_mb)
        return max(us, 1.0)


class _Same:
    """A graph as a key of a cache, compared by identity: hashing all its tensors would be slow.

    The cache holds the graph, so its identity cannot be reused while it is a key.
    """

    __slots__ = ("graph",)

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __hash__(self) -> int:
        return id(self.graph)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.graph is self.graph


def _table(graph: Graph) -> _WorkTable:
    return _count(_Same(graph))


@lru_cache(maxsize=_GRAPHS_KEPT)
def _count(key: _Same) -> _WorkTable:
    graph = key.graph
    works = {op: op_work(graph, op) for op in graph.compute_ops}
    dtypes = {op: op_dtype(graph, op) for op in graph.compute_ops}
    macs: Counter[str] = Counter()
    for op, dtype in dtypes.items():
        if dtype is not None:
            # MACs decide; a model without any is what most of its ops are.
            macs[dtype] += works[op].macs * len(works) + 1
    dominant = macs.most_common(1)[0][0] if macs else COMPUTE_DTYPES[0]
    constants = {
        op: tuple((t, graph.tensors[t].buffer_bytes) for t in parameters(graph, (op,)))
        for op in graph.compute_ops
    }
    return _WorkTable(works, dtypes, constants, graph_work(graph), dominant)
