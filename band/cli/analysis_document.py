"""The JSON document of ``band analyze``; ``docs/analyze.md`` describes it."""

from typing import Any

from band.analysis.partition import Subgraph, Unit
from band.cli.analysis import Analysis
from band.plan.evidence import CostBasis, Known, coefficient_marks, transfer_marks
from band.plan.explain import ProcessorReport
from band.plan.explain_plans import Cut, ExplainedPlan, ExplainedStep
from band.plan.explain_support import Amount, RefusalGroup, UnitGroup, Whole


def document(found: Analysis) -> dict[str, Any]:
    """Return the JSON document of ``band analyze``."""
    graph, device, partition, said = found.graph, found.device, found.partition, found.explanation
    chosen = said.plans[0] if said.plans else None
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
        "order": list(said.order),
        "total": _amount(said.total),
        "processors": [_processor(found, report) for report in said.processors],
        "transfer_marks": [str(mark) for mark in transfer_marks(device)],
        "units": [_unit(found, unit) for unit in partition.units],
        "unit_groups": [_unit_group(found, group) for group in said.unit_groups],
        "boundaries": [
            {"tensors": list(tensors), "bytes": byte_count}
            for tensors, byte_count in zip(
                partition.boundary_tensors, partition.boundary_bytes, strict=True
            )
        ],
        "subgraphs": [_subgraph(found, part) for part in partition.subgraphs],
        "definitions": partition.definitions,
        "measured_subgraphs": _profiled(found, Known.MEASURED),
        "fitted_subgraphs": _profiled(found, Known.FITTED),
        "unsupported": [
            {"op": u.op, "type": u.type, "processor": u.processor, "reason": u.reason}
            for u in partition.unsupported
        ],
        "refusals": [_refusal(found, group) for group in said.refusals],
        "runs_nowhere": list(said.runs_nowhere),
        "plan": [_step(found, step) for step in (chosen.steps if chosen else ())],
        "cuts": [_cut(found, cut) for cut in (chosen.cuts if chosen else ())],
        "predicted_us": chosen.latency_us if chosen else None,
        "equal_plans": chosen.twins if chosen else 0,
        "runners_up": [_plan(found, plan) for plan in said.plans[1:]],
        "no_plan": found.refusal.message if found.refusal else None,
    }


def _profiled(found: Analysis, known: Known) -> int:
    return sum(value is known for value in found.profiled.values())


def _name(found: Analysis, processor: int) -> str:
    return found.device.processors[processor].name


def _amount(amount: Amount) -> dict[str, int]:
    return amount._asdict()


def _processor(found: Analysis, report: ProcessorReport) -> dict[str, Any]:
    processor = found.device.processors[report.support.processor]
    taken, total = report.support.amount, found.explanation.total
    return {
        "name": processor.name,
        "kind": str(processor.kind),
        "available": processor.available,
        "emulated": processor.emulated,
        "takes": _amount(taken),
        "share": {
            field: part / whole if whole else 0.0
            for field, part, whole in zip(Amount._fields, taken, total, strict=True)
        },
        "refuses": len(report.support.refused) if processor.available else None,
        "whole_model": _whole(report.whole) if report.whole else None,
        "plan_without_us": report.without_us,
        "plan_with": _plan(found, report.best_with) if report.best_with else None,
        "cost_marks": [str(mark) for mark in coefficient_marks(processor)],
    }


def _whole(whole: Whole) -> dict[str, Any]:
    hindrance = whole.hindered_by
    return {
        "predicted_us": whole.latency_us,
        **_basis(whole.basis),
        "peak_bytes": whole.peak_bytes,
        "load_bytes": whole.load_bytes,
        "hindered_by": hindrance
        and {"op": hindrance.op, "type": hindrance.type, "reason": hindrance.reason},
    }


def _basis(basis: CostBasis | None) -> dict[str, str | None]:
    if basis is None:
        return {"cost_known": None, "cost_mark": None}
    return {"cost_known": str(basis.known), "cost_mark": str(basis.mark)}


def _unit(found: Analysis, unit: Unit) -> dict[str, Any]:
    return {
        "ops": list(unit.ops),
        "processors": [_name(found, p) for p in unit.processors],
    }


def _unit_group(found: Analysis, group: UnitGroup) -> dict[str, Any]:
    return {
        "processors": [_name(found, p) for p in group.processors],
        "units": list(group.units),
        "amount": _amount(group.amount),
    }


def _subgraph(found: Analysis, part: Subgraph) -> dict[str, Any]:
    return {
        "processor": _name(found, part.processor),
        "units": list(part.units),
        "ops": list(part.ops),
    }


def _refusal(found: Analysis, group: RefusalGroup) -> dict[str, Any]:
    return {
        "processor": _name(found, group.processor),
        "reason": group.reason,
        "types": dict(group.types),
        "ops": list(group.ops),
        "amount": _amount(group.amount),
    }


def _plan(found: Analysis, plan: ExplainedPlan) -> dict[str, Any]:
    return {
        "predicted_us": plan.latency_us,
        "equal_plans": plan.twins,
        "plan": [_step(found, step) for step in plan.steps],
        "cuts": [_cut(found, cut) for cut in plan.cuts],
    }


def _step(found: Analysis, step: ExplainedStep) -> dict[str, Any]:
    return {
        "processor": _name(found, step.processor),
        "units": list(step.units),
        "ops": sorted(step.ops),
        "transfer_us": step.transfer_us,
        "start_us": step.start_us,
        "predicted_us": step.run_us,
        **_basis(step.basis),
        "peak_bytes": step.peak_bytes,
        "weight_bytes": step.weight_bytes,
        "load_bytes": step.load_bytes,
        "op_us": dict(zip(map(str, step.ops), step.op_us, strict=True)),
    }


def _cut(found: Analysis, cut: Cut) -> dict[str, Any]:
    return {
        "before_unit": cut.boundary,
        "from": _name(found, cut.source),
        "to": _name(found, cut.target),
        "tensors": list(cut.tensors),
        "bytes": cut.byte_count,
        "transfer_us": cut.transfer_us,
        "share": cut.share,
    }
