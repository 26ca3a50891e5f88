"""A case: one scenario on one setting, with every cost that it needs."""

import math
from dataclasses import dataclass

from band.units import US_PER_MS
from band.xrbench.costs import Cost, CostTable, Setting
from band.xrbench.scenarios import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a policy is judged on. Made by ``make_case``, so that no cost is missing.

    Attributes:
        costs: of each model of the scenario in its order, on each accelerator in its order.
    """

    setting: Setting
    scenario: Scenario
    costs: tuple[tuple[Cost, ...], ...]

    @property
    def name(self) -> str:
        """Return setting and scenario."""
        return f"{self.setting.name} {self.scenario.name}"


def make_case(table: CostTable, setting: str, scenario: Scenario) -> Case:
    """Return a case.

    Raises:
        BandError: NOT_FOUND if the table has no such setting, or a pair of model and accelerator
            was never measured.
    """
    found = table.setting(setting)
    costs = tuple(
        tuple(found.cost(model.name, accelerator) for accelerator in found.accelerators)
        for model in scenario.models
    )
    return Case(setting=found, scenario=scenario, costs=costs)


def latency_us(cost: Cost) -> int:
    """Return a latency in whole microseconds, rounded up, so that no run beats its bound."""
    # What a decimal fraction lacks or has too much as a double is no microsecond more.
    return max(1, math.ceil(round(cost.latency_ms * US_PER_MS, 6)))
