from collections import defaultdict

import pytest

from band.scheduler.demand import MOVED, SETTLE_US, SMOOTHING, SPAN_US, TOGETHER_US, Demand
from band.scheduler.events import RequestArrived, StreamLoad
from band.testing.workloads import workload

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


def test_requests_at_once_are_copies_of_one_arrival() -> None:
    demand = Demand()
    for index in range(6):  # two arrivals of three frames, 100 us apart or at the very same time
        at_us = index // 3 * 900 * MS + index % 3 * 100 * (index // 3)
        demand.arrived(request(index, frame=index), at_us)
        if index < 3:
            assert not demand.streams(at_us)
            assert not demand.known(at_us + SETTLE_US)
    (load,) = demand.streams(950 * MS)
    assert (load.period_us, load.copies, load.next_us) == (900 * MS, 3.0, 1800 * MS)


@pytest.mark.parametrize("gap_us", [0, 1, 300, 1200])
def test_a_few_requests_of_a_client_without_frames_are_no_stream_yet(gap_us: int) -> None:
    demand = Demand()
    for index in range(SPAN_US // 1200):
        demand.arrived(request(index, frame=None), index * gap_us)
    demand.changed = False
    assert not demand.known(SETTLE_US)
    assert not demand.streams(SETTLE_US)
    demand.arrived(request(99, frame=None), 500 * MS)
    assert demand.known(500 * MS)
    assert demand.changed
    assert len(demand.streams(500 * MS)) == 1


def test_what_comes_faster_than_any_stream_keeps_its_rate_in_copies() -> None:
    demand = Demand()
    next_us = frames(demand, 500, 250)
    (load,) = demand.streams(next_us)
    assert load.period_us == TOGETHER_US
    assert load.copies == pytest.approx(4.0)


def test_copies_of_a_child_whose_frames_came_together_are_counted_so_too() -> None:
    demand = Demand()
    for turn in range(4):
        at_us = turn * 100 * MS
        for copy in range(3):
            frame = 3 * turn + copy
            demand.arrived(request(2 * frame, "eye", frame=frame), at_us)
        for copy in range(3):
            frame = 3 * turn + copy
            child = request(2 * frame + 1, "gaze", frame=frame, parents=(2 * frame,))
            demand.arrived(child, at_us + (1 + copy) * 5 * MS)
    loads = {load.model: load for load in demand.streams(320 * MS)}
    assert {model: load.copies for model, load in loads.items()} == {"eye": 3.0, "gaze": 3.0}
    assert loads["gaze"].period_us == 100 * MS


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_streams_of_an_ordinary_pace_are_learnt_frame_by_frame(scale: float) -> None:
    demand = Demand()
    last_us: dict[str, int] = {}
    period_us: dict[str, float] = {}
    told_us: defaultdict[str, float] = defaultdict(float)
    for at_us, arrived in workload(1).arrivals(scale, 5).roots():
        model, changed = arrived.model, False
        if model in last_us:
            gap_us = at_us - last_us[model]
            mean_us = period_us.get(model, float(gap_us))
            period_us[model] = mean_us = mean_us + SMOOTHING * (gap_us - mean_us)
            changed = abs(mean_us - told_us[model]) > MOVED * told_us[model]
            told_us[model] = mean_us if changed else told_us[model]
        last_us[model] = at_us
        demand.changed = False
        demand.arrived(arrived, at_us)
        if demand.known(at_us):
            found = {load.model: load.period_us for load in demand.streams(at_us)}
            assert found == {model: round(us) for model, us in period_us.items()}
            assert demand.changed == changed
