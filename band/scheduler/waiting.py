"""The waiting queue of the core."""

from bisect import bisect_left, insort
from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

from band.scheduler.view import JobView

if TYPE_CHECKING:
    from band.scheduler.state import Job


@mypyc_attr(allow_interpreted_subclasses=True)
class WaitingQueue:
    """Waiting jobs with runnable units, always sorted by (class, arrival).

    Attributes:
        entries: (class and arrival number, job); only the queue changes it.
    """

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: list[tuple[tuple[int, int], Job]] = []

    def add(self, job: "Job") -> None:
        """Put a job in its place; it may be there already."""
        if not job.queued:
            job.queued = True
            entries, entry = self.entries, (job.order, job)
            if entries and entry < entries[-1]:
                insort(entries, entry)
            else:
                entries.append(entry)

    def discard(self, job: "Job") -> None:
        """Take a job out if it is in."""
        if job.queued:
            job.queued = False
            entries = self.entries
            place = 0 if entries[0][1] is job else bisect_left(entries, (job.order,))
            del entries[place]

    def head(self, count: int) -> tuple[JobView, ...]:
        """Return the views of the first jobs."""
        entries = self.entries
        if len(entries) == 1 <= count:
            job = entries[0][1]
            return (job.view or job.make_view(),)
        return tuple([job.view or job.make_view() for _, job in entries[:count]])
