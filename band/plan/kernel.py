"""The ``best_plan`` kernel: which chain of spans finishes a job first, given who waits how long.

Dynamic programme over (unit boundary, processor holding the data) with one earliest-finish label
each: arrival = previous finish + transfer, start = max(wait, arrival). With free transfers one
label per boundary is enough; then it is Band's programme over merged unit subgraphs.

Two bounds keep it short. Below: a hop still takes its cost and the idle tail of where it leads.
Above: no plan is later than the best one on the processors that are free now, or than the idle
plan begun once everybody is free. Hops whose lower bound exceeds the upper one are skipped, and
only strictly, so every label that is left, ties included, is the one that the plain programme
computes.
"""

from collections.abc import Sequence
from typing import Final

from band.plan.best import BestPlan, Step
from band.plan.hops import DOWN_US, UNREACHABLE_US, Hop, Hops
from band.plan.table import PlanTable

_new: Final = tuple.__new__  # a NamedTuple's own constructor takes twice as long

HotPlan = tuple[int, int, int, int]
"""(latency_us, processor of the first step, its last unit, mask of all processors used)."""

MAX_SUBSETS: Final = 256
"""Subsets of processors whose idle tails are kept; beyond it the first upper bound is not used."""


class Kernel:
    """Answers best-plan questions about one immutable table; build one per table version.

    Building is cheap: everything is made when it is first asked for.

    Args:
        table: the plan table.
    """

    __slots__ = ("_free_tails", "_subsets", "_whole", "table")

    def __init__(self, table: PlanTable) -> None:
        self.table = table
        self._whole: Hops | None = None
        self._subsets: dict[int, Hops] = {}
        self._free_tails: dict[tuple[bool, ...], list[int]] = {}

    def best(self, start_unit: int, waits_us: Sequence[int], holder: int = -1) -> HotPlan | None:
        """Return the hot form of the best plan.

        Args:
            start_unit: first unit that is not finished, below the number of units.
            waits_us: per processor, time from now until it is free; ``DOWN_US`` if it is down.
            holder: processor that holds the boundary tensors, -1 for none.

        Returns:
            (latency_us, first processor, last unit of the first step, mask of processors used),
            or None if what remains cannot run.
        """
        found = self._search(start_unit, waits_us, holder, -1)
        if found is None:
            return None
        finish, parent, start, last = found
        hop = parent[last]
        mask = 1 << hop.processor
        while hop.source != start:
            hop = parent[hop.source]
            mask |= 1 << hop.processor
        return finish[last], hop.processor, hop.span.last, mask

    def plan(
        self,
        start_unit: int,
        waits_us: Sequence[int],
        holder: int = -1,
        only_processor: int = -1,
    ) -> BestPlan | None:
        """Return the best plan with all its steps, or None if what remains cannot run.

        Args:
            start_unit: first unit that is not finished, below the number of units.
            waits_us: per processor, time from now until it is free; ``DOWN_US`` if it is down.
            holder: processor that holds the boundary tensors, -1 for none.
            only_processor: use this processor alone; -1 for any.
        """
        found = self._search(start_unit, waits_us, holder, only_processor)
        if found is None:
            return None
        finish, parent, start, state = found
        latency_us = finish[state]
        steps = []
        while state != start:
            hop, done_us = parent[state], finish[state]
            steps.append(_new(Step, (hop.span, done_us - hop.cost_us, done_us)))
            state = hop.source
        steps.reverse()
        return _new(BestPlan, (latency_us, tuple(steps)))

    def k_best(self, k: int) -> tuple[BestPlan, ...]:
        """Return the k best plans of an idle device, best first, each a distinct chain of spans.

        A chain that only cuts what one span of the same processor runs at no higher cost does not
        count. Fewer than k if the table does not have that many.
        """
        hops = self._hops_of_all()
        return tuple(
            BestPlan(plan.latency_us, _idle_steps(plan.chain))
            for plan in hops.k_best(hops.state(0, -1), k)
        )

    def _hops(self, allowed: int) -> Hops:
        hops = self._subsets.get(allowed)
        if hops is None:
            hops = self._subsets[allowed] = Hops(self.table, allowed)
        return hops

    def _hops_of_all(self) -> Hops:
        if self._whole is None:
            self._whole = self._hops((1 << len(self.table.processors)) - 1)
        return self._whole

    def _search(
        self, start_unit: int, waits_us: Sequence[int], holder: int, only: int
    ) -> tuple[list[int], list[Hop], int, int] | None:
        """Return what each state is reached at and by, the first state and the last one."""
        longest = max(waits_us)
        if only < 0 and longest < DOWN_US:
            hops = self._whole or self._hops_of_all()
        else:
            usable = [p for p, wait in enumerate(waits_us) if wait < DOWN_US and only in (-1, p)]
            hops = self._hops(sum(1 << p for p in usable))
            longest = max((waits_us[p] for p in usable), default=0)
        start = hops.state(start_unit, holder) if hops.holders > 1 else start_unit
        limit = longest + hops.tails_us[start]
        if limit >= UNREACHABLE_US:
            return None
        if only < 0:
            tails = self._free_tails.get(tuple(map(bool, waits_us))) or self._tails(waits_us)
            limit = tails[start] if tails[start] < limit else limit
        finish, parent = _labels(hops, start, waits_us, longest, limit)
        return finish, parent, start, hops.last_state

    def _tails(self, waits_us: Sequence[int]) -> list[int]:
        """Return the idle tails over the processors that are free now; kept per set of them."""
        if len(self._free_tails) >= MAX_SUBSETS:
            return self._hops(0).tails_us
        free = sum(1 << p for p, wait in enumerate(waits_us) if not wait)
        tails = self._hops(free).tails_us
        self._free_tails[tuple(map(bool, waits_us))] = tails
        return tails


def _labels(
    hops: Hops, start: int, waits_us: Sequence[int], longest_us: int, limit_us: int
) -> tuple[list[int], list[Hop]]:
    """Return per state the earliest finish and the hop that it is reached by.

    Args:
        hops: of the processors that may be used.
        start: state to begin from.
        waits_us: per processor.
        longest_us: the longest wait of a processor that may be used.
        limit_us: no best plan is later than this.
    """
    last = hops.last_state
    leaving = hops.leaving
    finish = [UNREACHABLE_US] * (last + 1)
    finish[start] = 0
    parent: list[Hop] = hops.no_parents[:]
    for state in range(start, last):
        ready = finish[state]
        if ready >= limit_us:
            continue
        for bound, move, cost, processor, target, tail, hop in leaving[state] or hops.make(state):
            if ready + bound > limit_us:
                break
            wait = waits_us[processor]
            begin = ready + move
            done = (wait if wait > begin else begin) + cost
            if done + tail > limit_us:
                continue
            known = finish[target]
            if done < known:
                finish[target] = done
                parent[target] = hop
                if done >= longest_us or target == last:
                    limit_us = done + tail
            elif done == known and _precedes(hop, parent[target], parent, start):
                parent[target] = hop
    return finish, parent


def _precedes(hop: Hop, other: Hop, parent: list[Hop], start: int) -> bool:
    """Return whether a chain that ends with ``hop`` comes before one that ends with ``other``."""
    return _order(_chain(parent, hop, start)) < _order(_chain(parent, other, start))


def _order(chain: Sequence[Hop]) -> tuple[int, list[tuple[int, int]]]:
    return len(chain), [(hop.processor, hop.span.last) for hop in chain]


def _chain(parent: list[Hop], hop: Hop, start: int) -> list[Hop]:
    """Return the hops from ``start`` to the end of ``hop``."""
    chain = [hop]
    while hop.source != start:
        hop = parent[hop.source]
        chain.append(hop)
    chain.reverse()
    return chain


def _idle_steps(chain: Sequence[Hop]) -> tuple[Step, ...]:
    """Return the steps of a chain when nothing waits."""
    steps = []
    finish = 0
    for hop in chain:
        start = finish + hop.transfer_us
        finish = start + hop.cost_us
        steps.append(Step(hop.span, start, finish))
    return tuple(steps)
