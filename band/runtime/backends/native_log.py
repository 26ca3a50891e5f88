"""Keeps the notices of native libraries off stderr, and nothing else.

The interpreters print one ``INFO:`` line for every model they allocate, and offer no switch. Their
warnings and errors, and whatever other threads print meanwhile, are passed on.
"""

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_STDERR: Final = 2
_NOTICES: Final = (b"INFO: ", b"WARNING: Attempting to use a delegate")
_lock = threading.RLock()


@contextmanager
def notices_hidden() -> Iterator[None]:
    """Hold back stderr for the time of one native call, then print it without the notices.

    Standard error belongs to the whole process, so calls take turns.
    """
    with _lock:
        try:
            saved = os.dup(_STDERR)
        except OSError:  # no stderr at all: nothing to keep clean
            yield
            return
        with tempfile.TemporaryFile() as held:
            os.dup2(held.fileno(), _STDERR)
            try:
                yield
            finally:
                os.dup2(saved, _STDERR)
                os.close(saved)
                held.seek(0)
                kept = b"".join(line for line in held if not line.startswith(_NOTICES))
                if kept:
                    os.write(_STDERR, kept)
