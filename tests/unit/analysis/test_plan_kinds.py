"""The plan kinds: every op once, in a running order, and interleaved where devices have gaps."""

from itertools import pairwise

import pytest

from band.analysis.plan_kinds import GAPS, apart, fallback, plan_kinds, split
from band.model.builder import GraphBuilder
from band.model.graph import Graph
from band.testing.models import RUNNABLE, custom_op


def gaps_in_turn() -> Graph:
    """Return two branches, one behind the other in the file; ``GAPS`` take their ops in turn."""
    b = GraphBuilder("gaps")
    x = b.input("image", (1, 8, 8, 4))
    left, right = x, x
    for _ in range(3):
        left = b.prelu(b.depthwise_conv2d(b.conv2d(left, 4)))
    for _ in range(3):
        right = b.add(b.conv2d(right, 4), x)
    return b.build(b.add(left, right)).graph


@pytest.mark.parametrize("name", RUNNABLE)
def test_each_kind_covers_every_op_once_in_a_running_order(name: str) -> None:
    graph = RUNNABLE[name]().graph
    kinds = plan_kinds(graph)
    assert list(kinds) == ["K=2", "K=3", "K=4", "fallback-2", "fallback-3", "atoms"]
    for parts in kinds.values():
        assert sorted(op for part in parts for op in part) == list(graph.compute_ops)
        done: set[int] = set()
        for part in parts:
            done.update(part)
            read = {graph.producer[t] for op in part for t in graph.dynamic_inputs(op)}
            assert read - {-1} <= done


def test_ops_of_one_part_have_the_same_accelerators() -> None:
    graph = gaps_in_turn()
    for count in (1, 2, 3):
        for part in fallback(graph, GAPS[:count]):
            takers = {tuple(graph.ops[op].type not in gap for gap in GAPS[:count]) for op in part}
            assert len(takers) == 1


def test_three_accelerators_cut_finer_than_two_and_skip_over_parts() -> None:
    graph = gaps_in_turn()
    two, three = fallback(graph, GAPS[:2]), fallback(graph, GAPS)
    assert len(fallback(graph, ())) == 1
    assert 1 < len(two) < len(three)
    ends = [(part[0], part[-1]) for part in three]
    assert any(last > first for (_, last), (first, _) in pairwise(ends))


def test_ops_to_blame_are_kept_apart_in_every_part() -> None:
    model = custom_op()
    graph = model.graph
    blamed = {op.index for op in graph.ops if op.type.startswith("CUSTOM:")}
    assert apart(graph, blamed) == ((0,), (1,), (2,))
    assert split(graph, [(0, 1, 2)], blamed) == ((0,), (1,), (2,))
    assert split(graph, [(0, 1), (2,)], ()) == ((0, 1), (2,))
