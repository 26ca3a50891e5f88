"""Topological orders made of closures."""

import random

from band.analysis.opgraph import OpGraph, bits_of, unit_sets
from band.analysis.orders import band_order, flow_of, other_orders, runs_of
from band.testing.graphs import make_graph, random_graph

# 0 -> 1 -> 3 -> 5 and 0 -> 2 -> 4 -> 5
BRANCHES = make_graph([[0], [1], [1], [2], [3], [4, 5]])


def test_flow_names_what_each_item_needs_and_feeds() -> None:
    flow = flow_of(OpGraph.from_items(BRANCHES, [(op,) for op in range(6)]))
    assert flow.needs == ((), (0,), (0,), (1,), (2,), (3, 4))
    assert flow.feeds == ((1, 2), (3,), (4,), (5,), (5,), ())
    assert flow.reversed.needs == flow.feeds


def test_bands_order_is_that_of_its_unit_subgraphs() -> None:
    for seed in range(50):
        rng = random.Random(seed)
        graph = random_graph(rng, 20)
        items = OpGraph.from_items(graph, [(op,) for op in graph.compute_ops])
        support = [rng.randint(1, 3) for _ in graph.compute_ops]
        expected = [tuple(bits_of(unit)) for unit, _ in unit_sets(items, support)]
        assert [tuple(sorted(u)) for u in band_order(flow_of(items), support)] == expected


def test_other_orders_are_topological_and_bring_equal_keys_together() -> None:
    flow = flow_of(OpGraph.from_items(BRANCHES, [(op,) for op in range(6)]))
    support, cheapest = [1, 1, 3, 3, 1, 1], [0, 0, 1, 1, 0, 0]
    orders = list(other_orders(flow, support, cheapest))
    for order in orders:
        assert sorted(order) == list(range(6))
        for item, needs in enumerate(flow.needs):
            assert all(order.index(need) < order.index(item) for need in needs)
    fewest = min(len(runs_of(order, cheapest)) for order in orders)
    assert fewest == 3, "0 1 | 2 3 | 4 5"


def test_runs_end_where_the_key_changes() -> None:
    assert runs_of((2, 0, 1, 3), [7, 8, 7, 8]) == ((2, 0), (1, 3))
    assert runs_of((0, 1), [1, 2]) == ((0,), (1,))
