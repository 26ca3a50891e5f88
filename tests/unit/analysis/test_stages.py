"""Which ranges of units best plans need, on tables whose answer can be reasoned out."""

from collections.abc import Mapping

import numpy as np
import pytest

from band.analysis import stages
from band.analysis.prices import Prices, latency_us
from band.analysis.stages import Needed, needed_ranges

INF = float("inf")


def priced(
    units: int, costs: Mapping[int, Mapping[tuple[int, int], float]], *, move_us: float = 0
) -> Prices:
    """Return prices of (first, last) unit ranges per processor, and one price for all moves."""
    array = np.full((len(costs), units, units + 1), INF)
    for processor, ranges in costs.items():
        for (first, last), cost_us in ranges.items():
            array[processor, first, last + 1] = cost_us
    moves = np.zeros((units + 1, len(costs), len(costs)))
    moves[1:units] = move_us * (1 - np.eye(len(costs)))
    return Prices(costs=array, moves=moves)


def by_unit(unit_us: list[float], dispatch_us: float = 10) -> dict[tuple[int, int], float]:
    """Return all ranges that have no unit of infinite cost, as sums and a dispatch."""
    count = len(unit_us)
    sums = {
        (first, last): dispatch_us + sum(unit_us[first : last + 1])
        for first in range(count)
        for last in range(first, count)
    }
    return {key: total for key, total in sums.items() if total < INF}


def found(prices: Prices) -> set[Needed]:
    ranges = needed_ranges(prices)
    assert ranges is not None
    return set(ranges)


def test_equal_processors_are_never_changed_on_the_way() -> None:
    prices = priced(3, {0: by_unit([5, 5, 5]), 1: by_unit([5, 5, 5])}, move_us=1)
    assert found(prices) == {Needed(0, 0, 2), Needed(1, 0, 2)}


def test_a_job_may_begin_on_a_slow_processor_while_the_fast_one_is_busy() -> None:
    prices = priced(3, {0: by_unit([50, 50, 50]), 1: by_unit([5, 5, 5])}, move_us=1)
    assert found(prices) == {
        Needed(0, 0, 0), Needed(0, 0, 1), Needed(0, 0, 2),
        Needed(1, 0, 2), Needed(1, 1, 2), Needed(1, 2, 2),
    }  # fmt: skip


def test_a_cut_where_much_is_alive_is_not_needed_beside_a_later_one_where_little_is() -> None:
    prices = priced(3, {0: by_unit([50, 50, 50]), 1: by_unit([5, 5, 5])}, move_us=1)
    prices.moves[1] *= 100
    assert Needed(0, 0, 0) not in found(prices)
    assert Needed(0, 0, 1) in found(prices)


def test_a_unit_that_does_not_pay_its_moves_stays_where_its_neighbours_are() -> None:
    fast = {(1, 1): 10.0}
    dear = priced(3, {0: by_unit([40, 40, 40]), 1: fast}, move_us=20)
    assert found(dear) == {Needed(0, 0, 2)}
    cheap = priced(3, {0: by_unit([40, 40, 40]), 1: fast}, move_us=5)
    assert found(cheap) == {
        Needed(0, 0, 2), Needed(0, 0, 0), Needed(1, 1, 1), Needed(0, 2, 2)
    }  # fmt: skip


def test_a_part_that_costs_more_than_the_whole_is_not_put_in_its_place() -> None:
    prices = priced(3, {0: {(0, 0): 10, (0, 1): 10}, 1: {(1, 2): 5, (2, 2): 6}})
    prices.moves[1, 0, 1] = 10
    # 25 and 16 when nothing waits; w + 5 and w + 6 when processor 1 is busy for long.
    assert latency_us(prices, [0, 0]) == 16
    assert latency_us(prices, [0, 100]) == 105
    assert Needed(1, 1, 2) in found(prices)


def test_who_takes_all_is_needed_however_slow() -> None:
    prices = priced(2, {0: by_unit([1, 1]), 1: by_unit([900, 900])})
    assert Needed(1, 0, 1) in found(prices)


def test_too_large_a_search_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "WORK_LIMIT", 10)
    assert needed_ranges(priced(2, {0: by_unit([1, 1]), 1: by_unit([2, 2])})) is None


def test_latency_counts_waits_moves_and_processors_that_are_down() -> None:
    prices = priced(2, {0: by_unit([50, 50]), 1: by_unit([5, 5])}, move_us=1)
    assert latency_us(prices, [0, 0]) == 20
    assert latency_us(prices, [0, 65]) == 65 + 15
    assert latency_us(prices, [0, INF]) == 110
    assert latency_us(prices, [INF, INF]) == INF
