"""The latency formula, published rows, and which coefficients a set of ops is charged with."""

from collections.abc import Sequence
from typing import NamedTuple

import pytest

from band.device.cost import (
    compute_dtype,
    cost_refusal,
    estimate_us,
    op_dtype,
    published_latency_us,
)
from band.device.profile import (
    CostCoefficients,
    Evidence,
    Mark,
    Processor,
    ProcessorKind,
    PublishedLatency,
)
from band.device.support_table import Support
from band.errors import BandError, ErrorCode
from band.model.graph import Graph, Op, Tensor

GUESS = Evidence(mark=Mark.HYPOTHESIS, source="made up for a test")
GMAC = 1_000_000_000


class Layer(NamedTuple):
    """One op; its filter makes it cost ``side * side * filter`` MACs."""

    type: str
    dtype: str = "float32"
    filter_shape: tuple[int, ...] | None = None
    parameter_bytes: int = 0


# On 1000 x 1000 data: 1x1 from 10 to 100 channels = 1 GMAC; depthwise 1x10 on 100 = 1 GMAC.
DENSE = Layer("CONV_2D", filter_shape=(100, 1, 1, 10))
DEPTHWISE = Layer("DEPTHWISE_CONV_2D", filter_shape=(1, 1, 10, 100))
ADD = Layer("ADD")


def network(layers: Sequence[Layer], *, sha256: str = "x") -> Graph:
    tensors = [Tensor(index=0, name="in", shape=(1, 1000, 1000, 100), dtype=layers[0].dtype)]
    ops: list[Op] = []
    for index, layer in enumerate(layers):
        read = [ops[-1].outputs[0] if ops else 0]
        if layer.filter_shape is not None:
            read.append(len(tensors))
            tensors.append(
                Tensor(
                    index=len(tensors),
                    name=f"w{index}",
                    shape=layer.filter_shape,
                    dtype="int8",
                    constant=True,
                    buffer_bytes=layer.parameter_bytes,
                )
            )
        output = len(tensors)
        tensors.append(
            Tensor(index=output, name=f"t{index}", shape=(1, 1000, 1000, 100), dtype=layer.dtype)
        )
        ops.append(
            Op(index=index, type=layer.type, version=1, inputs=tuple(read), outputs=(output,))
        )
    return Graph.build(
        name="made", sha256=sha256, tensors=tensors, ops=ops, inputs=(0,), outputs=ops[-1].outputs
    )


def cost(
    dtype: str = "float32",
    *,
    dispatch_us: float = 0,
    us_per_gmac: float = 0,
    per_op_us: float = 0,
    depthwise_weight: float = 1,
    onchip_mb: float = 0,
    us_per_offchip_mb: float = 0,
) -> CostCoefficients:
    return CostCoefficients(
        dtype=dtype,
        dispatch_us=dispatch_us,
        us_per_gmac=us_per_gmac,
        per_op_us=per_op_us,
        depthwise_weight=depthwise_weight,
        onchip_mb=onchip_mb,
        us_per_offchip_mb=us_per_offchip_mb,
        evidence=GUESS,
    )


def processor(*costs: CostCoefficients, published: tuple[PublishedLatency, ...] = ()) -> Processor:
    return Processor(
        index=0,
        name="gpu",
        kind=ProcessorKind.GPU,
        backend="emulated",
        support=Support(),
        costs=costs,
        published=published,
    )


def row(latency_us: int, sha256: str = "x") -> PublishedLatency:
    return PublishedLatency(sha256=sha256, model="m", latency_us=latency_us, evidence=GUESS)


def test_the_formula_adds_dispatch_ops_and_macs() -> None:
    graph = network([DENSE, ADD, DENSE])
    gpu = processor(cost(dispatch_us=1000, per_op_us=7, us_per_gmac=500))
    assert estimate_us(gpu, graph, (0, 1, 2)) == 1000 + 3 * 7 + 2 * 500
    assert estimate_us(gpu, graph, (0, 1)) == 1000 + 2 * 7 + 500


def test_dispatch_is_charged_once_per_subgraph() -> None:
    graph = network([DENSE, DENSE])
    gpu = processor(cost(dispatch_us=4000, us_per_gmac=500))
    whole = estimate_us(gpu, graph, (0, 1))
    parts = estimate_us(gpu, graph, (0,)) + estimate_us(gpu, graph, (1,))
    assert parts - whole == 4000


def test_an_estimate_is_at_least_one_microsecond() -> None:
    assert estimate_us(processor(cost()), network([ADD]), (0,)) == 1
    assert estimate_us(processor(cost()), network([ADD]), ()) == 1


def test_weight_ops_are_free() -> None:
    tensors = [
        Tensor(index=0, name="in", shape=(1, 4), dtype="float32"),
        Tensor(index=1, name="half", shape=(4, 4), dtype="float16", constant=True),
        Tensor(index=2, name="full", shape=(4, 4), dtype="float32"),
        Tensor(index=3, name="out", shape=(1, 4), dtype="float32"),
    ]
    ops = [
        Op(index=0, type="DEQUANTIZE", version=1, inputs=(1,), outputs=(2,)),
        Op(index=1, type="FULLY_CONNECTED", version=1, inputs=(0, 2), outputs=(3,)),
    ]
    graph = Graph.build(name="m", sha256="x", tensors=tensors, ops=ops, inputs=(0,), outputs=(3,))
    gpu = processor(cost(dispatch_us=10, per_op_us=5))
    assert estimate_us(gpu, graph, (0, 1)) == 15
    assert compute_dtype(graph, (0, 1)) == "float32"


def test_depthwise_weight_shifts_time_between_ops_but_not_the_whole() -> None:
    graph = network([DENSE, DEPTHWISE])
    gpu = processor(cost(us_per_gmac=1000, depthwise_weight=4))
    assert estimate_us(gpu, graph, (0, 1)) == 2000
    assert estimate_us(gpu, graph, (0,)) == 400
    assert estimate_us(gpu, graph, (1,)) == 1600


def test_weights_beyond_the_chip_are_charged_per_megabyte() -> None:
    big = DENSE._replace(parameter_bytes=6_000_000)
    graph = network([big, big])
    tpu = processor(cost(dispatch_us=100, onchip_mb=7.5, us_per_offchip_mb=1000))
    assert estimate_us(tpu, graph, (0,)) == 100
    assert estimate_us(tpu, graph, (0, 1)) == 100 + 4500


def test_a_published_row_is_what_the_whole_exact_file_costs() -> None:
    graph = network([DENSE, DENSE])
    gpu = processor(cost(dispatch_us=1000, us_per_gmac=500), published=(row(3000),))
    assert published_latency_us(gpu, graph) == 3000
    assert estimate_us(gpu, graph, (0, 1)) == 3000


def test_a_part_of_a_published_file_is_scaled_as_the_whole_is() -> None:
    graph = network([DENSE, DENSE])
    gpu = processor(cost(dispatch_us=1000, us_per_gmac=500), published=(row(3000),))
    assert estimate_us(gpu, graph, (0,)) == round(1500 * 3000 / 2000)


def test_a_published_row_below_the_dispatch_leaves_every_part_positive() -> None:
    graph = network([DENSE, DENSE])
    gpu = processor(cost(dispatch_us=1000, us_per_gmac=500), published=(row(200),))
    assert estimate_us(gpu, graph, (0, 1)) == 200
    assert estimate_us(gpu, graph, (0,)) == 150


def test_a_published_row_of_another_file_means_nothing() -> None:
    graph = network([DENSE])
    gpu = processor(cost(dispatch_us=1000), published=(row(7, sha256="y"),))
    assert published_latency_us(gpu, graph) is None
    assert estimate_us(gpu, graph, (0,)) == 1000


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("float32", "float32"),
        ("float16", "float32"),
        ("int8", "int8"),
        ("uint8", "int8"),
        ("int4", "int8"),
        ("int16", "int16"),
        ("int32", None),
        ("bool", None),
        ("string", None),
    ],
)
def test_the_compute_type_follows_the_data(stored: str, expected: str | None) -> None:
    assert op_dtype(network([Layer("ADD", stored)]), 0) == expected


def test_int8_weights_do_not_make_a_float_op_compute_in_int8() -> None:
    assert op_dtype(network([DENSE]), 0) == "float32"


def test_the_first_data_input_with_a_compute_type_decides() -> None:
    graph = network([Layer("QUANTIZE", "float32"), Layer("ADD", "int8"), Layer("ARG_MAX", "int32")])
    assert [op_dtype(graph, op) for op in range(3)] == ["float32", "float32", "int8"]


def test_a_set_of_ops_is_charged_for_the_type_of_its_macs() -> None:
    dense8 = DENSE._replace(dtype="int8")
    graph = network([DENSE, Layer("QUANTIZE", "int8"), dense8, dense8])
    assert compute_dtype(graph, (0, 1)) == "float32"
    assert compute_dtype(graph, (2,)) == "int8"
    assert compute_dtype(graph, (0, 1, 2, 3)) == "int8"


def test_ops_without_macs_are_charged_as_their_model_is() -> None:
    dense8 = DENSE._replace(dtype="int8")
    graph = network([dense8, dense8, Layer("DEQUANTIZE"), ADD, ADD])
    assert compute_dtype(graph, (3, 4)) == "int8"
    both = processor(cost("float32", dispatch_us=2000), cost("int8", dispatch_us=200))
    assert estimate_us(both, graph, (3, 4)) == 200


def test_a_processor_without_that_type_charges_the_type_it_has() -> None:
    dense8 = DENSE._replace(dtype="int8")
    graph = network([dense8, dense8, Layer("DEQUANTIZE"), ADD])
    assert estimate_us(processor(cost("float32", dispatch_us=300)), graph, (3,)) == 300


def test_a_model_without_macs_is_of_the_type_of_most_of_its_ops() -> None:
    graph = network([Layer("QUANTIZE", "int8"), Layer("ADD", "int8"), Layer("ADD", "int8")])
    assert compute_dtype(graph, (0, 1, 2)) == "int8"
    assert compute_dtype(network([Layer("ADD", "int32")]), (0,)) == "float32"


def test_the_refusal_names_type_and_processor() -> None:
    gpu = processor(cost("float32"))
    assert cost_refusal(gpu, "float32") is None
    assert cost_refusal(gpu, None) is None
    assert cost_refusal(gpu, "int8") == "no cost coefficient for int8 on gpu"
    assert cost_refusal(processor(), None) == "no cost coefficient for any type on gpu"


def test_a_processor_without_coefficients_cannot_be_charged() -> None:
    with pytest.raises(BandError, match="gpu has no cost coefficients") as caught:
        estimate_us(processor(), network([ADD]), (0,))
    assert caught.value.code is ErrorCode.UNSUPPORTED_MODEL


def test_graphs_of_one_file_with_other_shapes_are_counted_apart() -> None:
    gpu = processor(cost(us_per_gmac=1000))
    assert estimate_us(gpu, network([DENSE]), (0,)) == 1000
    assert estimate_us(gpu, network([DENSE._replace(filter_shape=(100, 1, 1, 20))]), (0,)) == 2000
