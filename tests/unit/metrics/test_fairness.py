"""ANTT, STP, Jain's index and UXCost on cases worked out by hand."""

import pytest

from band.metrics.fairness import Alone, Fairness, alone, fairness
from band.metrics.records import RequestRecord
from band.plan.table import PlanTable
from band.testing.tables import make_table, whole

MODELS = {"a": Alone(latency_us=100, dearest_uj=10), "b": Alone(latency_us=50, dearest_uj=40)}


def record(model: str, latency_us: int, outcome: str = "completed", **values: int) -> RequestRecord:
    return RequestRecord(
        request=0,
        model=model,
        stream="s",
        frame=None,
        parents=(),
        priority=8,
        arrived_us=0,
        deadline_us=values.get("deadline_us"),
        queue_us=0,
        finished_us=latency_us,
        outcome=outcome,
        reason="",
        tasks=(),
        processors=(),
    )


def measured(*requests: RequestRecord, energy_uj: dict[str, int] | None = None) -> Fairness:
    return fairness(requests, MODELS, duration_us=1000, energy_uj=energy_uj or {})


def test_antt_is_the_mean_slowdown_of_what_completed() -> None:
    requests = (record("a", 150), record("b", 150), record("b", 7, "dropped"))
    assert measured(*requests).antt == pytest.approx((1.5 + 3.0) / 2)
    assert measured(record("a", 10, "failed")).antt is None
    assert measured(record("a", 99)).antt == 1.0


def test_stp_is_the_isolated_work_completed_a_second() -> None:
    requests = (record("a", 900), record("b", 900), record("b", 900, "cancelled"))
    assert measured(*requests).stp == pytest.approx(0.15)
    assert measured().stp == 0.0


def test_jain_is_one_for_equal_progress_and_one_nth_if_one_model_gets_all() -> None:
    assert measured(record("a", 200), record("b", 100)).jain == pytest.approx(1.0)
    assert measured(record("a", 100), record("b", 7, "dropped")).jain == pytest.approx(0.5)
    # Half of a's requests run at full speed, all of b's at a quarter: 0.5 and 0.25.
    requests = (record("a", 100), record("a", 1, "dropped"), record("b", 200))
    assert measured(*requests).jain == pytest.approx(0.75**2 / (2 * (0.25 + 0.0625)))
    assert measured(record("a", 1, "dropped")).jain is None


def test_ux_cost_multiplies_missed_deadlines_by_energy() -> None:
    requests = (
        record("a", 150, deadline_us=100),
        record("a", 90, deadline_us=100),
        record("b", 90, deadline_us=100),
        record("b", 1, "dropped", deadline_us=100),
    )
    made = measured(*requests, energy_uj={"a": 15, "b": 20})
    assert made.ux_cost == pytest.approx((0.5 + 0.5) * (15 / 20 + 20 / 80))
    assert measured(*requests).ux_cost is None
    assert measured(record("a", 90), energy_uj={"a": 15}).ux_cost is None


def test_a_model_without_a_yardstick_is_left_out() -> None:
    both = measured(record("a", 200), record("unknown", 1))
    assert both == measured(record("a", 200))


def test_the_document_has_every_figure() -> None:
    assert measured().to_json() == {"antt": None, "stp": 0.0, "jain": None, "ux_cost": None}


def test_alone_takes_the_best_plan_and_the_dearest_way() -> None:
    table = make_table(
        "m",
        {"cpu": {(0, 0): 10, (1, 1): 10, (0, 1): 15}, "gpu": {(1, 1): 2}},
        processors=("cpu", "gpu"),
        move_us=1,
    )
    energies = {(0, 0, 0): 3, (0, 1, 0): 4, (1, 1, 0): 2, (1, 1, 1): 9}
    spans = tuple(s._replace(energy_uj=energies[s[:3]]) for s in table.spans)
    told = PlanTable(
        model="m",
        version=1,
        processors=table.processors,
        unit_count=2,
        dependencies=table.dependencies,
        spans=spans,
        transfer_us=table.transfer_us,
    )
    assert alone(told) == Alone(latency_us=13, dearest_uj=12)
    assert alone(table) == Alone(latency_us=13, dearest_uj=0)


def test_a_model_that_cannot_run_has_no_yardstick() -> None:
    assert alone(whole("m", cpu=10).restricted(())) is None
