"""From a model and a device to units, candidate subgraphs, and the reason for each refusal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from band.analysis import band_mode, cost_mode, why_not
from band.analysis.band_merge import MAX_PARTS
from band.analysis.boundary import boundaries
from band.analysis.layout import Problem
from band.analysis.opgraph import OpGraph, bits_of, mask_of
from band.analysis.partition import (
    Mode,
    Partition,
    Preparation,
    Subgraph,
    Unit,
)
from band.analysis.prices import Pricer
from band.analysis.stages import Needed
from band.analysis.strict import check_strict
from band.analysis.why_not import Refusals
from band.device.cost import Pricing
from band.device.profile import Device, ProcessorKind
from band.device.support import refusals
from band.errors import BandError, ErrorCode
from band.model.atoms import atoms
from band.model.graph import Graph

DEFAULT_MINIMUM_SIZE: Final[Mapping[Mode, int]] = {Mode.COST: 1, Mode.BAND: 7}


class _Found(NamedTuple):
    """What either mode finds: unit ops and processors, subgraphs as (processor, units, ops)."""

    units: list[tuple[tuple[int, ...], tuple[int, ...]]]
    dependencies: list[int]
    subgraphs: list[Subgraph]
    too_small: Mapping[int, tuple[int, ...]]
    minimum_size: int


def analyze(
    graph: Graph,
    device: Device,
    *,
    mode: Mode = Mode.COST,
    preparation: Preparation = Preparation.MERGE_UNIT_SUBGRAPH,
    minimum_subgraph_size: int | None = None,
    pricer: Pricer = Pricing,
) -> Partition:
    """Return the units of a model on a device and the candidate subgraphs made of them.

    Args:
        graph: the model.
        device: its processors; those that are not available get no subgraph.
        mode: ``cost`` is ours, ``band`` reproduces the original (section 3.2 of the paper).
        preparation: which subgraphs are wanted.
        minimum_subgraph_size: runs of fewer ops leave a processor that is no CPU; 1 in cost mode
            and Band's 7 in band mode if None.
        pricer: makes the prices that cost mode goes by; those of the device profile if not given.

    Raises:
        BandError: UNSUPPORTED_MODEL if no available processor takes some op, or in band mode if
            the original refuses the model; FALLBACK_REFUSED if the device is strict and some op
            is not taken by its strict processors.
    """
    size = DEFAULT_MINIMUM_SIZE[mode] if minimum_subgraph_size is None else minimum_subgraph_size
    _check(graph, size)
    refused = {p.index: refusals(p, graph) for p in device.processors if p.available}
    if mode is Mode.BAND:
        found = _band(graph, device, refused, preparation, size)
    else:
        found = _cost(graph, device, refused, preparation, size, pricer)
    between = boundaries(graph, [ops for ops, _ in found.units])
    partition = Partition(
        model=graph.name,
        mode=mode,
        preparation=preparation,
        minimum_subgraph_size=found.minimum_size,
        units=_units(found),
        subgraphs=tuple(found.subgraphs),
        definitions=sum(len(processors) for _, processors in found.units),
        unsupported=why_not.unsupported(
            graph, device, mode, refused, found.too_small, found.minimum_size
        ),
        boundary_tensors=between.tensors,
        boundary_bytes=between.byte_counts,
    )
    check_strict(graph, device, partition)
    return partition


def _units(found: _Found) -> tuple[Unit, ...]:
    return tuple(
        Unit(index=index, ops=ops, processors=processors, dependencies=needs)
        for index, ((ops, processors), needs) in enumerate(
            zip(found.units, found.dependencies, strict=True)
        )
    )


def _check(graph: Graph, minimum_size: int) -> None:
    if minimum_size < 1:
        raise BandError(
            ErrorCode.INVALID_CONFIG,
            f"minimum subgraph size must be at least 1, not {minimum_size}",
            minimum_subgraph_size=minimum_size,
        )
    if not graph.compute_ops:
        raise BandError(
            ErrorCode.INVALID_MODEL,
            f"model {graph.name} has no op that computes anything; nothing can be scheduled",
            model=graph.name,
        )


def _cost(
    graph: Graph,
    device: Device,
    refused: Refusals,
    preparation: Preparation,
    size: int,
    pricer: Pricer,
) -> _Found:
    parts = atoms(graph)
    flow = OpGraph.from_items(graph, parts)
    support = tuple(
        mask_of(p for p, reasons in refused.items() if not any(op in reasons for op in part))
        for part in parts
    )
    for part, mask in zip(parts, support, strict=True):
        if not mask:
            raise why_not.nobody_takes(graph, device, refused, part)
    if preparation is Preparation.NO_FALLBACK_SUBGRAPH:
        units = _whole(graph, device, refused, support)
    else:
        fast = mask_of(p.index for p in device.processors if p.kind is not ProcessorKind.CPU)
        problem = Problem(
            graph=graph, device=device, parts=parts, flow=flow, support=support, pricer=pricer
        )
        units = cost_mode.find_units(problem, preparation, fast, size)
    ops = [_ops_of(parts, items) for items, _ in units.sets]
    if sum(map(len, ops)) != len(graph.compute_ops):
        raise why_not.cyclic(graph)
    merged: dict[tuple[int, int], tuple[int, ...]] = {}
    for _, first, last in units.ranges:
        if (first, last) not in merged:
            merged[first, last] = tuple(sorted(op for u in ops[first : last + 1] for op in u))
    return _Found(
        [(unit, tuple(bits_of(mask))) for unit, (_, mask) in zip(ops, units.sets, strict=True)],
        _dependencies(flow, [mask_of(items) for items, _ in units.sets]),
        [
            Subgraph(processor=p, units=tuple(range(first, last + 1)), ops=merged[first, last])
            for p, first, last in units.ranges
        ],
        {p: _ops_of(parts, bits_of(items)) for p, items in enumerate(units.ignored)},
        units.minimum_size,
    )


def _whole(
    graph: Graph, device: Device, refused: Refusals, support: Sequence[int]
) -> cost_mode.Units:
    """Return the whole model as one unit of the processors that take all of it."""
    common = support[0]
    for mask in support:
        common &= mask
    if not common:
        raise why_not.not_whole(graph, device, refused)
    takers = tuple(Needed(p, 0, 0) for p in bits_of(common))
    return cost_mode.Units(((tuple(range(len(support))), common),), takers, (), 1)


def _band(
    graph: Graph, device: Device, refused: Refusals, preparation: Preparation, size: int
) -> _Found:
    flow = OpGraph.from_items(graph, [(op.index,) for op in graph.ops])
    workers = [
        band_mode.Worker(p.kind is ProcessorKind.CPU, p.available) for p in device.processors
    ]
    unsupported = [mask_of(refused.get(p.index, {})) for p in device.processors]
    found = band_mode.analyze_ops(
        flow,
        workers,
        unsupported,
        preparation=preparation,
        minimum_size=size,
        thorough=False,
    )
    if sum(ops.bit_count() for ops in found.units) != len(graph.ops):
        raise why_not.cyclic(graph)
    for ops, mask in zip(found.units, found.unit_workers, strict=True):
        if not mask:
            raise why_not.nobody_takes(graph, device, refused, tuple(bits_of(ops))[:1])
    if found.non_contiguous:
        raise why_not.gaps(graph, device, found.non_contiguous[0])
    if len(found.parts) > MAX_PARTS:
        raise why_not.too_many(graph, device, len(found.units))
    ignored = band_mode.ignored_ops(flow, workers, unsupported, size)
    return _Found(
        [
            (tuple(bits_of(ops)), tuple(bits_of(mask)))
            for ops, mask in zip(found.units, found.unit_workers, strict=True)
        ],
        _dependencies(flow, found.units),
        [
            Subgraph(
                processor=part.worker,
                units=tuple(bits_of(part.units)),
                ops=tuple(bits_of(part.ops)),
            )
            for part in found.parts
        ],
        {p: tuple(bits_of(ops)) for p, ops in enumerate(ignored)}
        if preparation is not Preparation.NO_FALLBACK_SUBGRAPH
        else {},
        size,
    )


def _ops_of(parts: Sequence[Sequence[int]], items: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(op for item in items for op in parts[item]))


def _dependencies(flow: OpGraph, units: Sequence[int]) -> list[int]:
    """Return per unit the mask of the earlier units whose tensors it reads."""
    writes = [flow.written_by(unit) for unit in units]
    needs = [flow.pure_inputs(unit) for unit in units]
    return [
        mask_of(before for before in range(unit) if writes[before] & read)
        for unit, read in enumerate(needs)
    ]
