"""Whatever the prices, a predicted cost is positive, and additive but for dispatch and boundary."""

from hypothesis import given
from hypothesis import strategies as st

from band.device.fit import CostFit, Sample, fit_costs
from band.device.fit_prices import ModelPrices
from band.device.fit_terms import GraphTerms, boundary
from band.model.graph import Graph
from band.testing import models

GRAPHS: tuple[Graph, ...] = tuple(
    model.graph
    for model in (
        models.chain(convolutions=6),
        models.residual(),
        models.half_weights(),
        models.quantized(),
        models.two_outputs(),
    )
)
TERMS = tuple(GraphTerms(graph) for graph in GRAPHS)
TIMES = st.floats(1.0, 1e6)


@st.composite
def priced(draw: st.DrawFn) -> tuple[Graph, ModelPrices]:
    """Return the prices of a model after measurements of any kind, contradictory ones too."""
    number = draw(st.integers(0, len(GRAPHS) - 1))
    graph, terms = GRAPHS[number], TERMS[number]
    ops = graph.compute_ops
    cuts = draw(st.lists(st.tuples(st.integers(0, len(ops) - 1), TIMES), min_size=3, max_size=8))
    measured = {ops[: cut + 1]: us for cut, us in cuts} | {ops: draw(TIMES)}
    samples = [Sample(terms=terms.part(part), us=us) for part, us in measured.items()]
    if len(samples) < 3:
        samples = [*samples, *samples, *samples]
    return graph, ModelPrices(fit_costs(samples), terms, measured)


@given(priced(), st.data())
def test_costs_are_positive_and_additive_up_to_dispatch_and_boundary(
    found: tuple[Graph, ModelPrices], data: st.DataObject
) -> None:
    graph, prices = found
    ops = graph.compute_ops
    cut = data.draw(st.integers(1, len(ops))) if len(ops) > 1 else 1
    first, second = ops[:cut], ops[cut:]
    whole_us = prices.part_us(ops)
    assert whole_us > 0
    inner_us = whole_us - prices.edge_us(*boundary(graph, ops))
    parts_us = sum(
        prices.part_us(part) - prices.edge_us(*boundary(graph, part))
        for part in (first, second)
        if part
    )
    assert abs(inner_us - parts_us) <= 1e-9 * max(1.0, whole_us)
    for part in filter(None, (first, second)):
        assert prices.edge_us(*boundary(graph, part)) > 0
        # More ops never cost less, but for what is copied at the boundary.
        assert prices.part_us(part) - prices.edge_us(*boundary(graph, part)) <= inner_us * (
            1 + 1e-9
        )


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6), TIMES), min_size=3, max_size=20))
def test_any_samples_give_positive_prices(rows: list[tuple[float, float, float]]) -> None:
    fit: CostFit = fit_costs(
        [Sample(terms={"dispatch": 1.0, "op": a, "binary.float": b}, us=us) for a, b, us in rows]
    )
    assert fit.speed >= 0
    assert all(price >= 0 for _, price in fit.prices)
    assert fit.us({"dispatch": 1.0}) > 0
