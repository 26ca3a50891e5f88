"""The best plans without and with a processor, against all chains of spans."""

import random
from collections.abc import Iterator
from itertools import pairwise

import pytest

from band.analysis.analyze import analyze
from band.plan.build import build_table
from band.plan.detours import with_processor, without_processor
from band.plan.explain import every_subgraph
from band.plan.table import PlanTable, Span
from band.testing.graphs import device_for, random_graph


def _table(seed: int) -> PlanTable:
    rng = random.Random(seed)
    graph = random_graph(rng, rng.randint(2, 9))
    refused = {name: {op for op in range(9) if rng.random() < 0.4} for name in ("gpu", "npu")}
    device = device_for(graph, {"cpu0": (), **refused}, sync_us=rng.choice([0, 15]))
    partition = analyze(graph, device)
    wide = every_subgraph(partition, 3)
    assert wide is not None
    return build_table(graph, device, wide, name="m")


def _chains(table: PlanTable, start: int = 0) -> Iterator[tuple[Span, ...]]:
    if start == table.unit_count:
        yield ()
        return
    for span in table.spans:
        if span.first == start:
            yield from ((span, *rest) for rest in _chains(table, span.last + 1))


def _latency_us(table: PlanTable, chain: tuple[Span, ...]) -> int:
    moves = (
        table.transfer_us[after.first][before.processor][after.processor]
        for before, after in pairwise(chain)
    )
    return sum(span.cost_us for span in chain) + sum(moves)


@pytest.mark.parametrize("seed", range(20))
def test_they_are_the_best_of_all_chains(seed: int) -> None:
    table = _table(seed)
    chains = [(_latency_us(table, c), {s.processor for s in c}) for c in _chains(table)]
    for processor in range(3):
        without = min((us for us, used in chains if processor not in used), default=None)
        having = min((us for us, used in chains if processor in used), default=None)
        found = without_processor(table)[processor]
        assert (found and found.latency_us) == without
        detour = with_processor(table)[processor]
        assert (detour and detour.latency_us) == having
        if detour is not None:
            steps = tuple(step.span for step in detour.steps)
            assert processor in {span.processor for span in steps}
            assert _latency_us(table, steps) == detour.latency_us == detour.steps[-1].finish_us
