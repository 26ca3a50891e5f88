"""Ctrl-C in tests that a job in the background runs: a shell lets such a job ignore it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heeded_ctrl_c() -> Iterator[None]:
    """Let SIGINT mean Ctrl-C, here and in processes that are started meanwhile."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
