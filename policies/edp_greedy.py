"""EDP greedy: each model takes the idle processor with the least energy-delay product.

Formula:
    Models take turns by name (class first): the first job of each, then the second of each, ...
    Each takes the idle processor with the least energy x latency for a run of all its remaining
    units, ties to the lower index; it waits only while every processor that runs it whole is busy,
    never for a better one. A job that no processor runs whole follows its best plan on idle ones.
    Energy is ``energy_uj`` of the span. Where a table tells none (0) for one of the processors that
    run the job whole, energies cannot be compared: it goes by latency, and is counted.

Parameters:
    window: jobs looked at, 1 or more, default 16.

Good where energy and latency both count. Bad under load, like the other greedy rules: nobody waits
for the processor that suits.

Source: XRBench, MLSys 2023 (EDPGreedy), on correct dependencies and arrivals.
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


class EnergyDelayGreedy(EnergyRule):
    """Gives each model the idle processor with the least energy-delay product."""

    info: ClassVar = PolicyInfo(
        name="edp_greedy",
        summary="each model takes the idle processor with the least energy x delay",
        source="XRBench, MLSys 2023",
    )

    def cost(self, span: Span) -> float:
        """Return the energy-delay product of a run."""
        return span.energy_uj * span.cost_us
