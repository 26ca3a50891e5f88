"""A registered model inside the core: its plan table, what of it can run now, what it learns.

The table that policies see holds only spans that are loaded on a processor that is up, with the
costs learnt so far. Whatever changes that (a slice, a processor, a cost, a new table) makes a new
effective table and new ``Plans``; nothing derived from the old one survives.
"""

from collections.abc import Iterable
from copy import copy
from dataclasses import replace

from mypy_extensions import mypyc_attr

from band.plan.table import PlanTable, Span
from band.scheduler.estimator import Estimate, Estimator, SpanId
from band.scheduler.plans import Plans, is_chain
from band.scheduler.slice_books import span_id


@mypyc_attr(allow_interpreted_subclasses=True)
class Runnable:
    """A span that can be dispatched; never changed. Its fields are read at every task.

    Attributes:
        span: what the table says of it.
        units: mask of its units.
        needs: units outside it that must be finished before it starts.
        cost_us, inputs, outputs, peak_bytes: of the span.
        estimate: what its runs have shown.
    """

    __slots__ = (
        "cost_us", "estimate", "inputs", "needs", "outputs", "peak_bytes", "span", "units",
    )  # fmt: skip

    def __init__(self, span: Span, needs: int, estimate: Estimate) -> None:
        self.span = span
        self.units = span.units
        self.needs = needs & ~self.units
        self.cost_us = span.cost_us
        self.inputs, self.outputs, self.peak_bytes = span.inputs, span.outputs, span.peak_bytes
        self.estimate = estimate


@mypyc_attr(allow_interpreted_subclasses=True)
class RegisteredModel:
    """One model of the core's state. Only the core changes it.

    Attributes:
        name: as registered.
        full: the table with all candidate spans and the costs learnt so far.
        given_version: version of the last table that the driver gave.
        fixed: what is loaded of it stays: it keeps state in its slices.
        table: the effective table: what is loaded on processors that are up.
        runnable: the spans of the effective table by (units, processor).
        all_units: mask of its units.
        chain: every unit needs the one before it, so a job never runs two tasks at once.
        transfers: moving its data between processors takes time.
        plans: what its jobs can run and how they finish first, by the effective table.
    """

    __slots__ = (
        "_up",
        "all_units",
        "chain",
        "estimator",
        "fixed",
        "full",
        "given_version",
        "load_bytes",
        "loaded",
        "name",
        "plans",
        "runnable",
        "table",
        "transfers",
    )

    def __init__(
        self,
        table: PlanTable,
        loaded: Iterable[SpanId] | None,
        up: frozenset[int],
        *,
        fixed: bool = False,
    ) -> None:
        self.name = table.model
        self.fixed = fixed
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
        self.chain = is_chain(table)
        self.all_units = table.all_units
        self.transfers = table.has_transfers
        self._refresh()

    def set_up(self, up: frozenset[int]) -> None:
        """Take the processors that are up."""
        self._up = up
        self._refresh()

    def copy(self) -> "RegisteredModel":
        """Return a model that is apart from this one; its tables and what they imply are shared.

        It shares the estimates too, so it must not be taught.
        """
        twin = copy(self)
        twin.estimator, twin.runnable = Estimator(), self.runnable.copy()
        twin.loaded, twin.load_bytes = self.loaded.copy(), self.load_bytes.copy()
        return twin

    def load(self, units: int, processor: int, load_bytes: int, cost_us: int | None = None) -> bool:
        """Mark a slice as loaded; return whether that is news and the table has such a span.

        Args:
            units: mask of its units.
            processor: where it is loaded.
            load_bytes: what it takes; the table learns it.
            cost_us: its execution time as measured just now; None leaves the table's.
        """
        key = span_id(units, processor)
        span = self.full.find(*key)
        if key in self.loaded or span is None:
            return False
        self.loaded.add(key)
        self.load_bytes[key] = load_bytes
        if cost_us is not None:
            self.estimator.forget(key)
            self.full = self.full.with_costs({key: cost_us}, self.full.version + 1)
            span = span.with_cost(cost_us)
        if span.load_bytes != load_bytes:
            fitted = span._replace(load_bytes=load_bytes)
            spans = tuple(fitted if s == span else s for s in self.full.spans)
            self.full = replace(self.full, spans=spans)
        self._refresh()
        return True

    def touch(self, now_us: int) -> None:
        """Count what can run now as used at this time."""
        for runnable in self.runnable.values():
            runnable.estimate.used_us = now_us

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

    def reprice(self, moved: Runnable) -> None:
        """Put the learnt costs in force, since one has moved; what runs where stays as it is.

        A span of a table that the driver has replaced since has an estimate of its own: what moved
        is then of no interest.
        """
        if not self.estimator.has(moved.span, moved.estimate):
            return
        costs_us = self.estimator.costs_us()
        version = self.full.version + 1
        self.full = self.full.with_costs(costs_us, version)
        self.table: PlanTable = self.table.with_costs(costs_us, version)
        for key in costs_us:
            span = self.table.find(*key)
            if span is not None:
                place = (span.units, span.processor)
                needs = self.runnable[place].needs
                self.runnable[place] = Runnable(span, needs, self.estimator.of(span))
        self.plans = Plans(self.table)

    def learn_cold(self, runnable: Runnable, run_us: int) -> None:
        """Take the time of a cold run; see :mod:`band.scheduler.cold`."""
        if runnable.estimate.observe_cold(run_us):
            self.estimator.cold_moves += 1

    def _refresh(self) -> None:
        """Derive everything that depends on costs, on loaded slices or on processors."""
        up = self._up
        self.table = self.full.restricted({key for key in self.loaded if key[2] in up})
        self.plans = Plans(self.table)
        self.runnable: dict[tuple[int, int], Runnable] = {}
        dependencies = self.full.dependencies
        for span in self.table.spans:
            needs = 0
            for unit in range(span.first, span.last + 1):
                needs |= dependencies[unit]
            runnable = Runnable(span, needs, self.estimator.of(span))
            self.runnable[runnable.units, span.processor] = runnable
