"""The flat simulator under one rule: every subgraph goes to the processor that finishes it first.

What a scheduler without policies does, and what one writes first with a simulation library: the
subgraph joins the queue of its processor at once and the choice stands. Requests must not wait for
each other; classes and deadlines are ignored. One heap of tuples, a queue per processor.
"""

import heapq
from collections import deque
from collections.abc import Sequence

from band.plan.table import PlanTable
from band.sim.flat import UNFINISHED
from band.sim.flat_trace import FlatTrace

_Hops = tuple[tuple[int, int], ...]
"""(cost_us, processor) of each processor that runs a subgraph, by processor."""

_Entry = tuple[int, int, int, int, int]
"""(time, number, request, next subgraph, processor that ends or -1); numbers decide ties."""


def subgraphs(table: PlanTable) -> tuple[_Hops, ...]:
    """Return per unit what runs it alone, and where."""
    return tuple(
        tuple((s.cost_us, s.processor) for s in table.spans if s.first == s.last == unit)
        for unit in range(table.unit_count)
    )


def earliest_finish(trace: FlatTrace, tables: Sequence[PlanTable]) -> list[int]:
    """Return when each request finishes, in microseconds.

    Args:
        trace: requests that wait for no other.
        tables: hold its models; every unit is a subgraph of its own.
    """
    by_name = {table.model: subgraphs(table) for table in tables}
    plans = [by_name[name] for name in trace.models]
    models, roots = trace.model, trace.roots
    finished_us = [UNFINISHED] * len(trace)
    free_at_us = [0] * len(tables[0].processors)
    busy = [False] * len(free_at_us)
    queues: list[deque[tuple[int, int, int]]] = [deque() for _ in free_at_us]
    heap: list[_Entry] = [(roots[0][0], 0, roots[0][1], 0, -1)] if roots else []
    arrived, number = 1, 0
    push, pop = heapq.heappush, heapq.heappop
    while heap:
        now_us, _, request, unit, processor = pop(heap)
        if processor >= 0:
            if queues[processor]:
                cost_us, waiting, following = queues[processor].popleft()
                number += 1
                push(heap, (now_us + cost_us, number, waiting, following, processor))
            else:
                busy[processor] = False
        elif arrived < len(roots):
            number += 1
            push(heap, (roots[arrived][0], number, roots[arrived][1], 0, -1))
            arrived += 1
        hops = plans[models[request]]
        if unit == len(hops):
            finished_us[request] = now_us
            continue
        best_us = chosen = cost_us = -1
        for hop_us, place in hops[unit]:
            free_us = free_at_us[place]
            end_us = (free_us if free_us > now_us else now_us) + hop_us
            if best_us < 0 or end_us < best_us:
                best_us, chosen, cost_us = end_us, place, hop_us
        free_at_us[chosen] = best_us
        if busy[chosen]:
            queues[chosen].append((cost_us, request, unit + 1))
        else:
            busy[chosen] = True
            number += 1
            push(heap, (best_us, number, request, unit + 1, chosen))
    return finished_us
