"""Runs files that may be hostile in children of their own, and says how each child ended.

The parent has imported the interpreter and made none, so that a fork costs about 10 ms.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple

import numpy as np

MEMORY_BYTES: Final = 3 << 30
CPU_SECONDS: Final = 30
# What the child has done so far, as one byte in its pipe; exit codes.
_STAGES: Final = {b"": "load", b"l": "allocate", b"a": "run", b"r": "done"}
_REFUSED: Final = 3


class Ending(NamedTuple):
    """How one child ended.

    Attributes:
        how: ``ok``, ``error`` (the interpreter raised), or the name of a signal.
        stage: what it was at: load, allocate, run, done.
    """

    how: str
    stage: str

    @property
    def killed(self) -> bool:
        """Whether the file killed the process."""
        return self.how not in {"ok", "error"}


def run_apart(content: bytes, interpreter: Callable[..., Any]) -> Ending:
    """Load, allocate and run a file twice in a forked child with limits on memory and CPU time.

    Args:
        content: the file.
        interpreter: the class of an imported runtime.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _in_child(content, interpreter, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        stage = _STAGES[pipe.read()[-1:]]
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return Ending(signal.Signals(os.WTERMSIG(status)).name, stage)
    return Ending("ok" if os.WEXITSTATUS(status) == 0 else "error", stage)


def _in_child(content: bytes, interpreter: Callable[..., Any], pipe: int) -> None:
    code = _REFUSED
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
        silent = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silent, stream)
        with suppress(Exception):
            loaded = interpreter(model_content=content, num_threads=1)
            os.write(pipe, b"l")
            loaded.allocate_tensors()
            os.write(pipe, b"a")
            for run in range(2):
                _invoke(loaded, run)
            os.write(pipe, b"r")
            code = 0
    finally:
        sys.stdout.flush()
        os._exit(code)


def _invoke(loaded: Any, run: int) -> None:
    random = np.random.default_rng(run)
    for detail in loaded.get_input_details():
        shape, dtype = tuple(detail["shape"]), np.dtype(detail["dtype"])
        if dtype.kind == "f":
            loaded.set_tensor(detail["index"], random.standard_normal(shape).astype(dtype))
        elif dtype.kind in "iu":
            loaded.set_tensor(detail["index"], random.integers(0, 2, shape).astype(dtype))
    loaded.invoke()
    for detail in loaded.get_output_details():
        loaded.get_tensor(detail["index"])
