"""Processors and models come and go: nothing finished runs twice, nothing waits for ever."""

from collections.abc import Callable

from band.plan.task import SliceKey
from band.scheduler.commands import DropReason, Finish, JobOutcome
from band.scheduler.events import (
    ModelAdded,
    ModelRemoved,
    SliceEvicted,
    SliceLoaded,
    TaskFinished,
    WorkerDown,
    WorkerUp,
)
from band.testing.core_driver import CoreDriver
from band.testing.tables import make_table, whole

Drive = Callable[..., CoreDriver]

CHAIN = make_table(
    "chain",
    {
        "cpu": {(0, 0): 10, (1, 1): 10, (2, 2): 10},
        "gpu": {(0, 0): 20, (1, 1): 3, (2, 2): 20},
    },
)


def lose(driver: CoreDriver, processor: int) -> None:
    for task in [t for t in driver.running.values() if t.processor == processor]:
        del driver.running[task.id]
    driver.send(WorkerDown(processor, "the process ended"))


def test_a_lost_task_runs_again_elsewhere_and_finished_units_do_not(drive: Drive) -> None:
    driver = drive(CHAIN)
    job = driver.request("chain")
    driver.finish(0)
    assert driver.on(1) is not None
    lose(driver, 1)
    driver.finish_all()
    ran = [(t.processor, t.slice.units) for t in driver.started]
    assert ran == [(0, 1), (1, 2), (0, 2), (0, 4)]
    assert driver.ended[job].outcome is JobOutcome.COMPLETED


def test_the_result_of_a_lost_task_is_ignored(drive: Drive) -> None:
    driver = drive(CHAIN)
    driver.request("chain")
    driver.finish(0)
    lost = driver.on(1)
    assert lost is not None
    lose(driver, 1)
    assert driver.send(TaskFinished(lost.id, 3)) == []
    assert driver.on(0) is not None


def test_a_job_that_only_the_lost_processor_could_run_is_dropped(drive: Drive) -> None:
    driver = drive(whole("m", gpu=10), CHAIN)
    jobs = [driver.request("m"), driver.request("m")]
    other = driver.request("chain")
    lose(driver, 1)
    assert [driver.ended[j].reason for j in jobs] == [DropReason.NO_PROCESSOR] * 2
    driver.finish_all()
    assert driver.ended[other].outcome is JobOutcome.COMPLETED


def test_a_job_stuck_in_the_middle_of_a_plan_starts_again_on_another(drive: Drive) -> None:
    split = make_table("split", {"cpu": {(0, 0): 10, (0, 1): 90}, "gpu": {(1, 1): 3}})
    driver = drive(split)
    job = driver.request("split")
    driver.finish(0)
    assert driver.on(1) is not None
    lose(driver, 1)
    driver.finish_all()
    ran = [(t.processor, t.slice.units) for t in driver.started]
    assert ran == [(0, 1), (1, 2), (0, 3)]
    assert driver.ended[job].outcome is JobOutcome.COMPLETED


def test_a_processor_that_comes_back_is_used_again(drive: Drive) -> None:
    driver = drive(whole("m", gpu=10))
    lose(driver, 1)
    assert driver.core.status().up == (0, 2, 3)
    dropped = driver.request("m")
    driver.send(WorkerUp(1, "gpu", "gpu", 1 << 30))
    served = driver.request("m")
    driver.finish_all()
    assert driver.ended[dropped].reason is DropReason.NO_PROCESSOR
    assert driver.ended[served].outcome is JobOutcome.COMPLETED


def test_a_processor_that_comes_up_twice_has_lost_its_task(drive: Drive) -> None:
    driver = drive(whole("m", gpu=10))
    job = driver.request("m")
    del driver.running[0]
    driver.send(WorkerUp(1, "gpu", "gpu", 1 << 30))
    assert [t.id for t in driver.started] == [0, 1]
    driver.finish_all()
    assert driver.ended[job].outcome is JobOutcome.COMPLETED


def test_a_processor_unknown_or_down_may_go_down_again(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10))
    assert driver.send(WorkerDown(17, "never seen")) == []
    lose(driver, 1)
    assert driver.send(WorkerDown(1, "still down")) == []


def test_no_processor_at_all_drops_every_request(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10), processors=[])
    job = driver.request("m")
    assert driver.ended[job].reason is DropReason.NO_PROCESSOR


def test_removing_a_model_ends_its_waiting_jobs(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10), processors=["cpu"])
    running, waiting = driver.request("m"), driver.request("m")
    driver.send(ModelRemoved("m"))
    assert driver.ended == {waiting: Finish(waiting, JobOutcome.DROPPED, DropReason.NO_PROCESSOR)}
    driver.finish(0)
    assert driver.ended[running].outcome is JobOutcome.COMPLETED, "its last task was running"
    assert driver.ended[driver.request("m")].reason is DropReason.NO_PROCESSOR


def test_a_job_of_a_removed_model_with_units_left_is_dropped_after_its_task(drive: Drive) -> None:
    driver = drive(CHAIN)
    job = driver.request("chain")
    driver.send(ModelRemoved("chain"))
    driver.send(ModelRemoved("chain"))
    driver.send(ModelAdded(whole("chain", cpu=1)))
    driver.finish(0)
    assert driver.ended[job] == Finish(job, JobOutcome.DROPPED, DropReason.NO_PROCESSOR)


def test_only_loaded_slices_run(drive: Drive) -> None:
    driver = drive()
    driver.send(ModelAdded(whole("m", cpu=10, gpu=1), ((0, 0, 0),)))
    driver.request("m")
    assert driver.started[-1].processor == 0
    driver.send(SliceLoaded(SliceKey("m", 1), 1, 1000))
    driver.request("m")
    assert driver.started[-1].processor == 1


def test_an_evicted_slice_runs_no_more_and_jobs_without_another_are_dropped(drive: Drive) -> None:
    driver = drive(whole("m", gpu=10))
    running, waiting = driver.request("m"), driver.request("m")
    driver.send(SliceEvicted(SliceKey("m", 1), 1))
    assert list(driver.ended) == [waiting]
    driver.finish_all()
    assert driver.ended[running].outcome is JobOutcome.COMPLETED


def test_slices_of_unknown_models_and_spans_are_ignored(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10))
    for key in (SliceKey("other", 1), SliceKey("m", 6)):
        assert driver.send(SliceLoaded(key, 0, 1)) == []
        assert driver.send(SliceEvicted(key, 0)) == []
    assert driver.core.status().versions == {"m": 1}


def test_a_higher_version_replaces_the_table_and_waiting_jobs_follow_it(drive: Drive) -> None:
    driver = drive(CHAIN)
    job = driver.request("chain")
    costs = {"cpu": {(0, 0): 10, (1, 1): 1, (2, 2): 10}, "gpu": {(1, 1): 3}}
    driver.send(ModelAdded(make_table("chain", costs, version=2)))
    driver.finish_all()
    assert [t.processor for t in driver.started] == [0, 0, 0]
    assert driver.ended[job].outcome is JobOutcome.COMPLETED
    assert driver.core.status().versions == {"chain": 2}


def test_a_table_that_is_not_newer_is_ignored(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10))
    driver.send(ModelAdded(whole("m", gpu=1)))
    driver.request("m")
    assert driver.started[0].processor == 0


def test_with_other_units_a_started_job_starts_again(drive: Drive) -> None:
    driver = drive(CHAIN)
    job = driver.request("chain")
    driver.finish(0)
    costs = {"cpu": {(0, 0): 9, (1, 1): 9}}
    driver.send(ModelAdded(make_table("chain", costs, version=2)))
    assert driver.abandoned == [1]
    driver.finish_all()
    assert [t.slice.units for t in driver.started] == [1, 2, 1, 2]
    assert driver.ended[job].outcome is JobOutcome.COMPLETED
