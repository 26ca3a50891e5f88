"""The simulator: exact on small cases, deterministic for a seed, every request accounted for."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import pytest

from band.device.profile import Device
from band.metrics.records import RequestRecord
from band.plan.table import PlanTable
from band.scheduler.commands import Command, DropReason, JobOutcome, Load, WakeAt
from band.scheduler.events import (
    Event,
    ModelAdded,
    PolicySwapped,
    RequestArrived,
    TaskFinished,
    Tick,
    WorkerUp,
)
from band.scheduler.loader import make_policy, policy_swapped
from band.scheduler.options import CoreOptions
from band.sim.simulator import SimRun, simulate
from band.testing.arrivals import FixedArrivals, periodic
from band.testing.tables import make_device, make_table, whole

SPLIT = make_table(
    "split", {"cpu": {(0, 0): 100, (1, 1): 50}, "gpu": {(0, 0): 30, (1, 1): 900}}, move_us=7
)


class Recorded:
    """Keeps what the recorder is given."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, Event, tuple[Command, ...]]] = []

    def record(self, now_us: int, event: Event, commands: Sequence[Command]) -> None:
        self.calls.append((now_us, event, tuple(commands)))


def play(
    source: FixedArrivals,
    *tables: PlanTable,
    device: Device | None = None,
    policy: str = "shortest_expected_latency",
    options: CoreOptions | None = None,
    seed: int = 0,
    recorder: Recorded | None = None,
) -> SimRun:
    return simulate(
        device=device or make_device(),
        models=[ModelAdded(table) for table in tables],
        policy=policy_swapped(policy),
        make_policy=make_policy,
        source=source,
        options=options,
        seed=seed,
        recorder=recorder,
    )


def by_request(run: SimRun) -> dict[int, RequestRecord]:
    return {record.request: record for record in run.requests}


def test_times_are_exact_to_the_microsecond() -> None:
    run = play(FixedArrivals([(1000, RequestArrived(0, "split", deadline_us=1100))]), SPLIT)
    first, second = run.tasks
    assert (first.processor, first.dispatched_us, first.finished_us) == ("gpu", 1000, 1030)
    assert (second.processor, second.dispatched_us, second.finished_us) == ("cpu", 1030, 1087)
    assert (second.transfer_us, second.run_us, second.predicted_us) == (7, 50, 57)
    (request,) = run.requests
    assert (request.latency_us, request.queue_us, request.on_time, request.split) == (
        87, 0, True, True,
    )  # fmt: skip
    assert (request.tasks, request.processors) == ((0, 1), ("gpu", "cpu"))
    assert run.duration_us == 1087


def test_every_task_carries_the_word_simulated() -> None:
    run = play(periodic({"split": 100.0}, 0.1), SPLIT)
    assert {task.word for task in run.tasks} == {"simulated"}


def test_a_request_that_waits_shows_its_queue_time() -> None:
    arrivals = [(at_us, RequestArrived(n, "m")) for n, at_us in enumerate((0, 10))]
    run = play(FixedArrivals(arrivals), whole("m", cpu=100))
    assert by_request(run)[1].queue_us == 90


def test_jobs_that_wait_when_the_trace_ends_run_to_completion() -> None:
    arrivals = [(0, RequestArrived(n, "m")) for n in range(50)]
    run = play(FixedArrivals(arrivals), whole("m", cpu=100))
    assert {r.outcome for r in run.requests} == {JobOutcome.COMPLETED}
    assert run.duration_us == 5000


def test_the_inbox_is_self_contained_and_in_order() -> None:
    recorder = Recorded()
    device = make_device(["cpu", "gpu"])
    play(periodic({"m": 100.0}, 0.05), whole_on_two(), device=device, recorder=recorder)
    kinds = [type(event) for _, event, _ in recorder.calls]
    assert kinds[:5] == [PolicySwapped, WorkerUp, WorkerUp, ModelAdded, RequestArrived]
    assert kinds.count(TaskFinished) == kinds.count(RequestArrived) == 5
    times = [now_us for now_us, _, _ in recorder.calls]
    assert times == sorted(times)
    assert times[0] == 0


def whole_on_two() -> PlanTable:
    return make_table("m", {"cpu": {(0, 0): 90}, "gpu": {(0, 0): 40}}, processors=["cpu", "gpu"])


def test_a_processor_that_is_not_available_does_nothing() -> None:
    device = make_device(["cpu", "gpu"])
    cpu, gpu = device.processors
    device = replace(device, processors=(cpu, replace(gpu, available=False)))
    run = play(periodic({"m": 10.0}, 1.0), whole_on_two(), device=device)
    assert {task.processor for task in run.tasks} == {"cpu"}


def test_ticks_come_when_they_were_asked_for() -> None:
    recorder = Recorded()
    arrivals = [
        (0, RequestArrived(0, "m")),
        (5, RequestArrived(1, "m", expires_us=60)),
    ]
    run = play(FixedArrivals(arrivals), whole("m", cpu=100), recorder=recorder)
    assert (5, WakeAt(60)) in [(now, c) for now, _, commands in recorder.calls for c in commands]
    assert (60, Tick()) in [(now, event) for now, event, _ in recorder.calls]
    assert by_request(run)[1].reason == DropReason.DEADLINE_PASSED
    assert by_request(run)[1].finished_us == 60


def test_children_arrive_when_their_parent_completes() -> None:
    children = {0: (RequestArrived(1, "m", parents=(0,)), RequestArrived(2, "m", parents=(0,)))}
    source = FixedArrivals([(100, RequestArrived(0, "m"))], children)
    run = play(source, whole("m", cpu=30))
    assert [(r.request, r.arrived_us, r.finished_us) for r in run.requests] == [
        (0, 100, 130), (1, 130, 160), (2, 130, 190),
    ]  # fmt: skip
    assert by_request(run)[2].parents == (0,)


def test_children_of_a_dropped_parent_do_not_arrive() -> None:
    source = FixedArrivals([(0, RequestArrived(0, "gone"))], {0: (RequestArrived(1, "m"),)})
    run = play(source, whole("m", cpu=30))
    assert [(r.request, r.outcome, r.reason) for r in run.requests] == [
        (0, "dropped", "no_processor")
    ]
    assert run.requests[0].queue_us is None


def test_noise_is_log_normal_around_the_prediction() -> None:
    device = make_device(["cpu"], noise_sigma=0.1)
    table = make_table("m", {"cpu": {(0, 0): 1000}}, processors=["cpu"])
    run = play(periodic({"m": 100.0}, 5.0), table, device=device, policy="fixed_worker")
    times = sorted(task.run_us for task in run.tasks)
    assert median(times) == pytest.approx(1000, rel=0.02)
    assert times[int(0.8413 * len(times))] == pytest.approx(1000 * 1.105, rel=0.03)
    assert all(t.finished_us - t.dispatched_us == t.run_us + t.transfer_us for t in run.tasks)


def test_what_the_core_learns_does_not_change_how_long_tasks_take() -> None:
    """A spell of slow runs raises the predictions; if tasks followed those, times would drift."""
    device = make_device(["cpu"], noise_sigma=0.5)
    table = make_table("m", {"cpu": {(0, 0): 1000}}, processors=["cpu"])
    run = play(periodic({"m": 100.0}, 40.0), table, device=device, policy="fixed_worker")
    assert len({task.predicted_us for task in run.tasks}) > 10, "the core has learnt"
    halves = run.tasks[:2000], run.tasks[2000:]
    for half in halves:
        assert median(task.run_us for task in half) == pytest.approx(1000, rel=0.06)


def test_noise_never_makes_a_run_shorter_than_a_microsecond() -> None:
    device = make_device(["cpu"], noise_sigma=3.0)
    table = make_table("m", {"cpu": {(0, 0): 1}}, processors=["cpu"])
    run = play(periodic({"m": 1000.0}, 0.3), table, device=device)
    assert min(task.run_us for task in run.tasks) == 1


def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    def run(seed: int) -> SimRun:
        source = periodic({"split": 3000.0, "m": 2000.0}, 0.2, slo_us=2000)
        tables = SPLIT, whole("m", cpu=400, gpu=300)
        return play(source, *tables, device=make_device(noise_sigma=0.2), seed=seed)

    assert run(1) == run(1)
    assert run(1) != run(2)


@pytest.mark.parametrize("policy", ["least_slack_first", "heft", "round_robin", "fixed_worker"])
def test_every_request_is_accounted_for_under_overload(policy: str) -> None:
    source = periodic({"split": 9000.0, "m": 9000.0}, 0.1, slo_us=3000)
    run = play(
        source, SPLIT, whole("m", cpu=400), policy=policy, options=CoreOptions(queue_limit=9)
    )
    assert sorted(r.request for r in run.requests) == list(range(1800))
    ends = {(r.outcome, r.reason) for r in run.requests}
    assert ("completed", "") in ends
    assert ("dropped", "queue_full") in ends
    assert ends <= {
        ("completed", ""), ("dropped", "queue_full"), ("dropped", "deadline_unreachable"),
    }  # fmt: skip
    ran = [task for r in run.requests for task in r.tasks]
    assert sorted(ran) == [task.task for task in sorted(run.tasks)]


def test_slices_come_and_go_as_in_an_engine_and_the_same_each_time() -> None:
    costs = {"cpu": {(0, 0): 900}, "gpu": {(0, 0): 700}, "dsp": {(0, 0): 600}}
    tables = [
        replace(table, spans=tuple(s._replace(load_bytes=1000) for s in table.spans))
        for table in (make_table("a", costs), make_table("b", costs))
    ]

    def run(slices_bytes: int | None) -> tuple[SimRun, Recorded]:
        recorded = Recorded()
        models = [ModelAdded(t, ((0, 0, 0),), slices_bytes=slices_bytes) for t in tables]
        simulated = simulate(
            device=make_device(noise_sigma=0.1),
            models=models,
            policy=policy_swapped("shortest_expected_latency"),
            make_policy=make_policy,
            source=periodic({"a": 700.0, "b": 500.0}, 5.0),
            seed=3,
            recorder=recorded,
        )
        return simulated, recorded

    fixed, _ = run(None)
    tight, calls = run(3_000)
    free, all_calls = run(1 << 20)
    assert (tight, calls.calls) == (run(3_000)[0], run(3_000)[1].calls)
    assert _loads(calls) == 1, "there is room for one more slice than the two"
    assert _loads(all_calls) == 4
    assert {task.processor for task in fixed.tasks} == {"cpu"}
    assert {task.processor for task in free.tasks} == {"cpu", "gpu", "dsp"}
    done = [sum(r.outcome == "completed" for r in run.requests) for run in (fixed, tight, free)]
    assert done[0] <= done[1] <= done[2]
    assert len(free.requests) == len(fixed.requests)


def _loads(recorded: Recorded) -> int:
    return sum(isinstance(command, Load) for _, _, out in recorded.calls for command in out)
