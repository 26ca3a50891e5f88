"""Admission: quotas, queue limits, superseding, and shedding what cannot make its deadline."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest

from band.plan.kernel import Kernel
from band.plan.table import PlanTable
from band.scheduler.commands import DropReason, Finish, JobOutcome
from band.scheduler.events import Cancelled, ModelAdded, PolicySwapped, RequestArrived
from band.scheduler.loader import make_policy
from band.scheduler.options import AdmissionOptions, CoreOptions, Margin
from band.sim.simulator import SimRun, simulate
from band.testing.arrivals import FixedArrivals
from band.testing.core_driver import CoreDriver
from band.testing.tables import make_device, make_table, random_table, whole

Drive = Callable[..., CoreDriver]


def options(**admission: object) -> CoreOptions:
    return CoreOptions(admission=AdmissionOptions(**admission))  # type: ignore[arg-type]


def dropped(driver: CoreDriver, job: int) -> str:
    finish = driver.ended[job]
    assert finish.outcome is JobOutcome.DROPPED
    return finish.reason


def chain_ends_us(
    table: PlanTable, waits: Sequence[int], pin: int, start: int = 0, ready_us: int = 0,
    holder: int = -1,
) -> Iterator[int]:  # fmt: skip
    """Yield the end of every chain of spans that finishes a job, by trying them all."""
    if start == table.unit_count:
        yield ready_us
    for first, last, processor, cost_us, *_ in table.spans:
        if first == start and pin in (-1, processor):
            move_us = table.transfer_us[start][holder][processor] if holder >= 0 else 0
            end_us = max(waits[processor], ready_us + move_us) + cost_us
            yield from chain_ends_us(table, waits, pin, last + 1, end_us, processor)


@pytest.mark.parametrize("seed", range(60))
def test_a_lone_request_is_refused_exactly_if_every_chain_of_its_model_ends_too_late(
    drive: Drive, seed: int
) -> None:
    rng = random.Random(seed)
    names = ["cpu", "gpu", "npu"]
    table = random_table(
        rng, "m", rng.randint(1, 4), processors=names, move_us=rng.choice([0, 70, 400])
    )
    busy_us = {name: {(0, 0): rng.randint(1, 3000)} for name in ("cpu", "gpu")}
    busy = make_table("busy", busy_us, processors=names)
    driver = drive(busy, table, processors=names, options=options(at_arrival=True))
    for name in ("cpu", "gpu"):
        if rng.random() < 0.7:
            driver.request("busy", processor=name)
    waits = [0, 0, 0]
    for task in driver.running.values():
        waits[task.processor] = task.predicted_us
    pin = rng.choice([-1, -1, 0])
    best_us = min(chain_ends_us(table, waits, pin))
    processor = None if pin < 0 else names[pin]
    late = driver.request("m", deadline_us=best_us - 1, processor=processor)
    assert dropped(driver, late) == DropReason.DEADLINE_UNREACHABLE
    in_time = driver.request("m", deadline_us=best_us, processor=processor)
    assert in_time not in driver.ended


@pytest.mark.parametrize("policy", ["shortest_expected_latency", "round_robin"])
def test_jobs_in_front_delay_whoever_comes_behind(drive: Drive, policy: str) -> None:
    driver = drive(
        whole("m", cpu=10), processors=["cpu"], policy=policy, options=options(at_arrival=True)
    )
    for _ in range(3):
        driver.request("m")
    assert dropped(driver, driver.request("m", deadline_us=39)) == "deadline_unreachable"
    assert driver.request("m", deadline_us=40) not in driver.ended
    assert driver.request("m", deadline_us=20, priority=1) not in driver.ended, "a better class"
    assert dropped(driver, driver.request("m", deadline_us=25, priority=1)), "behind its equal"


def test_the_queue_is_counted_only_if_asked_for(drive: Drive) -> None:
    settings = options(at_arrival=True, count_queue=False)
    driver = drive(whole("m", cpu=10), processors=["cpu"], options=settings)
    for _ in range(3):
        driver.request("m")
    assert dropped(driver, driver.request("m", deadline_us=19)) == "deadline_unreachable"
    assert driver.request("m", deadline_us=20) not in driver.ended


def test_jobs_in_front_spread_over_processors_that_are_alike(drive: Drive) -> None:
    names = ["cpu0", "cpu1", "cpu2"]
    table = make_table("m", {name: {(0, 0): 10} for name in names}, processors=names)
    driver = drive(table, processors=names, options=options(at_arrival=True))
    for _ in range(5):  # three run, two wait: a sixth is done at 20, a seventh at 30
        driver.request("m")
    assert dropped(driver, driver.request("m", deadline_us=19)) == "deadline_unreachable"
    assert driver.request("m", deadline_us=20) not in driver.ended
    assert dropped(driver, driver.request("m", deadline_us=29)) == "deadline_unreachable"


def test_the_rest_of_a_running_job_is_in_front_of_a_later_one(drive: Drive) -> None:
    split = make_table("split", {"cpu": {(0, 0): 10, (1, 1): 7}}, processors=["cpu"])
    other = make_table("m", {"cpu": {(0, 0): 5}}, processors=["cpu"])
    driver = drive(split, other, processors=["cpu"], options=options(at_arrival=True))
    driver.request("split")
    assert dropped(driver, driver.request("m", deadline_us=21)) == "deadline_unreachable"
    assert driver.request("m", deadline_us=22) not in driver.ended
    assert driver.request("m", deadline_us=15, priority=1) not in driver.ended


def test_a_job_with_two_running_branches_is_in_front_once(drive: Drive) -> None:
    names = ["cpu", "gpu"]
    costs = {"cpu": {(0, 0): 100, (1, 1): 100, (3, 3): 100}, "gpu": {(2, 2): 100}}
    diamond = make_table("diamond", costs, processors=names, dependencies=(0, 1, 1, 0b110))
    other = make_table("m", {"cpu": {(0, 0): 50}}, processors=names)
    for given in ({"at_arrival": True}, {"while_waiting": True}):
        driver = drive(diamond, other, processors=names, options=options(**given))
        driver.request("diamond")
        driver.now_us = 100
        driver.finish(0)
        assert len(driver.running) == 2
        late = driver.request("m", deadline_us=349)
        in_time = driver.request("m", deadline_us=350)  # branch to 200, join to 300, then this one
        driver.now_us = 150
        driver.request("m")
        assert dropped(driver, late) == "deadline_unreachable"
        assert in_time not in driver.ended


def test_the_margin_takes_the_95th_percentile_of_the_jobs_own_plan(drive: Drive) -> None:
    for margin in Margin:
        driver = drive(whole("m", cpu=1000), options=options(at_arrival=True, margin=margin))
        driver.request("m")
        driver.finish(0, run_us=1040)  # the mean is 1004, the 95th percentile 1048
        late = driver.request("m", deadline_us=1047)
        assert (late in driver.ended) is (margin is Margin.P95)
        if margin is Margin.P95:
            assert driver.request("m", deadline_us=1048) not in driver.ended


def test_a_waiting_job_is_dropped_once_it_cannot_make_its_deadline_any_more(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10), processors=["cpu"], options=options(while_waiting=True))
    driver.request("m")
    job = driver.request("m", deadline_us=25)
    assert job not in driver.ended
    urgent = driver.request("m", priority=1)
    assert dropped(driver, job) == DropReason.DEADLINE_UNREACHABLE
    driver.finish_all()
    assert [t.jobs[0] for t in driver.started] == [0, urgent]


def test_hopeless_jobs_do_not_delay_the_ones_behind_them(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10), processors=["cpu"], options=options(while_waiting=True))
    driver.request("m")
    hopeless = [driver.request("m", deadline_us=15) for _ in range(3)]
    fine = driver.request("m", deadline_us=20)
    assert {dropped(driver, job) for job in hopeless} == {"deadline_unreachable"}
    driver.finish_all()
    assert driver.ended[fine].outcome is JobOutcome.COMPLETED


def test_a_job_is_dropped_at_a_boundary_but_never_while_a_task_of_it_runs(drive: Drive) -> None:
    split = make_table("split", {"cpu": {(0, 0): 10, (1, 1): 10}}, processors=["cpu"])
    driver = drive(split, processors=["cpu"], options=options(while_waiting=True))
    job = driver.request("split", deadline_us=25)
    driver.now_us = 20
    driver.request("split")
    assert job not in driver.ended, "late as it is, it runs"
    driver.finish(0)
    assert dropped(driver, job) == DropReason.DEADLINE_UNREACHABLE


DIAMOND = make_table(
    "diamond",
    {name: {(0, 0): 10, (1, 1): 30, (2, 2): 30, (3, 3): 10} for name in ("cpu", "gpu")},
    processors=["cpu", "gpu"],
    dependencies=[0, 0b0001, 0b0001, 0b0110],
)


def test_a_model_with_branches_is_not_refused_for_what_they_can_do_side_by_side(
    drive: Drive,
) -> None:
    """One after another its units take 80 us; two at a time 50, and never less than 40."""
    driver = drive(DIAMOND, processors=["cpu", "gpu"], options=options(at_arrival=True))
    assert dropped(driver, driver.request("diamond", deadline_us=39)) == "deadline_unreachable"
    job = driver.request("diamond", deadline_us=50)
    for task, now_us in ((0, 10), (1, 40), (2, 40), (3, 50)):
        driver.now_us = now_us
        driver.finish(task)
    assert driver.ended[job] == Finish(job, JobOutcome.COMPLETED, "")
    pinned = driver.request("diamond", deadline_us=129, processor="cpu")
    assert dropped(driver, pinned) == "deadline_unreachable", "one processor runs one at a time"


def test_an_app_has_no_more_requests_in_the_system_than_its_quota(drive: Drive) -> None:
    settings = options(quotas={"greedy": 2}, default_quota=3)
    driver = drive(whole("m", cpu=10), processors=["cpu"], options=settings)
    greedy = [driver.request("m", app="greedy") for _ in range(3)]
    assert dropped(driver, greedy[2]) == DropReason.QUOTA
    others = [driver.request("m", app=app) for app in ("x", "y", "", "", "", "")]
    assert [job for job in others if job in driver.ended] == [others[-1]], "no name is one app"
    driver.finish(0)
    assert driver.request("m", app="greedy") not in driver.ended, "one has left"
    driver.send(Cancelled(greedy[1]))
    assert driver.request("m", app="greedy") not in driver.ended, "and another one"
    assert dropped(driver, driver.request("m", app="greedy")) == DropReason.QUOTA


def test_a_model_and_a_stream_have_queues_of_their_own(drive: Drive) -> None:
    settings = options(model_queue_limits={"m": 2}, stream_queue_limits={"s": 1})
    driver = drive(whole("m", cpu=10), whole("n", cpu=10), processors=["cpu"], options=settings)
    driver.request("n")
    waiting = [driver.request("m", stream=stream) for stream in ("s", "s", "t", "t")]
    assert [job in driver.ended for job in waiting] == [False, True, False, True]
    assert dropped(driver, waiting[1]) == dropped(driver, waiting[3]) == DropReason.QUEUE_FULL
    assert dropped(driver, driver.request("n", stream="s")) == DropReason.QUEUE_FULL
    assert driver.request("n", stream="t") not in driver.ended
    driver.finish(0)
    assert driver.request("m", stream="s") not in driver.ended, "what runs does not wait"


def frames(driver: CoreDriver, *numbers: int | None, **more: object) -> list[int]:
    return [
        driver.request("m", stream="s", frame=n, supersede=True, **more)  # type: ignore[arg-type]
        for n in numbers
    ]


def test_a_new_frame_takes_the_place_of_the_older_ones_that_have_not_started(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10), whole("n", cpu=10), processors=["cpu"])
    other = [
        driver.request("m", stream="s", frame=0, app="another"),
        driver.request("m", stream="t", frame=0),
        driver.request("n", stream="s", frame=0),
    ]
    first, second, third = frames(driver, 0, 1, 2)
    assert driver.ended == {
        job: Finish(job, JobOutcome.DROPPED, DropReason.SUPERSEDED) for job in (first, second)
    }
    driver.finish_all()
    assert {driver.ended[job].outcome for job in (third, *other)} == {JobOutcome.COMPLETED}


def test_copies_of_a_frame_and_newer_ones_stay(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10), processors=["cpu"])
    driver.request("m")
    newer, copy, older = frames(driver, 5, 5, 4)
    assert not driver.ended, "neither a copy of the same frame nor a late older one is newer"
    (newest,) = frames(driver, 6)
    assert sorted(driver.ended) == [newer, copy, older]
    assert newest not in driver.ended


def test_without_frame_numbers_what_came_earlier_is_older(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10), processors=["cpu"])
    driver.request("m")
    first, second = frames(driver, None, None)
    assert list(driver.ended) == [first]
    plain = driver.request("m", stream="s", frame=9)
    assert second not in driver.ended, "it does not ask for it"
    frames(driver, 10)
    assert sorted(driver.ended) == [first, second, plain]


def test_a_frame_that_has_started_is_not_superseded(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10), processors=["cpu"])
    frames(driver, 0, 1)
    assert not driver.ended


def test_superseded_jobs_leave_their_place_to_the_newer_one(drive: Drive) -> None:
    settings = options(
        quotas={"app": 2}, model_queue_limits={"m": 1}, stream_queue_limits={"s": 1},
        at_arrival=True,
    )  # fmt: skip
    driver = drive(whole("m", cpu=10), processors=["cpu"], options=settings)
    driver.request("m")
    for number in range(5):
        (last,) = frames(driver, number, app="app", deadline_us=20)  # the one before counts not
    assert sorted(driver.ended) == [1, 2, 3, 4]
    assert {dropped(driver, job) for job in driver.ended} == {"superseded"}
    (late,) = frames(driver, 9, app="app", deadline_us=19)
    assert dropped(driver, late) == "deadline_unreachable"
    assert last not in driver.ended, "who is refused takes nobody's place"


def test_refusals_that_name_no_model_come_first(drive: Drive) -> None:
    driver = drive(whole("m", cpu=10), options=options(default_quota=0))
    assert dropped(driver, driver.request("other")) == DropReason.NO_PROCESSOR
    assert dropped(driver, driver.request("m", expires_us=0)) == DropReason.DEADLINE_PASSED
    assert dropped(driver, driver.request("m")) == DropReason.QUOTA


def overload(table: PlanTable, names: Sequence[str], policy: str, **admission: object) -> SimRun:
    """Play a second at twice what the device can do, each request due 30 ms after its arrival."""
    gap_us = Kernel(table).k_best(1)[0].latency_us / len(names) / 2
    rng = random.Random(5)
    arrivals: list[tuple[int, RequestArrived]] = []
    at_us = 0.0
    while at_us < 1e6:
        at_us += rng.expovariate(1 / gap_us)
        due_us = round(at_us) + 30_000
        arrivals.append((round(at_us), RequestArrived(len(arrivals), "m", deadline_us=due_us)))
    return simulate(
        device=make_device(names),
        models=[ModelAdded(table)],
        policy=PolicySwapped(policy, ""),
        make_policy=make_policy,
        source=FixedArrivals(arrivals),
        options=options(**admission),
    )


def outcome_counts(run: SimRun) -> Counter[str]:
    """Return how many requests ended in time, late or dropped."""
    return Counter(
        "dropped" if r.outcome != JobOutcome.COMPLETED
        else "late" if r.finished_us > (r.deadline_us or 0) else "in time"
        for r in run.requests
    )  # fmt: skip


@pytest.mark.parametrize("when", ["at_arrival", "while_waiting"])
def test_what_one_processor_lets_in_it_finishes_in_time_and_sheds_the_rest(when: str) -> None:
    table = make_table("m", {"cpu": {(0, 0): 1500, (1, 1): 1000}}, processors=["cpu"])
    without = outcome_counts(overload(table, ["cpu"], "round_robin"))
    shed = outcome_counts(overload(table, ["cpu"], "round_robin", **{when: True}))
    assert without["late"] > 0.8 * without.total()
    assert shed["late"] == 0
    assert shed["in time"] >= 1_000_000 // 2500, "as many as the processor can do"


def test_on_several_processors_hardly_anything_that_was_let_in_is_late() -> None:
    names = ["cpu", "gpu", "npu"]
    table = random_table(random.Random(11), "m", 3, processors=names, move_us=30)
    policy = "shortest_expected_latency"
    without = outcome_counts(overload(table, names, policy))
    both = {"at_arrival": True, "while_waiting": True}
    shed = outcome_counts(overload(table, names, policy, **both))
    assert without["late"] > 0.8 * without.total()
    assert shed["late"] < 0.02 * shed.total()
    assert shed["in time"] > 10 * without["in time"]
