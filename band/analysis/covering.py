"""Whether one layout of a model offers, for any waits, a plan as good as another layout does.

Both are compared by the plans that are best for some waits; see :mod:`band.analysis.stages` for
why those are the Pareto-minimal vectors of times from the first use of each processor to the end.
"""

import math
from collections.abc import Collection
from typing import Final

from band.analysis.prices import Prices, latency_us
from band.analysis.stages import Needed

MAX_VECTORS: Final = 64
"""Per place in a model; with more plans than that, layouts are not compared."""

Vector = tuple[float, ...]
"""Per processor, from its first use to the end of the plan; -1 if it is not used."""


def covers(ours: Prices, theirs: Collection[Vector] | None) -> bool:
    """Return whether for any waits a plan of ours is as early as the best of theirs.

    For each of their vectors one answer decides for all waits: where their plan just does not
    wait, and processors that it does not use are down, ours must be as early.

    Args:
        ours: prices of all ranges that our plans may be made of.
        theirs: see :func:`best_vectors`.
    """
    if theirs is None:
        return False
    for vector in theirs:
        idle_us = max(vector)
        waits = [idle_us - total if total >= 0 else math.inf for total in vector]
        if latency_us(ours, waits) > idle_us:
            return False
    return True


def best_vectors(prices: Prices, ranges: Collection[Needed]) -> tuple[Vector, ...] | None:
    """Return the vectors of the plans that are best for some waits, None if they are too many.

    Args:
        prices: of the ranges.
        ranges: that plans are made of.
    """
    count, units = len(prices.costs), prices.unit_count
    from_here: list[list[list[Vector]]] = [[[] for _ in range(count)] for _ in range(units + 1)]
    for processor, first, last in sorted(ranges, key=lambda r: r.first, reverse=True):
        cost_us = float(prices.costs[processor, first, last + 1])
        known = from_here[first][processor]
        if last + 1 == units:
            _add(known, tuple(cost_us if p == processor else -1.0 for p in range(count)))
        for then in range(count):
            move_us = float(prices.moves[last + 1, processor, then])
            for rest in from_here[last + 1][then]:
                _add(known, _before(rest, processor, cost_us + move_us + rest[then]))
        if len(known) > MAX_VECTORS:
            return None
    found: list[Vector] = []
    for vectors in from_here[0]:
        for vector in vectors:
            _add(found, vector)
    return tuple(found)


def _before(rest: Vector, processor: int, total_us: float) -> Vector:
    """Return the vector of a plan that runs a range on a processor before ``rest``."""
    return (*rest[:processor], total_us, *rest[processor + 1 :])


def _no_worse(one: Vector, other: Vector) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True))


def _add(known: list[Vector], vector: Vector) -> None:
    """Add a vector unless a known one is as good, and forget those it is better than."""
    if not any(_no_worse(one, vector) for one in known):
        known[:] = [one for one in known if not _no_worse(vector, one)]
        known.append(vector)
