"""What one plan table says of how long jobs take: a few ways to finish, and the least work.

Made for a table when it is first asked for, and given up with it.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from mypy_extensions import mypyc_attr

from band.plan.best import BestPlan
from band.plan.table import Span
from band.scheduler.plans import JobState
from band.scheduler.registered import RegisteredModel

NEVER_US: Final = 1 << 62

Way = tuple[tuple[int, int, int], ...]
"""(processor, transfer_us before it, cost_us) of each step of a plan."""

Ways = tuple[Way, ...]

_KEPT: Final = 4096


@mypyc_attr(allow_interpreted_subclasses=True)
class Outlook:
    """Answers about one effective table of a model.

    Args:
        model: as it is now.

    Attributes:
        table: the one that the answers hold for.
        at_once: no more tasks of one job than this can ever run at the same time.
    """

    def __init__(self, model: RegisteredModel) -> None:
        self.table = model.table
        self._plans = model.plans
        processors = {span.processor for span in self.table.spans}
        self._processors = sorted(processors)
        self.at_once = 1 if model.chain else min(_width(self.table.dependencies), len(processors))
        self._ways: dict[JobState, Ways] = {}
        self._work_us: dict[tuple[int, int], int] = {}

    def ways(self, job: JobState) -> Ways:
        """Return plans that may be good for a job; none if what remains cannot run.

        The best one on the idle device, then the best one on each processor alone.
        """
        known = self._ways.get(job)
        if known is None:
            if len(self._ways) >= _KEPT:
                self._ways.clear()
            finished, running, holder, pin = job
            pins = [-1, *self._processors] if pin < 0 else [pin]
            plans = [self._plans.idle_plan((finished, running, holder, p)).plan for p in pins]
            found = [self._way(plan, holder) for plan in plans if plan is not None]
            known = self._ways[job] = tuple(dict.fromkeys(found))
        return known

    def least_work_us(self, finished: int, pin: int) -> int:
        """Return the least time that spans over all unfinished units take together.

        Args:
            finished: mask of units.
            pin: the only processor that may be used, -1 for any.
        """
        key = (finished, pin)
        known = self._work_us.get(key)
        if known is None:
            if len(self._work_us) >= _KEPT:
                self._work_us.clear()
            known = self._work_us[key] = self._least_work_us(finished, pin)
        return known

    def _way(self, plan: BestPlan, holder: int) -> Way:
        moves, steps = self.table.transfer_us, []
        for span, _, _ in plan.steps:
            move_us = moves[span.first][holder][span.processor] if holder >= 0 else 0
            steps.append((span.processor, move_us, span.cost_us))
            holder = span.processor
        return tuple(steps)

    def _least_work_us(self, finished: int, pin: int) -> int:
        count = self.table.unit_count
        spans: list[list[Span]] = [[] for _ in range(count)]
        for span in self.table.spans:
            if pin in (-1, span.processor) and not span.units & finished:
                spans[span.first].append(span)
        least_us = [0] * (count + 1)
        for unit in range(count - 1, -1, -1):
            if finished >> unit & 1:
                least_us[unit] = least_us[unit + 1]
            else:
                found = (s.cost_us + least_us[s.last + 1] for s in spans[unit])
                least_us[unit] = min(found, default=NEVER_US)
        return min(least_us[0], NEVER_US)


@mypyc_attr(allow_interpreted_subclasses=True)
class Outlooks:
    """The outlooks of the models of a core, made anew with their tables."""

    def __init__(self) -> None:
        self._known: dict[str, Outlook] = {}

    def of(self, model: RegisteredModel) -> Outlook:
        """Return the outlook of a model's effective table."""
        known = self._known.get(model.name)
        if known is None or known.table is not model.table:
            known = self._known[model.name] = Outlook(model)
        return known

    def at_once(self, model: RegisteredModel, pin: int) -> int:
        """Return how many tasks of one job could run at the same time."""
        return 1 if model.chain or pin >= 0 else self.of(model).at_once


def _width(dependencies: Sequence[int]) -> int:
    """Return an upper bound of the number of units none of which needs another.

    One more than the most units that are neither before nor behind a single one.
    """
    before = list(dependencies)
    for unit, needs in enumerate(before):
        before[unit] = needs | _union(before[u] for u in range(unit) if needs >> u & 1)
    behind = [0] * len(before)
    for unit, needs in enumerate(before):
        for other in range(unit):
            if needs >> other & 1:
                behind[other] |= 1 << unit
    count = len(before)
    return max(count - (b | a).bit_count() for b, a in zip(before, behind, strict=True))


def _union(masks: Iterable[int]) -> int:
    union = 0
    for mask in masks:
        union |= mask
    return union
