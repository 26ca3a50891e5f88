"""Serving until a signal comes.

The kernel hands a signal to any thread of the process. Python runs its handler in the main thread,
but wakes that one only if it was the one interrupted: a main thread that waits for a lock may sleep
for ever. So it reads from a socket, into which the C level of Python writes each signal's number.
"""

import logging
import signal
import socket
import threading
from typing import Final, Protocol

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_DRAINED: Final = b"\0"
_LOG = logging.getLogger(__name__)


class Drainable(Protocol):
    """A daemon, as far as signals go."""

    def drain(self) -> bool:
        """Finish what is under way; return whether it ended in time."""
        ...

    def cancel(self) -> None:
        """End what is under way."""
        ...


def run_until_signal(daemon: Drainable) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal cancels what is under way.

    To be called from the main thread, with the daemon entered.
    """
    here, there = socket.socketpair()
    there.setblocking(False)
    with here, there:
        wakeup = signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
        handlers = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
        try:
            _LOG.info("draining signal=%s", _next_signal(here))
            draining = threading.Thread(target=_drain, args=(daemon, there), name="band-drain")
            draining.start()
            while what := _next_signal(here):
                _LOG.warning("cancelling requests signal=%s", what)
                daemon.cancel()
            draining.join()
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in handlers.items():
                signal.signal(number, handler)


def _next_signal(wakeups: socket.socket) -> str:
    """Return the name of the next signal that ends serving, "" once the daemon has drained."""
    while (number := wakeups.recv(1)) != _DRAINED:
        if number[0] in _SIGNALS:
            return signal.Signals(number[0]).name
    return ""


def _drain(daemon: Drainable, wakeups: socket.socket) -> None:
    try:
        if not daemon.drain():
            _LOG.warning("requests did not end in time and are cancelled")
    finally:
        wakeups.send(_DRAINED)
