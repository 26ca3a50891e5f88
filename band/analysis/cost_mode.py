"""Our default analysis: Band's units without its defects, and only subgraphs that can pay.

Units are closures like Band's, but over atoms of compute ops: ops that only read constants never
form units, since each slice that needs one carries its own copy. They are cut further where a
change of processors pays. Units are numbered in topological order, so any range of adjacent units
is convex; nothing is refused, and the whole model is there whenever one processor takes it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from band.analysis.layout import Layout, Problem, lay_out, unit_runs
from band.analysis.opgraph import OpGraph, alternating_sets, bits_of, mask_of
from band.analysis.partition import Preparation
from band.analysis.stages import Needed

MAX_UNITS: Final = 256
"""Above this, the minimum subgraph size is raised: there are up to units^2 / 2 ranges."""


class Units(NamedTuple):
    """What unit discovery found.

    Attributes:
        sets: per unit its atoms and the mask of the processors that take them, in topological
            order.
        ranges: candidate subgraphs, sorted by (processor, first, last).
        ignored: per processor, the mask of atoms that the minimum size took from it.
        minimum_size: the size that was applied, after raising it to stay within MAX_UNITS.
    """

    sets: tuple[tuple[tuple[int, ...], int], ...]
    ranges: tuple[Needed, ...]
    ignored: tuple[int, ...]
    minimum_size: int


def find_units(
    problem: Problem, preparation: Preparation, accelerators: int, minimum_size: int
) -> Units:
    """Return the units of a model and the candidate subgraphs made of them.

    Args:
        problem: the model on the device; each atom has a processor that takes it.
        preparation: which candidates are wanted. ``merge_unit_subgraph`` gives all that the best
            plan for some waits needs; the others are Band's, each processor's longest runs of
            units and the gaps between them, or single units.
        accelerators: mask of the processors that the minimum size applies to.
        minimum_size: runs of fewer ops leave an accelerator if another processor takes them.
    """
    sizes = [len(part) for part in problem.parts]
    while True:
        ignored = _too_small(problem.flow, sizes, problem.support, accelerators, minimum_size)
        left = tuple(
            mask & ~mask_of(p for p in bits_of(mask) if ignored[p] >> atom & 1)
            for atom, mask in enumerate(problem.support)
        )
        reduced = replace(problem, support=left)
        runs = unit_runs(reduced)
        if len(runs) <= MAX_UNITS or minimum_size >= sum(sizes):
            break
        minimum_size *= 2
    if preparation is Preparation.MERGE_UNIT_SUBGRAPH:
        layout = lay_out(reduced)
    else:
        layout = Layout(units=runs, ranges=None)
    found = layout.ranges
    if found is None:
        masks = [mask for _, mask in layout.units]
        found = ranges(masks, preparation, len(problem.device.processors))
    return Units(layout.units, tuple(sorted(found)), ignored, minimum_size)


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


def ranges(
    masks: Sequence[int], preparation: Preparation, processor_count: int
) -> frozenset[Needed]:
    """Return all ranges of units that a preparation asks for.

    Args:
        masks: per unit, of the processors that take it.
        preparation: which candidates are wanted.
        processor_count: of the device.
    """
    found: set[Needed] = set()
    for processor in range(processor_count):
        runs = _runs(masks, processor)
        if preparation is Preparation.MERGE_UNIT_SUBGRAPH:
            for taken, first, last in runs:
                if taken:
                    found.update(
                        Needed(processor, a, b)
                        for a in range(first, last + 1)
                        for b in range(a, last + 1)
                    )
        elif preparation is Preparation.FALLBACK_PER_WORKER:
            if any(taken for taken, _, _ in runs):
                for taken, first, last in runs:
                    found.update(_owners(masks, processor, first, last, taken=taken))
        else:
            found.update(Needed(processor, u, u) for u, m in enumerate(masks) if m >> processor & 1)
    return frozenset(found)


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
) -> list[Needed]:
    """Return who runs one run of ``fallback_per_worker``; unit by unit if nobody takes it whole."""
    if taken:
        return [Needed(processor, first, last)]
    common = masks[first]
    for mask in masks[first + 1 : last + 1]:
        common &= mask
    if common:
        return [Needed(p, first, last) for p in bits_of(common)]
    return [Needed(p, u, u) for u in range(first, last + 1) for p in bits_of(masks[u])]
