"""Best plans on one effective table: remembered while it is in force, dropped with it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from band.plan.best import BestPlan, FirstStep, Step
from band.plan.kernel import Kernel
from band.plan.table import PlanTable

_PARTIAL_KERNELS: Final = 256
_IDLE_PLANS: Final = 4096


class IdlePlan(NamedTuple):
    """The best plan of a job state when nothing waits.

    While no processor's wait exceeds the time at which the plan first needs it, the plan is still
    the best one, ties included: waits only ever make plans later, and this one they do not.

    Attributes:
        plan: None if what remains cannot run, whatever the waits.
        first: how it starts.
        starts: (processor, start_us) of each step; a time that no wait keeps where the plan would
            not stay the best one, since others are equally good.
    """

    plan: BestPlan | None
    first: FirstStep | None
    starts: tuple[tuple[int, int], ...]


JobState = tuple[int, int, int, int]
"""(finished, running, holder, processor it is pinned to), as in a JobView."""


class Plans:
    """Answers what a job can still run and how it finishes first.

    Args:
        table: loaded spans on processors that are up.

    Attributes:
        chain: every unit needs the one before it, so a job never runs two tasks at once.
        idle_plans: those found so far.
    """

    __slots__ = ("_feasible", "_kernel", "_partial", "_table", "all_units", "chain", "idle_plans")

    def __init__(self, table: PlanTable) -> None:
        self._table = table
        self._kernel: Kernel | None = None
        self._partial: dict[int, tuple[Kernel, tuple[int, ...]]] = {}
        self._feasible: dict[tuple[int, int], bool] = {}
        self.idle_plans: dict[JobState, IdlePlan] = {}
        self.all_units = table.all_units
        self.chain = is_chain(table)

    def __reduce__(self) -> tuple[type["Plans"], tuple[PlanTable]]:
        """Travel between processes as the table alone: the rest is found again."""
        return Plans, (self._table,)

    def idle_plan(self, state: JobState) -> IdlePlan:
        """Return the best plan of a job state for the case that nothing waits."""
        known = self.idle_plans.get(state)
        if known is None:
            if len(self.idle_plans) >= _IDLE_PLANS:
                self.idle_plans.clear()
            idle = (0,) * len(self._table.processors)
            plan, first = self.best_plan(state, idle), self.first_step(state, idle)
            starts: tuple[tuple[int, int], ...] = ()
            if first is not None and first.touches < 0:
                starts = ((first.span.processor, -1),)
            elif plan is not None:
                starts = tuple((step.span.processor, step.start_us) for step in plan.steps)
            known = self.idle_plans[state] = IdlePlan(plan, first, starts)
        return known

    def first_step(self, state: JobState, waits_us: Sequence[int]) -> FirstStep | None:
        """Return how the plan starts that :meth:`best_plan` returns."""
        finished, running, holder, pin = state
        if not running and not finished & (finished + 1):
            kernel = self._kernel or self._whole_kernel()
            return kernel.best(finished.bit_length(), waits_us, holder, pin)
        plan = self.best_plan(state, waits_us)
        if plan is None:
            return None
        span, _, finish_us = plan.steps[0]
        return FirstStep(plan.latency_us, span, finish_us, -1)

    def best_plan(self, state: JobState, waits_us: Sequence[int]) -> BestPlan | None:
        """Return the earliest-finish plan for what can run of a job, None if there is none.

        With a prefix of the units finished and none running that is the whole rest. Otherwise it
        covers the units that need no running one, and leaves the rest able to finish.
        """
        finished, running, holder, pin = state
        if not running and not finished & (finished + 1):
            kernel = self._kernel or self._whole_kernel()
            return kernel.plan(finished.bit_length(), waits_us, holder, pin)
        units = self.ready_units(finished, running)
        plan = self._plan_of(units, waits_us, holder, pin)
        if plan is None or not running:
            return plan
        first = plan.steps[0].span.units
        return plan if self.can_finish(finished | running | first, pin) else None

    def can_finish(self, finished: int, pin: int) -> bool:
        """Return whether loaded spans on processors that are up can run all unfinished units."""
        key = (finished, pin)
        known = self._feasible.get(key)
        if known is None:
            rest = self.all_units & ~finished
            idle = (0,) * len(self._table.processors)
            known = rest == 0 or self._plan_of(rest, idle, -1, pin) is not None
            self._feasible[key] = known
        return known

    def ready_units(self, finished: int, running: int) -> int:
        """Return the mask of units that can be run without waiting for a running one."""
        if self.chain:
            return 0 if running else self.all_units & ~finished
        ready = 0
        for unit, needs in enumerate(self._table.dependencies):
            if not (finished | running) >> unit & 1 and needs & ~(finished | ready) == 0:
                ready |= 1 << unit
        return ready

    def has_ready_units(self, finished: int, running: int) -> bool:
        """Return whether a unit of an unfinished job can be run without waiting for another."""
        return not running if self.chain else self.ready_units(finished, running) != 0

    def _plan_of(
        self, units: int, waits_us: Sequence[int], holder: int, pin: int
    ) -> BestPlan | None:
        """Return the best plan for any set of units: the kernel's on a table of only these."""
        if units == 0:
            return None
        start = (units & -units).bit_length() - 1
        if units == self.all_units >> start << start:
            return self._whole_kernel().plan(start, waits_us, holder, pin)
        if units not in self._partial:
            if len(self._partial) >= _PARTIAL_KERNELS:
                self._partial.clear()
            members = tuple(u for u in range(self._table.unit_count) if units >> u & 1)
            self._partial[units] = (Kernel(_table_of(self._table, members)), members)
        kernel, members = self._partial[units]
        plan = kernel.plan(1, waits_us, holder, pin)
        if plan is None:
            return None
        return plan._replace(steps=tuple(self._original(step, members) for step in plan.steps))

    def _whole_kernel(self) -> Kernel:
        if self._kernel is None:
            self._kernel = Kernel(self._table)
        return self._kernel

    def _original(self, step: Step, members: tuple[int, ...]) -> Step:
        first, last = members[step.span.first - 1], members[step.span.last - 1]
        span = self._table.find(first, last, step.span.processor)
        assert span is not None
        return step._replace(span=span)


def is_chain(table: PlanTable) -> bool:
    """Return whether every unit needs the one before it."""
    return all(table.dependencies[unit] >> (unit - 1) & 1 for unit in range(1, table.unit_count))


def _table_of(table: PlanTable, members: tuple[int, ...]) -> PlanTable:
    """Return a table of some units only, renumbered from 1.

    Unit 0 stands for all that is finished, so that data of an earlier task is still charged for
    moving at the boundary where the first member starts.
    """
    place = {unit: index for index, unit in enumerate(members, start=1)}
    spans = tuple(
        s._replace(first=place[s.first], last=place[s.last])
        for s in table.spans
        if all(unit in place for unit in range(s.first, s.last + 1))
    )
    rows = (table.transfer_us[0], *(table.transfer_us[u] for u in members), table.transfer_us[-1])
    return replace(
        table,
        unit_count=len(members) + 1,
        dependencies=(0, *((1 << index) - 1 for index in range(1, len(members) + 1))),
        spans=spans,
        transfer_us=rows,
    )
