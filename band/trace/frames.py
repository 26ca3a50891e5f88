"""The frame tracker: plays a trace, issuing each child request when all its parents completed.

Pure: the driver (simulator, engine or gRPC replay) tells it how requests ended and submits what
it returns, so dependent requests behave alike in all three.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from band.metrics.records import RequestRecord
from band.scheduler.commands import DropReason, JobOutcome
from band.scheduler.events import RequestArrived
from band.trace.arrivals import Arrival
from band.trace.schema import Frame, Node, Trace


@dataclass(slots=True)
class _Play:
    """One frame in play.

    Attributes:
        first: per node, the request id of its first copy; the others follow it.
        waits_for: per node, the nodes with copies that must complete first.
        missing: per node, how many of those have not completed yet.
        left: per node, how many of its copies have not completed yet.
        dropped: nodes that will never be issued.
    """

    frame: Frame
    first: list[int]
    waits_for: list[tuple[int, ...]]
    missing: list[int]
    left: list[int]
    dropped: set[int] = field(default_factory=set)


class FrameTracker:
    """Plays one trace once.

    Request ids count up in the order of the trace, whether a request is issued or not, so the
    same request has the same id under every policy and driver. A node with count 0 creates no
    request; its children wait for its own parents instead. When a copy does not complete, the
    descendants of its node are recorded as dropped with ``parent_dropped``. Frames are taken from
    the trace as ``roots`` is advanced, so a long trace is never held in memory.

    Args:
        trace: to play; only its frames are used.
    """

    def __init__(self, trace: Trace) -> None:
        self._frames = trace.frames
        self._next_request = 0
        self._running: dict[int, tuple[_Play, int]] = {}
        self._never_issued: list[RequestRecord] = []

    @property
    def sent(self) -> int:
        """Return the requests of all frames taken so far, issued or not."""
        return self._next_request

    @property
    def running(self) -> int:
        """Return how many issued requests have not ended yet."""
        return len(self._running)

    def roots(self) -> Iterator[Arrival]:
        """Return the requests that wait for no other, by time."""
        for frame in self._frames:
            play = self._start(frame)
            for node, waits_for in enumerate(play.waits_for):
                if not waits_for:
                    for request in self._issue(play, node):
                        yield Arrival(frame.at_us, request)

    def finished(
        self, request: int, outcome: JobOutcome, now_us: int
    ) -> tuple[RequestArrived, ...]:
        """Take the end of a request; return the children that arrive now.

        Raises:
            KeyError: the request was never issued or has ended before.
        """
        play, node = self._running.pop(request)
        if outcome is not JobOutcome.COMPLETED:
            self._drop_after(play, node, now_us)
            return ()
        play.left[node] -= 1
        if play.left[node]:
            return ()
        children: list[RequestArrived] = []
        for child, waits_for in enumerate(play.waits_for):
            if node in waits_for:
                play.missing[child] -= 1
                if not play.missing[child] and child not in play.dropped:
                    children.extend(self._issue(play, child))
        return tuple(children)

    def never_issued(self) -> tuple[RequestRecord, ...]:
        """Return a record of each request that was not issued because a parent did not complete."""
        return tuple(self._never_issued)

    def _start(self, frame: Frame) -> _Play:
        index = {node.id: i for i, node in enumerate(frame.nodes)}
        first: list[int] = []
        waits_for: list[tuple[int, ...]] = []
        for node in frame.nodes:
            first.append(self._next_request)
            self._next_request += node.count
            # A parent without copies stands for its own parents.
            behind: dict[int, None] = {}
            for parent in (index[p] for p in node.parents):
                found = (parent,) if frame.nodes[parent].count else waits_for[parent]
                behind.update(dict.fromkeys(found))
            waits_for.append(tuple(behind))
        return _Play(
            frame=frame,
            first=first,
            waits_for=waits_for,
            missing=[len(parents) for parents in waits_for],
            left=[node.count for node in frame.nodes],
        )

    def _issue(self, play: _Play, node: int) -> Iterator[RequestArrived]:
        spec = play.frame.nodes[node]
        parents = self._parents(play, node)
        for request in self._copies(play, node):
            self._running[request] = (play, node)
            yield RequestArrived(
                request=request,
                model=spec.model,
                stream=play.frame.stream,
                frame=play.frame.frame,
                parents=parents,
                priority=spec.priority,
                deadline_us=spec.deadline_us,
                expires_us=spec.expires_us,
                processor=spec.processor,
                app=play.frame.app,
                supersede=play.frame.supersede,
            )

    def _drop_after(self, play: _Play, node: int, now_us: int) -> None:
        """Record all descendants of a node as never issued, each once."""
        gone = {node}
        for child, waits_for in enumerate(play.waits_for):
            if not gone.isdisjoint(waits_for):
                gone.add(child)
                if child not in play.dropped:
                    play.dropped.add(child)
                    self._never_issued.extend(self._dropped(play, child, now_us))

    def _dropped(self, play: _Play, node: int, now_us: int) -> Iterator[RequestRecord]:
        spec: Node = play.frame.nodes[node]
        parents = self._parents(play, node)
        for request in self._copies(play, node):
            yield RequestRecord(
                request=request,
                model=spec.model,
                stream=play.frame.stream,
                frame=play.frame.frame,
                parents=parents,
                priority=spec.priority,
                arrived_us=now_us,
                deadline_us=spec.deadline_us,
                queue_us=None,
                finished_us=now_us,
                outcome=JobOutcome.DROPPED,
                reason=DropReason.PARENT_DROPPED,
                tasks=(),
                processors=(),
            )

    @staticmethod
    def _copies(play: _Play, node: int) -> range:
        return range(play.first[node], play.first[node] + play.frame.nodes[node].count)

    def _parents(self, play: _Play, node: int) -> tuple[int, ...]:
        return tuple(r for parent in play.waits_for[node] for r in self._copies(play, parent))
