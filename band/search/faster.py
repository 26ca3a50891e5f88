"""The same trace played faster: every time divided by a load multiplier, deadlines included.

That is Puzzle's measure: the period is the deadline, and the question is how short it can get.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import overload

from band.sim.flat_trace import FlatTrace
from band.trace.schema import Frame, Trace


def flat_faster(trace: FlatTrace, load: float) -> FlatTrace:
    """Return a flat trace at ``load`` times its pace."""
    return replace(
        trace,
        roots=tuple((_sooner(at_us, load), request) for at_us, request in trace.roots),
        deadline_us=tuple(_sooner(due_us, load) for due_us in trace.deadline_us),
        expires_us=tuple(_sooner(expires_us, load) for expires_us in trace.expires_us),
    )


def faster(trace: Trace, load: float) -> Trace:
    """Return a trace at ``load`` times its pace; frames are read while they are iterated."""
    header = replace(trace.header, seconds=trace.header.seconds / load)
    return replace(trace, header=header, frames=_Faster(trace, load))


@dataclass(frozen=True, slots=True)
class _Faster:
    trace: Trace
    load: float

    def __iter__(self) -> Iterator[Frame]:
        for frame in self.trace.frames:
            nodes = tuple(
                replace(
                    node,
                    deadline_us=_sooner(node.deadline_us, self.load),
                    expires_us=_sooner(node.expires_us, self.load),
                )
                for node in frame.nodes
            )
            yield replace(frame, at_us=_sooner(frame.at_us, self.load), nodes=nodes)


@overload
def _sooner(at_us: int, load: float) -> int: ...
@overload
def _sooner(at_us: None, load: float) -> None: ...
@overload
def _sooner(at_us: int | None, load: float) -> int | None: ...
def _sooner(at_us: int | None, load: float) -> int | None:
    return None if at_us is None else round(at_us / load)
