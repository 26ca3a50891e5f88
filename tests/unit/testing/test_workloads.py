"""The random workloads are what their module says, and the same for a seed."""

from collections.abc import Iterable

import pytest

from band.plan.table import Span
from band.testing.workloads import JITTER, RATES_PER_S, capacity_scale, workload
from band.units import US_PER_S

SEEDS = range(30)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_workload_keeps_its_word(seed: int) -> None:
    tables = workload(seed).tables
    assert [t.model for t in tables] == list(RATES_PER_S)
    assert all(3 <= t.unit_count <= 6 and not t.has_transfers for t in tables)
    unit_us = {(t.model, s.first, s.processor): s.cost_us for t in tables for s in single(t.spans)}
    everything = {(t.model, unit) for t in tables for unit in range(t.unit_count)}
    for processor in range(4):
        supported = {(model, unit) for model, unit, p in unit_us if p == processor}
        share = len(supported) / len(everything)
        assert share == 1 if processor == 0 else 0.7 <= share <= 0.9
    for (model, unit, processor), us in unit_us.items():
        cpu_us = unit_us[model, unit, 0]
        assert 1000 <= cpu_us <= 4000
        assert processor == 0 or cpu_us / 6 - 1 <= us <= cpu_us / 1.5 + 1


def test_spans_are_all_runs_of_supported_units_and_cost_their_sum() -> None:
    for table in workload(3).tables:
        unit_us = {(s.first, s.processor): s.cost_us for s in single(table.spans)}
        spans = {(s.first, s.last, s.processor): s.cost_us for s in table.spans}
        for processor in range(4):
            for first in range(table.unit_count):
                for last in range(first, table.unit_count):
                    units = [(unit, processor) for unit in range(first, last + 1)]
                    runs = all(unit in unit_us for unit in units)
                    cost_us = sum(unit_us[unit] for unit in units) if runs else None
                    assert spans.get((first, last, processor)) == cost_us


def test_requests_come_at_their_rate_within_their_jitter_and_know_their_deadline() -> None:
    load, scale = workload(5), 1.7
    declared = {stream.model: stream for stream in load.streams(scale, 10)}
    count = dict.fromkeys(RATES_PER_S, 0)
    last_us = 0
    for at_us, request in load.arrivals(scale, 10).roots():
        period_us = US_PER_S / (RATES_PER_S[request.model] * scale)
        assert request.frame == count[request.model]
        assert at_us >= last_us
        release_us = declared[request.model].next_us + request.frame * period_us
        assert -1 <= at_us - release_us <= JITTER * period_us + 1
        assert request.deadline_us == at_us + round(period_us)
        count[request.model] += 1
        last_us = at_us
    for model, rate in RATES_PER_S.items():
        assert abs(count[model] - rate * scale * 10) <= 1
        assert declared[model].frames == count[model]
        assert declared[model].period_us == round(US_PER_S / (rate * scale))


def test_a_seed_gives_one_workload_and_another_seed_another() -> None:
    assert workload(7).tables == workload(7).tables
    assert workload(7).tables != workload(8).tables
    one, same = workload(7).arrivals(2, 1), workload(7).arrivals(2, 1)
    assert list(one.roots()) == list(same.roots())


def test_a_load_is_declared_to_the_core_only_if_asked_for() -> None:
    load = workload(7)
    assert load.arrivals(2, 1).streams == ()
    assert load.arrivals(2, 1, declared=True).streams == load.streams(2, 1)


def test_the_capacity_scale_is_that_of_the_bound() -> None:
    load = workload(0)
    assert capacity_scale(load.tables) == load.bound.scale > 1


def single(spans: Iterable[Span]) -> list[Span]:
    return [s for s in spans if s.first == s.last]
