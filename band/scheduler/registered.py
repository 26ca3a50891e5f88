"""A registered model inside the core: its plan table, what of it can run now, and best plans.

The table that policies see holds only spans that are loaded on a processor that is up, with the
costs learnt so far. Whatever changes that (a slice, a processor, a cost, a new table) makes a new
effective table and a new kernel; nothing derived from the old one survives.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from band.plan.best import BestPlan, Step
from band.plan.kernel import Kernel
from band.plan.table import PlanTable, Span
from band.scheduler.estimator import Estimate, Estimator, SpanId

_PARTIAL_KERNELS: Final = 256
_IDLE_PLANS: Final = 4096


class IdlePlan(NamedTuple):
    """The best plan of a job state when nothing waits.

    While no processor's wait exceeds the time at which the plan first needs it, the plan is still
    the best one, ties included: waits only ever make plans later, and this one they do not.

    Attributes:
        plan: None if what remains cannot run, whatever the waits.
        starts: (processor, start_us) of each step.
    """

    plan: BestPlan | None
    starts: tuple[tuple[int, int], ...]


JobState = tuple[int, int, int, int]
"""(finished, running, holder, processor it is pinned to), as in a JobView."""


class Runnable(NamedTuple):
    """A span that can be dispatched.

    Attributes:
        units: mask of its units.
        needs: units outside it that must be finished before it starts.
        estimate: what its runs have shown.
    """

    span: Span
    units: int
    needs: int
    estimate: Estimate


class RegisteredModel:
    """One model of the core's state. Only the core changes it.

    Attributes:
        name: as registered.
        full: the table with all candidate spans and the costs learnt so far.
        given_version: version of the last table that the driver gave.
        table: the effective table: what is loaded on processors that are up.
        runnable: the spans of the effective table by (units, processor).
        all_units: mask of its units.
        chain: every unit needs the one before it, so a job never runs two tasks at once.
        idle_plans: those found so far for the effective table.
    """

    __slots__ = (
        "_feasible",
        "_kernel",
        "_partial",
        "_up",
        "all_units",
        "chain",
        "estimator",
        "full",
        "given_version",
        "idle_plans",
        "load_bytes",
        "loaded",
        "name",
        "runnable",
        "table",
        "transfers",
    )

    def __init__(
        self, table: PlanTable, loaded: Iterable[SpanId] | None, up: frozenset[int]
    ) -> None:
        self.name = table.model
        self._up = up
        self.install(table, loaded, table.version)

    def install(self, table: PlanTable, loaded: Iterable[SpanId] | None, version: int) -> None:
        """Take a table from the driver; what was learnt about the one before is forgotten."""
        self.given_version = table.version
        self.full = table if version == table.version else replace(table, version=version)
        self.estimator = Estimator()
        sizes = {(s.first, s.last, s.processor): s.load_bytes for s in table.spans}
        kept = sizes if loaded is None else sizes.keys() & set(loaded)
        self.loaded: set[SpanId] = set(kept)
        self.load_bytes = {key: sizes[key] for key in self.loaded}
        self.chain = all(
            table.dependencies[unit] >> (unit - 1) & 1 for unit in range(1, table.unit_count)
        )
        self.all_units = table.all_units
        self.transfers = table.has_transfers
        self._refresh()

    def set_up(self, up: frozenset[int]) -> None:
        """Take the processors that are up."""
        self._up = up
        self._refresh()

    def load(self, units: int, processor: int, load_bytes: int) -> bool:
        """Mark a slice as loaded; return whether that is news and the table has such a span."""
        key = span_id(units, processor)
        known = any((s.first, s.last, s.processor) == key for s in self.full.spans)
        if key in self.loaded or not known:
            return False
        self.loaded.add(key)
        self.load_bytes[key] = load_bytes
        self._refresh()
        return True

    def evict(self, units: int, processor: int) -> int | None:
        """Mark a slice as not loaded; return the bytes it frees, None if it was not loaded."""
        key = span_id(units, processor)
        if key not in self.loaded:
            return None
        self.loaded.remove(key)
        self._refresh()
        return self.load_bytes.pop(key)

    def unload(self) -> None:
        """Forget every loaded slice: the model was removed."""
        self.loaded.clear()
        self.load_bytes.clear()
        self._refresh()

    def learn(self, runnable: Runnable, run_us: int) -> None:
        """Take the execution time of a run; swap the table if a cost moved by more than 5 %."""
        estimate = runnable.estimate
        # A span of a table that the driver has replaced since has an estimate of its own.
        if estimate.observe(run_us) and self.estimator.has(runnable.span, estimate):
            self.full = self.estimator.updated(self.full)
            self._refresh()

    def _refresh(self) -> None:
        """Derive everything that depends on costs, on loaded slices or on processors."""
        up = self._up
        self.table = self.full.restricted({key for key in self.loaded if key[2] in up})
        self._kernel: Kernel | None = None
        self._partial: dict[int, tuple[Kernel, tuple[int, ...]]] = {}
        self._feasible: dict[tuple[int, int], bool] = {}
        self.idle_plans: dict[JobState, IdlePlan] = {}
        self.runnable: dict[tuple[int, int], Runnable] = {}
        dependencies = self.full.dependencies
        for span in self.table.spans:
            units, needs = span.units, 0
            for unit in range(span.first, span.last + 1):
                needs |= dependencies[unit]
            self.runnable[units, span.processor] = Runnable(
                span, units, needs & ~units, self.estimator.of(span)
            )

    def idle_plan(self, state: JobState) -> IdlePlan:
        """Return the best plan of a job state for the case that nothing waits."""
        known = self.idle_plans.get(state)
        if known is None:
            if len(self.idle_plans) >= _IDLE_PLANS:
                self.idle_plans.clear()
            plan = self.best_plan(state, (0,) * len(self.table.processors))
            steps = plan.steps if plan is not None else ()
            starts = tuple((step.span.processor, step.start_us) for step in steps)
            known = self.idle_plans[state] = IdlePlan(plan, starts)
        return known

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
            idle = (0,) * len(self.table.processors)
            known = rest == 0 or self._plan_of(rest, idle, -1, pin) is not None
            self._feasible[key] = known
        return known

    def ready_units(self, finished: int, running: int) -> int:
        """Return the mask of units that can be run without waiting for a running one."""
        if self.chain:
            return 0 if running else self.all_units & ~finished
        ready = 0
        for unit, needs in enumerate(self.table.dependencies):
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
            members = tuple(u for u in range(self.table.unit_count) if units >> u & 1)
            self._partial[units] = (Kernel(_table_of(self.table, members)), members)
        kernel, members = self._partial[units]
        plan = kernel.plan(1, waits_us, holder, pin)
        if plan is None:
            return None
        return plan._replace(steps=tuple(self._original(step, members) for step in plan.steps))

    def _whole_kernel(self) -> Kernel:
        if self._kernel is None:
            self._kernel = Kernel(self.table)
        return self._kernel

    def _original(self, step: Step, members: tuple[int, ...]) -> Step:
        first, last = members[step.span.first - 1], members[step.span.last - 1]
        units = (1 << last + 1) - (1 << first)
        return step._replace(span=self.runnable[units, step.span.processor].span)


def span_id(units: int, processor: int) -> SpanId:
    """Return (first, last, processor) of a mask of adjacent units on a processor."""
    return ((units & -units).bit_length() - 1, units.bit_length() - 1, processor)


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
