"""Flows of requests over spans that keep the busiest processor as free as possible.

The linear programme of the capacity bound, asked for its flows: how large a part of each model's
requests should take which chain. That is what no single chain per model can do, so it is among the
first genomes of a search. Transfers and waiting are left out.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from scipy.optimize import linprog

from band.errors import BandError, ErrorCode
from band.plan.span_programme import sparse
from band.plan.table import PlanTable
from band.search.genome import MAX_WEIGHT, Chain, Part
from band.units import US_PER_S

_LEAST: Final = 0.02
"""A smaller share of a model's requests gets no chain of its own."""


def chain_flows(
    tables: Sequence[PlanTable], rates_per_s: Mapping[str, float], *, utilisation: float = 0.0
) -> tuple[dict[Chain, int], ...]:
    """Return per model its chains with integer weights.

    Args:
        tables: of all models.
        rates_per_s: requests a second by model; a model that is not named has none.
        utilisation: of the flows that keep every processor at most so busy, those with the least
            work are taken. If there are none, those that keep the busiest one least busy.

    Raises:
        BandError: INTERNAL if the solver finds no solution.
    """
    rates = [max(1e-6, rates_per_s.get(table.model, 0.0)) for table in tables]
    least = _solve(tables, rates, None)[1]
    flows = _solve(tables, rates, max(utilisation, least * 1.001))[0]
    return tuple(
        _weights(_paths(table, flow, rate), rate)
        for table, flow, rate in zip(tables, flows, rates, strict=True)
    )


def _solve(
    tables: Sequence[PlanTable], rates: Sequence[float], limit: float | None
) -> tuple[list[dict[Part, float]], float]:
    """Return flow per span of each model and the highest utilisation.

    Without limit that utilisation is minimised, otherwise the sum of all work below it.
    """
    columns = [(place, span) for place, table in enumerate(tables) for span in table.spans]
    starts = np.cumsum([0, *(table.unit_count for table in tables)])
    balance = [(int(starts[m]) + s.first, c, 1.0) for c, (m, s) in enumerate(columns)]
    balance += [
        (int(starts[m]) + s.last + 1, c, -1.0)
        for c, (m, s) in enumerate(columns)
        if s.last + 1 < tables[m].unit_count
    ]
    supply = np.zeros(int(starts[-1]))
    supply[starts[:-1]] = rates
    work = np.array([span.cost_us / US_PER_S for _, span in columns])
    load = [(span.processor, c, float(work[c])) for c, (_, span) in enumerate(columns)]
    count, top = len(tables[0].processors), len(columns)
    load += [(processor, top, -1.0) for processor in range(count)]
    cost = np.append(np.zeros(top) if limit is None else work, 1.0 if limit is None else 0.0)
    answer = linprog(
        cost,
        A_ub=sparse(load, count, top + 1),
        b_ub=np.zeros(count),
        A_eq=sparse(balance, len(supply), top + 1),
        b_eq=supply,
        bounds=[(0, None)] * top + [(0, limit)],
        method="highs",
    )
    if not answer.success:
        raise BandError(ErrorCode.INTERNAL, f"the flows have no solution: {answer.message}")
    flows: list[dict[Part, float]] = [{} for _ in tables]
    for (place, span), value in zip(columns, answer.x, strict=False):
        if value > 0:
            flows[place][span[:3]] = float(value)
    return flows, float(answer.x[top])


def _paths(table: PlanTable, flow: dict[Part, float], rate: float) -> dict[Chain, float]:
    """Return chains with their flows, the widest first, until little is left."""
    left = dict(flow)
    found: dict[Chain, float] = {}
    while True:
        chain: list[Part] = []
        unit = 0
        while unit < table.unit_count:
            leaving = [part for part in left if part[0] == unit and left[part] > 0]
            if not leaving:
                return found
            part = max(leaving, key=lambda part: (left[part], part))
            chain.append(part)
            unit = part[1] + 1
        width = min(left[part] for part in chain)
        if width < _LEAST * rate and found:
            return found
        for part in chain:
            left[part] -= width
        key = tuple(chain)
        found[key] = found.get(key, 0.0) + width


def _weights(paths: Mapping[Chain, float], rate: float) -> dict[Chain, int]:
    return {chain: max(1, round(MAX_WEIGHT * width / rate)) for chain, width in paths.items()}
