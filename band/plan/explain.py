"""Why a model is cut as it is: who takes what, what the plan costs, what it was preferred to.

Numbers only; ``band.cli`` and ``band.report`` draw them. Everything follows from the partition and
the plan table, so whatever chose the cuts is explained by what it left there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from band.analysis.partition import Mode, Partition
from band.device.profile import Device
from band.model.graph import Graph
from band.plan.evidence import Known
from band.plan.explain_plans import ExplainedPlan, explained_plans, without_processor
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
from band.plan.table import PlanTable

SpanKey = tuple[int, int, int]
"""(first unit, last unit, processor)."""

NOTHING_PROFILED: Final[Mapping[SpanKey, Known]] = MappingProxyType({})

RUNNERS_UP = 3


class ProcessorReport(NamedTuple):
    """One processor's part in a model.

    Attributes:
        support: what it takes and refuses.
        whole: the whole model on it alone, None if it is not available.
        without_us: the best plan of the idle device that does not use it, None if there is none.
    """

    support: Support
    whole: Whole | None
    without_us: int | None


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
    profiled: Mapping[SpanKey, Known] = NOTHING_PROFILED,
    runners_up: int = RUNNERS_UP,
) -> Explanation:
    """Return why a model is cut as it is on a device.

    Args:
        graph: the model, with its shapes.
        device: its processors.
        partition: what ``analyze`` made of the two, or a partition without units if it refused.
        table: the candidates the plan was chosen from; None if the model has no plan.
        profiled: what a profile has of spans of the table; the costs of others are estimated.
        runners_up: how many plans to show besides the chosen one, at most.
    """
    order = planned_ops(graph, partition)
    found = supports(graph, device, partition, order)
    wholes = whole_models(graph, device, partition, found, table, profiled)
    plans = explained_plans(graph, device, partition, table, profiled, 1 + runners_up)
    without = without_processor(table) if table is not None else (None,) * len(found)
    common = [set(support.refused) for support in found if support.available]
    nowhere = set.intersection(*common) if common else set(order)
    return Explanation(
        order=order,
        total=amount(graph, order),
        processors=tuple(
            ProcessorReport(support, whole, without_us)
            for support, whole, without_us in zip(found, wholes, without, strict=True)
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
