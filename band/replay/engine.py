"""Replay on an engine in this process: real slices on real or emulated processors."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from band.device.profile import Device
from band.metrics.energy import powers
from band.metrics.recorder import Recorder
from band.metrics.runs import RunLabel, RunRecords
from band.model.model import Model
from band.plan.on_time import Demand
from band.plan.table import PlanTable
from band.replay.assembly import assemble, latest_send_us
from band.replay.bound import limits
from band.replay.inputs import random_inputs
from band.replay.open_loop import Ended, Inputs, OpenLoop
from band.replay.policies import ChosenPolicy
from band.replay.progress import Progress, ignore_progress
from band.replay.reports import lateness, overruns, replacement, replacements
from band.runtime.engine import Engine
from band.runtime.futures import InferFuture, InferResult
from band.runtime.options import EngineOptions
from band.runtime.profiling import Profile
from band.scheduler.events import RequestArrived
from band.scheduler.options import CoreOptions
from band.trace.contents import TraceContents
from band.trace.schema import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineReplay:
    """Replays a trace on a device, each policy in a fresh engine.

    Attributes:
        contents: of the trace.
        models: of the trace, by name.
        demands: the requests of the trace.
        seed: of inputs and of emulated noise.
        profile: measured costs.
        wall: report wall-clock figures.
        options: settings of the scheduler core.
        progress: told of each model that is loaded.
    """

    contents: TraceContents
    device: Device
    models: Mapping[str, Model]
    demands: Sequence[Demand] = ()
    seed: int = 0
    profile: Profile | None = None
    policy_dirs: tuple[Path, ...] = ()
    wall: bool = False
    options: CoreOptions = field(default_factory=CoreOptions)
    progress: Progress = ignore_progress

    def run(
        self, trace: Trace, policy: ChosenPolicy, recorder: Recorder | None = None
    ) -> RunRecords:
        """Return the records of the trace under a policy.

        Args:
            trace: to play.
            policy: to put in force.
            recorder: is given every event of the core with its commands.

        Raises:
            BandError: INVALID_TRACE for a bad line; what the engine raises.
        """
        options = EngineOptions(core=self.options, seed=self.seed, profile=self.profile)
        with Engine(
            self.device,
            policy=policy.ref,
            policy_params=policy.params,
            policy_dirs=self.policy_dirs,
            options=options,
            recorder=recorder,
        ) as engine:
            inputs = self._register(engine)
            start_s = perf_counter()
            loop = OpenLoop(trace, _EngineTarget(engine), inputs, engine.clock)
            never_issued = loop.run()
            elapsed_s = perf_counter() - start_s
            stats = engine.stats()
            loaded = [_loaded(engine, model) for model in self.models]
        requests, tasks = assemble(loop.sent, never_issued, loop.start_us)
        late_us = latest_send_us(loop.sent)
        overran = [task.overrun_us for task in tasks if task.overrun_us]
        run = RunRecords(
            label=self._label(policy.name, next((p.word for p in stats.processors if p.word), "")),
            requests=requests,
            tasks=tasks,
            processors=tuple(p.name for p in stats.processors),
            reports=(
                *replacements(stats.core.reports),
                *stats.core.notes,
                *lateness(late_us),
                *overruns(sum(overran), len(overran)),
            ),
            replaced=replacement(stats.core.reports),
            power=powers(self.device.processors),
            wall={"elapsed_s": elapsed_s, "latest_send_us": late_us} if self.wall else None,
        )
        return limits(loaded, self.contents, self.demands).beside(run)

    def _label(self, policy: str, word: str) -> RunLabel:
        device = self.device
        return RunLabel(
            policy=policy, on="engine", device=device.name, emulated=device.emulated, word=word
        )

    def _register(self, engine: Engine) -> dict[str, Inputs]:
        inputs: dict[str, Inputs] = {}
        for model, source in self.models.items():
            info = engine.register(source, name=model)
            inputs[model] = random_inputs(model, info.inputs, self.seed)
            self.progress("loading models", len(inputs), len(self.models))
        return inputs


def _loaded(engine: Engine, model: str) -> PlanTable:
    return engine.registration(model).prepared.usable


class _EngineTarget:
    """Sends requests to an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def submit(
        self, request: RequestArrived, inputs: Inputs, start_us: int
    ) -> "Future[InferResult]":
        timeout_us = None
        if request.expires_us is not None:
            timeout_us = max(1, start_us + request.expires_us - self._engine.clock.now_us())
        deadline_us = None if request.deadline_us is None else start_us + request.deadline_us
        return self._engine.submit(
            request.model,
            inputs,
            priority=request.priority,
            deadline_us=deadline_us,
            timeout_us=timeout_us,
            stream=request.stream,
            frame=request.frame,
            parents=request.parents,
            processor=request.processor,
            app=request.app,
            supersede=request.supersede,
        )

    def ended(self, future: "Future[Any]") -> Ended:
        assert isinstance(future, InferFuture)
        return Ended(future.record, future.tasks)
