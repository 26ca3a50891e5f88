"""The mixed-integer programme behind the upper bound of a case."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import Final, NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from band.xrbench.case import Case
from band.xrbench.scenarios import RUN_MS
from band.xrbench.slots import Class, Frame, Slot
from band.xrbench.solver_output import stdout_on_stderr

BUCKET: Final = 4
"""Completed frames of a model are counted in buckets of so many."""

_INTERVAL_PERIODS: Final = (1, 2, 4)
_NOTHING_MS: Final = 1e-9
_OPTIMAL: Final = 0


class Solved(NamedTuple):
    """The answer of the solver: ``value`` is the dual bound of the objective."""

    value: float
    proven: bool


class _Bucket(NamedTuple):
    """Columns of one bucket: chosen (0 or 1), how many complete, their reward, the product."""

    low: int
    high: int
    chosen: int
    completed: int
    reward: int
    product: int


class Programme:
    """Maximises the sum over models of (reward x completed) / frames^2.

    Column ``i`` below the number of slots says whether slot ``i`` is taken; the buckets follow.

    Args:
        case: to bound.
        places: its accelerators by class.
        frames: all that are wanted.
        slots: of all frames.
        slot_ms: width of a slot.
        relaxed: slots may be taken in part.

    Attributes:
        columns: how many there are.
    """

    def __init__(
        self,
        case: Case,
        places: Sequence[Class],
        frames: Sequence[Frame],
        slots: Sequence[Slot],
        slot_ms: float,
        *,
        relaxed: bool,
    ) -> None:
        self._case, self._places, self._frames, self._slots = case, places, frames, slots
        self._slot_ms = slot_ms
        self._rows: list[dict[int, float]] = []
        self._most: list[float] = []
        self._objective: dict[int, float] = {}
        self._binary: set[int] = set() if relaxed else set(range(len(slots)))
        self.columns = len(slots)
        self._each_frame_once()
        self._capacity()
        self._intervals()
        self._dependents()
        for model in range(len(case.scenario.models)):
            self._model(model)

    def solve(self, time_limit_s: float) -> Solved:
        """Return a value that no solution passes, and whether it is the optimum.

        The linear relaxation comes first: it takes a second, so there is a bound worth its name
        even when the time is over before the solver has one.

        Args:
            time_limit_s: for both together, in wall time.
        """
        if not self._objective:
            return Solved(0.0, proven=True)
        objective = np.zeros(self.columns)
        objective[list(self._objective)] = [-v for v in self._objective.values()]
        integrality = np.zeros(self.columns)
        integrality[list(self._binary)] = 1
        upper = np.full(self.columns, np.inf)
        upper[list(self._binary)] = 1
        rows = LinearConstraint(self._matrix(), -np.inf, np.array(self._most))
        common = {"bounds": Bounds(0, upper), "constraints": rows}
        start_s = perf_counter()
        with stdout_on_stderr():
            linear = milp(objective, **common, options={"time_limit": time_limit_s})
            left_s = max(0.0, time_limit_s - (perf_counter() - start_s))
            options = {"time_limit": left_s, "mip_rel_gap": 1e-6}
            whole = milp(objective, integrality=integrality, **common, options=options)
        values = [float(len(self._case.scenario.models))]
        if linear.status == _OPTIMAL:
            values.append(-float(linear.fun))
        if whole.mip_dual_bound is not None and math.isfinite(whole.mip_dual_bound):
            values.append(-float(whole.mip_dual_bound))
        return Solved(min(values), proven=whole.status == _OPTIMAL)

    def _matrix(self) -> csr_array:
        row_of = [at for at, row in enumerate(self._rows) for _ in row]
        column_of = [column for row in self._rows for column in row]
        values = [value for row in self._rows for value in row.values()]
        shape = (len(self._rows), self.columns)
        return csr_array((values, (row_of, column_of)), shape=shape)

    def _at_most(self, row: dict[int, float], most: float) -> None:
        if row:
            self._rows.append(row)
            self._most.append(most)

    def _each_frame_once(self) -> None:
        rows: defaultdict[int, dict[int, float]] = defaultdict(dict)
        for column, slot in enumerate(self._slots):
            rows[slot.frame][column] = 1.0
        for row in rows.values():
            self._at_most(row, 1.0)

    def _capacity(self) -> None:
        """At an instant of the grid, no more run than there are accelerators."""
        rows: defaultdict[tuple[int, int], dict[int, float]] = defaultdict(dict)
        for column, slot in enumerate(self._slots):
            first = math.ceil(slot.latest_ms / self._slot_ms - _NOTHING_MS)
            end_ms = slot.earliest_ms + slot.latency_ms
            last = math.ceil(end_ms / self._slot_ms - _NOTHING_MS) - 1
            for instant in range(first, last + 1):
                rows[slot.place, instant][column] = 1.0
        for (place, _), row in rows.items():
            self._at_most(row, float(self._places[place].size))

    def _intervals(self) -> None:
        """In an interval, no more certain work than fits."""
        by_place: defaultdict[int, list[tuple[int, Slot]]] = defaultdict(list)
        for column, slot in enumerate(self._slots):
            by_place[slot.place].append((column, slot))
        for begin_ms, end_ms in sorted(set(_cuts(self._case))):
            for place, members in by_place.items():
                row = {
                    column: work_ms
                    for column, slot in members
                    if slot.earliest_ms < end_ms
                    and (work_ms := slot.certain_ms(begin_ms, end_ms)) > _NOTHING_MS
                }
                self._at_most(row, self._places[place].size * (end_ms - begin_ms))

    def _dependents(self) -> None:
        """By any time, a frame has started only if its upstream frame can have finished."""
        by_frame: defaultdict[int, list[tuple[int, Slot]]] = defaultdict(list)
        for column, slot in enumerate(self._slots):
            by_frame[slot.frame].append((column, slot))
        for at, frame in enumerate(self._frames):
            for upstream in frame.upstream:
                for time_ms in sorted({slot.latest_ms for _, slot in by_frame[at]}):
                    started = [c for c, slot in by_frame[at] if slot.latest_ms <= time_ms]
                    ready = [
                        c
                        for c, slot in by_frame[upstream]
                        if slot.earliest_ms + slot.latency_ms <= time_ms
                    ]
                    row = {**dict.fromkeys(started, 1.0), **dict.fromkeys(ready, -1.0)}
                    self._at_most(row, 0.0)

    def _model(self, model: int) -> None:
        """Bound the product of a model's reward and count, bucket by bucket."""
        mine = [(c, s) for c, s in enumerate(self._slots) if self._frames[s.frame].model == model]
        frames = sum(frame.model == model for frame in self._frames)
        if not frames:
            return
        best = max((slot.reward for _, slot in mine), default=0.0)
        buckets = [
            self._bucket(low, min(low + BUCKET - 1, frames), best)
            for low in range(1, frames + 1, BUCKET)
        ]
        for bucket in buckets:
            self._objective[bucket.product] = 1.0 / frames**2
        self._at_most(dict.fromkeys((b.chosen for b in buckets), 1.0), 1.0)
        # Both ways, so that the buckets hold exactly what the slots hold.
        for sign in (1.0, -1.0):
            counted = dict.fromkeys((b.completed for b in buckets), sign)
            self._at_most({**counted, **{c: -sign for c, _ in mine}}, 0.0)
            earned = dict.fromkeys((b.reward for b in buckets), sign)
            self._at_most({**earned, **{c: -sign * s.reward for c, s in mine}}, 0.0)

    def _bucket(self, low: int, high: int, best: float) -> _Bucket:
        """Add a bucket of counts from ``low`` to ``high``, with the two McCormick planes above.

        Reward r is between 0 and ``most`` = high x best, count n between low and high; then
        r n <= high r, and r n <= low r + most n - low most.
        """
        bucket = _Bucket(low, high, *range(self.columns, self.columns + 4))
        self.columns += 4
        self._binary.add(bucket.chosen)
        most = high * best
        self._at_most({bucket.completed: 1.0, bucket.chosen: -float(high)}, 0.0)
        self._at_most({bucket.completed: -1.0, bucket.chosen: float(low)}, 0.0)
        self._at_most({bucket.reward: 1.0, bucket.completed: -best}, 0.0)
        self._at_most({bucket.product: 1.0, bucket.reward: -float(high)}, 0.0)
        row = {bucket.product: 1.0, bucket.reward: -float(low)}
        row |= {bucket.completed: -most, bucket.chosen: low * most}
        self._at_most(row, 0.0)
        return bucket


def _cuts(case: Case) -> Iterable[tuple[float, float]]:
    """Yield the intervals to look at: 1, 2 and 4 of every period, and the whole run."""
    yield 0.0, float(RUN_MS)
    for model in case.scenario.models:
        for periods in _INTERVAL_PERIODS:
            for number in range(model.frames):
                begin_ms = float(number * model.period_ms)
                yield begin_ms, begin_ms + periods * model.period_ms
