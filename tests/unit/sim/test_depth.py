"""Noise, contention and heat in whole runs: off unless declared, seen by the core only as time."""

from dataclasses import replace
from itertools import pairwise

import pytest

from band.device.dynamics import Contention, CoRunners, Gamma, Spikes, ThermalZone
from band.device.profile import Device
from band.plan.table import PlanTable
from band.scheduler.commands import Command, JobOutcome
from band.scheduler.events import Event, ModelAdded, RequestArrived, TaskFinished
from band.scheduler.loader import make_policy, policy_swapped
from band.sim.simulator import SimRun, simulate
from band.testing.arrivals import FixedArrivals, periodic
from band.testing.tables import make_device, make_table, whole

TABLES = (
    make_table("a", {"cpu": {(0, 0): 900, (1, 1): 700}, "gpu": {(0, 0): 300}}, move_us=50),
    make_table("b", {"cpu": {(0, 0): 1500}, "npu": {(0, 0): 400}}),
    make_table("c", {"gpu": {(0, 0): 600, (0, 1): 900}, "cpu": {(1, 1): 500}}, move_us=20),
)
RATES_PER_S = {"a": 200.0, "b": 300.0, "c": 250.0}
NO_SLOWDOWN = CoRunners(shares=((0, 0.0), (1, 0.0), (3, 0.0)))
EACH_A_QUARTER = CoRunners(shares=((0, 0.25), (1, 0.25), (3, 0.25)))
COOL = ThermalZone(heating=((0, 1.0), (1, 1.0)), time_constant_s=0.1, slowdown=((0.0, 1.0),))
HOT = ThermalZone(
    heating=((0, 1.0), (1, 1.0), (3, 1.0)), time_constant_s=0.2, slowdown=((0.3, 1.0), (0.6, 2.0))
)


class Inbox:
    """Keeps every event with its commands."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, Event, tuple[Command, ...]]] = []

    def record(self, now_us: int, event: Event, commands: object) -> None:
        assert isinstance(commands, list | tuple)
        self.calls.append((now_us, event, tuple(commands)))


def play(
    device: Device,
    *tables: PlanTable,
    source: FixedArrivals | None = None,
    seed: int = 3,
    recorder: Inbox | None = None,
) -> SimRun:
    return simulate(
        device=device,
        models=[ModelAdded(table) for table in tables or TABLES],
        policy=policy_swapped("shortest_expected_latency"),
        make_policy=make_policy,
        source=source or periodic(RATES_PER_S, 1.0),
        seed=seed,
        recorder=recorder,
    )


def noisy(*contention: Contention, thermal: tuple[ThermalZone, ...] = ()) -> Device:
    return replace(make_device(), noise_sigma=0.2, contention=contention, thermal=thermal)


@pytest.mark.parametrize(
    "harmless", [noisy(NO_SLOWDOWN), noisy(thermal=(COOL,)), noisy(NO_SLOWDOWN, thermal=(COOL,))]
)
def test_what_slows_nothing_changes_nothing(harmless: Device) -> None:
    plain, same = Inbox(), Inbox()
    assert play(noisy(), recorder=plain) == play(harmless, recorder=same)
    assert plain.calls == same.calls


@pytest.mark.parametrize("slow", [noisy(EACH_A_QUARTER), noisy(thermal=(HOT,))])
def test_the_same_seed_gives_the_same_run_and_another_seed_another(slow: Device) -> None:
    first = play(slow)
    assert first == play(slow)
    assert first != play(slow, seed=4)
    assert {r.outcome for r in first.requests} == {JobOutcome.COMPLETED}


def test_two_tasks_that_run_together_slow_each_other_for_just_that_time() -> None:
    tables = whole("a", cpu=100), whole("b", gpu=400)
    source = FixedArrivals([(0, RequestArrived(0, "a")), (0, RequestArrived(1, "b"))])
    device = replace(make_device(), contention=(CoRunners(shares=((0, 1.0), (1, 0.5))),))
    run = play(device, *tables, source=source)
    on_cpu, on_gpu = run.tasks
    assert (on_cpu.run_us, on_cpu.finished_us) == (200, 200)
    # In 200 us it does 133.3 of its 400, then goes on alone.
    assert (on_gpu.run_us, on_gpu.finished_us) == (467, 467)
    assert (on_cpu.predicted_us, on_gpu.predicted_us) == (100, 400)


def test_contention_slows_tasks_and_a_processor_runs_one_at_a_time() -> None:
    plain, slow = play(noisy()), play(noisy(EACH_A_QUARTER))
    assert sum(t.run_us for t in slow.tasks) > 1.05 * sum(t.run_us for t in plain.tasks)
    for processor in ("cpu", "gpu", "npu"):
        tasks = sorted(
            (t.dispatched_us, t.finished_us) for t in slow.tasks if t.processor == processor
        )
        assert tasks
        for (_, finished_us), (dispatched_us, _) in pairwise(tasks):
            assert finished_us <= dispatched_us
    for task in slow.tasks:
        assert task.finished_us - task.dispatched_us == task.transfer_us + task.run_us


def test_a_device_under_load_grows_hot_and_its_tasks_take_longer() -> None:
    tables = (whole("m", cpu=900),)
    device = replace(make_device(), thermal=(HOT,))
    run = play(device, *tables, source=periodic({"m": 1000.0}, 1.0))
    times_us = [task.run_us for task in run.tasks]
    assert times_us[0] == 900
    assert times_us == sorted(times_us)  # it works without a break, so it only grows hotter
    assert times_us[-1] == 1800


def test_the_core_learns_a_changed_speed_from_the_tasks_that_finish() -> None:
    inbox = Inbox()
    device = replace(make_device(), thermal=(HOT,))
    tables = (whole("m", cpu=900),)
    run = play(device, *tables, source=periodic({"m": 500.0}, 3.0), recorder=inbox)
    finished = [event for _, event, _ in inbox.calls if isinstance(event, TaskFinished)]
    assert [event.run_us for event in finished] == [task.run_us for task in run.tasks]
    assert run.tasks[0].predicted_us == 900
    assert run.tasks[-1].predicted_us == pytest.approx(run.tasks[-1].run_us, rel=0.1)
    assert run.tasks[-1].run_us > 1200


def test_noise_of_one_processor_changes_no_time_of_another() -> None:
    def with_noise(sigma_of_gpu: float) -> Device:
        device = replace(make_device(), noise_sigma=0.2)
        cpu, gpu, *others = device.processors
        spikes = Spikes(probability=0.1, factor=4.0, sigma=sigma_of_gpu)
        gpu = replace(gpu, noise=spikes)
        return replace(device, processors=(replace(cpu, noise=Gamma(cv=0.2)), gpu, *others))

    def times_us(device: Device, processor: str) -> list[int]:
        tables = whole("a", cpu=1000), whole("b", gpu=1000)
        run = play(device, *tables, source=periodic({"a": 100.0, "b": 100.0}, 1.0))
        return [task.run_us for task in run.tasks if task.processor == processor]

    calm, wild = with_noise(0.0), with_noise(0.4)
    assert times_us(calm, "cpu") == times_us(wild, "cpu")
    assert len(set(times_us(calm, "cpu"))) > 50
    assert set(times_us(calm, "gpu")) == {1000, 4000}
    assert times_us(calm, "gpu") != times_us(wild, "gpu")
