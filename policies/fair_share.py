"""Fair share: apps get processor time in proportion to their weights.

Formula:
    Start-time fair queueing over apps. used(app) = processor time of its dispatched tasks / weight.
    An app that comes back after having had nothing to run starts at the largest start tag so far
    (the used(app) of a dispatch before it was charged), so that idling earns no credit. Within a
    pass the next job is the first one, by (class, arrival), of the app with the least tag; its
    remaining processor time / weight is then added to that app's tag. Each job takes its
    earliest-finish plan, a busy processor is reserved.

Parameters:
    weights: app -> weight, above 0, default none.
    default_weight: of every other app, above 0, default 1.
    candidates: jobs that are planned in a pass, 1 or more, default 16.
    window: jobs looked at, 1 or more, default 256; while more wait, apps of bad classes may be
        outside it.

Good when apps that do not trust each other share a device. Bad for deadlines, which it ignores; a
class orders the jobs of one app only.

Source: start-time fair queueing, Goyal, Vin and Cheng, SIGCOMM 1996, with processor time as size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt

from band.scheduler.policy import Decision, Dispatch, PolicyInfo, TaskSpec
from band.scheduler.rules_placing import idle_waits, place
from band.scheduler.view import JobView, View

_KEPT = 256  # apps that are remembered though none of their jobs waits


@dataclass(frozen=True)
class Params:
    """Parameters: ``weights`` by app, ``default_weight``, ``candidates``, and the ``window``."""

    weights: Mapping[str, Annotated[float, Gt(0)]] = field(default_factory=dict)
    default_weight: Annotated[float, Gt(0)] = 1.0
    candidates: Annotated[int, Ge(1)] = 16
    window: Annotated[int, Ge(1)] = 256


class FairShare:
    """Takes the next job of the app that has had least for its weight."""

    info: ClassVar = PolicyInfo(
        name="fair_share",
        summary="apps get processor time in proportion to their weights",
        source="Goyal, Vin and Cheng, SIGCOMM 1996",
        work_conserving=False,
    )

    def __init__(self, params: Params) -> None:
        self.params = params
        self._used: dict[str, float] = {}
        self._active: frozenset[str] = frozenset()
        self._start_tag = 0.0
        self._given_us: dict[str, int] = {}

    def plan(self, view: View) -> Sequence[Decision]:
        """Return the decisions of one pass."""
        self._wake(frozenset(job.app for job in view.window))
        decisions = place(view, self._in_order(view))
        jobs = {job.job: job for job in view.window}
        for decision in decisions:
            for spec in decision.tasks if isinstance(decision, Dispatch) else ():
                job = jobs[spec.jobs[0]]
                self._charge(job.app, _cost_us(view, job, spec))
        return decisions

    def statistics(self) -> Mapping[str, float]:
        """Return the processor time that each app has been given since it last was away."""
        return {f"given_us_{app or 'unnamed'}": us for app, us in sorted(self._given_us.items())}

    def _in_order(self, view: View) -> list[JobView]:
        """Return the next jobs by the tags of their apps."""
        queues: dict[str, list[JobView]] = {}
        for job in reversed(view.window):
            queues.setdefault(job.app, []).append(job)
        tags = {app: self._used[app] for app in queues}
        idle = idle_waits(view)
        ordered: list[JobView] = []
        while queues and len(ordered) < self.params.candidates:
            app = min(queues, key=lambda app: (tags[app], app))
            job = queues[app].pop()
            if not queues[app]:
                del queues[app]
            plan = view.best_plan(job, idle)
            if plan is not None:
                tags[app] += sum(step.span.cost_us for step in plan.steps) / self._weight(app)
                ordered.append(job)
        return ordered

    def _wake(self, apps: frozenset[str]) -> None:
        """Take the apps that have something to run; forget others that would start anew anyway."""
        used = self._used
        for app in apps - self._active:
            used[app] = max(used.get(app, 0.0), self._start_tag)
        away = sorted((tag, app) for app, tag in used.items() if app not in apps)
        for number, (tag, app) in enumerate(away, start=1):
            if tag <= self._start_tag or number <= len(away) - _KEPT:
                del used[app]
                self._given_us.pop(app, None)
        self._active = apps

    def _charge(self, app: str, cost_us: int) -> None:
        self._start_tag = max(self._start_tag, self._used[app])
        self._used[app] += cost_us / self._weight(app)
        self._given_us[app] = self._given_us.get(app, 0) + cost_us

    def _weight(self, app: str) -> float:
        return self.params.weights.get(app, self.params.default_weight)


def _cost_us(view: View, job: JobView, spec: TaskSpec) -> int:
    units = spec.slice.units
    first, last = (units & -units).bit_length() - 1, units.bit_length() - 1
    span = view.table(job.model).find(first, last, spec.processor)
    assert span is not None
    return span.cost_us
