"""DREAM: MapScore of every (job, processor) pair, and smart frame drop.

Formula:
    MapScore(job, processor) = urgency x latency preference + ``alpha`` x starvation
                               + ``beta`` x energy preference, the highest first; class first.
    urgency = remaining / (deadline - now), between 0 and 1, 1 once it is late, 0 without deadline;
    latency preference = mean latency of the job's options / that of this one; starvation = time
    since arrival / latency of this option; energy preference = mean energy of the options / that
    of this one, 0 where an energy is unknown. Options: a run of all remaining units on one
    processor, and the best plan's first step; only those on an idle processor compete. Ties:
    arrival, lower processor.
    Smart frame drop: a job that cannot make its deadline even on an idle device is dropped
    (deadline_unreachable), but of the last ``drop_history`` jobs of its model that have begun or
    gone, at most ``drop_limit`` may be dropped.

Parameters:
    alpha, beta: weights, 0 or more, default 1 and 1.
    drop: smart frame drop, default true. drop_limit: 0 or more, default 2. drop_history: 1 or
        more, default 10.
    window: jobs looked at, 1 or more, default 16.

Good for real-time mixes in which no model may lose many frames in a row. Bad as soon as waiting for
the better processor would pay: only idle ones compete.

Source: DREAM (SDRM3), ASPLOS 2023. Its supernet switching needs models made for it.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Annotated, ClassVar, NamedTuple

from annotated_types import Ge

from band.plan.table import Span
from band.scheduler.commands import DropReason
from band.scheduler.policy import Decision, Dispatch, Drop, PolicyInfo, TaskSpec
from band.scheduler.rules_placing import best_latency_us, hopeless, whole_spans
from band.scheduler.view import JobView, View


@dataclass(frozen=True)
class Params:
    """Parameters: weights ``alpha`` and ``beta``, frame drop and its limits, the ``window``."""

    alpha: Annotated[float, Ge(0)] = 1.0
    beta: Annotated[float, Ge(0)] = 1.0
    drop: bool = True
    drop_limit: Annotated[int, Ge(0)] = 2
    drop_history: Annotated[int, Ge(1)] = 10
    window: Annotated[int, Ge(1)] = 16


class Option(NamedTuple):
    """One way to go on with a job.

    Attributes:
        span: what would run next.
        latency_us: until the job is done, on this way.
        energy_uj: of the tasks until then, 0 if it is unknown.
    """

    span: Span
    latency_us: int
    energy_uj: int


class Dream:
    """Starts the pair of job and idle processor with the highest MapScore."""

    info: ClassVar = PolicyInfo(
        name="dream",
        aliases=("sdrm3",),
        summary="urgency x latency preference + starvation + energy; smart frame drop",
        source="DREAM, ASPLOS 2023",
    )

    def __init__(self, params: Params) -> None:
        self.params = params
        self._fates: dict[str, deque[bool]] = {}
        self._dropped = 0

    def plan(self, view: View) -> Sequence[Decision]:
        """Return the decisions of one pass."""
        drops = self._drops(view) if self.params.drop else []
        gone = {drop.job for drop in drops}
        pairs = [
            ((job.priority, -score, place, option.span.processor), job, option.span)
            for place, job in enumerate(view.window)
            if job.job not in gone
            for option, score in self._scores(view, job)
        ]
        pairs.sort(key=lambda pair: pair[0])
        tasks: list[TaskSpec] = []
        taken: set[int] = set()
        for _, job, span in pairs:
            if job.job not in gone and span.processor not in taken:
                gone.add(job.job)
                taken.add(span.processor)
                tasks.append(TaskSpec.of(job, view.table(job.model), span))
                if not job.finished and not job.running:
                    self._note(job, dropped=False)
        return [*drops, Dispatch(tuple(tasks))] if tasks else drops

    def statistics(self) -> Mapping[str, float]:
        """Return how many frames it has dropped."""
        return {"dropped": self._dropped}

    def _scores(self, view: View, job: JobView) -> list[tuple[Option, float]]:
        """Return the options on idle processors with their MapScores."""
        options = _options(view, job)
        idle = [option for option in options if view.waits_us[option.span.processor] == 0]
        if not idle:
            return []
        urgency = 0.0
        if job.deadline_us is not None:
            left_us = job.deadline_us - view.now_us
            urgency = min(1.0, best_latency_us(view, job) / left_us) if left_us > 0 else 1.0
        mean_us = fmean(option.latency_us for option in options)
        energies = [option.energy_uj for option in options]
        mean_uj = fmean(energies) if all(energies) else 0.0
        waited_us = view.now_us - job.arrived_us
        found = []
        for option in idle:
            score = urgency * mean_us / option.latency_us
            score += self.params.alpha * waited_us / option.latency_us
            score += self.params.beta * (mean_uj / option.energy_uj if mean_uj else 0.0)
            found.append((option, score))
        return found

    def _drops(self, view: View) -> list[Drop]:
        """Return the drops of hopeless frames that their models can still bear."""
        drops = []
        for job in view.window:
            if job.running or not hopeless(view, job):
                continue
            fates = self._fates.get(job.model, ())
            if sum(fates) < self.params.drop_limit:
                drops.append(Drop(job.job, DropReason.DEADLINE_UNREACHABLE))
                self._dropped += 1
                self._note(job, dropped=True)
        return drops

    def _note(self, job: JobView, *, dropped: bool) -> None:
        fates = self._fates.setdefault(job.model, deque(maxlen=self.params.drop_history))
        fates.append(dropped)


def _options(view: View, job: JobView) -> list[Option]:
    """Return the ways to go on with a job, on busy processors too; waits are left out."""
    options = {
        span.processor: Option(span, span.cost_us, span.energy_uj)
        for span in whole_spans(view, job)
    }
    plan = view.best_plan(job)
    if plan is not None:
        spans = [step.span for step in plan.steps]
        known = all(span.energy_uj > 0 for span in spans)
        energy_uj = sum(span.energy_uj for span in spans) if known else 0
        latency_us = max(1, plan.latency_us - view.waits_us[spans[0].processor])
        if len(spans) > 1 or spans[0].processor not in options:
            first = Option(spans[0], latency_us, energy_uj)
            rival = options.get(first.span.processor)
            if rival is None or latency_us < rival.latency_us:
                options[first.span.processor] = first
    return [options[processor] for processor in sorted(options)]
