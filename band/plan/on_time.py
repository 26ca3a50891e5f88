"""An upper bound on the requests that can meet their deadlines, under any policy at all.

A request that completes on time has done all its work inside its window, from the moment it can
exist at the earliest to its deadline. So in any interval, no processor can do more than the
interval's length of the work of those requests whose windows lie inside. Everything else is left
to the policy's favour: work may be split at will, nothing waits for data, nobody knows too little.
``on_time_programme`` maximises the requests served under these rules and returns a value of the
dual programme, which is a bound whatever the accuracy of the solver.
"""

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from band.plan.kernel import Kernel
from band.plan.on_time_programme import Group, Programme
from band.plan.table import PlanTable

_ALL_PAIRS: Final = 40
"""Up to so many points in time, every pair of them makes an interval."""

_MAX_CELLS: Final = 1024
_MAX_GROUPS: Final = 1500


class Demand(NamedTuple):
    """Requests of one model that come at once: the copies of one node of one frame.

    Attributes:
        source: stream and node; demands of one source follow each other.
        model: what is asked for.
        copies: how many, at least 1.
        at_us: when its frame arrives; no request of it can begin earlier.
        deadline_us: absolute; None if it has none.
        parents: positions, in the list of demands, of those all of whose requests must complete
            before these begin; each is smaller than its own position.
    """

    source: tuple[str, str]
    model: str
    copies: int
    at_us: int
    deadline_us: int | None = None
    parents: tuple[int, ...] = ()


class OnTimeBound(NamedTuple):
    """How many requests can be on time.

    Attributes:
        on_time: no policy completes more of them within their deadlines.
        due: how many have a deadline.
    """

    on_time: int
    due: int

    @property
    def share(self) -> float | None:
        """Return the bound on the SLO satisfaction; None if nothing has a deadline."""
        return self.on_time / self.due if self.due else None


def on_time_bound(tables: Iterable[PlanTable], demands: Sequence[Demand]) -> OnTimeBound:
    """Return how many requests of a workload can meet their deadlines on a device at most.

    The bound holds for runs that take the times of the tables. It is polynomial: long workloads
    are looked at on a coarser grid of time, which can only raise it.

    Args:
        tables: plan tables of one device, at least those of the models asked for.
        demands: all requests, those of parents before those of children.
    """
    by_model = {table.model: table for table in tables}
    due = sum(demand.copies for demand in demands if demand.deadline_us is not None)
    windows = _windows(by_model, demands)
    rewarded = sum(demands[at].copies for at, window in windows.items() if window.rewarded)
    if not rewarded:
        return OnTimeBound(0, due)
    grid = _grid(demands, windows)
    programme = Programme(by_model, _groups(demands, windows, grid), grid.intervals())
    return OnTimeBound(min(rewarded, math.floor(programme.bound() + 1e-6)), due)


class _Window(NamedTuple):
    """When the requests of a demand can run to any use: from ``first_us`` to ``last_us``."""

    first_us: int
    last_us: int
    rewarded: bool


def _windows(tables: Mapping[str, PlanTable], demands: Sequence[Demand]) -> dict[int, _Window]:
    """Return the windows of all demands that can be on time, or whose children can."""
    least_us = {model: least_time_us(table) for model, table in tables.items()}
    first_us: list[float] = []
    for demand in demands:
        after = (first_us[p] + least_us[demands[p].model] for p in demand.parents)
        first_us.append(max([demand.at_us, *after]))
    last_us = [-math.inf] * len(demands)
    windows: dict[int, _Window] = {}
    for at in reversed(range(len(demands))):
        demand, least = demands[at], least_us[demands[at].model]
        deadline_us = -math.inf if demand.deadline_us is None else demand.deadline_us
        rewarded = first_us[at] + least <= deadline_us
        end_us = max(last_us[at], deadline_us if rewarded else -math.inf)
        if first_us[at] + least > end_us:
            continue
        windows[at] = _Window(int(first_us[at]), int(end_us), rewarded)
        for parent in demand.parents:
            last_us[parent] = max(last_us[parent], end_us - least)
    return windows


def least_time_us(table: PlanTable) -> float:
    """Return a time that no request of a model can beat; infinite if it cannot run."""
    if all(table.dependencies[unit] >> (unit - 1) & 1 for unit in range(1, table.unit_count)):
        plan = Kernel(table).best(0, [0] * len(table.processors))
        return math.inf if plan is None else plan[0]
    # Branches may run side by side: all that is certain is that each unit runs.
    return max(
        min((s.cost_us for s in table.spans if s.first <= unit <= s.last), default=math.inf)
        for unit in range(table.unit_count)
    )


class _Grid:
    """Points in time that windows are rounded to, outwards.

    Args:
        points_us: ascending; the first at or before all windows, the last at or after them.
    """

    def __init__(self, points_us: Sequence[int]) -> None:
        self.points_us = points_us

    def before(self, at_us: int) -> int:
        """Return the position of the last point that is not later."""
        return bisect_right(self.points_us, at_us) - 1

    def after(self, at_us: int) -> int:
        """Return the position of the first point that is not earlier."""
        return bisect_left(self.points_us, at_us)

    def intervals(self) -> list[tuple[int, int, int]]:
        """Return the intervals to look at: positions of first and last point, and length.

        All pairs if there are few points, else those of 1, 2, 4, ... cells, half overlapping.
        """
        last = len(self.points_us) - 1
        pairs: set[tuple[int, int]] = {(0, last)}
        if last < _ALL_PAIRS:
            pairs |= {(a, b) for b in range(last + 1) for a in range(b)}
        cells = 1
        while cells < last:
            step = max(1, cells // 2)
            pairs |= {(a, min(a + cells, last)) for a in range(0, last, step)}
            cells *= 2
        return [(a, b, self.points_us[b] - self.points_us[a]) for a, b in sorted(pairs)]


def _grid(demands: Sequence[Demand], windows: Mapping[int, _Window]) -> _Grid:
    """Return all points in time that occur, or an even grid that keeps the groups few."""
    points = {us for w in windows.values() for us in (w.first_us, w.last_us)}
    if len(points) <= _ALL_PAIRS:
        return _Grid(sorted(points))
    first_us, last_us = min(points), max(points)
    sources: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at in windows:
        sources[demands[at].source].append(demands[at].at_us)
    cells = min(_MAX_CELLS, last_us - first_us)
    while True:
        points_us = [first_us + (last_us - first_us) * i // cells for i in range(cells + 1)]
        grid = _Grid(points_us)
        groups = sum(len({grid.before(us) for us in times}) for times in sources.values())
        if groups <= _MAX_GROUPS or cells <= 2:
            return grid
        cells //= 2


def _groups(demands: Sequence[Demand], windows: Mapping[int, _Window], grid: _Grid) -> list[Group]:
    """Return the demands of each source whose frames arrive in the same cell, as one each."""
    members: dict[tuple[tuple[str, str], int, bool], list[int]] = defaultdict(list)
    for at in sorted(windows):
        demand = demands[at]
        members[demand.source, grid.before(demand.at_us), windows[at].rewarded].append(at)
    number = {at: index for index, group in enumerate(members.values()) for at in group}
    groups = []
    for group in members.values():
        inside = [windows[at] for at in group]
        groups.append(
            Group(
                model=demands[group[0]].model,
                requests=sum(demands[at].copies for at in group),
                rewarded=inside[0].rewarded,
                first=min(grid.before(w.first_us) for w in inside),
                last=max(grid.after(w.last_us) for w in inside),
                parents=_parents(demands, group, number),
            )
        )
    return groups


def _parents(
    demands: Sequence[Demand], group: Sequence[int], number: Mapping[int, int]
) -> tuple[tuple[int, float], ...]:
    """Return (parent group, most children a parent's request) of what holds for all of a group."""
    ratios: list[dict[int, float]] = []
    for at in group:
        mine: dict[int, float] = {}
        for parent in demands[at].parents:
            ratio = demands[at].copies / demands[parent].copies
            mine[number[parent]] = max(ratio, mine.get(number[parent], 0.0))
        ratios.append(mine)
    common = set(ratios[0]).intersection(*ratios[1:])
    return tuple((p, max(mine[p] for mine in ratios)) for p in sorted(common))
