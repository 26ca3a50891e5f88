"""Band's merge step: parts of one worker are joined pairwise until a pass adds nothing.

The test looks at the tensors of the two parts alone, so it forgets what is there already (model
inputs, earlier units) and can join units that are not neighbours.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from band.analysis.opgraph import OpGraph

MAX_PARTS: Final = 4096
"""Subgraphs of one model above which band mode gives up: the merge is quadratic in them."""


class Part(NamedTuple):
    """A subgraph: a set of ops (mask) on one worker, and the units (mask) it is made of."""

    worker: int
    ops: int
    units: int


def is_contiguous(units: int) -> bool:
    """Return whether max - min == count - 1 holds for the units of a mask."""
    low = units & -units
    return bool(units) and units + low == 1 << units.bit_length()


def merge(
    graph: OpGraph, definitions: Sequence[Part], *, thorough: bool = True
) -> tuple[list[Part], int]:
    """Return the definitions and all that the merge adds, and the number of passes.

    A pass looks at each ordered pair of parts of one worker and joins them if the second reads
    nothing but what the first writes. Pairs that an earlier pass has seen cannot add anything,
    so only pairs with a part of the last pass are looked at; the result and its order are those
    of the full scan.

    Args:
        graph: the data flow.
        definitions: one part per unit and worker.
        thorough: go on after a gap in the units of a part, or above ``MAX_PARTS``.
    """
    ordered = [_merging(graph, part) for part in definitions]
    known = {(part.worker, part.ops) for part in definitions}
    fresh_from = 0
    passes = 0
    while True:
        passes += 1
        added: list[_Merging] = []
        for joined in _joined(graph, ordered, fresh_from, known):
            added.append(joined)
            if thorough:
                continue
            if len(ordered) + len(added) > MAX_PARTS or not is_contiguous(joined.part.units):
                return [entry.part for entry in (*ordered, *added)], passes
        if not added:
            return [entry.part for entry in ordered], passes
        fresh_from = len(ordered)
        ordered.extend(added)


class _Merging(NamedTuple):
    """A part with the tensor sets that the test compares."""

    part: Part
    needs: int
    writes: int


def _merging(graph: OpGraph, part: Part) -> _Merging:
    return _Merging(part, graph.pure_inputs(part.ops), graph.written_by(part.ops))


def _joined(
    graph: OpGraph, ordered: Sequence[_Merging], fresh_from: int, known: set[tuple[int, int]]
) -> Iterator[_Merging]:
    """Yield what one pass adds, and add it to what is known."""
    everyone: dict[int, list[_Merging]] = {}
    newcomers: dict[int, list[_Merging]] = {}
    for index, entry in enumerate(ordered):
        everyone.setdefault(entry.part.worker, []).append(entry)
        if index >= fresh_from:
            newcomers.setdefault(entry.part.worker, []).append(entry)
    for index, (part, _, writes) in enumerate(ordered):
        partners = everyone if index >= fresh_from else newcomers
        for other, needs, _ in partners.get(part.worker, ()):
            ops = part.ops | other.ops
            if needs & ~writes or other is part or (part.worker, ops) in known:
                continue
            known.add((part.worker, ops))
            yield _merging(graph, Part(part.worker, ops, part.units | other.units))
