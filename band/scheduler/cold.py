"""Cold runs: what slices take on a processor that has rested, learnt and planned with separately.

A processor that declares ``cold_after_us`` is cold when it has had no task for that long: its clock
has gone down, its caches hold something else. The first run of a slice after it was loaded is cold
too. Such runs teach the span's cold mean, never its mean, and a view that finds processors cold
shows tables where their spans cost the cold mean. A table never changes: there is one for each set
of cold processors that occurs, given up with the table it was made from.
"""

from typing import Final, NamedTuple

from mypy_extensions import mypyc_attr

from band.plan.table import PlanTable
from band.scheduler.estimator import Estimate
from band.scheduler.plans import Plans
from band.scheduler.registered import RegisteredModel, Runnable
from band.scheduler.state import CoreState, ProcessorState

_KEPT: Final = 256


class _Made(NamedTuple):
    """Tables and plans for one set of cold processors, and what they were made from."""

    base: PlanTable
    cold_moves: int
    table: PlanTable
    plans: Plans


def is_cold(processor: ProcessorState, now_us: int) -> bool:
    """Return whether a processor without a task has rested too long to be fast."""
    after_us, rested_us = processor.cold_after_us, processor.rested_us
    if after_us is None or processor.running is not None:
        return False
    return rested_us is None or now_us - rested_us >= after_us


def runs_cold(processor: ProcessorState, estimate: Estimate, now_us: int) -> bool:
    """Return whether a slice that starts now on an idle processor runs cold."""
    declared = processor.cold_after_us is not None
    return declared and (not estimate.ran or is_cold(processor, now_us))


def cold_processors(state: CoreState, now_us: int) -> int:
    """Return the mask of the idle processors that are cold."""
    return sum(1 << index for index, p in state.idle.items() if is_cold(p, now_us))


def surcharge_us(runnable: Runnable) -> int:
    """Return what a cold run takes beyond a span's cost, as far as is known."""
    cold_us = runnable.estimate.cold_us
    return 0 if cold_us is None else max(0, round(cold_us) - runnable.cost_us)


@mypyc_attr(allow_interpreted_subclasses=True)
class ColdTables:
    """The tables of a core's models for sets of cold processors, made when asked for."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, int], _Made] = {}

    def of(self, model: RegisteredModel, cold: int) -> tuple[PlanTable, Plans]:
        """Return the table and plans that hold while a set of processors is cold.

        Args:
            model: whose.
            cold: mask of the processors.
        """
        if not cold:
            return model.table, model.plans
        key = (model.name, cold)
        made = self._made.get(key)
        moves = model.estimator.cold_moves
        if made is None or made.base is not model.table or made.cold_moves != moves:
            if len(self._made) >= _KEPT:
                self._made.clear()
            made = self._made[key] = _make(model, cold)
        return made.table, made.plans


def _make(model: RegisteredModel, cold: int) -> _Made:
    base, moves = model.table, model.estimator.cold_moves
    costs_us = {}
    for (_, processor), runnable in model.runnable.items():
        more_us = surcharge_us(runnable)
        if cold >> processor & 1 and more_us:
            span = runnable.span
            costs_us[span.first, span.last, processor] = runnable.cost_us + more_us
    if not costs_us:
        return _Made(base, moves, base, model.plans)
    table = base.with_costs(costs_us, base.version)
    return _Made(base, moves, table, Plans(table))
