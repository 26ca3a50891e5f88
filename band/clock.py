"""Clocks: the only place that reads the machine's time.

The scheduler core never holds a clock; drivers do, and hand it integer microseconds.
"""

import random
import time
from typing import Protocol

_NS_PER_US = 1_000
_EPOCH_RANGE_US = (10_000_000_000, 200_000_000_000)


class Clock(Protocol):
    """A monotonic clock in whole microseconds of device time."""

    def now_us(self) -> int:
        """Return the time now."""
        ...

    def sleep_until(self, at_us: int) -> None:
        """Return once ``now_us() >= at_us``."""
        ...


class MonotonicClock:
    """Device time from the machine's monotonic clock.

    Starts at a random epoch, so that code that mixes two clocks fails at once. With
    ``time_scale`` s, one microsecond of device time takes s microseconds of wall time.

    Args:
        time_scale: wall time per device time, positive.
        epoch_us: device time at construction; drawn at random if None.
    """

    def __init__(self, *, time_scale: float = 1.0, epoch_us: int | None = None) -> None:
        if time_scale <= 0:
            msg = f"time_scale must be positive, not {time_scale}"
            raise ValueError(msg)
        self.time_scale = time_scale
        self._epoch_us = (
            random.SystemRandom().randint(*_EPOCH_RANGE_US) if epoch_us is None else epoch_us
        )
        self._start_ns = time.monotonic_ns()

    def now_us(self) -> int:
        """Return the device time now, in microseconds."""
        elapsed_ns = time.monotonic_ns() - self._start_ns
        return self._epoch_us + int(elapsed_ns / (_NS_PER_US * self.time_scale))

    def sleep_until(self, at_us: int) -> None:
        """Sleep until the device time ``at_us``; return at once if it has passed."""
        while (wait_s := self.wall_s_until(at_us)) > 0:
            time.sleep(wait_s)

    def wall_s_until(self, at_us: int) -> float:
        """Return the wall seconds from now to the device time ``at_us`` (negative if passed)."""
        return (at_us - self.now_us()) * self.time_scale / 1e6


def thread_cpu_ns() -> int:
    """Return the processor time that the calling thread has taken, in nanoseconds."""
    return time.thread_time_ns()


def unix_time_ms() -> int:
    """Return the calendar time in milliseconds since 1970, for reports only."""
    return time.time_ns() // 1_000_000


class VirtualClock:
    """A clock that only its owner moves: the simulator's.

    Args:
        now_us: the time at construction.
    """

    def __init__(self, now_us: int = 0) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        """Return the time last set."""
        return self._now_us

    def sleep_until(self, at_us: int) -> None:
        """Move the clock to ``at_us``; never back."""
        self._now_us = max(self._now_us, at_us)
