"""Random workloads on a device of four processors, for judging policies against their limit.

Six models of 3 to 6 units on processors that differ: the CPU runs every unit, each other one 70 to
90 % of all units. A unit costs 1 to 4 ms on the CPU; elsewhere it is 1.5 to 6 times faster. Moving
data is free and a span costs what its units cost, so the capacity bound is as tight as it can be.
Everything is drawn from one seed, and a load is that workload at some multiple of its rates.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from band.plan.capacity import CapacityBound, capacity_bound
from band.plan.table import PlanTable
from band.scheduler.events import RequestArrived, StreamLoad
from band.testing.arrivals import FixedArrivals
from band.testing.tables import PROCESSORS, make_table
from band.units import US_PER_S

RATES_PER_S: Final = {"m0": 60.0, "m1": 60.0, "m2": 45.0, "m3": 45.0, "m4": 30.0, "m5": 30.0}
"""Requests a second of each model at scale 1."""

JITTER: Final = 0.3
"""A request is released late by up to this share of its period."""

_UNITS: Final = (3, 6)
_CPU_UNIT_US: Final = (1_000.0, 4_000.0)
_SUPPORTED: Final = (0.7, 0.9)
_SPEED_UP: Final = (1.5, 6.0)


@dataclass(frozen=True)
class Workload:
    """One random instance.

    Attributes:
        seed: what it was drawn from.
        tables: one per model of ``RATES_PER_S``.
    """

    seed: int
    tables: tuple[PlanTable, ...]

    @cached_property
    def bound(self) -> CapacityBound:
        """Return the capacity bound at scale 1: ``bound.scale`` is what no policy can sustain."""
        return capacity_bound(self.tables, RATES_PER_S)

    def arrivals(self, scale: float, seconds: float, *, declared: bool = False) -> FixedArrivals:
        """Return the requests of a load, each with its own period from its arrival as deadline.

        The same draws serve every scale, so two loads differ in nothing but their pace.

        Args:
            scale: multiple of the rates.
            seconds: requests are released, before their jitter, while less time has passed.
            declared: the driver tells the core of the streams beforehand; else it has to learn
                them from their arrivals.
        """
        found: list[tuple[int, str, int, int]] = []
        for model, rate in RATES_PER_S.items():
            rng = random.Random(f"{self.seed}/{model}")
            period_us = US_PER_S / (rate * scale)
            first_us = rng.random() * period_us
            for frame in range(_frames(first_us, period_us, seconds)):
                late_us = rng.random() * JITTER * period_us
                at_us = round(first_us + frame * period_us + late_us)
                found.append((at_us, model, frame, at_us + round(period_us)))
        found.sort()
        requests = (
            (at_us, RequestArrived(number, model, model, frame, deadline_us=deadline_us))
            for number, (at_us, model, frame, deadline_us) in enumerate(found)
        )
        streams = self.streams(scale, seconds) if declared else ()
        return FixedArrivals(requests, streams=streams)

    def streams(self, scale: float, seconds: float) -> tuple[StreamLoad, ...]:
        """Return what a driver can declare of a load beforehand: a stream per model.

        Args:
            scale: multiple of the rates.
            seconds: as for ``arrivals``.
        """
        declared = []
        for model, rate in RATES_PER_S.items():
            period_us = US_PER_S / (rate * scale)
            first_us = random.Random(f"{self.seed}/{model}").random() * period_us
            declared.append(
                StreamLoad(
                    stream=model,
                    model=model,
                    period_us=round(period_us),
                    next_us=round(first_us),
                    deadline_us=round(period_us),
                    frames=_frames(first_us, period_us, seconds),
                )
            )
        return tuple(declared)


def workload(seed: int) -> Workload:
    """Return the workload of a seed."""
    rng = random.Random(seed)
    units = {model: rng.randint(*_UNITS) for model in RATES_PER_S}
    cpu_us = {
        (model, unit): rng.uniform(*_CPU_UNIT_US)
        for model, count in units.items()
        for unit in range(count)
    }
    everything = sorted(cpu_us)
    costs_us = {PROCESSORS[0]: {at: max(1, round(us)) for at, us in cpu_us.items()}}
    fewest, most = (share * len(everything) for share in _SUPPORTED)
    low, high = _SPEED_UP
    for processor in PROCESSORS[1:]:
        supported = rng.sample(everything, rng.randint(math.ceil(fewest), math.floor(most)))
        costs_us[processor] = {
            at: max(1, round(cpu_us[at] / (low * (high / low) ** rng.random())))
            for at in sorted(supported)
        }
    tables = tuple(_table(model, count, costs_us) for model, count in units.items())
    return Workload(seed=seed, tables=tables)


def capacity_scale(tables: Sequence[PlanTable]) -> float:
    """Return the multiple of ``RATES_PER_S`` that no policy can sustain."""
    return capacity_bound(tables, RATES_PER_S).scale


def _frames(first_us: float, period_us: float, seconds: float) -> int:
    """Return how many releases begin in the first ``seconds``."""
    return max(0, math.ceil((seconds * US_PER_S - first_us) / period_us))


def _table(
    model: str, unit_count: int, costs_us: dict[str, dict[tuple[str, int], int]]
) -> PlanTable:
    """Return a table of all contiguous runs of supported units; costs add up."""
    spans: dict[str, dict[tuple[int, int], int]] = {}
    for processor, unit_us in costs_us.items():
        found = spans[processor] = {}
        for first in range(unit_count):
            total_us = 0
            for last in range(first, unit_count):
                if (model, last) not in unit_us:
                    break
                total_us += unit_us[model, last]
                found[first, last] = total_us
    return make_table(model, spans)
