"""What a model may run where under a strategy, and the ways that are open to a job of it."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from mypy_extensions import mypyc_attr

from band.plan.hops import DOWN_US
from band.plan.kernel import Kernel
from band.plan.table import PlanTable, Span

_new: Final = tuple.__new__  # a NamedTuple's own constructor takes twice as long


class Way(NamedTuple):
    """One way to finish a job.

    Attributes:
        finish_us: from now to the end of the last step.
        processor: of the first step.
        busy_us: from now to the end of the first step.
        energy_uj: of all steps.
        span: what runs first.
    """

    finish_us: int
    processor: int
    busy_us: int
    energy_uj: int
    span: Span


@mypyc_attr(allow_interpreted_subclasses=True)
class Menu:
    """The spans of one plan table that a strategy leaves to a model.

    Args:
        table: effective table of the model.
        mask: processors that it may use.
        prices: per processor, if only spans near the cheapest way count.
        spread: how much more than that way they may cost, as a share of it; None for any.

    Attributes:
        table: as given; whatever is known here holds for this one only.
        mask: processors that it may use.
        best_us: least time from the start when nothing waits; ``DOWN_US`` if it cannot run.
    """

    def __init__(
        self, table: PlanTable, mask: int, prices: Sequence[float], spread: float | None
    ) -> None:
        self.table = table
        self.mask = mask
        count = len(table.processors)
        spans = [span for span in table.spans if mask >> span.processor & 1]
        if spread is not None and len(prices) == count and table.unit_count > 1:
            spans = _near_cheapest(table, spans, prices, spread) or spans
        self._whole = [span for span in spans if span.first == 0] if table.unit_count == 1 else []
        self._idle = (0,) * count
        self._rests: dict[tuple[int, int], int] = {}
        keys = {(span.first, span.last, span.processor) for span in spans}
        self._kernel = Kernel(table if len(keys) == len(table.spans) else table.restricted(keys))
        self.best_us = self.rest_us(0, -1)

    def rest_us(self, finished: int, holder: int) -> int:
        """Return the least time for what remains of a job; ``DOWN_US`` if it cannot run."""
        known = self._rests.get((finished, holder))
        if known is None:
            way = self.earliest(finished, holder, self._idle)
            known = self._rests[finished, holder] = DOWN_US if way is None else way.finish_us
        return known

    def earliest(self, finished: int, holder: int, waits_us: Sequence[int]) -> Way | None:
        """Return the way that ends first; its energy is not known where models are split."""
        if self._whole:
            return min(self.ways(finished, holder, waits_us), default=None)
        return self._first(finished, holder, waits_us)

    def ways(self, finished: int, holder: int, waits_us: Sequence[int]) -> list[Way]:
        """Return the ways worth a choice: the earliest, and whole on each processor."""
        if self._whole:
            return [
                Way(waits_us[s.processor] + s.cost_us, s.processor,
                    waits_us[s.processor] + s.cost_us, s.energy_uj, s)
                for s in self._whole
            ]  # fmt: skip
        found = [
            self._way(finished, holder, waits_us, only)
            for only in (-1, *range(len(waits_us)))
            if only < 0 or (self.mask >> only & 1 and waits_us[only] < DOWN_US)
        ]
        return [way for way in found if way is not None]

    def _way(self, finished: int, holder: int, waits_us: Sequence[int], only: int) -> Way | None:
        plan = self._kernel.plan(finished.bit_length(), waits_us, holder, only)
        if plan is None:
            return None
        first = plan.steps[0]
        energy_uj = sum(step.span.energy_uj for step in plan.steps)
        return Way(plan.latency_us, first.span.processor, first.finish_us, energy_uj, first.span)

    def _first(self, finished: int, holder: int, waits_us: Sequence[int]) -> Way | None:
        """Return the earliest way without its energy, which takes a third of the time."""
        best = self._kernel.best(finished.bit_length(), waits_us, holder)
        if best is None:
            return None
        latency_us, span, finish_us, _ = best
        return _new(Way, (latency_us, span.processor, finish_us, 0, span))


def _near_cheapest(
    table: PlanTable, spans: Sequence[Span], prices: Sequence[float], spread: float
) -> list[Span]:
    """Return the spans that lie on a way not much dearer than the cheapest one.

    With the prices of the capacity bound and no spread these are the spans that an optimal flow
    uses: a schedule that keeps to them wastes nothing of what is scarce.
    """
    count = table.unit_count
    to, after = [math.inf] * (count + 1), [math.inf] * (count + 1)
    to[0] = after[count] = 0.0
    for span in spans:  # sorted by their first unit
        cost = to[span.first] + span.cost_us * prices[span.processor]
        to[span.last + 1] = min(to[span.last + 1], cost)
    for span in reversed(spans):
        cost = after[span.last + 1] + span.cost_us * prices[span.processor]
        after[span.first] = min(after[span.first], cost)
    limit = to[count] * (1 + spread) + 1e-6
    return [
        span
        for span in spans
        if to[span.first] + span.cost_us * prices[span.processor] + after[span.last + 1] <= limit
    ]
