"""Atoms are the smallest legal parts, in an order that can be executed."""

from collections.abc import Sequence

import pytest

from band.errors import BandError
from band.model.atoms import atoms, is_stateful, state_groups
from band.model.graph import Graph, Op, Tensor
from band.model.tflite_writer import write_slice
from band.testing.models import RUNNABLE, control_flow, half_weights, resource_variable


def toy(ops: Sequence[tuple[tuple[int, ...], tuple[int, ...]]], resources: dict[int, str]) -> Graph:
    """Return a graph of ops given as (inputs, outputs); tensor 0 is the model's input."""
    count = 1 + max(t for inputs, outputs in ops for t in (*inputs, *outputs))
    return Graph.build(
        name="toy",
        sha256="",
        tensors=[Tensor(index=i, name=f"t{i}", shape=(1,), dtype="float32") for i in range(count)],
        ops=[
            Op(
                index=i,
                type="ADD",
                version=1,
                inputs=inputs,
                outputs=outputs,
                resources=(resources[i],) if i in resources else (),
            )
            for i, (inputs, outputs) in enumerate(ops)
        ],
        inputs=[0],
        outputs=[count - 1],
    )


CHAIN = [((0,), (1,)), ((1,), (2,)), ((2,), (3,)), ((3,), (4,)), ((4,), (5,))]


def test_without_state_every_compute_op_is_an_atom() -> None:
    graph = half_weights().graph
    assert atoms(graph) == tuple((op,) for op in graph.compute_ops)
    assert not is_stateful(graph)


def test_ops_of_one_variable_take_what_lies_between_them() -> None:
    graph = toy(CHAIN, {1: "v", 3: "v"})
    assert atoms(graph) == ((0,), (1, 2, 3), (4,))
    assert state_groups(graph) == ((1, 3),)


def test_two_variables_stay_apart_unless_they_interleave() -> None:
    assert atoms(toy(CHAIN, {0: "v", 1: "v", 3: "w", 4: "w"})) == ((0, 1), (2,), (3, 4))
    assert atoms(toy(CHAIN, {0: "v", 2: "v", 1: "w", 4: "w"})) == ((0, 1, 2, 3, 4),)


def test_ops_off_the_path_stay_free_and_the_order_is_executable() -> None:
    # 0 feeds 1 and 2; state ties 1 and 3; 3 reads 2: so 2 must come before the atom of 1 and 3.
    ops = [((0,), (1,)), ((1,), (2,)), ((1,), (3,)), ((2, 3), (4,))]
    graph = toy(ops, {1: "v", 3: "v"})
    assert atoms(graph) == ((0,), (2,), (1, 3))


def test_a_hoisted_read_does_not_tie_up_what_runs_before_its_use() -> None:
    graph = resource_variable().graph
    named = [[graph.ops[op].type for op in part] for part in atoms(graph)]
    assert named == [["CONV_2D"], ["READ_VARIABLE", "ADD", "ASSIGN_VARIABLE"], ["RELU"]]
    assert is_stateful(graph)


def test_control_flow_is_one_atom() -> None:
    assert atoms(control_flow("WHILE").graph) == ((0,), (1,), (2,))


@pytest.mark.parametrize("name", RUNNABLE)
def test_atoms_cover_each_compute_op_once_and_only_read_from_earlier_ones(name: str) -> None:
    graph = RUNNABLE[name]().graph
    done: set[int] = set()
    for part in atoms(graph):
        assert list(part) == sorted(part)
        for op in part:
            sources = {graph.producer[t] for t in graph.dynamic_inputs(op)} - {-1}
            assert sources <= done | set(part)
        done.update(part)
    assert done == set(graph.compute_ops)
    assert sum(len(part) for part in atoms(graph)) == len(done)


def test_every_proper_part_of_an_atom_is_refused_and_the_atom_is_not() -> None:
    model = resource_variable()
    for part in atoms(model.graph):
        assert write_slice(model, part).ops == part
        for op in part if len(part) > 1 else ():
            with pytest.raises(BandError):
                write_slice(model, set(part) - {op})
