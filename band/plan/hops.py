"""Plan tables flattened for search: per boundary the hops that leave it, and the idle tails.

A *hop* is one span seen as an edge from its first unit to the unit after its last one. The
*idle tail* of a boundary is the earliest finish from there when every processor is free. It is
exact when nothing waits and a lower bound otherwise, because finish = max(wait, arrival) + cost
never falls when a wait rises.

Ties have one total order everywhere in this package: latency, then chain length, then the steps
compared one after another by (processor, end unit).
"""

import heapq
from collections.abc import Sequence
from typing import Final, NamedTuple

from band.plan.table import PlanTable, Span

DOWN_US: Final = 1 << 60
"""A wait of this length or more means that the processor is down and must not be chosen."""

UNREACHABLE_US: Final = 1 << 62
LENGTH_BITS: Final = 20
"""A rank packs (latency, chain length) into one int with this many bits of length."""


class Hop(NamedTuple):
    """A span as an edge of the search.

    Attributes:
        bound_us: transfer + cost + idle tail: the least that a plan through it still takes.
        transfer_us: time to bring the boundary's tensors from the holder.
        cost_us: execution time.
        processor: where it runs.
        target: state it leads to.
        tail_us: idle tail of that state.
        source: state it leaves.
        span: what it runs.
    """

    bound_us: int
    transfer_us: int
    cost_us: int
    processor: int
    target: int
    tail_us: int
    source: int
    span: Span


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
        "_hops",
        "_ranks",
        "_spans",
        "_table",
        "holders",
        "last_state",
        "tails_us",
        "unit_count",
    )

    def __init__(self, table: PlanTable, allowed: int) -> None:
        count = len(table.processors)
        self._table = table
        self.unit_count = table.unit_count
        self.holders = count + 1 if table.has_transfers else 1
        self.last_state = table.unit_count * self.holders
        self._spans: list[list[Span]] = [[] for _ in range(table.unit_count)]
        for span in table.spans:
            if allowed >> span.processor & 1:
                self._spans[span.first].append(span)
        self._ranks = self._idle_ranks()
        self.tails_us = [rank >> LENGTH_BITS for rank in self._ranks]
        self._hops: list[tuple[Hop, ...] | None] = [None] * (self.last_state + 1)

    def state(self, boundary: int, holder: int) -> int:
        """Return the state of a boundary whose data ``holder`` has (-1: nobody)."""
        if self.holders == 1:
            return boundary
        if boundary == self.unit_count:
            return self.last_state
        return boundary * self.holders + (holder if holder >= 0 else self.holders - 1)

    def leaving(self, state: int) -> tuple[Hop, ...]:
        """Return the hops that leave a state and can still finish, by ascending bound."""
        hops = self._hops[state]
        if hops is None:
            hops = self._hops[state] = self._make(state)
        return hops

    def _make(self, state: int) -> tuple[Hop, ...]:
        boundary, holder = divmod(state, self.holders)
        moves = self._moves(boundary, holder)
        found = []
        for span in self._spans[boundary]:
            target = self.state(span.last + 1, span.processor)
            tail = self.tails_us[target]
            if tail < UNREACHABLE_US:
                move = moves[span.processor]
                found.append(
                    Hop(
                        bound_us=move + span.cost_us + tail,
                        transfer_us=move,
                        cost_us=span.cost_us,
                        processor=span.processor,
                        target=target,
                        tail_us=tail,
                        source=state,
                        span=span,
                    )
                )
        return tuple(sorted(found))

    def _moves(self, boundary: int, holder: int) -> Sequence[int]:
        """Return per processor the transfer time from the holder at a boundary."""
        count = len(self._table.processors)
        if self.holders == 1 or holder == count:
            return (0,) * count
        return self._table.transfer_us[boundary][holder]

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

    def idle_plan(self, state: int) -> IdlePlan | None:
        """Return the best plan from a state when nothing waits; None if it cannot finish."""
        latency = self.tails_us[state]
        if latency >= UNREACHABLE_US:
            return None
        chain: list[Hop] = []
        while state != self.last_state:
            tight = (h for h in self.leaving(state) if self.rank(h) == self._ranks[state])
            chain.append(min(tight, key=lambda h: (h.processor, h.span.last)))
            state = chain[-1].target
        return IdlePlan(latency, tuple(chain))

    def k_best(self, state: int, k: int) -> list[IdlePlan]:
        """Return the k best plans from a state when nothing waits, in the order of ties.

        A best-first search with exact remainders: each plan costs as many expansions as it has
        steps, whatever the number of plans that tie.
        """
        heap: list[tuple[int, tuple[tuple[int, int], ...], int, tuple[Hop, ...]]] = []
        if self.tails_us[state] < UNREACHABLE_US:
            heap.append((self._ranks[state], (), state, ()))
        found: list[IdlePlan] = []
        while heap and len(found) < k:
            rank, order, state, chain = heapq.heappop(heap)
            if state == self.last_state:
                found.append(IdlePlan(rank >> LENGTH_BITS, chain))
                continue
            spent = rank - self._ranks[state]
            for hop in self.leaving(state):
                step = (hop.processor, hop.span.last)
                entry = (spent + self.rank(hop), (*order, step), hop.target, (*chain, hop))
                heapq.heappush(heap, entry)
        return found
