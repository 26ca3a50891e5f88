"""Checks of what a policy decided. Each refusal is one sentence that says which rule it broke."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from band.plan.table import PlanTable
from band.scheduler.commands import DropReason
from band.scheduler.registered import RegisteredModel, Runnable
from band.scheduler.state import CoreState, Job, ProcessorState


class InvalidDecisionError(Exception):
    """A policy returned a decision that cannot be carried out."""


Checked = tuple[RegisteredModel, Runnable, ProcessorState, list[Job]]
"""What a valid task runs, where and for whom."""


def check_task(state: CoreState, spec: Any) -> Checked:
    """Return what a task runs, where and for whom.

    Args:
        state: of the core.
        spec: a TaskSpec, or anything else that a policy takes for one.

    Raises:
        InvalidDecisionError: a job is unknown or twice, units are finished, running or not ready,
            the slice is not loaded there, the processor is down, busy or not the pinned one, or
            the slice's model does not serve these jobs.
        TypeError, ValueError: it is no task at all.
    """
    numbers, (name, units), index = spec  # unpacking costs half of reading the fields
    processor = state.idle.get(index)
    if processor is None:
        raise InvalidDecisionError(_why_not_idle(state, index))
    model = state.models.get(name)
    if model is None:
        raise InvalidDecisionError(f"model {name!r} is not registered")
    runnable = model.runnable.get((units, index))
    if runnable is None:
        raise InvalidDecisionError(
            f"units {units:#b} of {name!r} are not loaded on {processor.name}"
        )
    jobs = []
    known = state.jobs
    for number in numbers:
        job = known.get(number)
        if job is None:
            raise InvalidDecisionError(f"job {number} is unknown or has ended")
        if (
            units & (job.finished | job.running)
            or runnable.needs & ~job.finished
            or -1 != job.pin != index
        ):
            raise InvalidDecisionError(_why_not(job, runnable, processor))
        jobs.append(job)
    if len(jobs) != 1 or jobs[0].model is not model or jobs[0].group:
        _check_shared(model, jobs)
    return model, runnable, processor, jobs


def _why_not_idle(state: CoreState, index: int) -> str:
    processor = state.processors.get(index)
    if processor is None or not processor.up:
        return f"processor {index} is not up"
    return f"processor {processor.name} is busy"


def _why_not(job: Job, runnable: Runnable, processor: ProcessorState) -> str:
    if runnable.units & (job.finished | job.running):
        return f"job {job.id} has units of this task finished or running"
    if runnable.needs & ~job.finished:
        return f"job {job.id} has not finished what this task needs"
    return f"job {job.id} is not pinned to {processor.name}"


def check_drop(state: CoreState, drop: Any) -> tuple[Job, DropReason]:
    """Return the job to drop and why.

    Args:
        state: of the core.
        drop: a Drop; what is in it may be anything.

    Raises:
        InvalidDecisionError: the job is unknown or has a running task, or the reason is not listed.
    """
    number, reason = drop
    job = _waiting(state, number)
    if job.running:
        raise InvalidDecisionError(f"job {number} is dropped while a task of it runs")
    if not isinstance(reason, DropReason):
        raise InvalidDecisionError(f"job {number} is dropped for {reason!r}, not a DropReason")
    return job, reason


def check_defer(state: CoreState, defer: Any, now_us: int) -> tuple[Job, int | None]:
    """Return the job that is left waiting, and until when.

    Args:
        state: of the core.
        defer: a Defer; what is in it may be anything.
        now_us: the time.

    Raises:
        InvalidDecisionError: the job is unknown, or its time has passed already or is none.
    """
    number, until_us = defer
    job = _waiting(state, number)
    if until_us is not None and (not isinstance(until_us, int) or until_us <= now_us):
        raise InvalidDecisionError(f"job {number} is deferred until {until_us!r}, now {now_us}")
    return job, until_us


def _waiting(state: CoreState, number: Any) -> Job:
    found = state.jobs.get(number) if isinstance(number, int) else None
    if found is None:
        raise InvalidDecisionError(f"job {number!r} is unknown or has ended")
    return found


def _check_shared(model: RegisteredModel, jobs: Sequence[Job]) -> None:
    """Check that a task may serve these jobs together.

    Either they share a merged run already, and then all of them; or none has started and the
    merged model has a member for each.
    """
    if not jobs or len({job.id for job in jobs}) != len(jobs):
        raise InvalidDecisionError("a task serves no job, or one job twice")
    if jobs[0].group and jobs[0].model is model:
        if {job.id for job in jobs} != {job.id for job in jobs[0].group}:
            raise InvalidDecisionError("a task of a merged run must serve all of its jobs")
        return
    for job in jobs:
        if job.group or job.finished or job.running:
            raise InvalidDecisionError(f"job {job.id} has started on another model")
    names = Counter(job.home.name for job in jobs)
    if names - Counter(_members(model.table)):
        raise InvalidDecisionError(f"model {model.name!r} does not serve {sorted(names)}")


def _members(table: PlanTable) -> tuple[str, ...]:
    return table.members or (table.model,)
