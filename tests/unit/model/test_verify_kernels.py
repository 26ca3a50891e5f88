"""What kernels take for granted: one small file for each way in which it can be untrue."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from band.errors import BandError, ErrorCode
from band.model.builder import GraphBuilder
from band.model.graph import Quantization
from band.model.tflite_schema import pack, schema
from band.model.tflite_verify import verify_bytes
from band.model.tflite_verify_limits import Limits
from band.testing.edge_models import EDGES
from band.testing.models import RUNNABLE, control_flow, custom_op
from band.testing.op_models import OPS
from band.testing.open_models import OPEN
from band.testing.state_models import STATES
from band.testing.typed_models import TYPED

IMAGE = (1, 8, 8, 4)
TINY = Quantization(scales=(1e-12,), zero_points=(0,), axis=0)
WIDE = Quantization(scales=(2.0,), zero_points=(0,), axis=0)

BUILT = {**RUNNABLE, **EDGES, **OPEN, **STATES, **TYPED, **OPS}

Make = Callable[[GraphBuilder], int]


def op(kind: str, result: tuple[int, ...], *shapes: tuple[int, ...], **options: Any) -> Make:
    """Return what adds one op on float inputs of some shapes."""

    def add(b: GraphBuilder) -> int:
        inputs = [b.input(f"in{i}", shape) for i, shape in enumerate(shapes)]
        return b.layer(kind, inputs, result, **options)

    return add


def steered(kind: str, result: tuple[int, ...], values: Any, **options: Any) -> Make:
    """Return what adds one op on an image, steered by an integer constant."""
    return lambda b: b.layer(
        kind, (b.input("image", IMAGE), b.integers(values, "steering")), result, **options
    )


def window(
    weights: tuple[int, ...] = (8, 3, 3, 4),
    bias: int = 8,
    result: tuple[int, ...] = (1, 8, 8, 8),
    kind: str = "CONV_2D",
    **options: Any,
) -> Make:
    """Return what adds a convolution."""

    def add(b: GraphBuilder) -> int:
        filters = b.constant("filters", np.zeros(weights, np.float32))
        biases = b.constant("bias", np.zeros(bias, np.float32))
        given = {"padding": "SAME", "stride_h": 1, "stride_w": 1, **options}
        return b.layer(kind, (b.input("image", IMAGE), filters, biases), result, **given)

    return add


def integers_as(kind: str, dtype: str, result: str = "float32") -> Make:
    """Return what adds an op of one input of some type."""

    def add(b: GraphBuilder) -> int:
        out = b.tensor("out", (1, 4), result)
        b.op(kind, (b.input("x", (1, 4), dtype),), (out,))
        return out

    return add


def quantized_sum(left: Quantization, right: Quantization, result: Quantization) -> Make:
    def add(b: GraphBuilder) -> int:
        x = b.quantize(b.input("x", (1, 4)), left)
        y = b.quantize(b.input("y", (1, 4)), right)
        return b.layer("ADD", (x, y), (1, 4), scale=result)

    return add


REFUSED: dict[str, tuple[Make, str]] = {
    "stride of zero": (window(stride_h=0), "has 0 as its stride_h"),
    "negative stride": (window(stride_w=-1), "has -1 as its stride_w"),
    "dilation of zero": (window(dilation_w_factor=0), "has 0 as its dilation_w_factor"),
    "no options": (
        lambda b: b.layer("MAX_POOL_2D", (b.input("x", IMAGE),), IMAGE),
        "must be given|has 0 as its",
    ),
    "unknown activation": (window(fused_activation_function=9), "fused_activation_function"),
    "filters of three dimensions": (window((8, 3, 3)), "filters of shape"),
    "filters for other channels": (window((8, 3, 3, 3)), "for an image of shape"),
    "short bias": (window(bias=7), r"a bias of shape \[7\] for 8 filters"),
    "wrong image": (window(result=(1, 9, 8, 8)), "claims the shape"),
    "depthwise without a bias": (
        lambda b: b.layer(
            "DEPTHWISE_CONV_2D",
            (b.input("x", IMAGE), b.constant("w", np.zeros((1, 3, 3, 4), np.float32))),
            IMAGE,
            padding="SAME", stride_h=1, stride_w=1, depth_multiplier=1,
        ),
        "has 2 inputs",
    ),
    "depthwise filters in rows": (
        window((2, 3, 3, 4), 4, IMAGE, "DEPTHWISE_CONV_2D", depth_multiplier=1),
        "filters of shape",
    ),
    "wrong multiplier": (
        window((1, 3, 3, 8), 8, (1, 8, 8, 8), "DEPTHWISE_CONV_2D", depth_multiplier=3),
        "8 filters for 4 channels times 3",
    ),
    "dense rows that do not fit": (
        lambda b: b.layer(
            "FULLY_CONNECTED",
            (b.input("x", (1, 5)), b.constant("w", np.zeros((3, 4), np.float32)), -1),
            (1, 3),
        ),
        "weights of shape",
    ),
    "inner sizes": (op("BATCH_MATMUL", (2, 4), (2, 3), (5, 4)), "multiplies the shapes"),
    "other shape": (op("RELU", (1, 5), (1, 4)), r"of shape \[1, 5\] of one of shape \[1, 4\]"),
    "no broadcast": (op("ADD", (1, 4), (1, 4), (1, 3)), "combines the shapes"),
    "other broadcast": (op("MUL", (2, 4), (1, 4), (1, 4)), "claims the shape"),
    "too many dimensions to broadcast": (
        op("ADD", (2,) * 7, (2,) * 7, (1,) * 7), "broadcasts 7 dimensions",
    ),
    "reshape to more": (steered("RESHAPE", (1, 300), (1, 300)), "RESHAPE"),
    "reshape by a matrix": (steered("RESHAPE", (1, 256), ((1, 256),)), "from a constant of shape"),
    "reshape to two open sizes": (steered("RESHAPE", (1, 256), (-1, -1)), "has the new shape"),
    "transpose twice": (steered("TRANSPOSE", IMAGE, (0, 1, 1, 3)), "orders 4 dimensions"),
    "transpose less": (steered("TRANSPOSE", IMAGE, (0, 1)), "2 numbers for 4 dimensions"),
    "negative pad": (steered("PAD", IMAGE, ((0, 0), (-1, 1), (0, 0), (0, 0))), "pads by"),
    "mirror past the edge": (
        steered("MIRROR_PAD", (1, 17, 8, 4), ((0, 0), (9, 0), (0, 0), (0, 0)), mode=1),
        "mirrors 9 values of 8",
    ),
    "axis outside": (steered("MEAN", (1, 4), (1, 4), keep_dims=False), "has the axes"),
    "begin outside": (
        lambda b: b.layer(
            "SLICE",
            (b.input("x", (4,)), b.integers((3,), "begin"), b.integers((2,), "size")),
            (2,),
        ),
        "takes 2 values from 3 on of 4",
    ),
    "stride of zero in a slice": (
        lambda b: b.layer(
            "STRIDED_SLICE",
            (b.input("x", (4,)), *(b.integers((v,), n) for n, v in (("b", 0), ("e", 4), ("s", 0)))),
            (4,),
        ),
        "has a stride of 0",
    ),
    "resize to nothing": (steered("RESIZE_BILINEAR", (1, 0, 8, 4), (0, 8)), "resizes to"),
    "join on no axis": (op("CONCATENATION", (1, 8), (1, 4), (1, 4), axis=5), "has the axis 5"),
    "join of other shapes": (
        op("CONCATENATION", (2, 8), (2, 4), (1, 4), axis=1), "joins the shapes",
    ),
    "pack of fewer": (
        op("PACK", (2, 4), (4,), (4,), values_count=3, axis=0), "packs 3 tensors and has 2",
    ),
    "split into others": (
        lambda b: b.layer(
            "SPLIT", (b.integers((0,), "axis"), b.input("x", (4,))), (2,), like=1, num_splits=2
        ),
        "splits into 2 and has 1 outputs",
    ),
    "axes of floats": (op("MEAN", (1,), (1, 4), (1,)), "takes integers from its input 1"),
    "a handle": (integers_as("RELU", "float32", "resource"), "takes or makes a handle"),
    "strings": (integers_as("RELU", "string", "string"), "takes or makes strings"),
    "another type": (integers_as("TANH", "float32", "int8"), "makes int8 of float32"),
    "numbers as booleans": (integers_as("SHAPE", "float32", "bool"), "makes bool of float32"),
    "sum of several types": (
        lambda b: b.layer("ADD", (b.input("x", (4,)), b.input("y", (4,), "int32")), (4,)),
        "combines float32 and int32",
    ),
    "sum that cannot be scaled": (quantized_sum(WIDE, WIDE, TINY), "cannot compute with"),
    "softmax that cannot be scaled": (
        lambda b: b.softmax(b.quantize(b.input("x", (1, 4)), TINY)), "cannot compute with",
    ),
    "comparison that cannot be scaled": (
        lambda b: b.layer(
            "LESS",
            (b.quantize(b.input("x", (4,)), WIDE), b.quantize(b.input("y", (4,)), WIDE)),
            (4,),
            like=b.input("boolean", (4,), "bool"),
        ),
        "cannot compute with",
    ),
    "variable without a handle": (
        integers_as("READ_VARIABLE", "float32"), "takes a tensor of type float32 as a handle",
    ),
    "shapes that do not go together": (
        lambda b: b.layer(
            "BROADCAST_ARGS", (b.integers((2, 8), "left"), b.integers((3, 1), "right")), (2,)
        ),
        "combines the shapes",
    ),
    "options of a detection": (
        lambda b: _four(b, "CUSTOM:TFLite_Detection_PostProcess"), "options that cannot be read",
    ),
}  # fmt: skip


def _four(b: GraphBuilder, kind: str) -> int:
    inputs = (b.input("boxes", (1, 4, 4)), b.input("scores", (1, 4, 2)), b.input("anchors", (4, 4)))
    outputs = [b.tensor(f"out{i}", (1, 4)) for i in range(4)]
    b.op(kind, inputs, outputs)
    return outputs[0]


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_that_a_kernel_cannot_take_is_refused(what: str) -> None:
    make, says = REFUSED[what]
    b = GraphBuilder("m")
    with pytest.raises(BandError, match=says) as caught:
        b.build(make(b))
    assert caught.value.code is ErrorCode.INVALID_MODEL
    assert caught.value.message.startswith("model 'm' is damaged: ")


@pytest.mark.parametrize("name", sorted(BUILT))
def test_no_model_of_the_builder_is_refused(name: str) -> None:
    make = BUILT[name]
    facts = verify_bytes(bytes(make().content), name)
    assert facts.subgraphs[0].ops


def test_custom_ops_that_nobody_knows_are_left_to_the_interpreter() -> None:
    facts = verify_bytes(bytes(custom_op().content), "m")
    assert [op.custom_name for op in facts.subgraphs[0].ops if op.custom_name] == ["BandUnknown"]


def test_a_model_over_a_limit_is_refused_with_the_limit() -> None:
    content = bytes(control_flow("WHILE").content)
    for limits, says in (
        (Limits(activation_bytes=1_000), "activations take"),
        (Limits(operands=5), "more than 5 operands"),
        (Limits(rank=3), "4 dimensions, and 3 are allowed"),
        (Limits(elements=100), "has the shape"),
    ):
        with pytest.raises(BandError, match=says) as caught:
            verify_bytes(content, "m", limits)
        assert caught.value.code is ErrorCode.UNSUPPORTED_FEATURE


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("scales", 0, "takes scales from tensor 0, which does not hold them"),
        ("scales", -1, "takes scales from tensor -1, which does not hold them"),
        ("scales", 99, "takes its scales from tensor 99"),
        ("blockSize", 0, "has blocks of 0"),
        ("blockSize", 48, "has blocks of 48"),
        ("blockSize", 16, "which does not hold them"),
    ],
)
def test_blocks_whose_scales_are_not_there_are_refused(field: str, value: int, says: str) -> None:
    content = bytes(TYPED["block_wise_int4"]().content)
    tree = schema().ModelT.InitFromObj(schema().Model.GetRootAs(content, 0))
    (blocks, *_) = (
        t.quantization.details
        for t in tree.subgraphs[0].tensors
        if t.quantization is not None and t.quantization.details is not None
    )
    setattr(blocks, field, value)
    with pytest.raises(BandError, match=says):
        verify_bytes(pack(tree), "m")
