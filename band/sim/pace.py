"""When tasks end whose speed changes while they run.

The speed of a processor depends on which others run (contention), so it is constant between two
starts or ends of tasks. Work is counted in picoseconds of undisturbed time and speed in
picoseconds per microsecond, both integers: what is left of a task at any such moment is exact,
and so is the microsecond in which it ends. Heat moves in minutes, tasks take milliseconds: its
factor is that of the start of the task.
"""

from math import ceil
from typing import NamedTuple

from band.device.profile import Device
from band.sim.contention import FULL_SPEED, Speeds
from band.sim.thermal import Heat


class Due(NamedTuple):
    """When a task ends as far as is known now.

    Attributes:
        task: its number.
        at_us: its end.
        run_us: the time it takes without transfers, up to that end.
        transfer_us: the time before that.
    """

    task: int
    at_us: int
    run_us: int
    transfer_us: int


class _Running:
    """A task on a processor.

    Attributes:
        starts_us: when its inputs are there.
        left_ps: undisturbed work that was left at ``since_us``.
    """

    __slots__ = (
        "due_us", "left_ps", "processor", "since_us", "speed", "starts_us", "task", "transfer_us",
    )  # fmt: skip

    def __init__(
        self, task: int, processor: int, now_us: int, transfer_us: int, run_us: int
    ) -> None:
        self.task = task
        self.processor = processor
        self.transfer_us = transfer_us
        self.starts_us = self.since_us = now_us + transfer_us
        self.left_ps = run_us * FULL_SPEED
        self.speed = 0
        self.due_us = -1

    def advance(self, now_us: int) -> None:
        """Do the work of the time since it was last looked at."""
        if now_us > self.since_us:
            self.left_ps -= (now_us - self.since_us) * self.speed
            self.since_us = now_us


class Pace:
    """The tasks that run on a device, and when each ends.

    Args:
        device: its contention and its thermal zones.
    """

    def __init__(self, device: Device) -> None:
        self._speeds = Speeds(device.contention)
        self._heat = Heat(device.thermal)
        self._tasks: dict[int, _Running] = {}
        self._running = 0

    def start(
        self, task: int, processor: int, now_us: int, *, transfer_us: int, run_us: int
    ) -> list[Due]:
        """Start a task; return the end of each task, this one included, whose end is new.

        Args:
            task: its number.
            processor: free until now.
            now_us: time of its dispatch.
            transfer_us: for its inputs; always takes that long.
            run_us: that it would take undisturbed and cool.
        """
        run_us = ceil(run_us * self._heat.slowdown(processor, now_us))
        self._heat.started(processor, now_us)
        self._running |= 1 << processor
        self._tasks[task] = _Running(task, processor, now_us, transfer_us, run_us)
        return self._changed(now_us)

    def ends(self, task: int, at_us: int) -> bool:
        """Return whether a task really ends then: it may have been slowed or sped up since."""
        running = self._tasks.get(task)
        return running is not None and running.due_us == at_us

    def end(self, task: int, now_us: int) -> list[Due]:
        """End a task; return the end of each other task whose end is new."""
        ended = self._tasks.pop(task)
        self._heat.stopped(ended.processor, now_us)
        self._running &= ~(1 << ended.processor)
        return self._changed(now_us)

    def _changed(self, now_us: int) -> list[Due]:
        changed: list[Due] = []
        for running in self._tasks.values():
            speed = self._speeds.of(running.processor, self._running)
            if speed != running.speed:
                running.advance(now_us)
                running.speed = speed
                due_us = running.since_us - -running.left_ps // speed
                if due_us != running.due_us:
                    running.due_us = due_us
                    run_us = due_us - running.starts_us
                    changed.append(Due(running.task, due_us, run_us, running.transfer_us))
        return changed


def pace_of(device: Device) -> Pace | None:
    """Return the pace of a device, None where every task goes on at one speed."""
    return Pace(device) if device.contention or device.thermal else None
