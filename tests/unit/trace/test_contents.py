from band.trace.contents import contents
from band.trace.schema import Frame, Header, Node, Trace, TraceModel

HEADER = Header(
    scenario="t", seconds=2.0, models=tuple(TraceModel(name=name) for name in ("a", "b", "unused"))
)


def test_requests_are_counted_per_model_and_per_stream() -> None:
    frames = (
        Frame(at_us=5, stream="x", frame=0, nodes=(Node(id="a", model="a", deadline_us=9),)),
        Frame(at_us=7, nodes=(Node(id="b", model="b"),)),
        Frame(
            at_us=9,
            stream="x",
            frame=1,
            nodes=(
                Node(id="a", model="a", count=0, deadline_us=9),
                Node(id="b", model="b", count=3, parents=("a",)),
            ),
        ),
    )
    holds = contents(Trace(header=HEADER, frames=frames))
    assert holds.models == {"a": 1, "b": 4, "unused": 0}
    assert holds.rates_per_s == {"a": 0.5, "b": 2.0}
    assert (holds.frames, holds.requests, holds.with_deadline) == (3, 5, 1)
    assert holds.trace_us == 2_000_000
    x, single = holds.streams["x"], holds.streams[""]
    assert (x.frames, x.requests, x.first_us, x.last_us) == (2, 4, 5, 9)
    assert (single.frames, single.requests, single.first_us, single.last_us) == (1, 1, 7, 7)


def test_an_empty_trace_holds_nothing() -> None:
    holds = contents(Trace(header=HEADER, frames=()))
    assert (holds.frames, holds.requests, holds.rates_per_s) == (0, 0, {})
