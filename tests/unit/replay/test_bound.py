"""The requests of a trace as the bounds see them, and the figures of the limits."""

import pytest

from band.metrics.fairness import Alone
from band.plan.on_time import Demand
from band.replay.bound import Limits, capacity_document, demands, limits
from band.testing.tables import whole
from band.trace.contents import contents
from band.trace.schema import Frame, Header, Node, Trace, TraceModel

MODELS = ("detect", "find", "name")
TABLES = tuple(whole(model, cpu=4_000, gpu=1_000) for model in MODELS)


def trace(*frames: Frame) -> Trace:
    models = tuple(TraceModel(name=name) for name in MODELS)
    return Trace(
        header=Header(scenario="office", seed=1, seconds=1.0, models=models), frames=frames
    )


def frame(at_us: int, faces: int) -> Frame:
    nodes = (
        Node(id="d", model="detect", deadline_us=at_us + 9_000),
        Node(id="f", model="find", count=faces, parents=("d",), deadline_us=at_us + 9_000),
        Node(id="n", model="name", count=2, parents=("f",)),
    )
    return Frame(at_us=at_us, stream="s", frame=at_us, nodes=nodes)


def test_nodes_become_demands_that_know_their_parents() -> None:
    found = demands(trace(frame(0, 3), frame(5_000, 0)))
    assert found == (
        Demand(("s", "d"), "detect", 1, 0, 9_000),
        Demand(("s", "f"), "find", 3, 0, 9_000, (0,)),
        Demand(("s", "n"), "name", 2, 0, None, (1,)),
        Demand(("s", "d"), "detect", 1, 5_000, 14_000),
        Demand(("s", "n"), "name", 2, 5_000, None, (3,)),
    )


def test_the_limits_of_a_trace() -> None:
    played = trace(frame(0, 3), frame(5_000, 0))
    found = limits(TABLES, contents(played), demands(played))
    assert found.on_time == 5
    assert found.alone == dict.fromkeys(MODELS, Alone(latency_us=1_000))
    assert found.capacity is not None
    assert found.capacity["requests_per_s"] == pytest.approx(1250)


def test_a_mix_at_the_bound_takes_all_of_the_priced_time() -> None:
    played = contents(trace(frame(0, 3), frame(5_000, 0)))
    document = capacity_document(TABLES, played)
    assert document is not None
    used_us = sum(played.rates_per_s[m] * us for m, us in document["priced_us"].items())
    assert used_us * document["scale"] == pytest.approx(1e6, rel=1e-5)


def test_an_empty_trace_has_no_limits_to_speak_of() -> None:
    empty = trace()
    found = limits(TABLES, contents(empty), demands(empty))
    assert (found.capacity, found.on_time) == (None, 0)
    assert Limits() == Limits(capacity=None, on_time=None, alone={})
