"""The genetic search against the best of all static plans, where all can be tried."""

import random

import pytest

from band.search.breeding import Breeder
from band.search.chains import Chains
from band.search.genetic import Evolved, SearchSettings, evolve
from band.search.judge import Judge
from band.search.objective import Objective
from band.search.search import rates_per_s
from band.search.seeds import seeds
from band.sim.flat_trace import flatten
from band.testing.static_optimum import best_static_plan, weak_orders
from band.testing.static_plans import random_trace
from band.testing.tables import random_table

CASES = 40
SETTINGS = SearchSettings(generations=40, population=32, variants=1, patience=12)


def tiny_case(seed: int) -> tuple[Judge, list[Chains]]:
    """Return 2 models of up to 3 units or 3 of up to 2 on two processors, and about 12 requests."""
    rng = random.Random(seed)
    models = rng.randint(2, 3)
    most_units = 3 if models == 2 else 2
    tables = [
        random_table(
            rng,
            f"m{number}",
            rng.randint(1, most_units),
            processors=("cpu", "gpu"),
            move_us=rng.choice([0, 150]),
        )
        for number in range(models)
    ]
    names = [table.model for table in tables]
    trace = flatten(random_trace(rng, names, frames=7, mean_us=rng.choice([400.0, 900.0])))
    used = [table for name in trace.models for table in tables if table.model == name]
    objective = rng.choice([Objective.SLO, Objective.LATENCY])
    return Judge(trace, used, objective), [Chains(table) for table in used]


def searched(judge: Judge, chains: list[Chains], seed: int) -> Evolved:
    rng = random.Random(seed)
    first = seeds(chains, rates_per_s(judge.trace), SETTINGS.variants)
    breeder = Breeder(chains, rng, SETTINGS.variants)
    return evolve(judge, breeder, first, SETTINGS, rng, lambda *_: None)


def test_orders_with_ties_are_counted_once() -> None:
    assert [len(list(weak_orders(count))) for count in (1, 2, 3, 4)] == [1, 3, 13, 75]


@pytest.mark.parametrize("seed", range(3))
def test_no_searched_plan_beats_the_optimum(seed: int) -> None:
    judge, chains = tiny_case(seed)
    best, _, count = best_static_plan(judge, chains)
    found = searched(judge, chains, seed)
    assert count > 10
    assert found.ranked[0][1] <= best


@pytest.mark.slow
def test_the_search_finds_the_optimum_in_95_of_100_tiny_cases() -> None:
    equal = tried = 0
    for seed in range(CASES):
        judge, chains = tiny_case(seed)
        found = searched(judge, chains, seed)
        best, _, count = best_static_plan(judge, chains)
        assert found.ranked[0][1] <= best, "the optimum is not the best of all"
        equal += found.ranked[0][1] == best
        tried += count
    assert tried > 20_000, "the cases are too small to say anything"
    assert equal >= 0.95 * CASES, f"{equal} of {CASES}"
