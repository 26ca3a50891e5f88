from band.replay.progress import ignore_progress, watched
from band.trace.schema import Frame, Header, Node, Trace, TraceModel

NODES = (Node(id="m", model="m"),)


def trace(frames: int) -> Trace:
    header = Header(scenario="t", seconds=1.0, models=(TraceModel(name="m"),))
    step_us = 1_000_000 // frames
    made = tuple(Frame(at_us=i * step_us, nodes=NODES) for i in range(frames))
    return Trace(header=header, frames=made)


def test_a_watched_trace_has_the_same_frames_each_time() -> None:
    played = watched(trace(10), "heft", ignore_progress)
    assert tuple(played.frames) == tuple(played.frames) == tuple(trace(10).frames)


def test_progress_goes_from_nothing_to_all() -> None:
    told: list[tuple[str, int, int]] = []
    played = watched(trace(10), "heft", lambda *step: told.append(step))
    assert len(tuple(played.frames)) == 10
    assert told[0] == ("heft", 0, 1_000_000)
    assert told[-1] == ("heft", 1_000_000, 1_000_000)
    done = [step[1] for step in told]
    assert done == sorted(done)


def test_a_long_trace_tells_a_few_hundred_times_only() -> None:
    told: list[int] = []
    played = watched(trace(20_000), "heft", lambda *step: told.append(1))
    assert len(tuple(played.frames)) == 20_000
    assert 100 < len(told) < 300
