"""What a policy sees: an immutable window on jobs and processors at one moment."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from band.plan.best import BestPlan, FirstStep, Step
from band.plan.table import PlanTable


class JobView(NamedTuple):
    """One waiting job of the window.

    Attributes:
        priority: its class; lower first. Never 0: the default is filled in.
        deadline_us: absolute, or None.
        finished, running: masks of units done and of units being run now.
        holder: processor that holds its boundary tensors, -1 before the first task.
        processor: index of the processor it is pinned to, or -1.
        together: further jobs that share its run of a merged model, if any.
        app: who asked.
    """

    job: int
    model: str
    stream: str
    frame: int | None
    priority: int
    arrived_us: int
    deadline_us: int | None
    finished: int
    running: int
    holder: int
    processor: int
    together: tuple[int, ...] = ()
    app: str = ""

    @property
    def jobs(self) -> tuple[int, ...]:
        """Return the jobs that a task for this one serves: itself, and ``together``."""
        return (self.job, *self.together) if self.together else (self.job,)


class ProcessorView(NamedTuple):
    """One processor.

    Attributes:
        processor: its index in the device.
        up: it can run tasks.
        idle: up and without a task. A task that overruns its prediction keeps it busy.
        busy_until_us: when its task should end; now for an idle one. For a task that has already
            overrun: now + residual_us.
        residual_us: what is expected to remain of a task that overran its prediction, else 0.
        free_bytes: memory left for slices.
        reserved_for: app that the slot in force belongs to, "" for nobody's, None without one.
    """

    processor: int
    name: str
    kind: str
    up: bool
    idle: bool
    busy_until_us: int
    residual_us: int
    free_bytes: int
    reserved_for: str | None


class View(Protocol):
    """What ``Policy.plan`` gets. Reading it changes nothing."""

    @property
    def now_us(self) -> int:
        """Return the time of the pass."""
        ...

    @property
    def window(self) -> Sequence[JobView]:
        """Return the waiting jobs with runnable units, ordered by (priority, arrival)."""
        ...

    @property
    def processors(self) -> Sequence[ProcessorView]:
        """Return all processors that have ever been up, by index."""
        ...

    @property
    def waits_us(self) -> tuple[int, ...]:
        """Return per processor the time until it is free: 0 exactly for the idle ones.

        ``DOWN_US`` for one that is down. A processor that never came up counts as down.
        """
        ...

    @property
    def models(self) -> Sequence[str]:
        """Return the names of all registered models."""
        ...

    def table(self, model: str) -> PlanTable:
        """Return the current plan table of a model.

        It holds the spans that are loaded on a processor that is up, with the costs learnt so far.
        """
        ...

    def best_plan(self, job: JobView, waits_us: Sequence[int] | None = None) -> BestPlan | None:
        """Return the plan that finishes a job first, given waits (default: the current ones).

        It covers the units that need no running one. None if no loaded span can run them, or the
        job is pinned to a processor where none can.
        """
        ...

    def first_step(self, job: JobView, waits_us: Sequence[int] | None = None) -> FirstStep | None:
        """Return how that plan starts, and its latency: cheaper than the whole plan."""
        ...


__all__ = ["BestPlan", "FirstStep", "JobView", "ProcessorView", "Step", "View"]
