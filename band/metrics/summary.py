"""The summary of one run: one object of the list ``runs`` in a replay document."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from band.metrics.energy import Energy, energy
from band.metrics.fairness import Fairness, fairness
from band.metrics.figures import Figures, figures
from band.metrics.records import RequestRecord
from band.metrics.runs import RunLabel, RunRecords
from band.scheduler.commands import JobOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorLoad:
    """Share of the run that a processor was busy, the tasks it ran, and what it took."""

    utilisation: float
    tasks: int
    energy_uj: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """All figures of one run.

    Attributes:
        duration_us: from the start of the trace to its end or the last finish, the later of both.
        models: figures per model, by name.
        processors: load per processor, in the order of the device.
        capacity_bound: the limit that no policy can pass, as JSON; None if it is not known.
        capacity_share: how much of the limit the completed requests amount to; None without it.
        slo_bound: the highest SLO satisfaction under any policy; None without deadlines, or if
            it is not known.
        energy_uj: what the processors took; None if the power of one that ran is not known.
        fairness: None if it is not known what a model takes alone.
        reports: what must be known to read the figures, each a sentence.
        wall: wall-clock figures, if they were asked for.
    """

    label: RunLabel
    duration_us: int
    total: Figures
    models: Mapping[str, Figures]
    processors: Mapping[str, ProcessorLoad]
    capacity_bound: Mapping[str, Any] | None = None
    capacity_share: float | None = None
    slo_bound: float | None = None
    energy_uj: int | None = None
    fairness: Fairness | None = None
    reports: tuple[str, ...] = ()
    wall: Mapping[str, float] | None = None

    @property
    def slo_share(self) -> float | None:
        """Return the SLO satisfaction as a share of its bound; None where that is 0 or unknown."""
        met = self.total.slo_satisfaction
        return None if met is None or not self.slo_bound else met / self.slo_bound

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
                name: {
                    "utilisation": round(load.utilisation, 6),
                    "tasks": load.tasks,
                    "energy_uj": load.energy_uj,
                }
                for name, load in self.processors.items()
            },
            "split_requests": split,
            "energy_uj": self.energy_uj,
            "capacity_bound": None if self.capacity_bound is None else dict(self.capacity_bound),
            "capacity_share": _rounded(self.capacity_share),
            "slo_bound": _rounded(self.slo_bound),
            "slo_share": _rounded(self.slo_share),
            "fairness": None if self.fairness is None else self.fairness.to_json(),
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
    total = figures(run.requests, sent=sum(sent.values()), duration_us=duration_us)
    spent = energy(run.tasks, run.power, duration_us)
    return RunSummary(
        label=run.label,
        duration_us=duration_us,
        total=total,
        models={
            name: figures(by_model[name], sent=count, duration_us=duration_us)
            for name, count in sorted(sent.items())
        },
        processors=_loads(run, duration_us, spent),
        capacity_bound=run.capacity_bound,
        capacity_share=_capacity_share(run, duration_us),
        slo_bound=_slo_bound(run),
        energy_uj=spent.total_uj,
        fairness=fairness(run.requests, run.alone, duration_us=duration_us, energy_uj=spent.models)
        if run.alone
        else None,
        reports=run.reports,
        wall=run.wall,
    )


def _capacity_share(run: RunRecords, duration_us: int) -> float | None:
    """Return the completed requests at the prices of the bound: 1 is as much as can be done."""
    if run.capacity_bound is None:
        return None
    priced_us: Mapping[str, float] = run.capacity_bound["priced_us"]
    done = Counter(r.model for r in run.requests if r.outcome == JobOutcome.COMPLETED)
    return sum(count * priced_us[model] for model, count in sorted(done.items())) / duration_us


def _slo_bound(run: RunRecords) -> float | None:
    due = sum(r.deadline_us is not None for r in run.requests)
    return run.on_time_bound / due if due and run.on_time_bound is not None else None


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 6)


def _loads(run: RunRecords, duration_us: int, spent: Energy) -> dict[str, ProcessorLoad]:
    busy_us = dict.fromkeys(run.processors, 0)
    count = dict.fromkeys(run.processors, 0)
    for task in run.tasks:
        # A task that outlives every request (its jobs were cancelled) counts up to the end.
        end_us = min(task.finished_us, duration_us)
        busy_us[task.processor] += max(0, end_us - task.dispatched_us)
        count[task.processor] += 1
    return {
        name: ProcessorLoad(
            utilisation=busy_us[name] / duration_us,
            tasks=count[name],
            energy_uj=spent.processors.get(name),
        )
        for name in run.processors
    }
