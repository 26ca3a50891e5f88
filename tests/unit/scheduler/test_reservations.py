"""Reserved slots: what would run into one is held back, and nobody is replaced for it."""

import random
from collections.abc import Callable, Sequence
from typing import ClassVar

import pytest

from band.errors import BandError, ErrorCode
from band.plan.task import SliceKey
from band.scheduler.commands import DropReason, Evict, JobOutcome
from band.scheduler.events import ModelAdded, SliceBudget, Tick
from band.scheduler.options import CoreOptions, Reservation
from band.scheduler.policy import Decision, Dispatch, PolicyInfo, TaskSpec
from band.scheduler.reservations import Reservations, Slots
from band.scheduler.view import View
from band.testing.core_driver import CoreDriver
from band.testing.tables import make_table

Drive = Callable[..., CoreDriver]
NAMES = ["cpu", "gpu"]


def slot(**fields: object) -> Reservation:
    given = {"processor": "gpu", "period_us": 100, "length_us": 20, **fields}
    return Reservation(**given)  # type: ignore[arg-type]


def options(*slots: Reservation, **more: object) -> CoreOptions:
    return CoreOptions(reservations=slots, **more)  # type: ignore[arg-type]


def table(name: str, **cost_us: int):  # type: ignore[no-untyped-def]
    return make_table(name, {p: {(0, 0): us} for p, us in cost_us.items()}, processors=NAMES)


def brute_meets(slots: Sequence[Reservation], start_us: int, end_us: int) -> int | None:
    """Return the end of the first slot that is in force at some microsecond of a time."""
    for now_us in range(start_us, end_us):
        for r in slots:
            into_us = now_us - r.offset_us
            if into_us >= 0 and into_us % r.period_us < r.length_us:
                return now_us - into_us % r.period_us + r.length_us
    return None


@pytest.mark.parametrize("seed", range(40))
def test_the_first_slot_that_a_task_meets_is_found(seed: int) -> None:
    rng = random.Random(seed)
    found = [
        slot(period_us=(period := rng.randint(5, 30)), length_us=rng.randint(1, period // 3),
             offset_us=rng.randint(0, 40))
        for _ in range(rng.randint(1, 2))
    ]  # fmt: skip
    slots = Slots(found)
    for _ in range(40):
        start_us = rng.randint(0, 200)
        predicted_us = rng.randint(1, max(1, slots.room_us))
        expected = brute_meets(found, start_us, start_us + predicted_us)
        met = slots.meets(start_us, predicted_us)
        if expected is None or len(found) == 1:
            assert met == expected
        else:  # two slots may begin at once; either end is a time to look again
            assert met is not None
            assert met > start_us


def test_the_room_is_the_longest_time_between_slots_less_a_sixteenth() -> None:
    assert Slots([slot(period_us=1000, length_us=200)]).room_us == 750
    two = [slot(period_us=1000, length_us=200), slot(period_us=1000, length_us=300, offset_us=500)]
    assert Slots(two).room_us == 300 - 18
    apart = [slot(period_us=300, length_us=30), slot(period_us=500, length_us=50, offset_us=7)]
    assert Slots(apart).room_us <= 270 - 16
    assert Slots([slot(offset_us=9000, period_us=1000, length_us=200)]).room_us == 750


def test_a_slot_is_its_owners_and_nobody_elses() -> None:
    slots = Reservations([slot(app="ar"), slot(processor="cpu", period_us=50, length_us=5)])
    assert slots.closed_to("ar", "gpu") is None
    assert slots.closed_to("other", "gpu") is slots.closed_to("", "gpu") is not None
    assert slots.closed_to("ar", "cpu") is not None
    assert slots.closed_to("ar", "npu") is None
    assert [slots.owner("gpu", us) for us in (0, 19, 20, 99, 100)] == ["ar", "ar", None, None, "ar"]
    assert slots.owner("cpu", 51) == ""


@pytest.mark.parametrize("fields", [{"length_us": 100}, {"length_us": 0}, {"offset_us": -1}])
def test_slots_that_are_none_or_leave_no_time_are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(BandError, match="longer than 0 and shorter than its period") as caught:
        slot(**fields)
    assert caught.value.code is ErrorCode.INVALID_CONFIG


@pytest.mark.parametrize("policy", ["shortest_expected_latency", "round_robin", "fixed_worker"])
def test_a_task_that_would_run_into_a_slot_starts_when_the_slot_has_ended(
    drive: Drive, policy: str
) -> None:
    driver = drive(table("m", gpu=30), policy=policy, processors=NAMES, options=options(slot()))
    driver.now_us = 80
    job = driver.request("m")
    assert not driver.started, "it would end at 110, and the next slot begins at 100"
    assert driver.wakes == [120]
    driver.now_us = 120
    driver.send(Tick())
    assert [t.jobs for t in driver.started] == [(job,)]
    assert not driver.core.status().reports


@pytest.mark.parametrize("policy", ["shortest_expected_latency", "heft", "round_robin"])
def test_what_fits_into_the_time_before_a_slot_runs_in_it(drive: Drive, policy: str) -> None:
    driver = drive(
        table("long", gpu=60), table("short", gpu=15), policy=policy, processors=NAMES,
        options=options(slot()),
    )  # fmt: skip
    driver.now_us = 70
    long, short = driver.request("long"), driver.request("short")
    assert [t.jobs for t in driver.started] == [(short,)]
    driver.now_us = 85
    driver.finish(0)
    assert len(driver.started) == 1
    driver.now_us = 120
    driver.send(Tick())
    assert [t.jobs for t in driver.started] == [(short,), (long,)]


def test_another_processor_is_taken_if_it_ends_sooner(drive: Drive) -> None:
    driver = drive(table("m", gpu=30, cpu=65), processors=NAMES, options=options(slot()))
    driver.now_us = 80
    driver.request("m")  # on the gpu from 120 to 150, on the cpu from 80 to 145
    assert [t.processor for t in driver.started] == [0]
    driver.now_us = 0
    slow = drive(table("m", gpu=30, cpu=75), processors=NAMES, options=options(slot()))
    slow.now_us = 80
    slow.request("m")
    assert not slow.started
    slow.now_us = 120
    slow.send(Tick())
    assert [t.processor for t in slow.started] == [1]


class Peeping:
    """Notes what it sees and starts the first job on the gpu, whatever that means."""

    info: ClassVar = PolicyInfo(name="peeping", summary="", source="")

    def __init__(self) -> None:
        self.seen: list[tuple[int, str | None, bool, int]] = []

    def plan(self, view: View) -> Sequence[Decision]:
        gpu = view.processors[1]
        self.seen.append((view.waits_us[1], gpu.reserved_for, gpu.idle, gpu.busy_until_us))
        job = view.window[0] if view.window else None
        if job is None or view.waits_us[1]:
            return []
        return [Dispatch((TaskSpec.of(job, view.table("m"), view.table("m").spans[0]),))]


def test_in_a_slot_the_view_shows_a_busy_processor_and_whose_it_is(drive: Drive) -> None:
    policy = Peeping()
    driver = drive(table("m", gpu=30), policy=policy, processors=NAMES, options=options(slot()))
    driver.now_us = 105
    driver.request("m")
    assert policy.seen == [(15, "", False, 120)]
    driver.now_us = 120
    driver.send(Tick())
    assert policy.seen[1] == (0, None, True, 120)


def test_a_slot_is_open_to_its_owner_while_others_wait(drive: Drive) -> None:
    policy = Peeping()
    driver = drive(
        table("m", gpu=30), policy=policy, processors=NAMES, options=options(slot(app="ar"))
    )
    driver.now_us = 90
    other = driver.request("m", app="other")
    free, taken = (0, None, True, 90), (30, None, False, 120)
    assert policy.seen == [free, taken, free], "held back, shown again, and then without the job"
    driver.now_us = 105
    mine = driver.request("m", app="ar")
    assert (0, "ar", True, 105) in policy.seen
    assert [t.jobs for t in driver.started] == [(mine,)], "the other one is hidden, not replaced"
    driver.now_us = 135
    driver.finish(0)
    assert [t.jobs for t in driver.started] == [(mine,), (other,)]
    assert not driver.core.status().reports


class Waits(Peeping):
    """Starts each job on the idle processor that is fastest by the table; knows of no slots."""

    def __init__(self) -> None:
        self.windows: list[tuple[list[int], tuple[int, ...]]] = []

    def plan(self, view: View) -> Sequence[Decision]:
        self.windows.append(([job.job for job in view.window], view.waits_us))
        idle = [processor for processor, wait_us in enumerate(view.waits_us) if not wait_us]
        tasks = []
        for job in view.window:
            spans = [s for s in view.table(job.model).spans if s.processor in idle]
            if spans:
                best = min(spans, key=lambda span: span.cost_us)
                idle.remove(best.processor)
                tasks.append(TaskSpec.of(job, view.table(job.model), best))
        return [Dispatch(tuple(tasks))] if tasks else []


GATHER = options(slot(), gather=True)


def test_a_policy_that_plans_on_waits_finds_another_processor_at_the_same_event(
    drive: Drive,
) -> None:
    policy = Waits()
    driver = drive(
        table("m", gpu=30, cpu=35), policy=policy, processors=NAMES, options=options(slot())
    )
    driver.now_us = 80
    job = driver.request("m")
    assert [(t.jobs, t.processor) for t in driver.started] == [((job,), 0)]
    assert policy.windows == [([0], (0, 0)), ([0], (0, 40))]


def test_who_is_held_back_chooses_again_before_those_behind_it(drive: Drive) -> None:
    policy = Waits()
    driver = drive(
        table("m", gpu=30, cpu=35), table("short", gpu=15, cpu=60), policy=policy,
        processors=NAMES, options=GATHER,
    )  # fmt: skip
    driver.now_us = 80
    first, second = driver.request("m"), driver.request("short")
    driver.send(Tick())
    assert [(t.jobs, t.processor) for t in driver.started] == [((first,), 0), ((second,), 1)]
    assert policy.windows == [([0, 1], (0, 0)), ([0], (0, 40)), ([1], (35, 0))]


def test_the_time_before_a_slot_is_offered_as_free_to_all_but_who_was_held_back(
    drive: Drive,
) -> None:
    policy = Waits()
    driver = drive(
        table("long", gpu=60), table("short", gpu=15, cpu=60), policy=policy,
        processors=NAMES, options=GATHER,
    )  # fmt: skip
    driver.now_us = 80
    long, short = driver.request("long"), driver.request("short")
    driver.send(Tick())
    assert [(t.jobs, t.processor) for t in driver.started] == [((short,), 1)]
    assert policy.windows == [([0, 1], (0, 0)), ([0], (0, 40)), ([1], (0, 0)), ([], (0, 15))]
    driver.now_us = 95
    driver.finish(0)
    driver.now_us = 120
    driver.send(Tick())
    assert driver.started[-1].jobs == (long,)


def test_nobody_is_shown_again_where_no_other_processor_is_idle(drive: Drive) -> None:
    policy = Waits()
    driver = drive(
        table("m", gpu=30, cpu=35), policy=policy, processors=NAMES, options=options(slot())
    )
    driver.now_us = 80
    driver.request("m")
    policy.windows.clear()
    driver.request("m")
    assert policy.windows == [([1], (35, 0)), ([], (35, 0))]


class Stubborn(Peeping):
    """Starts what it saw first, hidden or not."""

    def plan(self, view: View) -> Sequence[Decision]:
        span = view.table("m").spans[0]
        return [Dispatch((TaskSpec((0,), view.table("m").slice_key(span), 1),))]


def test_a_policy_that_insists_is_not_asked_for_ever(drive: Drive) -> None:
    driver = drive(table("m", gpu=30), policy=Stubborn(), processors=NAMES, options=options(slot()))
    driver.now_us = 80
    driver.request("m")
    assert (driver.started, driver.wakes) == ([], [120])
    driver.now_us = 120
    driver.send(Tick())
    assert len(driver.started) == 1


class Idle(Peeping):
    def plan(self, view: View) -> Sequence[Decision]:
        return []


def test_a_policy_that_never_starts_anything_is_still_replaced(drive: Drive) -> None:
    driver = drive(table("m", gpu=30), policy=Idle(), processors=NAMES, options=options(slot()))
    driver.now_us = 30
    driver.request("m")
    assert len(driver.started) == 1
    assert "waiting though every processor is idle" in driver.core.status().reason


def test_a_slice_that_fits_between_no_two_slots_is_as_if_it_were_not_there(drive: Drive) -> None:
    driver = drive(
        table("m", gpu=76, cpu=500), table("only", gpu=76), processors=NAMES,
        options=options(slot()),
    )  # fmt: skip
    driver.now_us = 20
    driver.request("m")
    assert [t.processor for t in driver.started] == [0]
    job = driver.request("only")
    assert driver.ended[job].reason == DropReason.NO_PROCESSOR
    driver.send(ModelAdded(table("fits", gpu=75)))
    driver.request("fits")
    assert [t.processor for t in driver.started] == [0, 1]


def test_what_is_loaded_in_vain_is_evicted_where_memory_counts(drive: Drive) -> None:
    driver = drive(processors=NAMES, options=options(slot()))
    driver.send(SliceBudget(1 << 20))
    commands = driver.send(ModelAdded(table("m", gpu=76, cpu=500)))
    assert [c for c in commands if isinstance(c, Evict)] == [Evict(SliceKey("m", 1), 1)]


def test_a_slice_whose_estimate_has_outgrown_the_room_starts_right_after_a_slot(
    drive: Drive,
) -> None:
    driver = drive(table("m", gpu=70), processors=NAMES, options=options(slot()))
    driver.now_us = 20
    for _ in range(3):
        job = driver.request("m")
        if not driver.running:
            assert driver.wakes[-1] == (driver.now_us // 100 + 1) * 100 + 20
            driver.now_us = driver.wakes[-1]
            driver.send(Tick())
        assert driver.ended.get(job) is None
        (task,) = driver.running.values()
        driver.now_us += 70
        driver.finish(task.id, run_us=300)
    assert driver.started[-1].predicted_us > 80
    assert driver.core.status().ended == {"completed": 3}


def test_an_option_hides_worse_classes_while_a_better_one_waits(drive: Drive) -> None:
    for strict in (False, True):
        driver = drive(
            table("m", gpu=30), table("n", cpu=30), processors=NAMES,
            options=CoreOptions(strict_classes=strict),
        )  # fmt: skip
        driver.request("m")
        driver.request("m", priority=1)
        worse = driver.request("n", priority=5)
        assert (worse in driver.running and not strict) or len(driver.running) == 2 - strict
        driver.finish(0)
        driver.finish_all()
        assert {f.outcome for f in driver.ended.values()} == {JobOutcome.COMPLETED}
        assert [t.jobs[0] for t in driver.started] == ([0, 1, 2] if strict else [0, 2, 1])
