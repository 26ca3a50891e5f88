"""What a policy sees: a window on the queue, processors with honest waits, best plans."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from band.plan.hops import DOWN_US
from band.plan.task import SliceKey
from band.scheduler.events import (
    ModelAdded,
    PolicySwapped,
    SliceEvicted,
    SliceLoaded,
    WorkerDown,
)
from band.scheduler.options import CoreOptions
from band.scheduler.policy import Decision, Defer, PolicyInfo
from band.scheduler.view import JobView, View
from band.testing.core_driver import CoreDriver
from band.testing.tables import make_table, whole

Drive = Callable[..., CoreDriver]
FAR_US = 10**9


class Looking:
    """Calls a function on every view and leaves all jobs waiting."""

    info: ClassVar = PolicyInfo(name="looking", summary="", source="")

    def __init__(self) -> None:
        self.look: Callable[[View], Any] = lambda view: None
        self.seen: Any = None

    def plan(self, view: View) -> Sequence[Decision]:
        self.seen = self.look(view)
        return [Defer(job.job, FAR_US) for job in view.window]


def see(driver: CoreDriver, policy: Looking, look: Callable[[View], Any]) -> Any:
    """Return what a look at the view gives when one more request has arrived."""
    policy.look = look
    driver.request("m")
    return policy.seen


def busy(drive: Drive, *, run_us: int = 100) -> tuple[CoreDriver, Looking]:
    """Return a driver whose gpu runs a task of ``run_us`` and whose policy now only looks."""
    policy = Looking()
    driver = drive(whole("m", cpu=3 * run_us, gpu=run_us), policies={"looking": lambda: policy})
    driver.request("m")
    assert driver.on(1) is not None
    driver.send(PolicySwapped("looking", ""))
    return driver, policy


def release(driver: CoreDriver) -> None:
    """Let the jobs that only waited run."""
    driver.send(PolicySwapped("shortest_expected_latency", ""))


def test_waits_are_zero_exactly_for_idle_processors(drive: Drive) -> None:
    driver, policy = busy(drive)
    driver.now_us = 30
    assert see(driver, policy, lambda view: view.waits_us) == (0, 70, 0, 0)
    driver.send(WorkerDown(3, "gone"))
    assert see(driver, policy, lambda view: view.waits_us) == (0, 70, 0, DOWN_US)
    release(driver)


def test_a_task_that_overruns_keeps_its_processor_busy_with_a_residual(drive: Drive) -> None:
    driver, policy = busy(drive)
    driver.now_us = 100
    assert see(driver, policy, lambda view: view.waits_us[1]) == 10, "a tenth of the prediction"
    processor = see(driver, policy, lambda view: view.processors[1])
    assert (processor.up, processor.idle) == (True, False)
    assert (processor.busy_until_us, processor.residual_us) == (110, 10)
    release(driver)


def test_the_residual_grows_with_the_overrun(drive: Drive) -> None:
    driver, policy = busy(drive)
    for now_us, expected_us in ((100, 10), (105, 10), (150, 50), (10_100, 10_000)):
        driver.now_us = now_us
        assert see(driver, policy, lambda view: view.waits_us[1]) == expected_us
    release(driver)


def test_a_processor_that_hangs_does_not_keep_jobs_from_an_idle_one(drive: Drive) -> None:
    driver = drive(whole("m", cpu=1000, gpu=100))
    driver.request("m")
    hanging = driver.started[-1]
    driver.request("m")
    driver.now_us = hanging.predicted_us * 20
    driver.request("m")
    started = [task.processor for task in driver.started]
    assert started[0] == hanging.processor
    assert any(processor != hanging.processor for processor in started[1:])


def test_the_residual_reaches_to_the_95th_percentile_of_earlier_runs(drive: Drive) -> None:
    policy = Looking()
    driver = drive(whole("m", cpu=1000), policies={"looking": lambda: policy})
    for run_us in [1000, 1000, 1000, 1200] * 20:
        driver.request("m")
        driver.finish(driver.started[-1].id, run_us=run_us)
    driver.request("m")
    late = driver.started[-1]
    driver.send(PolicySwapped("looking", ""))
    driver.now_us = late.predicted_us + 1
    residual_us = see(driver, policy, lambda view: view.processors[0].residual_us)
    assert 1000 // 10 < residual_us < 260
    release(driver)


def test_down_and_idle_processors_have_no_residual(drive: Drive) -> None:
    driver, policy = busy(drive)
    driver.send(WorkerDown(2, "gone"))
    rows = see(driver, policy, lambda view: view.processors)
    assert [(p.up, p.idle, p.residual_us) for p in rows] == [
        (True, True, 0), (True, False, 0), (False, False, 0), (True, True, 0),
    ]  # fmt: skip
    release(driver)


def test_free_bytes_are_what_loaded_slices_leave(drive: Drive) -> None:
    policy = Looking()
    driver = drive(policy=policy, processors=["cpu"])
    table = make_table("m", {"cpu": {(0, 0): 5, (1, 1): 5}}, processors=["cpu"])
    sized = tuple(s._replace(load_bytes=1000) for s in table.spans)
    driver.send(ModelAdded(replace(table, spans=sized)))
    free = see(driver, policy, lambda view: view.processors[0].free_bytes)
    assert free == (1 << 30) - 2000
    driver.send(ModelAdded(replace(table, spans=sized, version=2), ((0, 0, 0),)))
    assert list(driver.ended) == [0], "what is not loaded cannot finish the job"
    driver.send(SliceLoaded(SliceKey("m", 2), 0, 500))
    free = see(driver, policy, lambda view: view.processors[0].free_bytes)
    assert free == (1 << 30) - 1500
    release(driver)


def test_the_window_is_the_head_of_the_queue(drive: Drive) -> None:
    policy = Looking()
    driver = drive(whole("m", cpu=5), policy=policy, options=CoreOptions(window=3))
    for priority in (9, 2, 5, 2):
        driver.request("m", priority=priority)
    rows = see(driver, policy, lambda view: [(j.job, j.priority) for j in view.window])
    assert rows == [(1, 2), (3, 2), (2, 5)]
    release(driver)


def test_a_job_of_the_window_shows_its_progress(drive: Drive) -> None:
    policy = Looking()
    driver = drive(
        make_table("m", {"cpu": {(0, 0): 5}, "gpu": {(1, 1): 5}}),
        policies={"looking": lambda: policy},
    )
    driver.request("m", deadline_us=77, processor=None)
    driver.send(PolicySwapped("looking", ""))
    driver.finish(0)
    (job, _) = see(driver, policy, lambda view: view.window)
    assert job == JobView(
        job=0, model="m", stream="", frame=None, priority=8, arrived_us=0, deadline_us=77,
        finished=1, running=0, holder=0, processor=-1,
    )  # fmt: skip
    assert job.jobs == (0,)
    release(driver)


def test_best_plans_are_searched_once_a_pass_for_jobs_in_the_same_state(drive: Drive) -> None:
    policy = Looking()
    driver = drive(whole("m", cpu=5, gpu=9), policy=policy)
    driver.request("m")
    same, other = see(
        driver,
        policy,
        lambda view: (
            [view.best_plan(job) for job in view.window],
            view.best_plan(view.window[0], [50, 0, 0, 0]),
        ),
    )
    assert same[0] is same[1]
    assert (same[0].latency_us, other.latency_us, other.steps[0].span.processor) == (5, 9, 1)
    release(driver)


def test_the_table_holds_only_what_can_run_now(drive: Drive) -> None:
    policy = Looking()
    driver = drive(whole("m", cpu=5, gpu=9, dsp=7), policy=policy)
    driver.send(WorkerDown(1, "gone"))
    driver.send(SliceEvicted(SliceKey("m", 1), 2))
    table = see(driver, policy, lambda view: view.table("m"))
    assert [s.processor for s in table.spans] == [0]
    release(driver)
