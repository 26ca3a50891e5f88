"""What is expected of a load that is too fast, or looked at for too long."""

from band.scheduler.events import StreamLoad
from band.sim.expected import MOST_A_STREAM, expect

S = 1_000_000


def test_a_stream_brings_no_more_than_can_be_played() -> None:
    fast = StreamLoad("fast", "m", period_us=1, next_us=0)
    ordinary = StreamLoad("camera", "n", period_us=10_000, next_us=0)
    found = expect((fast, ordinary), (), 1 * S)
    models = [request.model for _, request in found.roots]
    assert (models.count("m"), models.count("n")) == (MOST_A_STREAM, 100)
    fast_us = [at_us for at_us, request in found.roots if request.model == "m"]
    assert fast_us == list(range(MOST_A_STREAM)), "the first ones"
    assert len(expect((ordinary,), (), 1000 * S).requests) == MOST_A_STREAM


def test_children_and_copies_count_like_roots() -> None:
    root = StreamLoad("camera", "m", period_us=10_000, next_us=0, copies=MOST_A_STREAM / 5)
    child = StreamLoad("camera", "n", 10_000, 0, parents=("m",), copies=10.0 * MOST_A_STREAM)
    assert len(expect((root, child), (), 1 * S).requests) == MOST_A_STREAM
    under_way = [request for _, request in expect((root,), (), 1).roots]
    assert len(expect((root, child), under_way, 0).requests) == MOST_A_STREAM
