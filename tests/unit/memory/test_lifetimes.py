"""Lifetimes and peaks on graphs small enough to check by hand, and ranges against the plain way."""

import random

import pytest

from band.analysis.analyze import analyze
from band.memory.lifetimes import Lifetime, lifetimes, peak_bytes
from band.memory.ranges import range_memory
from band.testing.graphs import device_for, make_graph, random_graph


def test_a_chain_keeps_input_and_output_throughout_and_the_rest_while_needed() -> None:
    # input t0 (10) -> op0 -> t1 (100) -> op1 -> t2 (1000) -> op2 -> t3 (1) output
    graph = make_graph([[0], [1], [2]], sizes={0: 10, 1: 100, 2: 1000, 3: 1})
    assert lifetimes(graph, (0, 1, 2)) == (
        Lifetime(0, 0, 2, 40),
        Lifetime(1, 0, 1, 400),
        Lifetime(2, 1, 2, 4000),
        Lifetime(3, 2, 2, 4),
    )
    assert peak_bytes(graph, (0, 1, 2)) == 40 + 400 + 4000


def test_a_tensor_read_outside_the_set_lives_to_its_end() -> None:
    graph = make_graph([[0], [1], [2], [1, 3]])
    lives = {life.tensor: life for life in lifetimes(graph, (0, 1, 2))}
    assert lives[1].last == 2  # op 3 reads it
    assert lives[2].last == 2
    assert lives[3].last == 2


def test_a_tensor_that_the_model_returns_lives_to_the_end() -> None:
    graph = make_graph([[0], [1], [2]], outputs=(1, 3))
    lives = {life.tensor: life for life in lifetimes(graph, (0, 1, 2))}
    assert (lives[1].first, lives[1].last) == (0, 2)
    assert (lives[2].first, lives[2].last) == (1, 2)


def test_a_result_that_nobody_reads_needs_room_once() -> None:
    graph = make_graph([[0], [0], [2]], sizes={1: 50})
    lives = {life.tensor: life for life in lifetimes(graph, (0, 1, 2))}
    assert (lives[1].first, lives[1].last) == (0, 0)


def test_constants_and_variables_are_no_activations() -> None:
    # t3 constant, t4 variable; op 0 reads the constant alone: a weight op.
    graph = make_graph([[3], [0, 1, 4]], constants=[3], variables=[4], sizes={1: 7, 3: 7, 4: 9})
    assert graph.weight_ops == (0,)
    assert {life.tensor for life in lifetimes(graph, (1,))} == {0, 2}


def test_an_empty_set_needs_nothing() -> None:
    assert peak_bytes(make_graph([[0]]), ()) == 0


def test_a_tensor_without_a_shape_counts_as_nothing() -> None:
    graph = make_graph([[0], [1]], sizes={0: 3, 1: 0, 2: 5})
    assert peak_bytes(graph, (0, 1)) == 4 * 8


def test_a_slice_stores_the_constants_behind_its_weight_ops_once() -> None:
    # op 0 makes weights t1 from constant t4; ops 1 and 2 read them.
    graph = make_graph([[4], [0, 1], [2, 1]], constants=[4], sizes={1: 20, 4: 10})
    whole = list(range_memory(graph, [(1,), (2,)]))[1]
    assert (whole.first, whole.last) == (0, 1)
    assert whole.load_bytes - whole.peak_bytes == 4 * (10 + 20)


def test_a_variable_is_stored_with_the_slice_that_uses_it() -> None:
    graph = make_graph([[0], [1, 3]], variables=[3], sizes={3: 25})
    first, _, second = range_memory(graph, [(0,), (1,)])
    assert first.load_bytes == first.peak_bytes
    assert second.load_bytes - second.peak_bytes == 100


@pytest.mark.parametrize("seed", range(30))
def test_each_range_of_units_has_the_peak_and_the_boundary_tensors_of_its_ops(seed: int) -> None:
    rng = random.Random(seed)
    graph = random_graph(rng, rng.randint(1, 20))
    refused = {"cpu0": set[int](), "gpu": {op for op in range(20) if rng.random() < 0.4}}
    units = [unit.ops for unit in analyze(graph, device_for(graph, refused)).units]
    found = list(range_memory(graph, units))
    assert [(r.first, r.last) for r in found] == [
        (a, b) for a in range(len(units)) for b in range(a, len(units))
    ]
    for part in found:
        ops = [op for unit in units[part.first : part.last + 1] for op in unit]
        earlier = {op for unit in units[: part.first] for op in unit}
        later = {op for unit in units[part.last + 1 :] for op in unit}
        assert part.peak_bytes == peak_bytes(graph, ops)
        read = {t for op in ops for t in graph.ops[op].inputs}
        made = {t for op in ops for t in graph.ops[op].outputs}
        assert part.inputs == tuple(sorted(t for t in read if graph.producer[t] in earlier))
        assert part.outputs == tuple(sorted(t for t in made if set(graph.consumers[t]) & later))


@pytest.mark.parametrize("seed", range(10))
def test_the_peak_is_the_most_that_a_plain_replay_of_the_ops_holds(seed: int) -> None:
    graph = random_graph(random.Random(seed), 15)
    ops = graph.compute_ops
    holds: set[int] = set(graph.inputs) if any(0 in graph.ops[op].inputs for op in ops) else set()
    most = 0
    for place, op in enumerate(ops):
        holds |= set(graph.ops[op].outputs)
        most = max(most, sum(graph.tensors[t].byte_size or 0 for t in holds))
        later = {t for other in ops[place + 1 :] for t in graph.ops[other].inputs}
        holds &= later | set(graph.inputs) | set(graph.outputs)
    assert peak_bytes(graph, ops) == most
