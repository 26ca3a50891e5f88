"""Which subgraphs to measure so that few measurements tell most about all others."""

from bisect import bisect_left
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import accumulate

Parts = Sequence[tuple[int, ...]]


def sample_ranges(
    parts: Parts, taken: Container[int], cost: Mapping[int, float], count: int
) -> tuple[tuple[int, ...], ...]:
    """Return ranges of ops to measure, largest first.

    The stretches that the processor takes are measured whole, then cut into a few pieces of equal
    cost, then into more. Pieces of equal cost weigh all work alike, however many ops do it; pieces
    of two sizes share no cuts, so that together they tell apart the ops between neighbouring cuts.
    Single ops are left out on purpose: inside a subgraph they are fused and find their data in the
    cache.

    Args:
        parts: the smallest legal parts of a model as op indices, in topological order.
        taken: ops that the processor takes.
        cost: op -> roughly what it costs, in any unit.
        count: about how many ranges; at least one per stretch up to this number.
    """
    stretches = sorted(_stretches(parts, taken), key=lambda s: -_cost(s, cost))[:count]
    whole = sum(_cost(stretch, cost) for stretch in stretches) or 1.0
    left = max(0, count - len(stretches))
    found: dict[tuple[int, ...], None] = {}
    for pieces in (1, left * 2 // 5, left - left * 2 // 5):
        for stretch in stretches:
            share = max(1, min(round(pieces * _cost(stretch, cost) / whole), len(stretch)))
            found.update((_ops(piece), None) for piece in _cut(stretch, cost, share))
    return tuple(found)


def _stretches(parts: Parts, taken: Container[int]) -> Iterator[Parts]:
    """Yield the longest runs of neighbouring parts that are taken whole."""
    run: list[tuple[int, ...]] = []
    for part in parts:
        if all(op in taken for op in part):
            run.append(part)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _cut(stretch: Parts, cost: Mapping[int, float], pieces: int) -> Iterator[Parts]:
    """Yield a stretch in about that many pieces of about equal cost."""
    ends = list(accumulate(_cost((part,), cost) for part in stretch))
    first = 0
    for number in range(1, pieces + 1):
        goal = ends[-1] * number / pieces
        last = len(stretch) if number == pieces else bisect_left(ends, goal) + 1
        if last > first:
            yield stretch[first:last]
            first = last


def _cost(parts: Parts, cost: Mapping[int, float]) -> float:
    return sum(cost.get(op, 0.0) for part in parts for op in part)


def _ops(parts: Parts) -> tuple[int, ...]:
    return tuple(sorted(op for part in parts for op in part))
