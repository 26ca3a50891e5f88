"""Ctrl-C that comes where nothing can be raised is raised a little later."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from band.replay.ctrl_c import lasting_ctrl_c
from band.testing.ctrl_c import heeded_ctrl_c


@pytest.fixture(autouse=True)
def _heeded() -> Iterator[None]:
    with heeded_ctrl_c():
        yield


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_that_was_swallowed_is_raised_again() -> None:
    with lasting_ctrl_c() as check:
        check()
        with contextlib.suppress(KeyboardInterrupt):
            interrupt()
        with pytest.raises(KeyboardInterrupt):
            check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_still_ends_whatever_runs() -> None:
    with pytest.raises(KeyboardInterrupt), lasting_ctrl_c():
        interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_handles_interrupts_otherwise_is_left_alone() -> None:
    seen: list[Any] = []
    before = signal.signal(signal.SIGINT, lambda *args: seen.append(args))
    try:
        with lasting_ctrl_c() as check:
            interrupt()
            check()
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(seen) == 1


def test_other_threads_need_no_handler() -> None:
    checked = []

    def use() -> None:
        with lasting_ctrl_c() as check:
            check()
            checked.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert checked == [signal.default_int_handler]
