"""Heat: a first-order model of thermal zones, and the throttling that follows from it."""

from bisect import bisect_right
from collections.abc import Sequence
from math import exp

from band.device.dynamics import ThermalZone
from band.units import US_PER_S


class Heat:
    """The heat of the zones of a device as its processors start and stop.

    Between two such moments the sum of the heating of what runs does not change, so the
    differential equation of the zone has an exact solution there.

    Args:
        zones: of the device; a processor is in one at most.
    """

    def __init__(self, zones: Sequence[ThermalZone]) -> None:
        self._zones: dict[int, _Zone] = {}
        for zone in zones:
            shared = _Zone(zone)
            self._zones.update({p: shared for p, _ in zone.heating})

    def slowdown(self, processor: int, now_us: int) -> float:
        """Return how many times as long a task takes that starts now; 1 outside of all zones."""
        zone = self._zones.get(processor)
        return 1.0 if zone is None else zone.slowdown(now_us)

    def started(self, processor: int, now_us: int) -> None:
        """Note that a processor runs from now on."""
        if processor in self._zones:
            self._zones[processor].turn(processor, now_us, on=True)

    def stopped(self, processor: int, now_us: int) -> None:
        """Note that a processor does not run any more."""
        if processor in self._zones:
            self._zones[processor].turn(processor, now_us, on=False)


class _Zone:
    def __init__(self, zone: ThermalZone) -> None:
        self._heating = dict(zone.heating)
        self._constant_us = zone.time_constant_s * US_PER_S
        self._heats = [heat for heat, _ in zone.slowdown]
        self._factors = [factor for _, factor in zone.slowdown]
        self._running: set[int] = set()
        self._heat = 0.0
        self._since_us = 0

    def turn(self, processor: int, now_us: int, *, on: bool) -> None:
        self._advance(now_us)
        (self._running.add if on else self._running.discard)(processor)

    def slowdown(self, now_us: int) -> float:
        self._advance(now_us)
        place = bisect_right(self._heats, self._heat)
        if place == 0:
            return self._factors[0]
        if place == len(self._heats):
            return self._factors[-1]
        cold, hot = self._heats[place - 1 : place + 1]
        fast, slow = self._factors[place - 1 : place + 1]
        return fast + (slow - fast) * (self._heat - cold) / (hot - cold)

    def _advance(self, now_us: int) -> None:
        # In the order of the file, so that the sum is the same to the last bit in every run.
        target = sum(heat for p, heat in self._heating.items() if p in self._running)
        left = exp((self._since_us - now_us) / self._constant_us)
        self._heat = target + (self._heat - target) * left
        self._since_us = now_us
