"""Reference planners: literal ports that the fast kernel is compared with.

They follow Band's ``GetShortestLatencyWithUnitSubgraph`` in shape: keys are objects, costs and
waits are maps, the list of keys is copied whenever a better one is found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from band.plan.hops import DOWN_US
from band.plan.table import PlanTable


class Ties(Enum):
    """Which of two plans with the same latency wins.

    ``BAND``: the shorter last piece, and among processors the last one, as in the original.
    ``TOTAL``: (chain length, then the steps compared by (processor, end unit)), ours.
    """

    BAND = "band"
    TOTAL = "total"


@dataclass(frozen=True)
class SubgraphKey:
    """A merged subgraph on one worker."""

    worker: int
    first: int
    last: int


@dataclass(frozen=True)
class PortPlan:
    """What a port returns."""

    latency_us: int
    keys: tuple[SubgraphKey, ...]


@dataclass(frozen=True)
class PortModel:
    """A plan table in Band's own form.

    Attributes:
        keys: first unit -> last unit -> keys that cover exactly that range.
        expected: key -> expected latency.
        transfer_us: (boundary, from worker, to worker) -> time.
    """

    unit_count: int
    keys: Mapping[int, Mapping[int, Sequence[SubgraphKey]]]
    expected: Mapping[SubgraphKey, int]
    transfer_us: Mapping[tuple[int, int, int], int]

    @classmethod
    def of(cls, table: PlanTable) -> "PortModel":
        """Return the port's form of a plan table."""
        keys: dict[int, dict[int, list[SubgraphKey]]] = {}
        expected = {}
        for span in table.spans:
            key = SubgraphKey(span.processor, span.first, span.last)
            keys.setdefault(span.first, {}).setdefault(span.last, []).append(key)
            expected[key] = span.cost_us
        moves = {
            (boundary, source, target): us
            for boundary, rows in enumerate(table.transfer_us)
            for source, row in enumerate(rows)
            for target, us in enumerate(row)
        }
        return cls(unit_count=table.unit_count, keys=keys, expected=expected, transfer_us=moves)


def shortest_key(
    model: PortModel,
    keys: Sequence[SubgraphKey],
    start: int,
    waiting: Mapping[int, int],
    ties: Ties,
) -> tuple[SubgraphKey | None, int]:
    """Return the key that finishes first when its input is ready at ``start``."""
    best: SubgraphKey | None = None
    latency = -1
    for key in keys:
        if waiting[key.worker] >= DOWN_US:
            continue
        expected = model.expected[key] + max(waiting[key.worker], start)
        if best is None or expected < latency or (expected == latency and ties is Ties.BAND):
            best, latency = key, expected
    return best, latency


def shortest_plan(
    model: PortModel, start_unit: int, waiting: Mapping[int, int], ties: Ties = Ties.TOTAL
) -> PortPlan | None:
    """Return Band's shortest plan; transfers are free (band.md 3.4).

    Args:
        model: the port's form of a table.
        start_unit: first unit that is not finished.
        waiting: worker -> time until it is free.
        ties: the rule among plans of equal latency.
    """
    memo: dict[int, tuple[list[SubgraphKey], int]] = {}
    for j in range(start_unit, model.unit_count):
        local: tuple[list[SubgraphKey], int] = ([], -1)
        for i in range(j, start_unit - 1, -1):
            if i not in model.keys or j not in model.keys[i]:
                continue
            if i > start_unit and memo[i - 1][1] < 0:
                continue
            start = memo[i - 1][1] if i > start_unit else 0
            key, latency = shortest_key(model, model.keys[i][j], start, waiting, ties)
            if key is None:
                continue
            better = local[1] < 0 or latency < local[1]
            if not better and ties is Ties.TOTAL and latency == local[1]:
                before = memo[i - 1][0] if i > start_unit else []
                better = _order([*before, key]) < _order(local[0])
            if better:
                chain = list(memo[i - 1][0]) if i > start_unit else []
                chain.append(key)
                local = (chain, latency)
        memo[j] = local
    keys, latency = memo[model.unit_count - 1]
    return PortPlan(latency, tuple(keys)) if latency >= 0 else None


def shortest_plan_with_transfers(
    model: PortModel, start_unit: int, waiting: Mapping[int, int], holder: int = -1
) -> PortPlan | None:
    """Return the same programme with labels keyed (end unit, worker) and the transfer term.

    Args:
        model: the port's form of a table.
        start_unit: first unit that is not finished.
        waiting: worker -> time until it is free.
        holder: worker that holds the data at ``start_unit``, -1 for none.
    """
    memo: dict[tuple[int, int], tuple[list[SubgraphKey], int]] = {}
    workers = sorted(waiting)
    for j in range(start_unit, model.unit_count):
        for i in range(j, start_unit - 1, -1):
            if i not in model.keys or j not in model.keys[i]:
                continue
            for key in model.keys[i][j]:
                if waiting[key.worker] >= DOWN_US:
                    continue
                for source in workers if i > start_unit else [holder]:
                    if i > start_unit and (i - 1, source) not in memo:
                        continue
                    before, ready = memo[(i - 1, source)] if i > start_unit else ([], 0)
                    arrival = ready + model.transfer_us.get((i, source, key.worker), 0)
                    latency = max(waiting[key.worker], arrival) + model.expected[key]
                    _keep_better(memo, (j, key.worker), before, key, latency)
    ends = [memo[model.unit_count - 1, w] for w in workers if (model.unit_count - 1, w) in memo]
    if not ends:
        return None
    keys, latency = min(ends, key=lambda end: (end[1], _order(end[0])))
    return PortPlan(latency, tuple(keys))


def _keep_better(
    memo: dict[tuple[int, int], tuple[list[SubgraphKey], int]],
    label: tuple[int, int],
    before: list[SubgraphKey],
    key: SubgraphKey,
    latency: int,
) -> None:
    known = memo.get(label)
    better = known is None or latency < known[1]
    if known is not None and latency == known[1]:
        better = _order([*before, key]) < _order(known[0])
    if better:
        chain = list(before)
        chain.append(key)
        memo[label] = (chain, latency)


def _order(keys: Sequence[SubgraphKey]) -> tuple[int, list[tuple[int, int]]]:
    return len(keys), [(key.worker, key.last) for key in keys]
