"""The search of rehearsal: which strategy does best in the near future, within a budget.

First the plain rules; then one change after another to the best of them while that helps; then
pairs of changes, and random ones, until the budget of simulations is spent. Seeded, so the same
moment gives the same answer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from band.plan.capacity import capacity_bound
from band.plan.table import PlanTable
from band.scheduler.advice import Rehearsed, Simulate, Snapshot
from band.scheduler.events import Json, StreamLoad
from band.scheduler.menu import Menu
from band.scheduler.strategy import (
    ARRIVAL,
    EDF,
    LONGEST,
    MODES,
    PRIORITY,
    SLACK,
    Strategy,
    advice_for,
)
from band.units import US_PER_S

Score = Callable[[Rehearsed], float]

_STARTS: Final = 4
_FINALISTS: Final = 2
_SPREADS: Final = (None, 0.0, 0.1, 0.3)
_FINER_SPREADS: Final = (None, 0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.5)
_IDLE_SHAKES: Final = 1000
_NO_END: Final = 1 << 62
_PERFECT: Final = 1.0 - 1e-9


def find_strategy(
    snapshot: Snapshot,
    simulate: Simulate,
    score: Score,
    *,
    shed: bool,
    salvage: bool,
    patience: int,
    seed: int,
) -> Json:
    """Return the payload of the best strategy found; None if there is nothing to choose for.

    Args:
        snapshot: its streams and tables are what is planned for.
        simulate: plays a payload.
        score: of a rehearsed future; higher is better, 1 cannot be surpassed.
        shed: hopeless requests may be dropped.
        salvage: and those may be started late, too.
        patience: where models are split, give up after so many simulations without a better one.
            Whole models are simulated ten times as fast, and more search pays with them.
        seed: of the random changes.
    """
    streams = tuple(load for load in snapshot.streams if load.model in snapshot.tables)
    tables = {load.model: snapshot.tables[load.model] for load in streams}
    if not any(table.spans for table in tables.values()):
        return None
    prices = _prices(streams, tables)
    advice = advice_for(streams, prices)
    patience = patience if prices else _NO_END
    trials = _Trials(lambda strategy: simulate(advice.payload(strategy)), score, patience)
    space = _Space(tables, shed=shed, salvage=salvage, split=bool(prices))
    return advice.payload(_Search(space, trials, seed).run())


def _prices(streams: Sequence[StreamLoad], tables: Mapping[str, PlanTable]) -> tuple[float, ...]:
    """Return what each processor's time is worth under this load; empty if no model is split."""
    if all(table.unit_count == 1 for table in tables.values()):
        return ()
    rates: dict[str, float] = {}
    for load in streams:
        if not tables[load.model].complete:
            continue  # what cannot run for the moment asks for nothing
        rates[load.model] = rates.get(load.model, 0.0) + load.copies * US_PER_S / load.period_us
    return capacity_bound(tables.values(), rates).prices if rates else ()


class _SpentError(Exception):
    """There is no simulation left."""


class _Trials:
    """What has been tried, and how good it was.

    Attributes:
        best: the best strategy so far, the earliest among equals.
    """

    def __init__(
        self, play: Callable[[Strategy], Rehearsed | None], score: Score, patience: int
    ) -> None:
        self._play = play
        self._score = score
        self._patience = self._left = patience
        self._known: dict[Strategy, float] = {}
        self.best: Strategy | None = None

    @property
    def played(self) -> int:
        """Return how many strategies have been played."""
        return len(self._known)

    def value(self, strategy: Strategy) -> float:
        """Return the score of a strategy, playing it if that is news.

        Raises:
            _SpentError: the budget or the patience is spent, or nothing can be better.
        """
        value = self._known.get(strategy)
        if value is None:
            rehearsed = self._play(strategy)
            if rehearsed is None:
                raise _SpentError
            value = self._known[strategy] = self._score(rehearsed)
            self._left -= 1
            if self.best is None or value > self._known[self.best]:
                self.best, self._left = strategy, self._patience
            if value >= _PERFECT or not self._left:
                raise _SpentError
        return value

    def top(self, count: int) -> list[Strategy]:
        """Return the best ones so far, the earliest first among equals."""
        return sorted(self._known, key=lambda s: -self._known[s])[:count]


class _Space:
    """Which strategies there are for a load, and which are near to one.

    Args:
        tables: of the models of the load.
        shed: hopeless requests may be dropped.
        salvage: and those may be started late.
        split: models are made of several units, so that prices matter.
    """

    def __init__(
        self, tables: Mapping[str, PlanTable], *, shed: bool, salvage: bool, split: bool
    ) -> None:
        self._shed, self._salvage, self._split = shed, shed and salvage, split
        spans = [span for table in tables.values() for span in table.spans]
        self._energy = bool(spans) and all(span.energy_uj for span in spans)
        self._usable = {
            name: sum(1 << p for p in {span.processor for span in table.spans})
            for name, table in tables.items()
        }
        best_us = {name: Menu(table, -1, (), None).best_us for name, table in tables.items()}
        self._order = tuple(sorted(best_us, key=lambda name: (best_us[name], name)))

    def plain(self) -> list[Strategy]:
        """Return the plain rules that the search begins with, the fixed one first."""
        first = Strategy(order=self._order, shed=self._shed)
        if self._split:
            return [
                first._replace(mode=mode, spread=spread)
                for spread in _SPREADS
                for mode in (EDF, LONGEST, ARRIVAL, PRIORITY)
            ]
        return [
            first._replace(mode=mode, guard=guard, frugal=frugal)
            for frugal in ((False, True) if self._energy else (False,))
            for guard in (False, True)
            for mode in (PRIORITY, EDF, SLACK)
        ]

    def coordinates(self, strategy: Strategy) -> Iterator[list[Strategy]]:
        """Return, one item of a strategy after another, all that it could be instead."""
        if strategy.mode not in {ARRIVAL, LONGEST}:  # which do not look at it
            yield [strategy._replace(order=order) for order in _moves(strategy.order)]
        yield [strategy._replace(mode=mode) for mode in MODES if mode in self._modes()]
        if self._split:
            yield [strategy._replace(spread=spread) for spread in _FINER_SPREADS]
            if self._shed:
                yield [strategy._replace(shed=not strategy.shed)]
        yield [strategy._replace(guard=not strategy.guard)]
        if self._energy:
            yield [strategy._replace(frugal=not strategy.frugal)]
        for model, usable in self._usable.items():
            mask = dict(strategy.masks).get(model, usable)
            yield [
                strategy.with_mask(model, None if other == usable else other)
                for other in _masks(mask, usable)
                if other or strategy.shed  # who never drops cannot starve
            ]
        if self._salvage:
            for model, usable in self._usable.items():
                mask = dict(strategy.salvage).get(model, 0)
                yield [strategy.with_salvage(model, other) for other in _masks(mask, usable)]

    def _modes(self) -> tuple[str, ...]:
        return MODES if self._split else (PRIORITY, EDF, SLACK)


class _Search:
    """One search: plain rules, ascents from the best of them, joint and random changes."""

    def __init__(self, space: _Space, trials: _Trials, seed: int) -> None:
        self._space = space
        self._trials = trials
        self._state = seed & _MASK

    def run(self) -> Strategy:
        """Return the best strategy that the budget finds."""
        plain, trials = self._space.plain(), self._trials
        try:
            for strategy in plain:
                trials.value(strategy)
            for strategy in trials.top(_STARTS):
                self._ascend(strategy)
            idle = 0  # a space may be smaller than the budget: then all of it is known some time
            while idle < _IDLE_SHAKES:
                played = trials.played
                self._shake()
                idle = 0 if trials.played > played else idle + 1
        except _SpentError:
            pass
        return trials.best or plain[0]

    def _ascend(self, strategy: Strategy) -> None:
        """Change one item after another for the best there is, while that helps."""
        value, trials = self._trials.value(strategy), self._trials
        improved = True
        while improved:
            improved = False
            places = sum(1 for _ in self._space.coordinates(strategy))
            for place in range(places):
                choices = list(self._space.coordinates(strategy))[place]
                found = max(choices, key=trials.value, default=strategy)
                if trials.value(found) > value:
                    strategy, value, improved = found, trials.value(found), True

    def _shake(self) -> None:
        """Try a few changes at once to one of the best strategies, and ascend if that helps."""
        trials = self._trials
        finalists = trials.top(_FINALISTS)
        strategy = finalists[self._below(len(finalists))]
        before = trials.value(strategy)
        for _ in range(2 + self._below(3)):
            coordinates = list(self._space.coordinates(strategy))
            choices = coordinates[self._below(len(coordinates))]
            if choices:
                strategy = choices[self._below(len(choices))]
        if trials.value(strategy) > before:
            self._ascend(strategy)

    def _below(self, count: int) -> int:
        """Return a number below a count, from a generator of its own: scheduling has no random."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) & _MASK
        return (self._state >> 33) % count


_MASK: Final = (1 << 64) - 1


def _moves(order: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the orders that one model's move to another place makes."""
    found: dict[tuple[str, ...], None] = {}
    for model in order:
        rest = [other for other in order if other != model]
        for place in range(len(order)):
            found[(*rest[:place], model, *rest[place:])] = None
    found.pop(order, None)
    return list(found)


def _masks(mask: int, usable: int) -> list[int]:
    """Return the masks that differ in one processor, and none and all of them."""
    single = [mask ^ 1 << p for p in range(usable.bit_length()) if usable >> p & 1]
    return [other for other in dict.fromkeys([0, usable, *single]) if other != mask]
