"""How models are laid out: cuts that pay, orders that pay, and no wait that is worse off."""

import random

import pytest

from band.analysis.analyze import analyze
from band.analysis.covering import best_vectors, covers
from band.analysis.layout import Problem, lay_out, unit_runs
from band.analysis.opgraph import OpGraph
from band.analysis.paying_cuts import paying_cuts
from band.analysis.prices import SumPrices, latency_us, move_times, range_prices
from band.analysis.stages import needed_ranges
from band.device.cost import Pricing
from band.device.profile import Device
from band.model.graph import Graph
from band.testing.graphs import device_for, make_graph
from band.testing.networks import random_network, random_processors

FREE = (0.0, 0.0, 0.0)


def problem_of(graph: Graph, device: Device) -> Problem:
    parts = graph.atoms
    support = [
        sum(
            1 << p.index
            for p in device.processors
            if not set(part) & set(p.support.op_lists[0].unsupported)
        )
        for part in parts
    ]
    return Problem(
        graph=graph,
        device=device,
        parts=parts,
        flow=OpGraph.from_items(graph, parts),
        support=tuple(support),
        pricer=Pricing,
    )


def random_problem(seed: int) -> Problem:
    rng = random.Random(seed)
    graph = random_network(rng, rng.randint(4, 10))
    return problem_of(graph, random_processors(rng, graph))


@pytest.mark.parametrize("seed", range(40))
def test_a_chosen_layout_is_never_slower_than_bands_order(seed: int) -> None:
    problem = random_problem(seed)
    band, ours = unit_runs(problem), lay_out(problem).units
    prices = [
        range_prices(
            problem.graph,
            problem.device,
            [(problem.ops_of(atoms), mask) for atoms, mask in units],
            problem.bytes_between([atoms for atoms, _ in units]),
            Pricing,
        )
        for units in (band, ours)
    ]
    rng = random.Random(seed)
    for _ in range(20):
        waits = [rng.choice((0.0, rng.randint(0, 2_000), float("inf"))) for _ in FREE]
        waits[0] = rng.choice((0.0, rng.randint(0, 5_000)))
        assert latency_us(prices[1], waits) <= latency_us(prices[0], waits)


def test_another_order_is_found_where_bands_interleaves_two_branches() -> None:
    changed = 0
    for seed in range(60):
        problem = random_problem(seed)
        atoms = [atom for unit, _ in lay_out(problem).units for atom in unit]
        changed += atoms != [atom for unit, _ in unit_runs(problem) for atom in unit]
    assert changed > 2


@pytest.mark.parametrize("seed", range(20))
def test_the_look_op_by_op_agrees_with_the_prices_of_ranges(seed: int) -> None:
    problem = random_problem(seed)
    sums = SumPrices(problem.graph, problem.device, problem.parts, problem.support, Pricing)
    order = tuple(range(len(problem.parts)))
    between = problem.bytes_between([(atom,) for atom in order])
    found = paying_cuts(sums, order, move_times(problem.device, between))
    prices = range_prices(
        problem.graph,
        problem.device,
        [(problem.parts[atom], problem.support[atom]) for atom in order],
        between,
        Pricing,
    )
    # Each range is rounded to a microsecond on its own.
    assert found.latency_us == pytest.approx(latency_us(prices, FREE), abs=2 * len(order))


def test_a_cut_is_made_where_another_processor_runs_the_rest_faster() -> None:
    graph = make_graph([[0], [1], [2], [3]])
    device = device_for(graph, {"cpu0": (), "gpu": (0,)}, sync_us=1)
    partition = analyze(graph, device)
    assert [unit.ops for unit in partition.units] == [(0,), (1, 2, 3)]


@pytest.mark.parametrize("seed", range(20))
def test_the_best_vectors_tell_the_latency_under_any_waits(seed: int) -> None:
    problem = random_problem(seed)
    units = unit_runs(problem)
    prices = range_prices(
        problem.graph,
        problem.device,
        [(problem.ops_of(atoms), mask) for atoms, mask in units],
        problem.bytes_between([atoms for atoms, _ in units]),
        Pricing,
    )
    vectors = best_vectors(prices, needed_ranges(prices) or ())
    assert vectors is not None
    assert covers(prices, vectors)
    rng = random.Random(seed)
    for _ in range(20):
        waits = [float(rng.choice((0, rng.randint(0, 3_000)))) for _ in FREE]
        told = min(
            max(wait + total for wait, total in zip(waits, vector, strict=True) if total >= 0)
            for vector in vectors
        )
        assert told == latency_us(prices, waits)
