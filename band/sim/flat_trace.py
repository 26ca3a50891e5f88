"""A trace as flat tuples of integers: what the flat simulators play, made once, played often.

Requests have the ids that the frame tracker gives them. Copies of one node form a group; a group
is issued when all groups that it waits for have completed, as the frame tracker does.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from band.errors import BandError, ErrorCode
from band.scheduler.events import RequestArrived
from band.trace.arrivals import Arrival
from band.trace.schema import Frame, Trace

_DEFAULT_CLASS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatTrace:
    """Requests and their order, index by index.

    Attributes:
        models: names; ``model`` counts in them.
        model, priority, deadline_us, expires_us: per request; priority is its class, never 0.
        frame: per request the number of its frame in the whole trace, -1 if it belongs to none.
        group: per request.
        copies: per group the requests that are its copies.
        children: per group those that wait for it.
        missing: per group how many it waits for.
        roots: (at_us, request) of those that wait for nothing, by time.
    """

    models: tuple[str, ...]
    model: tuple[int, ...]
    priority: tuple[int, ...]
    deadline_us: tuple[int | None, ...]
    expires_us: tuple[int | None, ...]
    frame: tuple[int, ...]
    group: tuple[int, ...]
    copies: tuple[range, ...]
    children: tuple[tuple[int, ...], ...]
    missing: tuple[int, ...]
    roots: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        """Return the number of requests, issued or not."""
        return len(self.model)


def flatten(trace: Trace, *, default_priority: int = _DEFAULT_CLASS) -> FlatTrace:
    """Return a trace as flat tuples.

    Args:
        trace: to play.
        default_priority: what priority 0 means, as in the core's options.

    Raises:
        BandError: INVALID_TRACE for a bad line; INVALID_REQUEST if a request is pinned to a
            processor, which no plan can say.
    """
    building = _Building(default_priority)
    for frame in trace.frames:
        building.add(frame)
    return building.built()


def flatten_arrivals(
    arrivals: Iterable[Arrival], *, default_priority: int = _DEFAULT_CLASS
) -> FlatTrace:
    """Return requests that wait for no other as flat tuples; ids must count up from 0 by time.

    Raises:
        BandError: INVALID_REQUEST if a request is pinned, or the ids do not count up.
    """
    building = _Building(default_priority)
    for number, (at_us, request) in enumerate(arrivals):
        if request.request != number:
            raise BandError(
                ErrorCode.INVALID_REQUEST,
                f"request {request.request} comes as number {number}; number them by time from 0",
            )
        frame = None if request.frame is None else (request.stream, request.frame)
        building.root(at_us, building.group((request,), building.frame(frame), ()))
    return building.built()


class _Building:
    """The columns of a flat trace while they grow."""

    def __init__(self, default_priority: int) -> None:
        self._default_priority = default_priority
        self._models: dict[str, int] = {}
        self._frames: dict[object, int] = {}
        self._requests: list[tuple[int, int, int | None, int | None, int, int]] = []
        self._copies: list[range] = []
        self._children: list[list[int]] = []
        self._missing: list[int] = []
        self._roots: list[tuple[int, int]] = []

    def add(self, frame: Frame) -> None:
        """Append a frame; a node without copies stands for its parents, as in the tracker."""
        named = None if frame.frame is None else (frame.stream, frame.frame)
        number = self.frame(named)
        waits: dict[str, tuple[int, ...]] = {}
        for node in frame.nodes:
            behind = dict.fromkeys(group for parent in node.parents for group in waits[parent])
            if not node.count:
                waits[node.id] = tuple(behind)
                continue
            request = RequestArrived(
                0,
                node.model,
                priority=node.priority,
                deadline_us=node.deadline_us,
                expires_us=node.expires_us,
                processor=node.processor,
            )
            group = self.group((request,) * node.count, number, tuple(behind))
            waits[node.id] = (group,)
            if not behind:
                self.root(frame.at_us, group)

    def frame(self, name: object | None) -> int:
        """Return the number of a frame, -1 for none."""
        return -1 if name is None else self._frames.setdefault(name, len(self._frames))

    def group(
        self, requests: tuple[RequestArrived, ...], frame: int, waits: tuple[int, ...]
    ) -> int:
        """Append copies of a node and return their group."""
        group, first = len(self._copies), len(self._requests)
        for request in requests:
            if request.processor is not None:
                raise BandError(
                    ErrorCode.INVALID_REQUEST,
                    f"a request of model {request.model!r} is pinned to {request.processor!r}; "
                    "a static plan decides where models run, so take the pin out of the trace",
                    model=request.model,
                )
            model = self._models.setdefault(request.model, len(self._models))
            priority = request.priority or self._default_priority
            row = (model, priority, request.deadline_us, request.expires_us, frame, group)
            self._requests.append(row)
        self._copies.append(range(first, len(self._requests)))
        self._children.append([])
        self._missing.append(len(waits))
        for parent in waits:
            self._children[parent].append(group)
        return group

    def root(self, at_us: int, group: int) -> None:
        """Let a group arrive by itself."""
        self._roots.extend((at_us, request) for request in self._copies[group])

    def built(self) -> FlatTrace:
        """Return the columns."""
        rows = self._requests
        return FlatTrace(
            models=tuple(self._models),
            model=tuple(row[0] for row in rows),
            priority=tuple(row[1] for row in rows),
            deadline_us=tuple(row[2] for row in rows),
            expires_us=tuple(row[3] for row in rows),
            frame=tuple(row[4] for row in rows),
            group=tuple(row[5] for row in rows),
            copies=tuple(self._copies),
            children=tuple(map(tuple, self._children)),
            missing=tuple(self._missing),
            roots=tuple(self._roots),
        )
