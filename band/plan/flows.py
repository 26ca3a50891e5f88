"""Span flows: how a workload would have to be spread for the device to carry the most of it.

The linear programme of the capacity bound with transfers in it: each model's jobs flow from its
first unit to its last over states (unit boundary, processor that holds the data), and a span takes
its processor for the transfer and the execution. So the bound is a little lower than the capacity
bound where moving data costs time, and a policy can really follow the flow.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final, NamedTuple

from band.errors import BandError, ErrorCode
from band.plan.span_programme import SpanProgramme
from band.plan.table import PlanTable, Span

NOBODY: Final = -1
"""Holder of the data before the first span, and at every boundary where moving them is free."""

_LEAST_SHARE: Final = 1e-6
_LEAST_SCALE: Final = 1e-9


class SpanFlow(NamedTuple):
    """How many of a model's jobs take one span.

    Attributes:
        holder: processor that holds the data before, ``NOBODY`` where it does not matter.
        first, last, processor: the span.
        share: of the model's jobs, above 0.
    """

    holder: int
    first: int
    last: int
    processor: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    """The flow that carries the most of a workload.

    Attributes:
        scale: the greatest factor by which the given rates can be multiplied.
        prices: per processor its share in what limits the scale; they add up to 1.
        spans: model -> the spans that its jobs take.
    """

    scale: float
    prices: tuple[float, ...]
    spans: Mapping[str, tuple[SpanFlow, ...]]


def span_flows(tables: Mapping[str, PlanTable], rates_per_s: Mapping[str, float]) -> Flows:
    """Return the flow of a workload on a device.

    Args:
        tables: plan tables of one device by model.
        rates_per_s: model -> requests a second; those without a table or with rate 0 are left out.

    Raises:
        BandError: INVALID_REQUEST if no rate is left; UNSUPPORTED_MODEL if a model with a rate has
            no complete plan.
    """
    used = [tables[model] for model in sorted(tables) if rates_per_s.get(model, 0) > 0]
    if not used:
        raise BandError(
            ErrorCode.INVALID_REQUEST,
            "no model with a plan table has a rate; give requests per second above 0",
        )
    programme = SpanProgramme(len(used[0].processors))
    columns: list[_Column] = []
    for table in used:
        columns += _add_model(programme, table, rates_per_s[table.model])
    scale, values, prices, _ = programme.solve()
    if scale < _LEAST_SCALE:
        names = ", ".join(table.model for table in used)
        raise BandError(
            ErrorCode.UNSUPPORTED_MODEL,
            f"no flow of work from the first to the last unit of each of: {names}; "
            "register them on processors that run all their units",
        )
    found: dict[str, list[SpanFlow]] = {table.model: [] for table in used}
    for (model, holder, span), value in zip(columns, values, strict=True):
        share = value / (scale * rates_per_s[model])
        if share > _LEAST_SHARE:
            found[model].append(SpanFlow(holder, *span[:3], share))
    spans = {model: tuple(sorted(flows)) for model, flows in found.items()}
    return Flows(scale=scale, prices=prices, spans=spans)


class _Column(NamedTuple):
    """A span taken from one holder."""

    model: str
    holder: int
    span: Span


def _add_model(programme: SpanProgramme, table: PlanTable, rate_per_s: float) -> Iterator[_Column]:
    """Add a model's states (boundary, holder) and spans; return the column of each."""
    moves = table.has_transfers
    holders = range(len(table.processors)) if moves else (NOBODY,)
    states = [(0, NOBODY), *product(range(1, table.unit_count), holders)]
    first = programme.add_states(len(states), rate_per_s)
    rows = {state: row for row, state in enumerate(states, first)}
    for span in table.spans:
        target = None
        if span.last + 1 < table.unit_count:
            target = rows[span.last + 1, span.processor if moves else NOBODY]
        for holder in holders if span.first else (NOBODY,):
            cost_us = span.cost_us
            if moves and span.first:
                cost_us += table.transfer_us[span.first][holder][span.processor]
            programme.add_span(span.processor, cost_us, rows[span.first, holder], target)
            yield _Column(table.model, holder, span)
