"""Band's own analysis of a model, quirks and refusals included (MobiSys'22, master 8600d49).

Pure functions on op sets: they take the data flow, the workers and each worker's unsupported
ops, so that logged cases can be fed to them. What the original gets wrong is kept here on
purpose (see ``cost_mode`` for the rules without it): ops that only read constants form units,
a merge looks at the tensors of its two parts alone, and a subgraph whose unit indices have a gap
makes the whole model be refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from band.analysis.band_merge import Part, is_contiguous, merge
from band.analysis.opgraph import OpGraph, alternating_sets, bits_of, unit_sets
from band.analysis.partition import Preparation


class Worker(NamedTuple):
    """A worker as Band sees it.

    Attributes:
        cpu: the CPU takes every op.
        available: its delegate could be made.
    """

    cpu: bool
    available: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What Band's analyzer makes of a model.

    Attributes:
        units: op masks, in order of discovery.
        unit_workers: per unit, the mask of the available workers that take it.
        definitions: number of (unit, worker) pairs.
        parts: all subgraphs, in Band's order.
        merge_passes: passes of the merge step, the last, empty one included; 0 without merge.
    """

    units: tuple[int, ...]
    unit_workers: tuple[int, ...]
    definitions: int
    parts: tuple[Part, ...]
    merge_passes: int

    @property
    def non_contiguous(self) -> tuple[Part, ...]:
        """Return the subgraphs whose unit indices have a gap: Band refuses such a model."""
        return tuple(p for p in self.parts if not is_contiguous(p.units))


def fallback_parts(
    graph: OpGraph, workers: Sequence[Worker], unsupported: Sequence[int], worker: int
) -> tuple[tuple[int, int], ...]:
    """Return (worker, op mask) of the fallback partition of one worker, in order.

    A fallback set of an accelerator goes to every CPU worker; an unavailable worker has none.
    """
    if not workers[worker].available:
        return ()
    cpus = [w for w, other in enumerate(workers) if other.cpu]
    parts: list[tuple[int, int]] = []
    for fallback, ops in alternating_sets(graph, unsupported[worker]):
        if fallback and not workers[worker].cpu:
            parts.extend((cpu, ops) for cpu in cpus)
        else:
            parts.append((worker, ops))
    return tuple(parts)


def ignored_ops(
    graph: OpGraph, workers: Sequence[Worker], unsupported: Sequence[int], minimum_size: int
) -> tuple[int, ...]:
    """Return per worker the ops that the minimum subgraph size takes away from it."""
    ignored = []
    for worker, kind in enumerate(workers):
        small = 0
        if not kind.cpu:
            for _, ops in fallback_parts(graph, workers, unsupported, worker):
                if ops.bit_count() < minimum_size:
                    small |= ops
        ignored.append(small)
    return tuple(ignored)


def support_masks(
    graph: OpGraph,
    workers: Sequence[Worker],
    unsupported: Sequence[int],
    ignored: Sequence[int],
) -> tuple[int, ...]:
    """Return per op the mask of the workers that take it.

    An unavailable worker takes every op here, so it never causes a split; it gets no subgraph.
    """
    masks = []
    for op in range(len(graph.reads)):
        mask = 0
        for worker, kind in enumerate(workers):
            taken = not kind.available or not unsupported[worker] >> op & 1
            if kind.cpu or (taken and not ignored[worker] >> op & 1):
                mask |= 1 << worker
        masks.append(mask)
    return tuple(masks)


def analyze_ops(
    graph: OpGraph,
    workers: Sequence[Worker],
    unsupported: Sequence[int],
    *,
    preparation: Preparation = Preparation.MERGE_UNIT_SUBGRAPH,
    minimum_size: int = 7,
    thorough: bool = True,
) -> Analysis:
    """Return Band's units and subgraphs.

    Args:
        graph: the data flow over all ops.
        workers: in order of their ids.
        unsupported: per worker, the mask of the ops its delegate refuses (ignored for CPUs and
            for workers that are not available).
        preparation: which subgraphs are wanted.
        minimum_size: sets with fewer ops leave an accelerator.
        thorough: give the merge step its full course. If not, it stops once a model is sure to be
            refused: at the first gap, or above ``band_merge.MAX_PARTS`` subgraphs.
    """
    available = sum(1 << w for w, kind in enumerate(workers) if kind.available)
    if preparation is Preparation.NO_FALLBACK_SUBGRAPH:
        units: tuple[tuple[int, int], ...] = ((graph.all_items, available),)
    else:
        ignored = ignored_ops(graph, workers, unsupported, minimum_size)
        support = support_masks(graph, workers, unsupported, ignored)
        units = tuple((ops, mask & available) for ops, mask in unit_sets(graph, support))
    definitions = [
        Part(worker, ops, 1 << index)
        for index, (ops, mask) in enumerate(units)
        for worker in bits_of(mask)
    ]
    parts, passes = definitions, 0
    if preparation is Preparation.MERGE_UNIT_SUBGRAPH:
        parts, passes = merge(graph, definitions, thorough=thorough)
    elif preparation is Preparation.FALLBACK_PER_WORKER:
        parts = [
            Part(target, ops, sum(1 << k for k, (unit, _) in enumerate(units) if not unit & ~ops))
            for worker in range(len(workers))
            for target, ops in fallback_parts(graph, workers, unsupported, worker)
        ]
    return Analysis(
        units=tuple(ops for ops, _ in units),
        unit_workers=tuple(mask for _, mask in units),
        definitions=len(definitions),
        parts=tuple(parts),
        merge_passes=passes,
    )
