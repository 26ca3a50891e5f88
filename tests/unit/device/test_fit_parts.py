"""A part that grows costs what it would cost if asked for at once."""

import pytest

from band.device.cost import PartWork
from band.device.fit import CostFit
from band.device.fit_parts import FittedPricing
from band.device.fit_prices import ModelPrices
from band.device.fit_terms import GraphTerms
from band.model.graph import Graph
from band.testing import models

FIT = CostFit(
    prices=(("boundary_tensors", 3.0), ("dispatch", 4.0), ("op", 50.0), ("output_bytes", 0.1)),
    speed=1.0,
    samples=9,
)
GRAPHS = [
    model.graph
    for model in (
        models.chain(), models.residual(), models.two_outputs(), models.half_weights(),
        models.skip_connection(), models.late_input(),
    )
]  # fmt: skip


def _prices(graph: Graph) -> ModelPrices:
    return ModelPrices(FIT, GraphTerms(graph), {})


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name)
@pytest.mark.parametrize("backwards", [False, True])
def test_every_range_costs_the_same_however_it_was_asked_for(graph: Graph, backwards: bool) -> None:
    prices = _prices(graph)
    pricing = FittedPricing(prices, graph, {})
    ops = graph.compute_ops[::-1] if backwards else graph.compute_ops
    for first in range(len(ops)):
        part = PartWork(graph)
        for last in range(first, len(ops)):
            part.add(ops[last : last + 1])
            expected = prices.part_us(ops[first : last + 1])
            assert pricing.part_us(part) == max(1, round(expected))


def test_ops_may_be_added_several_between_two_questions() -> None:
    graph = GRAPHS[1]
    prices, part = _prices(graph), PartWork(graph)
    pricing = FittedPricing(prices, graph, {})
    assert pricing.part_us(part) == 4
    part.add(graph.compute_ops)
    assert pricing.part_us(part) == round(prices.part_us(graph.compute_ops))


def test_a_part_that_was_measured_costs_that_in_any_order() -> None:
    graph = GRAPHS[0]
    measured = {graph.compute_ops[:2]: 7.4}
    pricing = FittedPricing(_prices(graph), graph, measured)
    part = PartWork(graph, graph.compute_ops[1::-1])
    assert pricing.part_us(part) == 7
    part.add(graph.compute_ops[2:3])
    assert pricing.part_us(part) == round(_prices(graph).part_us(graph.compute_ops[:3]))
