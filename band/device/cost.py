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

from band.device.profile import CostCoefficients, Processor
from band.errors import BandError, ErrorCode
from band.model.graph import Graph
from band.model.work import OpWork, graph_work, op_work

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
    return _dtypes(_table(graph), ops)[0]


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
    table = _table(graph)
    part_us = _formula_us(processor, table, ops)
    published_us = published_latency_us(processor, graph)
    if published_us is not None:
        part_us *= published_us / _formula_us(processor, table, graph.compute_ops)
    return max(1, round(part_us))


def published_latency_us(processor: Processor, graph: Graph) -> int | None:
    """Return the published latency of exactly this file on a processor, or None."""
    rows = (row for row in processor.published if row.sha256 == graph.sha256)
    return next((row.latency_us for row in rows), None)


class _WorkTable(NamedTuple):
    """Work and compute type of every compute op of a graph, and their totals."""

    graph: Graph
    works: Mapping[int, OpWork]
    dtypes: Mapping[int, str | None]
    total: OpWork
    dtype: str


def _formula_us(processor: Processor, table: _WorkTable, ops: Collection[int]) -> float:
    cost = _coefficients(processor, table, ops)
    works = [table.works[op] for op in ops if op in table.works]
    extra = cost.depthwise_weight - 1
    weighted = sum(w.macs + extra * w.depthwise_macs for w in works)
    whole = table.total.macs + extra * table.total.depthwise_macs
    macs = weighted * table.total.macs / whole if whole else 0.0
    us = cost.dispatch_us + cost.per_op_us * len(works) + cost.us_per_gmac * macs / _MACS_PER_GMAC
    if cost.us_per_offchip_mb:
        weight_mb = graph_work(table.graph, ops).parameter_bytes / _BYTES_PER_MB
        us += cost.us_per_offchip_mb * max(0.0, weight_mb - cost.onchip_mb)
    return max(us, 1.0)


def _coefficients(
    processor: Processor, table: _WorkTable, ops: Collection[int]
) -> CostCoefficients:
    if not processor.costs:
        message = f"processor {processor.name} has no cost coefficients; give it some"
        raise BandError(ErrorCode.UNSUPPORTED_MODEL, message, processor=processor.name)
    known = {c.dtype: c for c in processor.costs}
    return next((known[d] for d in _dtypes(table, ops) if d in known), processor.costs[0])


def _dtypes(table: _WorkTable, ops: Collection[int]) -> tuple[str, ...]:
    """Return compute types, best first: by MACs, then the whole model's, then by number of ops."""
    macs: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for op in ops:
        dtype = table.dtypes.get(op)
        if dtype is not None:
            count[dtype] += 1
            if table.works[op].macs:
                macs[dtype] += table.works[op].macs
    ranked = [d for d, _ in macs.most_common()] or [table.dtype]
    return (*ranked, *(d for d, _ in count.most_common()))


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
    return _WorkTable(graph, works, dtypes, graph_work(graph), dominant)
