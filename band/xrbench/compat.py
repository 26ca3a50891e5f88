"""Compat mode: the release's own program, semantics and all, so that published results compare.

A closed replica of its event loop: it knows nothing of the core and takes only the release's
greedy rules. It copies what the release does where that is not what it describes: periods in whole
milliseconds, arrivals only at ticks of the fastest model and at completions, dependencies judged by
counts, dependents of dropped frames never dropped, the end as soon as every frame has arrived, no
waiting for a busy accelerator, single precision, and coins tossed at arrival.
"""

import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np

from band.config.suggestion import suggestion
from band.errors import BandError, ErrorCode
from band.xrbench.case import Case
from band.xrbench.costs import Cost
from band.xrbench.result import CaseResult, Mode
from band.xrbench.scenarios import ScenarioModel
from band.xrbench.scores import Inference, score

TOLERANCE_MS: Final = 0.01
"""A finish so near counts as finished."""

RULES: Final[Mapping[str, Callable[[Cost], float]]] = {
    "latency_greedy": lambda cost: cost.latency_ms,
    "energy_greedy": lambda cost: cost.energy_mj,
    "edp_greedy": lambda cost: cost.latency_ms * cost.energy_mj,
}
"""What each rule wants least of, among the accelerators that are idle."""


def run(case: Case, policy: str = "latency_greedy", *, seed: int = 0) -> CaseResult:
    """Return the scores that the release gives a case.

    Args:
        case: to play.
        policy: one of ``RULES``.
        seed: of a stochastic scenario's coins; the release takes the time of day.

    Raises:
        BandError: INVALID_REQUEST for another policy.
    """
    check(policy)
    loop = _Loop(case, RULES[policy], random.Random(seed))
    loop.run()
    models = [model.name for model in case.scenario.models]
    inferences = tuple(sorted(loop.done, key=lambda inference: inference.accelerator))
    return CaseResult(
        case=case,
        policy=policy,
        mode=Mode.COMPAT,
        scores=score(models, inferences, loop.dropped),
        inferences=inferences,
        dropped=loop.dropped,
    )


def check(policy: str) -> None:
    """Refuse a policy that this mode does not have.

    Raises:
        BandError: INVALID_REQUEST naming the mode that has it.
    """
    if policy not in RULES:
        hint = suggestion(policy, RULES, noun="policies of this mode")
        message = (
            f"compat mode replays the release's own greedy loop and cannot run '{policy}'; use "
            f"--mode correct, which takes any policy ({hint})"
        )
        raise BandError(ErrorCode.INVALID_REQUEST, message, policy=policy)


def single(value: float) -> float:
    """Return a number rounded to single precision."""
    return float(np.float32(value))


class _Frame(NamedTuple):
    """A frame in a queue. Times are single-precision milliseconds."""

    number: int
    injected_ms: float
    deadline_ms: float


class _Running(NamedTuple):
    """An inference on an accelerator, and its cost there."""

    model: str
    frame: _Frame
    started_ms: float
    finish_ms: float
    cost: Cost


class _Loop:
    """The state of the release's loop.

    Attributes:
        done: completed inferences in order of their completion.
        dropped: frames of each model.
    """

    def __init__(self, case: Case, rule: Callable[[Cost], float], coins: random.Random) -> None:
        self._case = case
        self._coins = coins
        self._costs = dict(zip((m.name for m in case.scenario.models), case.costs, strict=True))
        self._preferred = {
            model: sorted(range(len(costs)), key=lambda place: (rule(costs[place]), place))
            for model, costs in self._costs.items()
        }
        self._models = sorted(case.scenario.models, key=lambda model: model.name)
        self._queues: dict[str, deque[_Frame]] = {m.name: deque() for m in self._models}
        self._injected = dict.fromkeys(self._queues, 0)
        self._completed = dict.fromkeys(self._queues, -1)
        self._running: list[_Running | None] = [None] * len(case.setting.accelerators)
        self._now_ms = 0.0
        self.done: list[Inference] = []
        self.dropped = dict.fromkeys(self._queues, 0)

    def run(self) -> None:
        """Play until every frame has arrived; what waits or runs then is lost, as there."""
        tick_ms = 1000 // max(model.fps for model in self._models)
        ticks = 0
        while any(self._injected[model.name] < model.frames for model in self._models):
            self._inject()
            self._complete()
            self._drop()
            self._dispatch()
            next_tick_ms = single((ticks + 1) * tick_ms)
            ends_ms = [running.finish_ms for running in self._running if running]
            self._now_ms = min([next_tick_ms, *ends_ms])
            ticks += self._now_ms == next_tick_ms

    def _inject(self) -> None:
        """Queue at most one frame a model, however many are due."""
        for model in self._models:
            number = self._injected[model.name]
            if number < model.frames and single(model.period_ms * number) <= self._now_ms:
                self._injected[model.name] += 1
                if model.probability >= 1 or self._coins.random() < model.probability:
                    deadline_ms = single(model.period_ms * (number + 1))
                    self._queues[model.name].append(_Frame(number, self._now_ms, deadline_ms))

    def _complete(self) -> None:
        """Log what has finished, or will within the tolerance, with its planned finish."""
        for place, running in enumerate(self._running):
            if running and running.finish_ms <= single(self._now_ms + single(TOLERANCE_MS)):
                self._running[place] = None
                self._completed[running.model] += 1
                self.done.append(self._inference(place, running))

    def _drop(self) -> None:
        """Drop what waits at the head of its queue and is strictly late."""
        for name, queue in self._queues.items():
            while queue and queue[0].deadline_ms < self._now_ms:
                queue.popleft()
                self.dropped[name] += 1

    def _dispatch(self) -> None:
        """Start heads of queues, in order of the models' names, until none can start."""
        started = True
        while started and None in self._running:
            started = False
            for model in self._models:
                started |= self._start(model)

    def _start(self, model: ScenarioModel) -> bool:
        """Start a model's first frame on the idle accelerator that the rule likes best."""
        queue = self._queues[model.name]
        if not queue or any(self._completed[d] < queue[0].number for d in model.depends_on):
            return False
        idle = (place for place in self._preferred[model.name] if self._running[place] is None)
        place = next(idle, None)
        if place is None:
            return False
        cost = self._costs[model.name][place]
        finish_ms = single(self._now_ms + single(cost.latency_ms))
        frame = queue.popleft()
        self._running[place] = _Running(model.name, frame, self._now_ms, finish_ms, cost)
        return True

    def _inference(self, place: int, running: _Running) -> Inference:
        return Inference(
            accelerator=self._case.setting.accelerators[place].id,
            model=running.model,
            frame=running.frame.number,
            injected_ms=running.frame.injected_ms,
            dispatched_ms=running.started_ms,
            deadline_ms=running.frame.deadline_ms,
            completed_ms=running.finish_ms,
            energy_mj=running.cost.energy_mj,
            accuracy=running.cost.accuracy,
        )
