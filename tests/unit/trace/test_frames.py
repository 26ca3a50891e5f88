from collections.abc import Sequence

import pytest

from band.scheduler.commands import DropReason, JobOutcome
from band.trace.frames import FrameTracker
from band.trace.schema import Frame, Header, Node, Trace, TraceModel

OK, DROPPED = JobOutcome.COMPLETED, JobOutcome.DROPPED


def tracker(*frames: Sequence[Node]) -> FrameTracker:
    header = Header(scenario="t", seconds=1.0, models=(TraceModel(name="m"),))
    made = tuple(
        Frame(at_us=100 * i, stream="s", frame=i, nodes=tuple(nodes))
        for i, nodes in enumerate(frames)
    )
    return FrameTracker(Trace(header=header, frames=made))


def node(name: str, *parents: str, count: int = 1, deadline_us: int | None = None) -> Node:
    return Node(id=name, model=name, parents=parents, count=count, deadline_us=deadline_us)


def test_roots_arrive_with_their_frame_and_children_do_not() -> None:
    play = tracker([node("a"), node("b", "a")], [node("a"), node("c")])
    assert [(a.at_us, a.request.model, a.request.frame) for a in play.roots()] == [
        (0, "a", 0),
        (100, "a", 1),
        (100, "c", 1),
    ]


def test_every_request_of_a_frame_carries_its_app_and_whether_it_supersedes() -> None:
    header = Header(scenario="t", seconds=1.0, models=(TraceModel(name="m"),))
    nodes = (node("a"), node("b", "a"))
    frame = Frame(at_us=0, stream="s", frame=0, app="headset", supersede=True, nodes=nodes)
    play = FrameTracker(Trace(header=header, frames=(frame,)))
    (root,) = play.roots()
    (child,) = play.finished(root.request.request, OK, 5)
    assert [(r.app, r.supersede) for r in (root.request, child)] == [("headset", True)] * 2


def test_a_child_arrives_when_the_last_copy_of_the_last_parent_completes() -> None:
    play = tracker([node("a"), node("b", count=2), node("c", "a", "b", deadline_us=77)])
    a, b0, b1 = (arrival.request.request for arrival in play.roots())
    assert play.finished(b0, OK, 10) == ()
    assert play.finished(a, OK, 20) == ()
    (child,) = play.finished(b1, OK, 30)
    assert (child.model, child.stream, child.frame) == ("c", "s", 0)
    assert child.parents == (a, b0, b1)
    assert child.deadline_us == 77


def test_count_makes_that_many_children_at_once() -> None:
    play = tracker([node("a"), node("b", "a", count=3)])
    (root,) = play.roots()
    children = play.finished(root.request.request, OK, 5)
    assert [child.model for child in children] == ["b"] * 3
    assert len({child.request for child in children}) == 3


def test_count_zero_makes_none_and_its_children_wait_for_its_own_parents() -> None:
    play = tracker([node("a"), node("b", "a", count=0), node("c", "b")])
    (root,) = play.roots()
    (child,) = play.finished(root.request.request, OK, 5)
    assert child.model == "c"
    assert child.parents == (root.request.request,)
    assert play.sent == 2


def test_the_child_of_a_root_with_count_zero_arrives_with_the_frame() -> None:
    play = tracker([node("a", count=0), node("b", "a")])
    assert [a.request.model for a in play.roots()] == ["b"]


@pytest.mark.parametrize("outcome", [DROPPED, JobOutcome.FAILED, JobOutcome.CANCELLED])
def test_descendants_of_a_request_that_did_not_complete_count_as_dropped(
    outcome: JobOutcome,
) -> None:
    play = tracker([node("a"), node("b", "a", count=2), node("c", "b"), node("d")])
    a, d = (arrival.request.request for arrival in play.roots())
    assert play.finished(a, outcome, 40) == ()
    records = play.never_issued()
    assert [r.model for r in records] == ["b", "b", "c"]
    assert {(r.outcome, r.reason) for r in records} == {
        (JobOutcome.DROPPED, DropReason.PARENT_DROPPED)
    }
    assert {(r.arrived_us, r.finished_us, r.queue_us) for r in records} == {(40, 40, None)}
    assert play.finished(d, OK, 50) == ()
    assert play.running == 0
    assert play.sent == 5


def test_a_child_dropped_through_two_parents_is_recorded_once() -> None:
    play = tracker([node("a"), node("b"), node("c", "a", "b")])
    for arrival in play.roots():
        play.finished(arrival.request.request, DROPPED, 1)
    assert [r.model for r in play.never_issued()] == ["c"]


def test_a_child_stays_dropped_when_its_other_parent_completes_later() -> None:
    play = tracker([node("a"), node("b", count=2), node("c", "a", "b")])
    a, b0, b1 = (arrival.request.request for arrival in play.roots())
    play.finished(b0, DROPPED, 1)
    assert play.finished(a, OK, 2) == ()
    assert play.finished(b1, OK, 3) == ()
    assert len(play.never_issued()) == 1


def test_a_grandchild_behind_a_node_without_copies_is_dropped_too() -> None:
    play = tracker([node("a"), node("b", "a", count=0), node("c", "b")])
    (root,) = play.roots()
    play.finished(root.request.request, DROPPED, 9)
    assert [r.model for r in play.never_issued()] == ["c"]


def test_the_frames_of_one_trace_do_not_wait_for_each_other() -> None:
    play = tracker([node("a"), node("b", "a")], [node("a"), node("b", "a")])
    first, second = (arrival.request.request for arrival in play.roots())
    (child,) = play.finished(second, OK, 200)
    assert (child.frame, child.parents) == (1, (second,))
    assert play.finished(first, DROPPED, 300) == ()


def test_request_ids_do_not_depend_on_the_order_of_completion() -> None:
    def ids(order: Sequence[int]) -> dict[tuple[int | None, str], int]:
        play = tracker(*[[node("a"), node("b", "a")]] * 3)
        requests = [arrival.request for arrival in play.roots()]
        for i in order:
            requests.extend(play.finished(requests[i].request, OK, i))
        return {(r.frame, r.model): r.request for r in requests}

    assert ids([0, 1, 2]) == ids([2, 0, 1])


def test_a_request_cannot_end_twice() -> None:
    play = tracker([node("a")])
    (root,) = play.roots()
    play.finished(root.request.request, OK, 1)
    with pytest.raises(KeyError):
        play.finished(root.request.request, OK, 2)
