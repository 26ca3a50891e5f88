"""Memory and boundary tensors of every range of adjacent units, in one sweep per first unit."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from band.memory.lifetimes import Lifetime, lifetimes
from band.model.graph import Graph


class RangeMemory(NamedTuple):
    """What a slice of the units first..last needs.

    Attributes:
        inputs: activations that earlier units make and it reads; no model inputs.
        outputs: activations it makes that later units read.
        peak_bytes: ``lifetimes.peak_bytes`` of its ops in the order of the units.
        load_bytes: constants it reads, what weight ops make of them, its variables, and the peak.
    """

    first: int
    last: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    peak_bytes: int
    load_bytes: int


def range_memory(graph: Graph, units: Sequence[Sequence[int]]) -> Iterator[RangeMemory]:
    """Yield the memory of every range of units, by (first, last).

    The peak needs no new look at the ops as a range grows: inputs live throughout, and a tensor
    read beyond the range's end lives to that end whoever reads it. So for a fixed first unit the
    bytes alive at each op do not depend on the last unit, but for those of the inputs.

    Args:
        graph: the model.
        units: compute ops per unit, in topological order.
    """
    facts = _UnitFacts(graph, units)
    for first in range(len(units)):
        alive = facts.peaks_from(first)
        entering: dict[int, int] = {}
        stored: dict[int, int] = {}
        most = 0
        for last in range(first, len(units)):
            entering.update(
                (life.tensor, life.byte_count)
                for life in facts.read_by[last]
                if facts.made_in[life.tensor] < first
            )
            stored.update(facts.stored[last])
            most = max(most, alive[last - first])
            peak = most + sum(entering.values())
            yield RangeMemory(
                first=first,
                last=last,
                inputs=tuple(sorted(t for t in entering if facts.made_in[t] >= 0)),
                outputs=facts.leaving(first, last),
                peak_bytes=peak,
                load_bytes=peak + sum(stored.values()),
            )


class _UnitFacts:
    """Per unit what it makes, reads and stores, from one pass over the model."""

    def __init__(self, graph: Graph, units: Sequence[Sequence[int]]) -> None:
        self._units = units
        order = [op for unit in units for op in unit]
        self._unit_of = [number for number, unit in enumerate(units) for _ in unit]
        self._starts = [0]
        for unit in units:
            self._starts.append(self._starts[-1] + len(unit))
        self._lives = lifetimes(graph, order)
        home = {op: number for number, unit in enumerate(units) for op in unit}
        self.made_in = {
            life.tensor: home.get(graph.producer[life.tensor], -1) for life in self._lives
        }
        by_id = {life.tensor: life for life in self._lives}
        self.read_by: list[tuple[Lifetime, ...]] = []
        self.stored: list[dict[int, int]] = []
        for unit in units:
            read = dict.fromkeys(t for op in unit for t in graph.ops[op].inputs if t in by_id)
            self.read_by.append(tuple(by_id[t] for t in read))
            self.stored.append(_stored(graph, unit))
        self._crossing: list[list[int]] = [[] for _ in range(len(units) + 1)]
        for life in sorted(self._lives):
            made = self.made_in[life.tensor]
            last = max((home[c] for c in graph.consumers[life.tensor] if c in home), default=-1)
            for boundary in range(made + 1, last + 1) if made >= 0 else ():
                self._crossing[boundary].append(life.tensor)

    def peaks_from(self, first: int) -> list[int]:
        """Return per unit from ``first`` on the most bytes alive of what is made since then."""
        base = self._starts[first]
        change = [0] * (self._starts[-1] - base + 1)
        for life in self._lives:
            if self.made_in[life.tensor] >= first:
                change[life.first - base] += life.byte_count
                change[life.last + 1 - base] -= life.byte_count
        peaks = [0] * (len(self._units) - first)
        alive = 0
        for position, delta in enumerate(change[:-1]):
            alive += delta
            unit = self._unit_of[base + position] - first
            peaks[unit] = max(peaks[unit], alive)
        return peaks

    def leaving(self, first: int, last: int) -> tuple[int, ...]:
        """Return the activations made in first..last that later units read."""
        return tuple(t for t in self._crossing[last + 1] if self.made_in[t] >= first)


def _stored(graph: Graph, ops: Sequence[int]) -> dict[int, int]:
    """Return what a loaded slice of these ops keeps: tensor -> bytes."""
    found: dict[int, int] = {}
    pending = [t for op in ops for t in (*graph.ops[op].inputs, *graph.ops[op].outputs) if t >= 0]
    while pending:
        t = pending.pop()
        tensor = graph.tensors[t]
        if t in found:
            continue
        if tensor.constant:
            found[t] = tensor.buffer_bytes
        elif tensor.variable:
            found[t] = tensor.byte_size or 0
        elif t in graph.weight_tensors:
            found[t] = tensor.byte_size or 0
            pending.extend(i for i in graph.ops[graph.producer[t]].inputs if i >= 0)
    return found
