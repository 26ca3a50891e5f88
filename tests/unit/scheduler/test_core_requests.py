"""Requests through the core: accepted, run task by task, ended exactly once."""

from collections.abc import Callable

import pytest

from band.scheduler.commands import DropReason, Finish, JobOutcome, Run
from band.scheduler.events import Cancelled, RequestArrived, TaskFailed, TaskFinished, Tick
from band.scheduler.options import CoreOptions
from band.testing.core_driver import CoreDriver
from band.testing.tables import make_table, whole

Drive = Callable[..., CoreDriver]

SPLIT = make_table(
    "split",
    {"cpu": {(0, 0): 10, (1, 1): 5, (2, 2): 10}, "gpu": {(0, 0): 3, (2, 2): 4}},
    move_us=1,
)


def test_a_request_runs_along_its_best_plan_and_completes(drive: Drive) -> None:
    driver = drive(SPLIT)
    job = driver.request("split")
    driver.finish_all()
    assert [(t.processor, t.slice.units) for t in driver.started] == [(1, 1), (0, 2), (1, 4)]
    assert driver.ended == {job: Finish(job, JobOutcome.COMPLETED, "")}


def test_a_task_names_what_it_reads_and_its_predicted_time_includes_the_move(drive: Drive) -> None:
    driver = drive(SPLIT)
    driver.request("split")
    driver.finish_all()
    first, second, third = driver.started
    assert (first.predecessors, second.predecessors, third.predecessors) == ((), (0,), (1,))
    assert (first.inputs, first.outputs, second.inputs) == ((), (101,), (101,))
    assert (first.transfer_us, first.predicted_us) == (0, 3)
    assert (second.transfer_us, second.predicted_us) == (1, 6)
    assert (third.transfer_us, third.predicted_us) == (1, 5)


def test_a_processor_runs_one_task_at_a_time(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10), processors=["cpu"])
    for _ in range(3):
        driver.request("m")
    assert len(driver.running) == 1
    driver.finish(0)
    assert [t.jobs for t in driver.started] == [(0,), (1,)]
    assert driver.core.status().waiting == 1


@pytest.mark.parametrize("processor", ["cpu", "gpu"])
def test_a_pinned_request_runs_on_its_processor_alone(drive: Drive, processor: str) -> None:
    driver = drive(whole("m", cpu=10, gpu=3), processors=["cpu", "gpu"])
    jobs = [driver.request("m", processor=processor) for _ in range(2)]
    driver.finish_all()
    assert {t.processor for t in driver.started} == {["cpu", "gpu"].index(processor)}
    assert [driver.ended[j].outcome for j in jobs] == [JobOutcome.COMPLETED] * 2


@pytest.mark.parametrize("processor", ["nowhere", "dsp"])
def test_a_request_pinned_where_it_cannot_run_is_dropped(drive: Drive, processor: str) -> None:
    driver = drive(whole("m", cpu=10))
    job = driver.request("m", processor=processor)
    assert driver.ended[job] == Finish(job, JobOutcome.DROPPED, DropReason.NO_PROCESSOR)


def test_a_request_for_an_unknown_model_is_dropped(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10))
    job = driver.request("other")
    assert driver.ended[job].reason is DropReason.NO_PROCESSOR


def test_a_full_queue_drops_the_next_request(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10), options=CoreOptions(queue_limit=2))
    jobs = [driver.request("m") for _ in range(4)]
    assert driver.ended == {jobs[3]: Finish(3, JobOutcome.DROPPED, DropReason.QUEUE_FULL)}
    driver.finish(0)
    driver.request("m")
    assert len(driver.ended) == 2, "a started job leaves room in the queue"


def test_a_lower_class_number_goes_first_and_zero_is_the_default(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10), processors=["cpu"])
    busy = driver.request("m")
    late, default, urgent = (driver.request("m", priority=p) for p in (9, 0, 1))
    driver.finish_all()
    assert [t.jobs[0] for t in driver.started] == [busy, urgent, default, late]


def test_the_default_class_is_an_option(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10), processors=["cpu"], options=CoreOptions(default_priority=3))
    driver.request("m")
    explicit, default = driver.request("m", priority=4), driver.request("m")
    driver.finish_all()
    assert [t.jobs[0] for t in driver.started][1:] == [default, explicit]


def test_a_request_that_has_not_started_by_its_expiry_is_dropped_then(drive: Drive) -> None:
    driver = drive(whole("m", cpu=100), processors=["cpu"])
    driver.request("m")
    job = driver.request("m", expires_us=50)
    assert driver.wakes == [50]
    driver.now_us = 50
    driver.send(Tick())
    assert driver.ended[job] == Finish(job, JobOutcome.DROPPED, DropReason.DEADLINE_PASSED)


def test_a_request_that_has_expired_on_arrival_is_dropped(drive: Drive) -> None:
    driver = drive(whole("m", cpu=100))
    driver.now_us = 50
    job = driver.request("m", expires_us=50)
    assert driver.ended[job].reason is DropReason.DEADLINE_PASSED
    assert not driver.started


def test_a_started_request_does_not_expire(drive: Drive) -> None:
    driver = drive(SPLIT)
    job = driver.request("split", expires_us=2)
    driver.now_us = 3
    driver.finish(0)
    driver.finish_all()
    assert driver.ended[job].outcome is JobOutcome.COMPLETED
    assert driver.wakes == [], "nobody waits for that time"


def test_a_wake_up_is_asked_for_once_and_the_next_after_the_tick(drive: Drive) -> None:
    driver = drive(whole("m", cpu=1000), processors=["cpu"])
    driver.request("m")
    for expires_us in (70, 50, 50, 90):
        driver.request("m", expires_us=expires_us)
    assert driver.wakes == [70, 50]
    driver.now_us = 50
    driver.send(Tick())
    assert driver.wakes == [70, 50], "a tick at 70 is on its way already"
    driver.now_us = 70
    driver.send(Tick())
    assert driver.wakes == [70, 50, 90]


def test_cancelling_a_waiting_request_ends_it(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10), processors=["cpu"])
    driver.request("m")
    job = driver.request("m")
    driver.send(Cancelled(job))
    assert driver.ended[job] == Finish(job, JobOutcome.CANCELLED, "")
    driver.finish_all()
    assert len(driver.started) == 1


def test_cancelling_a_running_request_abandons_its_task_and_the_processor_stays_busy(
    drive: Drive,
) -> None:
    driver = drive(whole("m", cpu=10), processors=["cpu"])
    job, waiting = driver.request("m"), driver.request("m")
    driver.send(Cancelled(job))
    assert driver.abandoned == [0]
    assert driver.ended[job].outcome is JobOutcome.CANCELLED
    assert len(driver.started) == 1, "the processor computes until the task ends"
    driver.finish(0)
    assert driver.started[1].jobs == (waiting,)


def test_the_failure_of_an_abandoned_task_frees_the_processor(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10), processors=["cpu"])
    job = driver.request("m")
    driver.send(Cancelled(job))
    del driver.running[0]
    driver.send(TaskFailed(0, "broken"))
    assert list(driver.ended) == [job]
    driver.request("m")
    assert len(driver.started) == 2


def test_a_failed_task_fails_only_its_job_with_the_reason(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10, gpu=10))
    first, second = driver.request("m"), driver.request("m")
    task = driver.started[0]
    del driver.running[task.id]
    driver.send(TaskFailed(task.id, "the delegate failed to invoke"))
    assert driver.ended == {
        first: Finish(first, JobOutcome.FAILED, "the delegate failed to invoke")
    }
    driver.finish_all()
    assert driver.ended[second].outcome is JobOutcome.COMPLETED


def test_late_and_unknown_ids_change_nothing(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10))
    job = driver.request("m")
    driver.finish(0)
    before = driver.core.status()
    for event in (TaskFinished(0, 5), TaskFinished(99, 5), TaskFailed(0, "x"), Cancelled(job)):
        assert driver.send(event) == []
    assert driver.send(Cancelled(1234)) == []
    assert driver.core.status() == before


def test_a_request_id_that_is_in_use_is_ignored(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10), processors=["cpu"])
    driver.request("m")
    assert driver.send(RequestArrived(0, "m")) == []
    assert driver.core.status().jobs == 1


def test_status_counts_every_end_by_its_reason(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10))
    driver.request("m")
    driver.request("other")
    driver.send(Cancelled(driver.request("m")))
    driver.finish_all()
    assert driver.core.status().ended == {
        "completed": 1, "dropped:no_processor": 1, "cancelled": 1,
    }  # fmt: skip


def test_the_core_is_deterministic() -> None:
    def commands() -> list[object]:
        driver = CoreDriver(SPLIT, whole("m", cpu=7, gpu=9))
        for number in range(20):
            driver.now_us += 2
            driver.request("split" if number % 3 else "m", priority=number % 2)
            if driver.running and number % 2:
                driver.finish(min(driver.running))
        driver.finish_all()
        return [*driver.started, *driver.ended.values()]

    assert commands() == commands()


def test_commands_come_in_the_order_of_cause(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10), processors=["cpu"])
    driver.request("m")
    driver.request("m")
    commands = driver.finish(0)
    assert [type(c) for c in commands] == [Finish, Run]
