"""What load arrives: learnt from the arrivals, or told by a driver that knows.

Pure: it lives in the core and is fed by its events, so a replayed inbox learns exactly what the
recorded run learnt.
"""

from collections.abc import Iterator
from typing import Final

from mypy_extensions import mypyc_attr

from band.scheduler.events import RequestArrived, StreamLoad

SMOOTHING: Final = 0.1
MOVED: Final = 0.1
"""A stream counts as changed when its mean period has moved by more than this share."""

SILENT_PERIODS: Final = 8
"""A stream that brings nothing for so many of its periods has stopped."""

_SILENT_US: Final = 1_000_000
_RECENT: Final = 4096

TOGETHER_US: Final = 1_000
"""Frames that begin within this time are one arrival of several copies; no stream is faster."""

SPAN_US: Final = 10_000
"""How long the frames of a stream must have come before its period counts as known.

A client may send a few requests at once and then none for long.
"""

SETTLE_US: Final = 150_000
"""How long arrivals are watched before a load that nobody declared counts as known."""

_Key = tuple[str, str, str]
"""(app, stream, model)."""


@mypyc_attr(allow_interpreted_subclasses=True)
class _Source:
    """One model that a stream asks for again and again.

    Attributes:
        period_us: mean time between arrivals, None before the second one.
        known: its frames have come for long enough to tell the period.
        told_us: the period when the load was last said to have changed.
        first_us: when the first frame arrived.
        begun_us: when the first frame of the last arrival did.
        last_us: when the first request of the last arrival came.
        frame: the last frame's number; None for requests without.
        frames: how many have arrived.
        in_frame: requests of the last arrival so far.
        copies: mean number of requests an arrival.
        request: the last one; priority and parents are read from it.
        frame_us: when the frame of that request arrived.
        parents: models whose completion issued it.
    """

    __slots__ = (
        "begun_us", "copies", "first_us", "frame", "frame_us", "frames", "in_frame", "known",
        "last_us", "parents", "period_us", "request", "told_us",
    )  # fmt: skip

    def __init__(self, request: RequestArrived, frame_us: int, now_us: int) -> None:
        self.period_us: float | None = None
        self.known = False
        self.told_us = 0.0
        self.first_us = self.begun_us = frame_us
        self.last_us = now_us
        self.frame = request.frame
        self.frames = 1
        self.in_frame = 0
        self.copies = 1.0
        self.request = request
        self.frame_us = frame_us
        self.parents: tuple[str, ...] = ()

    def next_frame(self, request: RequestArrived, frame_us: int, now_us: int) -> bool:
        """Take the first request of a frame; return whether the period has become another one."""
        self.frame = request.frame
        self.frames += 1
        if abs(frame_us - self.begun_us) < TOGETHER_US:
            return False
        gap_us = now_us - self.last_us
        if self.period_us is None:
            self.period_us, self.copies = float(gap_us), float(self.in_frame)
        else:
            self.period_us += SMOOTHING * (gap_us - self.period_us)
            self.copies += SMOOTHING * (self.in_frame - self.copies)
        self.begun_us, self.last_us, self.in_frame = frame_us, now_us, 0
        known, self.known = self.known, self.known or frame_us - self.first_us >= SPAN_US
        moved = abs(self.period_us - self.told_us) > MOVED * self.told_us
        if moved:
            self.told_us = self.period_us
        return self.known and (moved or not known)

    def silent(self, now_us: int) -> bool:
        """Return whether it has stopped."""
        quiet_us = max(_SILENT_US, SILENT_PERIODS * (self.period_us or 0))
        return now_us - self.last_us > quiet_us

    def load(self, key: _Key, now_us: int) -> StreamLoad | None:
        """Return it as a load; None before its period is known."""
        if self.period_us is None or not self.known:
            return None
        app, stream, model = key
        request, period_us = self.request, max(TOGETHER_US, round(self.period_us))
        return StreamLoad(
            stream=stream,
            model=model,
            period_us=period_us,
            next_us=max(now_us, self.last_us + period_us),
            deadline_us=_relative(request.deadline_us, self.frame_us),
            parents=self.parents,
            copies=self.copies,
            priority=request.priority,
            app=app,
            expires_us=_relative(request.expires_us, self.frame_us),
        )


@mypyc_attr(allow_interpreted_subclasses=True)
class Demand:
    """The load as declared; for streams that nobody declared, as seen in the arrivals.

    Attributes:
        changed: the set of streams or a rate has changed since this was last reset.
    """

    def __init__(self) -> None:
        self.changed = False
        self._sources: dict[_Key, _Source] = {}
        self._declared: tuple[StreamLoad, ...] = ()
        self._declared_names: frozenset[tuple[str, str]] = frozenset()
        self._recent: dict[int, tuple[str, int]] = {}
        self._sweep_us = 0
        self._first_us: int | None = None

    def declare(self, streams: tuple[StreamLoad, ...]) -> None:
        """Take what a driver declares; it replaces what was declared before."""
        self._declared = streams
        self._declared_names = frozenset((load.stream, load.model) for load in streams)
        for key in [key for key in self._sources if key[1:] in self._declared_names]:
            del self._sources[key]  # frames are counted from the declaration on
        self.changed = True

    def arrived(self, request: RequestArrived, now_us: int) -> None:
        """Learn from an arrival."""
        if self._first_us is None:
            self._first_us = now_us
        key = (request.app, request.stream, request.model)
        recent = self._recent
        parents = [recent[parent] for parent in request.parents if parent in recent]
        frame_us = min((begun_us for _, begun_us in parents), default=now_us)
        source = self._sources.get(key)
        if source is None:
            source = self._sources[key] = _Source(request, frame_us, now_us)
        elif request.frame is None or request.frame != source.frame:
            moved = source.next_frame(request, frame_us, now_us)
            self.changed |= moved and key[1:] not in self._declared_names
        source.in_frame += 1
        source.request, source.frame_us = request, frame_us
        if parents:
            source.parents = tuple(dict.fromkeys(model for model, _ in parents))
        recent[request.request] = (request.model, frame_us)
        if len(recent) > _RECENT:
            del recent[next(iter(recent))]
        if now_us >= self._sweep_us:
            self._sweep(now_us)

    def known(self, now_us: int) -> bool:
        """Return whether a load is declared, or has been seen for long enough.

        What the first few arrivals tell is worse than nothing: streams are missing in it.
        """
        if self._declared:
            return True
        if self._first_us is None or now_us < self._first_us + SETTLE_US:
            return False
        return any(source.known for source in self._sources.values())

    def streams(self, now_us: int) -> tuple[StreamLoad, ...]:
        """Return the load from now on: what was declared first, then what was seen beside it."""
        return (*self._still_declared(now_us), *self._seen(now_us))

    def copy(self) -> "Demand":
        """Return a tracker that knows what was declared only."""
        twin = Demand()
        twin._declared, twin._declared_names = self._declared, self._declared_names
        return twin

    def _sweep(self, now_us: int) -> None:
        """Forget what has fallen silent."""
        for key in [key for key, s in self._sources.items() if s.silent(now_us)]:
            known = self._sources.pop(key).known
            self.changed |= known and key[1:] not in self._declared_names
        self._sweep_us = now_us + _SILENT_US

    def _seen(self, now_us: int) -> Iterator[StreamLoad]:
        for key, source in self._sources.items():
            if key[1:] not in self._declared_names:
                load = source.load(key, now_us)
                if load is not None:
                    yield load

    def _still_declared(self, now_us: int) -> Iterator[StreamLoad]:
        """Return the declared load, each with its next frame and the number of those left.

        Frames that have arrived are counted, since a frame may be late; where none have for a
        period or more, the clock says which one is next.
        """
        arrived: dict[tuple[str, str], int] = {}
        for (_, stream, model), source in self._sources.items():
            arrived[stream, model] = arrived.get((stream, model), 0) + source.frames
        for load in self._declared:
            gone = arrived.get((load.stream, load.model), 0)
            behind_us = now_us - (load.next_us + gone * load.period_us)
            if behind_us >= load.period_us and not load.parents:
                gone += behind_us // load.period_us
            if load.frames is not None and gone >= load.frames and not load.parents:
                continue
            yield load._replace(
                next_us=max(now_us, load.next_us + gone * load.period_us),
                frames=None if load.frames is None else max(0, load.frames - gone),
            )

    def __repr__(self) -> str:
        return f"<Demand declared={len(self._declared)} seen={len(self._sources)}>"


def _relative(at_us: int | None, from_us: int) -> int | None:
    return None if at_us is None else at_us - from_us
