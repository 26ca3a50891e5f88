"""Scenarios: the YAML recipe of a trace, checked down to file and line.

A scenario names its models and its streams; a stream has a rate and, per frame, a graph of model
executions. ``docs/traces.md`` describes every key.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple, Self

from pydantic import Field, model_validator

from band.config.schema import Schema, parse
from band.config.suggestion import suggestion
from band.config.yaml_loader import Location, load_yaml
from band.errors import BandError, ErrorCode
from band.share import share_dir
from band.trace.counts import Count

Text = Annotated[str, Field(min_length=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Milliseconds = Annotated[float, Field(ge=0, le=3_600_000)]
Deadline = Annotated[float, Field(gt=0, le=3_600_000)]


class NodeSpec(Schema):
    """One model execution per frame.

    Attributes:
        model: a key of the scenario's ``models``.
        name: of the node; the model's name if left out.
        depends_on: nodes whose copies must all complete first.
        when: nodes that must have at least one copy in this frame, else this one has none.
        probability: chance that this node runs in a frame.
        count: copies when it runs.
        deadline_ms: from the arrival of the frame; the earlier of this and the stream's holds.
        priority: 1 is highest; the stream's if left out.
    """

    model: Text
    name: Text | None = None
    depends_on: tuple[Text, ...] = ()
    when: tuple[Text, ...] = ()
    probability: Probability = 1.0
    count: Count = Count(fixed=1)
    deadline_ms: Deadline | None = None
    priority: Annotated[int, Field(ge=0)] | None = None

    @property
    def id(self) -> str:
        """Return its name."""
        return self.name or self.model


class Stream(Schema):
    """A source of frames at a rate.

    Attributes:
        name: of the app or sensor; it becomes the stream of every request.
        fps: frames per second.
        offset_ms: time of the first frame.
        jitter: a frame arrives late by up to this fraction of the period, evenly drawn.
        jitter_ms: the same in milliseconds; at most one period. Give one of the two.
        probability: chance that a frame is processed at all.
        duration_s: after this time from its first frame the stream ends; None: with the trace.
        deadline_ms: of every request of a frame, from the frame's arrival.
        priority: of its nodes; 1 is highest, 0 the scheduler's default.
        app: who sends it, for quotas and fair shares.
        supersede: a new frame takes the place of older ones that have not started.
    """

    name: Text
    fps: Annotated[float, Field(gt=0, le=10_000)]
    offset_ms: Milliseconds = 0.0
    jitter: Annotated[float, Field(ge=0, le=1)] | None = None
    jitter_ms: Milliseconds | None = None
    probability: Probability = 1.0
    duration_s: Annotated[float, Field(gt=0)] | None = None
    deadline_ms: Deadline | None = None
    priority: Annotated[int, Field(ge=0)] = 0
    app: str = ""
    supersede: bool = False
    nodes: Annotated[tuple[NodeSpec, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _jitter_once(self) -> Self:
        if self.jitter is not None and self.jitter_ms is not None:
            msg = f"stream '{self.name}' has jitter and jitter_ms; give one of the two"
            raise ValueError(msg)
        if self.jitter_us > self.period_us:
            msg = (
                f"stream '{self.name}' has {self.jitter_ms:g} ms of jitter, more than its period "
                f"of {self.period_us / 1000:g} ms"
            )
            raise ValueError(msg)
        return self

    @property
    def period_us(self) -> float:
        """Return the time from one frame to the next."""
        return 1e6 / self.fps

    @property
    def jitter_us(self) -> float:
        """Return the largest delay of a frame."""
        if self.jitter_ms is not None:
            return self.jitter_ms * 1000
        return (self.jitter or 0.0) * self.period_us


class Scenario(Schema):
    """A whole scenario.

    Attributes:
        models: name used by the nodes -> zoo name, or path of a .tflite relative to this file.
    """

    name: Text
    description: str = ""
    models: Annotated[Mapping[Text, Text], Field(min_length=1)]
    streams: Annotated[tuple[Stream, ...], Field(min_length=1)]


def load_scenario(reference: str | Path) -> tuple[Scenario, Path]:
    """Return a scenario and the file it comes from.

    Args:
        reference: a name in ``configs/scenarios``, or a path (with a ``/`` or ending in .yaml).

    Raises:
        BandError: NOT_FOUND if there is none; INVALID_CONFIG with ``file:line`` if it is bad.
    """
    document = load_yaml(_find(str(reference)))
    scenario = parse(document, Scenario)
    for location, mistake in _mistakes(scenario):
        raise document.error(location, mistake)
    return scenario, document.path


def list_scenarios() -> tuple[str, ...]:
    """Return the names of the shipped scenarios."""
    return tuple(sorted(path.stem for path in (share_dir("configs") / "scenarios").glob("*.yaml")))


def node_order(stream: Stream) -> tuple[int, ...]:
    """Return the nodes of a stream so that what a node refers to comes before it.

    Raises:
        ValueError: the nodes refer to each other in a circle; the argument names them.
    """
    waiting = dict(enumerate(stream.nodes))
    placed: set[str] = set()
    order: list[int] = []
    while waiting:
        ready = [i for i, node in waiting.items() if placed.issuperset(_references(node))]
        if not ready:
            raise ValueError(", ".join(node.id for node in waiting.values()))
        # One at a time, so that the order of the file is kept wherever it is legal.
        node = waiting.pop(ready[0])
        order.append(ready[0])
        placed.add(node.id)
    return tuple(order)


class _Mistake(NamedTuple):
    location: Location
    text: str


def _find(reference: str) -> Path:
    if "/" in reference or reference.endswith((".yaml", ".yml")):
        return Path(reference)
    path = share_dir("configs") / "scenarios" / f"{reference}.yaml"
    if not path.is_file():
        raise BandError(
            ErrorCode.NOT_FOUND,
            f"unknown scenario '{reference}'; "
            f"{suggestion(reference, list_scenarios(), noun='scenarios')}",
            scenario=reference,
        )
    return path


def _mistakes(scenario: Scenario) -> Iterator[_Mistake]:
    """Yield what types cannot say: unknown names, doubles, circles."""
    names: set[str] = set()
    for s, stream in enumerate(scenario.streams):
        at: Location = ("streams", s)
        if stream.name in names:
            yield _Mistake((*at, "name"), f"there are two streams named '{stream.name}'")
        names.add(stream.name)
        yield from _node_mistakes(scenario, stream, at)


def _node_mistakes(scenario: Scenario, stream: Stream, at: Location) -> Iterator[_Mistake]:
    ids = [node.id for node in stream.nodes]
    for n, node in enumerate(stream.nodes):
        here: Location = (*at, "nodes", n)
        if node.model not in scenario.models:
            near = suggestion(node.model, scenario.models, noun="models")
            yield _Mistake((*here, "model"), f"unknown model '{node.model}'; {near}")
        if node.id in ids[:n]:
            yield _Mistake(here, f"stream '{stream.name}' has two nodes '{node.id}'; name one")
        for key, other in _named(node):
            if other not in ids:
                near = suggestion(other, ids, noun="nodes of this stream")
                yield _Mistake((*here, key), f"unknown node '{other}' in '{key}'; {near}")
    try:
        node_order(stream)
    except ValueError as circle:
        yield _Mistake((*at, "nodes"), f"these nodes depend on each other in a circle: {circle}")


def _named(node: NodeSpec) -> Iterator[tuple[str, str]]:
    for parent in node.depends_on:
        yield "depends_on", parent
    for other in node.when:
        yield "when", other
    if node.count.same_as is not None:
        yield "count", node.count.same_as


def _references(node: NodeSpec) -> set[str]:
    return {other for _, other in _named(node)}
