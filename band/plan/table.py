"""The immutable plan table of one model: every span that may run, where, and at what cost.

A table never changes. A new cost, a demoted op or a new profile makes a table with a higher
version, and nothing derived from a table outlives its version.
"""

from bisect import bisect_left
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from band.plan.task import SliceKey, slice_of, units_mask


class Span(NamedTuple):
    """A contiguous range of units on one processor.

    Attributes:
        first, last: unit indices, both included.
        processor: index in the device.
        cost_us: expected execution time without transfers, at least 1.
        inputs, outputs: boundary tensors by original tensor id.
        peak_bytes: activations alive at the worst moment.
        load_bytes: memory that the loaded slice takes.
        energy_uj: energy of one run, 0 where nothing is known of it.
    """

    first: int
    last: int
    processor: int
    cost_us: int
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    peak_bytes: int = 0
    load_bytes: int = 0
    energy_uj: int = 0

    @property
    def units(self) -> int:
        """Return the mask of its units."""
        return units_mask(self.first, self.last)

    def with_cost(self, cost_us: int) -> "Span":
        """Return the span with another cost, at least 1, at the same power."""
        cost_us = max(1, cost_us)
        energy_uj = self.energy_uj
        if energy_uj:
            # To the nearest: a span is repriced many times, and rounding up would add up.
            energy_uj = max(1, (2 * energy_uj * cost_us + self.cost_us) // (2 * self.cost_us))
        return self._replace(cost_us=cost_us, energy_uj=energy_uj)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTable:
    """All that scheduling needs to know of one model.

    Attributes:
        model: registered name.
        version: 1 for the first table of a registration, higher for each successor.
        processors: names of all processors of the device, by index.
        unit_count: number U of units; units are numbered in topological order.
        dependencies: per unit, the mask of units that must be finished first.
        spans: sorted by (first, last, processor), at most one per triple.
        transfer_us: [boundary 0..U][from processor][to processor]: time to move ALL tensors alive
            at the boundary. Rows 0 and U are 0, and so is the diagonal.
        members: names of the models a merged model serves, empty for a plain one.
    """

    model: str
    version: int
    processors: tuple[str, ...]
    unit_count: int
    dependencies: tuple[int, ...]
    spans: tuple[Span, ...]
    transfer_us: tuple[tuple[tuple[int, ...], ...], ...]
    members: tuple[str, ...] = ()

    @property
    def all_units(self) -> int:
        """Return the mask of all units."""
        return (1 << self.unit_count) - 1

    @property
    def has_transfers(self) -> bool:
        """Return whether any move of data costs time."""
        return any(us for boundary in self.transfer_us for row in boundary for us in row)

    @property
    def complete(self) -> bool:
        """Return whether spans lead from the first unit to the last one."""
        reached = {0}
        for span in self.spans:  # sorted by their first unit
            if span.first in reached:
                reached.add(span.last + 1)
        return self.unit_count in reached

    def find(self, first: int, last: int, processor: int) -> Span | None:
        """Return the span over these units on a processor, None if the table has none."""
        place = self._place(first, last, processor)
        return None if place is None else self.spans[place]

    def _place(self, first: int, last: int, processor: int) -> int | None:
        place = bisect_left(self.spans, (first, last, processor))
        if place < len(self.spans) and self.spans[place][:3] == (first, last, processor):
            return place
        return None

    def slice_key(self, span: Span) -> SliceKey:
        """Return the key of the slice that runs a span."""
        return slice_of(self.model, span.first, span.last)

    def with_costs(self, costs: Mapping[tuple[int, int, int], int], version: int) -> "PlanTable":
        """Return a successor where (first, last, processor) -> cost_us replaces what was there.

        Power stays, so energy changes as the cost does.
        """
        spans = list(self.spans)
        for key, cost_us in costs.items():
            place = self._place(*key)
            if place is not None:
                spans[place] = spans[place].with_cost(cost_us)
        return replace(self, spans=tuple(spans), version=version)

    def restricted(self, loaded: Collection[tuple[int, int, int]]) -> "PlanTable":
        """Return the same table with only the spans whose (first, last, processor) is loaded."""
        spans = tuple(s for s in self.spans if (s.first, s.last, s.processor) in loaded)
        return replace(self, spans=spans)


def zero_transfers(
    unit_count: int, processor_count: int
) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """Return the transfer table of a device where moving data is free."""
    row = (0,) * processor_count
    return ((row,) * processor_count,) * (unit_count + 1)
