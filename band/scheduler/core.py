"""The scheduler core: ``handle(event, now_us) -> commands``. No clock, no I/O, no randomness.

The same core runs in the live engine, in the simulator and in decision replay; only what feeds it
differs. Each event is applied to the state, expired jobs are dropped, and then the policy makes
passes over the waiting jobs until it makes no more progress.
"""

from collections.abc import Sequence
from typing import Final, assert_never

from band.scheduler.alarms import Alarms
from band.scheduler.commands import Command, WakeAt
from band.scheduler.events import (
    AdviceReady,
    Cancelled,
    Event,
    ModelAdded,
    ModelRemoved,
    PolicyOverran,
    PolicySwapped,
    RequestArrived,
    SliceEvicted,
    SliceLoaded,
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
from band.scheduler.passes import MakePolicy, PolicyInForce
from band.scheduler.policy import Decision, Defer, Dispatch, Drop
from band.scheduler.state import CoreState
from band.scheduler.validate import InvalidDecisionError, check_defer, check_drop, check_task

_SEQUENCES: Final = (tuple, list)


class Core:
    """Decides what runs where and when.

    Args:
        make_policy: makes the policy that a PolicySwapped names; see ``loader.make_policy``.
        options: settings.
    """

    def __init__(self, *, make_policy: MakePolicy, options: CoreOptions | None = None) -> None:
        options = options or CoreOptions()
        self._state = CoreState()
        self._alarms = Alarms()
        self._lifecycle = Lifecycle(self._state, self._alarms, options)
        self._membership = Membership(self._state, self._lifecycle)
        self._policy = PolicyInForce(make_policy, options)

    def handle(self, event: Event, now_us: int) -> list[Command]:
        """Apply one event and return what the driver must do, in order.

        Never raises for what an event says: unknown or late ids are ignored, and a job that cannot
        run ends with a reason. Every RequestArrived leads to exactly one Finish.

        Args:
            event: what happened.
            now_us: when; never less than in an earlier call.
        """
        commands: list[Command] = []
        alarms = self._alarms
        self._lifecycle.commands = commands
        self._apply(event, now_us)
        if alarms.needed:
            self._lifecycle.expire(now_us)
        if self._state.queue.entries:
            self._make_passes(now_us)
        if alarms.needed:
            at_us = alarms.ask(self._waits)
            if at_us is not None:
                commands.append(WakeAt(at_us))
        return commands

    @property
    def policy(self) -> str:
        """Return the name of the policy in force."""
        return self._policy.name

    def status(self) -> CoreStatus:
        """Return a picture of the core."""
        state, policy = self._state, self._policy
        return CoreStatus(
            policy=policy.name,
            requested=policy.requested,
            replaced=bool(policy.reason),
            reason=policy.reason,
            reports=tuple(policy.reports),
            waiting=len(state.queue.entries),
            running=len(state.tasks),
            jobs=len(state.jobs),
            ended=dict(self._lifecycle.ended),
            versions={name: model.full.version for name, model in state.models.items()},
            up=tuple(sorted(state.up())),
        )

    def check_invariants(self) -> None:
        """Check what must always hold.

        Raises:
            InvariantError: it does not; the sentence says what is wrong.
        """
        check_invariants(self._state)

    def _apply(self, event: Event, now_us: int) -> None:  # noqa: PLR0912 - one case an event
        match event:
            case TaskFinished():
                running = self._state.take_task(event.task)
                if running is not None and running.jobs:
                    running.model.learn(running.runnable, event.run_us)
                    self._lifecycle.finished(running)
            case RequestArrived():
                self._lifecycle.arrive(event, now_us)
            case Tick():
                self._alarms.ticked(now_us)
            case TaskFailed():
                running = self._state.take_task(event.task)
                if running is not None:
                    self._lifecycle.failed(running, event.reason)
            case Cancelled():
                self._lifecycle.cancel(event.request)
            case ModelAdded():
                self._membership.add_model(event)
            case ModelRemoved():
                self._membership.remove_model(event.model)
            case SliceLoaded():
                self._membership.load(event)
            case SliceEvicted():
                self._membership.evict(event)
            case WorkerUp():
                self._membership.worker_up(event)
            case WorkerDown():
                self._membership.worker_down(event.processor)
            case PolicySwapped():
                self._policy.swap(event, now_us)
            case PolicyOverran():
                if event.name == self._policy.name:
                    reason = f"a pass took {event.elapsed_us} us, over its time budget"
                    self._policy.replace(reason, now_us)
            case AdviceReady():
                self._policy.advised(event.policy, event.payload)
            case _:
                assert_never(event)

    def _make_passes(self, now_us: int) -> None:
        """Let the policy plan until it makes no progress or nothing is idle or waiting."""
        state, policy = self._state, self._policy
        while state.queue.entries:
            try:
                decisions = policy.plan(state, now_us)
            except Exception as error:  # noqa: BLE001 - foreign code: it may raise anything
                reason = f"it raised {type(error).__name__}: {error}"
            else:
                progress, reason = self._carry_out(decisions, now_us)
                if progress and not reason and state.idle:
                    continue
                reason = reason or self._stall()
            if not reason:
                return
            was_default = policy.is_default
            policy.replace(reason, now_us)
            if was_default:
                return

    def _stall(self) -> str:
        """Return what is wrong if nothing but a new event from outside can end the waiting jobs.

        This is what makes every accepted job end: it waits only while a task runs or a tick comes.
        """
        state = self._state
        if state.tasks or not state.queue.entries or self._alarms.pending(self._waits):
            return ""
        return f"it left {len(state.queue.entries)} jobs waiting though every processor is idle"

    def _carry_out(self, decisions: Sequence[Decision], now_us: int) -> tuple[bool, str]:
        """Carry out decisions up to the first invalid one.

        Returns:
            Whether a job was dispatched or dropped, and what is wrong ("" if nothing).
        """
        state, progress = self._state, False
        try:
            for decision in decisions:
                if isinstance(decision, Dispatch) and isinstance(decision.tasks, _SEQUENCES):
                    for spec in decision.tasks:
                        checked = check_task(state, spec)
                        self._lifecycle.dispatch(spec.slice, *checked, now_us)
                        progress = True
                elif isinstance(decision, Drop):
                    self._lifecycle.drop(check_drop(state, decision), decision.reason)
                    progress = True
                elif isinstance(decision, Defer):
                    check_defer(state, decision, now_us)
                    if decision.until_us is not None:
                        self._alarms.need(decision.until_us, decision.job)
                else:
                    return progress, f"it decided {decision!r}, which is no decision"
        except InvalidDecisionError as error:
            return progress, f"invalid decision: {error}"
        return progress, ""

    def _waits(self, number: int) -> bool:
        job = self._state.jobs.get(number)
        return job is not None and job.queued

    def __repr__(self) -> str:
        state = self._state
        return f"<Core {self._policy.name} jobs={len(state.jobs)} tasks={len(state.tasks)}>"
