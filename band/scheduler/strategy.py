"""A strategy: one rule of the family that rehearsal chooses from, as plain data.

What may run where, in which order, what is shed and what is started although it is late. It holds
the load that it was made for, too, since guards and orders look ahead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from band.scheduler.demand import SILENT_PERIODS
from band.scheduler.events import Json, StreamLoad

PRIORITY, EDF, SLACK, LONGEST, ARRIVAL = "priority", "edf", "slack", "longest", "arrival"
MODES: Final = (PRIORITY, EDF, SLACK, LONGEST, ARRIVAL)
"""Orders: by rank of the model; by deadline; by time to spare; longest best plan; as it came."""


class Strategy(NamedTuple):
    """One rule.

    Attributes:
        mode: the order of waiting jobs, one of ``MODES``.
        order: models, the most important first; the rest come behind, shortest first.
        masks: processors that a model may use, where that is not all; 0 starves it.
        salvage: processors that may run hopeless requests of a model.
        guard: no start that makes a known next arrival of a more important model hopeless.
        frugal: of the ways to be in time, the one that takes the least energy; else the earliest.
        shed: hopeless requests are dropped; else they run late.
        spread: use only spans that cost at most this share more than the cheapest way, at the
            prices of a full device; None for all spans.
    """

    mode: str = PRIORITY
    order: tuple[str, ...] = ()
    masks: tuple[tuple[str, int], ...] = ()
    salvage: tuple[tuple[str, int], ...] = ()
    guard: bool = False
    frugal: bool = False
    shed: bool = True
    spread: float | None = None

    def with_mask(self, model: str, mask: int | None) -> "Strategy":
        """Return the strategy with other processors for a model; None for all."""
        return self._replace(masks=_with(self.masks, model, mask))

    def with_salvage(self, model: str, mask: int) -> "Strategy":
        """Return the strategy with other processors for hopeless requests of a model."""
        return self._replace(salvage=_with(self.salvage, model, mask or None))


class Root(NamedTuple):
    """A model whose requests come at a known pace, none of them issued by another one.

    Attributes:
        next_us, period_us: when its frames come.
        until_us: after this time no more do; None if nobody says.
        deadline_us: from the arrival.
    """

    stream: str
    model: str
    next_us: int
    period_us: int
    until_us: int | None
    deadline_us: int

    def next_after(self, seen_us: int, watched_us: int, now_us: int) -> int | None:
        """Return when the next frame comes, None if none does.

        Where nobody says when a stream ends, it has ended once its next frame is overdue by some
        periods.

        Args:
            seen_us: when the last one was seen to arrive, or -1.
            watched_us: since when none could have come unseen.
            now_us: the time.
        """
        next_us = self.next_us if seen_us < 0 else seen_us + self.period_us
        if self.until_us is None:
            overdue_us = now_us - max(next_us, watched_us)
            if overdue_us > SILENT_PERIODS * self.period_us:
                return None
        if next_us <= now_us:
            next_us += ((now_us - next_us) // self.period_us + 1) * self.period_us
        return None if self.until_us is not None and next_us >= self.until_us else next_us


@dataclass(frozen=True, slots=True)
class Advice:
    """A strategy with what it needs to know of the load.

    Attributes:
        children: models that the completion of a model issues.
        roots: for guards; only those with deadlines.
        prices: per processor what its time is worth on a full device; empty if not known.
    """

    strategy: Strategy = field(default_factory=Strategy)
    children: Mapping[str, tuple[str, ...]] | None = None
    roots: tuple[Root, ...] = ()
    prices: tuple[float, ...] = ()

    def payload(self, strategy: Strategy) -> Json:
        """Return it as the payload of an AdviceReady, with another strategy."""
        return {
            "strategy": dict(strategy._asdict()),
            "children": {model: list(found) for model, found in (self.children or {}).items()},
            "roots": [list(root) for root in self.roots],
            "prices": list(self.prices),
        }

    @classmethod
    def of(cls, payload: Any) -> "Advice":
        """Return what a payload says."""
        given = payload["strategy"]
        return cls(
            strategy=Strategy(
                **{
                    **given,
                    "order": tuple(given["order"]),
                    "masks": tuple((model, mask) for model, mask in given["masks"]),
                    "salvage": tuple((model, mask) for model, mask in given["salvage"]),
                }
            ),
            children={model: tuple(found) for model, found in payload["children"].items()},
            roots=tuple(Root(*root) for root in payload["roots"]),
            prices=tuple(payload["prices"]),
        )


def advice_for(streams: Sequence[StreamLoad], prices: Sequence[float]) -> Advice:
    """Return what strategies for a load need to know of it."""
    children: dict[str, list[str]] = {}
    for load in streams:
        for parent in load.parents:
            if load.model not in children.setdefault(parent, []):
                children[parent].append(load.model)
    roots = tuple(
        Root(
            load.stream,
            load.model,
            load.next_us,
            load.period_us,
            None if load.frames is None else load.next_us + load.frames * load.period_us,
            load.deadline_us,
        )
        for load in streams
        if not load.parents and load.deadline_us is not None
    )
    issued = {model: tuple(found) for model, found in children.items()}
    return Advice(children=issued, roots=roots, prices=tuple(prices))


def _with(
    pairs: tuple[tuple[str, int], ...], model: str, value: int | None
) -> tuple[tuple[str, int], ...]:
    kept = dict(pairs)
    if value is None:
        kept.pop(model, None)
    else:
        kept[model] = value
    return tuple(sorted(kept.items()))
