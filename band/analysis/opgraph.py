"""Op sets as int masks, and the two closures that Band's analysis is made of.

An *item* is what the analysis moves as one: an op in band mode, an atom in cost mode. Masks over
items, tensors and workers are plain ints, so there is no limit of 64 of anything.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from band.model.graph import Graph


def mask_of(bits: Iterable[int]) -> int:
    """Return the mask with these bits set."""
    mask = 0
    for bit in bits:
        mask |= 1 << bit
    return mask


def bits_of(mask: int) -> Iterator[int]:
    """Yield the set bits of a mask, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


@dataclass(frozen=True, slots=True, kw_only=True)
class OpGraph:
    """Data flow between items.

    Attributes:
        inputs: tensors that are there before anything runs.
        reads: per item, the tensors it reads, without constant and absent ones.
        writes: per item, the tensors it writes.
    """

    inputs: int
    reads: tuple[int, ...]
    writes: tuple[int, ...]

    @classmethod
    def from_lists(
        cls,
        inputs: Iterable[int],
        reads: Iterable[Iterable[int]],
        writes: Iterable[Iterable[int]],
    ) -> "OpGraph":
        """Return a graph from lists of tensor ids, one list of reads and writes per item."""
        return cls(
            inputs=mask_of(inputs),
            reads=tuple(mask_of(r) for r in reads),
            writes=tuple(mask_of(w) for w in writes),
        )

    @classmethod
    def from_items(cls, graph: Graph, items: Sequence[Sequence[int]]) -> "OpGraph":
        """Return the flow between groups of ops.

        A tensor that neither a group makes nor the model gets is constant.

        Args:
            graph: the model.
            items: disjoint groups of op indices; weight ops may be left out.
        """
        made = {t for item in items for op in item for t in graph.ops[op].outputs}
        moving = made | set(graph.inputs)
        reads = []
        writes = []
        for item in items:
            own = mask_of(t for op in item for t in graph.ops[op].outputs)
            read = mask_of(t for op in item for t in graph.ops[op].inputs if t in moving)
            reads.append(read & ~own)
            writes.append(own)
        return cls(inputs=mask_of(graph.inputs), reads=tuple(reads), writes=tuple(writes))

    @property
    def all_items(self) -> int:
        """Return the mask of all items."""
        return (1 << len(self.reads)) - 1

    def written_by(self, items: int) -> int:
        """Return every tensor that a set of items writes, internal ones too."""
        mask = 0
        for item in bits_of(items):
            mask |= self.writes[item]
        return mask

    def pure_inputs(self, items: int) -> int:
        """Return the tensors that a set of items reads and does not write."""
        read = 0
        for item in bits_of(items):
            read |= self.reads[item]
        return read & ~self.written_by(items)


def alternating_sets(graph: OpGraph, unsupported: int) -> tuple[tuple[bool, int], ...]:
    """Return Band's fallback partition of one worker as (is fallback, item set), in order.

    Ascending sweeps take every resolved item of the current side until a sweep takes none, then
    the side flips. An output counts at once, so later items of the same sweep can follow.
    """
    resolved = graph.inputs
    remaining = list(range(len(graph.reads)))
    fallback = False
    found: list[tuple[bool, int]] = []
    idle_sides = 0
    while remaining and idle_sides < 2:
        taken = 0
        progress = True
        while progress:
            left = []
            for item in remaining:
                side = bool(unsupported >> item & 1)
                if side == fallback and not graph.reads[item] & ~resolved:
                    taken |= 1 << item
                    resolved |= graph.writes[item]
                else:
                    left.append(item)
            progress = len(left) < len(remaining)
            remaining = left
        idle_sides = 0 if taken else idle_sides + 1
        if taken:
            found.append((fallback, taken))
        fallback = not fallback
    return tuple(found)


def unit_sets(graph: OpGraph, support: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return the unit subgraphs as (item set, support mask), in topological order.

    Each unit is the greedy closure of items with one support mask; the lowest resolved item
    chooses the mask.

    Args:
        graph: the data flow.
        support: per item, the mask of the workers that take it.

    Returns:
        Units of as many items as can be resolved; all of them if the graph has no cycle.
    """
    resolved = graph.inputs
    remaining = list(range(len(graph.reads)))
    units: list[tuple[int, int]] = []
    while True:
        unit = 0
        wanted: int | None = None
        while True:
            taken = []
            for item in remaining:
                if graph.reads[item] & ~resolved:
                    continue
                if wanted is None:
                    wanted = support[item]
                if support[item] == wanted:
                    taken.append(item)
            if not taken:
                break
            unit |= mask_of(taken)
            remaining = [item for item in remaining if not unit >> item & 1]
            for item in taken:
                resolved |= graph.writes[item]
        if wanted is None:
            return tuple(units)
        units.append((unit, wanted))
