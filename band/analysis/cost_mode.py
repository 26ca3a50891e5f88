"""Our default analysis: Band's units without its defects.

Units are the same greedy closures, but over atoms of compute ops: ops that only read constants
never form units, since each slice that needs one carries its own copy. Units are numbered in
topological order, so any range of adjacent units is convex and may be merged for a processor that
takes them all; nothing is refused, and the whole model is there whenever one processor takes it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from band.analysis.opgraph import OpGraph, alternating_sets, bits_of, mask_of, unit_sets
from band.analysis.partition import Preparation

MAX_UNITS = 256
"""Above this, the minimum subgraph size is raised: a table has up to units^2 / 2 spans each."""


class Range(NamedTuple):
    """Adjacent units first..last, merged for one processor."""

    processor: int
    first: int
    last: int


class Units(NamedTuple):
    """What unit discovery found.

    Attributes:
        sets: per unit (atom mask, processor mask), in topological order.
        ignored: per processor, the mask of atoms that the minimum size took from it.
        minimum_size: the size that was applied, after raising it to stay within MAX_UNITS.
    """

    sets: tuple[tuple[int, int], ...]
    ignored: tuple[int, ...]
    minimum_size: int


def find_units(
    graph: OpGraph,
    sizes: Sequence[int],
    support: Sequence[int],
    accelerators: int,
    minimum_size: int,
) -> Units:
    """Return the units of a model.

    Args:
        graph: data flow between atoms.
        sizes: per atom, its number of ops.
        support: per atom, the mask of the available processors that take it; never 0.
        accelerators: mask of the processors that the minimum size applies to.
        minimum_size: runs of fewer ops leave an accelerator if another processor takes them.
    """
    while True:
        ignored = _too_small(graph, sizes, support, accelerators, minimum_size)
        left = [
            mask & ~mask_of(p for p in bits_of(mask) if ignored[p] >> atom & 1)
            for atom, mask in enumerate(support)
        ]
        units = unit_sets(graph, left)
        if len(units) <= MAX_UNITS or minimum_size >= sum(sizes):
            return Units(units, ignored, minimum_size)
        minimum_size *= 2


def _too_small(
    graph: OpGraph,
    sizes: Sequence[int],
    support: Sequence[int],
    accelerators: int,
    minimum_size: int,
) -> tuple[int, ...]:
    """Return per processor the atoms in runs below the minimum size that others take too."""
    count = max((mask.bit_length() for mask in support), default=0)
    elsewhere = mask_of(a for a, mask in enumerate(support) if mask & ~accelerators)
    ignored = [0] * count
    for processor in bits_of(accelerators & ((1 << count) - 1)):
        refused = mask_of(a for a, mask in enumerate(support) if not mask >> processor & 1)
        for fallback, atoms in alternating_sets(graph, refused):
            if not fallback and sum(sizes[a] for a in bits_of(atoms)) < minimum_size:
                ignored[processor] |= atoms & elsewhere
    return tuple(ignored)


def ranges(units: Units, preparation: Preparation, processor_count: int) -> tuple[Range, ...]:
    """Return the candidate subgraphs, sorted by (processor, first, last).

    Args:
        units: what ``find_units`` found (one unit when no fallback is wanted).
        preparation: which candidates are wanted. ``fallback_per_worker`` gives each processor its
            longest runs of units and every processor that takes a gap as a whole that gap.
        processor_count: of the device.
    """
    masks = [mask for _, mask in units.sets]
    found: set[Range] = set()
    for processor in range(processor_count):
        runs = _runs(masks, processor)
        if preparation is Preparation.MERGE_UNIT_SUBGRAPH:
            for taken, first, last in runs:
                if taken:
                    found.update(
                        Range(processor, a, b)
                        for a in range(first, last + 1)
                        for b in range(a, last + 1)
                    )
        elif preparation is Preparation.FALLBACK_PER_WORKER:
            if any(taken for taken, _, _ in runs):
                for taken, first, last in runs:
                    found.update(_owners(masks, processor, first, last, taken=taken))
        else:
            found.update(Range(processor, u, u) for u, m in enumerate(masks) if m >> processor & 1)
    return tuple(sorted(found))


def _runs(masks: Sequence[int], processor: int) -> list[tuple[bool, int, int]]:
    """Return the maximal runs of units that a processor takes or does not: (taken, first, last)."""
    runs: list[tuple[bool, int, int]] = []
    for unit, mask in enumerate(masks):
        taken = bool(mask >> processor & 1)
        if runs and runs[-1][0] == taken:
            runs[-1] = (taken, runs[-1][1], unit)
        else:
            runs.append((taken, unit, unit))
    return runs


def _owners(
    masks: Sequence[int], processor: int, first: int, last: int, *, taken: bool
) -> list[Range]:
    """Return who runs one run of ``fallback_per_worker``; unit by unit if nobody takes it whole."""
    if taken:
        return [Range(processor, first, last)]
    common = masks[first]
    for mask in masks[first + 1 : last + 1]:
        common &= mask
    if common:
        return [Range(p, first, last) for p in bits_of(common)]
    return [Range(p, u, u) for u in range(first, last + 1) for p in bits_of(masks[u])]
