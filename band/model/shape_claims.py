"""Which shapes that a file claims can be believed before the model has been prepared to run.

A converter writes 1 for every dimension it does not know and says so in a second list, the shape
signature (-1 there). Mostly that is the batch alone and the 1 is right everywhere; elsewhere it is
a placeholder. And some ops give a tensor whose shape depends on values that a run computes.
Shapes that cannot be believed are dropped: a runtime is asked for them.
"""

from collections.abc import Mapping
from math import prod
from typing import Final

from band.model.graph import Graph, Op

Shape = tuple[int, ...]

# Op type -> inputs whose values set the shape of the outputs. All others follow from shapes alone.
_SHAPE_OPERANDS: Final[Mapping[str, tuple[int, ...]]] = {
    "RESHAPE": (1,), "BROADCAST_TO": (1,), "TILE": (1,), "FILL": (0,), "SLICE": (1, 2),
    "STRIDED_SLICE": (1, 2, 3), "PAD": (1,), "PADV2": (1,), "MIRROR_PAD": (1,),
    "RESIZE_BILINEAR": (1,), "RESIZE_NEAREST_NEIGHBOR": (1,), "TRANSPOSE": (1,),
    "TRANSPOSE_CONV": (0,), "CONV_3D_TRANSPOSE": (0,), "EXPAND_DIMS": (1,), "ONE_HOT": (1,),
    "MEAN": (1,), "SUM": (1,), "REDUCE_PROD": (1,), "REDUCE_MAX": (1,), "REDUCE_MIN": (1,),
    "REDUCE_ANY": (1,), "REDUCE_ALL": (1,), "ARG_MAX": (1,), "ARG_MIN": (1,), "TOPK_V2": (1,),
    "SPLIT": (0,), "SPLIT_V": (1, 2), "SPACE_TO_BATCH_ND": (1, 2), "BATCH_TO_SPACE_ND": (1, 2),
    "SPARSE_TO_DENSE": (1,), "RANGE": (0, 1, 2), "RANDOM_UNIFORM": (0,),
    "RANDOM_STANDARD_NORMAL": (0,), "MULTINOMIAL": (1,), "SCATTER_ND": (2,), "SEGMENT_SUM": (1,),
    "UNSORTED_SEGMENT_MAX": (2,), "UNSORTED_SEGMENT_MIN": (2,), "UNSORTED_SEGMENT_PROD": (2,),
    "UNSORTED_SEGMENT_SUM": (2,), "NON_MAX_SUPPRESSION_V4": (2,), "NON_MAX_SUPPRESSION_V5": (2,),
    "WHERE": (0,), "UNIQUE": (0,),
}  # fmt: skip
# Ops that leave the first dimension of their data as it is.
_BATCH_KEPT: Final = frozenset(
    {
        "ABS", "ADD", "ADD_N", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CAST", "CEIL", "CONV_2D",
        "CONV_3D", "COS", "CUMSUM", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE", "DIV",
        "ELU", "EQUAL", "EXP", "FAKE_QUANT", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "GELU", "GREATER",
        "GREATER_EQUAL", "HARD_SWISH", "L2_NORMALIZATION", "L2_POOL_2D", "LEAKY_RELU", "LESS",
        "LESS_EQUAL", "LOCAL_RESPONSE_NORMALIZATION", "LOG", "LOGICAL_AND", "LOGICAL_NOT",
        "LOGICAL_OR", "LOGISTIC", "LOG_SOFTMAX", "LSTM", "MAXIMUM", "MAX_POOL_2D", "MEAN",
        "MINIMUM", "MIRROR_PAD", "MUL", "NEG", "NOT_EQUAL", "PAD", "PADV2", "POW", "PRELU",
        "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RELU_N1_TO_1",
        "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "ROUND", "RSQRT", "SELECT", "SELECT_V2",
        "SIGN", "SIN", "SOFTMAX", "SPACE_TO_DEPTH", "SQRT", "SQUARE", "SQUARED_DIFFERENCE", "SUB",
        "SUM", "SVDF", "TANH", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN",
    }
)  # fmt: skip
# Ops that give exactly the values they get, in another form.
_COUNT_KEPT: Final = frozenset(
    {"EXPAND_DIMS", "RESHAPE", "SPLIT", "SPLIT_V", "SQUEEZE", "TRANSPOSE", "UNPACK"}
)
_IN_PLACE: Final = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE"})
_JOINED: Final = frozenset({"CONCATENATION", "PACK"})


def doubtful_shapes(graph: Graph) -> frozenset[int]:
    """Return the computed tensors whose claimed shape cannot be believed.

    Args:
        graph: with the shapes that the file claims.
    """
    only_batch = all(
        _open_dims(graph, t) in ((), (0,)) and len(graph.tensors[t].signature or (0, 0)) > 1
        for t in graph.inputs
    )
    doubtful: set[int] = set()
    for op in graph.ops:
        if shaped_by_values(graph, op):
            doubtful.update(op.outputs)
        elif is_open := [t for t in op.outputs if _open_dims(graph, t)]:
            believed = (
                only_batch
                and doubtful.isdisjoint(op.inputs)
                and all(_open_dims(graph, t) == (0,) for t in is_open)
                and _keeps_batch(graph, op)
            )
            doubtful.update(() if believed else is_open)
    return frozenset(doubtful)


def believable(graph: Graph, shapes: Mapping[int, Shape]) -> dict[int, Shape]:
    """Return the shapes of a runtime's answer that can be believed.

    An op that works in place shares the memory of its input. So its output seems to be prepared
    even where a run sets its shape; it then has another number of values than the input.
    """
    found = {t: tuple(shape) for t, shape in shapes.items()}
    for op in graph.ops:
        if op.type not in _IN_PLACE or op.outputs[0] not in found:
            continue
        source = found.get(op.inputs[0], graph.tensors[op.inputs[0]].shape)
        if source is None or prod(source) != prod(found[op.outputs[0]]):
            del found[op.outputs[0]]
    return found


def shaped_by_values(graph: Graph, op: Op) -> bool:
    """Return whether the shape of an op's outputs depends on values that a run computes."""
    operands = [op.inputs[n] for n in _SHAPE_OPERANDS.get(op.type, ()) if n < len(op.inputs)]
    return any(t >= 0 and t not in graph.weight_tensors for t in operands)


def _open_dims(graph: Graph, tensor: int) -> tuple[int, ...]:
    signature = graph.tensors[tensor].signature or ()
    return tuple(n for n, size in enumerate(signature) if size < 0)


def _keeps_batch(graph: Graph, op: Op) -> bool:
    """Return whether a first dimension of 1 in the data of an op is 1 in its outputs too."""
    if op.type in _BATCH_KEPT:
        return True
    if op.type == "FULLY_CONNECTED":
        weights = graph.tensors[op.inputs[1]].shape or (0, 0)
        return _count(graph, op.outputs) * weights[-1] == _count(graph, op.inputs[:1]) * weights[0]
    if op.type in _COUNT_KEPT | _JOINED:
        data = op.inputs if op.type in _JOINED else graph.dynamic_inputs(op.index)
        return _count(graph, data) == _count(graph, op.outputs)
    return False


def _count(graph: Graph, tensors: tuple[int, ...]) -> int:
    """Return the number of values in some tensors together."""
    return sum(prod(graph.tensors[t].shape or ()) for t in tensors)
