"""Classes of ops that cost alike, and what a unit of each class typically costs.

The typical costs only say how classes compare where a fit has seen too little of one of them: a
fit multiplies all of them by the one factor that suits the machine, and leaves them where it has
measured. One digit each, chosen from how kernels work (vector code computes tens of values a
nanosecond, code without it a few hundred a microsecond), so they are hypotheses for any machine.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from band.model.graph import Graph

FUSED: Final = "fused"
SCALAR: Final = "scalar"
DTYPES: Final = ("float", "int8", "uint8", "int16", "other")

_CLASSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "convolution": "CONV_2D",
        "depthwise": "DEPTHWISE_CONV_2D",
        "transpose_convolution": "TRANSPOSE_CONV CUSTOM:Convolution2DTransposeBias",
        "dense": "FULLY_CONNECTED BATCH_MATMUL",
        "binary": "ADD SUB MUL DIV MINIMUM MAXIMUM SQUARED_DIFFERENCE PRELU",
        "unary": "RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1 LEAKY_RELU HARD_SWISH ABS NEG SQUARE FLOOR "
        "CEIL ROUND QUANTIZE DEQUANTIZE CAST",
        "transcendental": "LOGISTIC TANH EXP LOG SOFTMAX LOG_SOFTMAX ELU GELU SQRT RSQRT SIN COS "
        "POW",
        "resize": "RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR",
        "pool": "MAX_POOL_2D AVERAGE_POOL_2D L2_POOL_2D",
        "reduce": "MEAN SUM REDUCE_MAX REDUCE_MIN REDUCE_PROD",
        "move": "PAD PADV2 CONCATENATION TRANSPOSE SLICE STRIDED_SLICE SPLIT SPLIT_V PACK UNPACK "
        "DEPTH_TO_SPACE SPACE_TO_DEPTH TILE BROADCAST_TO",
        "view": "RESHAPE SQUEEZE EXPAND_DIMS",
    }
)  # fmt: skip
CLASS_OF: Final[Mapping[str, str]] = MappingProxyType(
    {name: kind for kind, names in _CLASSES.items() for name in names.split()}
)
"""Op type -> class. Every other op is recurrent if it has MACs, else a scalar class
of its own: no vector code."""

_TYPICAL_US: Final[Mapping[str, float]] = MappingProxyType(
    {
        "dispatch": 5.0,
        "boundary_tensors": 0.5,
        "input_bytes": 1e-5,
        "output_bytes": 5e-5,
        "op": 0.2,
        FUSED: 0.2,
        "move_bytes": 5e-5,
        SCALAR: 2e-3,
        "pointwise": 2e-5,
        "convolution": 2e-5,
        "convolution_outputs": 2e-4,
        "weights": 2e-5,
        "taps": 1e-4,
        "depthwise": 5e-5,
        "depthwise_outputs": 1e-4,
        "transpose_convolution": 2e-4,
        "dense": 1e-4,
        "recurrent": 1e-3,
        "binary": 1e-4,
        "unary": 1e-4,
        "transcendental": 3e-4,
        "resize": 3e-4,
        "pool": 1e-4,
        "reduce": 1e-4,
    }
)

_DTYPE_CLASS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "float32": "float",
        "float16": "float",
        "bfloat16": "float",
        "float64": "float",
        "int8": "int8",
        "int4": "int8",
        "uint8": "uint8",
        "uint4": "uint8",
        "int16": "int16",
        "uint16": "int16",
    }
)


def dtype_class(graph: Graph, op: int) -> str:
    """Return the class of the type that an op computes in: that of its first data tensor.

    Signed and unsigned bytes differ: runtimes have different kernels for them.
    """
    tensors = (*graph.dynamic_inputs(op), *graph.ops[op].outputs)
    found = (_DTYPE_CLASS.get(graph.tensors[t].dtype) for t in tensors)
    return next((c for c in found if c is not None), DTYPES[-1])


def typical_us(term: str) -> float:
    """Return the typical cost of one unit of a term, in microseconds.

    Args:
        term: a name such as ``dispatch`` or ``binary.int8``; one that is not known costs what the
            work of ops without vector code does.
    """
    return _TYPICAL_US.get(term.partition(".")[0], _TYPICAL_US[SCALAR])
