"""What the time of a subgraph is made of: counts that a fitted cost model has a price for.

Per op a few counts of work of one class (``pointwise.float`` MACs, ``binary.int8`` values); per
subgraph one dispatch and the data at its boundary. Times add up over ops but for the boundary, so
ops fused into their neighbours are told from the graph: XNNPACK takes an activation into the op
before it and padding of floats into the convolution after it.

Multiply-accumulates are counted as blocked kernels run them: output channels in steps of 16 and,
for quantised types, input channels in steps of 8. A convolution of 4 input and 10 output channels
costs what one of 8 and 16 does (CoDL, MobiSys'22, prices its kernels the same way).
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from math import prod
from types import MappingProxyType
from typing import Final

from band.device.fit_classes import CLASS_OF, FUSED, SCALAR, dtype_class
from band.model.graph import Graph, Op
from band.model.work import op_work

Terms = Mapping[str, float]
"""Term -> how much of it."""

DISPATCH: Final = "dispatch"
_CHANNELS_OUT: Final = 16
_CHANNELS_IN: Final = 8
_ACTIVATIONS: Final = frozenset({"RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"})
_TAKE_ACTIVATION: Final = frozenset(
    {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "ADD", "MUL", "SUB"}
)
_TAKE_PADDING: Final = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})


class GraphTerms:
    """The terms of all ops of a model.

    Args:
        graph: the model, with its shapes.

    Attributes:
        ops: compute op -> its terms.
    """

    __slots__ = ("graph", "ops")

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.ops: Mapping[int, Terms] = {op: op_terms(graph, op) for op in graph.compute_ops}

    def part(self, ops: Collection[int]) -> Terms:
        """Return the terms of a set of ops as one subgraph; weight ops among them are free."""
        inputs, outputs = boundary(self.graph, ops)
        total = Counter(self.edge(inputs, outputs))
        for op in ops:
            total.update(self.ops.get(op, {}))
        return total

    def edge(self, inputs: Iterable[int], outputs: Iterable[int]) -> dict[str, float]:
        """Return the terms of a subgraph beside its ops: one dispatch, and its boundary.

        Outputs are copied once; inputs are read from memory that nobody has touched since.
        """
        inputs, outputs = tuple(inputs), tuple(outputs)
        tensors = self.graph.tensors
        return {
            DISPATCH: 1.0,
            "boundary_tensors": float(len(inputs) + len(outputs)),
            "input_bytes": float(sum(tensors[t].byte_size or 0 for t in inputs)),
            "output_bytes": float(sum(tensors[t].byte_size or 0 for t in outputs)),
        }


def boundary(graph: Graph, ops: Collection[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the tensors that a set of ops reads from outside and those it hands on."""
    weight = set(graph.weight_ops)
    chosen = set(ops) - weight
    made = {t for op in chosen for t in graph.ops[op].outputs}
    read = {t for op in chosen for t in graph.dynamic_inputs(op)} - made
    leaving = set(graph.outputs)
    handed = (t for t in made if t in leaving or any(c not in chosen for c in graph.consumers[t]))
    return tuple(sorted(read)), tuple(sorted(handed))


def op_terms(graph: Graph, op: int) -> Terms:
    """Return the terms of one compute op."""
    node = graph.ops[op]
    if _is_fused(graph, node):
        return {FUSED: 1.0}
    name = CLASS_OF.get(node.type)
    dtype = dtype_class(graph, op)
    if name is not None:
        return {"op": 1.0, **_COUNTS[name](graph, node, dtype)}
    work = op_work(graph, op)
    if work.macs:
        return {"op": 1.0, f"recurrent.{dtype}": float(work.macs)}
    return {"op": 1.0, f"{SCALAR}.{node.type}": float(_values(graph, _touched(graph, node)))}


def _is_fused(graph: Graph, node: Op) -> bool:
    data = graph.dynamic_inputs(node.index)
    if node.type in _ACTIVATIONS and len(data) == 1:
        source = graph.producer[data[0]]
        return (
            source >= 0
            and graph.ops[source].type in _TAKE_ACTIVATION
            and len(graph.consumers[data[0]]) == 1
        )
    if node.type == "PAD" and dtype_class(graph, node.index) == "float":
        readers = graph.consumers[node.outputs[0]]
        return len(readers) == 1 and graph.ops[readers[0]].type in _TAKE_PADDING
    return False


def _convolution(graph: Graph, node: Op, dtype: str) -> Terms:
    """Filter [out, height, width, in]; without im2col, but each tap of a pixel has a pointer."""
    weights, output = _shape(graph, node.inputs, 1), _shape(graph, node.outputs, 0)
    if len(weights) != 4 or not output:
        return {}
    pixels, taps = prod(output[:-1]), weights[1] * weights[2]
    depth = weights[3] if dtype == "float" else _up(weights[3], _CHANNELS_IN)
    block = _up(weights[0], _CHANNELS_OUT) * taps * depth
    kind = "pointwise" if taps == 1 else "convolution"
    terms = {
        f"{kind}.{dtype}": float(pixels * block),
        f"convolution_outputs.{dtype}": float(prod(output)),
        f"weights.{dtype}": float(block),
    }
    if taps > 1:
        terms[f"taps.{dtype}"] = float(pixels * taps)
    return terms


def _depthwise(graph: Graph, node: Op, dtype: str) -> Terms:
    """Filter [1, height, width, out]: hardly any reuse, so every value read and written counts."""
    weights, output = _shape(graph, node.inputs, 1), _shape(graph, node.outputs, 0)
    if len(weights) != 4 or not output:
        return {}
    macs = prod(output[:-1]) * weights[1] * weights[2] * _up(output[-1], _CHANNELS_OUT)
    return {f"depthwise.{dtype}": float(macs), f"depthwise_outputs.{dtype}": float(prod(output))}


def _macs(kind: str) -> Callable[[Graph, Op, str], Terms]:
    def count(graph: Graph, node: Op, dtype: str) -> Terms:
        return {f"{kind}.{dtype}": float(op_work(graph, node.index).macs)}

    return count


def _outputs(kind: str) -> Callable[[Graph, Op, str], Terms]:
    def count(graph: Graph, node: Op, dtype: str) -> Terms:
        return {f"{kind}.{dtype}": float(_values(graph, node.outputs))}

    return count


def _pool(graph: Graph, node: Op, dtype: str) -> Terms:
    height, width = node.option("filter_height", 1), node.option("filter_width", 1)
    taps = height * width if isinstance(height, int) and isinstance(width, int) else 1
    return {f"pool.{dtype}": float(_values(graph, node.outputs) * taps)}


def _reduce(graph: Graph, node: Op, dtype: str) -> Terms:
    return {f"reduce.{dtype}": float(_values(graph, graph.dynamic_inputs(node.index)))}


def _move(graph: Graph, node: Op, dtype: str) -> Terms:
    del dtype
    return {"move_bytes": float(op_work(graph, node.index).written_bytes)}


def _nothing(graph: Graph, node: Op, dtype: str) -> Terms:
    """Other views of the same data; the copy that some runtimes make is part of the op's price."""
    del graph, node, dtype
    return {}


_COUNTS: Final[Mapping[str, Callable[[Graph, Op, str], Terms]]] = MappingProxyType(
    {
        "convolution": _convolution,
        "depthwise": _depthwise,
        "transpose_convolution": _macs("transpose_convolution"),
        "dense": _macs("dense"),
        "binary": _outputs("binary"),
        "unary": _outputs("unary"),
        "transcendental": _outputs("transcendental"),
        "resize": _outputs("resize"),
        "pool": _pool,
        "reduce": _reduce,
        "move": _move,
        "view": _nothing,
    }
)


def _touched(graph: Graph, node: Op) -> tuple[int, ...]:
    return (*graph.dynamic_inputs(node.index), *node.outputs)


def _values(graph: Graph, tensors: Iterable[int]) -> int:
    return sum(prod(graph.tensors[t].shape or ()) for t in tensors)


def _shape(graph: Graph, tensors: tuple[int, ...], position: int) -> tuple[int, ...]:
    if position >= len(tensors) or tensors[position] < 0:
        return ()
    return graph.tensors[tensors[position]].shape or ()


def _up(count: int, step: int) -> int:
    return -(-count // step) * step
