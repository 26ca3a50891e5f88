"""A careless driver that feeds a core random events for as long as one likes, in constant memory.

Everything that can happen happens: requests of several apps and streams, with deadlines and
without, that supersede older ones; tasks that end early, late or not at all; processors that come
and go; slices that are loaded and evicted; models that change their table or vanish; other
policies for a while; declared load and advice; late results and ids that nobody knows. The books
kept beside the core are what is checked against it: no job is lost, none runs a unit twice, every
one ends exactly once.
"""

import gc
import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Final

from band.plan.table import PlanTable
from band.plan.task import SliceKey, Task
from band.scheduler.commands import Command, Load
from band.scheduler.core import Core
from band.scheduler.events import (
    Cancelled,
    ModelAdded,
    ModelRemoved,
    PolicySwapped,
    RequestArrived,
    SliceBudget,
    SliceEvicted,
    SliceLoaded,
    StreamLoad,
    StreamsDeclared,
    TaskFailed,
    TaskFinished,
    Tick,
    WorkerDown,
    WorkerUp,
)
from band.scheduler.loader import make_policy
from band.scheduler.options import CoreOptions
from band.testing.core_books import Books
from band.testing.tables import random_table

PROCESSORS: Final = ("cpu", "gpu", "npu")
SHAPES: Final = {"one": (0,), "chain": (0, 1, 2, 4), "diamond": (0, 1, 1, 6)}
STREAMS: Final = ("", "camera", "microphone")
PINS: Final = (*PROCESSORS, "nowhere")
APPS: Final = ("", "game", "call")

_ALL_UP_EVERY: Final = 50
"""So often, in events, all processors come up again, so that not all jobs die for want of one."""


@cache
def table(model: str, seed: int) -> PlanTable:
    """Return one of four tables of a model; the last one has other units."""
    shape = (0, 1, 3) if seed == 3 else SHAPES[model]
    made = random_table(
        random.Random(seed),
        model,
        len(shape),
        processors=PROCESSORS,
        dependencies=shape,
        move_us=30 * (seed % 2),
    )
    spans = (
        s._replace(
            load_bytes=1000 * (1 + s.last - s.first), energy_uj=s.cost_us * (s.processor + 1)
        )
        for s in made.spans
    )
    return replace(made, spans=tuple(spans))


class Soak:
    """One core under random events.

    Args:
        policy: what is mostly in force.
        others: policies that take over for a while now and then.
        seed: of all draws.
        options: of the core.
        heard: called with every command of the core.

    Attributes:
        books: of the core.
    """

    def __init__(
        self,
        policy: PolicySwapped,
        others: tuple[PolicySwapped, ...] = (),
        *,
        seed: int,
        options: CoreOptions | None = None,
        heard: Callable[[Command], object] | None = None,
    ) -> None:
        self._rng = random.Random(seed)
        core = Core(make_policy=make_policy, options=options or CoreOptions(queue_limit=12))
        self.books = Books(core, heard)
        self._policy, self._others = policy, others
        self._versions = dict.fromkeys(SHAPES, 1)
        self.books.send(policy)
        self._all_up()
        for model in SHAPES:
            self.books.send(ModelAdded(table(model, 1)))
        self._kinds: dict[Callable[[], None], int] = {
            self._arrive: 340,
            self._finish: 380,
            self._tick: 90,
            self._cancel: 25,
            self._fail: 10,
            self._processor: 12,
            self._slice: 20,
            self._answer: 60,
            self._late: 15,
            self._declare: 5,
            self._budget: 4,
            self._model: 4,
            self._swap: 2,
        }

    def run(self, events: int, *, swaps: bool = True) -> None:
        """Send at least so many events.

        Args:
            events: how many.
            swaps: let other policies take over now and then. Each time the policy forgets what it
                knows; without, it can be seen whether it forgets what has ended.
        """
        weights = [w for kind, w in self._kinds.items() if swaps or kind != self._swap]
        kinds = [kind for kind in self._kinds if swaps or kind != self._swap]
        until = self.books.events + events
        while self.books.events < until:
            for kind in self._rng.choices(kinds, weights, k=_ALL_UP_EVERY):
                kind()
            self._all_up()
            self.books.check()

    def drain(self) -> None:
        """Let everything that runs end; then every request has ended.

        Raises:
            AssertionError: some wait for ever.
        """
        self._all_up()
        while self.books.running or self.books.wakes:
            while self.books.running:
                self._finish()
            if self.books.wakes:
                self.books.now_us = min(self.books.wakes)
                self._tick()
        assert not self.books.open, f"{self.books.open} requests will wait for ever"
        self.books.check()

    def objects(self) -> int:
        """Return how many objects the garbage collector knows, once nothing is under way."""
        self.drain()
        gc.collect()
        return len(gc.get_objects())

    def _arrive(self) -> None:
        rng, number = self._rng, self.books.sent
        self.books.send(
            RequestArrived(
                number,
                self._model_name() if rng.random() < 0.99 else "unknown",
                stream=rng.choice(STREAMS),
                frame=rng.choice((None, number)),
                priority=rng.choice((0, 0, 1, 3)),
                deadline_us=self._in_future(6000) if rng.random() < 0.7 else None,
                expires_us=self._in_future(4000) if rng.random() < 0.1 else None,
                processor=rng.choice(PINS) if rng.random() < 0.05 else None,
                app=rng.choice(APPS),
                supersede=rng.random() < 0.1,
            )
        )

    def _model_name(self) -> str:
        return self._rng.choice(tuple(SHAPES))

    def _in_future(self, most_us: int) -> int:
        return self.books.now_us + self._rng.randint(0, most_us)

    def _take(self) -> Task:
        return self.books.take(self._rng.choice(tuple(self.books.running)))

    def _finish(self) -> None:
        if self.books.running:
            task = self._take()
            planned_us = task.predicted_us - task.transfer_us
            run_us = max(1, planned_us * self._rng.randint(50, 200) // 100)
            self.books.now_us += run_us // 4
            self.books.send(TaskFinished(task.id, run_us, task.transfer_us))

    def _fail(self) -> None:
        if self.books.running:
            self.books.send(TaskFailed(self._take().id, "broken"))

    def _tick(self) -> None:
        self.books.now_us += self._rng.randint(1, 800)
        self.books.wakes = [at_us for at_us in self.books.wakes if at_us > self.books.now_us]
        self.books.send(Tick())

    def _cancel(self) -> None:
        self.books.send(Cancelled(max(0, self.books.sent - self._rng.randint(0, 12))))

    def _late(self) -> None:
        """Report a task that has ended long ago, or never was."""
        newest = max(self.books.running, default=0)
        unknown = (n for n in (newest - 50, newest + 1_000_000) if n not in self.books.running)
        self.books.send(TaskFinished(next(unknown), 10))

    def _processor(self) -> None:
        processor = self._rng.randrange(len(PROCESSORS))
        self.books.upheavals += 1
        self.books.lose(processor)
        self.books.up.discard(processor)
        self.books.send(WorkerDown(processor, "gone"))
        if self._rng.random() < 0.5:
            self._bring_up(processor)

    def _bring_up(self, processor: int) -> None:
        self.books.upheavals += 1
        self.books.lose(processor)
        self.books.up.add(processor)
        self.books.send(WorkerUp(processor, PROCESSORS[processor], "cpu", 1 << 30))

    def _all_up(self) -> None:
        for processor in range(len(PROCESSORS)):
            if processor not in self.books.up:
                self._bring_up(processor)

    def _slice(self) -> None:
        model = self._model_name()
        span = self._rng.choice(table(model, self._rng.randrange(4)).spans)
        key = SliceKey(model, span.units)
        self.books.asked = [
            c for c in self.books.asked if (c.slice, c.processor) != (key, span.processor)
        ]
        self.books.upheavals += 1
        self.books.send(SliceEvicted(key, span.processor))
        if self._rng.random() < 0.8:
            self.books.send(SliceLoaded(key, span.processor, 1000))

    def _answer(self) -> None:
        if self.books.asked:
            command = self.books.asked.pop(self._rng.randrange(len(self.books.asked)))
            self.books.upheavals += 1
            if isinstance(command, Load) and self._rng.random() < 0.9:
                size = self._rng.randint(500, 9000)
                self.books.send(SliceLoaded(command.slice, command.processor, size, size // 10))
            else:
                self.books.send(SliceEvicted(command.slice, command.processor))

    def _budget(self) -> None:
        self.books.upheavals += 1
        self.books.send(SliceBudget(self._rng.choice((0, 20_000, 60_000, 1 << 30))))

    def _model(self) -> None:
        model, seed = self._model_name(), self._rng.randrange(4)
        self.books.upheavals += 1
        if self._rng.random() < 0.3:
            self.books.send(ModelRemoved(model))
        self._versions[model] += 1
        fresh = table(model, seed).with_costs({}, self._versions[model])
        loaded = tuple((s.first, s.last, s.processor) for s in fresh.spans) if seed else None
        self.books.send(ModelAdded(fresh, loaded))

    def _declare(self) -> None:
        chosen = self._rng.sample(tuple(SHAPES), self._rng.randrange(len(SHAPES) + 1))
        streams = (
            StreamLoad(
                stream=self._rng.choice(STREAMS),
                model=model,
                period_us=self._rng.randint(500, 9000),
                next_us=self._in_future(9000),
                deadline_us=self._rng.choice((None, 4000)),
            )
            for model in chosen
        )
        self.books.send(StreamsDeclared(tuple(streams)))

    def _swap(self) -> None:
        """Let another policy decide for one event, then put the own one in force again."""
        if self._others:
            self.books.send(self._rng.choice(self._others))
            self._arrive()
        self.books.send(self._policy)
