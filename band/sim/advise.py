"""Carries out an Advise: runs the policy's ``advise`` with simulations of the near future."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from band.errors import FOREIGN_ERRORS, described
from band.scheduler.advice import Rehearsed, Snapshot
from band.scheduler.core import Core, CoreCopy
from band.scheduler.events import AdviceReady, Json
from band.scheduler.policy import Advisor, Policy
from band.sim.rehearse import Stage, make_stage, rehearse

DEFAULT_SIMULATIONS: Final = 200
"""Budget of a policy whose ``Params`` has no ``simulations``."""

DEFAULT_HORIZON_US: Final = 1_000_000
"""How far simulations look ahead for a policy whose ``Params`` has no ``horizon_us``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceTask:
    """All that an advice depends on, apart from the core it is for: it may go to another process.

    Attributes:
        policy: name by which the policy was put in force.
        core: a copy.
        snapshot: of the same moment.
    """

    policy: str
    core: CoreCopy
    snapshot: Snapshot


def advice_task(core: Core, policy: str, now_us: int) -> AdviceTask:
    """Return what is needed to answer an Advise that the core has just commanded."""
    return AdviceTask(policy=policy, core=core.copy(), snapshot=core.snapshot(now_us))


def advise(task: AdviceTask, *, in_time: Callable[[], bool] = lambda: True) -> AdviceReady:
    """Return the policy's advice; what goes wrong is the reason why there is none.

    Args:
        task: made by :func:`advice_task`.
        in_time: whether there is time for another simulation; the number of simulations is
            limited by the policy's own parameter ``simulations`` in any case.
    """
    try:
        policy = task.core.make_policy(task.core.swapped)
        if not isinstance(policy, Advisor):
            return AdviceReady(task.policy, None, "it has no advise")
        params: Any = getattr(policy, "params", None)
        trials = _Trials(task, policy, params, in_time)
        payload = policy.advise(task.snapshot, params, trials.simulate, trials.budget)
        return AdviceReady(task.policy, plain(payload))
    except FOREIGN_ERRORS as error:
        return AdviceReady(task.policy, None, f"its advise raised {described(error)}")


def plain(payload: Any) -> Json:
    """Return a payload as a record of it reads: plain data with tuples for lists.

    So a policy is given the same thing in a run and in its replay.

    Raises:
        TypeError: it is not plain JSON data.
    """
    if payload is None or isinstance(payload, bool | int | str):
        return payload
    if isinstance(payload, float):
        if not math.isfinite(payload):
            raise TypeError("a payload holds a number that JSON cannot write; use None")
        return payload
    if isinstance(payload, list | tuple):
        return tuple(plain(item) for item in payload)
    if isinstance(payload, Mapping) and all(isinstance(key, str) for key in payload):
        return {key: plain(value) for key, value in payload.items()}
    raise TypeError(f"a payload holds a {type(payload).__name__}; use plain JSON data")


class _Trials:
    """The simulations of one advice.

    Attributes:
        budget: how many there may be.
    """

    def __init__(
        self, task: AdviceTask, policy: Policy, params: Any, in_time: Callable[[], bool]
    ) -> None:
        self._task = task
        self._kind: Callable[[Any], Any] = type(policy)
        self._params = params
        self._in_time = in_time
        self._stage: Stage | None = None
        self._done = 0
        self.budget: int = getattr(params, "simulations", DEFAULT_SIMULATIONS)

    def simulate(self, payload: Json) -> Rehearsed | None:
        """Play the near future under a payload; None once the budget is spent."""
        if self._done >= self.budget or not self._in_time():
            return None
        self._done += 1
        if self._stage is None:
            horizon_us = getattr(self._params, "horizon_us", DEFAULT_HORIZON_US)
            margin = getattr(self._params, "load_margin", 0.0)
            self._stage = make_stage(self._task.core, self._task.snapshot, horizon_us, margin)
        policy = self._kind(self._params)
        policy.advised(plain(payload))
        return rehearse(self._stage, policy)
