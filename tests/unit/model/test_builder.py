"""Built models run in a real interpreter, keep their promises on shapes, and repeat exactly."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert.interpreter import Interpreter

from band.errors import BandError, ErrorCode
from band.model import tflite_schema
from band.model.builder import GraphBuilder
from band.model.model import Model
from band.model.weights import SeededWeights, quantize_bias, quantize_weights
from band.testing.models import RUNNABLE

Layer = Callable[[GraphBuilder, int], int]
# Raw bits of PCG64, whose stream numpy guarantees, so the same everywhere.
WEIGHTS_OF_SEED_7 = [
    0.8898098468780518, 0.2501908540725708, 0.3683598041534424, 0.7944275140762329,
    0.15658485889434814,
]  # fmt: skip
LAYERS: dict[str, Layer] = {
    "conv2d": lambda b, x: b.conv2d(x, 8, 3, stride=2, activation="RELU6"),
    "conv2d_valid": lambda b, x: b.conv2d(x, 8, 5, stride=3, padding="VALID"),
    "depthwise": lambda b, x: b.depthwise_conv2d(x, stride=2),
    "transpose_conv2d": lambda b, x: b.transpose_conv2d(x, 6, 3),
    "fully_connected": lambda b, x: b.fully_connected(x, 7, activation="RELU"),
    "max_pool": lambda b, x: b.max_pool(x, 3, stride=2),
    "average_pool": lambda b, x: b.average_pool(x, 2, stride=1, padding="SAME"),
    "add": lambda b, x: b.add(x, x, activation="RELU"),
    "mul": lambda b, x: b.mul(x, x),
    "concat": lambda b, x: b.concat([x, x], axis=2),
    "reshape": lambda b, x: b.reshape(x, (1, -1, 4)),
    "resize_bilinear": lambda b, x: b.resize_bilinear(x, 5, 30),
    "pad": lambda b, x: b.pad(x, [(0, 0), (1, 2), (0, 3), (0, 0)]),
    "mean": lambda b, x: b.mean(x),
    "mean_keep": lambda b, x: b.mean(x, keep_dims=True),
    "softmax": lambda b, x: b.softmax(x),
    "logistic": lambda b, x: b.logistic(x),
    "relu": lambda b, x: b.activation(x, "RELU"),
    "relu6": lambda b, x: b.activation(x, "RELU6"),
}
FLOAT_ONLY: dict[str, Layer] = {
    "prelu": lambda b, x: b.prelu(x),
    "hard_swish": lambda b, x: b.activation(x, "HARD_SWISH"),
    "tanh": lambda b, x: b.activation(x, "TANH"),
}
IMAGE = (1, 12, 10, 4)


def run(model: Model, *values: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    interpreter = Interpreter(model_content=model.content, num_threads=1)
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), values, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def image(seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-1, 1, IMAGE).astype(np.float32)


@pytest.mark.parametrize("weights", ["float32", "float16"])
@pytest.mark.parametrize("name", [*LAYERS, *FLOAT_ONLY])
def test_a_float_layer_runs_and_has_the_shape_it_says(name: str, weights: Any) -> None:
    b = GraphBuilder("m", weights=weights)
    out = {**LAYERS, **FLOAT_ONLY}[name](b, b.input("x", IMAGE))
    model = b.build(out)
    (value,) = run(model, image())
    assert value.shape == b.shape(out) == model.graph.tensors[out].shape
    assert value.dtype == np.float32
    assert np.isfinite(value).all()
    assert value.any()


@pytest.mark.parametrize("name", LAYERS)
def test_an_int8_layer_is_close_to_the_float_layer(name: str) -> None:
    b = GraphBuilder("float", seed=3)
    (exact,) = run(b.build(LAYERS[name](b, b.input("x", IMAGE))), image())
    b = GraphBuilder("int8", seed=3)
    out = LAYERS[name](b, b.quantize(b.input("x", IMAGE)))
    assert b.tensors[out].dtype == "int8"
    (value,) = run(b.build(b.dequantize(out)), image())
    assert value.shape == exact.shape
    # Half a step of input and output (0.05 each), summed over a window.
    assert np.abs(value - np.clip(exact, -6.4, 6.35)).mean() < 0.05


def test_the_same_calls_give_the_same_bytes_and_another_seed_others() -> None:
    for make in RUNNABLE.values():
        assert make().content == make().content
    first, second = (build_with_seed(seed).graph.sha256 for seed in (1, 2))
    assert first != second


def build_with_seed(seed: int) -> Model:
    b = GraphBuilder("m", seed=seed)
    return b.build(b.conv2d(b.input("x", IMAGE), 4))


def test_weights_are_a_fixed_function_of_the_seed() -> None:
    values = SeededWeights(7).uniform((5,), 1.0)
    assert values.tolist() == WEIGHTS_OF_SEED_7
    many = SeededWeights(1).uniform((1000, 1000), 2.0)
    assert many.min() >= -2.0
    assert many.max() < 2.0
    assert many.mean() == pytest.approx(0, abs=0.01)
    assert many.std() == pytest.approx(2 / np.sqrt(3), rel=0.01)


def test_quantised_weights_have_one_scale_per_channel_or_one_for_all() -> None:
    weights = np.array([[1.0, -2.0], [0.5, 0.25]], np.float32)
    stored, scale = quantize_weights(weights, 0)
    assert stored.tolist() == [[64, -127], [127, 64]]
    assert scale.scales == pytest.approx((2 / 127, 0.5 / 127))
    stored, scale = quantize_weights(weights, None)
    assert stored.tolist() == [[64, -127], [32, 16]]
    assert scale.scales == pytest.approx((2 / 127,))
    bias, bias_scale = quantize_bias(np.array([1.0], np.float32), 0.5, scale)
    assert bias.tolist() == [round(1 / (0.5 * 2 / 127))]
    assert bias_scale.scales == pytest.approx((0.5 * 2 / 127,))


def test_branches_and_loops_compute_what_they_say() -> None:
    model = RUNNABLE["control_flow_while"]()
    values = np.zeros((1, 16, 16, 3), np.float32)
    none, once = (run(model, values, np.array([start], np.int32))[0] for start in (4, 3))
    assert np.array_equal(once, 2 * none)
    model = RUNNABLE["control_flow_if"]()
    yes, no = (run(model, values, np.array(c))[0] for c in (True, False))
    assert not np.array_equal(yes, no)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda b, x: b.conv2d(b.mean(x), 3), r"gives CONV_2D a tensor of shape \(1, 4\)"),
        (lambda b, x: b.add(x, b.input("y", (1, 5, 10, 4))), "do not broadcast"),
        (lambda b, x: b.concat([x, b.mean(x)]), "concatenates the shapes"),
        (lambda b, x: b.reshape(x, (7, -1)), "holds another number of values"),
        (lambda b, x: b.pad(x, [(1, 1)]), "pads 1 dimensions"),
        (lambda b, x: b.add(x, 99), "has no tensor 99"),
        (lambda b, x: b.layer("RELU", (x,), IMAGE, colour=1), "uses options of op 'RELU'"),
        (lambda b, x: b.layer("PAD", (x,), IMAGE, colour=1), "option 'colour' of op 'PAD'"),
        (lambda b, x: b.layer("NO_SUCH_OP", (x,), IMAGE), "uses op 'NO_SUCH_OP'"),
        (lambda b, x: b.conv2d(x, 3, padding="FULL"), "padding 'FULL'"),
        (lambda b, x: b.concat([b.quantize(x), b.logistic(b.quantize(x))]), "different scales"),
    ],
)
def test_a_net_that_makes_no_sense_is_refused(build: Layer, says: str) -> None:
    b = GraphBuilder("wrong")
    with pytest.raises(BandError, match=says) as caught:
        b.build(build(b, b.input("x", IMAGE)))
    assert str(caught.value).startswith("model 'wrong' ")


def test_an_unknown_type_is_refused() -> None:
    b = GraphBuilder("wrong")
    x = b.input("x", (1,), "float31")
    with pytest.raises(BandError, match="tensor type 'float31'"):
        b.build(b.activation(x))


def test_an_output_without_a_value_is_refused() -> None:
    b = GraphBuilder("wrong")
    b.activation(b.input("x", (1, 4)))
    with pytest.raises(BandError, match="an output 'nothing' that no op computes"):
        b.build(b.tensor("nothing", (1, 4)))


def test_a_net_whose_weights_pass_2_gib_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflite_schema, "MAXIMUM_DATA_BYTES", 1000)
    b = GraphBuilder("wide")
    x = b.fully_connected(b.input("x", (1, 16)), 16)
    with pytest.raises(BandError, match=r"cannot be built \(limit 2 GiB\)") as caught:
        b.build(x)
    assert caught.value.code is ErrorCode.UNSUPPORTED_FEATURE
