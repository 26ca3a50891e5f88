"""The requests that a known load will bring: frame after frame, children behind their parents."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from band.scheduler.events import RequestArrived, StreamLoad

FIRST_REQUEST: Final = 1 << 40
"""Number of the first request that is only expected; real ones count from 0."""

MOST_A_STREAM: Final = 4_000
"""So many requests are expected of a stream at most, whatever rate it is said to have."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What will arrive, the same for every rehearsal of one moment.

    Attributes:
        roots: (time, request) without parents, by time.
        requests: every expected request by its number.
        arrive_us: when the frame of each expected request arrives.
        children: per request, real ones included, those that its completion may issue.
        parents: per child, how many requests must complete before it is issued.
    """

    roots: list[tuple[int, RequestArrived]] = field(default_factory=list)
    requests: dict[int, RequestArrived] = field(default_factory=dict)
    children: dict[int, tuple[int, ...]] = field(default_factory=dict)
    parents: dict[int, int] = field(default_factory=dict)


def expect(
    streams: Sequence[StreamLoad], open_requests: Iterable[RequestArrived], until_us: int
) -> Expected:
    """Return what a load brings up to a time.

    Frame i of a stream is made of one request a copy of each root, and of the requests that their
    completion issues, in turn. The mean number of copies is kept exactly: 0.5 is every other frame.

    However fast a stream is and however far away the end, it brings no more than the first
    ``MOST_A_STREAM`` requests: every simulation plays them all.

    Args:
        streams: the load; ``next_us`` of roots says when their next frame comes.
        open_requests: under way; the end of one may issue children, too.
        until_us: roots arrive before this time.
    """
    found = Expected()
    by_stream: defaultdict[tuple[str, str], list[StreamLoad]] = defaultdict(list)
    for load in streams:
        by_stream[load.app, load.stream].append(load)
    under_way: defaultdict[tuple[str, str, int | None], list[RequestArrived]] = defaultdict(list)
    for request in open_requests:
        under_way[request.app, request.stream, request.frame].append(request)
    maker = _Maker(found)
    for (app, stream, _), requests in under_way.items():
        maker.after(_in_order(by_stream.get((app, stream), [])), requests)
    for loads in by_stream.values():
        maker.frames(_in_order(loads), until_us)
    found.roots.sort(key=lambda root: (root[0], root[1].request))
    return found


class _Maker:
    """Makes the requests of frames and numbers them."""

    def __init__(self, found: Expected) -> None:
        self._found = found
        self._next = FIRST_REQUEST
        self._end = FIRST_REQUEST

    def frames(self, loads: Sequence[StreamLoad], until_us: int) -> None:
        """Make the coming frames of one stream."""
        self._end = self._next + MOST_A_STREAM
        times = {load.model: _times(load, until_us) for load in loads if not load.parents}
        for index in range(max(map(len, times.values()), default=0)):
            if self._next >= self._end:
                return
            made: dict[str, tuple[int, ...]] = {}
            behind: dict[str, tuple[int, ...]] = {}
            frame_us: dict[str, int] = {}
            for load in loads:
                if not load.parents:
                    if index >= len(times[load.model]):
                        continue
                    frame_us[load.model] = times[load.model][index]
                elif any(parent not in made for parent in load.parents):
                    continue
                else:
                    frame_us[load.model] = min(frame_us[parent] for parent in load.parents)
                parents = _unique(made[p] or behind[p] for p in load.parents)
                count = _copies(load, index)
                made[load.model] = self._requests(load, index, frame_us[load.model], parents, count)
                behind[load.model] = parents

    def after(self, loads: Sequence[StreamLoad], requests: Sequence[RequestArrived]) -> None:
        """Make what the requests of one frame under way may still issue."""
        self._end = self._next + MOST_A_STREAM
        made: dict[str, tuple[int, ...]] = {}
        frame_us: dict[str, int] = {}
        known = {load.model: load for load in loads}
        for request in requests:
            made[request.model] = (*made.get(request.model, ()), request.request)
            after_us = known[request.model].deadline_us if request.model in known else None
            if after_us is not None and request.deadline_us is not None:
                frame_us[request.model] = request.deadline_us - after_us
        for load in loads:
            parents = _unique(made.get(parent, ()) for parent in load.parents)
            if load.model not in made and parents:
                begun = [frame_us[p] for p in load.parents if p in frame_us]
                frame_us[load.model] = begun[0] if begun else 0
                count = max(1, round(load.copies))
                made[load.model] = self._requests(
                    load, requests[0].frame, frame_us[load.model], parents, count
                )

    def _requests(
        self,
        load: StreamLoad,
        frame: int | None,
        frame_us: int,
        parents: tuple[int, ...],
        count: int,
    ) -> tuple[int, ...]:
        found, end = self._found, min(self._next + count, self._end)
        numbers = tuple(range(self._next, end))
        self._next = end
        for number in numbers:
            request = RequestArrived(
                request=number,
                model=load.model,
                stream=load.stream,
                frame=frame,
                parents=parents,
                priority=load.priority,
                deadline_us=_absolute(load.deadline_us, frame_us),
                expires_us=_absolute(load.expires_us, frame_us),
                app=load.app,
            )
            found.requests[number] = request
            if parents:
                found.parents[number] = len(parents)
            else:
                found.roots.append((frame_us, request))
        for parent in parents:
            found.children[parent] = (*found.children.get(parent, ()), *numbers)
        return numbers


def _in_order(loads: Iterable[StreamLoad]) -> list[StreamLoad]:
    """Return loads with parents before their children; what hangs on nothing is left out."""
    left, known = list(loads), set[str]()
    ordered: list[StreamLoad] = []
    while True:
        ready = [load for load in left if known.issuperset(load.parents)]
        if not ready:
            return ordered
        ordered += ready
        known.update(load.model for load in ready)
        left = [load for load in left if load not in ready]


def _times(load: StreamLoad, until_us: int) -> range:
    times = range(load.next_us, max(load.next_us, until_us), load.period_us)
    return times if load.frames is None else times[: load.frames]


def _copies(load: StreamLoad, index: int) -> int:
    return int((index + 1) * load.copies + 1e-9) - int(index * load.copies + 1e-9)


def _unique(groups: Iterable[Iterable[int]]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(number for group in groups for number in group))


def _absolute(after_us: int | None, from_us: int) -> int | None:
    return None if after_us is None else from_us + after_us
