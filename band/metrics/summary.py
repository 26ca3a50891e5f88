"""The summary of one run: one object of the list ``runs`` in a replay document."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from band.metrics.figures import Figures, figures
from band.metrics.records import RequestRecord
from band.metrics.runs import RunLabel, RunRecords


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorLoad:
    """Share of the run that a processor was busy, and the tasks it ran."""

    utilisation: float
    tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """All figures of one run.

    Attributes:
        duration_us: from the start of the trace to its end or the last finish, the later of both.
        models: figures per model, by name.
        processors: load per processor, in the order of the device.
        capacity_bound: the limit that no policy can pass, as JSON; None if it is not known.
        reports: what must be known to read the figures, each a sentence.
        wall: wall-clock figures, if they were asked for.
    """

    label: RunLabel
    duration_us: int
    total: Figures
    models: Mapping[str, Figures]
    processors: Mapping[str, ProcessorLoad]
    capacity_bound: Mapping[str, Any] | None = None
    reports: tuple[str, ...] = ()
    wall: Mapping[str, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the run as it stands in a replay document."""
        total = self.total.to_json()
        split = total.pop("split_requests")
        label = self.label
        return {
            "policy": label.policy,
            "on": label.on,
            "device": label.device,
            "emulated": label.emulated,
            "word": label.word,
            "duration_us": self.duration_us,
            **total,
            "models": {name: f.to_json() for name, f in self.models.items()},
            "processors": {
                name: {"utilisation": round(load.utilisation, 6), "tasks": load.tasks}
                for name, load in self.processors.items()
            },
            "split_requests": split,
            "capacity_bound": None if self.capacity_bound is None else dict(self.capacity_bound),
            "reports": list(self.reports),
            **({} if self.wall is None else {"wall": dict(self.wall)}),
        }


def summarise(run: RunRecords, *, sent: Mapping[str, int], trace_us: int) -> RunSummary:
    """Return the summary of one run.

    Args:
        run: its records.
        sent: requests sent per model, counted from the trace.
        trace_us: nominal length of the trace.

    Raises:
        BandError: INTERNAL if requests are missing or ended twice.
    """
    by_model: dict[str, list[RequestRecord]] = defaultdict(list)
    for record in run.requests:
        by_model[record.model].append(record)
    duration_us = max([1, trace_us, *(r.finished_us for r in run.requests)])
    return RunSummary(
        label=run.label,
        duration_us=duration_us,
        total=figures(run.requests, sent=sum(sent.values()), duration_us=duration_us),
        models={
            name: figures(by_model[name], sent=count, duration_us=duration_us)
            for name, count in sorted(sent.items())
        },
        processors=_loads(run, duration_us),
        capacity_bound=run.capacity_bound,
        reports=run.reports,
        wall=run.wall,
    )


def _loads(run: RunRecords, duration_us: int) -> dict[str, ProcessorLoad]:
    busy_us = dict.fromkeys(run.processors, 0)
    count = dict.fromkeys(run.processors, 0)
    for task in run.tasks:
        # A task that outlives every request (its jobs were cancelled) counts up to the end.
        end_us = min(task.finished_us, duration_us)
        busy_us[task.processor] += max(0, end_us - task.dispatched_us)
        count[task.processor] += 1
    return {
        name: ProcessorLoad(utilisation=busy_us[name] / duration_us, tasks=count[name])
        for name in run.processors
    }
