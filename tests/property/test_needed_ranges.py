"""The ranges that are offered against all ranges, on tables that follow no rule at all."""

import random

import numpy as np
import pytest

from band.analysis.covering import best_vectors, covers
from band.analysis.prices import Prices
from band.analysis.stages import Needed, needed_ranges

FAST, ALL = 400, 2_000


def _table(rng: random.Random) -> Prices:
    """Return prices of a small model: parts dearer than the whole, moves of any direction."""
    processors, units, dearest = rng.randint(2, 4), rng.randint(2, 6), rng.choice((3, 20, 300))
    costs = np.full((processors, units, units + 1), np.inf)
    for p in range(processors):
        taken = [rng.random() < 0.8 for _ in range(units)]
        for first in range(units):
            for end in range(first + 1, units + 1):
                if all(taken[first:end]):
                    costs[p, first, end] = rng.randint(1, dearest)
    moves = np.zeros((units + 1, processors, processors))
    most = rng.choice((0, 3, 20, 300))
    for boundary in range(1, units):
        for a in range(processors):
            for b in range(processors):
                moves[boundary, a, b] = rng.randint(0, most) if a != b else 0
    return Prices(costs=costs, moves=moves)


def _only(prices: Prices, ranges: frozenset[Needed]) -> Prices:
    costs = np.full_like(prices.costs, np.inf)
    for p, first, last in ranges:
        costs[p, first, last + 1] = prices.costs[p, first, last + 1]
    return Prices(costs=costs, moves=prices.moves)


def _check(seeds: range) -> None:
    """Whatever waits, the best plan of all ranges has its equal in those that are offered."""
    compared = 0
    for seed in seeds:
        prices = _table(random.Random(seed))
        offered = needed_ranges(prices)
        assert offered is not None
        possible = [Needed(p, a, b - 1) for p, a, b in np.argwhere(prices.costs < np.inf).tolist()]
        best = best_vectors(prices, possible)
        if best is not None:
            compared += 1
            assert covers(_only(prices, offered), best), seed
    assert compared > 0.9 * len(seeds)


def test_no_table_however_odd_loses_a_best_plan() -> None:
    _check(range(FAST))


@pytest.mark.slow
def test_no_table_of_two_thousand_loses_a_best_plan() -> None:
    _check(range(ALL))
