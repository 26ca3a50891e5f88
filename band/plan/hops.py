"""Plan tables flattened for search: per boundary the hops that leave it, and the idle tails.

A *hop* is one span seen as an edge from its first unit to the unit after its last one. The
*idle tail* of a boundary is the earliest finish from there when every processor is free. It is
exact when nothing waits and a lower bound otherwise, because finish = max(wait, arrival) + cost
never falls when a wait rises.

Ties have one total order everywhere in this package: latency, then chain length, then the steps
compared one after another by (processor, end unit).
"""

import heapq
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from band.plan.table import PlanTable, Span

DOWN_US: Final = 1 << 60
"""A wait of this length or more means that the processor is down and must not be chosen."""

UNREACHABLE_US: Final = 1 << 62
LENGTH_BITS: Final = 20
"""A rank packs (latency, chain length) into one int with this many bits of length."""


MAX_EXPANSIONS: Final = 20_000
"""Where the search for the k best plans stops; far above what tables of 256 units need."""


class Hop(NamedTuple):
    """A span as an edge of the search.

    Attributes:
        source, target: the states it leads from and to.
        processor: where it runs.
        transfer_us: time to bring the boundary's tensors from the holder.
        cost_us: execution time.
        span: what it runs.
    """

    source: int
    target: int
    processor: int
    transfer_us: int
    cost_us: int
    span: Span


FlatHop = tuple[int, int, int, int, int, Hop]
"""(bound_us, transfer_us, cost_us, processor, target, hop), what the inner loop reads.

The bound is transfer + cost + tail: the least that a plan through the hop still takes.
"""


class IdlePlan(NamedTuple):
    """A plan for the case that every processor is free."""

    latency_us: int
    chain: tuple[Hop, ...]


class Hops:
    """All hops of a table over the allowed processors, with idle tails.

    A state is (boundary, holder), numbered ``boundary * holders + holder``. On a device with free
    transfers there is one holder, so a state is a boundary. Otherwise there is one per processor
    and a last one for "no processor holds data yet". All ways of finishing share one last state.

    Args:
        table: the plan table.
        allowed: mask of the processors that may be used.
    """

    __slots__ = (
        "_ranks", "_spans", "_table", "allowed", "holders", "last_state", "leaving", "no_parents",
        "tails_us", "unit_count",
    )  # fmt: skip

    def __init__(self, table: PlanTable, allowed: int) -> None:
        count = len(table.processors)
        self._table = table
        self.allowed = allowed
        self.unit_count = table.unit_count
        self.holders = count + 1 if table.has_transfers else 1
        self.last_state = table.unit_count * self.holders
        self._spans: list[list[Span]] = [[] for _ in range(table.unit_count)]
        for span in table.spans:
            if allowed >> span.processor & 1:
                self._spans[span.first].append(span)
        self._ranks = self._idle_ranks()
        self.tails_us = [rank >> LENGTH_BITS for rank in self._ranks]
        self.leaving: list[tuple[FlatHop, ...] | None] = [None] * (self.last_state + 1)
        nowhere = Hop(0, 0, 0, 0, 0, Span(0, 0, 0, 0))
        self.no_parents = [nowhere] * (self.last_state + 1)

    def state(self, boundary: int, holder: int) -> int:
        """Return the state of a boundary whose data ``holder`` has (-1: nobody)."""
        if self.holders == 1:
            return boundary
        if boundary == self.unit_count:
            return self.last_state
        return boundary * self.holders + (holder if holder >= 0 else self.holders - 1)

    def make(self, state: int) -> tuple[FlatHop, ...]:
        """Return the hops that leave a state and can still finish, by ascending bound.

        They are kept in ``leaving``, where the inner loop looks first.
        """
        hops = self.leaving[state]
        if hops is not None:
            return hops
        boundary, holder = divmod(state, self.holders)
        moves = self._moves(boundary, holder)
        found: list[FlatHop] = []
        for span in self._spans[boundary]:
            target = self.state(span.last + 1, span.processor)
            tail = self.tails_us[target]
            if tail < UNREACHABLE_US:
                move = moves[span.processor]
                hop = Hop(state, target, span.processor, move, span.cost_us, span)
                bound = move + span.cost_us + tail
                found.append((bound, move, span.cost_us, span.processor, target, hop))
        hops = self.leaving[state] = tuple(sorted(found))
        return hops

    def _moves(self, boundary: int, holder: int) -> Sequence[int]:
        """Return per processor the transfer time from the holder at a boundary."""
        count = len(self._table.processors)
        if self.holders == 1 or holder == count:
            return (0,) * count
        return self._table.transfer_us[boundary][holder]

    def shortest_through_us(self) -> list[list[int]]:
        """Return per unit and processor the least time from a start there to the end.

        That start may be at any boundary from that unit on: whatever runs before it, a plan that
        uses the processor is not over sooner.
        """
        rows = [[UNREACHABLE_US] * len(self._table.processors)]
        for spans in reversed(self._spans):
            row = rows[-1].copy()
            for span in spans:
                through = span.cost_us + self.tails_us[self.state(span.last + 1, span.processor)]
                row[span.processor] = min(row[span.processor], through)
            rows.append(row)
        rows.reverse()
        return rows

    def _idle_ranks(self) -> list[int]:
        ranks = [UNREACHABLE_US << LENGTH_BITS] * (self.last_state + 1)
        ranks[self.last_state] = 0
        count = len(self._table.processors)
        for boundary in range(self.unit_count - 1, -1, -1):
            best = [UNREACHABLE_US << LENGTH_BITS] * count
            for span in self._spans[boundary]:
                rest = ranks[self.state(span.last + 1, span.processor)]
                rank = (span.cost_us << LENGTH_BITS) + 1 + rest
                best[span.processor] = min(best[span.processor], rank)
            for holder in range(self.holders):
                moves = self._moves(boundary, holder)
                through = ((m << LENGTH_BITS) + b for m, b in zip(moves, best, strict=True))
                state = boundary * self.holders + holder
                ranks[state] = min(ranks[state], *through)
        return ranks

    def rank(self, hop: Hop) -> int:
        """Return what a hop and the best idle plan after it take: packed (latency, length)."""
        return ((hop.transfer_us + hop.cost_us) << LENGTH_BITS) + 1 + self._ranks[hop.target]

    def k_best(self, state: int, k: int) -> list[IdlePlan]:
        """Return the k best plans from a state when nothing waits, in the order of ties.

        A best-first search with the idle tails as remainders. Plans that only cut what one span
        of the same processor runs at no higher cost are left out: whatever waits, they are no
        better. Gives up on finding more after ``MAX_EXPANSIONS``.
        """
        costs = {(s.first, s.last, s.processor): s.cost_us for row in self._spans for s in row}
        heap: list[tuple[int, tuple[tuple[int, int], ...], int, tuple[Hop, ...]]] = []
        if self.tails_us[state] < UNREACHABLE_US:
            heap.append((self._ranks[state], (), state, ()))
        found: list[IdlePlan] = []
        expansions = 0
        while heap and len(found) < k and expansions < MAX_EXPANSIONS:
            rank, order, state, chain = heapq.heappop(heap)
            if state == self.last_state:
                found.append(IdlePlan(rank >> LENGTH_BITS, chain))
                continue
            expansions += 1
            spent = rank - self._ranks[state]
            for *_, hop in self.make(state):
                if chain and _only_cuts(chain[-1].span, hop.span, costs):
                    continue
                step = (hop.processor, hop.span.last)
                entry = (spent + self.rank(hop), (*order, step), hop.target, (*chain, hop))
                heapq.heappush(heap, entry)
        return found


def _only_cuts(before: Span, after: Span, costs: Mapping[tuple[int, int, int], int]) -> bool:
    """Return whether one span of the same processor runs what these two run, at no higher cost."""
    if before.processor != after.processor:
        return False
    joined = costs.get((before.first, after.last, before.processor))
    return joined is not None and joined <= before.cost_us + after.cost_us
