"""The ``best_plan`` kernel: which chain of spans finishes a job first, given who waits how long.

Dynamic programme over (unit boundary, processor holding the data) with one earliest-finish label
each: arrival = previous finish + transfer, start = max(wait, arrival). With free transfers one
label per boundary is enough; then it is Band's programme over merged unit subgraphs. Labels are
extended forwards, and a hop is skipped when even its idle tail would finish after the best known
upper bound. Only strictly worse hops are skipped, so every label that is left, ties included,
is the one that the plain programme computes.
"""

from collections.abc import Sequence

from band.plan.best import BestPlan, Step
from band.plan.hops import DOWN_US, UNREACHABLE_US, Hop, Hops
from band.plan.table import PlanTable

HotPlan = tuple[int, int, int, int]
"""(latency_us, processor of the first step, its last unit, mask of all processors used)."""

_Found = tuple[int, list[Hop]]


class Kernel:
    """Answers best-plan questions about one immutable table; build one per table version.

    Args:
        table: the plan table.
    """

    __slots__ = ("_all", "_count", "_variants", "table")

    def __init__(self, table: PlanTable) -> None:
        self.table = table
        self._count = len(table.processors)
        self._all = (1 << self._count) - 1
        self._variants: dict[int, Hops] = {}

    def best(self, start_unit: int, waits_us: Sequence[int], holder: int = -1) -> HotPlan | None:
        """Return the hot form of the best plan.

        Args:
            start_unit: first unit that is not finished.
            waits_us: per processor, time from now until it is free; ``DOWN_US`` if it is down.
            holder: processor that holds the boundary tensors, -1 for none.

        Returns:
            (latency_us, first processor, last unit of the first step, mask of processors used),
            or None if what remains cannot run.
        """
        found = self._search(start_unit, waits_us, holder, self._all)
        if found is None:
            return None
        latency, chain = found
        mask = 0
        for hop in chain:
            mask |= 1 << hop.processor
        return latency, chain[0].processor, chain[0].span.last, mask

    def plan(
        self,
        start_unit: int,
        waits_us: Sequence[int],
        holder: int = -1,
        only_processor: int = -1,
    ) -> BestPlan | None:
        """Return the best plan with all its steps, or None if what remains cannot run.

        Args:
            start_unit: first unit that is not finished.
            waits_us: per processor, time from now until it is free; ``DOWN_US`` if it is down.
            holder: processor that holds the boundary tensors, -1 for none.
            only_processor: use this processor alone; -1 for any.
        """
        allowed = self._all if only_processor < 0 else 1 << only_processor
        found = self._search(start_unit, waits_us, holder, allowed)
        if found is None:
            return None
        latency, chain = found
        return BestPlan(latency, _steps(chain, waits_us))

    def k_best(self, k: int) -> tuple[BestPlan, ...]:
        """Return the k best plans of an idle device, best first, each a distinct chain of spans.

        Fewer than k if the table does not have that many.
        """
        hops = self._hops(self._all)
        idle = (0,) * self._count
        return tuple(
            BestPlan(plan.latency_us, _steps(plan.chain, idle))
            for plan in hops.k_best(hops.state(0, -1), k)
        )

    def _hops(self, allowed: int) -> Hops:
        hops = self._variants.get(allowed)
        if hops is None:
            hops = self._variants[allowed] = Hops(self.table, allowed)
        return hops

    def _search(
        self, start_unit: int, waits_us: Sequence[int], holder: int, allowed: int
    ) -> _Found | None:
        longest = max(waits_us)
        if longest >= DOWN_US:
            up = [w for w in waits_us if w < DOWN_US]
            allowed &= sum(1 << p for p, w in enumerate(waits_us) if w < DOWN_US)
            longest = max(up, default=0)
        hops = self._hops(allowed)
        start = hops.state(start_unit, holder)
        if hops.tails_us[start] >= UNREACHABLE_US:
            return None
        finish, parent = _labels(hops, start, waits_us, longest)
        return finish[hops.last_state], _chain(parent, hops.last_state, start)


def _steps(chain: Sequence[Hop], waits_us: Sequence[int]) -> tuple[Step, ...]:
    steps = []
    finish = 0
    for hop in chain:
        start = max(finish + hop.transfer_us, waits_us[hop.processor])
        finish = start + hop.cost_us
        steps.append(Step(hop.span, start, finish))
    return tuple(steps)


def _labels(
    hops: Hops, start: int, waits_us: Sequence[int], longest_us: int
) -> tuple[list[int], list[Hop | None]]:
    """Return per state the earliest finish and the hop it was reached by."""
    last = hops.last_state
    tails = hops.tails_us
    finish = [UNREACHABLE_US] * (last + 1)
    parent: list[Hop | None] = [None] * (last + 1)
    finish[start] = 0
    limit = longest_us + tails[start]
    for state in range(start, last):
        ready = finish[state]
        if ready + tails[state] > limit:
            continue
        for hop in hops.leaving(state):
            bound, move, cost, processor, target, tail, _, _ = hop
            if ready + bound > limit:
                break
            begin = ready + move
            wait = waits_us[processor]
            done = (wait if wait > begin else begin) + cost
            if done + tail > limit:
                continue
            if done < finish[target]:
                finish[target] = done
                parent[target] = hop
                reach = (done if done > longest_us else longest_us) + tail
                limit = min(limit, reach)
            elif done == finish[target] and _precedes(hop, target, parent, start):
                parent[target] = hop
    return finish, parent


def _precedes(hop: Hop, target: int, parent: list[Hop | None], start: int) -> bool:
    """Return whether reaching ``target`` by ``hop`` comes first in the order of ties."""
    ours = [*_chain(parent, hop.source, start), hop]
    theirs = _chain(parent, target, start)
    return _order(ours) < _order(theirs)


def _order(chain: list[Hop]) -> tuple[int, list[tuple[int, int]]]:
    return len(chain), [(h.processor, h.span.last) for h in chain]


def _chain(parent: list[Hop | None], state: int, start: int) -> list[Hop]:
    """Return the hops from ``start`` to a state."""
    chain = []
    while state != start:
        hop = parent[state]
        assert hop is not None
        chain.append(hop)
        state = hop.source
    chain.reverse()
    return chain
