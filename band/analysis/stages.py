"""Which ranges of units can be part of a best plan, whatever the processors wait for.

Let ``w_p`` be the time until processor p is free, and ``L_p`` of a plan the time from the start of
its first range on p to its end when nothing else is waited for. As a range starts at
max(wait, arrival), and a processor that the job has used once is free for it from then on, the
plan's latency is the largest ``w_p + L_p`` over its processors; the first processor's ``L`` is the
idle latency. So a plan X is never better than Y if Y uses no processor that X does not and no
``L_p`` of Y is larger. If there is no such Y, then X alone is best for ``w_p = latency - L_p`` and
the other processors down. Plans that are best for some waits are the Pareto-minimal ones of L.

Their number grows exponentially, that of their ranges does not. From one first use of a processor
to the next nothing is waited for, so what lies between is a shortest way over the processors
in use: a plan is a chain of *stages*, each begun by the first use of a processor. Of two stages
in a row, the second is left out if what follows it can begin as early without it, or as early with
it begun later and taking no longer: either change lowers some ``L`` and raises none. What remains
may still hold a plan that a quite different chain of stages dominates; it is kept, which costs a
candidate and no plan.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from band.analysis.opgraph import bits_of
from band.analysis.prices import Prices

Times = npt.NDArray[np.float64]

WORK_LIMIT: Final = 400_000_000
"""Above this many steps nothing is pruned: five kinds of processors and 128 units need as many."""
_BLOCK: Final = 4096
"""Stages that are compared at a time; it bounds the memory that takes."""


class Needed(NamedTuple):
    """A range of units on a processor that some best plan needs."""

    processor: int
    first: int
    last: int


Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class _Ways:
    """Shortest ways over one set of processors, from each place where one of them is used first.

    Attributes:
        reach: [start, begun, end, holder], from a start on ``begun`` to data at ``holder``.
        first: same indices, the boundary at which the last range of that way begins.
        before: [start, begun, boundary, holder], who holds the data before a range on ``holder``
            that begins at a boundary.
        handover: [start, begun, end, then], until ``then`` starts; the last ``then`` stands for
            the end of the plan.
        giver: same indices, who holds the data before.
    """

    reach: Times
    first: Places
    before: Places
    handover: Times
    giver: Places


def needed_ranges(prices: Prices) -> frozenset[Needed] | None:
    """Return the ranges that some best plan from the first unit on needs, for any waits.

    Processors with the same prices and moves stand for each other: a job never moves between two
    of them, so one is looked at and its ranges are returned for all.

    Args:
        prices: of every range of units on every processor.

    Returns:
        The ranges, or None if there are too many kinds of processors and units to tell in time.
    """
    kinds = _kinds(prices)
    if not _is_small(len(kinds), prices.unit_count):
        return None
    chosen = [members[0] for members in kinds]
    search = _Search(prices.costs[chosen], prices.moves[:, chosen][:, :, chosen])
    return frozenset(
        Needed(processor, first, last)
        for kind, first, last in search.run()
        for processor in kinds[kind]
    )


def _is_small(kinds: int, units: int) -> bool:
    return (1 << kinds) * kinds**2 * (units + 1) ** 3 <= WORK_LIMIT


def _kinds(prices: Prices) -> list[list[int]]:
    """Return the processors that take anything, grouped by equal prices and moves."""
    kinds: list[list[int]] = []
    for p in range(len(prices.costs)):
        if not np.isfinite(prices.costs[p]).any():
            continue
        for members in kinds:
            if _alike(prices, p, members[0]):
                members.append(p)
                break
        else:
            kinds.append([p])
    return kinds


def _alike(prices: Prices, p: int, q: int) -> bool:
    others = [x for x in range(len(prices.costs)) if x not in (p, q)]
    moves = prices.moves
    return bool(
        np.array_equal(prices.costs[p], prices.costs[q])
        and np.array_equal(moves[:, p, others], moves[:, q, others])
        and np.array_equal(moves[:, others, p], moves[:, others, q])
        and np.array_equal(moves[:, p, q], moves[:, q, p])
    )


class _Search:
    """Looks for the stages of plans that are best for some waits.

    A stage is (processors in use, start, begun, end, then): ``begun`` is used first at the
    boundary ``start``, and ``then`` at ``end``. Sets of stages are arrays [start, end, then] per
    (processors in use, begun).

    Args:
        costs: [processor, first unit, boundary after the last], inf where it is not taken.
        moves: [boundary, from, to].
    """

    def __init__(self, costs: Times, moves: Times) -> None:
        self._costs = costs
        self._moves = moves
        self._count, self._units, _ = costs.shape
        self._end = self._count
        self._all_ways: dict[int, _Ways] = {}
        self._pairs: dict[tuple[int, int, int, int], Flags] = {}
        self._dearer: dict[tuple[int, int], Flags] = {}
        self._useful: dict[tuple[int, int], Flags] = {}

    def run(self) -> set[tuple[int, int, int]]:
        """Return (processor, first unit, last unit) of all ranges that are needed."""
        found: set[tuple[int, int, int]] = set()
        reached: dict[tuple[int, int], Flags] = {}
        for begun in range(self._count):
            stages = np.zeros_like(self._leading_to_the_end(1 << begun, begun))
            stages[0] = self._leading_to_the_end(1 << begun, begun)[0]
            reached[1 << begun, begun] = stages
        # A set comes after all the sets that it is made of.
        for used in sorted(range(1, 1 << self._count), key=int.bit_count):
            for begun in bits_of(used):
                if (used, begun) in reached:
                    self._spread(used, begun, reached)
                    found.update(self._ranges(used, begun, reached[used, begun]))
        return found

    def _spread(self, used: int, begun: int, reached: dict[tuple[int, int], Flags]) -> None:
        """Add to what is reached the stages that may follow those of a set."""
        stages = reached[used, begun]
        for start, then in np.argwhere(stages[:, :, : self._end].any(axis=1)).tolist():
            after = used | 1 << then
            allowed = self._allowed(used, start, begun, then)
            allowed = allowed & stages[start, : self._units, then][:, None, None]
            allowed &= self._leading_to_the_end(after, then)
            known = reached.setdefault((after, then), np.zeros_like(allowed))
            known |= allowed

    def _leading_to_the_end(self, used: int, begun: int) -> Flags:
        """Return the stages after which a plan can go on in allowed pairs to its end."""
        if (used, begun) not in self._useful:
            useful = np.isfinite(self._ways(used).handover[:, begun])
            for start, then in np.argwhere(useful[:, :, : self._end].any(axis=1)).tolist():
                following = self._leading_to_the_end(used | 1 << then, then)
                goes_on = (self._allowed(used, start, begun, then) & following).any(axis=(1, 2))
                useful[start, : self._units, then] &= goes_on
            self._useful[used, begun] = useful
        return self._useful[used, begun]

    def _allowed(self, used: int, start: int, begun: int, then: int) -> Flags:
        """Return [end, end of the next stage, what follows it]: pairs of stages to be kept."""
        key = (used, start, begun, then)
        if key not in self._pairs:
            before = self._ways(used).handover[start, begun]
            after = self._ways(used | 1 << then).handover[:, then]
            both = before[: self._units, then, None, None] + after
            later = np.full_like(both, np.inf)
            later[:-1] = np.minimum.accumulate(both[::-1], axis=0)[::-1][1:]
            kept = np.isfinite(both) & (both < before[None])
            doubted = kept & (both >= later) & self._dearer_later(used | 1 << then, then)
            kept &= both < later
            kept[doubted] = _not_replaced(np.argwhere(doubted), both, after)
            self._pairs[key] = kept
        return self._pairs[key]

    def _dearer_later(self, used: int, begun: int) -> Flags:
        """Return [start, end, then]: stages that would take longer with some later start.

        It has less to run, but may have to move more, or be a part that costs more than the whole.
        """
        if (used, begun) not in self._dearer:
            takes = self._ways(used).handover[:, begun]
            known = np.where(np.isfinite(takes), takes, -np.inf)
            longest = np.maximum.accumulate(known[::-1], axis=0)[::-1]
            self._dearer[used, begun] = longest > takes
        return self._dearer[used, begun]

    def _ways(self, used: int) -> _Ways:
        if used not in self._all_ways:
            self._all_ways[used] = self._shortest(used)
        return self._all_ways[used]

    def _shortest(self, used: int) -> _Ways:
        """Return the shortest ways over a set, by ascending end."""
        units, count, members = self._units, self._count, list(bits_of(used))
        reach = np.full((units, count, units + 1, count), np.inf)
        first = np.zeros(reach.shape, np.int16)
        arrival = np.full((units, count, units, count), np.inf)
        before = np.zeros(arrival.shape, np.int16)
        every = np.arange(units)
        for end in range(1, units + 1):
            for holder in members:
                through = arrival[:, :, :end, holder] + self._costs[holder, :end, end]
                direct = every[:end]
                through[direct, holder, direct] = self._costs[holder, :end, end]
                first[:, :, end, holder] = through.argmin(axis=2)
                reach[:, :, end, holder] = through.min(axis=2)
            for holder in members if end < units else ():
                moved = reach[:, :, end] + self._moves[end, :, holder]
                before[:, :, end, holder] = moved.argmin(axis=2)
                arrival[:, :, end, holder] = moved.min(axis=2)
        return _Ways(reach, first, before, *self._handover(reach, used))

    def _handover(self, reach: Times, used: int) -> tuple[Times, Places]:
        units, count = self._units, self._count
        times = np.full((units, count, units + 1, count + 1), np.inf)
        givers = np.zeros(times.shape, np.int16)
        for then in range(count):
            if not used >> then & 1:
                moved = reach[:, :, 1:units] + self._moves[1:units, :, then]
                times[:, :, 1:units, then] = moved.min(axis=3)
                givers[:, :, 1:units, then] = moved.argmin(axis=3)
        times[:, :, units, self._end] = reach[:, :, units].min(axis=2)
        givers[:, :, units, self._end] = reach[:, :, units].argmin(axis=2)
        return times, givers

    def _ranges(self, used: int, begun: int, stages: Flags) -> Iterator[tuple[int, int, int]]:
        """Yield the ranges on the shortest ways through stages, from their ends to their starts."""
        ways = self._ways(used)
        for start in np.flatnonzero(stages.any(axis=(1, 2))).tolist():
            givers = ways.giver[start, begun]
            first, before = ways.first[start, begun].tolist(), ways.before[start, begun].tolist()
            ends = np.argwhere(stages[start])
            waiting = {(end, int(givers[end, then])) for end, then in ends.tolist()}
            seen = set(waiting)
            while waiting:
                end, holder = waiting.pop()
                begin = first[end][holder]
                yield holder, begin, end - 1
                if begin != start:
                    place = (begin, before[begin][holder])
                    if place not in seen:
                        seen.add(place)
                        waiting.add(place)


def _not_replaced(stages: npt.NDArray[np.intp], both: Times, takes: Times) -> Flags:
    """Return per stage whether no later start makes what follows as early and takes no longer.

    Args:
        stages: rows (start, end, then).
        both: [start, end, then], from an earlier stage to the end of this one.
        takes: same indices, this one alone.
    """
    kept = [np.zeros(0, dtype=np.bool_)]
    for first in range(0, len(stages), _BLOCK):
        start, end, then = stages[first : first + _BLOCK].T
        later = np.arange(len(both))[:, None] > start
        as_early = both[:, end, then] <= both[start, end, then]
        no_longer = takes[:, end, then] <= takes[start, end, then]
        kept.append(~(later & as_early & no_longer).any(axis=0))
    return np.concatenate(kept)
