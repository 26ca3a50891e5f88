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

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge

from band.plan.table import Span
from band.scheduler.policy import PolicyInfo
from band.scheduler.rules_ordered import EnergyRule


@dataclass(frozen=True)
class Params:
    """Parameters: ``window`` jobs are looked at."""

    window: Annotated[int, Ge(1)] = 16


class EnergyGreedy(EnergyRule):
    """Gives each model the idle processor that takes least energy."""

    info: ClassVar = PolicyInfo(
        name="energy_greedy",
        summary="each model takes the idle processor that needs least energy",
        source="XRBench, MLSys 2023",
    )

    def cost(self, span: Span) -> float:
        """Return the energy of a run."""
        return span.energy_uj
