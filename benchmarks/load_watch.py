"""A recorder that judges a simulated run under load while it goes on, and ends it when it can.

Two criteria share every run:

on_time: at most 1 % of the requests sent end late or without a result.
stable: no more than 64 requests ever wait, over the last third of the run there are at most 1.1
    times as many requests in the system as over the third before, and at most 1 % of the requests
    are dropped: a policy that sheds could otherwise call any load stable.
"""

from collections.abc import Sequence
from typing import Final

from band.scheduler.commands import Abandon, Command, Finish, JobOutcome, Run
from band.scheduler.events import Event, RequestArrived, TaskFinished
from band.units import US_PER_S

CRITERIA: Final = ("on_time", "stable")
MISSED_PERCENT: Final = 1
QUEUE_LIMIT: Final = 64
GROWTH_LIMIT: Final = 1.1


class Enough(Exception):  # noqa: N818 - no error: the run has shown all it can
    """Ends a run from inside its recorder."""


class Watch:
    """A recorder that judges a run while it goes on.

    Args:
        sent: requests of the whole run.
        seconds: length of the run.
        wanted: criteria that somebody waits for; once all of them have failed, the run is ended.
    """

    def __init__(self, sent: int, seconds: float, wanted: Sequence[str] = CRITERIA) -> None:
        self.missed = self.dropped = self.longest_queue = 0
        self._sent, self._wanted = sent, wanted
        self._marks_us = [round(seconds * US_PER_S * part / 3) for part in (1, 2, 3)]
        self._areas = [0]
        self._area = self._open = self._last_us = 0
        self._deadlines: dict[int, int | None] = {}
        self._running: set[int] = set()

    def record(self, now_us: int, event: Event, commands: Sequence[Command]) -> None:
        """Count one call of ``Core.handle``.

        Raises:
            Enough: every wanted criterion has failed.
        """
        if now_us != self._last_us:
            self._pass_time(now_us)
        if isinstance(event, RequestArrived):
            self._open += 1
            self._deadlines[event.request] = event.deadline_us
        elif isinstance(event, TaskFinished):
            self._running.discard(event.task)
        for command in commands:
            if isinstance(command, Run):
                self._running.add(command.task.id)
            elif isinstance(command, Finish):
                self._end(command, now_us)
            elif isinstance(command, Abandon):
                self._running.discard(command.task)
        waiting = self._open - len(self._running)
        if waiting > self.longest_queue:
            self.longest_queue = waiting
            if waiting > QUEUE_LIMIT:
                self._stop_if_hopeless()

    def _pass_time(self, now_us: int) -> None:
        while self._marks_us and now_us >= self._marks_us[0]:
            mark_us = self._marks_us.pop(0)
            self._areas.append(self._area + self._open * (mark_us - self._last_us))
        self._area += self._open * (now_us - self._last_us)
        self._last_us = now_us

    def _end(self, finish: Finish, now_us: int) -> None:
        self._open -= 1
        deadline_us = self._deadlines.pop(finish.job)
        completed = finish.outcome is JobOutcome.COMPLETED
        self.dropped += not completed
        if not completed or (deadline_us is not None and now_us > deadline_us):
            self.missed += 1
            if self._too_many(self.missed):
                self._stop_if_hopeless()

    def _too_many(self, count: int) -> bool:
        return count * 100 > self._sent * MISSED_PERCENT

    def _stop_if_hopeless(self) -> None:
        if all(self.failed(criterion) for criterion in self._wanted):
            raise Enough

    def failed(self, criterion: str) -> bool:
        """Return whether a criterion cannot be met any more."""
        if criterion == "on_time":
            return self._too_many(self.missed)
        return self.longest_queue > QUEUE_LIMIT or self._too_many(self.dropped)

    def growth(self) -> float:
        """Return the growth of the number of requests in the system, at the end of a run."""
        self._pass_time(max([self._last_us, *self._marks_us]))
        _, first, second, third = self._areas
        earlier, later = second - first, third - second
        return later / earlier if earlier else float(later > 0) + 1.0
