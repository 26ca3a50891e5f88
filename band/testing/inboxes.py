"""A recorder that keeps everything, and the check that a fresh core decides the same again."""

from collections.abc import Sequence

from band.scheduler.codec import event_from_json, event_to_json
from band.scheduler.commands import Command
from band.scheduler.core import Core
from band.scheduler.events import Event
from band.scheduler.loader import make_policy
from band.scheduler.options import CoreOptions


class KeptInbox:
    """A recorder.

    Attributes:
        records: time, event and commands of every call of the core.
    """

    def __init__(self) -> None:
        self.records: list[tuple[int, Event, list[Command]]] = []

    def record(self, now_us: int, event: Event, commands: Sequence[Command]) -> None:
        """Keep one call of the core."""
        self.records.append((now_us, event, list(commands)))

    def events(self) -> list[Event]:
        """Return the events in order."""
        return [event for _, event, _ in self.records]

    def check(self, *, invariants: bool = True, options: CoreOptions | None = None) -> None:
        """Feed the events, as they come back from JSON, to a fresh core.

        Args:
            invariants: check them after each event.
            options: of the core that was recorded.

        Raises:
            AssertionError: it decides something else, or time goes back.
        """
        core = Core(make_policy=make_policy, options=options)
        last_us = 0
        for now_us, event, commands in self.records:
            assert now_us >= last_us
            last_us = now_us
            assert core.handle(event_from_json(event_to_json(event)), now_us) == commands
            if invariants:
                core.check_invariants()
