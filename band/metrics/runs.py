"""What one replay of a trace under one policy leaves behind, whatever it ran on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from band.metrics.energy import Power
from band.metrics.fairness import Alone
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
        reports: what must be known to read the figures, each a sentence.
        replaced: the one of them that says that the core replaced the policy, so that the figures
            are not those of the policy alone; None if it did not.
        capacity_bound: the limit that no policy can pass, as JSON; None if it is not known.
        on_time_bound: how many requests can meet their deadlines at most, under any policy; None
            if it is not known.
        power: of each processor whose power is known, by name.
        alone: each model with the device to itself; empty if it is not known.
        wall: wall-clock figures, None if they were not asked for: they are never the same twice.
    """

    label: RunLabel
    requests: tuple[RequestRecord, ...]
    tasks: tuple[TaskRecord, ...]
    processors: tuple[str, ...]
    reports: tuple[str, ...] = ()
    replaced: str | None = None
    capacity_bound: Mapping[str, Any] | None = None
    on_time_bound: int | None = None
    power: Mapping[str, Power] = field(default_factory=dict)
    alone: Mapping[str, Alone] = field(default_factory=dict)
    wall: Mapping[str, float] | None = None
