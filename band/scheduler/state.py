"""The mutable state of the core: jobs, tasks, processors, models, the waiting queue.

Only ``Core.handle`` changes it. ``invariants`` says what always holds.
"""

from typing import Final

from mypy_extensions import mypyc_attr

from band.plan.hops import DOWN_US
from band.plan.task import Task
from band.scheduler.events import RequestArrived
from band.scheduler.registered import RegisteredModel, Runnable
from band.scheduler.slice_books import SliceBooks
from band.scheduler.view import JobView
from band.scheduler.waiting import WaitingQueue

_new: Final = tuple.__new__  # a NamedTuple's own constructor takes twice as long


@mypyc_attr(allow_interpreted_subclasses=True)
class Job:
    """One accepted request until it ends.

    Attributes:
        order: (class, arrival number), the place in the queue.
        model: whose table its masks refer to; a merged model's after its first merged task.
        home: the model that was asked for.
        finished, running: masks of units.
        fronts: (task, processor) of finished tasks whose outputs are still at that processor.
        done: (units, task) of its finished tasks, for the edges of the plan.
        tasks: its running tasks.
        pin: index of the processor it must run on, or -1.
        group: all jobs that share its merged run, itself included; empty for a plain job.
        started: it has been dispatched at least once.
        queued: it is in the waiting queue.
        view: what policies see of it, None after a change.
    """

    __slots__ = (
        "arrived_us",
        "done",
        "finished",
        "fronts",
        "group",
        "home",
        "id",
        "model",
        "order",
        "pin",
        "queued",
        "request",
        "running",
        "started",
        "tasks",
        "view",
    )

    def __init__(
        self,
        request: RequestArrived,
        model: RegisteredModel,
        order: tuple[int, int],
        pin: int,
        now_us: int,
    ) -> None:
        self.id = request.request
        self.request = request
        self.arrived_us = now_us
        self.order = order
        self.home = model
        self.model = model
        self.pin = pin
        self.started = False
        self.queued = False
        self.tasks: list[RunningTask] = []
        self.group: tuple[Job, ...] = ()
        self.restart()

    def restart(self) -> None:
        """Forget all progress: nothing of it runs, nothing is finished."""
        self.finished = 0
        self.running = 0
        self.fronts: tuple[tuple[int, int], ...] = ()
        self.done: tuple[tuple[int, int], ...] = ()
        self.view: JobView | None = None

    def leave_merged_run(self) -> None:
        """Go back to the model that was asked for; only a job without progress may."""
        self.model = self.home
        self.group = ()
        self.view = None

    @property
    def leads(self) -> bool:
        """Return whether it stands in the queue for its group (a plain job always does)."""
        return not self.group or self.group[0] is self

    def make_view(self) -> JobView:
        """Return what policies see of the job, and keep it until the next change.

        The holder is the processor of the task that finished last.
        """
        request, fronts, group = self.request, self.fronts, self.group
        self.view = _new(
            JobView,
            (
                self.id,
                self.model.name,
                request.stream,
                request.frame,
                self.order[0],
                self.arrived_us,
                request.deadline_us,
                self.finished,
                self.running,
                fronts[-1][1] if fronts else -1,
                self.pin,
                tuple([job.id for job in group[1:]]) if group else (),
                request.app,
            ),
        )
        return self.view

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.model.name} finished={self.finished:b}>"


@mypyc_attr(allow_interpreted_subclasses=True)
class RunningTask:
    """A task on its processor.

    Attributes:
        jobs: the jobs that still want its result; empty once it is abandoned.
        fronts: (task, processor) of the finished tasks whose outputs it took over.
        due_us: when it should end.
        cold: its run time teaches the cold mean.
    """

    __slots__ = ("cold", "due_us", "fronts", "jobs", "model", "runnable", "started_us", "task")

    def __init__(
        self,
        task: Task,
        runnable: Runnable,
        model: RegisteredModel,
        jobs: list[Job],
        fronts: tuple[tuple[int, int], ...],
        now_us: int,
    ) -> None:
        self.task = task
        self.runnable = runnable
        self.model = model
        self.jobs = jobs
        self.fronts = fronts
        self.started_us = now_us
        self.due_us = now_us + task.predicted_us
        self.cold = False

    def wait_us(self, now_us: int) -> int:
        """Return the time until it should end, at least 1."""
        wait_us = self.due_us - now_us
        return wait_us if wait_us > 0 else self.residual_us(now_us)

    def residual_us(self, now_us: int) -> int:
        """Return what is expected to remain once it has overrun its prediction, else 0.

        That is up to the span's 95th percentile, and past it as much again as the task is late: a
        processor that hangs looks worse and worse, so that jobs turn to the others. Never less
        than a tenth of the prediction: the task is busy, not gone.
        """
        if now_us < self.due_us:
            return 0
        p95_us = self.task.transfer_us + round(self.runnable.estimate.p95_us)
        off_us = abs(max(self.due_us, self.started_us + p95_us) - now_us)
        return max(off_us, self.task.predicted_us // 10, 1)

    def __repr__(self) -> str:
        return f"<RunningTask {self.task.id} processor={self.task.processor} due={self.due_us}>"


@mypyc_attr(allow_interpreted_subclasses=True)
class ProcessorState:
    """One processor that has been up at least once.

    Attributes:
        capacity_bytes: memory it has for slices, loaded ones included.
        running: its task, None when it has none.
        cold_after_us: so long without a task, its next one runs cold; None if never.
        rested_us: when its last task ended, None if it has had none since it came up.
    """

    __slots__ = (
        "capacity_bytes", "cold_after_us", "index", "kind", "name", "rested_us", "running", "up",
    )  # fmt: skip

    def __init__(self, index: int, name: str, kind: str, capacity_bytes: int) -> None:
        self.index = index
        self.name = name
        self.kind = kind
        self.capacity_bytes = capacity_bytes
        self.up = True
        self.running: RunningTask | None = None
        self.cold_after_us: int | None = None
        self.rested_us: int | None = None

    def __repr__(self) -> str:
        state = "down" if not self.up else "idle" if self.running is None else repr(self.running)
        return f"<Processor {self.name} {state}>"


@mypyc_attr(allow_interpreted_subclasses=True)
class CoreState:
    """Everything a core knows.

    Attributes:
        models: by name; a model that was removed is not here, though its last jobs may run.
        processors: by index.
        jobs: accepted and not ended, by id.
        tasks: on processors, by id.
        idle: those of them that are up and have no task.
        free_waits_us: per processor of the device 0 if it is up, ``DOWN_US`` if not.
        slices: what is being loaded and evicted.
        unstarted: jobs that wait for their first task.
        next_task, arrivals: counters for task ids and arrival numbers.
        cools: some processor runs cold after a rest.
    """

    __slots__ = (
        "arrivals", "cools", "free_waits_us", "idle", "jobs", "models", "next_task",
        "processors", "queue", "slices", "tasks", "unstarted",
    )  # fmt: skip

    def __init__(self) -> None:
        self.slices = SliceBooks()
        self.models: dict[str, RegisteredModel] = {}
        self.processors: dict[int, ProcessorState] = {}
        self.jobs: dict[int, Job] = {}
        self.tasks: dict[int, RunningTask] = {}
        self.queue = WaitingQueue()
        self.free_waits_us: list[int] = []
        self.idle: dict[int, ProcessorState] = {}
        self.unstarted = 0
        self.next_task = 0
        self.arrivals = 0
        self.cools = False

    def up(self) -> frozenset[int]:
        """Return the indices of the processors that are up."""
        return frozenset(p.index for p in self.processors.values() if p.up)

    def note_size(self, size: int) -> None:
        """Take the number of processors that a table or a worker knows of."""
        self.free_waits_us += [DOWN_US] * (size - len(self.free_waits_us))

    def take_task(self, number: int) -> RunningTask | None:
        """Return a task that is over and free its processor; None if it is not running."""
        running = self.tasks.pop(number, None)
        if running is not None:
            processor = self.processors[running.task.processor]
            processor.running = None
            self.idle[processor.index] = processor
        return running

    def free_bytes(self, processor: ProcessorState) -> int:
        """Return the memory for slices that is left on a processor: its own, and the device's."""
        free = processor.capacity_bytes - self.slices_bytes(processor.index)
        if self.slices.limit_bytes is not None:
            free = min(free, self.slices.limit_bytes - self.slices_bytes())
        return max(0, free)

    def slices_bytes(self, processor: int | None = None) -> int:
        """Return what slices take on one processor or on all, those coming and going included."""
        loaded = sum(
            size
            for model in self.models.values()
            for key, size in model.load_bytes.items()
            if processor in (None, key[2])
        )
        return loaded + self.slices.moving_bytes(processor)
