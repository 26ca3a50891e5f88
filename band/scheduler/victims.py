"""Which loaded slices may go, and which go first.

A slice may go when no task runs on it and everything that could finish without it still can: a
model on the processors that are up, and on all of its processors together; a job from where it
is; a pinned job on its processor. So the last complete plan of a model stays, and no accepted job
is dropped for memory.

The first to go is the one with the longest idle time divided by (1 + the number of situations
whose best plan has it): least recently used, weighted by what it is good for.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final, NamedTuple

from band.scheduler.estimator import SpanId
from band.scheduler.plans import Plans
from band.scheduler.registered import RegisteredModel
from band.scheduler.slice_books import Place
from band.scheduler.state import CoreState, Job

UNUSED_US: Final = 10_000_000
"""A slice that no situation needs counts as unused when no task has run on it for so long."""

Needs = Callable[[RegisteredModel], Mapping[SpanId, int]]
"""In how many situations each loaded span of a model is needed."""


class Candidate(NamedTuple):
    """A slice that might go; they are sorted by worth, the least first."""

    worth: tuple[int, int, Place]
    model: RegisteredModel
    size: int

    @property
    def place(self) -> Place:
        """Return which slice, and where."""
        return self.worth[2]


class Victims(NamedTuple):
    """Slices to evict, the least valuable first, and the bytes that frees."""

    places: tuple[Place, ...]
    freed_bytes: int


def choose_victims(
    state: CoreState,
    need_bytes: int,
    now_us: int,
    needs: Needs,
    *,
    unneeded: bool = False,
    running: bool = False,
    keep: Collection[Place] = (),
) -> Victims:
    """Return what to evict to free some memory; it may free less than that.

    Args:
        state: of the core.
        need_bytes: to be freed.
        now_us: the time.
        needs: tells what slices are good for.
        unneeded: only what no situation needs and no task has used for ``UNUSED_US``.
        running: as if no task were running.
        keep: not these.
    """
    candidates = sorted(_candidates(state, now_us, needs, unneeded=unneeded), key=lambda c: c.worth)
    spared = set(keep) if running else {*keep, *_running(state)}
    gone: defaultdict[str, set[SpanId]] = defaultdict(set)
    chosen: list[Candidate] = []
    freed = 0
    for candidate in candidates:
        if freed >= need_bytes:
            break
        place, model = candidate.place, candidate.model
        lost = gone[model.name]
        if place not in spared and may_leave(state, model, {*lost, place.span_id}):
            lost.add(place.span_id)
            chosen.append(candidate)
            freed += candidate.size
    for candidate in reversed(chosen.copy()):  # the last ones may have made others superfluous
        if freed - candidate.size >= need_bytes:
            chosen.remove(candidate)
            freed -= candidate.size
    return Victims(tuple(c.place for c in chosen), freed)


def may_leave(state: CoreState, model: RegisteredModel, gone: set[SpanId]) -> bool:
    """Return whether all that could finish with these slices can finish without them."""
    up = state.up()
    left = model.loaded - gone
    if not _equal_without(model.plans, model, {key for key in left if key[2] in up}, state):
        return False
    if all(key[2] in up for key in model.loaded):
        return True
    every = Plans(model.full.restricted(model.loaded))
    return _equal_without(every, model, left, state)


def _equal_without(
    before: Plans, model: RegisteredModel, left: set[SpanId], state: CoreState
) -> bool:
    after = Plans(model.full.restricted(left))
    return all(
        after.can_finish(finished, pin) or not before.can_finish(finished, pin)
        for finished, pin in _demands(model, state)
    )


def _demands(model: RegisteredModel, state: CoreState) -> set[tuple[int, int]]:
    """Return (finished units, pin) of everything that must be able to finish."""
    demands = {(0, -1)}
    for job in state.jobs.values():
        demands.update(_demands_of(job, model))
    return demands


def _demands_of(job: Job, model: RegisteredModel) -> Iterator[tuple[int, int]]:
    if job.model is model:
        yield job.finished, job.pin
        yield job.finished | job.running, job.pin
    if job.home is model:
        yield 0, job.pin


def _running(state: CoreState) -> set[Place]:
    return {Place(*t.task.slice, t.task.processor) for t in state.tasks.values()}


def _candidates(
    state: CoreState, now_us: int, needs: Needs, *, unneeded: bool
) -> Iterator[Candidate]:
    for model in state.models.values():
        if model.fixed or not model.loaded:
            continue
        needed = needs(model)
        for key, size in model.load_bytes.items():
            idle_us = max(0, now_us - model.estimator.used_us(key))
            if size == 0 or (unneeded and (needed.get(key, 0) or idle_us < UNUSED_US)):
                continue
            units = (2 << key[1]) - (1 << key[0])
            worth = (
                -(idle_us // (1 + needed.get(key, 0))),
                -size,
                Place(model.name, units, key[2]),
            )
            yield Candidate(worth, model, size)
