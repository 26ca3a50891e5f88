"""Which slices help a model: the best plans of the situations that its jobs meet.

A *situation* is who waits how long when a job starts. Standing ones: nobody waits, and each set of
processors busy or down, small sets first, and each processor that an app has pinned a job to. Then
the waits that arriving requests really met, sampled.
"""

from collections import Counter, deque
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from band.plan.hops import DOWN_US
from band.plan.kernel import Kernel
from band.plan.table import Span
from band.scheduler.estimator import SpanId
from band.scheduler.registered import RegisteredModel

_SAMPLES: Final = 16
_STANDING: Final = 32
_SUBSET_PROCESSORS: Final = 8
_WORTH_PERCENT: Final = 5
"""A plan that is faster by no more than this is not worth the memory of its slices."""


class Situation(NamedTuple):
    """Who waits how long when a job starts, and the processor it is pinned to (-1 for none)."""

    waits_us: tuple[int, ...]
    pin: int = -1


class Habits:
    """What the requests of one model met when they arrived.

    Attributes:
        pins: processors that requests were pinned to.
        samples: waits of the last sampled requests that found some processor busy.
        fresh: samples since somebody looked at them.
    """

    __slots__ = ("fresh", "pins", "samples")

    def __init__(self) -> None:
        self.pins: set[int] = set()
        self.samples: deque[tuple[int, ...]] = deque(maxlen=_SAMPLES)
        self.fresh = 0


class Wish(NamedTuple):
    """Slices that together would let jobs finish earlier.

    Attributes:
        spans: what is not loaded of a plan.
        plan: all of the plan.
        gain_us: how much earlier it finishes than the best loaded plan; None if there is none.
    """

    spans: tuple[Span, ...]
    plan: tuple[Span, ...]
    gain_us: int | None


def wishes(
    model: RegisteredModel, habits: Habits, up: frozenset[int], refused: frozenset[SpanId]
) -> tuple[Wish, ...]:
    """Return what a model would like to have loaded, the most useful first.

    First what the standing situations want, in their order; then what the sampled ones want, by
    the time that it would have saved them together.

    Args:
        model: the model.
        habits: of its requests.
        up: processors that can run tasks.
        refused: spans that did not load.
    """
    table = model.full
    if refused:
        table = table.restricted({s[:3] for s in table.spans} - refused)
    kernel = Kernel(table)
    found: dict[tuple[SpanId, ...], Wish] = {}
    for situation in _standing(len(table.processors), up, habits.pins):
        wish = _wish(model, kernel, situation)
        if wish is not None:
            found.setdefault(_keys(wish), wish)
    saved: Counter[tuple[SpanId, ...]] = Counter()
    sampled: dict[tuple[SpanId, ...], Wish] = {}
    for waits_us in habits.samples:
        wish = _wish(model, kernel, _among(up, waits_us, -1))
        if wish is not None:
            sampled[_keys(wish)] = wish
            saved[_keys(wish)] += wish.gain_us or 0
    for keys in sorted(sampled, key=lambda keys: (-saved[keys], keys)):
        found.setdefault(keys, sampled[keys])
    return tuple(found.values())


def needs(model: RegisteredModel, habits: Habits, up: frozenset[int]) -> Counter[SpanId]:
    """Return per loaded span in how many situations the best loaded plan has it."""
    found: Counter[SpanId] = Counter()
    standing = _standing(len(model.full.processors), up, habits.pins)
    sampled = [_among(up, waits_us, -1) for waits_us in habits.samples]
    for waits_us, pin in (*standing, *sampled):
        plan = model.plans.best_plan((0, 0, -1, pin), waits_us)
        for step in plan.steps if plan is not None else ():
            found[step.span[:3]] += 1
    return found


def _standing(count: int, up: frozenset[int], pins: set[int]) -> Iterator[Situation]:
    first = sorted(up)[:_SUBSET_PROCESSORS]
    masks = sorted(range(1 << len(first)), key=lambda mask: (mask.bit_count(), mask))
    for mask in islice(masks, _STANDING):
        busy = {p for place, p in enumerate(first) if mask >> place & 1}
        if busy != up:
            yield _among(up - busy, (0,) * count, -1)
    for pin in sorted(pins & up):
        yield _among(up, (0,) * count, pin)


def _among(usable: frozenset[int], waits_us: tuple[int, ...], pin: int) -> Situation:
    waits = (w if p in usable else DOWN_US for p, w in enumerate(waits_us))
    return Situation(tuple(waits), pin)


def _wish(model: RegisteredModel, kernel: Kernel, situation: Situation) -> Wish | None:
    waits_us, pin = situation
    best = kernel.plan(0, waits_us, -1, pin)
    if best is None:
        return None
    loaded = model.plans.best_plan((0, 0, -1, pin), waits_us)
    if loaded is not None and loaded.latency_us * 100 <= best.latency_us * (100 + _WORTH_PERCENT):
        return None
    plan = tuple(step.span for step in best.steps)
    missing = tuple(span for span in plan if span[:3] not in model.loaded)
    return Wish(missing, plan, None if loaded is None else loaded.latency_us - best.latency_us)


def _keys(wish: Wish) -> tuple[SpanId, ...]:
    return tuple(span[:3] for span in wish.spans)
