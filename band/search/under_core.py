"""What a policy makes of a trace on the simulator with the whole core: the judge of last resort."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from band.device.profile import Device
from band.plan.table import PlanTable
from band.scheduler.events import ModelAdded, PolicySwapped
from band.scheduler.loader import make_policy
from band.search.faster import faster
from band.search.objective import highest_load, keeps_real_time
from band.sim.flat import UNFINISHED, FlatRun
from band.sim.flat_trace import FlatTrace, flatten
from band.sim.simulator import simulate
from band.trace.frames import FrameTracker
from band.trace.schema import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchProblem:
    """What a plan is wanted for.

    Attributes:
        trace: the load.
        device: to simulate, with its noise.
        models: as registered; only spans that are loaded from the start are planned with.
        noise_seed: of the simulator with the core.
    """

    trace: Trace
    device: Device
    models: Sequence[ModelAdded]
    noise_seed: int = 0

    @property
    def tables(self) -> tuple[PlanTable, ...]:
        """Return the tables of what is loaded."""
        return tuple(
            added.table if added.loaded is None else added.table.restricted(set(added.loaded))
            for added in self.models
        )


class Played(NamedTuple):
    """What became of a trace.

    Attributes:
        trace: as it was played.
        run: its times.
        energy_uj: what its tasks took; 0 where the power of a processor is not known.
    """

    trace: FlatTrace
    run: FlatRun
    energy_uj: float


def play_under_core(problem: SearchProblem, policy: PolicySwapped, load: float = 1.0) -> Played:
    """Return what a policy makes of the trace at some load, on the device with its noise.

    Args:
        problem: load, device and models.
        policy: to put in force.
        load: the trace is played so many times faster.
    """
    trace = faster(problem.trace, load)
    run = simulate(
        device=problem.device,
        models=problem.models,
        policy=policy,
        make_policy=make_policy,
        source=FrameTracker(trace),
        seed=problem.noise_seed,
    )
    flat = flatten(trace)
    arrived_us, finished_us = [UNFINISHED] * len(flat), [UNFINISHED] * len(flat)
    for record in run.requests:
        if record.outcome == "completed":
            arrived_us[record.request] = record.arrived_us
            finished_us[record.request] = record.finished_us
    processors = problem.device.processors
    busy_us = dict.fromkeys((p.name for p in processors), 0)
    active_mw = {p.name: p.active_mw or 0 for p in processors}
    energy_nj = 0
    for task in run.tasks:
        busy_us[task.processor] += task.finished_us - task.dispatched_us
        energy_nj += task.run_us * active_mw[task.processor]
    last_us = max([0, *(record.finished_us for record in run.requests)])
    times = FlatRun(arrived_us, finished_us, list(busy_us.values()), len(run.tasks), last_us)
    return Played(flat, times, energy_nj / 1000)


def sustained_under_core(
    problem: SearchProblem, policy: PolicySwapped, guess: float = 1.0
) -> float:
    """Return the highest load at which a policy keeps real time, to half a percent; 0 for none."""

    def sustains(load: float) -> bool:
        trace, run, _ = play_under_core(problem, policy, load)
        return keeps_real_time(trace, run)

    return highest_load(sustains, guess)
