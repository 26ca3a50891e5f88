"""What runs into reserved slots is counted to the microsecond."""

import random

import pytest

from band.metrics.records import TaskRecord
from band.scheduler.events import ModelAdded, PolicySwapped, RequestArrived
from band.scheduler.loader import make_policy
from band.scheduler.options import CoreOptions, Reservation
from band.sim.intrusions import Intrusions, count_intrusions
from band.sim.simulator import SimRun, simulate
from band.testing.arrivals import FixedArrivals
from band.testing.tables import make_device, make_table


def task(start_us: int, end_us: int, *, processor: str = "gpu", job: int = 0) -> TaskRecord:
    return TaskRecord(
        0, (job,), "m", 1, processor, start_us, end_us, 0, end_us - start_us, 1, True, "simulated"
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(30))
def test_each_microsecond_in_a_slot_counts(seed: int) -> None:
    rng = random.Random(seed)
    period_us = rng.randint(3, 20)
    slot = Reservation(
        processor="gpu", period_us=period_us, length_us=rng.randint(1, period_us - 1),
        offset_us=rng.randint(0, 30),
    )  # fmt: skip
    start_us = rng.randint(0, 60)
    end_us = start_us + rng.randint(1, 60)
    inside_us = sum(
        us >= slot.offset_us and (us - slot.offset_us) % period_us < slot.length_us
        for us in range(start_us, end_us)
    )
    found = count_intrusions([task(start_us, end_us)], {}, [slot])
    assert found == Intrusions(int(inside_us > 0), inside_us)


def test_other_processors_and_the_owner_do_not_intrude() -> None:
    slots = [Reservation(processor="gpu", period_us=10, length_us=5, app="ar")]
    tasks = [task(0, 5, processor="cpu"), task(0, 5, job=1), task(0, 5, job=2)]
    assert count_intrusions(tasks, {1: "ar", 2: "other"}, slots) == Intrusions(1, 5)


def play(noise_sigma: float) -> SimRun:
    names = ["cpu", "gpu"]
    table = make_table("m", {"cpu": {(0, 0): 9000}, "gpu": {(0, 0): 3000}}, processors=names)
    return simulate(
        device=make_device(names, noise_sigma=noise_sigma),
        models=[ModelAdded(table)],
        policy=PolicySwapped("shortest_expected_latency", ""),
        make_policy=make_policy,
        source=FixedArrivals([(4000 * n, RequestArrived(n, "m")) for n in range(500)]),
        options=CoreOptions(
            reservations=(Reservation(processor="gpu", period_us=16_667, length_us=4000),)
        ),
        seed=3,
    )


def test_exact_latencies_keep_out_and_noisy_ones_are_counted() -> None:
    assert play(0.0).intrusions == Intrusions(0, 0)
    noisy = play(0.2).intrusions
    assert noisy is not None
    assert 5 < noisy.tasks < 250
    assert noisy.intruded_us < 1000 * noisy.tasks
