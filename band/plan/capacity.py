"""The capacity bound: how much of a workload a device can sustain under any policy at all.

The linear programme of span flows (``band.plan.span_programme``): each model's jobs flow from its
first unit to its last along spans. Transfers and waiting are left out, so no policy can pass the
bound.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from band.errors import BandError, ErrorCode
from band.plan.span_programme import SpanProgramme
from band.plan.table import PlanTable, Span

_MIN_USE: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityBound:
    """The most a device can do of a mix of models.

    Attributes:
        scale: the greatest factor by which the given rates can be multiplied; below 1 the
            workload is more than the device can sustain.
        requests_per_s: all models together at that scale.
        processors: names, by index.
        prices: per processor its share in what limits the scale; 0 for one with time to spare.
            They add up to 1.
        utilisation: per processor, the share of its time that the optimal flow uses.
    """

    scale: float
    requests_per_s: float
    processors: tuple[str, ...]
    prices: tuple[float, ...]
    utilisation: tuple[float, ...]


def capacity_bound(tables: Iterable[PlanTable], rates_per_s: Mapping[str, float]) -> CapacityBound:
    """Return the capacity bound of a workload on a device.

    Args:
        tables: plan tables of one device, at least those of the models with a rate.
        rates_per_s: model -> requests a second; models with rate 0 are left out.

    Raises:
        BandError: UNKNOWN_MODEL for a rate without a table; INVALID_REQUEST if no rate is
            positive or one is negative; UNSUPPORTED_MODEL if a model has no complete plan.
    """
    used = _used_tables(tables, rates_per_s)
    processors = used[0].processors
    programme = SpanProgramme(len(processors))
    for table in used:
        state = programme.add_states(table.unit_count, rates_per_s[table.model])
        for span in table.spans:
            target = state + span.last + 1 if span.last + 1 < table.unit_count else None
            programme.add_span(span.processor, span.cost_us, state + span.first, target)
    scale, _, prices, utilisation = programme.solve()
    if scale < _MIN_USE:
        names = ", ".join(table.model for table in used)
        raise BandError(
            ErrorCode.UNSUPPORTED_MODEL,
            f"no flow of work from the first to the last unit of each of: {names}; "
            "register them on processors that run all their units",
        )
    return CapacityBound(
        scale=scale,
        requests_per_s=scale * sum(rates_per_s[table.model] for table in used),
        processors=processors,
        prices=prices,
        utilisation=utilisation,
    )


def cheapest_way(table: PlanTable, prices: Sequence[float]) -> tuple[float, tuple[int, ...]]:
    """Return the cheapest way through a model when each processor's time has a price.

    At the prices of a capacity bound, the requests of the bound cost one second a second, and no
    mix of requests that a device can complete costs more.

    Args:
        table: of the model.
        prices: per processor, 0 or more.

    Returns:
        The sum of time times price, in microseconds, and the time on each processor. The sum is
        infinite if the table has no way from the first to the last unit.
    """
    count = len(table.processors)
    cost: list[float] = [0.0, *[math.inf] * table.unit_count]
    came: list[Span | None] = [None] * (table.unit_count + 1)
    for span in table.spans:  # sorted by their first unit, so where it begins is settled
        reached = cost[span.first] + span.cost_us * prices[span.processor]
        if reached < cost[span.last + 1]:
            cost[span.last + 1], came[span.last + 1] = reached, span
    times_us = [0] * count
    unit = table.unit_count
    while (step := came[unit]) is not None:
        times_us[step.processor] += step.cost_us
        unit = step.first
    return cost[-1], tuple(times_us)


def _used_tables(tables: Iterable[PlanTable], rates_per_s: Mapping[str, float]) -> list[PlanTable]:
    by_name = {table.model: table for table in tables}
    unknown = sorted(set(rates_per_s) - set(by_name))
    if unknown:
        raise BandError(
            ErrorCode.UNKNOWN_MODEL,
            f"model {unknown[0]} has a rate but no plan table; register it first",
            model=unknown[0],
        )
    negative = sorted(model for model, rate in rates_per_s.items() if rate < 0)
    if negative or not any(rates_per_s.values()):
        what = f"the rate of model {negative[0]} is negative" if negative else "all rates are 0"
        raise BandError(
            ErrorCode.INVALID_REQUEST,
            f"{what}; give requests per second, at least one of them above 0",
        )
    return [by_name[model] for model, rate in sorted(rates_per_s.items()) if rate > 0]
