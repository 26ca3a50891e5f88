"""Why a model is cut as it is: who takes what, what the plan costs, what it was preferred to.

Numbers only; ``band.cli`` and ``band.report`` draw them. Everything follows from the partition and
the plan table, so whatever chose the cuts is explained by what it left there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, NamedTuple

from band.analysis.partition import Mode, Partition, Preparation, Subgraph
from band.device.profile import Device
from band.model.graph import Graph
from band.plan.best import BestPlan
from band.plan.detours import with_processor, without_processor
from band.plan.evidence import Known
from band.plan.explain_plans import ExplainedPlan, Explainer
from band.plan.explain_support import (
    Amount,
    RefusalGroup,
    Support,
    UnitGroup,
    Whole,
    amount,
    grouped_refusals,
    grouped_units,
    supports,
    whole_models,
)
from band.plan.kernel import Kernel
from band.plan.table import PlanTable

SpanKey = tuple[int, int, int]
"""(first unit, last unit, processor)."""

NOTHING_PROFILED: Final[Mapping[SpanKey, Known]] = MappingProxyType({})

RUNNERS_UP: Final = 3
MAX_SUBGRAPHS: Final = 20_000
"""Above it, alternatives come only from the subgraphs that some best plan needs."""


class ProcessorReport(NamedTuple):
    """One processor's part in a model.

    Attributes:
        support: what it takes and refuses.
        whole: the whole model on it alone, None if it is not available.
        without_us: the best plan of the idle device that does not use it, None if there is none.
        best_with: the best plan that runs something on it, None if there is none.
    """

    support: Support
    whole: Whole | None
    without_us: int | None
    best_with: ExplainedPlan | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What there is to say of one model on one device.

    Attributes:
        order: the ops that are planned, in the order of the units; in file order without units.
        total: the work of all of them.
        processors: one report per processor of the device.
        unit_groups: the units by who takes them, the largest group first.
        refusals: refused ops by processor and reason.
        runs_nowhere: ops that no available processor takes.
        plans: the chosen plan, then those it was preferred to; empty if the model has no plan.
    """

    order: tuple[int, ...]
    total: Amount
    processors: tuple[ProcessorReport, ...]
    unit_groups: tuple[UnitGroup, ...]
    refusals: tuple[RefusalGroup, ...]
    runs_nowhere: tuple[int, ...]
    plans: tuple[ExplainedPlan, ...]


def explain(
    graph: Graph,
    device: Device,
    partition: Partition,
    table: PlanTable | None,
    *,
    candidates: PlanTable | None = None,
    profiled: Mapping[SpanKey, Known] = NOTHING_PROFILED,
    runners_up: int = RUNNERS_UP,
) -> Explanation:
    """Return why a model is cut as it is on a device.

    Args:
        graph: the model, with its shapes.
        device: its processors.
        partition: what ``analyze`` made of the two, or a partition without units if it refused.
        table: what the plan was chosen from; None if the model has no plan.
        candidates: what alternatives come from: all subgraphs that there could be, also those
            that no best plan needs; the table itself if None.
        profiled: what a profile has of these subgraphs; the costs of others are estimated.
        runners_up: how many plans to show besides the chosen one, at most.
    """
    order = planned_ops(graph, partition)
    found = supports(graph, device, partition, order)
    candidates = candidates or table
    wholes = whole_models(graph, device, partition, found, candidates, profiled)
    plans: tuple[ExplainedPlan, ...] = ()
    absent: tuple[BestPlan | None, ...] = (None,) * len(found)
    used: tuple[ExplainedPlan | None, ...] = (None,) * len(found)
    if table is not None and candidates is not None:
        explainer = Explainer(graph, device, partition, profiled)
        (chosen,) = Kernel(table).k_best(1)
        plans = explainer.ranked(chosen, candidates, 1 + runners_up)
        absent = without_processor(candidates)
        used = tuple(plan and explainer.explained(plan) for plan in with_processor(candidates))
    common = [set(support.refused) for support in found if support.available]
    nowhere = set.intersection(*common) if common else set(order)
    return Explanation(
        order=order,
        total=amount(graph, order),
        processors=tuple(
            ProcessorReport(support, whole, without and without.latency_us, best_with)
            for support, whole, without, best_with in zip(found, wholes, absent, used, strict=True)
        ),
        unit_groups=grouped_units(graph, partition),
        refusals=grouped_refusals(graph, device, partition, order),
        runs_nowhere=tuple(op for op in order if op in nowhere),
        plans=plans,
    )


def planned_ops(graph: Graph, partition: Partition) -> tuple[int, ...]:
    """Return the ops that units hold or would hold, in the canonical order."""
    if partition.units:
        return tuple(op for unit in partition.units for op in unit.ops)
    if partition.mode is Mode.BAND:
        return tuple(op.index for op in graph.ops)
    return graph.compute_ops


def every_subgraph(partition: Partition, processor_count: int) -> Partition | None:
    """Return a partition with all ranges of units as subgraphs, not only those that can pay.

    Args:
        partition: in cost mode, of the preparation that merges units.
        processor_count: of the device.

    Returns:
        None for another partition, or if it would have more than ``MAX_SUBGRAPHS``.
    """
    merged = partition.preparation is Preparation.MERGE_UNIT_SUBGRAPH
    if partition.mode is not Mode.COST or not merged:
        return None
    subgraphs: list[Subgraph] = []
    for processor in range(processor_count):
        taken = [processor in unit.processors for unit in partition.units]
        for first in range(len(taken)):
            ops: list[int] = []
            for last in range(first, len(taken)):
                if not taken[last]:
                    break
                ops.extend(partition.units[last].ops)
                units = tuple(range(first, last + 1))
                subgraphs.append(Subgraph(processor=processor, units=units, ops=tuple(ops)))
            if len(subgraphs) > MAX_SUBGRAPHS:
                return None
    return replace(partition, subgraphs=tuple(subgraphs))
