"""Records that simulator and engine both produce; every metric is computed from these."""

from typing import NamedTuple


class TaskRecord(NamedTuple):
    """One run of one slice. Times are device time in microseconds.

    Attributes:
        units: mask of the units it ran.
        word: "emulated", "simulated" or "software", else "".
        overrun_us: how much longer the real computation took than the emulated profile allows.
    """

    task: int
    jobs: tuple[int, ...]
    model: str
    units: int
    processor: str
    dispatched_us: int
    finished_us: int
    transfer_us: int
    run_us: int
    predicted_us: int
    ok: bool
    word: str
    overrun_us: int = 0


class RequestRecord(NamedTuple):
    """One request from arrival to its end.

    Attributes:
        queue_us: arrival to the first dispatch; None if it never ran.
        outcome: a JobOutcome.
        reason: drop reason or failure text, else "".
        tasks: ids of its tasks in order of dispatch.
        processors: name of the processor of each task.
    """

    request: int
    model: str
    stream: str
    frame: int | None
    parents: tuple[int, ...]
    priority: int
    arrived_us: int
    deadline_us: int | None
    queue_us: int | None
    finished_us: int
    outcome: str
    reason: str
    tasks: tuple[int, ...]
    processors: tuple[str, ...]

    @property
    def latency_us(self) -> int:
        """Return the time from arrival to the end."""
        return self.finished_us - self.arrived_us

    @property
    def on_time(self) -> bool:
        """Return whether it completed within its deadline (or completed and has none)."""
        return self.outcome == "completed" and (
            self.deadline_us is None or self.finished_us <= self.deadline_us
        )

    @property
    def split(self) -> bool:
        """Return whether it ran as at least two slices on at least two processors."""
        return len(self.tasks) >= 2 and len(set(self.processors)) >= 2
