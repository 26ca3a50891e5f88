"""Decides by a strategy: which waiting jobs start now, are put off, or are dropped."""

from collections.abc import Mapping, Sequence
from typing import Final

from mypy_extensions import mypyc_attr

from band.plan.hops import DOWN_US
from band.plan.table import PlanTable, Span
from band.scheduler.commands import DropReason
from band.scheduler.menu import Menu, Way
from band.scheduler.policy import Decision, Defer, Dispatch, Drop, TaskSpec
from band.scheduler.rules import whole_span
from band.scheduler.strategy import EDF, LONGEST, PRIORITY, SLACK, Advice, Root
from band.scheduler.view import JobView, View

_FOR_EVER_US: Final = 1 << 59
_LOOK_AGAIN_US: Final = 1_000
_PUT_OFF_US: Final = 1_000_000
"""A job that is never dropped is put off no longer than this after it came."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Rule:
    """A strategy in force, with what it has found out about tables and arrivals.

    Args:
        advice: the strategy and the load it is for.
        window: how many waiting jobs a view shows at most; where it shows as many, there may be
            more.

    Attributes:
        strategy: in force.
        roots: models whose next requests are foreseen.
        rank: place of each model in the order of the strategy.
        salvage: processors that may run hopeless requests, by model.
    """

    def __init__(self, advice: Advice, window: int) -> None:
        strategy = advice.strategy
        self.strategy, self.roots = strategy, advice.roots
        self.rank = {model: place for place, model in enumerate(strategy.order)}
        self.salvage = dict(strategy.salvage)
        self._advice, self._masks = advice, dict(strategy.masks)
        self._children: Mapping[str, tuple[str, ...]] = advice.children or {}
        self._seen = dict.fromkeys(((root.stream, root.model) for root in advice.roots), -1)
        self._menus: dict[str, Menu] = {}
        self._window = window
        self._watched_us = -1

    def note(self, window: Sequence[JobView], now_us: int) -> None:
        """Note when frames arrived, so that the next one can be foreseen."""
        seen = self._seen
        if self._watched_us < 0 or len(window) >= self._window:
            self._watched_us = now_us  # who is behind a full window arrives unseen
        for job in window:
            key = (job.stream, job.model)
            if job.arrived_us > seen.get(key, _FOR_EVER_US):
                seen[key] = job.arrived_us

    def next_us(self, root: Root, now_us: int) -> int | None:
        """Return when the next frame of a root comes, None if none does."""
        return root.next_after(self._seen[root.stream, root.model], self._watched_us, now_us)

    def tail_us(self, view: View, model: str) -> int:
        """Return the least time of what the completion of a model issues, starved models apart."""
        total_us = 0
        for child in self._children.get(model, ()):
            best_us = self.menu(view, child).best_us
            if best_us < DOWN_US:
                total_us += best_us + self.tail_us(view, child)
        return total_us

    def decide(self, view: View) -> Sequence[Decision]:
        """Return the dispatches and drops of one pass."""
        return _Pass(self, view).decide()

    def menu(self, view: View, model: str) -> Menu:
        """Return what a model may run where, by its table in force."""
        table = view.table(model)
        menu = self._menus.get(model)
        if menu is None or menu.table is not table:
            menu = self._menus[model] = self._new_menu(table)
        return menu

    def _new_menu(self, table: PlanTable) -> Menu:
        every = (1 << len(table.processors)) - 1
        mask = self._masks.get(table.model, every)
        return Menu(table, mask, self._advice.prices, self.strategy.spread)


class _Pass:
    """One pass: jobs in the order of the strategy, each with the processor time left to it.

    ``waits`` grows with each start and with each reservation of a busy processor.
    """

    __slots__ = (
        "_decisions", "_late", "_now_us", "_rule", "_strategy", "_tasks", "_view", "_waits",
    )  # fmt: skip

    def __init__(self, rule: Rule, view: View) -> None:
        self._rule = rule
        self._strategy = rule.strategy
        self._view = view
        self._now_us = view.now_us
        self._waits = list(view.waits_us)
        self._tasks: list[TaskSpec] = []
        self._decisions: list[Decision] = []
        self._late: list[tuple[JobView, int]] = []

    def decide(self) -> Sequence[Decision]:
        """Return what to do now."""
        view, window = self._view, self._view.window
        if self._strategy.guard:
            self._rule.note(window, self._now_us)
        shed, waits = self._strategy.shed, self._waits
        for job in sorted(window, key=self._key) if len(window) > 1 else window:
            if not shed and 0 not in waits:
                break  # nothing can start any more, and nothing is to be dropped
            self._consider(job)
        for job, left_us in self._late:
            self._salvage(job, left_us)
        if self._tasks:
            self._decisions.append(Dispatch(tuple(self._tasks)))
        if not self._decisions and window and not any(0 < w < DOWN_US for w in view.waits_us):
            return (Defer(window[0].job, self._next_us()),)  # nothing else would wake this policy
        return self._decisions

    def _key(self, job: JobView) -> tuple[int, ...]:
        rule, mode = self._rule, self._strategy.mode
        menu = rule.menu(self._view, job.model)
        deadline_us = _FOR_EVER_US if job.deadline_us is None else job.deadline_us
        rank = rule.rank.get(job.model, -1)
        if mode == PRIORITY:
            if rank < 0:
                return (job.priority, len(rule.rank), menu.best_us, deadline_us)
            return (job.priority, rank)
        if mode == EDF:
            return (job.priority, deadline_us, rank)
        rest_us = menu.rest_us(job.finished, job.holder)
        if mode == SLACK:
            return (
                job.priority,
                deadline_us - rest_us - rule.tail_us(self._view, job.model),
                rank,
            )
        if mode == LONGEST:
            return (job.priority, -rest_us)
        return (job.priority,)

    def _consider(self, job: JobView) -> None:
        """Start a job, reserve its processor, drop it, or pass it over."""
        left_us = _FOR_EVER_US if job.deadline_us is None else job.deadline_us - self._now_us
        menu = self._rule.menu(self._view, job.model)
        rest_us = self._rest_us(job, menu)
        if rest_us is None:
            way = self._any_way(job)
            hopeless = way is not None and way.finish_us > left_us
        else:
            hopeless = rest_us > left_us
            shed = hopeless and self._strategy.shed
            way = None if shed else self._choose(job, menu, left_us)
        if hopeless and self._strategy.shed:
            self._give_up(job, left_us)
        elif way is not None and (way.finish_us <= left_us or not self._strategy.shed):
            self._take(job, way)

    def _rest_us(self, job: JobView, menu: Menu) -> int | None:
        """Return the least time for the rest of a job; None if its strategy has no way for it.

        Then it is pinned, its units are under way in parallel, it has begun where its processors
        cannot go on, or it would starve and nothing would ever end that.
        """
        if job.processor >= 0 or job.running or job.finished & (job.finished + 1):
            return None
        rest_us = menu.rest_us(job.finished, job.holder)
        endless = job.finished or job.deadline_us is None or not self._strategy.shed
        return None if endless and rest_us >= DOWN_US else rest_us

    def _choose(self, job: JobView, menu: Menu, left_us: int) -> Way | None:
        """Return the way to finish a job: the earliest, or the most frugal that is in time."""
        if not self._strategy.frugal:
            return menu.earliest(job.finished, job.holder, self._waits)
        ways = menu.ways(job.finished, job.holder, self._waits)
        in_time = [way for way in ways if way.finish_us <= left_us]
        if not in_time:
            return min(ways, default=None)
        tail_us = self._rule.tail_us(self._view, job.model)
        leave_time = [way for way in in_time if way.finish_us + tail_us <= left_us]
        return min(leave_time or in_time, key=lambda way: (way.energy_uj, way))

    def _any_way(self, job: JobView) -> Way | None:
        plan = self._view.best_plan(job, self._waits)
        if plan is None:
            return None
        step = plan.steps[0]
        return Way(plan.latency_us, step.span.processor, step.finish_us, 0, step.span)

    def _take(self, job: JobView, way: Way) -> None:
        """Start a job if its processor is idle, else reserve that for it."""
        waits, processor = self._waits, way.processor
        if waits[processor] >= DOWN_US:
            return
        if waits[processor]:
            waits[processor] = way.busy_us
        elif not self._guarded(job, processor, way.busy_us):
            self._start(job, way.span, way.busy_us)

    def _start(self, job: JobView, span: Span, busy_us: int) -> None:
        self._tasks.append(TaskSpec.of(job, self._rule.menu(self._view, job.model).table, span))
        self._waits[span.processor] = busy_us

    def _give_up(self, job: JobView, left_us: int) -> None:
        """Drop a hopeless job, unless it may still be started late."""
        if self._rule.salvage.get(job.model) and left_us >= 0 and not job.finished:
            self._late.append((job, left_us))
        elif not job.running:
            self._decisions.append(Drop(job.job, DropReason.DEADLINE_UNREACHABLE))

    def _salvage(self, job: JobView, left_us: int) -> None:
        """Start a hopeless job on the first processor that has nothing better to do."""
        del left_us
        mask = self._rule.salvage[job.model]
        table = self._view.table(job.model)
        for processor, wait_us in enumerate(self._waits):
            span = (
                whole_span(table, job, processor) if mask >> processor & 1 and not wait_us else None
            )
            if span is None or job.processor not in {-1, processor}:
                continue
            if not self._guarded(job, processor, span.cost_us):
                self._start(job, span, span.cost_us)
                return

    def _guarded(self, job: JobView, processor: int, busy_us: int) -> bool:
        """Return whether a start is put off, since it would make a known next arrival hopeless.

        What is never dropped is not put off for ever, whatever arrives.
        """
        rule, now_us = self._rule, self._now_us
        if not self._strategy.guard:
            return False
        endless = job.deadline_us is None or not self._strategy.shed
        if endless and now_us - job.arrived_us > _PUT_OFF_US:
            return False
        priority = self._strategy.mode == PRIORITY
        rank = rule.rank.get(job.model, len(rule.rank))
        busy: list[int] | None = None
        for root in rule.roots:
            if priority and rule.rank.get(root.model, rank) >= rank:
                continue
            next_us = rule.next_us(root, now_us)
            if next_us is None or next_us >= now_us + busy_us:
                continue
            deadline_us = next_us + root.deadline_us
            if not priority and job.deadline_us is not None and deadline_us >= job.deadline_us:
                continue
            gap_us, left_us = next_us - now_us, deadline_us - now_us
            menu = rule.menu(self._view, root.model)
            left_us -= rule.tail_us(self._view, root.model)
            if not menu.mask >> processor & 1 or not _fits(menu, self._waits, gap_us, left_us):
                continue
            if busy is None:
                busy = self._waits.copy()
                busy[processor] = busy_us
            if not _fits(menu, busy, gap_us, left_us):
                return True
        return False

    def _next_us(self) -> int:
        now_us = self._now_us
        times = [self._rule.next_us(root, now_us) for root in self._rule.roots]
        return min([t for t in times if t is not None], default=now_us + _LOOK_AGAIN_US)


def _fits(menu: Menu, waits_us: Sequence[int], gap_us: int, left_us: int) -> bool:
    """Return whether a request that comes after a gap can be in time, given the waits now."""
    then = [max(0, wait_us - gap_us) for wait_us in waits_us]
    way = menu.earliest(0, -1, then)
    return way is not None and gap_us + way.finish_us <= left_us
