"""The policy in force: its passes over the waiting jobs, and its replacement when it fails.

A policy is foreign code. Whatever it raises and whatever it returns, the pass is not lost: the
default policy takes over at once, and the report says why.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from mypy_extensions import mypyc_attr

from band.errors import FOREIGN_ERRORS, BandError, described
from band.scheduler.alarms import Alarms
from band.scheduler.commands import JobOutcome
from band.scheduler.core_view import CoreView
from band.scheduler.events import AdviceReady, PolicyOverran, PolicySwapped
from band.scheduler.lifecycle import Lifecycle
from band.scheduler.options import CoreOptions, PolicyReport
from band.scheduler.policy import (
    Advisor,
    Decision,
    Defer,
    Dispatch,
    Drop,
    Observed,
    Outspoken,
    Policy,
)
from band.scheduler.state import CoreState
from band.scheduler.validate import InvalidDecisionError, check_defer, check_drop, check_task

MakePolicy = Callable[[PolicySwapped], Policy]

_SEQUENCES: Final = (tuple, list)
_MOST_TICKS: Final = 1_000


@mypyc_attr(allow_interpreted_subclasses=True)
class Passes:
    """Which policy decides, which one was asked for, what went wrong, and the passes themselves.

    Attributes:
        name: of the policy in force.
        requested: name of the policy asked for last.
        reason: why that one was replaced, "" if it was not.
        reports: what went wrong with policies, oldest first.
        window: how many waiting jobs the policy sees.
        advisor: the policy in force, if it has an ``advise``.
        event: put the policy in force that is.
        ticks: how many have come one after the other, with no other event and no progress.
    """

    def __init__(
        self,
        state: CoreState,
        lifecycle: Lifecycle,
        alarms: Alarms,
        make_policy: MakePolicy,
        options: CoreOptions,
    ) -> None:
        self._state = state
        self._lifecycle = lifecycle
        self._shaping = lifecycle.shaping
        self._alarms = alarms
        self._make_policy = make_policy
        self._options = options
        self._policy: Policy | None = None
        self._is_default = False
        self.name = options.default_policy
        self.requested = options.default_policy
        self.reason = ""
        self.reports: list[PolicyReport] = []
        self.window = options.window
        self.advisor: Policy | None = None
        self.event = PolicySwapped(options.default_policy, "")
        self.ticks = 0
        self._advice_failed = False

    def swap(self, event: PolicySwapped, now_us: int) -> None:
        """Put a policy in force; one that cannot be made is replaced by the default policy."""
        self.requested, self.reason = event.name, ""
        try:
            self._install(event)
        except FOREIGN_ERRORS as error:
            self.name = event.name
            self.replace(_sentence(error), now_us)

    def replace(self, reason: str, now_us: int) -> None:
        """Put the default policy in force instead of one that failed."""
        self.reports.append(PolicyReport(self.name, reason, now_us))
        self.reason = reason
        self._install_default(now_us)

    def overran(self, event: PolicyOverran, now_us: int) -> None:
        """Replace a policy that took too long. Nothing can replace the replacement."""
        if event.name == self.name and not self._is_default:
            reason = f"a pass took {event.elapsed_us} us, over its time budget"
            self.replace(reason, now_us)

    def advised(self, advice: AdviceReady, now_us: int) -> None:
        """Hand over what the policy's ``advise`` returned, if it is still in force.

        Advice that failed is reported once; the policy goes on with what it has.
        """
        policy = self._policy
        if advice.policy != self.name or not isinstance(policy, Advisor):
            return
        if advice.reason and not self._advice_failed:
            self._advice_failed = True
            self.reports.append(PolicyReport(self.name, advice.reason, now_us, replaced=False))
        if advice.payload is not None:
            try:
                policy.advised(advice.payload)
            except FOREIGN_ERRORS as error:
                self.replace(f"its advised raised {described(error)}", now_us)

    def take_over(self, other: "Passes", policy: Policy | None) -> None:
        """Go on where other passes are, with another instance of their policy.

        It is not asked for advice.
        """
        self._policy, self._is_default = policy, other._is_default
        self.name, self.window, self.event = other.name, other.window, other.event

    def statistics(self) -> dict[str, float]:
        """Return what the policy in force says of itself; empty if nothing, or if it fails to."""
        policy = self._policy
        try:
            if not isinstance(policy, Observed):
                return {}
            return {
                str(name): value
                for name, value in dict(policy.statistics()).items()
                if isinstance(value, int | float) and math.isfinite(value)
            }
        except FOREIGN_ERRORS:  # a status is no place to fail
            return {}

    def notes(self) -> tuple[str, ...]:
        """Return what the policy in force has to say; nothing if it fails to."""
        policy = self._policy
        try:
            if not isinstance(policy, Outspoken):
                return ()
            return tuple(str(note) for note in policy.notes())
        except FOREIGN_ERRORS:  # a status is no place to fail
            return ()

    def run(self, now_us: int) -> None:
        """Let the policy plan until it makes no progress or nothing is idle or waiting."""
        state, shaping = self._state, self._shaping if self._shaping.active else None
        waiting = state.queue.entries
        if shaping is not None:
            shaping.begin()
        while waiting:
            policy = self._policy
            if policy is None:
                policy = self._install_default(now_us)
            if policy is None:
                self._give_up()
                return
            try:
                decisions = policy.plan(
                    CoreView(state, now_us, self.window)
                    if shaping is None
                    else shaping.view(now_us, self.window)
                )
            except FOREIGN_ERRORS as error:
                reason = f"it raised {described(error)}"
            else:
                progress, reason = self._carry_out(decisions, now_us)
                if progress:
                    self.ticks = 0
                elif shaping is not None:
                    progress = shaping.resume()
                if progress and not reason and state.idle:
                    continue
                reason = reason or self._stall()
            if not reason:
                return
            was_default = self._is_default
            self.replace(reason, now_us)
            if was_default:
                return

    def waits(self, number: int) -> bool:
        """Return whether a job is in the queue."""
        job = self._state.jobs.get(number)
        return job is not None and job.queued

    def _carry_out(self, decisions: Sequence[Decision], now_us: int) -> tuple[bool, str]:
        """Carry out decisions up to the first invalid one, or the first that is held back.

        Returns:
            Whether a job was dispatched, dropped or held back, and what is wrong ("" if nothing).
        """
        if not isinstance(decisions, _SEQUENCES):
            return False, f"it returned {decisions!r}, which is no sequence of decisions"
        state, lifecycle, progress = self._state, self._lifecycle, False
        found: Sequence[Any] = decisions  # foreign code made them: what is in them is unknown
        try:
            for decision in found:
                kind = type(decision)
                if kind is Dispatch and isinstance(decision[0], _SEQUENCES):
                    for spec in decision[0]:
                        try:
                            model, runnable, processor, jobs = check_task(state, spec)
                        except (TypeError, ValueError):
                            return progress, f"invalid decision: {spec!r} is no task"
                        if lifecycle.dispatch(spec[1], model, runnable, processor, jobs, now_us):
                            progress = True
                        elif self._shaping.replan:
                            return True, ""
                elif kind is Drop:
                    lifecycle.drop(*check_drop(state, decision))
                    progress = True
                elif kind is Defer:
                    job, until_us = check_defer(state, decision, now_us)
                    if until_us is not None:
                        self._alarms.need(until_us, job.id)
                else:
                    return progress, f"it decided {decision!r}, which is no decision"
        except InvalidDecisionError as error:
            return progress, f"invalid decision: {error}"
        return progress, ""

    def _stall(self) -> str:
        """Return what is wrong if nothing but a new event from outside can end the waiting jobs.

        This is what makes every accepted job end: it waits only while a task runs or a tick comes,
        and ticks alone do not go on for ever.
        """
        state = self._state
        if self._shaping.until_us is not None and state.queue.entries:
            self._alarms.need(self._shaping.until_us, state.queue.entries[0][1].id)
        if state.tasks or not state.queue.entries:
            return ""
        left = f"it left {len(state.queue.entries)} jobs waiting though every processor is idle"
        if not self._alarms.pending(self.waits):
            return left
        if self.ticks < _MOST_TICKS:
            return ""
        return f"{left}, over {self.ticks} ticks in a row"

    def _install(self, event: PolicySwapped) -> Policy:
        policy = self._make_policy(event)
        params: Any = getattr(policy, "params", None)
        window = getattr(params, "window", self._options.window)
        advisor = policy if isinstance(policy, Advisor) else None
        self.window, self._policy, self.advisor = window, policy, advisor
        self.event, self.name, self._is_default = event, event.name, False
        self.ticks, self._advice_failed = 0, False
        return policy

    def _install_default(self, now_us: int) -> Policy | None:
        """Put the default policy in force; None, reported once, if it cannot be made."""
        name = self._options.default_policy
        policy: Policy | None = None
        try:
            policy = self._install(PolicySwapped(name, "", ()))
        except FOREIGN_ERRORS as error:
            self._policy = self.advisor = None
            reason = f"the default policy {name!r} cannot be made: {_sentence(error)}"
            if self.reason != reason:
                self.reports.append(PolicyReport(name, reason, now_us))
            self.name, self.reason = name, reason
        self._is_default = True
        return policy

    def _give_up(self) -> None:
        """End every waiting job: there is no policy to decide, and none is left for ever."""
        waiting = self._state.queue.entries
        while waiting:
            self._lifecycle.end(waiting[0][1], JobOutcome.FAILED, self.reason)

    def __repr__(self) -> str:
        return f"<Passes {self.name} window={self.window} replaced={bool(self.reason)}>"


def _sentence(error: BaseException) -> str:
    return error.message if isinstance(error, BandError) else described(error)
