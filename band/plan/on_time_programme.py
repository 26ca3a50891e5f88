"""The linear programme behind the bound on requests that are on time, by column generation.

Variables: how many requests of each group take each way through their model. A way is a chain of
spans, and all that counts of it is its time on each processor. Rows: a group has so many requests;
a child runs only if its parents do; within an interval a processor works no longer than it lasts.
The few ways that matter are found as in every column generation: solve with those known, let the
prices of the rows say which other ways would pay, add them, and solve again.

What is returned is not the solver's optimum but the value of the dual programme at its prices,
computed here: by weak duality no feasible solution is better, whatever the solver's accuracy and
however early the search for ways ends.
"""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from band.errors import BandError, ErrorCode
from band.plan.capacity import cheapest_way
from band.plan.table import PlanTable

_ROUNDS: Final = 12
_GAP: Final = 5e-4

Way = tuple[int, ...]
"""Time on each processor, in microseconds, of one chain of spans from first to last unit."""


class Group(NamedTuple):
    """Requests of one model whose windows are alike.

    Attributes:
        requests: how many.
        rewarded: whether they count.
        first, last: points in time, by position, between which all their work is done.
        parents: (group, ratio): at most ratio times as many of this group run as of that one.
    """

    model: str
    requests: int
    rewarded: bool
    first: int
    last: int
    parents: tuple[tuple[int, float], ...] = ()


class _Solved(NamedTuple):
    """Optimum of the programme with the ways known, and the prices of its rows."""

    value: float
    intervals: Sequence[float]
    parents: Sequence[float]


class Programme:
    """The programme of one workload.

    Args:
        tables: by model.
        groups: what is asked for.
        intervals: (first point, last point, length in microseconds).
    """

    def __init__(
        self,
        tables: Mapping[str, PlanTable],
        groups: Sequence[Group],
        intervals: Sequence[tuple[int, int, int]],
    ) -> None:
        self._tables = tables
        self._groups = groups
        self._processors = len(tables[groups[0].model].processors)
        around = _around(groups, intervals)
        used = sorted({i for inside in around for i in inside})
        place = {interval: row for row, interval in enumerate(used)}
        self._lengths_us = [intervals[i][2] for i in used]
        self._around = [tuple(place[i] for i in inside) for inside in around]
        self._links = [
            (child, parent, ratio)
            for child, group in enumerate(groups)
            for parent, ratio in group.parents
        ]
        self._ways: dict[str, list[Way]] = {}
        for model in {group.model for group in groups}:
            self._add_ways(model, self._first_prices())

    def bound(self) -> float:
        """Return a number of rewarded requests that no feasible solution exceeds.

        Raises:
            BandError: INTERNAL if the solver fails.
        """
        best = math.inf
        for _ in range(_ROUNDS):
            solved = self._solve()
            value, wanted = self._dual(solved)
            best = min(best, value)
            new = [self._add(model, way) for model, way in wanted]
            if best - solved.value <= _GAP * max(1.0, best) or not any(new):
                break
        return best

    def _first_prices(self) -> list[list[float]]:
        """Return prices that make for a good choice of ways: all alike, one dear, one cheap."""
        everyone = range(self._processors)
        dear = [[8.0 if p == q else 1.0 for p in everyone] for q in everyone]
        cheap = [[1.0 if p == q else 8.0 for p in everyone] for q in everyone]
        return [[1.0] * self._processors, *dear, *cheap]

    def _add_ways(self, model: str, prices: Sequence[Sequence[float]]) -> None:
        for price in prices:
            self._add(model, cheapest_way(self._tables[model], price)[1])

    def _add(self, model: str, way: Way) -> bool:
        known = self._ways.setdefault(model, [])
        if way in known:
            return False
        known.append(way)
        return True

    def _solve(self) -> _Solved:
        """Solve the programme with the ways known."""
        from scipy.optimize import linprog
        from scipy.sparse import coo_array

        columns = [(g, way) for g, one in enumerate(self._groups) for way in self._ways[one.model]]
        of_group: dict[int, list[int]] = defaultdict(list)
        for column, (g, _) in enumerate(columns):
            of_group[g].append(column)
        first_link = len(self._lengths_us) * self._processors
        first_count = first_link + len(self._links)
        entries: list[tuple[int, int, float]] = []
        for column, (g, way) in enumerate(columns):
            entries.append((first_count + g, column, 1.0))
            for row in self._around[g]:
                length_us = self._lengths_us[row]
                for processor, us in enumerate(way):
                    if us:
                        entries.append((row * self._processors + processor, column, us / length_us))
        for link, (child, parent, ratio) in enumerate(self._links):
            entries += [(first_link + link, column, 1.0) for column in of_group[child]]
            entries += [(first_link + link, column, -ratio) for column in of_group[parent]]
        rows, places, values = zip(*entries, strict=True)
        counts = [float(group.requests) for group in self._groups]
        shape = (first_count + len(counts), len(columns))
        answer: Any = linprog(
            [-float(self._groups[g].rewarded) for g, _ in columns],
            A_ub=coo_array((values, (rows, places)), shape=shape).tocsr(),
            b_ub=[1.0] * first_link + [0.0] * len(self._links) + counts,
            method="highs-ipm",
        )
        if not answer.success:
            raise BandError(
                ErrorCode.INTERNAL, f"the bound on deadlines has no solution: {answer.message}"
            )
        prices = [max(0.0, -float(dual)) for dual in answer.ineqlin.marginals]
        return _Solved(-float(answer.fun), prices[:first_link], prices[first_link:first_count])

    def _dual(self, solved: _Solved) -> tuple[float, list[tuple[str, Way]]]:
        """Return the dual value at the prices found, and per group its best way at them."""
        reward = [float(group.rewarded) for group in self._groups]
        for price, (child, parent, ratio) in zip(solved.parents, self._links, strict=True):
            reward[child] -= price
            reward[parent] += price * ratio
        total = sum(solved.intervals)
        wanted: dict[tuple[str, Way], None] = {}
        answers: dict[tuple[str, tuple[float, ...]], tuple[float, Way]] = {}
        for g, group in enumerate(self._groups):
            key = (group.model, self._price(solved.intervals, self._around[g]))
            if key not in answers:
                answers[key] = cheapest_way(self._tables[group.model], key[1])
            cost, way = answers[key]
            gain = reward[g] - cost
            if gain > 0:
                total += group.requests * gain
                wanted[group.model, way] = None
        return total, list(wanted)

    def _price(self, prices: Sequence[float], rows: Sequence[int]) -> tuple[float, ...]:
        """Return what a microsecond of each processor costs inside the window of a group."""
        count = self._processors
        return tuple(
            sum(prices[row * count + p] / self._lengths_us[row] for row in rows)
            for p in range(count)
        )


def _around(groups: Sequence[Group], intervals: Sequence[tuple[int, int, int]]) -> list[list[int]]:
    """Return per group the intervals that its window lies inside.

    Of intervals around the same groups only the shortest says anything, so the others are left out.
    """
    inside: dict[tuple[int, ...], int] = {}
    by_first: dict[int, list[int]] = defaultdict(list)
    for g, group in enumerate(groups):
        by_first[group.first].append(g)
    firsts = sorted(by_first)
    for number, (first, last, length_us) in enumerate(intervals):
        found = tuple(
            g
            for at in firsts[bisect_left(firsts, first) : bisect_left(firsts, last)]
            for g in by_first[at]
            if groups[g].last <= last
        )
        known = inside.get(found)
        if found and (known is None or length_us < intervals[known][2]):
            inside[found] = number
    around: list[list[int]] = [[] for _ in groups]
    for found, number in inside.items():
        for g in found:
            around[g].append(number)
    return around
