"""How requests reach a driver: roots at their times, children when their parents complete.

Simulator, engine replay and gRPC replay all draw from an :class:`ArrivalSource`; the frame
tracker (``frames``) is the one that ships.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

from band.metrics.records import RequestRecord
from band.scheduler.commands import JobOutcome
from band.scheduler.events import RequestArrived, StreamLoad


class Arrival(NamedTuple):
    """One request and when it arrives, in microseconds since the start of the trace.

    ``request.deadline_us`` and ``request.expires_us`` count from the start of the trace too.
    """

    at_us: int
    request: RequestArrived


class ArrivalSource(Protocol):
    """A trace being played."""

    def roots(self) -> Iterator[Arrival]:
        """Return the requests without parents, by time."""
        ...

    def finished(
        self, request: int, outcome: JobOutcome, now_us: int
    ) -> tuple[RequestArrived, ...]:
        """Take the end of a request; return the children that arrive now."""
        ...

    def never_issued(self) -> tuple[RequestRecord, ...]:
        """Return a record of each request that was not issued because a parent did not complete."""
        ...


@runtime_checkable
class DeclaredSource(Protocol):
    """A source that knows beforehand what load it is; the driver declares it to the core.

    Under any other source, policies learn the load from the arrivals.
    """

    @property
    def streams(self) -> tuple[StreamLoad, ...]:
        """Return the load, as seen at the start of the trace."""
        ...
