"""Cold runs: a processor that has rested is slower, and that is learnt and planned with apart."""

from collections.abc import Callable, Sequence
from typing import ClassVar

import pytest

from band.scheduler.events import SliceEvicted, SliceLoaded, WorkerUp
from band.scheduler.policy import Decision, Dispatch, PolicyInfo, TaskSpec
from band.scheduler.view import View
from band.testing.core_driver import CoreDriver
from band.testing.tables import make_table

Drive = Callable[..., CoreDriver]
NAMES = ["cpu", "gpu"]
TABLE = make_table("m", {"cpu": {(0, 0): 160}, "gpu": {(0, 0): 100}}, processors=NAMES)


class Noting:
    """Runs everything on the gpu and notes what the table says of it."""

    info: ClassVar = PolicyInfo(name="noting", summary="", source="")

    def __init__(self) -> None:
        self.costs_us: list[int] = []

    def plan(self, view: View) -> Sequence[Decision]:
        span = view.table("m").find(0, 0, 1)
        assert span is not None
        if view.waits_us[1] or not view.window:
            return []
        self.costs_us.append(span.cost_us)
        return [Dispatch((TaskSpec.of(view.window[0], view.table("m"), span),))]


def cold_driver(drive: Drive, after_us: int | None, policy: object = "noting") -> CoreDriver:
    driver = drive(TABLE, policy=policy, processors=NAMES)
    driver.send(WorkerUp(1, "gpu", "gpu", 1 << 30, "", after_us))
    return driver


def run(driver: CoreDriver, run_us: int, *, rest_us: int = 0) -> int:
    """Let a request run on the gpu; return what was predicted of it."""
    driver.now_us += rest_us
    driver.request("m")
    task = driver.started[-1]
    driver.now_us += run_us
    driver.finish(task.id, run_us=run_us)
    return task.predicted_us


def test_cold_runs_are_learnt_apart_and_plans_use_the_mean_that_applies(drive: Drive) -> None:
    policy = Noting()
    driver = cold_driver(drive, 1000, policy)
    assert run(driver, 300) == 100, "the first cold run, of which nothing is known"
    assert [run(driver, 100, rest_us=500) for _ in range(20)] == [100] * 20
    assert run(driver, 300, rest_us=1000) == 300
    assert run(driver, 100, rest_us=999) == 100
    assert policy.costs_us == [100] * 21 + [300, 100]
    assert driver.core.status().versions["m"] == 1, "the mean has not moved"


def test_without_a_declared_bound_every_run_teaches_the_one_mean(drive: Drive) -> None:
    policy = Noting()
    driver = cold_driver(drive, None, policy)
    for _ in range(30):
        run(driver, 300, rest_us=5000)
    assert policy.costs_us[-1] > 270
    assert driver.core.status().versions["m"] > 1


def test_the_cold_mean_moves_and_the_tables_with_it(drive: Drive) -> None:
    policy = Noting()
    driver = cold_driver(drive, 1000, policy)
    for _ in range(40):
        run(driver, 300, rest_us=2000)
    for _ in range(60):
        run(driver, 200, rest_us=2000)
    assert policy.costs_us[39] == 300
    assert policy.costs_us[-1] == pytest.approx(200, rel=0.06)


def test_the_first_run_after_loading_is_cold(drive: Drive) -> None:
    policy = Noting()
    driver = cold_driver(drive, 1000, policy)
    run(driver, 300)
    assert run(driver, 100) == 100
    driver.send(SliceLoaded(TABLE.slice_key(TABLE.spans[1]), 1, 0))  # no news: it is loaded
    assert run(driver, 100) == 100
    key = TABLE.slice_key(TABLE.spans[1])
    driver.send(SliceEvicted(key, 1))
    driver.send(SliceLoaded(key, 1, 0))
    assert run(driver, 300) == 300, "loaded anew"
    assert run(driver, 100) == 100


def test_a_job_goes_elsewhere_while_its_processor_is_cold(drive: Drive) -> None:
    driver = cold_driver(drive, 1000, "shortest_expected_latency")
    run(driver, 300)  # on the gpu: 100 us, as far as is known
    driver.now_us += 2000
    driver.request("m")
    assert driver.started[-1].processor == 0, "160 us here, 300 us on the cold gpu"
    driver.request("m")
    assert driver.started[-1].processor == 1, "300 us there, 160 + 160 us here"
    driver.now_us += 300
    driver.finish_all()
    driver.request("m")
    assert driver.started[-1].processor == 1, "it is warm"
