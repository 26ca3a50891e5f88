"""What ``band analyze`` prints for people: a picture, tables, and where the numbers come from."""

from collections import Counter

from rich.text import Text

from band.cli import analysis_tables as tables
from band.cli.analysis import Analysis
from band.cli.console import out, print_folding
from band.plan.evidence import Known, coefficient_marks, transfer_marks
from band.plan.explain_plans import ExplainedPlan
from band.report.partition_strip import strip
from band.report.picture import Picture
from band.units import count_text, format_bytes, format_us


def show(found: Analysis, picture: Picture, *, everything: bool = False) -> None:
    """Print the analysis.

    Args:
        found: the analysis.
        picture: of it.
        everything: each unit, each cut and each refused op instead of groups of them.
    """
    _say(_headline(found))
    if found.explanation.runs_nowhere:
        _say(tables.nowhere_text(found))
    out.print()
    for line in strip(picture, out.width, ascii_only=out.options.ascii_only):
        out.print(line, no_wrap=True, overflow="crop", crop=True)
    order = tables.places(found.explanation.order)
    print_folding(tables.processor_table(found))
    if found.explanation.plans:
        _show_plan(found, found.explanation.plans[0], everything=everything)
    if found.partition.units:
        print_folding(tables.unit_table(found, order, everything=everything))
    if found.explanation.refusals:
        print_folding(tables.refusal_table(found, order, everything=everything))
    if everything and found.partition.unsupported:
        print_folding(tables.every_refusal_table(found))
    out.print()
    _say(_evidence(found))


def _show_plan(found: Analysis, plan: ExplainedPlan, *, everything: bool) -> None:
    print_folding(tables.plan_table(found, plan))
    if plan.cuts:
        print_folding(tables.cut_table(found, plan, everything=everything))
    moving_us = sum(cut.transfer_us for cut in plan.cuts)
    word = f"{found.word} " if found.word else ""
    known = " and ".join(sorted({str(step.basis.known) for step in plan.steps}))
    said = f"predicted on the idle {word}device: {format_us(plan.latency_us)}, {known}"
    if moving_us:
        said += f", {format_us(moving_us)} of it to move data"
    if plan.twins:
        said += f"; {count_text(plan.twins, 'equal plan')} on processors of the same kind"
    budget = found.device.memory_budget_bytes
    _say(
        f"{said}\nits slices take {format_bytes(plan.load_bytes)} of the device's "
        f"{format_bytes(budget)} for models"
    )
    print_folding(tables.alternative_table(found))


def _headline(found: Analysis) -> str:
    graph, partition = found.graph, found.partition
    word = f" ({found.word})" if found.word else ""
    counts = ", ".join(
        (
            count_text(len(partition.units), "unit"),
            count_text(partition.definitions, "definition"),
            count_text(len(partition.subgraphs), "subgraph"),
        )
    )
    return (
        f"{graph.name} on {found.device.name}{word}: {len(graph.ops)} ops, "
        f"{len(graph.weight_ops)} of them on weights; {tables.total_text(found)}\n"
        f"mode {partition.mode}, {partition.preparation}, minimum subgraph size "
        f"{partition.minimum_subgraph_size}: {counts}"
    )


def _evidence(found: Analysis) -> str:
    """Return how the figures are known."""
    device = found.device
    parts = [
        f"{p.name} {', '.join(map(str, coefficient_marks(p))) or 'none'}"
        for p in device.processors
        if p.available
    ]
    moves = ", ".join(map(str, transfer_marks(device)))
    said = f"Cost coefficients: {'; '.join(parts)}; moving data: {moves or 'free'}."
    if found.profiled:
        spans = len(found.table.spans) if found.table else 0
        known = Counter(found.profiled.values())
        said += (
            f" Measured: {known[Known.MEASURED]}, fitted to measurements: {known[Known.FITTED]} "
            f"of {count_text(spans, 'subgraph')}."
        )
    else:
        said += " Nothing is measured here; see band profile."
    if found.word:
        said += (
            f" Times are those of the {found.word} device {device.name}, version {device.version}."
        )
    return said


def _say(text: str) -> None:
    out.print(Text(text), soft_wrap=True)
