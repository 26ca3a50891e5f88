"""Keeps what the solver prints off standard output, where the result of a command stands."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_STDOUT: Final = 1
_STDERR: Final = 2


@contextmanager
def stdout_on_stderr() -> Iterator[None]:
    """Send what native code writes to stdout to stderr instead.

    HiGHS prints a line of debugging at times, whatever its options say. Standard output belongs
    to the whole process: nothing else should be written there meanwhile.
    """
    sys.stdout.flush()
    try:
        saved = os.dup(_STDOUT)
    except OSError:  # no stdout at all: nothing to keep clean
        yield
        return
    try:
        os.dup2(_STDERR, _STDOUT)
        yield
    finally:
        os.dup2(saved, _STDOUT)
        os.close(saved)
