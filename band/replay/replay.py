"""One trace under several policies: what ``band replay`` and ``band demo`` call."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from band.device.profile import Device
from band.metrics.recorder import Recorder
from band.metrics.runs import RunRecords
from band.metrics.summary import RunSummary, summarise
from band.model.model import Model
from band.replay.bound import demands, limits
from band.replay.engine import EngineReplay
from band.replay.models import open_models, prepare_models
from band.replay.output import OutputFolder
from band.replay.policies import ChosenPolicy
from band.replay.progress import Progress, ignore_progress, watched
from band.replay.sim import SimReplay
from band.runtime.profiling import Profile
from band.scheduler.options import CoreOptions
from band.trace.contents import TraceContents
from band.trace.inbox import InboxWriter
from band.trace.schema import Trace


class Runner(Protocol):
    """Something that a trace can be replayed on."""

    @property
    def options(self) -> CoreOptions:
        """Return the settings of its scheduler core."""
        ...

    def run(
        self, trace: Trace, policy: ChosenPolicy, recorder: Recorder | None = None
    ) -> RunRecords:
        """Return the records of the trace under a policy."""
        ...


def sim_runner(
    trace: Trace,
    contents: TraceContents,
    device: Device,
    *,
    seed: int = 0,
    profile: Profile | None = None,
    policy_dirs: Sequence[Path] = (),
    wall: bool = False,
    progress: Progress = ignore_progress,
) -> SimReplay:
    """Return a simulation of a device with the models of a trace.

    Args:
        trace: names the models.
        contents: of the trace; a model without requests is not opened.
        device: to simulate.
        seed: of the noise of latencies.
        profile: measured costs, instead of the estimates.
        policy_dirs: folders with further policies.
        wall: measure decisions and speed in wall time.
        progress: told of each model.

    Raises:
        BandError: a model is missing, or cannot run on the device.
    """
    models = _opened(trace, contents, progress)
    prepared = []
    for number, one in enumerate(prepare_models(models, device, profile=profile), start=1):
        prepared.append(one)
        progress("preparing models", number, len(models))
    return SimReplay(
        contents=contents,
        device=device,
        prepared=tuple(prepared),
        limits=limits([one.usable for one in prepared], contents, demands(trace)),
        seed=seed,
        policy_dirs=tuple(policy_dirs),
        wall=wall,
    )


def engine_runner(
    trace: Trace,
    contents: TraceContents,
    device: Device,
    *,
    seed: int = 0,
    profile: Profile | None = None,
    policy_dirs: Sequence[Path] = (),
    wall: bool = False,
    progress: Progress = ignore_progress,
) -> EngineReplay:
    """Return an engine in this process with the models of a trace; arguments as ``sim_runner``."""
    return EngineReplay(
        contents=contents,
        device=device,
        models=_opened(trace, contents, progress),
        demands=demands(trace),
        seed=seed,
        profile=profile,
        policy_dirs=tuple(policy_dirs),
        wall=wall,
        progress=progress,
    )


def compare(
    runner: Runner,
    trace: Trace,
    policies: Sequence[ChosenPolicy],
    *,
    folder: OutputFolder | None = None,
    progress: Progress = ignore_progress,
) -> Iterator[RunRecords]:
    """Yield the records of a trace under one policy after the other.

    Args:
        runner: what it runs on.
        trace: to play.
        policies: in the order of the runs.
        folder: where each run leaves its inbox, if given.
        progress: told of the time of the trace, the stage being the policy's name.
    """
    for policy in policies:
        with _recorder(folder, policy, runner.options) as recorder:
            yield runner.run(watched(trace, policy.name, progress), policy, recorder)


def summaries(runs: Sequence[RunRecords], contents: TraceContents) -> tuple[RunSummary, ...]:
    """Return the figures of each run; every request of the trace is accounted for.

    Raises:
        BandError: INTERNAL if a request is missing or ended twice.
    """
    return tuple(summarise(run, sent=contents.models, trace_us=contents.trace_us) for run in runs)


def _opened(trace: Trace, contents: TraceContents, progress: Progress) -> dict[str, Model]:
    total = sum(1 for count in contents.models.values() if count)
    models: dict[str, Model] = {}
    for name, model in open_models(trace, contents):
        models[name] = model
        progress("opening models", len(models), total)
    return models


def _recorder(
    folder: OutputFolder | None, policy: ChosenPolicy, options: CoreOptions
) -> AbstractContextManager[InboxWriter | None]:
    if folder is None:
        return nullcontext()
    return InboxWriter(folder.inbox(policy.name), options=options)
