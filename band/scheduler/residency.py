"""What is loaded where: room is made by evicting, and free room is used for further slices.

The core decides, the driver carries out and answers: ``Load`` is answered by SliceLoaded (or by
SliceEvicted if it failed), ``Evict`` by SliceEvicted. One slice is loaded at a time. Loading holds
up whatever runs in the same process, so it waits for a quiet moment; under requests that never
pause, it keeps to a small share of the time, and to processors that have no task.
"""

from collections import Counter, defaultdict, deque
from typing import Final

from mypy_extensions import mypyc_attr

from band.scheduler.alarms import Alarms
from band.scheduler.commands import Command, Evict, Load
from band.scheduler.core_view import current_waits_us
from band.scheduler.estimator import SpanId
from band.scheduler.events import RequestArrived
from band.scheduler.options import CoreOptions
from band.scheduler.registered import RegisteredModel
from band.scheduler.slice_books import Place
from band.scheduler.state import CoreState
from band.scheduler.usefulness import Habits, Wish, needs, wishes
from band.scheduler.victims import Victims, choose_victims

_SAMPLE_EVERY: Final = 8
_FRESH_SAMPLES: Final = 8
_LOOK_AGAIN_US: Final = 10_000_000
_RETRY_US: Final = 50_000


@mypyc_attr(allow_interpreted_subclasses=True)
class Residency:
    """Decides which slices come and go.

    Args:
        state: of the core.
        alarms: to be woken when a load may begin.
        options: how much loading may disturb.

    Attributes:
        todo: there may be something to load.
        short: slices take more than they may, or orphans wait for their last task.
    """

    def __init__(self, state: CoreState, alarms: Alarms, options: CoreOptions) -> None:
        self._state = state
        self._books = state.slices
        self._alarms = alarms
        self._options = options
        self.todo = False
        self.short = False
        self._habits: defaultdict[str, Habits] = defaultdict(Habits)
        self._refused: set[Place] = set()
        self._wished: dict[str, tuple[object, tuple[Wish, ...]]] = {}
        self._needed: dict[str, tuple[object, Counter[SpanId]]] = {}
        self._next: deque[Place] = deque()
        self._arrivals = 0
        self._had_jobs = False
        self._active_us = self._began_us = self._rested_us = self._looked_us = self._retry_us = 0

    def set_limit(self, slices_bytes: int, now_us: int) -> None:
        """Take how many bytes all slices may take together."""
        self._books.limit_bytes = max(0, slices_bytes)
        self._retry_us = now_us
        self.changed(now_us)

    def changed(self, now_us: int) -> None:
        """Note that models, slices, processors or memory are not what they were."""
        if self._books.limit_bytes is None:
            return
        if not self.todo:
            self._active_us = max(self._active_us, now_us)
        self.todo = self.short = True

    def retable(self, model: str, now_us: int) -> None:
        """Note that a model is gone or has another table."""
        self._refused = {place for place in self._refused if place.model != model}
        for known in (self._habits, self._wished, self._needed):
            known.pop(model, None)
        self._next.clear()
        self._rested_us = max(self._rested_us, now_us + self._options.load_pause_us)
        self.changed(now_us)

    def retry(self, processor: int, now_us: int) -> None:
        """Note that a processor is up: what failed to load there may load now."""
        self._refused = {place for place in self._refused if place.processor != processor}
        self._wished.clear()
        self.changed(now_us)

    def answered(self, place: Place, now_us: int, *, loaded: bool) -> None:
        """Take the answer to a Load."""
        took_us = now_us - self._began_us
        share = self._options.load_share_percent
        pause_us = max(self._options.load_pause_us, took_us * (100 - share) // share)
        self._rested_us = now_us + pause_us
        if not loaded:
            self._refused.add(place)
            self._wished.pop(place.model, None)
            self._next.clear()

    @property
    def active(self) -> bool:
        """Return whether a driver has said how much memory there is."""
        return self._books.limit_bytes is not None

    def arrived(self, request: RequestArrived, now_us: int) -> None:
        """Take a request; one of eight is sampled, each new pin is noted."""
        self._arrivals += 1
        sampled = self._arrivals % _SAMPLE_EVERY == 0 and bool(self._state.tasks)
        if not sampled and request.processor is None:
            return
        model = self._state.models.get(request.model)
        if model is None or model.fixed:
            return
        habits = self._habits[model.name]
        if request.processor in model.full.processors:
            pin = model.full.processors.index(request.processor)
            if pin not in habits.pins:
                habits.pins.add(pin)
                self._look_again(model.name, now_us)
        if sampled:
            habits.samples.append(current_waits_us(self._state, now_us))
            habits.fresh += 1
            if habits.fresh >= _FRESH_SAMPLES and now_us >= self._looked_us + _LOOK_AGAIN_US:
                habits.fresh = 0
                self._looked_us = now_us
                self._look_again(model.name, now_us)

    def make_room(self, commands: list[Command], now_us: int) -> None:
        """Evict what no task runs on until the slices keep to their limit.

        If that cannot be done now, it is tried again later, but not at each event.
        """
        books = self._books
        for place in [place for place in books.orphans if not self._runs(place)]:
            self._evict(place, books.orphans.pop(place), commands)
        over = -self._free_bytes() - sum(books.leaving.values())
        self.short = over > 0 or bool(books.orphans)
        if over > 0 and now_us >= self._retry_us:
            self._retry_us = now_us + _RETRY_US
            self._evict_all(choose_victims(self._state, over, now_us, self._needs), commands)

    def load_more(self, commands: list[Command], now_us: int) -> None:
        """Ask for the next slice if this is the moment for it."""
        jobs = bool(self._state.jobs)
        if jobs or self._had_jobs:
            self._active_us = now_us
        self._had_jobs = jobs
        books = self._books
        self._alarms.background_us = None
        if self.short or books.loading or books.leaving:
            return  # the answer, or the end of a task, comes back here
        stranded = self._stranded()
        if not self._next and not self._choose(stranded, commands, now_us, forced=True):
            at_us = self._not_before(jobs=jobs)
            if now_us < at_us:
                self._alarms.background_us = at_us
                return
            models = list(self._state.models.values()) if self._options.background_loads else []
            if not self._choose(models, commands, now_us, forced=False):
                self.todo = False
                return
        self._load_next(commands, now_us, jobs=jobs, stranded=stranded)

    def reclaimable_bytes(self, now_us: int) -> int:
        """Return how much could be freed if it had to be, once the tasks that run have ended."""
        found = choose_victims(self._state, 1 << 62, now_us, self._needs, running=True)
        return found.freed_bytes

    def _not_before(self, *, jobs: bool) -> int:
        if jobs:
            return self._rested_us
        return min(self._rested_us, self._active_us + self._options.load_quiet_us)

    def _stranded(self) -> list[RegisteredModel]:
        """Return the models that cannot run now and could with further slices."""
        return [
            model
            for model in self._state.models.values()
            if not (model.fixed or model.plans.can_finish(0, -1)) and self._wishes(model)
        ]

    def _choose(
        self, models: list[RegisteredModel], commands: list[Command], now_us: int, *, forced: bool
    ) -> bool:
        """Take up the first wish that there is room for, evicting for it if that is worth it."""
        models = [model for model in models if not model.fixed]
        found = [self._wishes(model) for model in models]
        for rank in range(max(map(len, found), default=0)):
            for model, wished in zip(models, found, strict=True):
                if rank < len(wished) and self._take_up(
                    model, wished[rank], commands, now_us, forced=forced
                ):
                    return True
        return False

    def _take_up(
        self,
        model: RegisteredModel,
        wish: Wish,
        commands: list[Command],
        now_us: int,
        *,
        forced: bool,
    ) -> bool:
        plan = [Place(model.name, span.units, span.processor) for span in wish.plan]
        if any(s.load_bytes > self._free_on(s.processor) for s in wish.spans):
            return False
        need = sum(s.load_bytes for s in wish.spans) - self._free_bytes()
        if need > 0:
            found = choose_victims(
                self._state, need, now_us, self._needs, unneeded=not forced, keep=plan
            )
            if found.freed_bytes < need:
                return False
            self._evict_all(found, commands)
        self._next.extend(place for place in plan if place.span_id not in model.loaded)
        return True

    def _load_next(
        self,
        commands: list[Command],
        now_us: int,
        *,
        jobs: bool,
        stranded: list[RegisteredModel],
    ) -> None:
        """Ask for the first slice of the wish that was taken up, if this is the moment for it."""
        books, place = self._books, self._next[0]
        if books.leaving:
            return  # room is being made for it
        model = self._state.models.get(place.model)
        span = None if model is None else model.full.find(*place.span_id)
        if model is None or span is None or place.span_id in model.loaded:
            self._next.popleft()
            return
        if span.load_bytes > self._free_bytes():
            self._next.clear()
            return
        if model not in stranded:
            at_us = self._not_before(jobs=jobs)
            if now_us < at_us:
                self._alarms.background_us = at_us
            if now_us < at_us or place.processor not in self._state.idle:
                return
        self._next.popleft()
        books.loading[place] = span.load_bytes
        books.loads += 1
        self._began_us = now_us
        commands.append(Load(place.slice, place.processor))

    def _evict_all(self, victims: Victims, commands: list[Command]) -> None:
        for place in victims.places:
            freed = self._state.models[place.model].evict(place.units, place.processor)
            assert freed is not None
            self._evict(place, freed, commands)

    def _evict(self, place: Place, size: int, commands: list[Command]) -> None:
        self._books.leaving[place] = size
        self._books.evictions += 1
        commands.append(Evict(place.slice, place.processor))

    def _wishes(self, model: RegisteredModel) -> tuple[Wish, ...]:
        known = self._wished.get(model.name)
        if known is None or known[0] is not model.table:
            refused = frozenset(p.span_id for p in self._refused if p.model == model.name)
            found = wishes(model, self._habits[model.name], self._state.up(), refused)
            known = self._wished[model.name] = (model.table, found)
        return known[1]

    def _needs(self, model: RegisteredModel) -> Counter[SpanId]:
        known = self._needed.get(model.name)
        if known is None or known[0] is not model.table:
            found = needs(model, self._habits[model.name], self._state.up())
            known = self._needed[model.name] = (model.table, found)
        return known[1]

    def _look_again(self, name: str, now_us: int) -> None:
        self._wished.pop(name, None)
        self._needed.pop(name, None)
        self.changed(now_us)

    def _runs(self, place: Place) -> bool:
        processor = self._state.processors.get(place.processor)
        running = None if processor is None else processor.running
        return running is not None and running.task.slice == place.slice

    def _free_bytes(self) -> int:
        return (self._books.limit_bytes or 0) - self._state.slices_bytes()

    def _free_on(self, processor: int) -> int:
        found = self._state.processors.get(processor)
        return 0 if found is None else found.capacity_bytes - self._state.slices_bytes(processor)

    def __repr__(self) -> str:
        return f"<Residency {self._books!r} todo={self.todo} short={self.short}>"
