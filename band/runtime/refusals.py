"""Adds refusals that were found by trying to what a device profile says."""

from collections.abc import Mapping
from dataclasses import replace

from band.device.profile import Device, Processor
from band.device.support import refusals
from band.device.support_table import ModelOpList
from band.model.graph import Graph

Refused = Mapping[int, Mapping[int, str]]
"""Processor -> op -> reason."""


def with_refused(device: Device, graph: Graph, refused: Refused) -> Device:
    """Return the device where processors also refuse these ops of one model.

    They are one more log of the exact file, which leaves the ops that it does not name to rules
    and tables. What was refused anyway keeps its reason; other models are not affected.
    """
    processors = tuple(
        _with_refused(p, graph, refused[p.index]) if refused.get(p.index) else p
        for p in device.processors
    )
    return replace(device, processors=processors)


def _with_refused(processor: Processor, graph: Graph, refused: Mapping[int, str]) -> Processor:
    by_reason: dict[str, list[int]] = {}
    before = refusals(processor, graph)
    for op, reason in refused.items():
        if op not in before:
            by_reason.setdefault(reason, []).append(op)
    lists = tuple(
        ModelOpList(
            sha256=graph.sha256,
            model=graph.name,
            unsupported=tuple(sorted(ops)),
            others=None,
            reason=reason,
        )
        for reason, ops in by_reason.items()
    )
    support = processor.support
    return replace(processor, support=replace(support, op_lists=(*support.op_lists, *lists)))
