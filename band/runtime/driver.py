"""The live driver of the core: what happens becomes events, commands become work for workers.

Nothing here decides anything. Every event gets its time when it is handled, never going back, so
the recorded inbox replays exactly.
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar, assert_never

from band.clock import MonotonicClock
from band.metrics.recorder import Recorder
from band.metrics.records import RequestRecord, TaskRecord
from band.plan.task import Task
from band.runtime.advisor import Advisor
from band.runtime.agenda import Agenda, Step
from band.runtime.delivery import Delivery
from band.runtime.futures import InferResult
from band.runtime.live import LiveJob
from band.runtime.memory import BufferPool
from band.runtime.mover import Mover
from band.runtime.orders import OrderBook
from band.runtime.outcomes import error_of
from band.runtime.overrun import OverrunWatch
from band.runtime.reports import Done, Down, Failed, Report, Up
from band.runtime.room import Room
from band.runtime.stats import Counters
from band.runtime.workforce import Post
from band.scheduler.commands import (
    Abandon,
    Advise,
    Command,
    Evict,
    Finish,
    JobOutcome,
    Load,
    Run,
    WakeAt,
)
from band.scheduler.core import Core
from band.scheduler.events import (
    Cancelled,
    Event,
    PolicySwapped,
    TaskFailed,
    TaskFinished,
    Tick,
    WorkerDown,
)
from band.sim.advise import advice_task

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Driver:
    """Runs a core on the machine's time.

    Args:
        core: decides; only the steps of the agenda call it.
        clock: device time.
        pool: boundary buffers.
        delivery: tells the outside.
        recorder: is given every event with its commands, in order.
        watch: measures the policy; None for no time budget.
        default_priority: what priority 0 is recorded as.
        delivered: called in the delivery thread after a request's result is out.

    Attributes:
        counters: of what has ended; read them through :meth:`ask`.
    """

    def __init__(
        self,
        *,
        core: Core,
        clock: MonotonicClock,
        pool: BufferPool,
        delivery: Delivery,
        recorder: Recorder | None,
        watch: OverrunWatch | None,
        default_priority: int,
        delivered: Callable[[], None],
    ) -> None:
        self.counters = Counters()
        self._core = core
        self._clock = clock
        self._pool = pool
        self._delivery = delivery
        self._recorder = recorder
        self._watch = watch
        self._default_priority = default_priority
        self._delivered = delivered
        self._posts: Mapping[int, Post] = {}
        self._mover: Mover
        self._room: Room
        self._advisor: Advisor
        self._down: dict[int, str] = {}
        self._jobs: dict[int, LiveJob] = {}
        self._orders = OrderBook(pool, self._task_ended)
        self._now_us = self._pool_bytes = 0
        self._out: list[Callable[[], None]] = []
        self._agenda = Agenda(clock, self._perform, lambda: self._handle(Tick()))

    def start(
        self,
        posts: Mapping[int, Post],
        mover: Mover,
        room: Room,
        advisor: Advisor,
        policy: PolicySwapped,
    ) -> None:
        """Start the thread; the first events put the policy in force and the workers up.

        Args:
            posts: the workers.
            mover: loads and evicts slices.
            room: knows what slices may take.
            advisor: answers what the policy wants to know.
            policy: the policy.
        """
        self._posts, self._mover, self._room, self._advisor = posts, mover, room, advisor
        opening: list[Event] = [policy, *(post.up for post in posts.values())]
        for event in opening:
            self._agenda.put(partial(self._handle, event))
        self._agenda.start()

    def stop(self) -> None:
        """End every request that is under way as cancelled. May be called again."""
        self._agenda.ask(self._cancel_all)
        self._agenda.end()

    def submit(self, job: LiveJob) -> None:
        """Let a request arrive. Not after :meth:`stop`."""
        self._agenda.put(partial(self._arrive, job))

    def post(self, event: Event) -> None:
        """Let an event happen; nothing happens any more after :meth:`stop`."""
        self._agenda.put(partial(self._handle, event))

    def report(self, report: Report) -> None:
        """Take what a worker says."""
        self._agenda.put(partial(self._reported, report))

    def ask(self, question: Callable[[Core], T]) -> T:
        """Return what a function of the core returns, after all that was put before is done."""
        return self._agenda.ask(lambda: question(self._core))

    def down(self) -> tuple[str, ...]:
        """Return the names of the processors that are down."""
        return tuple(self._down.values())

    def _perform(self, step: Step) -> None:
        try:
            step()
        except Exception:  # noqa: BLE001 - an error of ours: no request may hang by it
            _log.exception("scheduler step failed step=%r", step)
            for number in tuple(self._jobs):
                self._end(Finish(number, JobOutcome.FAILED, "internal error, see the log"))
        if self._out:  # after the step, so that the workers are woken first
            self._delivery.put(self._out)
            self._out = []

    def _time_us(self) -> int:
        """Return the time now; never less than before."""
        self._now_us = max(self._now_us, self._clock.now_us())
        return self._now_us

    def _handle(self, event: Event) -> None:
        self._handle_at(event, self._time_us())

    def _handle_at(self, event: Event, now_us: int) -> None:
        watch = self._watch
        if watch is not None:
            watch.start()
        commands = self._core.handle(event, now_us)
        overran = watch.stop(event, self._core.policy) if watch is not None else None
        if self._recorder is not None:
            self._out.append(partial(self._recorder.record, now_us, event, commands))
        for command in commands:
            self._carry_out(command, now_us)
        if overran is not None:
            _log.warning("policy overran policy=%s elapsed_us=%d", *overran)
            self._handle(overran)

    def _carry_out(self, command: Command, now_us: int) -> None:
        match command:
            case Run(task):
                self._run(task, now_us)
            case Finish():
                self._end(command)
            case WakeAt(at_us):
                self._agenda.wake_at(at_us)
            case Abandon():
                pass  # a slice cannot be stopped; its result goes nowhere when it comes
            case Load():
                self._mover.load(command)
            case Evict():
                self._mover.evict(command)
            case Advise(policy):
                self._advisor.ask(advice_task(self._core, policy, now_us))
            case _:
                assert_never(command)

    def _cancel_all(self) -> None:
        for number in tuple(self._jobs):
            self._handle(Cancelled(number))

    def _arrive(self, job: LiveJob) -> None:
        self._jobs[job.event.request] = job
        self._handle(job.event)

    def _run(self, task: Task, now_us: int) -> None:
        post = self._posts[task.processor]
        order = self._orders.open(task, self._jobs[task.jobs[0]], post.up, now_us)
        if len(task.jobs) > 1:
            self.report(Failed(task.id, "slices that serve several requests do not run live"))
        else:
            post.worker.run(order)

    def _reported(self, report: Report) -> None:
        now_us = self._time_us()
        match report:
            case Done(task, result):
                if self._orders.done(task, result, now_us):
                    event = TaskFinished(task, result.run_us, result.transfer_us)
                    self._handle_at(event, now_us)
                    if self._pool.total_bytes != self._pool_bytes:
                        self._divide_anew()
            case Failed(task, reason):
                self._orders.lose(task, now_us)
                self._handle_at(TaskFailed(task, reason), now_us)
            case Down(processor, reason):
                self._lost(processor, reason, now_us)
            case Up(processor):
                _log.info("processor is up again processor=%s", self._down.pop(processor))
                self._handle_at(self._posts[processor].up, now_us)
            case _:
                assert_never(report)

    def _lost(self, processor: int, reason: str, now_us: int) -> None:
        """Take a processor out; the core runs elsewhere what it had."""
        worker, _, up = self._posts[processor]
        _log.warning("processor is down processor=%s reason=%s", up.name, reason)
        self._down[processor] = up.name
        worker.forget_orders()
        for task in self._orders.on(processor):
            self._orders.lose(task, now_us)
        self._handle_at(WorkerDown(processor, reason), now_us)

    def _divide_anew(self) -> None:
        """Tell the core that boundary buffers take more or less of the memory than before."""
        self._pool_bytes = self._pool.total_bytes
        change = self._room.change()
        if change is not None:
            self._handle(change)

    def _task_ended(self, record: TaskRecord) -> None:
        self.counters.task(record)
        self._out.append(partial(self._delivery.observe, record))

    def _end(self, finish: Finish) -> None:
        job = self._jobs.pop(finish.job, None)
        if job is None:
            return  # it ended before, by an error of ours
        priority = job.event.priority or self._default_priority
        record = job.end(finish, self._time_us(), priority, self._pool)
        self.counters.request(record)
        done = finish.outcome is JobOutcome.COMPLETED
        answer = self._result(job, record) if done else error_of(record, self.down())
        self._out.append(partial(self._deliver, job, record, answer))

    def _result(self, job: LiveJob, record: RequestRecord) -> InferResult:
        return InferResult(
            outputs=job.outputs(),
            record=record,
            tasks=tuple(job.records),
            policy=self._core.policy,
            word=next((task.word for task in job.records if task.word), ""),
        )

    def _deliver(
        self, job: LiveJob, record: RequestRecord, answer: InferResult | Exception
    ) -> None:
        """Tell observers, then whoever waits for the result. Runs in the delivery thread."""
        future = job.future
        future.record, future.tasks = record, tuple(job.records)
        self._delivery.observe(record)
        if isinstance(answer, InferResult):
            future.set_result(answer)
        else:
            future.set_exception(answer)
        self._delivered()

    def __repr__(self) -> str:
        return f"<Driver jobs={len(self._jobs)} tasks={len(self._orders)} down={self.down()}>"
