"""Slices come while memory is free and go for others, and no accepted job notices."""

from collections.abc import Callable
from dataclasses import replace

from band.plan.table import PlanTable
from band.plan.task import SliceKey
from band.scheduler.commands import Command, DropReason, Evict, JobOutcome, Load, WakeAt
from band.scheduler.events import (
    ModelAdded,
    ModelRemoved,
    SliceBudget,
    SliceEvicted,
    SliceLoaded,
    Tick,
    WorkerDown,
    WorkerUp,
)
from band.scheduler.options import CoreOptions
from band.scheduler.slice_books import span_id
from band.testing.core_driver import CoreDriver
from band.testing.tables import Costs, make_table

Drive = Callable[..., CoreDriver]

QUIET_US = CoreOptions().load_quiet_us
PAUSE_US = CoreOptions().load_pause_us
CPU, GPU, DSP, NPU = range(4)


def sized(model: str, costs: Costs, size: int = 1000, version: int = 1) -> PlanTable:
    """Return a table whose slices take so many bytes per unit."""
    table = make_table(model, costs, version=version)
    spans = (s._replace(load_bytes=size * (1 + s.last - s.first)) for s in table.spans)
    return replace(table, spans=tuple(spans))


def pair(name: str) -> PlanTable:
    """Return a model that is best split over gpu and cpu, and runs whole on the cpu."""
    return sized(name, {"cpu": {(0, 1): 60, (1, 1): 30}, "gpu": {(0, 0): 20}})


PLAN = ((0, 0, GPU), (1, 1, CPU))
WHOLE = (0, 1, CPU)


def moves(commands: list[Command]) -> list[Load | Evict]:
    return [command for command in commands if isinstance(command, Load | Evict)]


def answer(driver: CoreDriver, command: Load | Evict, size: int = 1000) -> list[Load | Evict]:
    """Carry out a command as a driver does; return what the core asks for next."""
    if isinstance(command, Evict):
        return moves(driver.send(SliceEvicted(command.slice, command.processor)))
    return moves(driver.send(SliceLoaded(command.slice, command.processor, size)))


def settle(driver: CoreDriver, asked: list[Load | Evict]) -> list[Load | Evict]:
    """Carry out all that is asked for, however long the core waits; return it in order."""
    found: list[Load | Evict] = []
    for _ in range(40):
        if not asked:
            driver.now_us += QUIET_US
            asked = moves(driver.send(Tick()))
            if not asked:
                return found
        found += asked
        asked = [more for command in asked for more in answer(driver, command)]
    raise AssertionError(found)


def place(command: Load | Evict) -> tuple[str, int, int, int]:
    return (command.slice.model, *span_id(command.slice.units, command.processor))


def test_without_a_budget_nothing_is_loaded_or_evicted(drive: Drive) -> None:
    driver = drive()
    driver.send(ModelAdded(pair("m"), PLAN))
    driver.now_us += 10 * QUIET_US
    assert driver.send(Tick()) == []
    assert driver.send(SliceLoaded(SliceKey("m", 3), CPU, 10**12)) == []
    assert driver.core.status().slices_limit_bytes is None


def test_the_plan_for_a_busy_processor_is_loaded_after_a_quiet_moment(drive: Drive) -> None:
    driver = drive()
    driver.now_us = 5
    asked = driver.send(ModelAdded(pair("m"), PLAN, slices_bytes=10_000))
    assert asked == [WakeAt(5 + QUIET_US)]
    driver.now_us += QUIET_US
    asked = driver.send(Tick())
    assert moves(asked) == [Load(SliceKey("m", 3), CPU)]
    assert driver.core.status().slices_bytes == 4000, "what is being loaded counts"
    assert driver.request("m") == 0
    assert driver.started[-1].slice.units == 1, "nothing runs before it is loaded"
    assert answer(driver, Load(SliceKey("m", 3), CPU), 2500) == []
    driver.request("m")
    assert driver.started[-1].slice.units == 3, "the gpu is busy"
    status = driver.core.status()
    assert (status.slices, status.slices_bytes, status.loads) == (3, 4500, 1)
    driver.finish_all()


def test_every_set_of_busy_processors_gets_its_plan_small_sets_first(drive: Drive) -> None:
    costs = {"cpu": {(0, 0): 90}, "gpu": {(0, 0): 50}, "dsp": {(0, 0): 40}, "npu": {(0, 0): 10}}
    driver = drive()
    driver.send(ModelAdded(sized("m", costs), ((0, 0, NPU),), slices_bytes=10_000))
    assert [place(c)[3] for c in settle(driver, [])] == [DSP, GPU, CPU]


def test_a_measured_cost_comes_with_the_slice(drive: Drive) -> None:
    driver = drive()
    driver.send(ModelAdded(pair("m"), PLAN, slices_bytes=10_000))
    driver.send(SliceLoaded(SliceKey("m", 3), CPU, 1000, cost_us=7))
    driver.request("m")
    assert driver.started[-1].predicted_us == 7


def test_under_requests_that_never_pause_loads_keep_their_distance(drive: Drive) -> None:
    costs = {"cpu": {(0, 0): 90}, "gpu": {(0, 0): 50}, "dsp": {(0, 0): 40}}
    driver = drive()
    driver.send(ModelAdded(sized("m", costs), ((0, 0, CPU),), slices_bytes=10_000))
    driver.request("m")
    driver.now_us += QUIET_US + 1
    assert not moves(driver.send(Tick())), "a request is under way"
    driver.now_us = PAUSE_US
    (load,) = moves(driver.send(Tick()))
    assert place(load)[3] == DSP
    driver.now_us += 50_000
    assert answer(driver, load) == []
    driver.now_us += 19 * 50_000 - 1  # a load may take 5 % of the time
    assert not moves(driver.send(Tick()))
    driver.now_us += 1
    assert [place(c)[3] for c in moves(driver.send(Tick()))] == [GPU]
    driver.finish_all()


def test_a_busy_processor_is_left_alone(drive: Drive) -> None:
    driver = drive()
    table = sized("m", {"cpu": {(0, 0): 50}})
    driver.send(ModelAdded(table, slices_bytes=10_000))
    driver.send(ModelAdded(sized("n", {"cpu": {(0, 0): 5}, "gpu": {(0, 0): 9}}), ((0, 0, GPU),)))
    driver.request("m")
    driver.now_us += 10 * PAUSE_US
    assert not moves(driver.send(Tick()))
    assert [place(c) for c in moves(driver.finish(0))] == [("n", 0, 0, CPU)]


def test_a_smaller_budget_evicts_the_longest_idle_and_keeps_a_complete_plan(drive: Drive) -> None:
    driver = drive(options=CoreOptions(background_loads=False))
    for name in ("old", "new"):
        driver.now_us += 1000
        driver.send(ModelAdded(pair(name), slices_bytes=100_000))
    driver.now_us += 1000
    driver.request("new")
    driver.finish_all()
    asked = driver.send(SliceBudget(7_000))
    assert [place(c)[0] for c in moves(asked)] == ["old"]
    for command in moves(asked):
        answer(driver, command)
    driver.now_us += PAUSE_US
    for command in moves(driver.send(SliceBudget(0))):
        answer(driver, command)
    status = driver.core.status()
    assert 0 < status.slices_bytes <= 4_000
    for name in ("old", "new"):
        driver.request(name)
    driver.finish_all()
    assert [f.outcome for f in driver.ended.values()] == [JobOutcome.COMPLETED] * 3


def test_what_no_best_plan_needs_goes_before_what_one_needs(drive: Drive) -> None:
    useless = sized("m", {"cpu": {(0, 0): 10, (1, 1): 10, (0, 1): 12}, "gpu": {(0, 1): 90}})
    driver = drive(options=CoreOptions(background_loads=False))
    driver.now_us = 1000
    driver.send(ModelAdded(useless, slices_bytes=100_000))
    driver.now_us = 9000
    asked = moves(driver.send(SliceBudget(4_000)))
    assert {place(c)[1:] for c in asked} == {(0, 0, CPU), (1, 1, CPU)}


def test_a_slice_with_a_task_and_what_a_job_still_needs_stay(drive: Drive) -> None:
    table = sized("m", {"cpu": {(0, 0): 10, (1, 1): 10, (0, 1): 500}, "gpu": {(0, 1): 600}})
    driver = drive(options=CoreOptions(background_loads=False))
    driver.send(ModelAdded(table, slices_bytes=100_000))
    job = driver.request("m")
    assert driver.started[0].slice.units == 1
    gone = {place(c)[1:] for c in moves(driver.send(SliceBudget(0)))}
    assert gone == {(0, 1, CPU), (0, 1, GPU)}, "a task runs on unit 0, the job needs unit 1"
    driver.finish_all()
    assert driver.ended[job].outcome is JobOutcome.COMPLETED


def test_a_job_planned_on_a_slice_that_goes_takes_another_at_its_next_boundary(
    drive: Drive,
) -> None:
    table = sized("m", {"cpu": {(0, 0): 10, (1, 1): 80}, "gpu": {(1, 1): 20}})
    driver = drive(options=CoreOptions(background_loads=False))
    driver.send(ModelAdded(table, slices_bytes=100_000))
    job = driver.request("m")
    (gone,) = moves(driver.send(SliceBudget(2_000)))
    kept = {CPU, GPU} - {place(gone)[3]}
    driver.finish_all()
    assert {driver.started[-1].processor} == kept
    assert driver.ended[job].outcome is JobOutcome.COMPLETED


def test_a_stateful_model_stays_as_it_is(drive: Drive) -> None:
    driver = drive()
    driver.send(ModelAdded(pair("m"), PLAN, fixed=True, slices_bytes=100_000))
    assert settle(driver, []) == []
    assert moves(driver.send(SliceBudget(0))) == []
    assert driver.core.reclaimable_bytes(driver.now_us) == 0


def test_the_slices_of_a_removed_model_go_the_running_one_after_its_task(drive: Drive) -> None:
    driver = drive()
    driver.send(ModelAdded(pair("m"), slices_bytes=100_000))
    job = driver.request("m")
    asked = moves(driver.send(ModelRemoved("m")))
    assert sorted(place(c)[1:] for c in asked) == [(0, 1, CPU), (1, 1, CPU)]
    assert driver.core.status().slices_bytes == 4000, "they are still there"
    asked += moves(driver.finish(0))
    assert driver.ended[job].reason is DropReason.NO_PROCESSOR
    assert {place(c)[1:] for c in asked} == {(0, 0, GPU), (0, 1, CPU), (1, 1, CPU)}
    for command in asked:
        assert answer(driver, command) == []
    assert driver.core.status().slices_bytes == 0


def test_a_slice_that_loads_for_nobody_is_evicted_at_once(drive: Drive) -> None:
    driver = drive()
    driver.send(ModelAdded(pair("m"), PLAN, slices_bytes=100_000))
    driver.now_us += QUIET_US
    (load,) = moves(driver.send(Tick()))
    for command in moves(driver.send(ModelRemoved("m"))):
        answer(driver, command)
    assert answer(driver, load, 777) == [Evict(load.slice, load.processor)]
    assert driver.core.status().slices_bytes == 777


def test_what_does_not_load_is_asked_for_again_only_when_its_processor_is_back(
    drive: Drive,
) -> None:
    driver = drive()
    driver.send(ModelAdded(pair("m"), PLAN, slices_bytes=100_000))
    driver.now_us += QUIET_US
    (load,) = moves(driver.send(Tick()))
    driver.send(SliceEvicted(load.slice, load.processor))
    assert settle(driver, []) == []
    driver.send(WorkerDown(CPU, "gone"))
    driver.send(WorkerUp(CPU, "cpu", "cpu", 1 << 30))
    assert load in settle(driver, [])


def test_a_model_that_lost_its_processor_gets_another_plan_at_once(drive: Drive) -> None:
    other = sized("other", {"cpu": {(0, 0): 5}, "gpu": {(0, 0): 4}})
    driver = drive(options=CoreOptions(background_loads=False))
    driver.send(ModelAdded(other, slices_bytes=5_000))
    driver.send(ModelAdded(pair("m"), PLAN))
    asked = moves(driver.send(WorkerDown(GPU, "gone")))
    assert [type(c) for c in asked] == [Evict], "room is made first"
    assert place(asked[0])[0] == "other"
    done = settle(driver, asked)
    assert Load(SliceKey("m", 3), CPU) in done
    driver.request("m")
    driver.finish_all()
    assert driver.ended[0].outcome is JobOutcome.COMPLETED


def test_a_pinned_request_makes_its_processor_wanted(drive: Drive) -> None:
    table = sized("m", {"cpu": {(0, 0): 10}, "gpu": {(0, 0): 10}, "npu": {(0, 0): 10}})
    driver = drive()
    driver.send(ModelAdded(table, ((0, 0, CPU),), slices_bytes=2_000))
    driver.request("m", processor="npu")
    assert driver.ended[0].reason is DropReason.NO_PROCESSOR
    asked = settle(driver, [])
    assert len(asked) == 1, "there is room for one more"
    driver.send(SliceBudget(100_000))
    asked += settle(driver, [])
    assert {place(c)[3] for c in asked} == {GPU, NPU}
    driver.request("m", processor="npu")
    driver.finish_all()
    assert driver.ended[1].outcome is JobOutcome.COMPLETED


def test_background_loads_evict_only_what_nobody_needs(drive: Drive) -> None:
    full = sized("full", {"cpu": {(0, 0): 10}, "gpu": {(0, 0): 5}})
    driver = drive()
    driver.send(ModelAdded(full, slices_bytes=3_500))
    driver.send(ModelAdded(pair("m"), ((0, 1, CPU),)))
    assert settle(driver, []) == [], "the slices of the other are needed when one is busy"
    useless = sized("full", {"cpu": {(0, 0): 10}, "gpu": {(0, 0): 10_000_000}}, version=2)
    driver.send(ModelAdded(useless, ((0, 0, CPU), (0, 0, GPU))))
    assert settle(driver, []) == [], "it is needed when the cpu is busy"


def test_what_can_be_reclaimed_is_what_is_then_evicted(drive: Drive) -> None:
    driver = drive(options=CoreOptions(background_loads=False))
    for name in ("a", "b"):
        driver.send(ModelAdded(pair(name), slices_bytes=100_000))
    driver.now_us += 1000
    promised = driver.core.reclaimable_bytes(driver.now_us)
    before = driver.core.status().slices_bytes
    for command in moves(driver.send(SliceBudget(before - promised))):
        answer(driver, command)
    assert promised > 0
    assert driver.core.status().slices_bytes == before - promised
