"""What a trace holds, counted in one pass that also checks every line of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from band.trace.schema import Trace
from band.units import US_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamContents:
    """One stream: its frames (or single requests) and the requests they make."""

    frames: int
    requests: int
    first_us: int
    last_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceContents:
    """Counts of a whole trace.

    Attributes:
        seconds: nominal length.
        models: requests per model, of every model of the header.
        streams: per stream, by name.
        with_deadline: requests that carry a deadline.
    """

    seconds: float
    models: Mapping[str, int]
    streams: Mapping[str, StreamContents]
    with_deadline: int

    @property
    def requests(self) -> int:
        """Return the number of requests."""
        return sum(self.models.values())

    @property
    def frames(self) -> int:
        """Return the number of lines: frames and single requests."""
        return sum(stream.frames for stream in self.streams.values())

    @property
    def trace_us(self) -> int:
        """Return the nominal length in microseconds."""
        return round(self.seconds * US_PER_S)

    @property
    def rates_per_s(self) -> dict[str, float]:
        """Return the mean rate of each model that is used."""
        return {name: count / self.seconds for name, count in self.models.items() if count}


def contents(trace: Trace) -> TraceContents:
    """Return the counts of a trace.

    Raises:
        BandError: INVALID_TRACE for a bad line.
    """
    models = Counter({model.name: 0 for model in trace.header.models})
    streams: dict[str, StreamContents] = {}
    with_deadline = 0
    for frame in trace.frames:
        before = streams.get(frame.stream)
        streams[frame.stream] = StreamContents(
            frames=before.frames + 1 if before else 1,
            requests=frame.requests + (before.requests if before else 0),
            first_us=before.first_us if before else frame.at_us,
            last_us=frame.at_us,
        )
        for node in frame.nodes:
            models[node.model] += node.count
            with_deadline += node.count if node.deadline_us is not None else 0
    return TraceContents(
        seconds=trace.header.seconds,
        models=dict(models),
        streams={name: streams[name] for name in sorted(streams)},
        with_deadline=with_deadline,
    )
