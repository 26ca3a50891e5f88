"""What ``band analyze`` shows: one JSON document, or tables for people."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from rich.table import Table

from band.analysis.partition import Partition, Subgraph, Unit, Unsupported
from band.cli.console import out
from band.device.profile import Device, Processor
from band.model.graph import Graph
from band.plan.best import BestPlan, Step
from band.plan.table import PlanTable
from band.units import format_bytes, format_us


class Analysis(NamedTuple):
    """A partition with the plan that an idle device would choose.

    Attributes:
        no_plan: why there is no table and no plan, else "".
    """

    graph: Graph
    device: Device
    partition: Partition
    table: PlanTable | None
    plan: BestPlan | None
    no_plan: str


def document(found: Analysis) -> dict[str, Any]:
    """Return the JSON document of ``band analyze``."""
    graph, device, partition = found.graph, found.device, found.partition
    return {
        "model": graph.name,
        "device": device.name,
        "device_version": device.version,
        "emulated": device.emulated,
        "mode": str(partition.mode),
        "preparation": str(partition.preparation),
        "minimum_subgraph_size": partition.minimum_subgraph_size,
        "ops": len(graph.ops),
        "weight_ops": len(graph.weight_ops),
        "units": [_unit(device, unit) for unit in partition.units],
        "boundaries": [
            {"tensors": list(tensors), "bytes": byte_count}
            for tensors, byte_count in zip(
                partition.boundary_tensors, partition.boundary_bytes, strict=True
            )
        ],
        "subgraphs": [_subgraph(device, part) for part in partition.subgraphs],
        "definitions": partition.definitions,
        "unsupported": [
            {"op": u.op, "type": u.type, "processor": u.processor, "reason": u.reason}
            for u in partition.unsupported
        ],
        "plan": [_step(found, step) for step in _steps(found)],
        "predicted_us": found.plan.latency_us if found.plan else None,
        "no_plan": found.no_plan or None,
    }


def _unit(device: Device, unit: Unit) -> dict[str, Any]:
    return {
        "ops": list(unit.ops),
        "processors": [device.processors[p].name for p in unit.processors],
    }


def _subgraph(device: Device, part: Subgraph) -> dict[str, Any]:
    return {
        "processor": device.processors[part.processor].name,
        "units": list(part.units),
        "ops": list(part.ops),
    }


def _steps(found: Analysis) -> Sequence[Step]:
    return found.plan.steps if found.plan else ()


def _step(found: Analysis, step: Step) -> dict[str, Any]:
    return {
        "processor": found.device.processors[step.span.processor].name,
        "units": list(range(step.span.first, step.span.last + 1)),
        "ops": _ops(found.partition, step),
        "start_us": step.start_us,
        "predicted_us": step.finish_us - step.start_us,
    }


def _ops(partition: Partition, step: Step) -> list[int]:
    units = partition.units[step.span.first : step.span.last + 1]
    return sorted(op for unit in units for op in unit.ops)


def show(found: Analysis) -> None:
    """Print the analysis as tables."""
    graph, device, partition = found.graph, found.device, found.partition
    word = " (emulated)" if device.emulated else ""
    out.print(
        f"{graph.name} on {device.name}{word}: {len(graph.ops)} ops, {len(graph.weight_ops)} of "
        f"them on weights; mode {partition.mode}, {partition.preparation}, minimum subgraph size "
        f"{partition.minimum_subgraph_size}",
        markup=False,
        soft_wrap=True,
    )
    out.print(
        f"{_count(len(partition.units), 'unit')}, "
        f"{_count(partition.definitions, 'definition')}, "
        f"{_count(len(partition.subgraphs), 'subgraph')}\n"
    )
    out.print(_unit_table(found))
    out.print(_processor_table(found))
    if partition.unsupported:
        out.print(_refusal_table(partition.unsupported, _order(found)))
    if found.plan is not None:
        out.print(_plan_table(found))
        word = "emulated " if device.emulated else ""
        out.print(f"predicted on the idle {word}device: {format_us(found.plan.latency_us)}")


def _table(title: str, *columns: str) -> Table:
    """Return a table whose columns are right-aligned if their title ends with ``>``."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, title_style="bold")
    for column in columns:
        name = column.removesuffix(">")
        justify: Literal["left", "right"] = "right" if name != column else "left"
        table.add_column(name, justify=justify, overflow="fold")
    return table


def _unit_table(found: Analysis) -> Table:
    partition, processors, order = found.partition, found.device.processors, _order(found)
    table = _table("Units", "unit>", "ops>", "which ops", "runs on", "needs units", "hands on>")
    for unit in partition.units:
        needs = [u.index for u in partition.units if unit.dependencies >> u.index & 1]
        table.add_row(
            str(unit.index),
            str(len(unit.ops)),
            ranges_text(unit.ops, order),
            ", ".join(processors[p].name for p in unit.processors),
            ranges_text(needs) or "-",
            format_bytes(partition.boundary_bytes[unit.index + 1]),
        )
    return table


def _processor_table(found: Analysis) -> Table:
    word = " (emulated)" if found.device.emulated else ""
    table = _table(
        "\nProcessors",
        "processor",
        "kind",
        "takes>",
        "refuses>",
        "subgraphs>",
        f"whole model{word}>",
    )
    held = Counter(part.processor for part in found.partition.subgraphs)
    refused = Counter(u.processor for u in found.partition.unsupported)
    taken = Counter(
        {
            p.index: sum(len(u.ops) for u in found.partition.units if p.index in u.processors)
            for p in found.device.processors
        }
    )
    for p in found.device.processors:
        cells = (str(taken[p.index]), str(refused[p.name]), str(held[p.index]), _whole(found, p))
        table.add_row(
            p.name, str(p.kind), *(cells if p.available else ("-", "-", "-", "not available"))
        )
    return table


def _whole(found: Analysis, processor: Processor) -> str:
    if found.table is None:
        return "-"
    last = found.table.unit_count - 1
    spans = (
        s for s in found.table.spans if (s.first, s.last, s.processor) == (0, last, processor.index)
    )
    span = next(spans, None)
    return format_us(span.cost_us) if span else "-"


def _refusal_table(unsupported: Iterable[Unsupported], order: Mapping[int, int]) -> Table:
    groups: dict[tuple[str, str], list[Unsupported]] = {}
    for entry in unsupported:
        groups.setdefault((entry.processor, entry.reason), []).append(entry)
    table = _table("\nRefused", "processor", "ops>", "reason", "types", "which ops")
    for (processor, reason), entries in groups.items():
        types = Counter(entry.type for entry in entries)
        table.add_row(
            processor,
            str(len(entries)),
            reason,
            ", ".join(f"{name} {count}" for name, count in types.most_common()),
            ranges_text([entry.op for entry in entries], order),
        )
    return table


def _plan_table(found: Analysis) -> Table:
    word = " (emulated)" if found.device.emulated else ""
    table = _table(
        "\nPlan on the idle device", "processor", "units", "ops>", f"start{word}>", f"runs{word}>"
    )
    for step in _steps(found):
        table.add_row(
            found.device.processors[step.span.processor].name,
            ranges_text(range(step.span.first, step.span.last + 1)),
            str(len(_ops(found.partition, step))),
            format_us(step.start_us),
            format_us(step.finish_us - step.start_us),
        )
    return table


def ranges_text(numbers: Iterable[int], order: Mapping[int, int] | None = None) -> str:
    """Return ascending numbers as ranges: ``0-2, 5, 7-9``.

    Args:
        numbers: ascending.
        order: number -> place; numbers in neighbouring places make a range. None: the numbers
            themselves are the places.
    """
    runs: list[tuple[int, int]] = []
    for number in numbers:
        place = number if order is None else order[number]
        before = runs[-1][1] if runs else None
        if before is not None and (before if order is None else order[before]) == place - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def _order(found: Analysis) -> dict[int, int]:
    """Return the place of each op among those that units hold: weight ops make no gaps."""
    held = sorted(op for unit in found.partition.units for op in unit.ops)
    return {op: place for place, op in enumerate(held)}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
