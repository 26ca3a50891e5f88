"""Data for Google's Model Explorer: what each op's node shows, and in which colour.

A node-data file holds one data set: graph id -> {"results": {node id: {"value", "bgColor"}}, and
how to show them}. Its TFLite reader gives a graph the name of the subgraph and an op its index as
node id; nodes of constants follow behind. Weight ops, which are not planned, get no data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from band.analysis.partition import Partition
from band.device.profile import Device
from band.plan.explain import Explanation
from band.plan.explain_plans import ExplainedPlan
from band.report.palette import REFUSED, processor_colour, tint


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """One node-data file.

    Attributes:
        slug: what it shows, fit for a file name.
        content: the document.
    """

    slug: str
    content: dict[str, Any]


def data_sets(
    device: Device, partition: Partition, explanation: Explanation, graph_id: str
) -> tuple[DataSet, ...]:
    """Return the data sets of a model on a device.

    They are, where they apply: the processor that the plan chose, that of the runner-up, the
    predicted time of each op in the plan, who takes an op, and per processor why not.

    Args:
        device: its processors.
        partition: of the model.
        explanation: of that.
        graph_id: name of the main subgraph in the file.
    """
    reasons = {(entry.processor, entry.op): entry.reason for entry in partition.unsupported}
    word = " (emulated)" if device.emulated else ""
    where = f"{device.name}{word}"
    found = []
    for slug, plan in zip(("plan", "runner-up"), explanation.plans, strict=False):
        found.append(_labels(graph_id, slug, f"{slug} on {where}", _chosen(device, plan)))
    if explanation.plans:
        found.append(_times(graph_id, f"predicted us on {where}", explanation.plans[0]))
    found.append(
        _labels(graph_id, "takes", f"who takes it on {where}", _takers(device, explanation))
    )
    for report in explanation.processors:
        name = device.processors[report.support.processor].name
        results = {
            op: (reasons.get((name, op), "not available"), REFUSED) for op in report.support.refused
        }
        if report.support.available and results:
            found.append(
                _labels(graph_id, f"why-not-{name}", f"why not {name} of {where}", results)
            )
    return tuple(found)


def _chosen(device: Device, plan: ExplainedPlan) -> dict[int, tuple[str, str]]:
    return {
        op: (device.processors[step.processor].name, processor_colour(step.processor))
        for step in plan.steps
        for op in step.ops
    }


def _takers(device: Device, explanation: Explanation) -> dict[int, tuple[str, str]]:
    """Return per op the names of all processors that take it; the fewer, the darker."""
    takers: dict[int, list[str]] = {op: [] for op in explanation.order}
    for report in explanation.processors:
        for op in report.support.takes:
            takers[op].append(device.processors[report.support.processor].name)
    most = max(map(len, takers.values()), default=0)
    shades = {
        count: tint(processor_colour(0), 1 - 0.85 * count / (most or 1))
        for count in range(most + 1)
    }
    return {op: (", ".join(names) or "nobody", shades[len(names)]) for op, names in takers.items()}


def _labels(graph_id: str, slug: str, name: str, results: Mapping[int, tuple[str, str]]) -> DataSet:
    """Return a data set of words; a closed group of nodes tells how often each occurs in it."""
    return DataSet(
        slug=slug,
        content={
            graph_id: {
                "name": name,
                "results": {
                    str(op): {"value": value, "bgColor": colour}
                    for op, (value, colour) in sorted(results.items())
                },
                "hideInAggregatedStatsTable": True,
                "showExpandedSummaryOnGroupNode": True,
                "showLabelCountColumnsInChildrenStatsTable": True,
            }
        },
    )


def _times(graph_id: str, name: str, plan: ExplainedPlan) -> DataSet:
    times = {op: us for step in plan.steps for op, us in zip(step.ops, step.op_us, strict=True)}
    return DataSet(
        slug="predicted-us",
        content={
            graph_id: {
                "name": name,
                "results": {str(op): {"value": us} for op, us in sorted(times.items())},
                "gradient": [
                    {"stop": 0, "bgColor": "#ffffff"},
                    {"stop": 1, "bgColor": processor_colour(5)},
                ],
            }
        },
    )
