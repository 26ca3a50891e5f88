"""The contract of a policy: what it sees, what it decides, what it declares.

A policy is one file. It declares a frozen dataclass ``Params`` and one class with a class
attribute ``info`` and a method ``plan(view)``; the loader finds them, the core validates every
decision. ``plan`` must be a pure function of the view and of the policy's own state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from band.plan.table import PlanTable, Span
from band.plan.task import SliceKey
from band.scheduler.advice import Simulate, Snapshot
from band.scheduler.commands import DropReason
from band.scheduler.events import Json
from band.scheduler.view import JobView, View


class TaskSpec(NamedTuple):
    """One task that a policy wants to run now.

    Attributes:
        jobs: the jobs it serves; more than one only for a slice of a merged model.
        slice: which part of which model.
        processor: index of an idle processor where that slice is loaded.
    """

    jobs: tuple[int, ...]
    slice: SliceKey
    processor: int

    @classmethod
    def of(cls, job: JobView, table: PlanTable, span: Span) -> "TaskSpec":
        """Return the task that runs a span for a job of the window (and those together with it)."""
        jobs = job.jobs if job.together else (job.job,)
        return tuple.__new__(cls, (jobs, table.slice_key(span), span.processor))


class Dispatch(NamedTuple):
    """Run these tasks now, each on its own idle processor."""

    tasks: tuple[TaskSpec, ...]


class Defer(NamedTuple):
    """Leave a job waiting; ask for another pass at ``until_us``, or at the next event if None."""

    job: int
    until_us: int | None = None


class Drop(NamedTuple):
    """End a job that has no running task."""

    job: int
    reason: DropReason


Decision = Dispatch | Defer | Drop


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInfo:
    """What a policy says of itself.

    Attributes:
        name: the name it is loaded by; the file's stem.
        aliases: other names, such as Band's own.
        summary: one line for ``band policies``.
        source: where the rule comes from.
        uses_fallback: False for Band's whole-model policies, which never split a model.
        work_conserving: it leaves no processor idle that could run a waiting job to its end. A job
            that no processor can run whole may wait for the busy one that its best plan names.
    """

    name: str
    summary: str
    source: str
    aliases: tuple[str, ...] = ()
    uses_fallback: bool = True
    work_conserving: bool = True


@runtime_checkable
class Policy(Protocol):
    """A scheduling policy."""

    info: ClassVar[PolicyInfo]

    def plan(self, view: View) -> Sequence[Decision]:
        """Return what to do now; an empty sequence leaves all jobs waiting."""
        ...


@runtime_checkable
class Advisor(Protocol):
    """A policy that asks for work off the hot path."""

    def advise(self, snapshot: Snapshot, params: Any, simulate: Simulate, budget: int) -> Json:
        """Return a payload; pure, and runs at most ``budget`` simulations.

        Args:
            snapshot: the core at the moment of the Advise.
            params: of the policy.
            simulate: plays the near future under a payload.
            budget: how many simulations may be run.
        """
        ...

    def advised(self, payload: Json) -> None:
        """Take the payload of an earlier ``advise``."""
        ...


@runtime_checkable
class Observed(Protocol):
    """A policy that keeps figures of itself for the status of the core."""

    def statistics(self) -> Mapping[str, float]:
        """Return figures by name, times in microseconds; pure: asking changes nothing."""
        ...


@runtime_checkable
class Outspoken(Protocol):
    """A policy that has things to say to whoever reads the figures of its runs."""

    def notes(self) -> Sequence[str]:
        """Return a sentence for each thing, each once; pure: asking changes nothing."""
        ...
