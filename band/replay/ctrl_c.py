"""Ctrl-C that is not lost in code that cannot raise.

Python raises KeyboardInterrupt wherever the main thread happens to be. In a callback of a C
library or in a ``__del__`` it is printed and forgotten, and a long loop goes on.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def lasting_ctrl_c() -> Iterator[Callable[[], None]]:
    """Yield what raises KeyboardInterrupt again if one has come; to be called now and then.

    Outside the main thread, or where SIGINT is handled otherwise, it never raises.
    """
    seen = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        seen = True
        signal.default_int_handler(number, frame)

    def check() -> None:
        if seen:
            raise KeyboardInterrupt

    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield check
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
