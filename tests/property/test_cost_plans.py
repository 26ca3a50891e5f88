"""The plans of cost mode against brute force, against Band's subgraphs, and under all waits."""

import random
import statistics
from dataclasses import dataclass, replace

import pytest

from band.analysis.analyze import analyze
from band.analysis.partition import Mode, Partition
from band.device.profile import Device
from band.errors import BandError
from band.model.graph import Graph
from band.plan.build import build_table
from band.plan.hops import DOWN_US
from band.plan.kernel import Kernel
from band.testing.networks import random_network, random_processors
from band.testing.partition_oracles import best_of_all_partitions, best_of_all_ranges

FAST, ALL = 60, 2_000


@dataclass(frozen=True)
class Case:
    graph: Graph
    device: Device
    partition: Partition
    kernel: Kernel


def _case(seed: int, ops: tuple[int, int], processors: int = 3) -> Case:
    rng = random.Random(seed)
    graph = random_network(rng, rng.randint(*ops))
    device = random_processors(rng, graph, processors)
    partition = analyze(graph, device)
    return Case(graph, device, partition, Kernel(build_table(graph, device, partition, name="m")))


def _waits(rng: random.Random, scale_us: int, count: int) -> tuple[int, ...]:
    return tuple(
        rng.choice((0, rng.randint(0, scale_us), rng.randint(0, 5 * scale_us), DOWN_US))
        if processor
        else rng.choice((0, rng.randint(0, 3 * scale_us)))
        for processor in range(count)
    )


def _best(kernel: Kernel, waits_us: tuple[int, ...]) -> int:
    found = kernel.best(0, waits_us)
    assert found is not None
    return found[0]


def _check_brute_force(wanted: int) -> None:
    checked = split = seed = 0
    while checked < wanted:
        seed += 1
        case = _case(seed, (5, 12))
        if not 4 <= len(case.partition.units) <= 8:
            continue
        checked += 1
        waits = (0, 0, 0)
        latency_us, processors = best_of_all_ranges(case.graph, case.device, case.partition, waits)
        assert _best(case.kernel, waits) == latency_us, seed
        split += processors > 1
    assert split >= 0.3 * wanted, f"only {split} of {wanted} best plans use several processors"


def test_the_cost_plan_is_the_best_of_all_plans_over_its_units() -> None:
    _check_brute_force(FAST)


@pytest.mark.slow
def test_two_thousand_cost_plans_are_the_best_of_all_plans_over_their_units() -> None:
    _check_brute_force(ALL)


def _check_waits(seeds: range) -> None:
    """Whatever waits, the subgraphs that are left give the best plan of all ranges."""
    for seed in seeds:
        case = _case(seed, (3, 9))
        rng = random.Random(-seed)
        idle_us = _best(case.kernel, (0, 0, 0))
        for _ in range(5):
            waits = _waits(rng, idle_us, 3)
            expected, _ = best_of_all_ranges(case.graph, case.device, case.partition, waits)
            assert _best(case.kernel, waits) == expected, (seed, waits)


def test_no_wait_makes_a_subgraph_part_of_a_best_plan_that_was_left_out() -> None:
    _check_waits(range(FAST))


@pytest.mark.slow
def test_no_wait_misses_a_subgraph_in_two_thousand_graphs() -> None:
    _check_waits(range(ALL))


def _check_against_band(seeds: range, ops: tuple[int, int], processors: int) -> int:
    """Return how many models Band takes; ours is never later, for no waits and 20 others."""
    taken = 0
    for seed in seeds:
        case = _case(seed, ops, processors)
        try:
            band = analyze(case.graph, case.device, mode=Mode.BAND, minimum_subgraph_size=1)
        except BandError:
            continue
        taken += 1
        theirs = Kernel(build_table(case.graph, case.device, band, name="m"))
        rng = random.Random(-seed)
        idle_us = _best(theirs, (0,) * processors)
        waits = [(0,) * processors, *(_waits(rng, idle_us, processors) for _ in range(20))]
        for wait in waits:
            assert _best(case.kernel, wait) <= _best(theirs, wait), (seed, wait)
    return taken


def test_the_cost_plan_is_never_later_than_one_of_bands_subgraphs() -> None:
    assert _check_against_band(range(FAST), (4, 14), 3) > FAST // 4


@pytest.mark.slow
def test_two_thousand_cost_plans_are_never_later_than_bands() -> None:
    taken = _check_against_band(range(ALL), (4, 14), 3)
    taken += _check_against_band(range(200), (15, 30), 4)
    assert taken > ALL // 4


def _gaps(seeds: range) -> list[float]:
    gaps = []
    for seed in seeds:
        case = _case(seed, (3, 7))
        best_us = best_of_all_partitions(case.graph, case.device)
        ours_us = _best(case.kernel, (0, 0, 0))
        assert ours_us >= best_us
        gaps.append(ours_us / best_us - 1)
    return sorted(gaps)


def test_most_cost_plans_are_the_best_of_all_acyclic_partitions() -> None:
    gaps = _gaps(range(FAST))
    assert statistics.median(gaps) == 0


@pytest.mark.slow
def test_cost_plans_are_close_to_the_best_of_all_acyclic_partitions() -> None:
    gaps = _gaps(range(ALL))
    assert statistics.median(gaps) == 0
    assert gaps[int(0.95 * len(gaps))] <= 0.05


def _check_no_refusal(seeds: range) -> int:
    """Return how many of the models Band refuses; ours takes each, whole on the CPU at least."""
    refused = 0
    for seed in seeds:
        rng = random.Random(seed)
        graph = random_network(rng, 30)
        device = random_processors(rng, graph, 4, refused=(0.1, 0.3))
        partition = analyze(graph, device)
        held = sorted(op for unit in partition.units for op in unit.ops)
        assert held == list(graph.compute_ops)
        assert any(s.processor == 0 and s.ops == graph.compute_ops for s in partition.subgraphs)
        kernel = Kernel(build_table(graph, device, partition, name="m"))
        for down in range(1, 4):
            waits = tuple(DOWN_US if p == down else 0 for p in range(4))
            assert kernel.plan(0, waits) is not None
        try:
            analyze(graph, device, mode=Mode.BAND, minimum_subgraph_size=1)
        except BandError:
            refused += 1
    return refused


def test_three_accelerators_with_different_gaps_refuse_no_branchy_model() -> None:
    assert _check_no_refusal(range(10)) > 0


@pytest.mark.slow
def test_two_hundred_branchy_models_run_where_band_refuses_them() -> None:
    assert _check_no_refusal(range(200)) >= 180


def test_identical_processors_stand_for_each_other() -> None:
    case = _case(3, (8, 8))
    twin = replace(case.device.processors[1], index=3, name="gpu1")
    device = replace(case.device, processors=(*case.device.processors, twin))
    partition = analyze(case.graph, device)
    ours = {s.ops for s in partition.subgraphs if s.processor == 1}
    assert ours == {s.ops for s in partition.subgraphs if s.processor == 3}
    assert ours
