"""The demonstration: the main job of the project on built-in defaults, with every figure checked.

One XR trace goes through a real daemon over gRPC twice: on this machine's CPU processors, and on
an emulated phone whose GPU lacks operators, where every slice is really computed. The outputs of
a sample of requests are compared bit for bit with the whole model, and the recorded decisions are
replayed on a fresh core.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from band.config.device import load_device
from band.errors import BandError, ErrorCode
from band.metrics.runs import RunRecords
from band.metrics.summary import RunSummary
from band.model.pull import pull
from band.model.source import open_model
from band.replay.address import AddressReplay
from band.replay.decisions import DecisionReplay, replay_decisions
from band.replay.exactness import Exactness, ReplyCheck, whole_outputs
from band.replay.inputs import random_inputs
from band.replay.output import OutputFolder, document
from band.replay.policies import choose_policies
from band.replay.progress import Progress, watched
from band.replay.replay import compare, sim_runner, summaries
from band.replay.served import served
from band.rpc.client import Client
from band.rpc.reply import InferReply
from band.runtime.tensors import model_info
from band.scheduler.options import DEFAULT_POLICY
from band.trace.contents import TraceContents, contents
from band.trace.generator import generate
from band.trace.inbox import read_inbox
from band.trace.reader import read_trace
from band.trace.references import trace_models
from band.trace.scenario import load_scenario
from band.trace.schema import Trace
from band.trace.writer import write_trace

LIVE_DEVICES: Final = ("host", "pixel4")
SIMULATED_DEVICES: Final = ("pixel4", "snapdragon_8gen3")
MODEL_SET: Final = "xr"
SAMPLE: Final = 50
SIMULATED_LOAD: Final = 3
"""How much faster the streams run in the simulated comparison, so that policies have to differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A trace and what it holds."""

    trace: Trace
    holds: TraceContents


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveResult:
    """One replay over gRPC and what was checked of it.

    Attributes:
        loads_during_requests: slices loaded inside a request, 0 or a defect.
    """

    summary: RunSummary
    timeline: Path
    exactness: Exactness
    decisions: DecisionReplay
    loads_during_requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SimResult:
    """All policies on one simulated device."""

    summaries: tuple[RunSummary, ...]
    timeline: Path


def choose_scenario(progress: Progress) -> tuple[str, str]:
    """Pull the real models if they can be had.

    Returns:
        The scenario's name, and why it is the one of generated models, else "".
    """
    try:
        pull(MODEL_SET, progress)
    except BandError as error:
        return "demo_generated", error.message
    return "demo", ""


def workload(name: str, path: Path, *, seconds: float, seed: int, load: float = 1) -> Workload:
    """Draw a trace of a scenario.

    Args:
        name: of the scenario.
        path: takes the trace.
        seconds: length of the trace.
        seed: of the trace.
        load: how much faster its streams run.

    Raises:
        BandError: the trace cannot be written.
    """
    scenario, _ = load_scenario(name)
    streams = tuple(s.model_copy(update={"fps": s.fps * load}) for s in scenario.streams)
    scenario = scenario.model_copy(update={"streams": streams})
    folder = OutputFolder(path.parent).path
    models = trace_models(dict(scenario.models), base=Path(), folder=folder, must_exist=True)
    write_trace(generate(scenario, seconds=seconds, seed=seed, models=models), path)
    trace = read_trace(path)
    return Workload(trace=trace, holds=contents(trace))


def live(work: Workload, device: str, folder: Path, *, seed: int, progress: Progress) -> LiveResult:
    """Replay the trace over gRPC on a daemon of its own and check the outcome.

    Args:
        work: the trace.
        device: the daemon's.
        folder: takes figures, timeline, configuration and recording.
        seed: of inputs and of the sample.
        progress: told of the time of the trace.

    Raises:
        BandError: the daemon fails, or the requests do not add up.
    """
    output = OutputFolder(folder)
    models = {m.name: m.reference for m in work.trace.header.models if work.holds.models[m.name]}
    check = _reply_check(models, total=work.holds.requests, seed=seed)
    with served(device=device, policy=DEFAULT_POLICY, models=models, folder=folder) as daemon:
        replay = AddressReplay(
            contents=work.holds,
            address=daemon.address,
            seed=seed,
            on_reply=lambda reply: _take(check, reply),
        )
        run = replay.run(watched(work.trace, f"{device}, over gRPC", progress))
        with Client(daemon.address) as client:
            loads = int(client.stats().loads_during_requests)
    run = replace(run, label=replace(run.label, on="a daemon of its own"))
    (summary,), timeline = _write(output, work, (run,))
    return LiveResult(
        summary=summary,
        timeline=timeline,
        exactness=check.result(),
        decisions=replay_decisions(read_inbox(daemon.inbox)),
        loads_during_requests=loads,
    )


def simulated(
    work: Workload, device: str, folder: Path, *, seed: int, progress: Progress
) -> SimResult:
    """Simulate the trace under every installed policy that needs no parameter."""
    policies, _ = choose_policies(())
    runner = sim_runner(work.trace, work.holds, load_device(device), seed=seed, progress=progress)
    output = OutputFolder(folder)
    runs = tuple(compare(runner, work.trace, policies, folder=output, progress=progress))
    figures, timeline = _write(output, work, runs)
    return SimResult(summaries=figures, timeline=timeline)


def check_live(result: LiveResult, device: str) -> None:
    """Refuse a live result that breaks a promise.

    Raises:
        BandError: INTERNAL, naming the promise.
    """
    broken = ""
    if result.exactness.different:
        broken = (
            f"{result.exactness.different} of {result.exactness.compared} compared replies differ "
            "from the whole model"
        )
    elif result.decisions.difference is not None:
        broken = f"a fresh core decides otherwise after {result.decisions.events} recorded events"
    elif result.loads_during_requests:
        broken = f"{result.loads_during_requests} slices were loaded inside requests"
    if broken:
        raise BandError(ErrorCode.INTERNAL, f"on {device}: {broken}; please report this")


def _reply_check(models: dict[str, str], *, total: int, seed: int) -> ReplyCheck:
    references = {}
    for name, ref in models.items():
        model = open_model(ref)
        inputs = random_inputs(name, model_info(model.graph, name, "").inputs, seed)
        references[name] = whole_outputs(model, inputs)
    return ReplyCheck(references, total=total, sample=SAMPLE, seed=seed)


def _take(check: ReplyCheck, reply: InferReply) -> None:
    check.take(reply.record.model, reply.outputs, split=reply.record.split)


def _write(
    output: OutputFolder, work: Workload, runs: Sequence[RunRecords]
) -> tuple[tuple[RunSummary, ...], Path]:
    figures = summaries(runs, work.holds)
    _, timeline = output.write(document(work.trace.header, figures), runs)
    return figures, timeline
