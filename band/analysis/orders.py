"""Canonical orders: in which topological order the ops of a model are laid out before it is cut.

A plan is a chain of ranges of one order, so the order decides which plans there are. Each
candidate is a sequence of *closures*: all that can run at once and by and by and has one key,
then all of the next key. By support mask that gives Band's unit subgraphs; by cheapest processor
it brings together what should run together. Backwards, a closure takes what may run late.
"""

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from band.analysis.opgraph import OpGraph, bits_of


class Flow(NamedTuple):
    """Which items each item needs, and which need it."""

    needs: tuple[tuple[int, ...], ...]
    feeds: tuple[tuple[int, ...], ...]

    @property
    def reversed(self) -> "Flow":
        """Return the same flow with time running backwards."""
        return Flow(self.feeds, self.needs)


def flow_of(graph: OpGraph) -> Flow:
    """Return the flow between the items of a graph whose tensors have one writer each."""
    writer = {t: item for item, mask in enumerate(graph.writes) for t in bits_of(mask)}
    needs = [sorted({writer[t] for t in bits_of(m) if t in writer}) for m in graph.reads]
    feeds: list[list[int]] = [[] for _ in needs]
    for item, sources in enumerate(needs):
        for source in sources:
            feeds[source].append(item)
    return Flow(tuple(map(tuple, needs)), tuple(map(tuple, feeds)))


def band_order(flow: Flow, support: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Return Band's unit subgraphs in Band's order: the lowest item that can run picks the key."""
    return _closures(flow, support, None, largest=False)


def other_orders(
    flow: Flow, support: Sequence[int], cheapest: Sequence[int]
) -> Iterator[tuple[int, ...]]:
    """Yield other topological orders that good plans may need; some may be the same.

    Args:
        flow: between the items.
        support: per item, the mask of the processors that take it.
        cheapest: per item, the processor that runs it fastest.
    """
    backwards = flow.reversed
    for keys in (support, cheapest):
        for first in sorted(set(keys)):
            yield _flat(_closures(flow, keys, first, largest=True))
            yield _flat(_closures(backwards, keys, first, largest=True))[::-1]


def runs_of(order: Sequence[int], keys: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Return the longest runs of an order whose items have one key each."""
    runs: list[list[int]] = []
    for item in order:
        if runs and keys[runs[-1][0]] == keys[item]:
            runs[-1].append(item)
        else:
            runs.append([item])
    return tuple(map(tuple, runs))


def _flat(closures: Sequence[Sequence[int]]) -> tuple[int, ...]:
    return tuple(item for closure in closures for item in closure)


def _closures(
    flow: Flow, keys: Sequence[int], first: int | None, *, largest: bool
) -> tuple[tuple[int, ...], ...]:
    """Return closures that hold every item of a flow without cycles once.

    Args:
        flow: between the items.
        keys: per item.
        first: key of the first closure, if any item of it can run at once.
        largest: the next key is that of the largest closure, else that of the lowest item.
    """
    unmet = [len(needs) for needs in flow.needs]
    ready: dict[int, list[int]] = {}  # heaps
    for item, count in enumerate(unmet):
        if not count:
            ready.setdefault(keys[item], []).append(item)
    found = []
    key = first
    while ready:
        if key not in ready:
            lowest = min(ready, key=lambda k: ready[k][0])
            key = _largest(flow, keys, unmet, ready) if largest else lowest
        found.append(_close(flow, keys, key, unmet, ready))
        key = None
    return tuple(found)


def _close(
    flow: Flow, keys: Sequence[int], key: int, unmet: list[int], ready: dict[int, list[int]]
) -> tuple[int, ...]:
    """Take the closure of a key, lowest item first, and note what it makes ready."""
    waiting = ready.pop(key)
    taken = []
    while waiting:
        item = heappop(waiting)
        taken.append(item)
        for after in flow.feeds[item]:
            unmet[after] -= 1
            if not unmet[after]:
                other = keys[after] != key
                heappush(ready.setdefault(keys[after], []) if other else waiting, after)
    return tuple(taken)


def _largest(
    flow: Flow, keys: Sequence[int], unmet: Sequence[int], ready: dict[int, list[int]]
) -> int:
    """Return the key with the largest closure, the lowest of these."""
    if len(ready) == 1:
        return next(iter(ready))
    sizes = {key: _size(flow, keys, key, unmet, items) for key, items in ready.items()}
    return max(sorted(sizes), key=sizes.__getitem__)


def _size(
    flow: Flow, keys: Sequence[int], key: int, unmet: Sequence[int], items: Sequence[int]
) -> int:
    waiting = list(items)
    less: dict[int, int] = {}
    count = 0
    while waiting:
        item = waiting.pop()
        count += 1
        for after in flow.feeds[item]:
            if keys[after] == key:
                less[after] = less.get(after, 0) + 1
                if less[after] == unmet[after]:
                    waiting.append(after)
    return count
