"""Open-loop replay on something live: every request leaves at its time, whatever is still running.

A closed loop would send the next request when the last one ends and so hide overload
(coordinated omission). Here latency counts from the time at which the trace wants a request, even
when this machine sends it late.
"""

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy.typing as npt

from band.clock import Clock
from band.errors import BandError
from band.metrics.records import RequestRecord, TaskRecord
from band.replay.ctrl_c import lasting_ctrl_c
from band.scheduler.commands import JobOutcome
from band.scheduler.events import RequestArrived
from band.trace.frames import FrameTracker
from band.trace.schema import Trace

Inputs = Mapping[str, npt.NDArray[Any]]

_LEAD_US = 20_000
"""Device time between the start of the clock and time 0 of the trace."""


class Ended(NamedTuple):
    """How a request ended, as its target tells.

    Attributes:
        record: in the target's time and numbers; None if the target never accepted the request.
        reason: why it did not complete, if there is no record.
    """

    record: RequestRecord | None
    tasks: tuple[TaskRecord, ...]
    reason: str = ""


class Target(Protocol):
    """What requests are sent to. Methods may be called from any thread."""

    def submit(self, request: RequestArrived, inputs: Inputs, start_us: int) -> "Future[Any]":
        """Send a request without waiting for its end.

        Args:
            request: its times count from the start of the trace; its parents are the target's
                numbers.
            inputs: of its model.
            start_us: time of the clock at the start of the trace.

        Raises:
            BandError: the target does not take it.
        """
        ...

    def ended(self, future: "Future[Any]") -> Ended:
        """Return how the request of a future that is done ended."""
        ...


class Sent(NamedTuple):
    """One request as it went out and came back.

    Attributes:
        wanted_us: when the trace wants it, for a request without parents; None for a child.
        sent_us: when it left. Both count from the start of the trace on the replay's clock.
    """

    request: RequestArrived
    wanted_us: int | None
    sent_us: int
    ended: Ended


class OpenLoop:
    """Sends one trace to a target.

    Args:
        trace: to play.
        target: takes the requests.
        inputs: per model.
        clock: device time of the target, or another clock that runs as fast.
    """

    def __init__(
        self,
        trace: Trace,
        target: Target,
        inputs: Mapping[str, Inputs],
        clock: Clock,
    ) -> None:
        self.sent: list[Sent] = []
        self.start_us = 0
        self._tracker = FrameTracker(trace)
        self._target = target
        self._inputs = inputs
        self._clock = clock
        self._numbers: dict[int, int] = {}
        self._changed = threading.Condition()
        self._broken: BaseException | None = None

    def run(self) -> tuple[RequestRecord, ...]:
        """Send everything, wait for every end; return records of what was never issued.

        Raises:
            BandError: INVALID_TRACE for a bad line.
        """
        self.start_us = self._clock.now_us() + _LEAD_US
        roots = self._tracker.roots()
        with lasting_ctrl_c() as check_ctrl_c:
            while True:
                check_ctrl_c()
                with self._changed:  # the tracker is not safe for two threads
                    self._check()
                    arrival = next(roots, None)
                if arrival is None:
                    break
                self._clock.sleep_until(self.start_us + arrival.at_us)
                self._send(arrival.request, arrival.at_us)
            with self._changed:
                self._changed.wait_for(lambda: self._broken or not self._tracker.running)
                check_ctrl_c()
                self._check()
                return self._tracker.never_issued()

    def _check(self) -> None:
        """Raise what broke the replay while the end of a request was taken."""
        if self._broken is not None:
            raise self._broken

    def _now_us(self) -> int:
        return max(0, self._clock.now_us() - self.start_us)

    def _send(self, request: RequestArrived, wanted_us: int | None) -> None:
        now_us = self._now_us()
        with self._changed:
            parents = tuple(self._numbers[p] for p in request.parents)
        outgoing, inputs = request._replace(parents=parents), self._inputs[request.model]
        try:
            future = self._target.submit(outgoing, inputs, self.start_us)
        except BandError as error:
            self._take(Sent(request, wanted_us, now_us, Ended(None, (), error.message)))
        else:
            future.add_done_callback(partial(self._done, request, wanted_us, now_us))

    def _done(
        self, request: RequestArrived, wanted_us: int | None, sent_us: int, future: "Future[Any]"
    ) -> None:
        try:
            self._take(Sent(request, wanted_us, sent_us, self._target.ended(future)))
        except BaseException as error:  # noqa: BLE001 - in a callback: the replay must not hang
            with self._changed:
                self._broken = error
                self._changed.notify_all()

    def _take(self, sent: Sent) -> None:
        """Take the end of a request and send the children that it sets free."""
        record = sent.ended.record
        outcome = JobOutcome.FAILED if record is None else JobOutcome(record.outcome)
        with self._changed:
            self.sent.append(sent)
            if record is not None:
                self._numbers[sent.request.request] = record.request
            children = self._tracker.finished(sent.request.request, outcome, self._now_us())
            self._changed.notify_all()
        for child in children:
            self._send(child, None)
