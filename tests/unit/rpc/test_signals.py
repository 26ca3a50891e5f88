"""Serving until a signal comes, whichever thread it interrupts."""

import signal
import threading
import time
from collections.abc import Callable

import pytest

from band.rpc.signals import run_until_signal

WAIT_S = 30.0


class Drained:
    """Drains once it is cancelled, or at once."""

    def __init__(self, *, at_once: bool) -> None:
        self.calls: list[str] = []
        self.draining = threading.Event()
        self._over = threading.Event()
        if at_once:
            self._over.set()

    def drain(self) -> bool:
        self.calls.append("drain")
        self.draining.set()
        return self._over.wait(WAIT_S)

    def cancel(self) -> None:
        self.calls.append("cancel")
        self._over.set()


def in_this_thread() -> None:
    """Send a signal that the main thread, which waits, does not notice by itself."""
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)


def to_the_process() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("send", [in_this_thread, to_the_process])
def test_the_first_signal_drains_and_the_second_cancels(send: Callable[[], None]) -> None:
    daemon = Drained(at_once=False)
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    def sender() -> None:
        while signal.getsignal(signal.SIGINT) is before[1]:  # the last one to be taken over
            time.sleep(0.001)
        send()
        assert daemon.draining.wait(WAIT_S)
        send()

    thread = threading.Thread(target=sender)
    thread.start()
    run_until_signal(daemon)
    thread.join()
    assert daemon.calls == ["drain", "cancel"]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_it_returns_once_all_is_drained() -> None:
    daemon = Drained(at_once=True)
    before = signal.getsignal(signal.SIGINT)

    def sender() -> None:
        while signal.getsignal(signal.SIGINT) is before:
            time.sleep(0.001)
        in_this_thread()

    thread = threading.Thread(target=sender)
    thread.start()
    run_until_signal(daemon)
    thread.join()
    assert daemon.calls == ["drain"]
