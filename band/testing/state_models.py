"""Small models that keep state or call other subgraphs."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from band.model.builder import GraphBuilder
from band.model.model import Model
from band.testing.edge_models import edited

FRAME: Final = (1, 8)
# A FlexBuffer of an empty map.
_NO_ATTRIBUTES: Final = bytes((0, 0, 1, 0, 0, 36, 1))


def hoisted_reads() -> Model:
    """Return a streaming model whose two READs come first, as converters write them.

    Each variable is a running sum behind a dense layer. File order: CALL_ONCE, the handles, READ,
    READ, then DENSE, ADD, ASSIGN twice, HARD_SWISH. Both variables have one CALL_ONCE.
    """
    b = GraphBuilder("hoisted_reads", seed=40)
    b.op("CALL_ONCE", (), (), init_subgraph_index=b.branch(_zeroed("first", "second")))
    handles = [_handle(b, name) for name in ("first", "second")]
    before = [_read(b, handle) for handle in handles]
    x = b.input("frame", FRAME)
    for handle, value in zip(handles, before, strict=True):
        x = b.add(b.fully_connected(x, 8), value)
        b.op("ASSIGN_VARIABLE", (handle, x), ())
    return b.build(b.activation(x, "HARD_SWISH"))


def running_sum(b: GraphBuilder, name: str, x: int) -> int:
    """Add a value to a resource variable that starts at 0 and return the sum."""
    b.op("CALL_ONCE", (), (), init_subgraph_index=b.branch(_start((name,), 0.0)))
    handle = _handle(b, name)
    total = b.add(x, _read(b, handle))
    b.op("ASSIGN_VARIABLE", (handle, total), ())
    return total


def two_initialisations() -> Model:
    """Return two running sums with a CALL_ONCE each; the first starts at 0, the second at 1."""
    b = GraphBuilder("two_initialisations", seed=41)
    starts = [_zeroed("first"), _start(("second",), 1.0)]
    for start in starts:
        b.op("CALL_ONCE", (), (), init_subgraph_index=b.branch(start))
    x = b.input("frame", FRAME)
    for name in ("first", "second"):
        handle = _handle(b, name)
        x = b.add(b.activation(x, "TANH"), _read(b, handle))
        b.op("ASSIGN_VARIABLE", (handle, x), ())
    return b.build(x)


def assigned_before_read() -> Model:
    """Return a model that stores its input first and reads it back at the end of another path."""
    b = GraphBuilder("assigned_before_read", seed=42)
    b.op("CALL_ONCE", (), (), init_subgraph_index=b.branch(_zeroed("held")))
    handle = _handle(b, "held")
    x = b.input("frame", FRAME)
    b.op("ASSIGN_VARIABLE", (handle, b.activation(x)), ())
    other = b.fully_connected(b.activation(x, "TANH"), 8)
    return b.build(b.add(other, _read(b, handle)))


def lstm() -> Model:
    """Return a dense layer, an LSTM over four steps with its two state tensors, a dense layer."""
    b = GraphBuilder("lstm", seed=43)
    x = b.fully_connected(b.input("frames", (4, 8)), 8)
    x = b.reshape(x, (1, 4, 8))
    cells = 4
    weights = [b.float_constant(_ramp(n, (cells, 8)), "input_weights") for n in range(4)]
    recurrent = [b.float_constant(_ramp(n + 4, (cells, cells)), "recurrent") for n in range(4)]
    bias = [b.float_constant(_ramp(n + 8, (cells,)), "bias") for n in range(4)]
    state = [
        b.tensor(name, (1, cells), variable=True) for name in ("activation_state", "cell_state")
    ]
    absent = -1
    inputs = (x, *weights, *recurrent, *(absent,) * 3, *bias, absent, absent, *state)
    x = b.layer(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, (1, 4, cells), fused_activation_function="TANH",
        time_major=False, cell_clip=0.0, proj_clip=0.0,
    )  # fmt: skip
    return b.build(b.activation(b.fully_connected(x, 3), "TANH"))


def rnn() -> Model:
    """Return TANH, an RNN cell whose state is an output of the model too, RELU."""
    b = GraphBuilder("rnn", seed=44)
    x = b.activation(b.input("frame", FRAME), "TANH")
    state = b.tensor("hidden_state", (1, 4), variable=True)
    inputs = (
        x,
        b.float_constant(_ramp(0, (4, 8)), "weights"),
        b.float_constant(_ramp(1, (4, 4)), "recurrent"),
        b.float_constant(_ramp(2, (4,)), "bias"),
        state,
    )
    y = b.layer("RNN", inputs, (1, 4), fused_activation_function="TANH")
    return b.build(b.activation(y), state)


def nested_control_flow() -> Model:
    """Return RELU6, a WHILE whose body has an IF that calls two more subgraphs, TANH."""
    b = GraphBuilder("nested_control_flow", seed=45)
    counter, x = b.input("counter", (1,), "int32"), b.activation(b.input("frame", FRAME), "RELU6")
    condition = b.branch(_below(4))
    body = GraphBuilder("body", seed=46)
    body_number = b.branch(body)
    then, other = (b.branch(_step(kind)) for kind in ("HARD_SWISH", "TANH"))
    count, value = body.input("counter", (1,), "int32"), body.input("x", FRAME)
    low = body.tensor("low", (1,), "bool")
    body.op("LESS", (count, body.integers((2,), "two")), (low,))
    value = body.layer(
        "IF", (low, value), FRAME, like=value, then_subgraph_index=then, else_subgraph_index=other
    )
    body.outputs = [body.add(count, body.integers((1,), "one")), body.fully_connected(value, 8)]
    last, out = b.tensor("last", (1,), "int32"), b.tensor("looped", FRAME)
    b.op(
        "WHILE", (counter, x), (last, out),
        cond_subgraph_index=condition, body_subgraph_index=body_number,
    )  # fmt: skip
    return b.build(b.activation(out, "TANH"), last)


def state_in_a_branch() -> Model:
    """Return an IF whose branches read and write a variable that the main subgraph reads too."""
    b = GraphBuilder("state_in_a_branch", seed=47)
    b.op("CALL_ONCE", (), (), init_subgraph_index=b.branch(_zeroed("sum")))
    condition, x = b.input("condition", (), "bool"), b.activation(b.input("frame", FRAME), "TANH")
    then = GraphBuilder("then")
    value = then.input("x", FRAME)
    handle = _handle(then, "sum")
    total = then.add(value, _read(then, handle))
    then.op("ASSIGN_VARIABLE", (handle, total), ())
    then.outputs = [total]
    y = b.layer(
        "IF", (condition, x), FRAME, like=x,
        then_subgraph_index=b.branch(then), else_subgraph_index=b.branch(_step("RELU6")),
    )  # fmt: skip
    kept = _read(b, _handle(b, "sum"))
    return b.build(b.add(b.activation(y, "HARD_SWISH"), kept))


def called() -> Model:
    """Return RELU, a CALL of TANH (no runtime has a kernel for CALL), RELU6."""
    b = GraphBuilder("called", seed=49)
    x = b.activation(b.input("frame", FRAME))
    x = b.layer("CALL", (x,), FRAME, subgraph=b.branch(_step("TANH")))
    return b.build(b.activation(x, "RELU6"))


def composite() -> Model:
    """Return RELU, a composite op that is one TANH, RELU6."""
    b = GraphBuilder("composite", seed=39)
    x = b.activation(b.input("frame", FRAME))
    x = b.layer(
        "STABLEHLO_COMPOSITE", (x,), FRAME, name="band.tanh", version=1,
        decomposition_subgraph_index=b.branch(_step("TANH")),
    )  # fmt: skip
    x = b.activation(x, "RELU6")

    def describe(tree: Any) -> None:
        (op,) = (op for op in tree.subgraphs[0].operators if op.builtinOptions2 is not None)
        op.builtinOptions2.compositeAttributes = np.frombuffer(_NO_ATTRIBUTES, np.uint8)

    return edited(b, (x,), describe)


def seeded_noise() -> Model:
    """Return RELU, ADD of seeded random numbers that go on from run to run, TANH."""
    b = GraphBuilder("seeded_noise", seed=48)
    x = b.activation(b.input("frame", FRAME))
    noise = b.tensor("noise", FRAME)
    b.op("RANDOM_UNIFORM", (b.integers(FRAME, "shape"),), (noise,), seed=3, seed2=4)
    return b.build(b.activation(b.add(x, noise), "TANH"))


def _handle(b: GraphBuilder, name: str) -> int:
    handle = b.tensor(f"handle_{b.unique(name)}", (), "resource")
    b.op("VAR_HANDLE", (), (handle,), shared_name=name)
    return handle


def _read(b: GraphBuilder, handle: int) -> int:
    value = b.tensor(b.unique("before"), FRAME)
    b.op("READ_VARIABLE", (handle,), (value,))
    return value


def _zeroed(*names: str) -> GraphBuilder:
    return _start(names, 0.0)


def _start(names: tuple[str, ...], value: float) -> GraphBuilder:
    b = GraphBuilder("start")
    for name in names:
        handle = _handle(b, name)
        start = b.constant(f"start_{name}", np.full(FRAME, value, dtype=np.float32))
        b.op("ASSIGN_VARIABLE", (handle, start), ())
    return b


def _below(limit: int) -> GraphBuilder:
    b = GraphBuilder("condition")
    counter = b.input("counter", (1,), "int32")
    b.input("x", FRAME)
    out = b.tensor("below", (1,), "bool")
    b.op("LESS", (counter, b.integers((limit,), "limit")), (out,))
    b.outputs = [out]
    return b


def _step(kind: str) -> GraphBuilder:
    b = GraphBuilder(kind.lower())
    b.outputs = [b.activation(b.input("x", FRAME), kind)]
    return b


def _ramp(
    phase: int, shape: tuple[int, ...]
) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    count = int(np.prod(shape))
    return np.sin(np.arange(count, dtype=np.float32) + phase).astype(np.float32).reshape(shape)


STATES: Final[Mapping[str, Callable[[], Model]]] = MappingProxyType(
    {
        made.__name__: made
        for made in (
            hoisted_reads, two_initialisations, assigned_before_read, lstm, rnn,
            nested_control_flow, state_in_a_branch, seeded_noise,
            composite,
        )
    }
)  # fmt: skip
