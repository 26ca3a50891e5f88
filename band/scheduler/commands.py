"""Everything the scheduler core can ask of its driver, and how a job can end."""

from enum import StrEnum
from typing import NamedTuple

from band.plan.task import SliceKey, Task


class JobOutcome(StrEnum):
    """How a job ended; every accepted job ends exactly once."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DROPPED = "dropped"


class DropReason(StrEnum):
    """Why a job was dropped. The list is closed."""

    DEADLINE_PASSED = "deadline_passed"
    DEADLINE_UNREACHABLE = "deadline_unreachable"
    SUPERSEDED = "superseded"
    QUEUE_FULL = "queue_full"
    QUOTA = "quota"
    PARENT_DROPPED = "parent_dropped"
    DRAINING = "draining"
    NO_PROCESSOR = "no_processor"


class Run(NamedTuple):
    """Run a task on its processor now."""

    task: Task


class Abandon(NamedTuple):
    """The result of a running task is no longer wanted; the processor stays busy until it ends."""

    task: int


class Load(NamedTuple):
    """Load a slice on a processor in the background; answer with SliceLoaded.

    If it cannot be loaded, answer with SliceEvicted: it is not asked for again until the table or
    the processor has changed.
    """

    slice: SliceKey
    processor: int


class Evict(NamedTuple):
    """Unload a slice from a processor; answer with SliceEvicted. No task runs on it any more."""

    slice: SliceKey
    processor: int


class Finish(NamedTuple):
    """A job ended. ``reason`` is a DropReason, a failure text, or empty."""

    job: int
    outcome: JobOutcome
    reason: str = ""


class WakeAt(NamedTuple):
    """Send a Tick at this time."""

    at_us: int


class Advise(NamedTuple):
    """Run the policy's ``advise`` off the hot path; answer with AdviceReady."""

    policy: str


Command = Run | Abandon | Load | Evict | Finish | WakeAt | Advise
