"""One small model for each of many ops, so that damage reaches kernels that few models use."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np

from band.model.builder import GraphBuilder
from band.model.model import Model

_VECTOR: Final = (1, 8)
_IMAGE: Final = (1, 8, 8, 4)


class Given(NamedTuple):
    """An input of an op: shape and type, or the values of a constant."""

    shape: tuple[int, ...] = _VECTOR
    dtype: str = "float32"
    values: Any = None


class OpModel(NamedTuple):
    """One op: its inputs, its results as (shape, type), its options."""

    kind: str
    inputs: tuple[Given, ...]
    results: tuple[tuple[tuple[int, ...], str], ...]
    options: Mapping[str, Any]

    def build(self) -> Model:
        """Return a model of this op alone."""
        b = GraphBuilder(self.kind.lower())
        ids = []
        for position, given in enumerate(self.inputs):
            if given.values is None:
                ids.append(b.input(f"in{position}", given.shape, given.dtype))
            else:
                ids.append(b.constant(f"in{position}", given.values))
        results = [b.tensor(f"out{i}", *r) for i, r in enumerate(self.results)]
        b.op(self.kind, ids, results, **self.options)
        return b.build(*results)


def _ints(*values: Any) -> Given:
    return Given(values=np.array(values, np.int32))


def _floats(*shape: int) -> Given:
    return Given(values=np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape))


def _op(
    kind: str,
    *inputs: Given,
    to: tuple[int, ...] | None = None,
    dtype: str = "float32",
    more: tuple[tuple[tuple[int, ...], str], ...] = (),
    **options: Any,
) -> OpModel:
    """Return one op; its result has the shape of its first input unless ``to`` says otherwise."""
    shape = inputs[0].shape if to is None else to
    return OpModel(kind, inputs, ((shape, dtype), *more), options)


_X: Final = Given()
_I: Final = Given(_IMAGE)
_N: Final = Given(_VECTOR, "int32")
_B: Final = Given(_VECTOR, "bool")
_SCALAR: Final = Given(values=np.array(3, np.int32))
_ONE: Final = Given(values=np.array(1, np.int32))
_UNARY: Final = (
    "ABS", "NEG", "EXP", "LOG", "SQRT", "RSQRT", "SIN", "COS", "SQUARE", "FLOOR", "CEIL", "ROUND",
    "SIGN", "ELU", "RELU_N1_TO_1", "RELU_0_TO_1", "LOG_SOFTMAX", "ZEROS_LIKE", "TANH", "LOGISTIC",
    "L2_NORMALIZATION", "GELU",
)  # fmt: skip
_BINARY: Final = (
    "SUB", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "POW", "FLOOR_DIV", "FLOOR_MOD",
    "ATAN2",
)  # fmt: skip
_REDUCED: Final = ("SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN", "MEAN")
_COMPARED: Final = ("LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", "EQUAL", "NOT_EQUAL")

_ALL: Final = (
    *(_op(kind, _X) for kind in _UNARY),
    *(_op(kind, _X, _X) for kind in _BINARY),
    *(_op(kind, _X, _X, dtype="bool") for kind in _COMPARED),
    *(_op(kind, _I, _ints(1, 2), to=(1, 4)) for kind in _REDUCED),
    *(_op(kind, _B, _B, dtype="bool") for kind in ("LOGICAL_AND", "LOGICAL_OR")),
    _op("ARG_MAX", _X, _ONE, to=(1,), dtype="int64", output_type=4),
    _op("ARG_MIN", _X, _ONE, to=(1,), dtype="int32", output_type=2),
    _op("LOGICAL_NOT", _B, dtype="bool"),
    _op("REDUCE_ANY", _B, _ints(1), to=(1,), dtype="bool"),
    _op("REDUCE_ALL", _B, _ints(1), to=(1,), dtype="bool"),
    _op("LEAKY_RELU", _X, alpha=0.1),
    _op("LOCAL_RESPONSE_NORMALIZATION", _I, radius=2, bias=1.0, alpha=1.0, beta=0.5),
    _op("CUMSUM", _X, _ONE),
    _op("REVERSE_V2", _X, _ints(1)),
    _op("REVERSE_SEQUENCE", _I, _ints(2), seq_dim=1, batch_dim=0),
    _op("CAST", _X, dtype="int32", in_data_type=0, out_data_type=2),
    _op("PRELU", _I, _floats(1, 1, 4)),
    _op("TRANSPOSE", _I, _ints(0, 3, 1, 2), to=(1, 4, 8, 8)),
    _op("PAD", _I, _ints((0, 0), (1, 1), (2, 0), (0, 0)), to=(1, 10, 10, 4)),
    _op("PADV2", _X, _ints((0, 0), (1, 1)), Given(values=np.array(2, np.float32)), to=(1, 10)),
    _op("MIRROR_PAD", _X, _ints((0, 0), (2, 1)), to=(1, 11), mode=0),
    _op("SLICE", _I, _ints(0, 1, 2, 0), _ints(1, 3, -1, 4), to=(1, 3, 6, 4)),
    _op("STRIDED_SLICE", _X, _ints(0, 1), _ints(1, 7), _ints(1, 2), to=(1, 3)),
    _op("GATHER", _X, _ints(1, 0, 3), to=(1, 3), axis=1, batch_dims=0),
    _op("GATHER_ND", _X, _ints((0, 1), (0, 2)), to=(2,)),
    _op("SCATTER_ND", _ints((0,), (2,)), Given((2, 4)), _ints(8, 4), to=(8, 4)),
    _op("TILE", _X, _ints(2, 1), to=(2, 8)),
    _op("EXPAND_DIMS", _X, _ints(1), to=(1, 1, 8)),
    _op("SQUEEZE", _X, to=(8,), squeeze_dims=[0]),
    _op("SPLIT", _ints(1), _X, to=(1, 4), more=(((1, 4), "float32"),), num_splits=2),
    _op("SPLIT_V", _X, _ints(3, 5), _ints(1), to=(1, 3), more=(((1, 5), "float32"),), num_splits=2),
    _op("PACK", _X, _X, to=(1, 2, 8), values_count=2, axis=1),
    _op("UNPACK", Given((2, 4)), to=(4,), more=(((4,), "float32"),), num=2, axis=0),
    _op("ADD_N", _X, _X, _X),
    _op("RESIZE_NEAREST_NEIGHBOR", _I, _ints(4, 12), to=(1, 4, 12, 4)),
    _op("RESIZE_BILINEAR", _I, _ints(4, 12), to=(1, 4, 12, 4), half_pixel_centers=True),
    _op("SPACE_TO_DEPTH", _I, to=(1, 4, 4, 16), block_size=2),
    _op("DEPTH_TO_SPACE", _I, to=(1, 16, 16, 1), block_size=2),
    _op("SPACE_TO_BATCH_ND", _I, _ints(2, 2), _ints((0, 0), (0, 0)), to=(4, 4, 4, 4)),
    _op("BATCH_TO_SPACE_ND", Given((4, 4, 4, 2)), _ints(2, 2), _ints((0, 0), (0, 0)),
        to=(1, 8, 8, 2)),
    _op("TOPK_V2", _X, _SCALAR, to=(1, 3), more=(((1, 3), "int32"),)),
    _op("ONE_HOT", _N, _SCALAR, *(Given(values=np.array(v, np.float32)) for v in (1, 0)),
        to=(1, 8, 3), axis=-1),
    _op("SELECT", _B, _X, _X),
    _op("SELECT_V2", _B, _X, _X),
    _op("FILL", _ints(2, 3), Given(values=np.array(1.5, np.float32)), to=(2, 3)),
    _op("BROADCAST_TO", _X, _ints(4, 8), to=(4, 8), version=2),
    _op("BROADCAST_ARGS", _ints(1, 8), _ints(4, 1), to=(2,), dtype="int32"),
    _op("RANGE", *(Given(values=np.array(v, np.int32)) for v in (0, 6, 2)), to=(3,), dtype="int32"),
    _op("SHAPE", _X, to=(2,), dtype="int32", out_type=2),
    _op("RANK", _X, to=(), dtype="int32"),
    _op("WHERE", _B, to=(8, 2), dtype="int64"),
    _op("UNIQUE", Given((8,)), more=(((8,), "int32"),), idx_out_type=2),
    _op("BUCKETIZE", _X, dtype="int32", boundaries=[-1.0, 0.0, 2.0]),
    _op("MATRIX_DIAG", _X, to=(1, 8, 8)),
    _op("MATRIX_SET_DIAG", Given((1, 4, 4)), Given((1, 4))),
    _op("SEGMENT_SUM", Given((4, 2)), _ints(0, 0, 1, 1), to=(2, 2)),
    _op("UNSORTED_SEGMENT_SUM", Given((4, 2)), _ints(0, 1, 1, 0), _SCALAR, to=(3, 2)),
    _op("EMBEDDING_LOOKUP", _ints(0, 2, 1), Given((4, 2)), to=(3, 2)),
    _op("DYNAMIC_UPDATE_SLICE", Given((4, 4)), Given((2, 2)), _ints(1, 1)),
    _op("SPARSE_TO_DENSE", _ints(1, 3), _ints(5), _floats(2), Given(values=np.array(0, np.float32)),
        to=(5,)),
    _op("BATCH_MATMUL", Given((2, 3, 4)), Given((2, 4, 5)), to=(2, 3, 5)),
    _op("MAX_POOL_2D", _I, to=(1, 4, 4, 4), padding="SAME", stride_w=2, stride_h=2,
        filter_width=3, filter_height=3),
    _op("AVERAGE_POOL_2D", _I, to=(1, 4, 4, 4), padding="SAME", stride_w=2, stride_h=2,
        filter_width=3, filter_height=3),
    _op("TRANSPOSE_CONV", _ints(1, 16, 16, 3), _floats(3, 2, 2, 4), _I, _floats(3),
        to=(1, 16, 16, 3), padding="SAME", stride_w=2, stride_h=2),
    _op("BITWISE_XOR", _N, _N, dtype="int32"),
    _op("RIGHT_SHIFT", _N, _N, dtype="int32"),
    _op("RFFT2D", Given((1, 4, 8)), _ints(4, 8), to=(1, 4, 5), dtype="complex64"),
    _op("FAKE_QUANT", _X, min=-1.0, max=1.0, num_bits=8),
)  # fmt: skip


def _named(ops: tuple[OpModel, ...]) -> Mapping[str, Callable[[], Model]]:
    return MappingProxyType({f"op_{op.kind.lower()}": partial(OpModel.build, op) for op in ops})


OPS: Final = _named(_ALL)
