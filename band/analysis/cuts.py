"""Cuts of a model into a given number of contiguous parts: about equal work, few bytes between.

Contiguous means contiguous in the topological order of atoms, so every part is convex and the
parts run one after another. No device is asked: that is what ``analyze`` is for.
"""

from itertools import accumulate, pairwise
from typing import Final

from band.analysis.boundary import boundaries
from band.model.atoms import atoms
from band.model.graph import Graph
from band.model.work import op_work

MACS_PER_BYTE: Final = 4
"""What moving one byte of activations weighs: a core does some 20 GMAC/s and moves 5 GB/s."""
TOLERANCE: Final = 0.5
"""How far the work of a part may be from an equal share, so that a cut can look for few bytes."""


def contiguous(
    graph: Graph, count: int, tolerance: float = TOLERANCE
) -> tuple[tuple[int, ...], ...]:
    """Return ``count`` parts of about equal work, with the fewest bytes alive at the cuts.

    A dynamic programme over (parts so far, cut position) minimises the sum of the bytes alive at
    the cuts, then the squared work, among the cuts whose parts are all within the tolerance. If
    there are none (one op may be most of a model), the tolerance doubles until there are.

    Args:
        graph: the model, with its shapes: what has none weighs nothing.
        count: number of parts; as many as there are atoms if these are fewer.
        tolerance: largest allowed deviation from an equal share of the work, as a part of it.

    Returns:
        Op indices of each part, ascending.
    """
    pieces = atoms(graph)
    count = max(1, min(count, len(pieces)))
    crossing = boundaries(graph, pieces).byte_counts
    work = [sum(_work(graph, op) for op in piece) for piece in pieces]
    while (cuts := _cheapest(work, crossing, count, tolerance)) is None:
        tolerance *= 2
    return tuple(
        tuple(sorted(op for piece in pieces[a:b] for op in piece)) for a, b in pairwise(cuts)
    )


def _work(graph: Graph, op: int) -> int:
    work = op_work(graph, op)
    return 1 + work.macs + MACS_PER_BYTE * (work.read_bytes + work.written_bytes)


def _cheapest(
    work: list[int], crossing: tuple[int, ...], count: int, tolerance: float
) -> tuple[int, ...] | None:
    """Return the best cut positions, 0 and the end included, or None if the tolerance has none."""
    before = list(accumulate(work, initial=0))
    share = before[-1] / count
    low, high = share * (1 - tolerance), share * (1 + tolerance)
    # position -> (bytes at the cuts, squared work, the cuts): the best way to cut what is before.
    best: dict[int, tuple[int, int, tuple[int, ...]]] = {0: (0, 0, (0,))}
    for part in range(1, count + 1):
        longer: dict[int, tuple[int, int, tuple[int, ...]]] = {}
        ends = (len(work),) if part == count else range(part, len(work))
        for end in ends:
            found = [
                (moved + crossing[end], square + (before[end] - before[start]) ** 2, (*cuts, end))
                for start, (moved, square, cuts) in best.items()
                if start < end and low <= before[end] - before[start] <= high
            ]
            if found:
                longer[end] = min(found)
        best = longer
    return best[len(work)][2] if best else None
