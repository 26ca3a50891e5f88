"""Jobs that are more than a chain: two branches at once, and one task for two jobs."""

from collections.abc import Callable, Sequence
from typing import ClassVar

import pytest

from band.plan.task import SliceKey
from band.scheduler.commands import JobOutcome
from band.scheduler.events import Cancelled, TaskFailed, WorkerDown
from band.scheduler.policy import Decision, Defer, Dispatch, PolicyInfo, TaskSpec
from band.scheduler.view import View
from band.testing.core_driver import CoreDriver
from band.testing.tables import make_table

Drive = Callable[..., CoreDriver]

# 0 feeds 1 and 2, which meet in 3.
DIAMOND = make_table(
    "diamond",
    {
        "cpu": {(0, 0): 10, (1, 1): 30, (2, 2): 30, (3, 3): 10},
        "gpu": {(0, 0): 30, (1, 1): 20, (2, 2): 90, (3, 3): 30},
    },
    processors=["cpu", "gpu"],
    dependencies=[0, 0b0001, 0b0001, 0b0110],
    move_us=2,
)


def test_two_branches_run_at_once_and_meet(drive: Drive) -> None:
    driver = drive(DIAMOND, processors=["cpu", "gpu"])
    job = driver.request("diamond")
    driver.finish(0)
    assert {t.processor: t.slice.units for t in driver.running.values()} == {1: 0b0010, 0: 0b0100}
    left, right = sorted(driver.running.values(), key=lambda t: t.slice.units)
    assert left.predecessors == right.predecessors == (0,)
    assert (left.transfer_us, right.transfer_us) == (2, 0)
    driver.finish(left.id)
    assert not driver.ended
    assert len(driver.running) == 1, "the join waits for both"
    driver.finish(right.id)
    (join,) = driver.running.values()
    assert (join.slice.units, join.predecessors) == (0b1000, (left.id, right.id))
    assert join.transfer_us == 2, "one of its inputs comes from the other processor"
    driver.finish_all()
    assert driver.ended[job].outcome is JobOutcome.COMPLETED


def test_a_lost_branch_runs_again_while_the_other_goes_on(drive: Drive) -> None:
    driver = drive(DIAMOND, processors=["cpu", "gpu"])
    driver.request("diamond")
    driver.finish(0)
    lost = driver.on(1)
    assert lost is not None
    del driver.running[lost.id]
    driver.send(WorkerDown(1, "gone"))
    assert driver.on(0) is not None
    driver.finish_all()
    assert [t.slice.units for t in driver.started] == [1, 2, 4, 2, 8]
    assert {t.processor for t in driver.started[3:]} == {0}


@pytest.mark.parametrize("cancel", [True, False])
def test_the_end_of_a_job_abandons_its_other_branch(drive: Drive, cancel: bool) -> None:
    driver = drive(DIAMOND, processors=["cpu", "gpu"])
    job = driver.request("diamond")
    driver.finish(0)
    left, right = sorted(driver.running)
    if cancel:
        driver.send(Cancelled(job))
        assert driver.abandoned == [left, right]
    else:
        del driver.running[left]
        driver.send(TaskFailed(left, "broken"))
        assert driver.abandoned == [right]
    assert list(driver.ended) == [job]
    driver.finish_all()
    assert len(driver.started) == 3


PATIENCE_US = 50


class Pairs:
    """Runs a ``left`` and a ``right`` job together on the merged model; waits for the partner."""

    info: ClassVar = PolicyInfo(name="pairs", summary="", source="")

    def plan(self, view: View) -> Sequence[Decision]:
        idle = [p for p, wait in enumerate(view.waits_us) if wait == 0]
        if not idle:
            return []
        for job in view.window:
            if job.model == "both":
                units = 0b10 if job.finished else 0b01
                return [Dispatch((TaskSpec(job.jobs, SliceKey("both", units), idle[0]),))]
        first = {job.model: job.job for job in reversed(view.window)}
        if len(first) == 2:
            jobs = (first["left"], first["right"])
            return [Dispatch((TaskSpec(jobs, SliceKey("both", 0b01), idle[0]),))]
        return [Defer(job.job, view.now_us + PATIENCE_US) for job in view.window]


BOTH = make_table(
    "both",
    {p: {(0, 0): 12, (1, 1): 6} for p in ("cpu", "gpu")},
    processors=["cpu", "gpu"],
    members=("left", "right"),
)
LEFT, RIGHT = (
    make_table(name, {p: {(0, 0): 10} for p in ("cpu", "gpu")}, processors=["cpu", "gpu"])
    for name in ("left", "right")
)


def start_pair(drive: Drive) -> tuple[CoreDriver, int, int]:
    """Return a driver where a pair runs its first task, and the two jobs."""
    driver = drive(LEFT, RIGHT, BOTH, policy=Pairs(), processors=["cpu", "gpu"])
    left = driver.request("left")
    assert (driver.started, driver.wakes) == ([], [PATIENCE_US])
    right = driver.request("right")
    return driver, left, right


def test_one_task_serves_two_jobs(drive: Drive) -> None:
    driver, left, right = start_pair(drive)
    assert [t.jobs for t in driver.started] == [(left, right)]
    driver.finish_all()
    assert [(t.jobs, t.slice.units) for t in driver.started] == [((0, 1), 1), ((0, 1), 2)]
    assert [driver.ended[j].outcome for j in (left, right)] == [JobOutcome.COMPLETED] * 2
    assert not driver.core.status().reports


def test_a_cancelled_job_leaves_its_merged_run_to_the_other(drive: Drive) -> None:
    driver, left, right = start_pair(drive)
    driver.send(Cancelled(left))
    assert driver.abandoned == [], "the other job still wants the result"
    driver.finish_all()
    assert [t.jobs for t in driver.started] == [(left, right), (right,)]
    assert driver.ended[right].outcome is JobOutcome.COMPLETED


def test_a_failed_merged_task_fails_both_jobs(drive: Drive) -> None:
    driver, left, right = start_pair(drive)
    del driver.running[0]
    driver.send(TaskFailed(0, "broken"))
    assert {j: driver.ended[j].outcome for j in (left, right)} == {
        left: JobOutcome.FAILED, right: JobOutcome.FAILED,
    }  # fmt: skip


def test_a_pair_that_lost_its_first_task_is_two_jobs_again(drive: Drive) -> None:
    driver, left, right = start_pair(drive)
    driver.running.clear()
    driver.send(WorkerDown(0, "gone"))
    assert [t.jobs for t in driver.started] == [(left, right)] * 2
    assert {t.processor for t in driver.running.values()} == {1}


def test_a_pair_that_lost_a_later_task_stays_a_pair(drive: Drive) -> None:
    driver, left, _ = start_pair(drive)
    driver.finish(0)
    driver.running.clear()
    driver.send(WorkerDown(0, "gone"))
    driver.finish_all()
    assert [(t.jobs, t.slice.units) for t in driver.started][1:] == [((0, 1), 2)] * 2
    assert driver.ended[left].outcome is JobOutcome.COMPLETED
