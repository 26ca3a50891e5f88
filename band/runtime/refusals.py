"""Adds refusals that were found by trying to what a device profile says."""

from collections.abc import Mapping
from dataclasses import replace

from band.device.profile import Device, ModelOpList, Processor
from band.device.support import refusals
from band.model.graph import Graph

Refused = Mapping[int, Mapping[int, str]]
"""Processor -> op -> reason."""


def with_refused(device: Device, graph: Graph, refused: Refused) -> Device:
    """Return the device where processors also refuse these ops of one model.

    What they refuse of it anyway stays, reasons included; other models are not affected.
    """
    processors = tuple(
        _with_refused(p, graph, refused[p.index]) if refused.get(p.index) else p
        for p in device.processors
    )
    return replace(device, processors=processors)


def _with_refused(processor: Processor, graph: Graph, refused: Mapping[int, str]) -> Processor:
    by_reason: dict[str, list[int]] = {}
    for op, reason in {**refused, **refusals(processor, graph)}.items():
        by_reason.setdefault(reason, []).append(op)
    lists = tuple(
        ModelOpList(
            sha256=graph.sha256, model=graph.name, unsupported=tuple(sorted(ops)), reason=reason
        )
        for reason, ops in by_reason.items()
    )
    others = tuple(k for k in processor.support.op_lists if k.sha256 != graph.sha256)
    return replace(processor, support=replace(processor.support, op_lists=(*others, *lists)))
