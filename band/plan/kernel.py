"""The ``best_plan`` kernel: which chain of spans finishes a job first, given who waits how long.

Dynamic programme over (unit boundary, processor holding the data) with one earliest-finish label
each: arrival = previous finish + transfer, start = max(wait, arrival). With free transfers one
label per boundary is enough; then it is Band's programme over merged unit subgraphs.

Three bounds keep it short. Above: no plan is later than the best one on the processors that are
free now, or than the idle plan begun once everybody is free. Below: a hop still takes its cost and
the idle tail of where it leads. And a busy processor whose wait, with the shortest way to the end
through it, is past the upper bound is left out altogether. Only what is strictly too late is
skipped, so every label that is left, ties included, is the one that the plain programme computes.
"""

from collections.abc import Sequence
from typing import Final

from band.plan.best import BestPlan, FirstStep, Step
from band.plan.hops import DOWN_US, UNREACHABLE_US, Hop, Hops
from band.plan.labels import Found, labels
from band.plan.table import PlanTable

_new: Final = tuple.__new__  # a NamedTuple's own constructor takes twice as long

MAX_SUBSETS: Final = 256
"""Sets of processors whose hops are kept; beyond it searches are longer, not other."""


class _Free:
    """What is known of one set of free processors.

    Attributes:
        mask: of the free processors.
        busy: (index, mask) of the others.
        busy_mask: of the others.
        tails_us: per state the earliest finish on the free ones alone.
        firsts: per state the best start on the free ones alone, once known.
    """

    __slots__ = ("busy", "busy_mask", "firsts", "mask", "tails_us")

    def __init__(self, mask: int, count: int, tails_us: Sequence[int]) -> None:
        self.mask = mask
        self.busy = tuple((p, 1 << p) for p in range(count) if not mask >> p & 1)
        self.busy_mask = (1 << count) - 1 & ~mask
        self.tails_us = tails_us
        self.firsts: dict[int, FirstStep] = {}


class Kernel:
    """Answers best-plan questions about one immutable table; build one per table version.

    Building is cheap: everything is made when it is first asked for.

    Args:
        table: the plan table.
    """

    __slots__ = ("_after_us", "_free", "_idle", "_subsets", "_whole", "table")

    def __init__(self, table: PlanTable) -> None:
        self.table = table
        self._whole: Hops | None = None
        self._after_us: list[list[int]] = []
        self._subsets: dict[int, Hops] = {}
        self._free: dict[tuple[bool, ...], _Free] = {}
        self._idle: dict[int, FirstStep | None] = {}

    def __reduce__(self) -> tuple[type["Kernel"], tuple[PlanTable]]:
        """Be copied and travel between processes as the table alone: the rest is found again."""
        return Kernel, (self.table,)

    def best(
        self,
        start_unit: int,
        waits_us: Sequence[int],
        holder: int = -1,
        only_processor: int = -1,
    ) -> FirstStep | None:
        """Return how the best plan starts: the hot form of :meth:`plan`.

        Args:
            start_unit: first unit that is not finished, below the number of units.
            waits_us: per processor, time from now until it is free; ``DOWN_US`` if it is down.
            holder: processor that holds the boundary tensors, -1 for none.
            only_processor: use this processor alone; -1 for any.

        Returns:
            The start of the plan, or None if what remains cannot run.
        """
        free = self._free.get(tuple(map(bool, waits_us))) or self._sort_out(waits_us)
        hops = self._whole or self._hops_of_all()
        start = hops.state(start_unit, holder) if hops.holders > 1 else start_unit
        if only_processor < 0:
            idle = self._idle.get(start) or self._idle_first(start)
            if idle is None or not idle.touches & free.busy_mask:
                return idle
            useful, longest_us = self._useful(free, start_unit, start, waits_us)
            if useful == free.mask:
                known = free.firsts.get(start)
                if known is not None:
                    return known
            found = self._search(useful, start, waits_us, longest_us, free.tails_us[start])
        else:
            useful, longest_us = self._only(only_processor, waits_us)
            found = self._search(useful, start, waits_us, longest_us, UNREACHABLE_US)
        if found is None:
            return None
        first = _first_step(found, start)
        if useful == free.mask:
            free.firsts[start] = first
        return first

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
        free = self._free.get(tuple(map(bool, waits_us))) or self._sort_out(waits_us)
        hops = self._whole or self._hops_of_all()
        start = hops.state(start_unit, holder) if hops.holders > 1 else start_unit
        limit_us = UNREACHABLE_US
        if only_processor < 0:
            useful, longest_us = self._useful(free, start_unit, start, waits_us)
            limit_us = free.tails_us[start]
        else:
            useful, longest_us = self._only(only_processor, waits_us)
        found = self._search(useful, start, waits_us, longest_us, limit_us)
        if found is None:
            return None
        finish, parent, _ = found
        state = hops.last_state
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
            self._after_us = self._whole.shortest_through_us()
        return self._whole

    def _sort_out(self, waits_us: Sequence[int]) -> _Free:
        """Return what is known of the processors that are free now; kept per set of them."""
        mask = sum(1 << p for p, wait in enumerate(waits_us) if not wait)
        if len(self._free) >= MAX_SUBSETS:
            return _Free(mask & 0, len(waits_us), self._hops(0).tails_us)
        free = _Free(mask, len(waits_us), self._hops(mask).tails_us)
        self._free[tuple(map(bool, waits_us))] = free
        return free

    def _useful(
        self, free: _Free, start_unit: int, start: int, waits_us: Sequence[int]
    ) -> tuple[int, int]:
        """Return the processors that a best plan may use, and the longest wait among them."""
        useful, longest_us = free.mask, 0
        limit_us = free.tails_us[start]
        if not self._after_us:
            self._hops_of_all()
        after_us = self._after_us[start_unit]
        for processor, bit in free.busy:
            wait_us = waits_us[processor]
            if wait_us + after_us[processor] <= limit_us and wait_us < DOWN_US:
                useful |= bit
                longest_us = wait_us if wait_us > longest_us else longest_us
        return useful, longest_us

    def _only(self, processor: int, waits_us: Sequence[int]) -> tuple[int, int]:
        """Return the mask and the wait of one processor; one that does not exist is down."""
        useful = self._hops(1 << processor).allowed
        return useful, waits_us[processor] if processor < len(waits_us) else DOWN_US

    def _idle_first(self, start: int) -> FirstStep | None:
        """Return how the best plan starts when nothing waits."""
        if start not in self._idle:
            hops = self._hops_of_all()
            waits_us = (0,) * len(self.table.processors)
            found = self._search((1 << len(waits_us)) - 1, start, waits_us, 0, hops.tails_us[start])
            self._idle[start] = None if found is None else _first_step(found, start)
        return self._idle[start]

    def _search(
        self, useful: int, start: int, waits_us: Sequence[int], longest_us: int, limit_us: int
    ) -> Found | None:
        """Return what each state is reached at and by; None if the end cannot be reached.

        Args:
            useful: mask of the processors to use.
            start: state to begin from.
            waits_us: per processor.
            longest_us: the longest wait of these processors.
            limit_us: no best plan is later than this.
        """
        hops = self._subsets.get(useful)
        if hops is None and len(self._subsets) < 2 * MAX_SUBSETS:
            hops = self._hops(useful)
        if hops is None:
            hops, longest_us, limit_us = self._hops_of_all(), DOWN_US, min(limit_us, DOWN_US - 1)
        else:
            idle_us = longest_us + hops.tails_us[start]
            limit_us = idle_us if idle_us < limit_us else limit_us
        if limit_us >= DOWN_US:
            return None
        found = labels(hops, start, waits_us, longest_us, limit_us)
        return None if found[0][-1] >= DOWN_US else found


def _first_step(found: Found, start: int) -> FirstStep:
    """Return how the plan that was found starts."""
    finish, parent, tied = found
    hop = parent[-1]
    used = 1 << hop.processor
    while hop.source != start:
        hop = parent[hop.source]
        used |= 1 << hop.processor
    return _new(FirstStep, (finish[-1], hop.span, finish[hop.target], -1 if tied else used))


def _idle_steps(chain: Sequence[Hop]) -> tuple[Step, ...]:
    """Return the steps of a chain when nothing waits."""
    steps = []
    finish = 0
    for hop in chain:
        start = finish + hop.transfer_us
        finish = start + hop.cost_us
        steps.append(Step(hop.span, start, finish))
    return tuple(steps)
