"""Span flows: how a workload would have to be spread for the device to carry the most of it.

The linear programme of the capacity bound with transfers in it: each model's jobs flow from its
first unit to its last over states (unit boundary, processor that holds the data), a span takes its
processor for the transfer and the execution, and each processor has one second of work a second.
So the bound is a little lower than the capacity bound where moving data costs time, and a policy
can really follow the flow. The duals of the processors are the prices of their time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from band.errors import BandError, ErrorCode
from band.plan.table import PlanTable, Span
from band.units import US_PER_S

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
    programme = _Programme(len(used[0].processors))
    for table in used:
        programme.add(table, rates_per_s[table.model])
    values, prices = programme.solve()
    scale = values[0]
    if scale < _LEAST_SCALE:
        names = ", ".join(table.model for table in used)
        raise BandError(
            ErrorCode.UNSUPPORTED_MODEL,
            f"no flow of work from the first to the last unit of each of: {names}; "
            "register them on processors that run all their units",
        )
    found: dict[str, list[SpanFlow]] = {table.model: [] for table in used}
    for (model, holder, span), value in zip(programme.columns, values[1:], strict=True):
        share = value / (scale * rates_per_s[model])
        if share > _LEAST_SHARE:
            found[model].append(SpanFlow(holder, *span[:3], share))
    spans = {model: tuple(sorted(flows)) for model, flows in found.items()}
    return Flows(scale=scale, prices=prices, spans=spans)


class _Programme:
    """The linear programme: column 0 is the scale, each other one a span taken from one holder.

    Attributes:
        columns: (model, holder, span) of each column after the first.
    """

    def __init__(self, processor_count: int) -> None:
        self._count = processor_count
        self.columns: list[tuple[str, int, Span]] = []
        self._load: list[tuple[int, int, float]] = []
        self._balance: list[tuple[int, int, float]] = []
        self._rows = 0

    def add(self, table: PlanTable, rate_per_s: float) -> None:
        """Add a model: what enters a state leaves it; ``scale * rate`` enters the first one."""
        moves = table.has_transfers
        holders = range(self._count) if moves else (NOBODY,)
        rows = {(0, NOBODY): self._rows}
        for boundary in range(1, table.unit_count):
            for holder in holders:
                rows[boundary, holder] = self._rows + len(rows)
        self._balance.append((self._rows, 0, -rate_per_s))
        self._rows += len(rows)
        for span in table.spans:
            for holder in holders if span.first else (NOBODY,):
                move_us = table.transfer_us[span.first][holder][span.processor] if moves else 0
                self.columns.append((table.model, holder, span))
                column = len(self.columns)
                cost_us = span.cost_us + (move_us if span.first else 0)
                self._load.append((span.processor, column, cost_us / US_PER_S))
                self._balance.append((rows[span.first, holder], column, 1.0))
                if span.last + 1 < table.unit_count:
                    holds = span.processor if moves else NOBODY
                    self._balance.append((rows[span.last + 1, holds], column, -1.0))

    def solve(self) -> tuple[list[float], tuple[float, ...]]:
        """Return the value of each column, and per processor its normalised price."""
        from scipy.optimize import linprog
        from scipy.sparse import coo_array

        columns = 1 + len(self.columns)

        def matrix(entries: list[tuple[int, int, float]], rows: int) -> Any:
            row, column, value = zip(*entries, strict=True)
            return coo_array((value, (row, column)), shape=(rows, columns)).tocsr()

        answer = linprog(
            [-1.0] + [0.0] * (columns - 1),
            A_ub=matrix(self._load, self._count),
            b_ub=[1.0] * self._count,
            A_eq=matrix(self._balance, self._rows),
            b_eq=[0.0] * self._rows,
            method="highs",
        )
        if not answer.success:
            raise BandError(
                ErrorCode.INTERNAL, f"the flow of spans has no solution: {answer.message}"
            )
        worth = [max(0.0, -float(dual)) for dual in answer.ineqlin.marginals]
        total = sum(worth) or 1.0
        return [float(value) for value in answer.x], tuple(price / total for price in worth)
