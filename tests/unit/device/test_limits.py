"""Every kind of limit: the sentence when an op breaks it, and silence when it keeps to it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from band.device.breaches import breaches
from band.device.limits import ANY_SIZES, Broadcast, Limits, Place, Scheme, ValueLimit
from band.device.limits import merged_limits as merge
from band.model.graph import Graph, Op, OptionValue, Quantization, Tensor

DATA = (1, 8, 6, 4)


def tensor(
    shape: tuple[int, ...] | None,
    dtype: str = "float32",
    *,
    constant: bool = False,
    scales: int = 0,
) -> Tensor:
    """Return a tensor that ``one_op`` numbers; ``scales`` above 0 makes it quantised."""
    scheme = Quantization(scales=(0.5,) * scales, zero_points=(0,) * scales, axis=0)
    return Tensor(
        index=0,
        name="",
        shape=shape,
        dtype=dtype,
        constant=constant,
        quantization=scheme if scales else None,
    )


def weights(shape: tuple[int, ...], dtype: str = "int8", scales: int = 0) -> Tensor:
    return tensor(shape, dtype, constant=True, scales=scales)


def one_op(
    *inputs: Tensor,
    output: Tensor | None = None,
    kind: str = "CONV_2D",
    version: int = 1,
    options: Mapping[str, OptionValue] | None = None,
) -> Graph:
    """Return a graph of one op that reads the tensors 0, 1, ... and writes the last."""
    given = (*(inputs or (tensor(DATA),)), output or tensor(DATA))
    tensors = [replace(t, index=i, name=f"t{i}") for i, t in enumerate(given)]
    op = Op(
        index=0,
        type=kind,
        version=version,
        inputs=tuple(range(len(tensors) - 1)),
        outputs=(len(tensors) - 1,),
        options=tuple(sorted((options or {}).items())),
    )
    read = tuple(t.index for t in tensors[:-1] if not t.constant)
    return Graph.build(
        name="made", sha256="x", tensors=tensors, ops=[op], inputs=read, outputs=op.outputs
    )


def size(name: str, **limit: Any) -> Limits:
    return Limits(sizes=(ValueLimit(name=name, **limit),))


def option(name: str, **limit: Any) -> Limits:
    return Limits(options=(ValueLimit(name=name, **limit),))


def broken(limits: Limits, graph: Graph) -> list[tuple[str, str]]:
    return [tuple(b) for b in breaches(limits, graph, graph.ops[0], "gpu")]  # type: ignore[misc]


FILTER = weights((16, 3, 5, 4))
PAIR = (tensor(DATA), tensor((4,)))
BROKEN = [
    (Limits(min_version=2), one_op(), "min_version", "CONV_2D version 1 below the limit 2"),
    (
        Limits(max_version=2),
        one_op(version=3),
        "max_version",
        "CONV_2D version 3 above the limit 2",
    ),
    (
        Limits(dtypes=("int8", "uint8")),
        one_op(output=tensor(DATA, "int8")),
        "dtypes",
        "float32 tensor: gpu takes int8, uint8 only",
    ),
    (
        Limits(input_dtypes=("int8",)),
        one_op(output=tensor(DATA, "int8")),
        "input_dtypes",
        "float32 input: gpu takes int8 only",
    ),
    (
        Limits(output_dtypes=("float32",)),
        one_op(output=tensor(DATA, "int32")),
        "output_dtypes",
        "int32 output: gpu takes float32 only",
    ),
    (
        Limits(weight_dtypes=("float32",)),
        one_op(tensor(DATA), FILTER),
        "weight_dtypes",
        "int8 weights: gpu takes float32 only",
    ),
    (
        Limits(min_rank=3),
        one_op(tensor((1, 4)), output=tensor(DATA)),
        "min_rank",
        "rank 2 below the limit 3",
    ),
    (
        Limits(max_rank=3),
        one_op(tensor(DATA), output=tensor((1,))),
        "max_rank",
        "rank 4 above the limit 3",
    ),
    (
        Limits(max_wide_dims=2),
        one_op(output=tensor((1,))),
        "max_wide_dims",
        "3 dimensions larger than 1, above the limit 2",
    ),
    (
        Limits(max_wide_dims=2),
        one_op(tensor((1,)), output=tensor(None)),
        "max_wide_dims",
        "the shape of tensor 1 is not known before it runs",
    ),
    (
        Limits(quantization=(Scheme.PER_TENSOR,)),
        one_op(output=tensor(DATA, "int8", scales=1)),
        "quantization",
        "tensor 0 quantised none: gpu takes per_tensor only",
    ),
    (
        Limits(weight_quantization=(Scheme.NONE, Scheme.PER_TENSOR)),
        one_op(tensor(DATA), weights((16, 3, 3, 4), scales=16)),
        "weight_quantization",
        "weights 1 quantised per_channel: gpu takes none, per_tensor only",
    ),
    (
        Limits(constant_inputs=(1,)),
        one_op(tensor(DATA), tensor((16, 3, 3, 4))),
        "constant_inputs",
        "input 1 is computed and must be constant",
    ),
    (
        Limits(computed_inputs=(0, 1)),
        one_op(tensor(DATA), FILTER),
        "computed_inputs",
        "input 1 is constant and must be computed",
    ),
    (
        Limits(broadcast=(Broadcast.NONE, Broadcast.SCALAR)),
        one_op(*PAIR, kind="ADD"),
        "broadcast",
        "input 4 stretched to 1x8x6x4 (broadcast channel): gpu takes none, scalar only",
    ),
    (
        Limits(broadcast=(Broadcast.CHANNEL,)),
        one_op(tensor((1, 1, 6, 4)), kind="ADD"),
        "broadcast",
        "input 1x1x6x4 stretched to 1x8x6x4 (broadcast general): gpu takes channel only",
    ),
    (
        Limits(broadcast=(Broadcast.NONE,)),
        one_op(tensor(()), kind="ADD"),
        "broadcast",
        "input a scalar stretched to 1x8x6x4 (broadcast scalar): gpu takes none only",
    ),
    (
        Limits(broadcast=(Broadcast.NONE,)),
        one_op(tensor(None), kind="ADD"),
        "broadcast",
        "the shape of tensor 0 is not known before it runs",
    ),
    (
        size("batch", maximum=1),
        one_op(tensor((2, 8, 6, 4))),
        "sizes.batch",
        "batch 2 above the limit 1",
    ),
    (
        size("height", maximum=7),
        one_op(output=tensor((1,))),
        "sizes.height",
        "height 8 above the limit 7",
    ),
    (
        size("width", minimum=7),
        one_op(output=tensor((1,))),
        "sizes.width",
        "width 6 below the limit 7",
    ),
    (
        size("elements", maximum=100),
        one_op(output=tensor((1,))),
        "sizes.elements",
        "elements 192 above the limit 100",
    ),
    (
        size("bytes", maximum=767),
        one_op(output=tensor((1,))),
        "sizes.bytes",
        "bytes 768 above the limit 767",
    ),
    (
        size("input_channels", multiple_of=8),
        one_op(),
        "sizes.input_channels",
        "input channels 4 is no multiple of 8",
    ),
    (
        size("output_channels", refused=(4,)),
        one_op(),
        "sizes.output_channels",
        "output channels 4 is not taken",
    ),
    (
        size("filter_height", maximum=2),
        one_op(tensor(DATA), FILTER),
        "sizes.filter_height",
        "filter height 3 above the limit 2",
    ),
    (
        size("filter_width", allowed=(1, 3)),
        one_op(tensor(DATA), FILTER),
        "sizes.filter_width",
        "filter width 5: only 1, 3 is taken",
    ),
    (
        size("filter_width", maximum=2),
        one_op(kind="MAX_POOL_2D", options={"filter_width": 3}),
        "sizes.filter_width",
        "filter width 3 above the limit 2",
    ),
    (
        size("filter_width", allowed=(3,)),
        one_op(),
        "sizes.filter_width",
        "filter width unknown, and filter width is limited",
    ),
    (
        size("weight_bytes", maximum=959),
        one_op(tensor(DATA), FILTER),
        "sizes.weight_bytes",
        "weight bytes 960 above the limit 959",
    ),
    (
        size("inputs", maximum=1),
        one_op(*PAIR, kind="CONCATENATION"),
        "sizes.inputs",
        "inputs 2 above the limit 1",
    ),
    (
        size("bytes", maximum=1),
        one_op(tensor(None), output=tensor(())),
        "sizes.bytes",
        "the shape of tensor 0 is not known before it runs, and bytes is limited",
    ),
    (
        option("stride_w", maximum=3),
        one_op(options={"stride_w": 4}),
        "options.stride_w",
        "stride_w 4 above the limit 3",
    ),
    (
        option("stride_w", minimum=2),
        one_op(options={"stride_w": 1}),
        "options.stride_w",
        "stride_w 1 below the limit 2",
    ),
    (
        option("padding", refused=("VALID",)),
        one_op(options={"padding": "VALID"}),
        "options.padding",
        "padding VALID is not taken",
    ),
    (
        option("fused_activation_function", allowed=("NONE", "RELU")),
        one_op(options={"fused_activation_function": "RELU6"}),
        "options.fused_activation_function",
        "fused_activation_function RELU6: only NONE, RELU is taken",
    ),
    (
        option("block_size", multiple_of=2),
        one_op(options={"block_size": 3}),
        "options.block_size",
        "block_size 3 is no multiple of 2",
    ),
]
KEPT = [
    (Limits(min_version=1, max_version=1), one_op()),
    (Limits(dtypes=("float32",)), one_op(tensor(DATA), FILTER)),
    (Limits(input_dtypes=("float32",)), one_op(output=tensor(DATA, "int8"))),
    (Limits(output_dtypes=("int8",)), one_op(output=tensor(DATA, "int8"))),
    (Limits(weight_dtypes=("int8",)), one_op(tensor(DATA), FILTER)),
    (Limits(weight_dtypes=("int8",)), one_op(tensor(DATA), weights((2,), "int32"), kind="PAD")),
    (Limits(min_rank=4, max_rank=4, max_wide_dims=3), one_op()),
    (Limits(quantization=(Scheme.NONE,)), one_op(tensor(DATA), weights((4,), scales=4))),
    (
        Limits(weight_quantization=(Scheme.PER_CHANNEL,)),
        one_op(tensor(DATA), weights((4,), scales=4)),
    ),
    (Limits(constant_inputs=(1, 2)), one_op(tensor(DATA), FILTER)),
    (Limits(computed_inputs=(0,)), one_op(tensor(DATA), FILTER)),
    (Limits(broadcast=(Broadcast.NONE, Broadcast.CHANNEL)), one_op(*PAIR, kind="ADD")),
    (Limits(broadcast=(Broadcast.NONE,)), one_op(tensor(DATA[1:]), kind="ADD")),
    (size("batch", maximum=1), one_op(tensor((2, 8)), output=tensor((2, 8)))),
    (size("height", maximum=8, minimum=8, multiple_of=4), one_op()),
    (size("filter_width", allowed=(5,)), one_op(tensor(DATA), FILTER)),
    (option("stride_w", minimum=1, maximum=3, allowed=(1, 3)), one_op(options={"stride_w": 3})),
    (option("stride_w", maximum=1), one_op()),
]


@pytest.mark.parametrize(("limits", "graph", "key", "sentence"), BROKEN)
def test_a_broken_limit_names_value_and_limit(
    limits: Limits, graph: Graph, key: str, sentence: str
) -> None:
    assert (key, sentence) in broken(limits, graph)


@pytest.mark.parametrize(("limits", "graph"), KEPT)
def test_an_op_within_its_limits_breaks_none(limits: Limits, graph: Graph) -> None:
    assert broken(limits, graph) == []


def test_each_field_of_the_limits_is_tried_both_ways() -> None:
    fields = set(Limits.__dataclass_fields__) - {"places"}
    for cases in ([b[0] for b in BROKEN], [k[0] for k in KEPT]):
        tried = {f for limits in cases for f in fields if getattr(limits, f) not in (None, ())}
        assert tried == fields
    assert {s.name for limits, *_ in BROKEN for s in limits.sizes} == set(ANY_SIZES)


def test_later_limits_replace_earlier_ones_one_by_one_and_keep_their_places() -> None:
    base = Limits(
        max_rank=4,
        dtypes=("int8",),
        sizes=(ValueLimit(name="batch", maximum=1), ValueLimit(name="width", maximum=9)),
        places=(Place("max_rank", "a:1"), Place("sizes.batch", "a:2"), Place("sizes.width", "a:3")),
    )
    over = Limits(
        max_rank=5,
        sizes=(ValueLimit(name="batch", maximum=2),),
        options=(ValueLimit(name="width", maximum=1),),
        places=(Place("max_rank", "b:1"),),
    )
    both = merge(base, over)
    assert (both.max_rank, both.dtypes) == (5, ("int8",))
    assert [(s.name, s.maximum) for s in both.sizes] == [("batch", 2), ("width", 9)]
    assert [o.name for o in both.options] == ["width"]
    assert (both.place("max_rank"), both.place("sizes.width")) == ("b:1", "a:3")
    assert both.place("sizes.batch") == ""  # the limit in force was written nowhere
