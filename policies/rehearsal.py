"""Rehearsal: plays the near future with candidate rules and keeps to the best one.

Formula:
    A rule ("strategy") is an order (priority list of models, deadline, slack, longest best plan,
    arrival), per model the processors that it may use (none starves it), guard, placement
    (earliest finish or least energy in time), shedding, per model the processors that may run
    hopeless requests, and how far spans may be from the cheapest way at the prices of a full
    device. Jobs are walked in that order. A hopeless one (now + least latency > deadline) is
    dropped, or kept to be started late. The others take their way; if its processor is busy, the
    time is reserved and the job stays in the queue. A start is put off if it would make the known
    next request of a more important model hopeless (guard).
    On Advise, the core's future is simulated under a dozen plain rules, then under one change
    after another to the best four, then under joint and random changes, until the budget is
    spent. The best one seen is followed. Before the first advice: shortest job first, earliest
    finish.

Parameters:
    simulations: budget of one advice, default 200.
    horizon_us: how far new requests are looked ahead for, default 1 s.
    advise_ms: time limit of one advice in the live daemon, default 2000.
    objective: ``on_time`` (default) or ``xr_score``, see ``band.scheduler.objectives``.
    shed: hopeless requests may be dropped; default only under ``xr_score``.
    salvage: where they may, they may also be started just before they expire, default false.
    seed: of the random changes, default 0.
    window: jobs looked at, 1 or more, default 32.

Good for periodic streams with known costs, above all when there is more to do than can be done.
Bad for load without a pattern: then it is the fixed rule, tuned to the wrong future.

Source: this project.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from band.plan.hops import DOWN_US
from band.plan.table import PlanTable, Span
from band.scheduler.advice import Simulate, Snapshot
from band.scheduler.commands import DropReason
from band.scheduler.events import Json
from band.scheduler.menu import Menu, Way
from band.scheduler.objectives import OBJECTIVES
from band.scheduler.policy import Decision, Defer, Dispatch, Drop, PolicyInfo, TaskSpec
from band.scheduler.rules import whole_span
from band.scheduler.strategy import EDF, LONGEST, PRIORITY, SLACK, Advice, Root, Strategy
from band.scheduler.strategy_search import find_strategy
from band.scheduler.view import JobView, View

_FOR_EVER_US: Final = 1 << 59
_LOOK_AGAIN_US: Final = 1_000


@dataclass(frozen=True)
class Params:
    """Parameters: budget and horizon of an advice, what it is to achieve, and the window."""

    simulations: int = 200
    horizon_us: int = 1_000_000
    advise_ms: int = 2_000
    objective: Literal["on_time", "xr_score"] = "on_time"
    shed: bool | None = None
    salvage: bool = False
    seed: int = 0
    window: int = 32

    @property
    def sheds(self) -> bool:
        """Return whether hopeless requests may be dropped."""
        return self.objective == "xr_score" if self.shed is None else self.shed


class Rehearsal:
    """Plays the near future with candidate rules and keeps to the best one."""

    info: ClassVar = PolicyInfo(
        name="rehearsal",
        summary="plays the near future with candidate rules and keeps to the best one",
        source="this project",
        work_conserving=False,
    )

    def __init__(self, params: Params) -> None:
        self.params = params
        self._follow(Advice(Strategy(shed=params.sheds)))

    def advise(self, snapshot: Snapshot, params: Params, simulate: Simulate, budget: int) -> Json:
        """Return the best strategy found by rehearsing."""
        del budget  # simulate answers None once it is spent
        return find_strategy(
            snapshot,
            simulate,
            OBJECTIVES[params.objective],
            shed=params.sheds,
            salvage=params.salvage,
            seed=params.seed,
        )

    def advised(self, payload: Any) -> None:
        """Follow a strategy from now on."""
        self._follow(Advice.of(payload))

    def _follow(self, advice: Advice) -> None:
        strategy = advice.strategy
        self.strategy, self.roots = strategy, advice.roots
        self.rank = {model: place for place, model in enumerate(strategy.order)}
        self.salvage = dict(strategy.salvage)
        self._advice, self._masks = advice, dict(strategy.masks)
        self._children: Mapping[str, tuple[str, ...]] = advice.children or {}
        self._seen = dict.fromkeys(((root.stream, root.model) for root in advice.roots), -1)
        self._menus: dict[str, Menu] = {}

    def note(self, window: Sequence[JobView]) -> None:
        """Note when frames arrived, so that the next one can be foreseen."""
        seen = self._seen
        for job in window:
            key = (job.stream, job.model)
            if job.arrived_us > seen.get(key, _FOR_EVER_US):
                seen[key] = job.arrived_us

    def next_us(self, root: Root, now_us: int) -> int | None:
        """Return when the next frame of a root comes, None if none does."""
        return root.next_after(self._seen[root.stream, root.model], now_us)

    def tail_us(self, view: View, model: str) -> int:
        """Return the least time of what the completion of a model issues, starved models apart."""
        total_us = 0
        for child in self._children.get(model, ()):
            best_us = self.menu(view, child).best_us
            if best_us < DOWN_US:
                total_us += best_us + self.tail_us(view, child)
        return total_us

    def plan(self, view: View) -> Sequence[Decision]:
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
        "_decisions", "_late", "_now_us", "_policy", "_strategy", "_tasks", "_view", "_waits",
    )  # fmt: skip

    def __init__(self, policy: Rehearsal, view: View) -> None:
        self._policy = policy
        self._strategy = policy.strategy
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
            self._policy.note(window)
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
        policy, mode = self._policy, self._strategy.mode
        menu = policy.menu(self._view, job.model)
        deadline_us = _FOR_EVER_US if job.deadline_us is None else job.deadline_us
        rank = policy.rank.get(job.model, -1)
        if mode == PRIORITY:
            if rank < 0:
                return (job.priority, len(policy.rank), menu.best_us, deadline_us)
            return (job.priority, rank)
        if mode == EDF:
            return (job.priority, deadline_us, rank)
        rest_us = menu.rest_us(job.finished, job.holder)
        if mode == SLACK:
            return (
                job.priority,
                deadline_us - rest_us - policy.tail_us(self._view, job.model),
                rank,
            )
        if mode == LONGEST:
            return (job.priority, -rest_us)
        return (job.priority,)

    def _consider(self, job: JobView) -> None:
        """Start a job, reserve its processor, drop it, or pass it over."""
        left_us = _FOR_EVER_US if job.deadline_us is None else job.deadline_us - self._now_us
        menu = self._policy.menu(self._view, job.model)
        if job.processor >= 0 or job.running or job.finished & (job.finished + 1):
            way = self._any_way(job)
            hopeless = way is not None and way.finish_us > left_us
        else:
            rest_us = menu.rest_us(job.finished, job.holder)
            hopeless = rest_us > left_us
            if rest_us >= DOWN_US and (job.finished or job.deadline_us is None):
                way = self._any_way(job)  # nothing that the strategy allows leads on from here
            elif hopeless and self._strategy.shed:
                way = None
            else:
                way = self._choose(job, menu, left_us)
        if hopeless and self._strategy.shed:
            self._give_up(job, left_us)
        elif way is not None and (way.finish_us <= left_us or not self._strategy.shed):
            self._take(job, way)

    def _choose(self, job: JobView, menu: Menu, left_us: int) -> Way | None:
        """Return the way to finish a job: the earliest, or the most frugal that is in time."""
        if not self._strategy.frugal:
            return menu.earliest(job.finished, job.holder, self._waits)
        ways = menu.ways(job.finished, job.holder, self._waits)
        in_time = [way for way in ways if way.finish_us <= left_us]
        if not in_time:
            return min(ways, default=None)
        tail_us = self._policy.tail_us(self._view, job.model)
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
        elif not self._strategy.guard or not self._guarded(job, processor, way.busy_us):
            self._start(job, way.span, way.busy_us)

    def _start(self, job: JobView, span: Span, busy_us: int) -> None:
        self._tasks.append(TaskSpec.of(job, self._policy.menu(self._view, job.model).table, span))
        self._waits[span.processor] = busy_us

    def _give_up(self, job: JobView, left_us: int) -> None:
        """Drop a hopeless job, unless it may still be started late."""
        if self._policy.salvage.get(job.model) and left_us >= 0 and not job.finished:
            self._late.append((job, left_us))
        elif not job.running:
            self._decisions.append(Drop(job.job, DropReason.DEADLINE_UNREACHABLE))

    def _salvage(self, job: JobView, left_us: int) -> None:
        """Start a hopeless job on the first processor that has nothing better to do."""
        del left_us
        mask = self._policy.salvage[job.model]
        table = self._view.table(job.model)
        for processor, wait_us in enumerate(self._waits):
            span = (
                whole_span(table, job, processor) if mask >> processor & 1 and not wait_us else None
            )
            if span is not None and job.processor in {-1, processor}:
                if self._strategy.guard and self._guarded(job, processor, span.cost_us):
                    continue
                self._start(job, span, span.cost_us)
                return

    def _guarded(self, job: JobView, processor: int, busy_us: int) -> bool:
        """Return whether a start would make a known next arrival of another model hopeless."""
        policy, now_us = self._policy, self._now_us
        priority = self._strategy.mode == PRIORITY
        rank = policy.rank.get(job.model, len(policy.rank))
        busy: list[int] | None = None
        for root in policy.roots:
            if priority and policy.rank.get(root.model, rank) >= rank:
                continue
            next_us = policy.next_us(root, now_us)
            if next_us is None or next_us >= now_us + busy_us:
                continue
            deadline_us = next_us + root.deadline_us
            if not priority and job.deadline_us is not None and deadline_us >= job.deadline_us:
                continue
            gap_us, left_us = next_us - now_us, deadline_us - now_us
            menu = policy.menu(self._view, root.model)
            left_us -= policy.tail_us(self._view, root.model)
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
        times = [self._policy.next_us(root, now_us) for root in self._policy.roots]
        return min([t for t in times if t is not None], default=now_us + _LOOK_AGAIN_US)


def _fits(menu: Menu, waits_us: Sequence[int], gap_us: int, left_us: int) -> bool:
    """Return whether a request that comes after a gap can be in time, given the waits now."""
    then = [max(0, wait_us - gap_us) for wait_us in waits_us]
    way = menu.earliest(0, -1, then)
    return way is not None and gap_us + way.finish_us <= left_us
