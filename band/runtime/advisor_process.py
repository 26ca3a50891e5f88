"""The child process of the advisor: ``python -m band.runtime.advisor_process FD``.

It takes (task, limit_ms) from the connection and answers with an AdviceReady, until the connection
is closed. Nothing but the parent that started it can reach that connection.
"""

import os
import signal
import sys
from functools import partial
from multiprocessing.connection import Connection
from typing import Final

from band.clock import MonotonicClock
from band.sim.advise import advise
from band.units import US_PER_MS

_NICE: Final = 10


def serve(connection: Connection) -> None:
    """Answer tasks until the other side is gone."""
    clock = MonotonicClock()
    while True:
        try:
            task, limit_ms = connection.recv()
        except (EOFError, OSError):
            return
        end_us = clock.now_us() + limit_ms * US_PER_MS
        answer = advise(task, in_time=partial(_before, clock, end_us))
        try:
            connection.send(answer)
        except OSError:
            return


def _before(clock: MonotonicClock, end_us: int) -> bool:
    return clock.now_us() < end_us


def main() -> None:
    """Serve the connection whose file descriptor is the argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends this
    os.nice(_NICE)
    serve(Connection(int(sys.argv[1])))


if __name__ == "__main__":
    main()
