"""Small models for tests, each with one property that a scheduler or slicer must respect.

All are built in a few milliseconds, have seeded weights and run in both TFLite runtimes.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from band.model.builder import GraphBuilder
from band.model.model import Model

IMAGE: Final = (1, 16, 16, 3)
STATE_NAME: Final = "state"


def chain(*, convolutions: int = 3, name: str = "chain", seed: int = 1) -> Model:
    """Return a chain of convolutions, a mean and a dense layer: ``convolutions + 2`` ops."""
    b = GraphBuilder(name, seed=seed)
    x = b.input("image", IMAGE)
    for _ in range(convolutions):
        x = b.conv2d(x, 8, activation="RELU")
    return b.build(b.fully_connected(b.mean(x), 10))


def residual(*, name: str = "residual", seed: int = 2) -> Model:
    """Return two branches that meet: CONV, (CONV | DEPTHWISE), ADD, MEAN.

    The tensor that forks crosses every boundary between the branches.
    """
    b = GraphBuilder(name, seed=seed)
    trunk = b.conv2d(b.input("image", IMAGE), 8, activation="RELU")
    left = b.conv2d(trunk, 8)
    right = b.depthwise_conv2d(trunk)
    return b.build(b.mean(b.add(left, right)))


def skip_connection(*, name: str = "skip_connection", seed: int = 3) -> Model:
    """Return a chain of 6 ops whose first result is read again by the last."""
    b = GraphBuilder(name, seed=seed)
    first = b.conv2d(b.input("image", IMAGE), 8)
    x = b.activation(first)
    x = b.depthwise_conv2d(x)
    x = b.conv2d(x, 8, 1)
    x = b.logistic(x)
    return b.build(b.mul(x, first))


def late_input(*, name: str = "late_input", seed: int = 4) -> Model:
    """Return a model whose second input is read only by the last of its 4 ops."""
    b = GraphBuilder(name, seed=seed)
    image, late = b.input("image", IMAGE), b.input("late", (1, 8))
    x = b.mean(b.conv2d(b.conv2d(image, 8), 8))
    return b.build(b.add(x, late))


def two_outputs(*, name: str = "two_outputs", seed: int = 5) -> Model:
    """Return a model of 4 ops whose first output is read on and whose outputs are out of order."""
    b = GraphBuilder(name, seed=seed)
    features = b.conv2d(b.input("image", IMAGE), 8, activation="RELU6")
    mean = b.mean(features)
    scores = b.softmax(b.fully_connected(mean, 4))
    return b.build(scores, features)


def constant_producer(*, name: str = "constant_producer", seed: int = 6) -> Model:
    """Return a model with an op that reads constants only and feeds two others.

    Ops: ADD of two constants (a weight op), CONV, MUL by its result, ADD of its result.
    """
    b = GraphBuilder(name, seed=seed)
    x = b.input("image", IMAGE)
    left = b.constant("left", np.full((1, 1, 1, 8), 0.25, dtype=np.float32))
    right = b.constant("right", np.linspace(-1, 1, 8, dtype=np.float32).reshape(1, 1, 1, 8))
    scale = b.add(left, right)
    x = b.mul(b.conv2d(x, 8), scale)
    return b.build(b.add(x, scale))


def half_weights(*, name: str = "half_weights", seed: int = 7) -> Model:
    """Return a residual net whose weights are float16 behind DEQUANTIZE ops."""
    b = GraphBuilder(name, seed=seed, weights="float16")
    trunk = b.conv2d(b.input("image", IMAGE), 8, activation="RELU")
    x = b.prelu(b.depthwise_conv2d(trunk))
    return b.build(b.fully_connected(b.mean(b.add(x, trunk)), 10))


def quantized(*, name: str = "quantized", seed: int = 8) -> Model:
    """Return a residual int8 net with float input and output: QUANTIZE first, DEQUANTIZE last."""
    b = GraphBuilder(name, seed=seed)
    trunk = b.conv2d(b.quantize(b.input("image", IMAGE)), 8, activation="RELU6")
    x = b.add(b.conv2d(trunk, 8, 1), b.depthwise_conv2d(trunk))
    return b.build(b.dequantize(b.softmax(b.fully_connected(b.mean(x), 10))))


def resource_variable(*, name: str = "resource_variable", seed: int = 9) -> Model:
    """Return a streaming model: the running sum of a layer is a resource variable.

    READ, ADD and ASSIGN of the variable are one atom; a CONV before and a RELU behind are free.
    """
    b = GraphBuilder(name, seed=seed)
    shape = (1, 16, 16, 4)
    start = GraphBuilder("start")
    handle = start.tensor("handle", (), "resource")
    start.op("VAR_HANDLE", (), (handle,), shared_name=STATE_NAME)
    zeros = start.constant("zeros", np.zeros(shape, dtype=np.float32))
    start.op("ASSIGN_VARIABLE", (handle, zeros), ())
    x = b.input("image", IMAGE)
    b.op("CALL_ONCE", (), (), init_subgraph_index=b.branch(start))
    handle = b.tensor("handle", (), "resource")
    b.op("VAR_HANDLE", (), (handle,), shared_name=STATE_NAME)
    before = b.tensor("before", shape)
    b.op("READ_VARIABLE", (handle,), (before,))
    total = b.add(b.conv2d(x, 4), before)
    b.op("ASSIGN_VARIABLE", (handle, total), ())
    return b.build(b.activation(total))


def variable_tensor(*, name: str = "variable_tensor", seed: int = 10) -> Model:
    """Return a recurrent model (SVDF between two dense layers) with a variable tensor."""
    b = GraphBuilder(name, seed=seed)
    units, memory = 4, 3
    x = b.fully_connected(b.input("frame", (1, 8)), 8)
    feature = b.float_constant(_ramp((units, 8)), "feature")
    time = b.float_constant(_ramp((units, memory)), "time")
    state = b.tensor("activation_state", (1, units * memory), variable=True)
    x = b.layer(
        "SVDF", (x, feature, time, -1, state), (1, units),
        rank=1, fused_activation_function="NONE", asymmetric_quantize_inputs=False,
    )  # fmt: skip
    return b.build(b.fully_connected(x, 2))


def control_flow(kind: Literal["IF", "WHILE"] = "IF", *, seed: int = 11) -> Model:
    """Return CONV, then IF (on a second input) or WHILE (four rounds), then RELU."""
    b = GraphBuilder(f"control_flow_{kind.lower()}", seed=seed)
    x = b.conv2d(b.input("image", IMAGE), 4)
    shape = b.shape(x)
    if kind == "IF":
        condition = b.input("condition", (), "bool")
        then = b.branch(_branch("then", shape, "HARD_SWISH"))
        other = b.branch(_branch("else", shape, "RELU6"))
        x = b.layer(
            "IF", (condition, x), shape, like=x,
            then_subgraph_index=then, else_subgraph_index=other,
        )  # fmt: skip
    else:
        counter = b.input("counter", (1,), "int32")
        last = b.tensor("last", (1,), "int32")
        out = b.tensor("looped", shape)
        b.op(
            "WHILE", (counter, x), (last, out),
            cond_subgraph_index=b.branch(_below_four(shape)),
            body_subgraph_index=b.branch(_one_round(shape)),
        )  # fmt: skip
        x = out
    return b.build(b.activation(x))


def custom_op(*, name: str = "custom_op", seed: int = 12) -> Model:
    """Return CONV, an op that no runtime knows, RELU: only its ends can run."""
    b = GraphBuilder(name, seed=seed)
    x = b.conv2d(b.input("image", IMAGE), 4)
    x = b.layer("CUSTOM:BandUnknown", (x,), b.shape(x))
    return b.build(b.activation(x))


def _branch(name: str, shape: tuple[int, ...], kind: str) -> GraphBuilder:
    b = GraphBuilder(name)
    b.outputs = [b.activation(b.input("x", shape), kind)]
    return b


def _below_four(shape: tuple[int, ...]) -> GraphBuilder:
    b = GraphBuilder("condition")
    counter = b.input("counter", (1,), "int32")
    b.input("x", shape)
    out = b.tensor("below", (1,), "bool")
    b.op("LESS", (counter, b.integers((4,), "four")), (out,))
    b.outputs = [out]
    return b


def _one_round(shape: tuple[int, ...]) -> GraphBuilder:
    b = GraphBuilder("body")
    counter, x = b.input("counter", (1,), "int32"), b.input("x", shape)
    b.outputs = [b.add(counter, b.integers((1,), "one")), b.add(x, x)]
    return b


def _ramp(shape: tuple[int, int]) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    return np.linspace(-1, 1, shape[0] * shape[1], dtype=np.float32).reshape(shape)


# All that run, by name; ``custom_op`` does not.
RUNNABLE: Final[Mapping[str, Callable[[], Model]]] = MappingProxyType(
    {
        "chain": chain,
        "residual": residual,
        "skip_connection": skip_connection,
        "late_input": late_input,
        "two_outputs": two_outputs,
        "constant_producer": constant_producer,
        "half_weights": half_weights,
        "quantized": quantized,
        "resource_variable": resource_variable,
        "variable_tensor": variable_tensor,
        "control_flow_if": lambda: control_flow("IF"),
        "control_flow_while": lambda: control_flow("WHILE"),
    }
)
