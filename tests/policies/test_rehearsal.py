"""Rehearsal's rule on single situations."""

from typing import Any

import pytest

from band.plan.table import PlanTable
from band.scheduler.commands import DropReason, JobOutcome
from band.scheduler.events import AdviceReady, StreamLoad, Tick
from band.scheduler.policy import Decision, Defer, Dispatch, Drop
from band.scheduler.strategy import ARRIVAL, EDF, SLACK, Advice, Root, Strategy, advice_for
from band.scheduler.strategy_rule import Rule
from band.scheduler.view import JobView
from band.sim.advise import plain
from band.testing.core_driver import CoreDriver
from band.testing.fixed_view import FixedView, make_job
from band.testing.tables import make_table, whole

MS = 1000
FAST = whole("fast", cpu=8 * MS, gpu=2 * MS)
SLOW = whole("slow", cpu=20 * MS, gpu=5 * MS)
CPU, GPU = 0, 1
WINDOW = 32
BUSY = (0, 3 * MS, 1 << 60, 1 << 60)
FREE = (0, 0, 1 << 60, 1 << 60)


def view(*jobs: Any, waits_us: tuple[int, ...] = FREE, now_us: int = 0) -> FixedView:
    return FixedView([FAST, SLOW], jobs, waits_us=waits_us, now_us=now_us)


def decide(strategy: Strategy, seen: FixedView, roots: tuple[Root, ...] = ()) -> list[Decision]:
    return list(Rule(Advice(strategy, roots=roots), WINDOW).decide(seen))


def started(decisions: list[Decision]) -> dict[int, int]:
    """Return the processor that each job starts on."""
    return {
        spec.jobs[0]: spec.processor
        for decision in decisions
        if isinstance(decision, Dispatch)
        for spec in decision.tasks
    }


def test_the_shortest_job_goes_first_without_an_order() -> None:
    jobs = (make_job(1, "slow", deadline_us=90 * MS), make_job(2, "fast", deadline_us=90 * MS))
    assert started(decide(Strategy(), view(*jobs))) == {2: GPU}, "the other waits for the gpu"


def test_the_order_of_a_strategy_decides_who_goes_first() -> None:
    jobs = (make_job(1, "fast", deadline_us=90 * MS), make_job(2, "slow", deadline_us=80 * MS))
    assert started(decide(Strategy(order=("slow", "fast")), view(*jobs))) == {2: GPU}
    assert started(decide(Strategy(mode=EDF), view(*jobs)))[2] == GPU
    assert started(decide(Strategy(mode=SLACK), view(*jobs)))[2] == GPU
    assert started(decide(Strategy(mode=ARRIVAL), view(*jobs)))[1] == GPU


def test_a_reserved_processor_sends_the_next_job_elsewhere() -> None:
    jobs = tuple(make_job(n, "fast", deadline_us=90 * MS) for n in (1, 2, 3))
    # The gpu is busy for 3 ms: jobs 1 and 2 reserve it (5, 7 ms), job 3 is earlier on the cpu.
    assert started(decide(Strategy(), view(*jobs, waits_us=BUSY))) == {3: CPU}


def test_a_hopeless_job_is_dropped_or_run_late_or_salvaged() -> None:
    job = make_job(1, "slow", deadline_us=4 * MS)
    (dropped,) = decide(Strategy(), view(job))
    assert dropped == Drop(1, DropReason.DEADLINE_UNREACHABLE)
    assert started(decide(Strategy(shed=False), view(job))) == {1: GPU}
    salvage = Strategy().with_salvage("slow", 1 << CPU)
    assert started(decide(salvage, view(job))) == {1: CPU}


def test_a_salvaged_job_takes_no_processor_from_one_in_time() -> None:
    jobs = (make_job(1, "slow", deadline_us=4 * MS), make_job(2, "fast", deadline_us=9 * MS))
    salvage = Strategy().with_salvage("slow", 1 << GPU)
    assert started(decide(salvage, view(*jobs))) == {2: GPU}


def test_a_mask_keeps_a_model_off_a_processor_and_none_starves_it() -> None:
    job = make_job(1, "fast", deadline_us=9 * MS)
    assert started(decide(Strategy().with_mask("fast", 1 << CPU), view(job))) == {1: CPU}
    (dropped,) = decide(Strategy().with_mask("fast", 0), view(job))
    assert isinstance(dropped, Drop)
    free = make_job(2, "fast")
    assert started(decide(Strategy().with_mask("fast", 0), view(free))) == {2: GPU}, (
        "without a deadline it would wait for ever"
    )


def test_who_never_drops_starves_nobody() -> None:
    job = make_job(1, "fast", deadline_us=9 * MS)
    starved = Strategy(shed=False).with_mask("fast", 0)
    assert started(decide(starved, view(job))) == {1: GPU}


def test_a_guard_keeps_a_processor_for_a_frame_that_is_about_to_come() -> None:
    job = make_job(1, "slow", deadline_us=90 * MS)
    root = Root("s", "fast", next_us=1 * MS, period_us=50 * MS, until_us=None, deadline_us=4 * MS)
    guard = Strategy(order=("fast", "slow"), guard=True)
    assert decide(guard, view(job), (root,)) == [Defer(1, 1 * MS)]
    assert started(decide(guard._replace(guard=False), view(job), (root,))) == {1: GPU}
    later = root._replace(next_us=6 * MS)
    assert started(decide(guard, view(job), (later,))) == {1: GPU}
    below = guard._replace(order=("slow", "fast"))
    assert started(decide(below, view(job), (root,))) == {1: GPU}, "it is less important"


def test_a_guard_no_longer_believes_in_a_stream_that_has_fallen_silent() -> None:
    root = Root("s", "fast", next_us=1 * MS, period_us=4 * MS, until_us=None, deadline_us=2 * MS)
    guard = Strategy(order=("fast", "slow"), guard=True)
    job = make_job(1, "slow", deadline_us=900 * MS)

    def starts(root: Root, job: JobView = job, window: int = WINDOW) -> list[int]:
        """Return the times at which the job would start, while nothing else comes."""
        rule = Rule(Advice(guard, roots=(root,)), window)
        return [ms for ms in range(100) if started(list(rule.decide(view(job, now_us=ms * MS))))]

    assert starts(root) == list(range(1 + 8 * 4 + 1, 100))
    assert starts(root._replace(until_us=MS * MS)) == [], "somebody said that it goes on"
    assert starts(root, window=1) == [], "its frames may wait behind those that are seen"


def test_a_guard_goes_on_as_long_as_frames_come() -> None:
    root = Root("", "fast", next_us=1 * MS, period_us=5 * MS, until_us=None, deadline_us=4 * MS)
    rule = Rule(Advice(Strategy(order=("fast", "slow"), guard=True), roots=(root,)), WINDOW)
    slow = make_job(1, "slow", deadline_us=900 * MS)
    for ms in range(1, 200, 5):
        frame = make_job(ms, "fast", deadline_us=(ms + 4) * MS)._replace(arrived_us=ms * MS)
        assert started(list(rule.decide(view(slow, frame, now_us=ms * MS)))) == {ms: GPU}
        assert not started(list(rule.decide(view(slow, now_us=(ms + 3) * MS))))


@pytest.mark.parametrize(("shed", "deadline_us"), [(True, None), (False, 90 * MS)])
def test_what_is_never_dropped_is_put_off_for_a_second_at_most(
    shed: bool, deadline_us: int | None
) -> None:
    root = Root("", "fast", 1 * MS, 5 * MS, until_us=MS * MS * MS, deadline_us=4 * MS)
    guard = Strategy(order=("fast", "slow"), guard=True, shed=shed)
    job = make_job(1, "slow", deadline_us=deadline_us)
    for now_us, starts in ((0, {}), (1000 * MS, {}), (1000 * MS + 1, {1: GPU})):
        assert started(decide(guard, view(job, now_us=now_us), (root,))) == starts


def test_jobs_put_off_for_a_stream_that_has_stopped_all_run() -> None:
    tables = (
        make_table("a", {"cpu": {(0, 0): 5 * MS}}),
        make_table("b", {"cpu": {(0, 0): 16 * MS}}),
    )
    driver = CoreDriver(*tables, policy="rehearsal", processors=("cpu",))
    root = Root("a", "a", 10 * MS, 10 * MS, until_us=None, deadline_us=10 * MS)
    strategy = Strategy(order=("a", "b"), guard=True)
    driver.send(AdviceReady("rehearsal", Advice(roots=(root,)).payload(strategy)))
    jobs = [driver.request("b") for _ in range(40)]
    for _ in range(400):
        driver.finish_all()
        driver.now_us = max(driver.now_us, driver.wakes[-1])
        driver.send(Tick())
    assert all(driver.ended[job].outcome is JobOutcome.COMPLETED for job in jobs)
    assert not driver.core.status().reports


def test_a_frugal_strategy_takes_the_least_energy_that_is_in_time() -> None:
    table = whole("fast", cpu=8 * MS, gpu=2 * MS)
    spans = tuple(s._replace(energy_uj=5 if s.processor == CPU else 9) for s in table.spans)
    table = PlanTable(**{**{n: getattr(table, n) for n in table.__slots__}, "spans": spans})

    def on(deadline_us: int) -> dict[int, int]:
        job = make_job(1, "fast", deadline_us=deadline_us)
        seen = FixedView([table], (job,), waits_us=FREE)
        return started(decide(Strategy(frugal=True), seen))

    assert on(9 * MS) == {1: CPU}
    assert on(7 * MS) == {1: GPU}


def test_a_spread_keeps_to_the_cheapest_way_at_the_prices() -> None:
    table = make_table(
        "m", {"cpu": {(0, 0): 500, (1, 1): 500, (0, 1): 1000}, "gpu": {(0, 0): 400, (1, 1): 300}}
    )
    advice = Advice(Strategy(shed=False, spread=0.0), prices=(0.3, 0.7, 0.0, 0.0))
    seen = FixedView([table], (make_job(1, "m"),), waits_us=FREE)
    assert started(list(Rule(advice, WINDOW).decide(seen))) == {1: CPU}, "150 against 280"
    plainly = Advice(Strategy(shed=False))
    assert started(list(Rule(plainly, WINDOW).decide(seen))) == {1: GPU}


def test_an_advice_survives_json() -> None:
    streams = (
        StreamLoad("s", "a", 10, 0, deadline_us=10, frames=3),
        StreamLoad("s", "b", 10, 0, deadline_us=10, parents=("a",)),
    )
    strategy = Strategy(order=("a", "b"), spread=0.1).with_mask("a", 2).with_salvage("b", 1)
    advice = advice_for(streams, (0.5, 0.5))
    assert Advice.of(plain(advice.payload(strategy))) == Advice(
        strategy, advice.children, advice.roots, advice.prices
    )
    assert advice.children == {"a": ("b",)}
