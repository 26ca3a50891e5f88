"""What one replay of a trace under one policy leaves behind, whatever it ran on."""

from collections.abc import Mapping
from dataclasses import dataclass

from band.metrics.records import RequestRecord, TaskRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLabel:
    """What was run, where.

    Attributes:
        on: ``sim``, ``engine`` or the address of a daemon.
        emulated: whether the device is emulated.
        word: "simulated", "emulated" or "software" if the figures must carry that word, else "".
    """

    policy: str
    on: str
    device: str
    emulated: bool
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecords:
    """The records of one run; all times count from the start of the trace, in device time.

    Attributes:
        requests: one of each request of the trace, also of those never issued.
        tasks: one of each task.
        processors: names of all processors, in the order of the device.
        reports: replacements of the policy by the default one, each a sentence.
        wall: wall-clock figures, None if they were not asked for: they are never the same twice.
    """

    label: RunLabel
    requests: tuple[RequestRecord, ...]
    tasks: tuple[TaskRecord, ...]
    processors: tuple[str, ...]
    reports: tuple[str, ...] = ()
    wall: Mapping[str, float] | None = None
