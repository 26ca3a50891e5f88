"""The life of a job: accepted, queued, dispatched task by task, and ended exactly once.

Everything that ends a job goes through :meth:`Lifecycle.end`, everything that makes it wait
through :meth:`Lifecycle.requeue`.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from mypy_extensions import mypyc_attr

from band.plan.task import SliceKey, Task
from band.scheduler.admission import Admission, older_frames
from band.scheduler.alarms import Alarms
from band.scheduler.cold import runs_cold, surcharge_us
from band.scheduler.commands import Abandon, Command, DropReason, Finish, JobOutcome, Run
from band.scheduler.events import RequestArrived
from band.scheduler.options import CoreOptions
from band.scheduler.registered import RegisteredModel, Runnable
from band.scheduler.shaping import Shaping
from band.scheduler.state import CoreState, Job, ProcessorState, RunningTask

_new: Final = tuple.__new__  # a NamedTuple's own constructor takes twice as long

Reads = tuple[tuple[tuple[int, int], ...], tuple[int, ...], int]
"""What a task reads: (task, processor) that hold it, the tasks that made it, time to move it."""

_NOTHING: Final[Reads] = ((), (), 0)


@mypyc_attr(allow_interpreted_subclasses=True)
class Lifecycle:
    """Moves jobs and tasks through the state and notes the commands that follow.

    Attributes:
        commands: what the driver must do; the core takes and renews the list per event.
        ended: number of ended jobs by outcome, drops by ``dropped:REASON``.
        sheds: waiting jobs that cannot make their deadline are to be dropped.
        shaping: keeps tasks out of reserved slots.
    """

    def __init__(self, state: CoreState, alarms: Alarms, options: CoreOptions) -> None:
        self._state = state
        self._alarms = alarms
        self._options = options
        self._admission = Admission(state, options.admission) if options.admission.active else None
        self.sheds = options.admission.while_waiting
        self.shaping = Shaping(state, options)
        self._holds = self.shaping.reservations is not None
        self.commands: list[Command] = []
        self.ended: Counter[str] = Counter()

    def arrive(self, request: RequestArrived, now_us: int) -> None:
        """Accept a request, or end it at once with a reason. A known id is ignored."""
        state = self._state
        if request.request in state.jobs:
            return
        model = state.models.get(request.model)
        pin = -1
        if model is not None and request.processor is not None:
            names = model.full.processors
            pin = names.index(request.processor) if request.processor in names else len(names)
        if model is None or not model.plans.can_finish(0, pin):
            self._finish(request.request, JobOutcome.DROPPED, DropReason.NO_PROCESSOR)
        elif request.expires_us is not None and request.expires_us <= now_us:
            self._finish(request.request, JobOutcome.DROPPED, DropReason.DEADLINE_PASSED)
        else:
            self._enter(request, model, pin, now_us)

    def _enter(
        self, request: RequestArrived, model: RegisteredModel, pin: int, now_us: int
    ) -> None:
        """Let a request that can run wait, in the place of those it supersedes, or refuse it."""
        state, admission = self._state, self._admission
        order = (request.priority or self._options.default_priority, state.arrivals)
        gone = older_frames(state, request) if request.supersede else []
        full = state.unstarted - len(gone) >= self._options.queue_limit
        reason = DropReason.QUEUE_FULL if full else None
        if admission is not None and not full:
            reason = admission.refusal(request, model, pin, order, gone, now_us)
        if reason is not None:
            self._finish(request.request, JobOutcome.DROPPED, reason)
            return
        for old in gone:
            self.drop(old, DropReason.SUPERSEDED)
        job = Job(request, model, order, pin, now_us)
        state.arrivals += 1
        state.unstarted += 1
        state.jobs[job.id] = job
        state.queue.add(job)
        if admission is not None:
            admission.accepted(job)
        if request.expires_us is not None:
            self._alarms.need(request.expires_us, job.id)

    def adopt(self) -> None:
        """Take the jobs that the state holds already: it is a copy."""
        if self._admission is not None:
            for job in self._state.jobs.values():
                self._admission.accepted(job)
                if job.started:
                    self._admission.started(job)

    def shed(self, now_us: int) -> None:
        """Drop the waiting jobs that cannot make their deadline any more."""
        if self._admission is not None:
            for job in self._admission.hopeless(now_us):
                self.drop(job, DropReason.DEADLINE_UNREACHABLE)

    def expire(self, now_us: int) -> None:
        """Drop the jobs whose time to start has passed."""
        for number in self._alarms.due(now_us):
            job = self._state.jobs.get(number)
            if job is None or job.started:
                continue
            expires_us = job.request.expires_us
            if expires_us is not None and expires_us <= now_us:
                self.drop(job, DropReason.DEADLINE_PASSED)

    def dispatch(
        self,
        key: SliceKey,
        model: RegisteredModel,
        runnable: Runnable,
        processor: ProcessorState,
        jobs: list[Job],
        now_us: int,
    ) -> bool:
        """Start a task that has passed validation, or hold it back; return whether it started.

        The list of jobs is its own from now on.
        """
        if self._holds and self.shaping.holds(jobs, runnable, processor, now_us):
            return False
        if jobs[0].model is not model:
            jobs = self._merge(model, jobs)
        state, lead, index = self._state, jobs[0], processor.index
        reads = _reads(lead, model, runnable, index) if lead.fronts else _NOTHING
        fronts, predecessors, transfer_us = reads
        number = state.next_task
        state.next_task = number + 1
        cold = state.cools and runs_cold(processor, runnable.estimate, now_us)
        predicted_us = transfer_us + runnable.cost_us + (surcharge_us(runnable) if cold else 0)
        numbers = (lead.id,) if len(jobs) == 1 else tuple([job.id for job in jobs])
        task = _new(Task, (
            number, key, index, numbers, predecessors, runnable.inputs, runnable.outputs,
            transfer_us, predicted_us, runnable.peak_bytes,
        ))  # fmt: skip
        running = RunningTask(task, runnable, model, jobs, fronts, now_us)
        if state.cools:
            running.cold, runnable.estimate.ran = cold, True
            processor.rested_us = running.due_us
        state.tasks[number] = processor.running = running
        del state.idle[index]
        for job in jobs:
            if not job.started:
                job.started = True
                state.unstarted -= 1
                if self._admission is not None:
                    self._admission.started(job)
            job.running |= runnable.units
            job.tasks.append(running)
            job.view = None
        if model.chain or not model.plans.ready_units(lead.finished, lead.running):
            state.queue.discard(lead)
        self.commands.append(_new(Run, (task,)))
        return True

    def finished(self, running: RunningTask) -> None:
        """Take the end of a task: its units are finished, its jobs complete or wait again."""
        units, complete = running.runnable.units, running.model.all_units
        number, _, processor, *_ = running.task
        jobs, fronts, front = running.jobs, running.fronts, (number, processor)
        for job in jobs:
            job.tasks.remove(running)
            job.running ^= units
            job.finished |= units
            job.done += ((units, number),)
            if job.fronts == fronts:
                job.fronts = (front,)
            else:
                job.fronts = (*(f for f in job.fronts if f not in fronts), front)
            job.view = None
        for job in jobs if len(jobs) == 1 else jobs.copy():
            if job.finished == complete:
                self.end(job, JobOutcome.COMPLETED, "")
            else:
                self.requeue(job)

    def failed(self, running: RunningTask, reason: str) -> None:
        """End the jobs of a task that could not finish."""
        for job in running.jobs.copy():
            job.tasks.remove(running)
            self.end(job, JobOutcome.FAILED, reason)

    def lost(self, running: RunningTask) -> None:
        """Put the units of a task back whose processor went down; finished ones stay finished."""
        for job in running.jobs:
            job.tasks.remove(running)
            job.running ^= running.runnable.units
            job.view = None
        for job in running.jobs.copy():
            if not job.finished and not job.running:
                job.leave_merged_run()
            self.requeue(job)

    def restart(self, job: Job) -> None:
        """Run a job from its start: the units it has finished do not exist any more."""
        self._abandon_tasks(job)
        job.restart()
        job.leave_merged_run()
        self.requeue(job)

    def requeue(self, job: Job) -> None:
        """Let a job wait if some of its units can run, drop it if it can never finish.

        A job that cannot go on from where it is, but could from its start, begins again: a table
        holds the slices of whole plans, not a way out of every place in the middle of one.
        """
        model, finished, running = job.model, job.finished, job.running
        if finished == model.all_units or job.id not in self._state.jobs:
            return
        if not model.plans.can_finish(finished | running, job.pin):
            if finished | running and model.plans.can_finish(0, job.pin):
                self.restart(job)
            else:
                self.drop(job, DropReason.NO_PROCESSOR)
        elif model.plans.has_ready_units(finished, running) and (not job.group or job.leads):
            self._state.queue.add(job)
        else:
            self._state.queue.discard(job)

    def cancel(self, number: int) -> None:
        """End a job that its app no longer wants; an unknown or ended one is ignored."""
        job = self._state.jobs.get(number)
        if job is not None:
            self.end(job, JobOutcome.CANCELLED, "")

    def drop(self, job: Job, reason: DropReason) -> None:
        """End a job that will not run to its end."""
        self.end(job, JobOutcome.DROPPED, reason)

    def end(self, job: Job, outcome: JobOutcome, reason: str) -> None:
        """End a job, once; the tasks that only it wanted are abandoned."""
        state = self._state
        del state.jobs[job.id]
        state.queue.discard(job)
        if not job.started:
            state.unstarted -= 1
        if self._admission is not None:
            self._admission.ended(job)
        if job.tasks:
            self._abandon_tasks(job)
        self._finish(job.id, outcome, reason)
        if job.group:
            rest = tuple(other for other in job.group if other is not job)
            for other in rest:
                other.group = rest if len(rest) > 1 else ()
                other.view = None
            self.requeue(rest[0])

    def _abandon_tasks(self, job: Job) -> None:
        for running in job.tasks:
            running.jobs.remove(job)
            if not running.jobs:
                self.commands.append(Abandon(running.task.id))
        job.tasks.clear()

    def _merge(self, model: RegisteredModel, jobs: Sequence[Job]) -> list[Job]:
        """Let jobs share a run of a merged model; the first in the queue stands for all."""
        ordered = sorted(jobs, key=lambda job: job.order)
        for job in ordered:
            self._state.queue.discard(job)
            job.model = model
            job.group = tuple(ordered) if len(ordered) > 1 else ()
        self._state.queue.add(ordered[0])
        return ordered

    def _finish(self, job: int, outcome: JobOutcome, reason: str) -> None:
        name = f"{outcome}:{reason}" if outcome is JobOutcome.DROPPED else outcome.value
        self.ended[name] += 1
        self.commands.append(_new(Finish, (job, outcome, reason)))


def _reads(lead: Job, model: RegisteredModel, runnable: Runnable, processor: int) -> Reads:
    """Return what a further task of a job reads."""
    fronts, transfer_us = lead.fronts, 0
    if model.chain and len(fronts) == 1:
        predecessors: tuple[int, ...] = (fronts[0][0],)
    else:
        needs = runnable.needs
        predecessors = tuple([task for units, task in lead.done if units & needs])
        fronts = tuple([f for f in fronts if f[0] in predecessors]) or fronts
    if model.transfers:
        row = model.table.transfer_us[runnable.span.first]
        transfer_us = max([row[holder][processor] for _, holder in fronts])
    return fronts, predecessors, transfer_us
