"""The recording hook of the drivers: each event with its time, and the commands it led to."""

from collections.abc import Sequence
from typing import Protocol

from band.scheduler.commands import Command
from band.scheduler.events import Event


class Recorder(Protocol):
    """Takes what goes into the core and what comes out, in order."""

    def record(self, now_us: int, event: Event, commands: Sequence[Command]) -> None:
        """Take one call of ``Core.handle``."""
        ...
