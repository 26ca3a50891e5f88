"""How a cost is known: measured, fitted, published, or estimated, and on what evidence."""

from collections.abc import Collection
from enum import StrEnum
from typing import Final, NamedTuple

from band.device.cost import compute_dtype
from band.device.profile import Device, Mark, Processor
from band.model.graph import Graph

_STRONGEST_FIRST: Final = (Mark.MEASURED, Mark.PUBLISHED, Mark.DERIVED, Mark.HYPOTHESIS)


class Known(StrEnum):
    """How a latency is known."""

    MEASURED = "measured"
    FITTED = "fitted"
    PUBLISHED = "published"
    ESTIMATED = "estimated"


class CostBasis(NamedTuple):
    """How a latency is known, and the weakest mark of the numbers that it was made from."""

    known: Known
    mark: Mark


def basis_of(
    processor: Processor, graph: Graph, ops: Collection[int], *, profiled: Known | None
) -> CostBasis:
    """Return how the cost of a set of ops as one subgraph is known.

    Args:
        processor: one that has cost coefficients.
        graph: the whole model.
        ops: compute ops of the subgraph.
        profiled: what a profile has of it: a measurement, or a cost model fitted to
            measurements of others; None for nothing.
    """
    if profiled is not None:
        measured = profiled is Known.MEASURED
        return CostBasis(profiled, Mark.MEASURED if measured else Mark.DERIVED)
    published = next((row for row in processor.published if row.sha256 == graph.sha256), None)
    if published is not None and len(ops) == len(graph.compute_ops):
        return CostBasis(Known.PUBLISHED, published.evidence.mark)
    dtype = compute_dtype(graph, ops)
    used = next((c for c in processor.costs if c.dtype == dtype), processor.costs[0])
    return CostBasis(Known.ESTIMATED, used.evidence.mark)


def coefficient_marks(processor: Processor) -> tuple[Mark, ...]:
    """Return all marks that the cost coefficients of a processor carry, the strongest first."""
    marks = {c.evidence.mark for c in processor.costs}
    marks.update(evidence.mark for c in processor.costs for _, evidence in c.details)
    return tuple(mark for mark in _STRONGEST_FIRST if mark in marks)


def transfer_marks(device: Device) -> tuple[Mark, ...]:
    """Return all marks that the links of a device carry, the strongest first."""
    links = (*device.links, *([device.default_link] if device.default_link else []))
    marks = {link.evidence.mark for link in links}
    marks.update(evidence.mark for link in links for _, evidence in link.details)
    return tuple(mark for mark in _STRONGEST_FIRST if mark in marks)
