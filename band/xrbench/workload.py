"""The frames of a case in correct mode, as a trace, and the load that they are, as declared.

Frame i of a model arrives at i periods and is due a period later. Models that depend on each other
make one stream, whose frames the frame tracker plays: a dependent waits for the same-numbered
frame upstream, and goes with it when that one is dropped.
"""

import random

from band.errors import BandError, ErrorCode
from band.scheduler.events import StreamLoad
from band.trace.frames import FrameTracker
from band.trace.schema import Frame, Header, Node, Trace
from band.units import US_PER_MS
from band.xrbench.scenarios import RUN_MS, Scenario, ScenarioModel

START_GRACE_US = 1
"""A frame may start at its deadline; one microsecond later it is dropped."""


class DeclaredFrames(FrameTracker):
    """A scenario being played.

    Attributes:
        streams: what load it is, so that policies need not learn it.
    """

    def __init__(self, trace: Trace, streams: tuple[StreamLoad, ...]) -> None:
        super().__init__(trace)
        self.streams = streams


def workload(scenario: Scenario, seed: int) -> DeclaredFrames:
    """Return the frames of a run, to be played, and the load that they are.

    Args:
        scenario: to play.
        seed: as for ``trace``.

    Raises:
        BandError: INVALID_CONFIG if a model depends on one of another rate.
    """
    return DeclaredFrames(trace(scenario, seed), streams(scenario))


def trace(scenario: Scenario, seed: int) -> Trace:
    """Return the frames of a run.

    Args:
        scenario: to play.
        seed: of the coins of a stochastic scenario. Whether a frame is wanted is drawn per model
            and frame, so the same seed wants the same frames whatever the policy does.

    Raises:
        BandError: INVALID_CONFIG if a model depends on one of another rate.
    """
    frames: list[Frame] = []
    for stream, models in _groups(scenario).items():
        coins = {model.name: random.Random(f"{seed} {model.name}") for model in models}
        for number in range(models[0].frames):
            at_us = number * models[0].period_ms * US_PER_MS
            nodes = tuple(_node(model, at_us, coins[model.name]) for model in models)
            frames.append(Frame(at_us=at_us, stream=stream, frame=number, nodes=nodes))
    frames.sort(key=lambda frame: frame.at_us)
    header = Header(scenario=scenario.name, seed=seed, seconds=RUN_MS / 1000, models=())
    return Trace(header=header, frames=tuple(frames))


def streams(scenario: Scenario) -> tuple[StreamLoad, ...]:
    """Return the load of a scenario, as seen at its start."""
    return tuple(
        StreamLoad(
            stream=stream,
            model=model.name,
            period_us=model.period_ms * US_PER_MS,
            next_us=0,
            deadline_us=model.period_ms * US_PER_MS,
            parents=model.depends_on,
            copies=model.probability,
            frames=model.frames,
            expires_us=model.period_ms * US_PER_MS + START_GRACE_US,
        )
        for stream, models in _groups(scenario).items()
        for model in models
    )


def _node(model: ScenarioModel, at_us: int, coin: random.Random) -> Node:
    deadline_us = at_us + model.period_ms * US_PER_MS
    wanted = model.probability >= 1 or coin.random() < model.probability
    return Node(
        id=model.name,
        model=model.name,
        count=int(wanted),
        parents=model.depends_on,
        deadline_us=deadline_us,
        expires_us=deadline_us + START_GRACE_US,
    )


def _groups(scenario: Scenario) -> dict[str, list[ScenarioModel]]:
    """Return the models by stream: those that depend on each other are one, named by its first."""
    stream_of: dict[str, str] = {}
    for model in scenario.models:
        stream = stream_of[model.name] = model.name
        for upstream in model.depends_on:
            _check_rates(scenario, model, scenario.model(upstream))
            joined = stream_of[upstream]
            stream_of = {m: joined if s == stream else s for m, s in stream_of.items()}
            stream = joined
    groups: dict[str, list[ScenarioModel]] = {}
    for model in scenario.models:
        groups.setdefault(stream_of[model.name], []).append(model)
    return groups


def _check_rates(scenario: Scenario, model: ScenarioModel, upstream: ScenarioModel) -> None:
    if model.period_ms != upstream.period_ms:
        message = (
            f"scenario {scenario.name}: {model.name} at {model.fps} frames a second depends on "
            f"{upstream.name} at {upstream.fps}, and correct mode pairs frames by number; give "
            "both one rate, or use --mode compat"
        )
        raise BandError(ErrorCode.INVALID_CONFIG, message, model=model.name)
