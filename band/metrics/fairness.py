"""How evenly a run treats its models: ANTT, STP, Jain's index, UXCost.

They compare a request with the same one alone on the idle device. ``docs/metrics.md`` defines
each; the sources are Eyerman and Eeckhout, "System-level performance metrics for multiprogram
workloads" (IEEE Micro 2008) for ANTT and STP, Jain, Chiu and Hawe (DEC-TR-301, 1984) for the index
and DREAM (ASPLOS 2023) for UXCost.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from band.metrics.records import RequestRecord
from band.plan.kernel import Kernel
from band.plan.table import PlanTable
from band.scheduler.commands import JobOutcome

_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """A request of one model with the device to itself.

    Attributes:
        latency_us: of its best plan.
        dearest_uj: energy of its most expensive plan; 0 if the profile tells no energy.
    """

    latency_us: int
    dearest_uj: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fairness:
    """The figures of one run; None where there is nothing to compute one from.

    Attributes:
        antt: average normalised turnaround time: mean latency over isolated latency, at least 1.
        stp: system throughput: seconds of isolated work completed a second.
        jain: Jain's index over the models' normalised progress, 1 if all fare alike.
        ux_cost: sum of the models' shares of missed deadlines, times the sum of their normalised
            energies.
    """

    antt: float | None
    stp: float
    jain: float | None
    ux_cost: float | None

    def to_json(self) -> dict[str, float | None]:
        """Return the object ``fairness`` of a replay document."""
        figures = {
            "antt": self.antt,
            "stp": self.stp,
            "jain": self.jain,
            "ux_cost": self.ux_cost,
        }
        return {n: None if v is None else round(v, _DIGITS) for n, v in figures.items()}


def alone(table: PlanTable) -> Alone | None:
    """Return what a request of a model takes on the idle device; None if it cannot run there."""
    plan = Kernel(table).best(0, [0] * len(table.processors))
    if plan is None:
        return None
    dearest_uj = [0, *[-1] * table.unit_count]
    for span in table.spans:  # sorted by their first unit
        if dearest_uj[span.first] >= 0:
            spent_uj = dearest_uj[span.first] + span.energy_uj
            dearest_uj[span.last + 1] = max(dearest_uj[span.last + 1], spent_uj)
    return Alone(latency_us=plan[0], dearest_uj=dearest_uj[-1])


def fairness(
    requests: Sequence[RequestRecord],
    models: Mapping[str, Alone],
    *,
    duration_us: int,
    energy_uj: Mapping[str, int],
) -> Fairness:
    """Return the figures of one run.

    Args:
        requests: of the run; those of models that are not in ``models`` are left out.
        models: each model with the device to itself.
        duration_us: of the run.
        energy_uj: what the tasks of each model took; empty if it is not known.
    """
    by_model: dict[str, list[RequestRecord]] = defaultdict(list)
    for request in requests:
        if request.model in models:
            by_model[request.model].append(request)
    slowdowns: list[float] = []
    progress: list[float] = []
    work_us = 0
    for model, sent in sorted(by_model.items()):
        isolated_us = models[model].latency_us
        done = [r.latency_us for r in sent if r.outcome == JobOutcome.COMPLETED]
        # Noise may let a request run faster than its plan says; that is no speed-up by sharing.
        slowdowns += [max(1.0, us / isolated_us) for us in done]
        progress.append(math.fsum(min(1.0, isolated_us / us) for us in done if us) / len(sent))
        work_us += len(done) * isolated_us
    return Fairness(
        antt=math.fsum(slowdowns) / len(slowdowns) if slowdowns else None,
        stp=work_us / duration_us,
        jain=_jain(progress),
        ux_cost=_ux_cost(by_model, models, energy_uj),
    )


def _jain(shares: Sequence[float]) -> float | None:
    squares = math.fsum(share * share for share in shares)
    return math.fsum(shares) ** 2 / (len(shares) * squares) if squares else None


def _ux_cost(
    by_model: Mapping[str, Sequence[RequestRecord]],
    models: Mapping[str, Alone],
    energy_uj: Mapping[str, int],
) -> float | None:
    missed, spent = [], []
    for model, sent in sorted(by_model.items()):
        due = [r for r in sent if r.deadline_us is not None]
        if due:
            missed.append(sum(not r.on_time for r in due) / len(due))
        dearest_uj = models[model].dearest_uj * len(sent)
        if not dearest_uj or model not in energy_uj:
            return None
        spent.append(energy_uj[model] / dearest_uj)
    return math.fsum(missed) * math.fsum(spent) if missed else None
