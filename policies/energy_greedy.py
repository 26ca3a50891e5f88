"""Energy greedy: each model takes the most frugal idle processor.

Formula:
    Models take turns by name (class first): the first job of each, then the second of each, ...
    Each takes the idle processor with the least energy for a run of all its remaining units,
    ties to the lower index; it waits only while every processor that runs it whole is busy, never
    for a better one. A job that no processor runs whole follows its best plan on idle processors.
    Energy is ``energy_uj`` of the span. Where a table tells none (0) for one of the processors that
    run the job whole, energies cannot be compared: it goes by latency, and is counted.

Parameters:
    window: jobs looked at, 1 or more, default 16.

Good for batteries under light load. Bad for deadlines: the frugal processor is often the slow one.

Source: XRBench, MLSys 2023 (EnergyGreedy), on correct dependencies and arrivals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from band.plan.table import Span
from band.scheduler.policy import Decision, Dispatch, PolicyInfo
from band.scheduler.rules_placing import greedy, heads_first, tells_energy
from band.scheduler.view import View


@dataclass(frozen=True)
class Params:
    """Parameters: ``window`` jobs are looked at."""

    window: int = 16


class EnergyGreedy:
    """Gives each model the idle processor that takes least energy."""

    info: ClassVar = PolicyInfo(
        name="energy_greedy",
        summary="each model takes the idle processor that needs least energy",
        source="XRBench, MLSys 2023",
    )

    def __init__(self, params: Params) -> None:
        self.params = params
        self._by_latency = 0

    def plan(self, view: View) -> Sequence[Decision]:
        """Return the dispatches of one pass."""
        jobs = heads_first(view.window)
        blind = {job.job for job in jobs if not tells_energy(view, job)}
        decisions = greedy(view, jobs, _worth, fallback=blind)
        tasks = [s for d in decisions if isinstance(d, Dispatch) for s in d.tasks]
        self._by_latency += sum(spec.jobs[0] in blind for spec in tasks)
        return decisions

    def statistics(self) -> Mapping[str, float]:
        """Return how many tasks were placed by latency, since the table told no energy."""
        return {"placed_by_latency": self._by_latency}


def _worth(span: Span) -> int:
    return span.energy_uj
