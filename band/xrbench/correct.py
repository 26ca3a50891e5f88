"""Correct mode: a case on the real core and the real simulator, under any policy.

Where the release's program deviates from what it describes, this does what is described: frames
arrive on time, dependents follow the same-numbered frame upstream, every frame is scored. Costs
are in microseconds, rounded up, so that no result can pass the bound of the case.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from band.config.params import parse_params
from band.device.profile import Device, Processor, ProcessorKind
from band.device.support_table import Support
from band.errors import BandError, ErrorCode
from band.metrics.records import RequestRecord
from band.plan.table import PlanTable, Span, zero_transfers
from band.scheduler.commands import JobOutcome
from band.scheduler.events import ModelAdded, PolicySwapped
from band.scheduler.loader import make_policy, policy_swapped
from band.scheduler.options import CoreOptions
from band.sim.simulator import SimRun, simulate
from band.units import US_PER_MS
from band.xrbench.case import Case, latency_us
from band.xrbench.costs import Cost
from band.xrbench.result import CaseResult, Mode
from band.xrbench.scores import Inference, score
from band.xrbench.workload import workload

UJ_PER_MJ: Final = 1000
OPTIONS: Final = CoreOptions(gather=True)
"""All that happens at one moment is one moment to a policy, as in the definition of the mode."""


def run(
    case: Case,
    policy: str | PolicySwapped,
    params: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    policy_dirs: Sequence[Path] = (),
) -> CaseResult:
    """Return the scores of a policy on a case.

    Args:
        case: to play.
        policy: a name, ``path.py`` or ``package:object``, or the event that puts it in force.
        params: of the policy, where it is given by reference.
        seed: of a stochastic scenario's coins.
        policy_dirs: folders searched for names before the shipped policies.

    Raises:
        BandError: the policy is not found, its parameters do not fit, or it failed during the run
            (POLICY_FAILED): then there is no result, since the default policy would have taken
            over.
    """
    if isinstance(policy, str):
        policy = policy_swapped(policy, params, policy_dirs=policy_dirs, parse=parse_params)
    frames = workload(case.scenario, seed)
    played = simulate(
        device=make_device(case),
        models=[ModelAdded(table) for table in make_tables(case)],
        policy=policy,
        make_policy=partial(make_policy, policy_dirs=policy_dirs),
        source=frames,
        options=OPTIONS,
    )
    return _result(case, policy.name, played)


def make_device(case: Case) -> Device:
    """Return the setting as a device: one processor an accelerator, named by its number."""
    return Device(
        name=case.setting.name,
        version="1",
        description="accelerators of a cost table",
        processors=tuple(
            Processor(
                index=index,
                name=_processor(accelerator.id),
                kind=ProcessorKind.NPU,
                backend="emulated",
                support=Support(),
                costs=(),
            )
            for index, accelerator in enumerate(case.setting.accelerators)
        ),
    )


def make_tables(case: Case) -> tuple[PlanTable, ...]:
    """Return the plan table of each model: one unit, one span an accelerator."""
    names = tuple(_processor(accelerator.id) for accelerator in case.setting.accelerators)
    return tuple(
        PlanTable(
            model=model.name,
            version=1,
            processors=names,
            unit_count=1,
            dependencies=(0,),
            spans=tuple(_span(index, cost) for index, cost in enumerate(costs)),
            transfer_us=zero_transfers(1, len(names)),
        )
        for model, costs in zip(case.scenario.models, case.costs, strict=True)
    )


def _span(processor: int, cost: Cost) -> Span:
    energy_uj = round(cost.energy_mj * UJ_PER_MJ)
    return Span(0, 0, processor, latency_us(cost), energy_uj=energy_uj)


def _processor(accelerator: int) -> str:
    return f"accelerator{accelerator}"


def _result(case: Case, policy: str, played: SimRun) -> CaseResult:
    for report in played.policy_reports:
        if report.replaced:
            message = (
                f"policy {policy} failed on {case.name} at {report.at_us} us: {report.reason}; "
                "there is no score"
            )
            raise BandError(ErrorCode.POLICY_FAILED, message, policy=policy)
    models = {model.name: index for index, model in enumerate(case.scenario.models)}
    accelerators = {_processor(a.id): place for place, a in enumerate(case.setting.accelerators)}
    started_us = {task.task: task.dispatched_us for task in played.tasks}
    dropped = dict.fromkeys(models, 0)
    inferences = []
    for request in played.requests:
        if request.outcome != JobOutcome.COMPLETED:
            dropped[request.model] += 1
            continue
        place = accelerators[request.processors[-1]]
        inferences.append(
            _inference(
                case,
                request,
                started_us[request.tasks[0]],
                case.setting.accelerators[place].id,
                case.costs[models[request.model]][place],
            )
        )
    inferences.sort(key=lambda done: (done.accelerator, done.completed_ms, done.dispatched_ms))
    return CaseResult(
        case=case,
        policy=policy,
        mode=Mode.CORRECT,
        scores=score(models, inferences, dropped),
        inferences=tuple(inferences),
        dropped=dropped,
        notes=tuple(f"policy {report.policy}: {report.reason}" for report in played.policy_reports),
    )


def _inference(
    case: Case, request: RequestRecord, started_us: int, accelerator: int, cost: Cost
) -> Inference:
    assert request.frame is not None
    assert request.deadline_us is not None
    return Inference(
        accelerator=accelerator,
        model=request.model,
        frame=request.frame,
        injected_ms=float(request.frame * case.scenario.model(request.model).period_ms),
        dispatched_ms=started_us / US_PER_MS,
        deadline_ms=request.deadline_us / US_PER_MS,
        completed_ms=request.finished_us / US_PER_MS,
        energy_mj=cost.energy_mj,
        accuracy=cost.accuracy,
    )
