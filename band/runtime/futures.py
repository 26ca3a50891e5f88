"""What an app holds while its request runs, and what it gets."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from band.metrics.records import RequestRecord, TaskRecord
from band.runtime.backends.protocol import Array
from band.scheduler.commands import JobOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class InferResult:
    """The outputs of a completed request and how it ran. A late result is still a result.

    Attributes:
        outputs: by name, in the order of the model; the caller owns them.
        policy: in force when the request ended.
        word: "emulated", "simulated" or "software" if its figures must carry that word, else "".
    """

    outputs: Mapping[str, Array]
    record: RequestRecord
    tasks: tuple[TaskRecord, ...]
    policy: str
    word: str


class InferFuture(Future[InferResult]):
    """The result of a request that may still be under way.

    ``result`` raises a :class:`~band.errors.BandError` for a request that did not complete; its
    ``fields`` carry outcome and reason. Callbacks run in the engine's delivery thread: one that
    waits for another request blocks all deliveries.

    Attributes:
        request: the request's number.
        record, tasks: how it ended and what ran for it, once it is done, however it ended.
    """

    def __init__(self, request: int, cancel: Callable[[int], None]) -> None:
        super().__init__()
        self.request = request
        self.record: RequestRecord | None = None
        self.tasks: tuple[TaskRecord, ...] = ()
        self._cancel_request = cancel
        self.set_running_or_notify_cancel()

    def cancel(self) -> bool:
        """Ask the scheduler to cancel; return False if the request has ended already.

        A task that is running is left to its end, its result unused.
        """
        if self.done():
            return False
        self._cancel_request(self.request)
        return True

    def cancelled(self) -> bool:
        """Return whether the request ended as cancelled."""
        return self.record is not None and self.record.outcome == JobOutcome.CANCELLED
