"""What is known of a trace on a device beforehand: limits that no policy passes, and yardsticks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from band.metrics.fairness import Alone, alone
from band.metrics.runs import RunRecords
from band.plan.capacity import capacity_bound, cheapest_way
from band.plan.on_time import Demand, on_time_bound
from band.plan.table import PlanTable
from band.trace.contents import TraceContents
from band.trace.schema import Frame, Trace

_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is known of a trace on a device before any policy has played it.

    Attributes:
        capacity: the capacity bound as JSON; None for a trace without requests.
        on_time: how many requests can meet their deadlines at most.
        alone: each model with the device to itself.
    """

    capacity: Mapping[str, Any] | None = None
    on_time: int | None = None
    alone: Mapping[str, Alone] = field(default_factory=dict)

    def beside(self, run: RunRecords) -> RunRecords:
        """Return the records of a run with these limits beside them."""
        return replace(
            run, capacity_bound=self.capacity, on_time_bound=self.on_time, alone=self.alone
        )


def limits(
    tables: Iterable[PlanTable], contents: TraceContents, demands: Sequence[Demand]
) -> Limits:
    """Return the limits of a trace on a device.

    Args:
        tables: of the models of the trace, restricted to what may be loaded.
        contents: of the trace.
        demands: its requests, see ``demands``.
    """
    found = tuple(tables)
    isolated = ((table.model, alone(table)) for table in found)
    return Limits(
        capacity=capacity_document(found, contents),
        on_time=on_time_bound(found, demands).on_time,
        alone={model: one for model, one in isolated if one is not None},
    )


def capacity_document(
    tables: Iterable[PlanTable], contents: TraceContents
) -> dict[str, Any] | None:
    """Return the capacity bound as JSON; None for a trace without requests.

    Args:
        tables: of the models of the trace, restricted to what may be loaded.
        contents: the mean rates of the trace.
    """
    rates_per_s = contents.rates_per_s
    if not rates_per_s:
        return None
    by_model = {table.model: table for table in tables}
    bound = capacity_bound(by_model.values(), rates_per_s)

    def by_processor(values: tuple[float, ...]) -> dict[str, float]:
        rounded = (round(value, _DIGITS) for value in values)
        return dict(zip(bound.processors, rounded, strict=True))

    return {
        "scale": round(bound.scale, _DIGITS),
        "requests_per_s": round(bound.requests_per_s, _DIGITS),
        "prices": by_processor(bound.prices),
        "utilisation": by_processor(bound.utilisation),
        "priced_us": {
            model: round(cheapest_way(by_model[model], bound.prices)[0], _DIGITS)
            for model in sorted(rates_per_s)
        },
    }


def demands(trace: Trace) -> tuple[Demand, ...]:
    """Return the requests of a trace for the bound on those that are on time.

    Raises:
        BandError: INVALID_TRACE for a bad line.
    """
    found: list[Demand] = []
    for frame in trace.frames:
        found += _of_frame(frame, len(found))
    return tuple(found)


def _of_frame(frame: Frame, first: int) -> Iterator[Demand]:
    """Yield the nodes of a frame that have copies; the first one will have this position."""
    waits_for: dict[str, tuple[int, ...]] = {}
    position = first
    for node in frame.nodes:
        # A parent without copies stands for its own parents.
        parents = tuple(dict.fromkeys(p for parent in node.parents for p in waits_for[parent]))
        waits_for[node.id] = parents
        if node.count:
            waits_for[node.id] = (position,)
            position += 1
            yield Demand(
                source=(frame.stream, node.id),
                model=node.model,
                copies=node.count,
                at_us=frame.at_us,
                deadline_us=node.deadline_us,
                parents=parents,
            )
