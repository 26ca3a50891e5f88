"""How much work an op is: multiply-accumulates, and bytes of parameters and activations."""

from collections.abc import Callable, Iterable, Mapping
from math import prod
from types import MappingProxyType
from typing import Final, NamedTuple

from band.model.graph import Graph, Op


class OpWork(NamedTuple):
    """Work of one op, or the sum over several.

    Attributes:
        macs: multiply-accumulates of all ops that have any, depthwise ones included.
        depthwise_macs: those of DEPTHWISE_CONV_2D.
        parameter_bytes: constants read, in the form in which the file stores them.
        read_bytes: activations read.
        written_bytes: activations written.
    """

    macs: int = 0
    depthwise_macs: int = 0
    parameter_bytes: int = 0
    read_bytes: int = 0
    written_bytes: int = 0


def op_work(graph: Graph, op: int) -> OpWork:
    """Return the work of one op.

    Constants behind weight ops count at their stored size (fp16, sparse). Tensors without a static
    shape count as nothing: fill the shapes first. A weight op is no work: it runs at load time.
    """
    if graph.atom_of[op] < 0:
        return OpWork()
    node = graph.ops[op]
    macs = _MACS.get(node.type, _no_macs)(graph, node)
    return OpWork(
        macs=macs,
        depthwise_macs=macs if node.type == "DEPTHWISE_CONV_2D" else 0,
        parameter_bytes=sum(graph.tensors[t].buffer_bytes for t in parameters(graph, (op,))),
        read_bytes=sum(_bytes(graph, t) for t in graph.dynamic_inputs(op)),
        written_bytes=sum(_bytes(graph, t) for t in node.outputs),
    )


def graph_work(graph: Graph, ops: Iterable[int] | None = None) -> OpWork:
    """Return the sum over ops, all compute ops if None; shared constants count once."""
    chosen = graph.compute_ops if ops is None else tuple(ops)
    works = [op_work(graph, op) for op in chosen]
    return OpWork(
        macs=sum(w.macs for w in works),
        depthwise_macs=sum(w.depthwise_macs for w in works),
        parameter_bytes=sum(graph.tensors[t].buffer_bytes for t in parameters(graph, chosen)),
        read_bytes=sum(w.read_bytes for w in works),
        written_bytes=sum(w.written_bytes for w in works),
    )


def parameters(graph: Graph, ops: Iterable[int]) -> tuple[int, ...]:
    """Return the constants that ops need, directly or through weight ops, ascending."""
    found: set[int] = set()
    waiting = [t for op in ops for t in graph.ops[op].inputs if t >= 0]
    seen: set[int] = set()
    while waiting:
        tensor = waiting.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        if graph.tensors[tensor].constant:
            found.add(tensor)
        elif tensor in graph.weight_tensors:
            waiting.extend(t for t in graph.ops[graph.producer[tensor]].inputs if t >= 0)
    return tuple(sorted(found))


def _bytes(graph: Graph, tensor: int) -> int:
    return graph.tensors[tensor].byte_size or 0


def _shape(graph: Graph, tensors: tuple[int, ...], position: int) -> tuple[int, ...]:
    """Return the shape of one input or output, () if absent or unknown."""
    if position >= len(tensors) or tensors[position] < 0:
        return ()
    return graph.tensors[tensors[position]].shape or ()


def _no_macs(_graph: Graph, _op: Op) -> int:
    return 0


def _convolution(graph: Graph, op: Op) -> int:
    """Filter [out, height, width, in]: each output value takes height * width * in MACs."""
    weights, output = _shape(graph, op.inputs, 1), _shape(graph, op.outputs, 0)
    return prod(output) * prod(weights[1:]) if weights and output else 0


def _depthwise(graph: Graph, op: Op) -> int:
    """Filter [1, height, width, out]: each output value takes height * width MACs."""
    weights, output = _shape(graph, op.inputs, 1), _shape(graph, op.outputs, 0)
    return prod(output) * prod(weights[1:3]) if len(weights) == 4 else 0


def _transpose_convolution(graph: Graph, op: Op) -> int:
    """Filter [out, height, width, in]: each input position feeds height * width * out values.

    TRANSPOSE_CONV has its data third; the custom op of MediaPipe has it first.
    """
    weights = _shape(graph, op.inputs, 1)
    data = _shape(graph, op.inputs, 2 if op.type == "TRANSPOSE_CONV" else 0)
    return prod(data[:-1]) * prod(weights) if weights and data else 0


def _fully_connected(graph: Graph, op: Op) -> int:
    """Weights [out, in]: each output value takes ``in`` MACs."""
    weights, output = _shape(graph, op.inputs, 1), _shape(graph, op.outputs, 0)
    return prod(output) * weights[-1] if weights and output else 0


def _batch_matmul(graph: Graph, op: Op) -> int:
    """Output [..., n, m] of [..., n, k] times [..., k, m]."""
    left, output = _shape(graph, op.inputs, 0), _shape(graph, op.outputs, 0)
    if len(left) < 2 or not output:
        return 0
    return prod(output) * (left[-2] if op.option("adj_x") else left[-1])


def _recurrent(graph: Graph, op: Op) -> int:
    """Every weight matrix of a recurrent op is applied once per batch entry and time step."""
    data = _shape(graph, op.inputs, 0)
    matrices = sum(
        prod(graph.tensors[t].shape or ())
        for t in op.inputs[1:]
        if t >= 0 and t in graph.weight_tensors and len(graph.tensors[t].shape or ()) == 2
    )
    return prod(data[:-1]) * matrices


_MACS: Final[Mapping[str, Callable[[Graph, Op], int]]] = MappingProxyType(
    {
        "CONV_2D": _convolution,
        "CONV_3D": _convolution,
        "DEPTHWISE_CONV_2D": _depthwise,
        "TRANSPOSE_CONV": _transpose_convolution,
        "CUSTOM:Convolution2DTransposeBias": _transpose_convolution,
        "FULLY_CONNECTED": _fully_connected,
        "BATCH_MATMUL": _batch_matmul,
        "LSTM": _recurrent,
        "UNIDIRECTIONAL_SEQUENCE_LSTM": _recurrent,
        "RNN": _recurrent,
        "UNIDIRECTIONAL_SEQUENCE_RNN": _recurrent,
    }
)
