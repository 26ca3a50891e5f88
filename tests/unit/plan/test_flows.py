"""Span flows: linear programmes solved by hand, and the capacity bound as the other opinion."""

import random

import pytest

from band.errors import BandError, ErrorCode
from band.plan.capacity import capacity_bound
from band.plan.flows import NOBODY, SpanFlow, span_flows
from band.plan.table import PlanTable
from band.testing.tables import make_table, random_table, whole


def tables(*given: PlanTable) -> dict[str, PlanTable]:
    return {table.model: table for table in given}


def test_two_processors_share_a_model_in_proportion_to_their_speed() -> None:
    """10 ms and 5 ms a job carry 100 + 200 a second; a second of the gpu is worth twice as much."""
    flows = span_flows(tables(whole("m", cpu=10_000, gpu=5_000)), {"m": 100.0})
    assert flows.scale == pytest.approx(3.0)
    assert flows.prices == pytest.approx((1 / 3, 2 / 3, 0, 0))
    assert [flow[:4] for flow in flows.spans["m"]] == [(NOBODY, 0, 0, 0), (NOBODY, 0, 0, 1)]
    assert [flow.share for flow in flows.spans["m"]] == pytest.approx([1 / 3, 2 / 3])


def test_moving_data_takes_time_of_the_processor_that_gets_them() -> None:
    """Unit 1 on the gpu costs 1 ms and 2 ms for the move: 333 a second, so the cpu's 200 limit."""
    costs = {"cpu": {(0, 0): 5_000, (1, 1): 6_000}, "gpu": {(1, 1): 1_000}}
    table = make_table("m", costs, move_us=2_000)
    flows = span_flows(tables(table), {"m": 100.0})
    assert flows.scale == pytest.approx(2.0)
    assert flows.spans["m"] == (SpanFlow(NOBODY, 0, 0, 0, 1.0), SpanFlow(0, 1, 1, 1, 1.0))
    dear = make_table("m", costs, move_us=20_000)
    flows = span_flows(tables(dear), {"m": 100.0})
    assert flows.scale < capacity_bound([dear], {"m": 100.0}).scale


def test_models_without_a_rate_take_no_part() -> None:
    both = tables(whole("m", cpu=10_000), whole("n", cpu=10_000))
    flows = span_flows(both, {"m": 50.0, "n": 0.0, "unknown": 9.0})
    assert flows.scale == pytest.approx(2.0)
    assert set(flows.spans) == {"m"}


@pytest.mark.parametrize("seed", range(8))
def test_where_moves_are_free_it_is_the_capacity_bound(seed: int) -> None:
    rng = random.Random(seed)
    given = tables(*(random_table(rng, f"m{n}", rng.randint(1, 6)) for n in range(3)))
    rates = {model: rng.uniform(10, 200) for model in given}
    flows = span_flows(given, rates)
    bound = capacity_bound(given.values(), rates)
    assert flows.scale == pytest.approx(bound.scale)
    assert flows.prices == pytest.approx(bound.prices, abs=1e-6)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("move_us", [0, 150])
def test_every_job_that_enters_leaves_and_no_processor_does_too_much(
    seed: int, move_us: int
) -> None:
    rng = random.Random(seed)
    given = tables(
        *(random_table(rng, f"m{n}", rng.randint(1, 5), move_us=move_us) for n in range(3))
    )
    rates = {model: rng.uniform(10, 200) for model in given}
    flows = span_flows(given, rates)
    busy = [0.0] * 4
    for model, spans in flows.spans.items():
        table = given[model]
        for boundary in range(table.unit_count):
            leaving = sum(flow.share for flow in spans if flow.first == boundary)
            entering = sum(flow.share for flow in spans if flow.last + 1 == boundary)
            assert leaving == pytest.approx(entering if boundary else 1.0, abs=1e-4)
        for flow in spans:
            span = table.find(*flow[1:4])
            assert span is not None
            move = table.transfer_us[flow.first][flow.holder][flow.processor]
            each_us = span.cost_us + (move if flow.holder != NOBODY else 0)
            busy[flow.processor] += flow.share * rates[model] * flows.scale * each_us / 1e6
    assert max(busy) == pytest.approx(1.0, abs=1e-4)


def test_what_has_no_flow_is_refused_in_a_sentence() -> None:
    with pytest.raises(BandError, match="no model with a plan table has a rate") as caught:
        span_flows(tables(whole("m", cpu=10)), {"other": 5.0})
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    gap = make_table("gap", {"cpu": {(0, 0): 5, (2, 2): 5}})
    with pytest.raises(BandError, match=r"no flow of work .* each of: gap;"):
        span_flows(tables(gap), {"gap": 5.0})
