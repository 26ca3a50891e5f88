"""The cyclic garbage collector while a simulation runs: less often.

A simulation keeps a record of every task and request. None is part of a cycle, but the collector
walks all of them again whenever a quarter more have come: a fifth of the time of a long run. What
ends, a finished job or a heap entry, is freed by its reference count as always.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_YOUNG: Final = 100_000
_MIDDLE: Final = 50
_OLD: Final = 100

_lock = threading.Lock()
_running = 0
_before = (0, 0, 0)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let the collector run seldom within the block, and as before when the last block ends.

    Garbage in cycles, such as a policy may make, still goes: after 100,000 new objects at the
    latest. A collector that is switched off stays off.
    """
    global _running, _before  # noqa: PLW0603 - the collector is one for the whole process
    with _lock:
        if not _running:
            _before = gc.get_threshold()
            if _before[0]:
                gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
        _running += 1
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            if not _running:
                gc.set_threshold(*_before)
