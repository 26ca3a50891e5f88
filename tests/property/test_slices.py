"""Any legal way to cut any net gives slices that together compute exactly what the whole does."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from band.errors import BandError
from band.model.atoms import atoms, is_movable
from band.model.builder import GraphBuilder
from band.model.graph import Graph
from band.model.model import Model
from band.model.slice import Slice
from band.model.tflite_reader import read_model
from band.model.tflite_writer import loose_outputs, write_slice
from band.testing.chains import first_difference
from band.testing.shapes import shaped

Layer = Callable[[GraphBuilder, int, int], int]
SHAPE = (1, 6, 6, 4)


def running_sum(b: GraphBuilder, x: int, _: int) -> int:
    """Add a resource variable of its own: what it returns depends on earlier runs."""
    name = b.unique("state")

    def handle(of: GraphBuilder) -> int:
        out = of.tensor(of.unique("handle"), (), "resource")
        of.op("VAR_HANDLE", (), (out,), shared_name=name)
        return out

    start = GraphBuilder("start")
    zeros = start.constant("zeros", np.zeros(SHAPE, dtype=np.float32))
    start.op("ASSIGN_VARIABLE", (handle(start), zeros), ())
    b.op("CALL_ONCE", (), (), init_subgraph_index=b.branch(start))
    own = handle(b)
    before = b.tensor(b.unique("before"), SHAPE)
    b.op("READ_VARIABLE", (own,), (before,))
    total = b.add(x, before)
    b.op("ASSIGN_VARIABLE", (own, total), ())
    return total


def centre_of_positives(b: GraphBuilder, x: int, y: int) -> int:
    """Add tensors whose shape only a run tells: the positions where a tensor is positive."""
    positive = b.tensor(b.unique("positive"), SHAPE, "bool")
    b.op("GREATER_EQUAL", (x, b.constant(b.unique("zero"), np.float32(0))), (positive,))
    found = b.tensor(b.unique("found"), (-1, 4), "int64")
    b.op("WHERE", (positive,), (found,))
    real, centre = b.tensor(b.unique("real"), (-1, 4)), b.tensor(b.unique("centre"), (4,))
    b.op("CAST", (found,), (real,))
    b.op("SUM", (real, b.integers((0,), "axis")), (centre,), keep_dims=False)
    return b.add(y, centre)


def chosen_branch(b: GraphBuilder, x: int, _: int) -> int:
    """Add an IF on the model's flag."""
    branches = []
    for kind in ("TANH", "RELU6"):
        branch = GraphBuilder(kind)
        branch.outputs = [branch.activation(branch.input("x", SHAPE), kind)]
        branches.append(b.branch(branch))
    then, other = branches
    flag = b.inputs[2]
    return b.layer(
        "IF", (flag, x), SHAPE, like=x, then_subgraph_index=then, else_subgraph_index=other
    )


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
ODD_LAYERS: tuple[Layer, ...] = (running_sum, centre_of_positives, chosen_branch)
SETTINGS = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
FEW = settings(SETTINGS, max_examples=40)
MANY = settings(SETTINGS, max_examples=2_000)


def litert(content: bytes) -> Any:
    return Interpreter(model_content=content, num_threads=1)


@st.composite
def nets(draw: st.DrawFn, *, odd: bool = False) -> Model:
    """Return a random net: any layer may read any earlier tensor, some weights are float16.

    Args:
        draw: of hypothesis.
        odd: also state, branches and unknown shapes, and outputs that are inputs, constants or
            listed twice.
    """
    half = draw(st.booleans())
    seed = draw(st.integers(0, 99))
    b = GraphBuilder("random", seed=seed, weights="float16" if half else "float32")
    made = [b.input("x", SHAPE), b.input("y", SHAPE)]
    if odd:
        b.input("flag", (), "bool")
    count = draw(st.integers(2, 9))
    for _ in range(count):
        layer = draw(st.sampled_from(LAYERS + ODD_LAYERS if odd else LAYERS))
        made.append(layer(b, draw(st.sampled_from(made)), draw(st.sampled_from(made))))
    more = draw(st.lists(st.sampled_from(made[2:]), max_size=2, unique=True))
    if not odd:
        return b.build(*dict.fromkeys((made[-1], *more)))
    loose = b.constant("loose", np.arange(3, dtype=np.float32))
    ends = draw(st.lists(st.sampled_from([made[0], made[-1], loose]), max_size=2))
    return b.build(made[-1], *more, *ends)


def partition(graph: Graph, data: st.DataObject) -> list[tuple[int, ...]]:
    """Return the atoms joined to parts at random, in an order that can be executed."""
    waiting, done, parts = list(atoms(graph)), set[int](), list[tuple[int, ...]]()
    while waiting:
        part: list[int] = []
        for _ in range(data.draw(st.integers(1, 4))):
            free = done | set(part)
            ready = [a for a in waiting if all(sources(graph, op) <= free | set(a) for op in a)]
            if not ready:
                break
            part += (atom := data.draw(st.sampled_from(ready)))
            waiting.remove(atom)
        done.update(part)
        parts.append(tuple(sorted(part)))
    return parts


def sources(graph: Graph, op: int) -> set[int]:
    """Return the compute ops that an op reads from."""
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
    assert first_difference(model, partition(model.graph, data), litert) is None


@FEW
@given(model=nets(odd=True), data=st.data())
def test_state_branches_and_unknown_shapes_are_exact_too(model: Model, data: st.DataObject) -> None:
    model = shaped(model)
    assert first_difference(model, partition(model.graph, data), litert) is None


@pytest.mark.slow
@settings(SETTINGS, max_examples=300)
@given(model=nets(odd=True), data=st.data())
def test_many_odd_nets_are_exact(model: Model, data: st.DataObject) -> None:
    model = shaped(model)
    assert first_difference(model, partition(model.graph, data), litert) is None


@FEW
@given(model=nets(odd=True), data=st.data())
def test_slices_are_complete(model: Model, data: st.DataObject) -> None:
    check_slices(model, data)


@pytest.mark.slow
@pytest.mark.timeout(400)
@MANY
@given(model=nets(odd=True), data=st.data())
def test_slices_are_complete_in_many_nets(model: Model, data: st.DataObject) -> None:
    check_slices(model, data)


def check_slices(model: Model, data: st.DataObject) -> None:
    """Check what slices read, give and hold, without running them.

    Every part reads only what earlier ones gave, so the graph of the parts has no cycle.
    """
    graph = model.graph
    there = set(graph.inputs)
    parts = partition(graph, data)
    for part in parts:
        written = write_slice(model, part)
        assert set(written.inputs) <= there
        check_ends(graph, written)
        there.update(written.outputs)
    assert set(graph.outputs) <= there
    check_reread(model, write_slice(model, data.draw(st.sampled_from(parts))))


def check_ends(graph: Graph, part: Slice) -> None:
    """Check inputs and outputs of a slice against their definition, tensor by tensor."""
    inside, loose = set(part.ops), loose_outputs(graph)
    inputs, outputs = set(), set()
    for tensor in graph.tensors:
        t = tensor.index
        maker, readers = graph.producer[t], set(graph.consumers[t])
        weight = tensor.constant or (maker in graph.weight_ops)
        if readers & inside and maker not in inside and not weight and not tensor.variable:
            inputs.add(t)
        if maker in inside and (readers - inside or t in graph.outputs):
            outputs.add(t)
        if loose.get(t, -1) in inside:
            outputs.add(t)
    assert (set(part.inputs), set(part.outputs)) == (inputs, outputs)
    assert len(inputs) == len(part.inputs)
    assert len(outputs) == len(part.outputs)
    assert all(is_movable(graph.tensors[t]) for t in part.inputs)


def check_reread(model: Model, part: Slice) -> None:
    """Check that a written slice reads as the ops and tensors it was made of."""
    graph, again = model.graph, read_model(part.content).graph
    ops = [op for op in again.ops if again.atom_of[op.index] >= 0]
    assert len(ops) == len(part.ops)
    for op, original in zip(ops, (graph.ops[n] for n in part.ops), strict=True):
        assert (op.type, op.version) == (original.type, original.version)
        kept = [o for o in original.options if "subgraph" not in o[0]]
        assert [o for o in op.options if "subgraph" not in o[0]] == kept
        for t, old in zip(
            (*op.inputs, *op.outputs), (*original.inputs, *original.outputs), strict=True
        ):
            mine, its = again.tensors[t], graph.tensors[old]
            assert (mine.name, mine.dtype, mine.shape) == (its.name, its.dtype, its.shape)
            assert (mine.constant, mine.quantization) == (its.constant, its.quantization)


@SETTINGS
@given(model=nets(), data=st.data())
def test_a_set_is_refused_exactly_if_data_leaves_it_and_comes_back(
    model: Model, data: st.DataObject
) -> None:
    check_refusal(model, data)


@pytest.mark.slow
@pytest.mark.timeout(400)
@MANY
@given(model=nets(), data=st.data())
def test_many_sets_are_refused_exactly_if_data_leaves_them_and_comes_back(
    model: Model, data: st.DataObject
) -> None:
    check_refusal(model, data)


def check_refusal(model: Model, data: st.DataObject) -> None:
    """Check the refusal of a set against all paths between its ops."""
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
