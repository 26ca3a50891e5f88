"""The capacity bound of a trace on a device, as it stands next to every replay."""

from collections.abc import Iterable
from typing import Any

from band.plan.capacity import capacity_bound
from band.plan.table import PlanTable
from band.trace.contents import TraceContents

_DIGITS = 6


def capacity_document(
    tables: Iterable[PlanTable], contents: TraceContents
) -> dict[str, Any] | None:
    """Return the limit that no policy can pass, as JSON; None for a trace without requests.

    Args:
        tables: of the models of the trace, restricted to what may be loaded.
        contents: the mean rates of the trace.
    """
    rates_per_s = contents.rates_per_s
    if not rates_per_s:
        return None
    bound = capacity_bound(tables, rates_per_s)

    def by_processor(values: tuple[float, ...]) -> dict[str, float]:
        rounded = (round(value, _DIGITS) for value in values)
        return dict(zip(bound.processors, rounded, strict=True))

    return {
        "scale": round(bound.scale, _DIGITS),
        "requests_per_s": round(bound.requests_per_s, _DIGITS),
        "prices": by_processor(bound.prices),
        "utilisation": by_processor(bound.utilisation),
    }
