"""Who does not take what, and why: the report, and the errors of models that cannot run."""

from collections.abc import Mapping, Sequence
from typing import Final

from band.analysis.band_merge import MAX_PARTS, Part
from band.analysis.opgraph import bits_of
from band.analysis.partition import Mode, Unsupported
from band.device.profile import Device, Processor, ProcessorKind
from band.errors import BandError, ErrorCode
from band.model.atoms import atoms
from band.model.graph import Graph

NOT_AVAILABLE: Final = "not available"

Refusals = Mapping[int, Mapping[int, str]]
"""Processor -> op -> why it does not take the op; available processors only."""


def unsupported(
    graph: Graph,
    device: Device,
    mode: Mode,
    refused: Refusals,
    too_small: Mapping[int, Sequence[int]],
    minimum_size: int,
) -> tuple[Unsupported, ...]:
    """Return which op each available processor does not take, by processor and op.

    Args:
        graph: the model.
        device: its processors.
        mode: in band mode a CPU takes everything and weight ops are listed too.
        refused: the reasons of the processors themselves.
        too_small: per processor, the ops that the minimum subgraph size took from it.
        minimum_size: that size.
    """
    weight = set(graph.weight_ops) if mode is Mode.COST else set()
    listed: list[Unsupported] = []
    for processor in device.processors:
        if processor.index not in refused:
            continue
        reasons = dict(refused[processor.index])
        if mode is Mode.COST:
            reasons.update(_kept_together(graph, processor, reasons))
        elif processor.kind is ProcessorKind.CPU:
            reasons = {}
        for op in too_small.get(processor.index, ()):
            reasons.setdefault(op, f"in a run of fewer than {minimum_size} ops")
        listed.extend(
            Unsupported(
                op=op, type=graph.ops[op].type, processor=processor.name, reason=reasons[op]
            )
            for op in sorted(reasons)
            if op not in weight
        )
    return tuple(listed)


def _kept_together(
    graph: Graph, processor: Processor, reasons: Mapping[int, str]
) -> dict[int, str]:
    """Return the ops that a processor would take but for another op of their atom."""
    found = {}
    for part in atoms(graph):
        cause = next((op for op in part if op in reasons), None)
        if cause is not None:
            why = f"cannot be cut from op {cause} ({graph.ops[cause].type}), which {processor.name}"
            found.update({op: f"{why} does not take" for op in part if op not in reasons})
    return found


def nobody_takes(graph: Graph, device: Device, refused: Refusals, part: Sequence[int]) -> BandError:
    """Return the error for a part that no available processor takes."""
    common = [op for op in part if all(op in reasons for reasons in refused.values())]
    subject = (common or list(part))[0]
    told = []
    for processor in device.processors:
        reasons = refused.get(processor.index)
        if reasons is None:
            told.append(of_processor(processor.name, NOT_AVAILABLE))
        elif subject in reasons:
            told.append(of_processor(processor.name, reasons[subject]))
        else:
            cause = next(op for op in part if op in reasons)
            told.append(f"{processor.name}: it goes with op {cause}, {reasons[cause]}")
    return BandError(
        ErrorCode.UNSUPPORTED_MODEL,
        f"op {subject} ({graph.ops[subject].type}) of model {graph.name} runs on no processor of "
        f"{device.name}: {'; '.join(told)}",
        model=graph.name,
        device=device.name,
        op=subject,
        type=graph.ops[subject].type,
    )


def of_processor(name: str, reason: str) -> str:
    """Return a reason that says whose it is: some begin with the processor's name."""
    return reason if f"{name} takes" in reason else f"{name}: {reason}"


def not_whole(graph: Graph, device: Device, refused: Refusals) -> BandError:
    """Return the error for a model that no processor takes whole, when nothing may fall back."""
    told = []
    for index, reasons in refused.items():
        op, reason = min(reasons.items())
        name = device.processors[index].name
        told.append(f"{name}: op {op} ({graph.ops[op].type}), {reason}")
    return BandError(
        ErrorCode.UNSUPPORTED_MODEL,
        f"no processor of {device.name} takes model {graph.name} whole "
        f"({'; '.join(told)}); choose a preparation that allows fallback",
        model=graph.name,
        device=device.name,
    )


def gaps(graph: Graph, device: Device, part: Part) -> BandError:
    """Return the error for a model that Band refuses for the units of a subgraph.

    Their indices have a gap; or there are none, since a fallback set may hold only ops that the
    minimum size has moved to larger units.
    """
    units, processor = tuple(bits_of(part.units)), device.processors[part.worker].name
    if units:
        what = f"units {', '.join(map(str, units))} would be merged on {processor}, and their "
        what += "indices have a gap"
    else:
        first, *rest = bits_of(part.ops)
        ops = f"op {first} and {len(rest)} others" if rest else f"op {first}"
        what = f"a subgraph on {processor} ({ops}) would hold no whole unit"
    return BandError(
        ErrorCode.UNSUPPORTED_MODEL,
        f"Band refuses model {graph.name}: {what}; cost mode refuses nothing for that",
        model=graph.name,
        device=device.name,
        units=units,
    )


def too_many(graph: Graph, device: Device, unit_count: int) -> BandError:
    """Return the error for a model of which Band's merge makes more subgraphs than is sensible."""
    return BandError(
        ErrorCode.UNSUPPORTED_MODEL,
        f"Band's merge makes more than {MAX_PARTS} subgraphs of the {unit_count} units of model "
        f"{graph.name} on {device.name}; raise the minimum subgraph size or use cost mode",
        model=graph.name,
        device=device.name,
        units=unit_count,
    )


def cyclic(graph: Graph) -> BandError:
    """Return the error for a graph whose ops cannot be ordered."""
    return BandError(
        ErrorCode.INVALID_MODEL,
        f"the ops of model {graph.name} cannot be ordered: some read what is made after them",
        model=graph.name,
    )
