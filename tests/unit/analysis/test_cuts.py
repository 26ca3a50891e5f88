"""K-way cuts: right number of parts, about equal work, and the fewest bytes that allows."""

from itertools import combinations, pairwise

import pytest

from band.analysis.boundary import boundaries
from band.analysis.cuts import MACS_PER_BYTE, contiguous
from band.model.atoms import atoms
from band.model.builder import GraphBuilder
from band.model.graph import Graph
from band.model.work import op_work
from band.testing.models import RUNNABLE, chain, resource_variable


def narrow_middle() -> Graph:
    """Return a chain of 8 convolutions of equal size with one small tensor after the third."""
    b = GraphBuilder("narrow")
    x = b.input("image", (1, 32, 32, 16))
    for index in range(8):
        x = b.conv2d(x, 2 if index == 2 else 16)
    return b.build(x).graph


def work_of(graph: Graph, part: tuple[int, ...]) -> int:
    works = [op_work(graph, op) for op in part]
    return sum(1 + w.macs + MACS_PER_BYTE * (w.read_bytes + w.written_bytes) for w in works)


def crossing_bytes(graph: Graph, parts: tuple[tuple[int, ...], ...]) -> int:
    return sum(boundaries(graph, parts).byte_counts)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("name", RUNNABLE)
def test_parts_cover_every_op_once_in_a_running_order(name: str, count: int) -> None:
    graph = RUNNABLE[name]().graph
    parts = contiguous(graph, count)
    assert sorted(op for part in parts for op in part) == list(graph.compute_ops)
    assert len(parts) == min(count, len(atoms(graph)))
    done: set[int] = set()
    for part in parts:
        done.update(part)
        read = {graph.producer[t] for op in part for t in graph.dynamic_inputs(op)}
        assert read - {-1} <= done


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("tolerance", [0.2, 0.5, 0.9])
def test_no_other_cut_within_the_tolerance_moves_fewer_bytes(count: int, tolerance: float) -> None:
    graph = narrow_middle()
    parts = contiguous(graph, count, tolerance)
    pieces = atoms(graph)
    share = work_of(graph, graph.compute_ops) / count
    allowed = []
    for cuts in combinations(range(1, len(pieces)), count - 1):
        other = tuple(
            tuple(op for piece in pieces[a:b] for op in piece)
            for a, b in pairwise((0, *cuts, len(pieces)))
        )
        if all(abs(work_of(graph, part) - share) <= tolerance * share for part in other):
            allowed.append(crossing_bytes(graph, other))
    assert crossing_bytes(graph, parts) == min(allowed)


def test_a_cut_goes_where_the_model_is_narrow() -> None:
    graph = narrow_middle()
    assert contiguous(graph, 2) == ((0, 1, 2), (3, 4, 5, 6, 7))
    assert contiguous(graph, 2, 0.1) == ((0, 1, 2, 3, 4), (5, 6, 7))


def test_one_op_that_is_most_of_the_work_does_not_hinder_the_cut() -> None:
    b = GraphBuilder("heavy")
    heavy = b.conv2d(b.input("image", (1, 32, 32, 16)), 64)
    graph = b.build(b.activation(b.activation(b.mean(heavy)))).graph
    assert [len(part) for part in contiguous(graph, 4)] == [1, 1, 1, 1]


def test_ops_that_share_state_stay_together() -> None:
    graph = resource_variable().graph
    for part in atoms(graph):
        homes = [n for n, cut in enumerate(contiguous(graph, 3)) if set(part) & set(cut)]
        assert len(homes) == 1


def test_more_parts_than_atoms_are_as_many_as_there_are_atoms() -> None:
    graph = chain(convolutions=1).graph
    assert contiguous(graph, 99) == atoms(graph)
