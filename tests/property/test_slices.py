"""Any legal way to cut any net gives slices that together compute exactly what the whole does."""

from collections.abc import Callable
from typing import Any

from ai_edge_litert.interpreter import Interpreter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from band.errors import BandError
from band.model.builder import GraphBuilder
from band.model.graph import Graph
from band.model.model import Model
from band.model.tflite_writer import write_slice
from band.testing.chains import first_difference

Layer = Callable[[GraphBuilder, int, int], int]
SHAPE = (1, 6, 6, 4)
# Each takes two tensors of one shape and gives one of that shape.
LAYERS: tuple[Layer, ...] = (
    lambda b, x, _: b.conv2d(x, 4, 3, activation="RELU"),
    lambda b, x, _: b.conv2d(x, 4, 1),
    lambda b, x, _: b.depthwise_conv2d(x),
    lambda b, x, y: b.add(x, y),
    lambda b, x, y: b.mul(x, y),
    lambda b, x, y: b.conv2d(b.concat([x, y]), 4, 1),
    lambda b, x, _: b.activation(x, "RELU6"),
    lambda b, x, _: b.prelu(x),
    lambda b, x, _: b.logistic(x),
    lambda b, x, _: b.max_pool(x, 3, stride=1, padding="SAME"),
    lambda b, x, _: b.add(x, b.mean(x, keep_dims=True)),
    lambda b, x, _: b.reshape(b.softmax(b.reshape(x, (1, -1))), SHAPE),
)
SETTINGS = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def litert(content: bytes) -> Any:
    return Interpreter(model_content=content, num_threads=1)


@st.composite
def nets(draw: st.DrawFn) -> Model:
    """Return a random net: any layer may read any earlier tensor, some weights are float16."""
    half = draw(st.booleans())
    seed = draw(st.integers(0, 99))
    b = GraphBuilder("random", seed=seed, weights="float16" if half else "float32")
    made = [b.input("x", SHAPE), b.input("y", SHAPE)]
    count = draw(st.integers(2, 9))
    for _ in range(count):
        layer = draw(st.sampled_from(LAYERS))
        made.append(layer(b, draw(st.sampled_from(made)), draw(st.sampled_from(made))))
    more = draw(st.lists(st.sampled_from(made[2:]), max_size=2, unique=True))
    return b.build(*dict.fromkeys((made[-1], *more)))


def sources(graph: Graph, op: int) -> set[int]:
    return {graph.producer[t] for t in graph.dynamic_inputs(op)} - {-1}


def reachable(graph: Graph) -> dict[int, set[int]]:
    """Return per op all ops that depend on it, by brute force."""
    after: dict[int, set[int]] = {op: set() for op in graph.compute_ops}
    for op in graph.compute_ops:
        for earlier, dependents in after.items():
            if earlier in sources(graph, op) or dependents & sources(graph, op):
                dependents.add(op)
    return after


@SETTINGS
@given(model=nets(), data=st.data())
def test_any_partition_in_an_executable_order_is_exact(model: Model, data: st.DataObject) -> None:
    graph = model.graph
    waiting, done, parts = list(graph.compute_ops), set[int](), list[tuple[int, ...]]()
    while waiting:
        part: list[int] = []
        for _ in range(data.draw(st.integers(1, 4))):
            ready = [op for op in waiting if sources(graph, op) <= done | set(part)]
            if not ready:
                break
            part.append(data.draw(st.sampled_from(ready)))
            waiting.remove(part[-1])
        done.update(part)
        parts.append(tuple(part))
    assert first_difference(model, parts, litert) is None


@SETTINGS
@given(model=nets(), data=st.data())
def test_a_set_is_refused_exactly_if_data_leaves_it_and_comes_back(
    model: Model, data: st.DataObject
) -> None:
    graph = model.graph
    chosen = data.draw(st.sets(st.sampled_from(graph.compute_ops), min_size=1))
    after = reachable(graph)
    between = {
        op
        for op in set(graph.compute_ops) - chosen
        if after[op] & chosen and any(op in after[c] for c in chosen)
    }
    try:
        part = write_slice(model, chosen)
    except BandError:
        assert between
    else:
        assert not between
        assert part.ops == tuple(sorted(chosen))
