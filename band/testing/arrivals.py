"""Arrival sources without a trace file."""

import random
from collections.abc import Iterable, Iterator, Mapping

from band.metrics.records import RequestRecord
from band.scheduler.commands import JobOutcome
from band.scheduler.events import RequestArrived, StreamLoad
from band.trace.arrivals import Arrival


class FixedArrivals:
    """Requests at given times, and children that follow a completed parent.

    Args:
        arrivals: in any order.
        children: parent request -> the requests that its completion issues.
        streams: the load, if it is to be declared to the core.

    Attributes:
        streams: as given.
    """

    def __init__(
        self,
        arrivals: Iterable[tuple[int, RequestArrived]],
        children: Mapping[int, tuple[RequestArrived, ...]] | None = None,
        *,
        streams: tuple[StreamLoad, ...] = (),
    ) -> None:
        self.streams = streams
        ordered = sorted(arrivals, key=lambda pair: pair[0])
        self._arrivals = [Arrival(at_us, request) for at_us, request in ordered]
        self._children = dict(children or {})

    def roots(self) -> Iterator[Arrival]:
        """Return the requests by time."""
        return iter(self._arrivals)

    def finished(
        self, request: int, outcome: JobOutcome, now_us: int
    ) -> tuple[RequestArrived, ...]:
        """Return the children of a completed request."""
        del now_us
        return self._children.get(request, ()) if outcome is JobOutcome.COMPLETED else ()

    def never_issued(self) -> tuple[RequestRecord, ...]:
        """Return nothing: children of a request that does not complete are not counted here."""
        return ()


def periodic(
    rates_per_s: Mapping[str, float],
    seconds: float,
    *,
    slo_us: int | None = None,
    phases: random.Random | None = None,
) -> FixedArrivals:
    """Return a source where each model arrives at its rate.

    Args:
        rates_per_s: model -> requests per second.
        seconds: length.
        slo_us: deadline of each request after its arrival.
        phases: draws when in its period each stream starts; nearly together if None.
    """
    starts_us = {
        model: 137.0 * place if phases is None else phases.random() * 1e6 / rate
        for place, (model, rate) in enumerate(rates_per_s.items())
    }
    times = sorted(
        (round(count * 1e6 / rate + starts_us[model]), model)
        for model, rate in rates_per_s.items()
        for count in range(int(seconds * rate))
    )
    return FixedArrivals(
        (
            at_us,
            RequestArrived(
                number, model, stream=model, deadline_us=None if slo_us is None else at_us + slo_us
            ),
        )
        for number, (at_us, model) in enumerate(times)
    )
