"""Tasks whose speed changes while they run: exact, and equal to a calculation with fractions."""

import random
from fractions import Fraction
from math import ceil, exp

import pytest

from band.device.dynamics import (
    BandwidthShare,
    Contention,
    CoRunners,
    SharedBandwidth,
    ThermalZone,
)
from band.device.profile import Device
from band.sim.contention import FULL_SPEED, Speeds
from band.sim.pace import Due, Pace, pace_of
from band.sim.thermal import Heat
from band.testing.devices import make_device, make_processor

HALF = CoRunners(shares=((0, 1.0), (1, 0.25), (2, 0.0)))
MEMORY = SharedBandwidth(
    bytes_per_s=10e9,
    members=(
        BandwidthShare(processor=0, bytes_per_s=6e9, memory_bound=1.0),
        BandwidthShare(processor=1, bytes_per_s=9e9, memory_bound=0.5),
        BandwidthShare(processor=2, bytes_per_s=1e9, memory_bound=0.0),
    ),
)
ZONE = ThermalZone(
    heating=((0, 1.0), (1, 1.0)), time_constant_s=100.0, slowdown=((0.5, 1.0), (0.75, 3.0))
)


def device(*contention: Contention, thermal: tuple[ThermalZone, ...] = ()) -> Device:
    made = make_device(*(make_processor(name) for name in ("cpu", "gpu", "npu")))
    return Device(
        name=made.name,
        version=made.version,
        description=made.description,
        processors=made.processors,
        contention=contention,
        thermal=thermal,
    )


def speed(factor: float) -> int:
    return round(FULL_SPEED / factor)


@pytest.mark.parametrize(
    ("group", "processor", "running", "factor"),
    [
        (HALF, 0, 0b001, 1.0),
        (HALF, 0, 0b011, 2.0),
        (HALF, 0, 0b111, 3.0),
        (HALF, 0, 0b1001, 1.0),  # processor 3 is none of the group
        (HALF, 1, 0b111, 1.5),
        (HALF, 2, 0b111, 1.0),
        (HALF, 3, 0b1111, 1.0),
        (MEMORY, 0, 0b001, 1.0),
        (MEMORY, 0, 0b101, 1.0),  # 7 of 10 GB/s
        (MEMORY, 0, 0b011, 1.5),
        (MEMORY, 1, 0b011, 1.25),
        (MEMORY, 2, 0b111, 1.0),
        (MEMORY, 0, 0b111, 1.6),
        (MEMORY, 3, 0b1111, 1.0),
    ],
)
def test_a_group_slows_its_members_as_the_page_says(
    group: Contention, processor: int, running: int, factor: float
) -> None:
    assert Speeds([group]).of(processor, running) == speed(factor)


def test_the_slowdowns_of_several_groups_multiply() -> None:
    assert Speeds([HALF, MEMORY]).of(0, 0b011) == speed(2.0 * 1.5)


def test_a_task_is_slowed_from_the_microsecond_when_another_starts() -> None:
    pace = Pace(device(HALF))
    assert pace.start(7, 0, 100, transfer_us=10, run_us=50) == [Due(7, 160, 50, 10)]
    # 20 us of 50 are done; at half speed the other 30 take 60.
    assert pace.start(8, 1, 130, transfer_us=0, run_us=100) == [
        Due(7, 190, 80, 10),
        Due(8, 255, 125, 0),
    ]
    assert not pace.ends(7, 160)
    assert pace.ends(7, 190)
    # 48 of 100 us are done at 4/5 of the speed; the rest takes its own time.
    assert pace.end(7, 190) == [Due(8, 242, 112, 0)]
    assert not pace.ends(7, 190)
    assert not pace.ends(8, 255)
    assert pace.ends(8, 242)
    assert pace.end(8, 242) == []


def test_a_transfer_is_not_slowed_but_slows_others() -> None:
    pace = Pace(device(HALF))
    pace.start(1, 1, 0, transfer_us=0, run_us=100)
    # Until 40 it fetches, then it runs at half speed until the other one ends at 125.
    assert pace.start(2, 0, 0, transfer_us=40, run_us=60) == [
        Due(1, 125, 125, 0),
        Due(2, 160, 120, 40),
    ]
    assert pace.end(1, 125) == [Due(2, 143, 103, 40)]  # 42.5 of 60 us are done


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_starts_and_ends_equals_a_calculation_with_fractions(seed: int) -> None:
    g = random.Random(seed)
    groups = (HALF, MEMORY)
    pace, speeds = Pace(device(*groups)), Speeds(groups)
    free, dues = {0, 1, 2}, dict[int, Due]()
    tasks: dict[int, tuple[int, int]] = {}  # number -> (processor, when its inputs are there)
    left: dict[int, Fraction] = {}
    now_us = number = 0
    for _ in range(200):
        first = min(dues.values(), key=lambda due: due.at_us, default=None)
        next_us = now_us + g.randint(0, 60)
        ending = first is not None and (first.at_us <= next_us or not free)
        next_us = first.at_us if ending and first is not None else next_us
        running = sum(1 << p for p, _ in tasks.values())
        for task, (processor, ready_us) in tasks.items():
            spent = max(0, next_us - max(now_us, ready_us))
            left[task] -= Fraction(spent * speeds.of(processor, running), FULL_SPEED)
        now_us = next_us
        if ending and first is not None:
            assert pace.ends(first.task, now_us)
            assert -1 < left[first.task] <= 0  # done, and not a microsecond earlier
            changed = pace.end(first.task, now_us)
            free.add(tasks.pop(first.task)[0])
            del dues[first.task]
        else:
            number += 1
            processor = g.choice(sorted(free))
            free.remove(processor)
            transfer_us, run_us = g.choice((0, 0, 25)), g.randint(1, 150)
            tasks[number] = processor, now_us + transfer_us
            left[number] = Fraction(run_us)
            changed = pace.start(number, processor, now_us, transfer_us=transfer_us, run_us=run_us)
        dues.update({due.task: due for due in changed})
        assert dues.keys() == tasks.keys()
        running = sum(1 << p for p, _ in tasks.values())
        for task, due in dues.items():
            processor, ready_us = tasks[task]
            rest = left[task] * FULL_SPEED / speeds.of(processor, running)
            assert due.at_us == max(now_us, ready_us) + max(0, ceil(rest))
            assert due.run_us == due.at_us - ready_us


def test_heat_follows_the_equation_and_throttles_between_the_points() -> None:
    heat = Heat([ZONE])
    assert heat.slowdown(0, 0) == 1.0
    heat.started(0, 0)
    hot = 1 - exp(-0.6)  # after 60 s of a time constant of 100 s
    assert heat.slowdown(1, 60_000_000) == 1.0  # 0.45: below the first point
    heat.started(1, 60_000_000)
    hotter = 2 + (hot - 2) * exp(-0.1)
    assert hotter == pytest.approx(0.598, abs=0.001)
    assert heat.slowdown(0, 70_000_000) == pytest.approx(1 + 2 * (hotter - 0.5) / 0.25)
    assert heat.slowdown(2, 70_000_000) == 1.0  # it is in no zone
    assert heat.slowdown(0, 400_000_000) == 3.0  # above the last point
    heat.stopped(0, 400_000_000)
    heat.stopped(1, 400_000_000)
    assert heat.slowdown(0, 900_000_000) == 1.0  # it has cooled


def test_a_task_takes_as_long_as_the_heat_at_its_start_says() -> None:
    pace = Pace(device(thermal=(ZONE,)))
    assert pace.start(1, 0, 0, transfer_us=5, run_us=300_000_000) == [
        Due(1, 300_000_005, 300_000_000, 5)
    ]
    pace.end(1, 300_000_005)
    assert pace.start(2, 1, 300_000_005, transfer_us=5, run_us=10) == [Due(2, 300_000_040, 30, 5)]


def test_a_device_that_says_nothing_has_no_pace() -> None:
    assert pace_of(device()) is None
    assert pace_of(device(HALF)) is not None
    assert pace_of(device(thermal=(ZONE,))) is not None
