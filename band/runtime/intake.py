"""The way in: counts what is accepted and what is out again, and closes when told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from band.errors import BandError, ErrorCode


class Intake:
    """Decides whether something new may come in. Safe to use from any thread.

    Attributes:
        accepted: requests let in so far.
    """

    def __init__(self) -> None:
        self.accepted = 0
        self._delivered = 0
        self._open = True
        self._ended = False
        self._changed = threading.Condition()

    def check(self) -> None:
        """Refuse if nothing new may come in.

        Raises:
            BandError: DRAINING.
        """
        if not self._open:
            raise BandError(ErrorCode.DRAINING, "the engine is shutting down and takes nothing new")

    @contextmanager
    def accept(self) -> Iterator[None]:
        """Let one request in; it is handed over within the block, before any :meth:`end`.

        Raises:
            BandError: DRAINING.
        """
        with self._changed:
            self.check()
            self.accepted += 1
            yield

    def delivered(self) -> None:
        """Note that the result of one request is out."""
        with self._changed:
            self._delivered += 1
            if self._delivered == self.accepted:
                self._changed.notify_all()

    def drain(self, timeout_s: float | None) -> bool:
        """Close the way in; return whether everything accepted is out within the wall time."""
        with self._changed:
            self._open = False
            return self._changed.wait_for(lambda: self._delivered == self.accepted, timeout_s)

    def end(self) -> bool:
        """Close the way in for good; return False if that was done before."""
        with self._changed:
            first = not self._ended
            self._open, self._ended = False, True
            return first
