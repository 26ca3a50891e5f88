"""The tables of ``band analyze``."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal

from rich.table import Table

from band.cli.analysis import Analysis
from band.plan.evidence import Known
from band.plan.explain import ProcessorReport
from band.plan.explain_plans import ExplainedPlan
from band.report.ranges import ranges_text
from band.units import count_text, format_bytes, format_count, format_us

_SHOWN_RUNS: Final = 8
_SHOWN_TYPES: Final = 6
_SHOWN_UNITS: Final = 24
_SHOWN_CUTS: Final = 24


def make_table(title: str, *columns: str) -> Table:
    """Return a table.

    Args:
        title: above it.
        columns: their titles; ``>`` at the end aligns a column to the right, ``~`` lets its cells
            go over several lines where the terminal is narrow.
    """
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, title_style="bold")
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.endswith(">") else "left"
        folds = column.endswith("~")
        table.add_column(column.rstrip(">~"), justify=justify, no_wrap=not folds, overflow="fold")
    return table


def processor_table(found: Analysis) -> Table:
    """Return what each processor takes, and how long the model takes on it alone."""
    table = make_table(
        f"\nProcessors: what each could take{_times(found)}",
        "processor",
        "kind",
        "ops>",
        "MACs>",
        "weights>",
        "activations>",
        "whole model on it~",
    )
    for report in found.explanation.processors:
        processor = found.device.processors[report.support.processor]
        cells = _takes(found, report) if processor.available else ("-",) * 4
        table.add_row(processor.name, str(processor.kind), *cells, _whole(report))
    return table


def _times(found: Analysis) -> str:
    """Return how a title says that the times under it are no times of this machine."""
    return f" ({found.word} times)" if found.word else ""


def _takes(found: Analysis, report: ProcessorReport) -> tuple[str, ...]:
    taken, total = report.support.amount, found.explanation.total
    shares = (_share(part, whole) for part, whole in zip(taken[1:], total[1:], strict=True))
    return (f"{taken.ops}, {_share(taken.ops, total.ops)}", *shares)


def _whole(report: ProcessorReport) -> str:
    whole = report.whole
    if whole is None:
        return "not available"
    if whole.hindered_by is not None:
        return f"no: op {whole.hindered_by.op} {whole.hindered_by.type}"
    known = whole.basis.known if whole.basis is not None else Known.ESTIMATED
    return format_us(whole.latency_us) + ("" if known is Known.ESTIMATED else f", {known}")


def plan_table(found: Analysis, plan: ExplainedPlan) -> Table:
    """Return the chosen plan, slice by slice, with what each slice keeps in memory."""
    mixed = len({step.basis.known for step in plan.steps}) > 1
    columns = ("processor", "units", "ops>", "start>", "runs>", *(("known",) if mixed else ()))
    memory = ("activations>", "weights>", "loaded>")
    word = f"{found.word} " if found.word else ""
    table = make_table(f"\nPlan on the idle {word}device", *columns, *memory)
    for step in plan.steps:
        table.add_row(
            found.device.processors[step.processor].name,
            ranges_text(step.units),
            str(len(step.ops)),
            format_us(step.start_us),
            format_us(step.run_us),
            *((str(step.basis.known),) if mixed else ()),
            format_bytes(step.peak_bytes),
            format_bytes(step.weight_bytes),
            format_bytes(step.load_bytes),
        )
    return table


def cut_table(found: Analysis, plan: ExplainedPlan, *, everything: bool) -> Table:
    """Return what each cut of a plan moves; of many, those that take longest."""
    cuts = sorted(plan.cuts, key=lambda cut: -cut.transfer_us)
    if not everything:
        cuts = cuts[:_SHOWN_CUTS]
    title = "\nCuts" if len(cuts) == len(plan.cuts) else f"\nThe dearest of {len(plan.cuts)} cuts"
    columns = ("before unit>", "from", "to", "tensors>", "bytes>", "moving>", "of the plan>")
    table = make_table(f"{title}{_times(found)}", *columns)
    for cut in sorted(cuts, key=lambda cut: cut.boundary):
        table.add_row(
            str(cut.boundary),
            found.device.processors[cut.source].name,
            found.device.processors[cut.target].name,
            str(len(cut.tensors)),
            format_bytes(cut.byte_count),
            format_us(cut.transfer_us),
            f"{100 * cut.share:.1f} %",
        )
    return table


def alternative_table(found: Analysis) -> Table:
    """Return what the chosen plan was preferred to, and what it would be without a processor."""
    best, *others = found.explanation.plans
    columns = ("plan~", "predicted>", "against the plan>", "cuts>")
    table = make_table(f"\nAlternatives{_times(found)}", *columns)
    for plan in others:
        cells = (format_us(plan.latency_us), _more(plan.latency_us, best), str(len(plan.cuts)))
        table.add_row(_route(found, plan), *cells)
    used = {step.processor for step in best.steps}
    for report in found.explanation.processors:
        index, name = (
            report.support.processor,
            found.device.processors[report.support.processor].name,
        )
        if index in used:
            cells = (format_us(report.without_us), _more(report.without_us, best), "-")
            table.add_row(f"the best without {name}", *cells)
        elif report.best_with is not None:
            plan = report.best_with
            cells = (format_us(plan.latency_us), _more(plan.latency_us, best), str(len(plan.cuts)))
            table.add_row(f"the best with {name}: {_route(found, plan)}", *cells)
    return table


def _more(latency_us: int | None, best: ExplainedPlan) -> str:
    if latency_us is None:
        return "impossible"
    return f"{100 * (latency_us / best.latency_us - 1):+.1f} %"


def _route(found: Analysis, plan: ExplainedPlan) -> str:
    names = [found.device.processors[step.processor].name for step in plan.steps]
    if len(names) > _SHOWN_TYPES:
        return f"{', '.join(names[:3])}, ... {count_text(len(names), 'slice')}"
    spans = (
        f"{name} {ranges_text(step.units)}" for name, step in zip(names, plan.steps, strict=True)
    )
    return ", ".join(spans)


def unit_table(found: Analysis, order: Mapping[int, int], *, everything: bool) -> Table:
    """Return the units; many of them by who takes them."""
    if len(found.partition.units) > _SHOWN_UNITS and not everything:
        return _unit_group_table(found)
    partition, processors = found.partition, found.device.processors
    table = make_table(
        "\nUnits", "unit>", "ops>", "which ops~", "runs on~", "needs units~", "hands on>"
    )
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


def _unit_group_table(found: Analysis) -> Table:
    table = make_table(
        "\nUnits by who takes them (each one: --verbose)",
        "runs on~",
        "units>",
        "ops>",
        "of MACs>",
        "which units~",
    )
    for group in found.explanation.unit_groups:
        table.add_row(
            ", ".join(found.device.processors[p].name for p in group.processors),
            str(len(group.units)),
            str(group.amount.ops),
            _share(group.amount.macs, found.explanation.total.macs),
            _some(ranges_text(group.units).split(", "), "run"),
        )
    return table


def refusal_table(found: Analysis, order: Mapping[int, int], *, everything: bool) -> Table:
    """Return refused ops by processor and reason."""
    table = make_table("\nRefused", "processor", "what, and why~")
    total = found.explanation.total
    for group in found.explanation.refusals:
        runs = ranges_text(group.ops, order).split(", ")
        types = [f"{name} {count}" for name, count in group.types]
        told = ", ".join(types) if everything else _some(types, "type", _SHOWN_TYPES)
        where = ", ".join(runs) if everything else _some(runs, "run")
        count = count_text(len(group.ops), "op")
        share = _share(group.amount.macs, total.macs)
        table.add_row(
            found.device.processors[group.processor].name,
            f"{count}, {share} of MACs: {group.reason}\n{told}; op {where}",
        )
    return table


def every_refusal_table(found: Analysis) -> Table:
    """Return each refused op with its reason, op by op."""
    table = make_table("\nEvery refused op", "op>", "type", "processor", "reason~")
    for entry in sorted(found.partition.unsupported, key=lambda entry: entry.op):
        table.add_row(str(entry.op), entry.type, entry.processor, entry.reason)
    return table


def _some(texts: Sequence[str], noun: str, shown: int = _SHOWN_RUNS) -> str:
    """Return the first texts and how many are left out; never only one is."""
    if len(texts) <= shown + 1:
        return ", ".join(texts)
    return f"{', '.join(texts[:shown])} and {count_text(len(texts) - shown, noun)} more"


def _share(part: int, whole: int) -> str:
    """Return a share in percent that is 0 or 100 only if it is nothing or all."""
    if not whole:
        return "-"
    percent = round(100 * part / whole)
    if part < whole and percent == 100:
        return ">99 %"
    if part and percent == 0:
        return "<1 %"
    return f"{percent} %"


def nowhere_text(found: Analysis) -> str:
    """Return which ops run nowhere, by type."""
    ops = found.explanation.runs_nowhere
    by_type: dict[str, list[int]] = {}
    for op in ops:
        by_type.setdefault(found.graph.ops[op].type, []).append(op)
    named = "; ".join(f"{kind} {ranges_text(sorted(which))}" for kind, which in by_type.items())
    return f"{count_text(len(ops), 'op')} that no processor of {found.device.name} takes: {named}"


def total_text(found: Analysis) -> str:
    """Return the work of the whole model."""
    total = found.explanation.total
    return (
        f"{format_count(total.macs)} MACs, {format_bytes(total.weight_bytes)} of weights, "
        f"{format_bytes(total.activation_bytes)} of activations"
    )


def places(order: Collection[int]) -> dict[int, int]:
    """Return the place of each op among those that units hold: weight ops make no gaps."""
    return {op: place for place, op in enumerate(sorted(order))}
