"""Contention: how fast a processor goes on while others run that share its memory."""

from collections.abc import Sequence
from typing import Final

from band.device.dynamics import Contention, CoRunners, SharedBandwidth

FULL_SPEED: Final = 1_000_000
"""Picoseconds of undisturbed work that an undisturbed processor does in a microsecond."""


class Speeds:
    """The speed of each processor for every set of processors that run.

    Args:
        groups: of the device; the slowdowns of several groups multiply.
    """

    def __init__(self, groups: Sequence[Contention]) -> None:
        self._groups = tuple(groups)
        self._known: dict[tuple[int, int], int] = {}

    def of(self, processor: int, running: int) -> int:
        """Return a speed in picoseconds of undisturbed work per microsecond, at least 1.

        Args:
            processor: that runs.
            running: mask of all processors that run, this one included.
        """
        key = processor, running
        speed = self._known.get(key)
        if speed is None:
            factor = 1.0
            for group in self._groups:
                factor *= _slowdown(group, processor, running)
            speed = self._known[key] = max(1, round(FULL_SPEED / factor))
        return speed


def _slowdown(group: Contention, processor: int, running: int) -> float:
    """Return how many times as long a processor takes because of one group; at least 1."""
    if isinstance(group, CoRunners):
        others = sum(running >> p & 1 for p, _ in group.shares if p != processor)
        return 1 + others * dict(group.shares).get(processor, 0.0)
    return _bandwidth_slowdown(group, processor, running)


def _bandwidth_slowdown(group: SharedBandwidth, processor: int, running: int) -> float:
    member = next((m for m in group.members if m.processor == processor), None)
    if member is None:
        return 1.0
    asked = sum(m.bytes_per_s for m in group.members if running >> m.processor & 1)
    excess = max(1.0, asked / group.bytes_per_s)
    return 1 - member.memory_bound + member.memory_bound * excess
