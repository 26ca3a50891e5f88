"""Tells how far a replay has come, at most a few hundred times."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from band.trace.schema import Frame, Trace
from band.units import US_PER_S

_STEPS = 200


Progress = Callable[[str, int, int], None]
"""Is told that so much (second) of a whole (third) is done of a stage (first)."""


def ignore_progress(stage: str, done: int, total: int) -> None:
    """Tell nobody."""


def watched(trace: Trace, stage: str, progress: Progress) -> Trace:
    """Return the same trace, which tells the time of its frames as they are taken."""
    total_us = max(1, round(trace.header.seconds * US_PER_S))
    return replace(trace, frames=_Watched(trace, stage, progress, total_us))


@dataclass(frozen=True, slots=True)
class _Watched:
    trace: Trace
    stage: str
    progress: Progress
    total_us: int

    def __iter__(self) -> Iterator[Frame]:
        next_us = 0
        for frame in self.trace.frames:
            if frame.at_us >= next_us:
                self.progress(self.stage, min(frame.at_us, self.total_us), self.total_us)
                next_us = frame.at_us + self.total_us // _STEPS
            yield frame
        self.progress(self.stage, self.total_us, self.total_us)
