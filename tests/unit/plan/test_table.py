"""Successors of plan tables."""

import random

import pytest

from band.plan.table import PlanTable, Span
from band.testing.tables import make_table

KEY = (0, 0, 0)


def with_energy(cost_us: int, energy_uj: int) -> PlanTable:
    table = make_table("m", {"cpu": {(0, 0): cost_us}, "gpu": {(0, 0): 7}})
    cpu, gpu = table.spans
    assert (cpu.first, cpu.last, cpu.processor) == KEY
    return PlanTable(
        model=table.model,
        version=1,
        processors=table.processors,
        unit_count=1,
        dependencies=table.dependencies,
        spans=(cpu._replace(energy_uj=energy_uj), gpu),
        transfer_us=table.transfer_us,
    )


def only(table: PlanTable) -> Span:
    span = table.find(*KEY)
    assert span is not None
    return span


@pytest.mark.parametrize(
    ("cost_us", "energy_uj"), [(2_000, 3_000), (1_500, 2_250), (1, 2), (0, 2), (333, 500)]
)
def test_a_new_cost_keeps_the_power(cost_us: int, energy_uj: int) -> None:
    successor = with_energy(1_000, 1_500).with_costs({KEY: cost_us}, 2)
    assert only(successor) == only(successor)._replace(cost_us=max(1, cost_us), energy_uj=energy_uj)
    assert successor.spans[1] == with_energy(1_000, 1_500).spans[1]
    assert successor.version == 2


def test_no_power_stays_no_power() -> None:
    assert only(with_energy(1_000, 0).with_costs({KEY: 5_000}, 2)).energy_uj == 0


def test_energy_does_not_wander_when_costs_change_often() -> None:
    g = random.Random(1)
    table = with_energy(10_000, 15_000)
    for version in range(2, 1_002):
        table = table.with_costs({KEY: g.randint(8_000, 12_000)}, version)
    assert only(table).energy_uj == pytest.approx(only(table).cost_us * 1.5, rel=0.002)
