"""The estimator: a moving mean, a 95th percentile, and a new table once a cost is off by 5 %."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from band.scheduler.estimator import Estimate, Estimator
from band.scheduler.events import Cancelled, ModelAdded
from band.testing.core_driver import CoreDriver
from band.testing.tables import whole

Drive = Callable[..., CoreDriver]


def test_the_mean_moves_by_a_tenth_of_the_difference() -> None:
    estimate = Estimate(1000)
    estimate.observe(2000)
    assert estimate.mean_us == pytest.approx(1100)
    estimate.observe(1100)
    assert estimate.mean_us == pytest.approx(1100)
    assert estimate.runs == 2


def test_the_95th_percentile_is_tracked_without_keeping_samples() -> None:
    rng = random.Random(3)
    estimate = Estimate(1000)
    runs = [round(1000 * rng.lognormvariate(0, 0.2)) for _ in range(4000)]
    for run_us in runs:
        estimate.observe(run_us)
    true_us = sorted(runs)[int(0.95 * len(runs))]
    assert estimate.p95_us == pytest.approx(true_us, rel=0.1)


@pytest.mark.parametrize(("run_us", "moved"), [(1490, False), (1600, True), (400, True)])
def test_a_cost_that_is_off_by_more_than_five_percent_asks_for_a_new_table(
    run_us: int, moved: bool
) -> None:
    assert Estimate(1000).observe(run_us) is moved


def test_a_cost_of_one_microsecond_is_not_swapped_for_itself_for_ever() -> None:
    estimate = Estimate(1)
    assert not any(estimate.observe(1 + (n % 4 == 0)) for n in range(100))


def test_the_new_table_carries_every_mean() -> None:
    table = whole("m", cpu=100, gpu=100)
    estimator = Estimator()
    for span, run_us in zip(table.spans, (104, 200), strict=True):
        estimator.of(span).observe(run_us)
    updated = table.with_costs(estimator.costs_us(), 2)
    assert [s.cost_us for s in updated.spans] == [100, 110]
    swaps = [estimator.of(span).observe(round(span.cost_us * 1.02)) for span in updated.spans]
    assert swaps == [False, False], "the new costs are what estimates are now compared with"


def test_the_core_plans_with_what_it_has_learnt(drive: Drive) -> None:
    driver = drive(whole("m", cpu=100, gpu=90))
    for _ in range(10):
        driver.request("m")
        task = driver.started[-1]
        driver.finish(task.id, run_us=300 if task.processor == 1 else 100)
    assert driver.core.status().versions["m"] > 1
    assert [t.processor for t in driver.started] == [1] + [0] * 9


def test_an_abandoned_task_teaches_nothing(drive: Drive) -> None:
    driver = drive(whole("m", cpu=100))
    for _ in range(5):
        job = driver.request("m")
        driver.send(Cancelled(job))
        driver.finish(driver.started[-1].id, run_us=300)
    assert driver.core.status().versions["m"] == 1
    driver.request("m")
    assert driver.started[-1].predicted_us == 100


def test_a_new_table_of_the_driver_is_never_older_than_a_learnt_one(drive: Drive) -> None:
    driver = drive(whole("m", cpu=100))
    for _ in range(5):
        driver.request("m")
        driver.finish(driver.started[-1].id, run_us=300)
    learnt = driver.core.status().versions["m"]
    assert learnt > 2
    driver.send(ModelAdded(replace(whole("m", cpu=50), version=2)))
    assert driver.core.status().versions["m"] == learnt + 1
    driver.request("m")
    assert driver.started[-1].predicted_us == 50
