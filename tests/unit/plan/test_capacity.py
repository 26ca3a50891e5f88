"""The capacity bound on workloads whose answer is known."""

import pytest

from band.errors import BandError, ErrorCode
from band.plan.capacity import CapacityBound, capacity_bound
from band.testing.tables import make_table, whole

TWO = ("cpu", "gpu")


def test_one_model_on_one_processor_can_fill_its_second() -> None:
    bound = capacity_bound([whole("m", cpu=10_000)], {"m": 50})
    assert bound.scale == pytest.approx(2.0)
    assert bound.requests_per_s == pytest.approx(100)
    assert bound.processors == ("cpu", "gpu", "dsp", "npu")
    assert bound.prices == pytest.approx((1, 0, 0, 0))
    assert bound.utilisation == pytest.approx((1, 0, 0, 0))


def test_two_equal_processors_do_twice_the_work() -> None:
    table = make_table("m", {"cpu": {(0, 0): 10_000}, "gpu": {(0, 0): 10_000}}, processors=TWO)
    bound = capacity_bound([table], {"m": 100})
    assert bound.scale == pytest.approx(2.0)
    assert bound.prices == pytest.approx((0.5, 0.5))


def test_flows_split_where_no_single_plan_would() -> None:
    # The GPU is twice as fast; both together finish 300 jobs a second, neither plan alone does.
    table = make_table("m", {"cpu": {(0, 0): 10_000}, "gpu": {(0, 0): 5_000}}, processors=TWO)
    bound = capacity_bound([table], {"m": 1})
    assert bound.scale == pytest.approx(300)
    assert bound.utilisation == pytest.approx((1, 1))


def test_a_unit_that_one_processor_alone_runs_limits_the_model() -> None:
    table = make_table(
        "m",
        {"cpu": {(0, 0): 1_000, (1, 1): 4_000, (0, 1): 5_000}, "gpu": {(0, 0): 1_000}},
        processors=TWO,
    )
    bound = capacity_bound([table], {"m": 1})
    assert bound.scale == pytest.approx(250)  # the CPU does unit 1 only
    assert bound.prices == pytest.approx((1, 0))
    assert bound.utilisation == pytest.approx((1, 0.25))


def test_the_prices_are_what_more_of_a_processor_would_add() -> None:
    costs = {"fast": {"cpu": 100_000, "gpu": 400_000}, "slow": {"cpu": 800_000, "gpu": 200_000}}
    rates = {"fast": 3, "slow": 1}

    def bound(quicker: str = "") -> CapacityBound:
        tables = [
            whole(model, **{p: round(us / 1.01) if p == quicker else us for p, us in row.items()})
            for model, row in costs.items()
        ]
        return capacity_bound(tables, rates)

    found = bound()
    gains = [bound(quicker).scale - found.scale for quicker in TWO]
    assert min(gains) > 0
    assert found.prices[0] == pytest.approx(gains[0] / sum(gains), abs=0.02)
    assert sum(found.prices) == pytest.approx(1)


def test_models_without_a_rate_are_left_out() -> None:
    tables = [whole("m", cpu=10_000), whole("idle", cpu=10)]
    assert capacity_bound(tables, {"m": 50, "idle": 0}).scale == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("rates", "code", "words"),
    [
        ({"other": 1.0}, ErrorCode.UNKNOWN_MODEL, "other has a rate but no plan table"),
        ({"m": -1.0}, ErrorCode.INVALID_REQUEST, "rate of model m is negative"),
        ({"m": 0.0}, ErrorCode.INVALID_REQUEST, "all rates are 0"),
        ({}, ErrorCode.INVALID_REQUEST, "all rates are 0"),
    ],
)
def test_a_workload_that_makes_no_sense_is_refused(
    rates: dict[str, float], code: ErrorCode, words: str
) -> None:
    with pytest.raises(BandError, match=words) as caught:
        capacity_bound([whole("m", cpu=10)], rates)
    assert caught.value.code is code


def test_a_model_that_no_plan_finishes_has_no_bound() -> None:
    table = make_table("gap", {"cpu": {(0, 0): 1, (2, 2): 1}}, processors=("cpu",))
    with pytest.raises(BandError, match="gap") as caught:
        capacity_bound([table], {"gap": 1})
    assert caught.value.code is ErrorCode.UNSUPPORTED_MODEL
