import pytest

from band.scheduler.demand import SETTLE_US, Demand
from band.scheduler.events import RequestArrived, StreamLoad

MS = 1000


def request(
    number: int,
    model: str = "m",
    *,
    frame: int | None = 0,
    parents: tuple[int, ...] = (),
    deadline_us: int | None = None,
) -> RequestArrived:
    return RequestArrived(
        number, model, stream="camera", frame=frame, parents=parents, deadline_us=deadline_us
    )


def frames(demand: Demand, count: int, period_us: int, start_us: int = 0, first: int = 0) -> int:
    """Let frames arrive; return when the next one would."""
    for index in range(count):
        at_us = start_us + index * period_us
        number = first + index
        demand.arrived(request(number, frame=number, deadline_us=at_us + 20 * MS), at_us)
    return start_us + count * period_us


def test_a_period_a_deadline_and_the_next_frame_are_learnt_from_arrivals() -> None:
    demand = Demand()
    next_us = frames(demand, 10, 33 * MS)
    now_us = next_us - 5 * MS
    (load,) = demand.streams(now_us)
    assert load == StreamLoad(
        stream="camera",
        model="m",
        period_us=33 * MS,
        next_us=next_us,
        deadline_us=20 * MS,
        copies=1.0,
    )


def test_one_frame_is_no_stream_and_a_load_is_known_only_after_a_while() -> None:
    demand = Demand()
    frames(demand, 1, 10 * MS)
    assert not demand.streams(1)
    frames(demand, 3, 10 * MS, 10 * MS, first=1)
    assert demand.streams(40 * MS)
    assert not demand.known(SETTLE_US - 1)
    assert demand.known(SETTLE_US)


def test_a_child_is_related_to_its_parent_and_keeps_the_deadline_of_the_frame() -> None:
    demand = Demand()
    for frame in range(3):
        at_us = frame * 30 * MS
        due_us = at_us + 25 * MS
        demand.arrived(request(10 * frame, "eye", frame=frame, deadline_us=due_us), at_us)
        for copy in (1, 2):
            child = request(
                10 * frame + copy, "gaze", frame=frame, parents=(10 * frame,), deadline_us=due_us
            )
            demand.arrived(child, at_us + 4 * MS)
    loads = {load.model: load for load in demand.streams(65 * MS)}
    assert loads["gaze"].parents == ("eye",)
    assert loads["gaze"].deadline_us == 25 * MS
    assert loads["gaze"].copies == pytest.approx(2.0)
    assert loads["gaze"].period_us == 30 * MS
    assert loads["eye"].parents == ()


def test_a_rate_that_moves_by_more_than_a_tenth_is_a_change() -> None:
    demand = Demand()
    at_us = frames(demand, 20, 30 * MS)
    demand.changed = False
    at_us = frames(demand, 20, 31 * MS, at_us, first=20)
    assert not demand.changed
    frames(demand, 40, 60 * MS, at_us, first=40)
    assert demand.changed


def test_a_stream_that_falls_silent_is_forgotten() -> None:
    demand = Demand()
    frames(demand, 20, 30 * MS)
    demand.changed = False
    other = RequestArrived(900, "other", stream="microphone", frame=0)
    demand.arrived(other, 5_000 * MS)
    assert demand.changed
    assert not demand.streams(5_000 * MS)


def test_what_is_declared_goes_before_what_is_seen_and_counts_its_frames() -> None:
    demand = Demand()
    declared = StreamLoad("camera", "m", 30 * MS, 0, deadline_us=30 * MS, frames=10)
    demand.declare((declared,))
    assert demand.changed
    assert demand.streams(0) == (declared,)
    frames(demand, 4, 30 * MS, start_us=3 * MS)  # each 3 ms late
    (load,) = demand.streams(95 * MS)
    assert (load.next_us, load.frames) == (120 * MS, 6)
    (late,) = demand.streams(125 * MS)
    assert (late.next_us, late.frames) == (125 * MS, 6), "a frame that is late comes now"


def test_a_declared_stream_whose_frames_never_come_goes_on_by_the_clock_and_ends() -> None:
    demand = Demand()
    demand.declare((StreamLoad("camera", "m", 30 * MS, 0, frames=10),))
    (load,) = demand.streams(100 * MS)
    assert (load.next_us, load.frames) == (100 * MS, 7)
    assert demand.streams(1_000 * MS) == ()


def test_what_nobody_declared_is_seen_beside_what_was() -> None:
    demand = Demand()
    demand.declare((StreamLoad("screen", "n", 16 * MS, 0),))
    frames(demand, 5, 30 * MS)
    assert [load.model for load in demand.streams(140 * MS)] == ["n", "m"]
