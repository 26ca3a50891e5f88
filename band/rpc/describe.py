"""Messages of band.v1 from what the engine knows: device, models, plans, counts."""

from band.device.profile import Device
from band.plan.best import BestPlan
from band.plan.kernel import Kernel
from band.runtime.registration import Prepared
from band.runtime.stats import EngineStats
from band.v1 import band_pb2


def device_message(device: Device, stats: EngineStats) -> band_pb2.Device:
    """Return a device with its processors, each with the word its figures must carry."""
    words = {processor.name: processor.word for processor in stats.processors}
    return band_pb2.Device(
        name=device.name,
        version=device.version,
        description=device.description,
        time_scale=device.time_scale,
        memory_budget_bytes=device.memory_budget_bytes,
        processors=[
            band_pb2.Processor(
                name=processor.name,
                kind=processor.kind.value,
                backend=processor.backend,
                runtime=processor.runtime,
                threads=processor.threads,
                available=processor.available,
                word=words.get(processor.name, "emulated" if processor.emulated else ""),
            )
            for processor in device.processors
        ],
    )


def model_message(prepared: Prepared) -> band_pb2.Model:
    """Return a registered model in short."""
    graph, best = prepared.model.graph, _best_plan(prepared)
    return band_pb2.Model(
        name=prepared.table.model,
        sha256=graph.sha256,
        ops=len(graph.ops),
        units=prepared.table.unit_count,
        predicted_us=best.latency_us if best else None,
    )


def plan_message(prepared: Prepared, device: str) -> band_pb2.Plan:
    """Return units, spans, the best plan on the idle device, and every refusal."""
    table, units, best = prepared.table, prepared.partition.units, _best_plan(prepared)
    loaded = set(prepared.loads)
    plan = band_pb2.Plan(
        model=table.model, device=device, predicted_us=best.latency_us if best else None
    )
    for unit in units:
        plan.units.add(ops=unit.ops, processors=[table.processors[p] for p in unit.processors])
    for span in table.spans:
        plan.spans.add(
            first_unit=span.first,
            last_unit=span.last,
            processor=table.processors[span.processor],
            cost_us=span.cost_us,
            loaded=(span.first, span.last, span.processor) in loaded,
        )
    for step in best.steps if best else ():
        span = step.span
        plan.steps.add(
            first_unit=span.first,
            last_unit=span.last,
            processor=table.processors[span.processor],
            ops=[op for unit in units[span.first : span.last + 1] for op in unit.ops],
            start_us=step.start_us,
            finish_us=step.finish_us,
        )
    for refusal in prepared.partition.unsupported:
        plan.refusals.add(
            op=refusal.op, type=refusal.type, processor=refusal.processor, reason=refusal.reason
        )
    return plan


def stats_message(stats: EngineStats) -> band_pb2.StatsResponse:
    """Return the counts of an engine."""
    return band_pb2.StatsResponse(
        accepted=stats.accepted,
        completed=stats.completed,
        failed=stats.failed,
        cancelled=stats.cancelled,
        dropped=stats.dropped,
        in_flight=stats.in_flight,
        loads_during_requests=stats.loads_during_requests,
        memory_used_bytes=stats.memory_used_bytes,
        memory_budget_bytes=stats.memory_budget_bytes,
        up_us=stats.up_us,
        policy=stats.core.policy,
        policy_statistics=stats.core.statistics,
        policy_reports=[
            band_pb2.PolicyReport(
                policy=report.policy,
                reason=report.reason,
                at_us=report.at_us,
                replaced=report.replaced,
            )
            for report in stats.core.reports
        ],
        policy_notes=stats.core.notes,
        slices=_slices_message(stats),
        processors=[
            band_pb2.ProcessorStats(
                name=processor.name,
                up=processor.up,
                tasks=processor.tasks,
                failed_tasks=processor.failed_tasks,
                busy_us=processor.busy_us,
                word=processor.word,
            )
            for processor in stats.processors
        ],
    )


def _slices_message(stats: EngineStats) -> band_pb2.SliceStats:
    core, shared = stats.core, stats.slices
    return band_pb2.SliceStats(
        loaded=core.slices,
        loaded_bytes=core.slices_bytes,
        limit_bytes=core.slices_limit_bytes or 0,
        background_loads=core.loads,
        evictions=core.evictions,
        parsed_models=shared.models,
        contents=shared.contents,
        content_bytes=shared.content_bytes,
        content_used_bytes=shared.used_bytes,
        contents_written=shared.written,
        content_hits=shared.hits,
    )


def _best_plan(prepared: Prepared) -> BestPlan | None:
    table = prepared.table.restricted(prepared.loads)
    return Kernel(table).plan(0, (0,) * len(table.processors))
