"""What passes between the driver and a worker: orders one way, reports the other."""

from collections.abc import Mapping
from typing import NamedTuple

from band.plan.task import SliceKey
from band.runtime.backends.protocol import Allocate, Array, Pace, RunResult


class Order(NamedTuple):
    """One task for a worker, with everything it needs."""

    task: int
    slice: SliceKey
    inputs: Mapping[int, Array]
    pace: Pace
    allocate: Allocate


class Done(NamedTuple):
    """A worker finished a task."""

    task: int
    result: RunResult


class Failed(NamedTuple):
    """A worker could not finish a task."""

    task: int
    reason: str


class Down(NamedTuple):
    """A worker lost its processor, and the task that ran on it, if any."""

    processor: int
    reason: str


class Up(NamedTuple):
    """A worker that was down can run tasks again, with all its slices loaded."""

    processor: int


Report = Done | Failed | Down | Up
