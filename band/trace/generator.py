"""Makes a trace from a scenario: one seed, one sequence of bytes.

Each stream has its own random sequence, and each frame draws the same number of values whatever
comes out, so two scenarios that differ in one probability differ in nothing else.
"""

import heapq
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from band.trace.scenario import NodeSpec, Scenario, Stream, node_order
from band.trace.schema import Frame, Header, Node, Trace, TraceModel
from band.units import US_PER_MS, US_PER_S


def generate(
    scenario: Scenario, *, seconds: float, seed: int, models: Sequence[TraceModel] = ()
) -> Trace:
    """Return a trace whose frames are drawn while they are iterated, the same each time.

    Frames are released at ``offset + i / fps`` while that is before ``seconds``; jitter may carry
    the last arrivals past the end. A frame whose nodes all have no copies is left out.

    Args:
        scenario: the recipe.
        seconds: length of the trace, positive.
        seed: of all random draws.
        models: for the header; by default the scenario's references without sha256.
    """
    named = tuple(models) or tuple(
        TraceModel(name=name, **reference(ref)) for name, ref in scenario.models.items()
    )
    header = Header(scenario=scenario.name, seed=seed, seconds=float(seconds), models=named)
    return Trace(header=header, frames=_Frames(scenario, seconds, seed))


def reference(ref: str) -> dict[str, str]:
    """Return ``{"path": ref}`` for a path (with a ``/`` or ending in .tflite), else ``zoo``."""
    return {"path" if "/" in ref or ref.endswith(".tflite") else "zoo": ref}


@dataclass(frozen=True, slots=True)
class _Frames:
    scenario: Scenario
    seconds: float
    seed: int

    def __iter__(self) -> Iterator[Frame]:
        streams = [_stream_frames(s, self.seconds, self.seed) for s in self.scenario.streams]
        # A merge is stable: at equal times the stream listed first comes first.
        return heapq.merge(*streams, key=lambda frame: frame.at_us)


def _stream_frames(stream: Stream, seconds: float, seed: int) -> Iterator[Frame]:
    rng = random.Random(f"{seed}/{stream.name}")
    order = node_order(stream)
    start_us = stream.offset_ms * US_PER_MS
    end_us = seconds * US_PER_S
    if stream.duration_s is not None:
        end_us = min(end_us, start_us + stream.duration_s * US_PER_S)
    number = 0
    while (release_us := start_us + number * stream.period_us) < end_us:
        late, chance = rng.random(), rng.random()
        draws = [(rng.random(), rng.random()) for _ in stream.nodes]
        if chance < stream.probability:
            at_us = round(release_us + late * stream.jitter_us)
            nodes = _nodes(stream, order, draws, at_us)
            if any(node.count for node in nodes):
                yield Frame(
                    at_us=at_us,
                    stream=stream.name,
                    frame=number,
                    app=stream.app,
                    supersede=stream.supersede,
                    nodes=nodes,
                )
        number += 1


def _nodes(
    stream: Stream, order: Sequence[int], draws: Sequence[tuple[float, float]], at_us: int
) -> tuple[Node, ...]:
    counts: dict[str, int] = {}
    nodes = []
    for i in order:
        spec = stream.nodes[i]
        chance, u = draws[i]
        runs = chance < spec.probability and all(counts[other] for other in spec.when)
        counts[spec.id] = spec.count.draw(u, counts) if runs else 0
        nodes.append(_node(stream, spec, counts[spec.id], at_us))
    return tuple(nodes)


def _node(stream: Stream, spec: NodeSpec, count: int, at_us: int) -> Node:
    limits_ms = [ms for ms in (stream.deadline_ms, spec.deadline_ms) if ms is not None]
    node = Node(
        id=spec.id,
        model=spec.model,
        count=count,
        parents=spec.depends_on,
        priority=stream.priority if spec.priority is None else spec.priority,
    )
    if not limits_ms:
        return node
    return replace(node, deadline_us=at_us + round(min(limits_ms) * US_PER_MS))
