"""What ran into reserved slots all the same: a latency that varies cannot be held back in time."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from band.metrics.records import TaskRecord
from band.scheduler.options import Reservation


class Intrusions(NamedTuple):
    """Tasks that ran in a slot of another app or of nobody's.

    Attributes:
        tasks: how many.
        intruded_us: how long in such slots, all together.
    """

    tasks: int
    intruded_us: int


def count_intrusions(
    tasks: Iterable[TaskRecord], apps: Mapping[int, str], reservations: Sequence[Reservation]
) -> Intrusions:
    """Return what ran into slots.

    Args:
        tasks: of a run.
        apps: by request; requests of no app are not in it.
        reservations: the slots.
    """
    count = intruded_us = 0
    for task in tasks:
        app = apps.get(task.jobs[0], "")
        inside_us = sum(
            _inside_us(slot, task.dispatched_us, task.finished_us)
            for slot in reservations
            if slot.processor == task.processor and not (slot.app and slot.app == app)
        )
        count += inside_us > 0
        intruded_us += inside_us
    return Intrusions(count, intruded_us)


def _inside_us(slot: Reservation, start_us: int, end_us: int) -> int:
    """Return how much of a time lies in slots of one kind."""

    def before_us(at_us: int) -> int:
        whole, rest_us = divmod(max(0, at_us - slot.offset_us), slot.period_us)
        return whole * slot.length_us + min(rest_us, slot.length_us)

    return before_us(end_us) - before_us(start_us)
