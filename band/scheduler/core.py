"""The scheduler core: ``handle(event, now_us) -> commands``. No clock, no I/O, no randomness.

The same core runs in the live engine, in the simulator and in decision replay; only what feeds it
differs. Each event is applied to the state, expired jobs are dropped, and then the policy makes
passes over the waiting jobs until it makes no more progress.
"""

from typing import Final, assert_never

from mypy_extensions import mypyc_attr

from band.plan.task import Task
from band.scheduler.advice import Snapshot
from band.scheduler.advising import Advising
from band.scheduler.alarms import Alarms
from band.scheduler.commands import Command, WakeAt
from band.scheduler.copies import copy_state
from band.scheduler.core_view import CoreView
from band.scheduler.events import (
    AdviceReady,
    Cancelled,
    Event,
    ModelAdded,
    ModelRemoved,
    PolicyOverran,
    PolicySwapped,
    RequestArrived,
    SliceBudget,
    SliceEvicted,
    SliceLoaded,
    StreamsDeclared,
    TaskFailed,
    TaskFinished,
    Tick,
    WorkerDown,
    WorkerUp,
)
from band.scheduler.invariants import check_invariants
from band.scheduler.lifecycle import Lifecycle
from band.scheduler.membership import Membership
from band.scheduler.options import CoreOptions, CoreStatus
from band.scheduler.passes import MakePolicy, Passes
from band.scheduler.policy import Policy
from band.scheduler.residency import Residency
from band.scheduler.state import CoreState

COMPILED: Final = not __file__.endswith(".py")
"""Whether this build of the core is the compiled one."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Core:
    """Decides what runs where and when.

    Args:
        make_policy: makes the policy that a PolicySwapped names; see ``loader.make_policy``.
        options: settings.
    """

    def __init__(self, *, make_policy: MakePolicy, options: CoreOptions | None = None) -> None:
        self._build(CoreState(), Alarms(), make_policy, options or CoreOptions())

    def _build(
        self, state: CoreState, alarms: Alarms, make_policy: MakePolicy, options: CoreOptions
    ) -> None:
        self._make_policy = make_policy
        self._options = options
        self._state = state
        self._alarms = alarms
        self._lifecycle = Lifecycle(state, alarms, options)
        self._residency = Residency(state, alarms, options)
        self._membership = Membership(state, self._lifecycle, self._residency)
        self._passes = Passes(state, self._lifecycle, alarms, make_policy, options)
        self._advising = Advising(state, options)

    def handle(self, event: Event, now_us: int) -> list[Command]:
        """Apply one event and return what the driver must do, in order.

        Never raises for what an event says: unknown or late ids are ignored, and a job that cannot
        run ends with a reason. Every RequestArrived leads to exactly one Finish.

        Args:
            event: what happened.
            now_us: when; never less than in an earlier call.
        """
        commands: list[Command] = []
        alarms, residency = self._alarms, self._residency
        lifecycle, passes = self._lifecycle, self._passes
        lifecycle.commands = commands
        passes.ticks = passes.ticks + 1 if isinstance(event, Tick) else 0
        self._apply(event, now_us)
        if residency.short:
            residency.make_room(commands, now_us)
        if alarms.needed:
            lifecycle.expire(now_us)
        if self._state.queue.entries:
            if self._options.gather and not isinstance(event, Tick):
                if alarms.ask_for(now_us):
                    commands.append(WakeAt(now_us))
                return commands
            if lifecycle.sheds:
                lifecycle.shed(now_us)
            passes.run(now_us)
        if residency.todo:
            residency.load_more(commands, now_us)
        if alarms.needed or alarms.background_us is not None:
            at_us = alarms.ask(passes.waits)
            if at_us is not None:
                commands.append(WakeAt(at_us))
        advisor = passes.advisor
        if advisor is not None:
            advise = self._advising.ask(advisor, passes.name, now_us)
            if advise is not None:
                commands.append(advise)
        return commands

    @property
    def policy(self) -> str:
        """Return the name of the policy in force."""
        return self._passes.name

    def status(self) -> CoreStatus:
        """Return a picture of the core."""
        state, passes = self._state, self._passes
        return CoreStatus(
            policy=passes.name,
            swapped=passes.event,
            requested=passes.requested,
            replaced=bool(passes.reason),
            reason=passes.reason,
            reports=tuple(passes.reports),
            waiting=len(state.queue.entries),
            running=len(state.tasks),
            jobs=len(state.jobs),
            ended=dict(self._lifecycle.ended),
            versions={name: model.full.version for name, model in state.models.items()},
            up=tuple(sorted(state.up())),
            slices=sum(len(model.loaded) for model in state.models.values()),
            slices_bytes=state.slices_bytes(),
            slices_limit_bytes=state.slices.limit_bytes,
            loads=state.slices.loads,
            evictions=state.slices.evictions,
            statistics=passes.statistics(),
            notes=passes.notes(),
        )

    def reclaimable_bytes(self, now_us: int) -> int:
        """Return the memory that evicting could free, once the tasks that run have ended."""
        return self._residency.reclaimable_bytes(now_us)

    def check_invariants(self) -> None:
        """Check what must always hold.

        Raises:
            InvariantError: it does not; the sentence says what is wrong.
        """
        check_invariants(self._state)

    def snapshot(self, now_us: int) -> Snapshot:
        """Return what a policy's ``advise`` is given."""
        state = self._state
        view = CoreView(state, now_us, len(state.queue.entries))
        return Snapshot(
            now_us=now_us,
            tables={name: model.table for name, model in state.models.items()},
            streams=self._advising.demand.streams(now_us),
            window=view.window,
            processors=tuple(view.processors),
        )

    def copy(self, policy: Policy | None = None) -> "CoreCopy":
        """Return a core to play the future with; whatever it does leaves this one as it is.

        Args:
            policy: decides in the copy, already advised; None for a copy that only waits to be
                copied again.
        """
        return CoreCopy(self, policy)

    def _apply(self, event: Event, now_us: int) -> None:  # noqa: PLR0912 - one case an event
        match event:
            case TaskFinished():
                running = self._state.take_task(event.task)
                if running is not None and running.jobs:
                    runnable = running.runnable
                    runnable.estimate.used_us = now_us
                    if running.cold:
                        running.model.learn_cold(runnable, event.run_us)
                    elif runnable.estimate.observe(event.run_us):
                        running.model.reprice(runnable)
                    self._lifecycle.finished(running)
            case RequestArrived():
                if self._passes.advisor is not None:
                    self._advising.demand.arrived(event, now_us)
                self._lifecycle.arrive(event, now_us)
                if self._residency.active:
                    self._residency.arrived(event, now_us)
            case Tick():
                self._alarms.ticked(now_us)
            case TaskFailed():
                if (running := self._state.take_task(event.task)) is not None:
                    self._lifecycle.failed(running, event.reason)
            case Cancelled():
                self._lifecycle.cancel(event.request)
            case ModelAdded():
                self._membership.add_model(event, now_us)
            case ModelRemoved():
                self._membership.remove_model(event.model, now_us)
            case SliceLoaded():
                self._membership.load(event, now_us)
            case SliceEvicted():
                self._membership.evict(event, now_us)
            case SliceBudget():
                self._residency.set_limit(event.slices_bytes, now_us)
            case WorkerUp():
                self._membership.worker_up(event, now_us)
            case WorkerDown():
                self._membership.worker_down(event.processor, now_us)
            case PolicySwapped():
                self._passes.swap(event, now_us)
            case PolicyOverran():
                self._passes.overran(event, now_us)
            case AdviceReady():
                if self._advising.answered(self._passes.advisor):
                    self._passes.advised(event, now_us)
            case StreamsDeclared():
                self._advising.demand.declare(event.streams)
            case _:
                assert_never(event)

    def __repr__(self) -> str:
        state = self._state
        return f"<Core {self._passes.name} jobs={len(state.jobs)} tasks={len(state.tasks)}>"


@mypyc_attr(allow_interpreted_subclasses=True)
class CoreCopy(Core):
    """A core that only plays: it learns nothing, loads nothing and asks for no advice.

    It takes arrivals, ends of tasks, cancellations and ticks.

    Args:
        core: to play on from.
        policy: decides; None for a copy that is only copied again.
    """

    def __init__(self, core: Core, policy: Policy | None) -> None:
        self._build(copy_state(core._state), core._alarms.copy(), core._make_policy, core._options)
        self._lifecycle.adopt()
        self._passes.take_over(core._passes, policy)

    @property
    def swapped(self) -> PolicySwapped:
        """Return what put the policy in force."""
        return self._passes.event

    @property
    def wakes_us(self) -> tuple[int, ...]:
        """Return when ticks are due that the original has asked for."""
        return self._alarms.asked

    @property
    def requests(self) -> tuple[RequestArrived, ...]:
        """Return the requests that have not ended."""
        return tuple(job.request for job in self._state.jobs.values())

    def running(self, now_us: int) -> tuple[tuple[Task, int], ...]:
        """Return each task under way and when it should end."""
        return tuple(
            (task.task, task.due_us if task.due_us >= now_us else now_us + task.wait_us(now_us))
            for task in self._state.tasks.values()
        )

    def make_policy(self, event: PolicySwapped) -> Policy:
        """Return the policy that an event names."""
        return self._make_policy(event)

    def _apply(self, event: Event, now_us: int) -> None:
        if isinstance(event, TaskFinished):
            running = self._state.take_task(event.task)
            if running is not None and running.jobs:
                self._lifecycle.finished(running)
        else:
            super()._apply(event, now_us)
