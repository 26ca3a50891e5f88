import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from band.clock import VirtualClock
from band.errors import BandError, ErrorCode
from band.metrics.records import RequestRecord
from band.replay.assembly import assemble, latest_send_us
from band.replay.open_loop import Ended, Inputs, OpenLoop
from band.scheduler.events import RequestArrived
from band.trace.schema import Frame, Header, Node, Trace, TraceModel

RUN_US = 700
OFFSET_US = 5_000_000


class Server:
    """A target on the test's clock, whose time runs ``OFFSET_US`` ahead of it.

    Each request takes ``RUN_US``; ``answer`` decides when a future is told.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.seen: list[tuple[int, RequestArrived]] = []
        self.refused: set[str] = set()
        self.failing: set[str] = set()
        self.answer: Callable[[Future[Any], Ended], None] = lambda future, ended: future.set_result(
            ended
        )

    def submit(self, request: RequestArrived, inputs: Inputs, start_us: int) -> Future[Any]:
        del inputs
        now_us = self.clock.now_us()
        self.seen.append((now_us - start_us, request))
        if request.model in self.refused:
            raise BandError(ErrorCode.DRAINING, "no more")
        number = 1000 + len(self.seen)
        future: Future[Any] = Future()
        arrived_us = now_us + OFFSET_US
        failed = request.model in self.failing
        record = RequestRecord(
            request=number,
            model=request.model,
            stream=request.stream,
            frame=request.frame,
            parents=request.parents,
            priority=8,
            arrived_us=arrived_us,
            deadline_us=None,
            queue_us=100,
            finished_us=arrived_us + RUN_US,
            outcome="failed" if failed else "completed",
            reason="boom" if failed else "",
            tasks=(),
            processors=(),
        )
        self.answer(future, Ended(record, ()))
        return future

    def ended(self, future: Future[Any]) -> Ended:
        ended: Ended = future.result()
        return ended


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(90_000)


def make_trace(*nodes: Node, frames: int = 2, period_us: int = 1000) -> Trace:
    made = tuple(
        Frame(at_us=i * period_us, stream="s", frame=i, nodes=nodes) for i in range(frames)
    )
    header = Header(scenario="t", seconds=1.0, models=(TraceModel(name="a"), TraceModel(name="b")))
    return Trace(header=header, frames=made)


def played(trace: Trace, server: Server) -> tuple[OpenLoop, tuple[RequestRecord, ...]]:
    loop = OpenLoop(trace, server, {"a": {}, "b": {}}, server.clock)
    return loop, loop.run()


def test_requests_leave_at_their_times_whatever_is_still_running(clock: VirtualClock) -> None:
    server = Server(clock)
    waiting: list[tuple[Future[Any], Ended]] = []

    def answer(future: Future[Any], ended: Ended) -> None:
        waiting.append((future, ended))
        if len(waiting) == 5:
            for held, end in waiting:
                held.set_result(end)

    server.answer = answer
    played(make_trace(Node(id="a", model="a"), frames=5), server)
    assert [at_us for at_us, _ in server.seen] == [0, 1000, 2000, 3000, 4000]


def test_a_child_leaves_when_its_parent_ends_with_the_number_its_parent_got(
    clock: VirtualClock,
) -> None:
    server = Server(clock)
    nodes = (Node(id="a", model="a"), Node(id="b", model="b", parents=("a",), deadline_us=9))
    played(make_trace(*nodes, frames=1), server)
    (_, parent), (_, child) = server.seen
    assert (parent.model, parent.parents) == ("a", ())
    assert (child.model, child.parents, child.deadline_us) == ("b", (1001,), 9)


def test_records_come_back_in_the_numbers_and_the_time_of_the_trace(clock: VirtualClock) -> None:
    server = Server(clock)
    nodes = (Node(id="a", model="a"), Node(id="b", model="b", parents=("a",)))
    loop, never_issued = played(make_trace(*nodes), server)
    requests, _ = assemble(loop.sent, never_issued, loop.start_us + OFFSET_US)
    assert [(r.request, r.model, r.arrived_us, r.finished_us, r.parents) for r in requests] == [
        (0, "a", 0, 700, ()),
        (1, "b", 700, 700, (0,)),
        (2, "a", 1000, 1700, ()),
        (3, "b", 1700, 1700, (2,)),
    ]


def test_latency_counts_from_the_time_the_trace_wants_not_from_a_late_sending() -> None:
    class Sluggish(VirtualClock):
        def sleep_until(self, at_us: int) -> None:
            super().sleep_until(at_us + 250)

    server = Server(Sluggish())
    loop, never_issued = played(make_trace(Node(id="a", model="a")), server)
    requests, _ = assemble(loop.sent, never_issued, loop.start_us + OFFSET_US)
    assert [r.arrived_us for r in requests] == [0, 1000]
    assert [r.latency_us for r in requests] == [950, 950]
    assert [r.queue_us for r in requests] == [350, 350]
    assert latest_send_us(loop.sent) == 250


def test_a_request_that_is_not_taken_counts_as_failed_and_its_child_as_dropped(
    clock: VirtualClock,
) -> None:
    server = Server(clock)
    server.refused = {"a"}
    nodes = (Node(id="a", model="a"), Node(id="b", model="b", parents=("a",)))
    loop, never_issued = played(make_trace(*nodes, frames=1), server)
    requests, _ = assemble(loop.sent, never_issued, loop.start_us)
    assert [(r.model, r.outcome, r.reason) for r in requests] == [
        ("a", "failed", "no more"),
        ("b", "dropped", "parent_dropped"),
    ]


def test_the_child_of_a_request_that_failed_is_not_sent(clock: VirtualClock) -> None:
    server = Server(clock)
    server.failing = {"a"}
    nodes = (Node(id="a", model="a"), Node(id="b", model="b", parents=("a",)))
    loop, never_issued = played(make_trace(*nodes, frames=1), server)
    requests, _ = assemble(loop.sent, never_issued, loop.start_us + OFFSET_US)
    assert [r.model for _, r in server.seen] == ["a"]
    assert {(r.model, r.outcome) for r in requests} == {("a", "failed"), ("b", "dropped")}


def test_answers_from_another_thread_are_waited_for(clock: VirtualClock) -> None:
    server = Server(clock)
    timers: list[threading.Timer] = []

    def answer(future: Future[Any], ended: Ended) -> None:
        timers.append(threading.Timer(0.01, future.set_result, (ended,)))
        timers[-1].start()

    server.answer = answer
    nodes = (Node(id="a", model="a"), Node(id="b", model="b", parents=("a",)))
    loop, never_issued = played(make_trace(*nodes, frames=3), server)
    for timer in timers:
        timer.join()
    assert len(loop.sent) == 6
    assert never_issued == ()


def test_an_answer_that_makes_no_sense_ends_the_replay_with_its_error(clock: VirtualClock) -> None:
    server = Server(clock)
    server.answer = lambda future, ended: future.set_exception(ValueError("nonsense"))
    with pytest.raises(ValueError, match="nonsense"):
        played(make_trace(Node(id="a", model="a")), server)


def test_ctrl_c_while_an_answer_is_taken_ends_the_replay_at_once(clock: VirtualClock) -> None:
    class Interrupted(Server):
        def ended(self, future: Future[Any]) -> Ended:
            raise KeyboardInterrupt

    server = Interrupted(clock)
    inputs: dict[str, Inputs] = {"a": {}}
    with pytest.raises(KeyboardInterrupt):
        OpenLoop(make_trace(Node(id="n", model="a"), frames=50), server, inputs, clock).run()
    assert len(server.seen) == 1
