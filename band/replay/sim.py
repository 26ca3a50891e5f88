"""Replay in the simulator: a virtual clock, the same core, the same figures for the same seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter

from band.config.scheduler import check_reservations
from band.device.profile import Device
from band.metrics.energy import powers
from band.metrics.recorder import Recorder
from band.metrics.runs import RunLabel, RunRecords
from band.replay.bound import Limits
from band.replay.policies import ChosenPolicy
from band.replay.reports import intruders, replacement, replacements
from band.replay.wall import DecisionTimes, EventCount
from band.runtime.registration import Prepared, memory_for_slices
from band.scheduler.events import ModelAdded
from band.scheduler.loader import make_policy
from band.scheduler.options import CoreOptions
from band.sim.simulator import WORD, SimRun, simulate
from band.trace.contents import TraceContents
from band.trace.frames import FrameTracker
from band.trace.schema import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class SimSetup:
    """A device with the models of a trace on it, small enough to be sent to another process.

    Attributes:
        models: as they are registered, with the memory for slices, so that the core goes on
            loading.
        limits: of the trace on the device.
        options: settings of the scheduler core.
    """

    device: Device
    models: tuple[ModelAdded, ...]
    limits: Limits = field(default_factory=Limits)
    options: CoreOptions = field(default_factory=CoreOptions)
    policy_dirs: tuple[Path, ...] = ()

    def run(
        self,
        trace: Trace,
        policy: ChosenPolicy,
        *,
        seed: int = 0,
        recorder: Recorder | None = None,
        wall: bool = False,
    ) -> RunRecords:
        """Return the records of the trace under a policy.

        Args:
            trace: to play.
            policy: to put in force.
            seed: of the noise of latencies.
            recorder: is given every event with its commands.
            wall: measure decisions and speed in wall time.

        Raises:
            BandError: INVALID_TRACE for a bad line.
        """
        decisions, events = DecisionTimes(), EventCount(recorder)
        make = partial(make_policy, policy_dirs=self.policy_dirs)
        start_s = perf_counter()
        result = simulate(
            device=self.device,
            models=self.models,
            policy=policy.swapped,
            make_policy=decisions.timed(make) if wall else make,
            source=FrameTracker(trace),
            options=self.options,
            seed=seed,
            recorder=events if wall else recorder,
        )
        elapsed_s = perf_counter() - start_s
        figures = {
            **events.figures(elapsed_s),
            "times_real_time": result.duration_us / 1e6 / elapsed_s,
            **decisions.figures(),
        }
        return self._records(policy, result, figures if wall else None)

    def _records(
        self, policy: ChosenPolicy, result: SimRun, wall: Mapping[str, float] | None
    ) -> RunRecords:
        device = self.device
        run = RunRecords(
            label=RunLabel(
                policy=policy.name,
                on="sim",
                device=device.name,
                emulated=device.emulated,
                word=WORD,
            ),
            requests=result.requests,
            tasks=result.tasks,
            processors=tuple(p.name for p in device.processors if p.available),
            reports=(
                *replacements(result.policy_reports),
                *result.notes,
                *intruders(result.intrusions),
            ),
            replaced=replacement(result.policy_reports),
            power=powers(device.processors),
            wall=wall,
        )
        return self.limits.beside(run)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimReplay:
    """Replays a trace on a simulated device.

    Attributes:
        contents: of the trace.
        prepared: the models of the trace.
        limits: of the trace on the device.
        seed: of the noise of latencies.
        options: settings of the scheduler core.
        wall: measure decisions and speed in wall time.
    """

    contents: TraceContents
    device: Device
    prepared: Sequence[Prepared]
    limits: Limits = field(default_factory=Limits)
    seed: int = 0
    options: CoreOptions = field(default_factory=CoreOptions)
    policy_dirs: tuple[Path, ...] = ()
    wall: bool = False

    def __post_init__(self) -> None:
        check_reservations(self.options, self.device)

    @property
    def setup(self) -> SimSetup:
        """Return what a run needs of this."""
        free_bytes = memory_for_slices(
            self.device.memory_budget_bytes,
            (prepared.boundary_bytes for prepared in self.prepared),
            sum(p.available for p in self.device.processors),
        )
        return SimSetup(
            device=self.device,
            models=tuple(one.added._replace(slices_bytes=free_bytes) for one in self.prepared),
            limits=self.limits,
            options=self.options,
            policy_dirs=self.policy_dirs,
        )

    def run(
        self, trace: Trace, policy: ChosenPolicy, recorder: Recorder | None = None
    ) -> RunRecords:
        """Return the records of the trace under a policy.

        Args:
            trace: to play.
            policy: to put in force.
            recorder: is given every event with its commands.

        Raises:
            BandError: INVALID_TRACE for a bad line.
        """
        return self.setup.run(trace, policy, seed=self.seed, recorder=recorder, wall=self.wall)
