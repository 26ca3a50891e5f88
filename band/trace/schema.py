"""The records of a trace file: a header line, then one line per frame or per single request.

Times count from the start of the trace, deadlines too, so that a child request carries its
frame's deadline whenever it is issued. Random outcomes (counts, jitter, skipped frames) are drawn
when a trace is made: playing one draws nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import AllowInfNan, ConfigDict, Strict, with_config

FORMAT: Final = "band-trace"
VERSION: Final = 1
MAX_COUNT: Final = 10_000
"""Most copies of one node in one frame; a larger count in a file is a mistake, not a workload."""

Text = Annotated[str, Strict()]
Name = Annotated[str, Strict(), MinLen(1)]
Whole = Annotated[int, Strict(), Ge(0)]

_exact = with_config(ConfigDict(extra="forbid"))


@_exact
@dataclass(frozen=True, slots=True, kw_only=True)
class TraceModel:
    """A model that a trace uses: a zoo name, or a path relative to the folder of the trace.

    Attributes:
        name: the name requests use.
        sha256: of the model file, if it was known when the trace was made.
    """

    name: Name
    zoo: Name | None = None
    path: Name | None = None
    sha256: Annotated[str, Strict(), MinLen(64)] | None = None

    @property
    def reference(self) -> str:
        """Return the zoo name or the path."""
        return self.zoo or self.path or self.name


@_exact
@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first line of a trace.

    Attributes:
        scenario: name of the scenario it was generated from, or what recorded it.
        seed: None for a recorded or imported trace.
        seconds: nominal length; arrivals after it are allowed (jitter).
    """

    format: Literal["band-trace"] = FORMAT
    version: Literal[1] = VERSION
    scenario: Text
    seed: Annotated[int, Strict()] | None = None
    seconds: Annotated[float, Strict(), Gt(0), AllowInfNan(False)]
    models: tuple[TraceModel, ...]


@_exact
@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One model execution of a frame, or ``count`` copies of it.

    Attributes:
        id: unique in its frame.
        count: copies to issue; 0 issues none, and its children wait for its own parents instead.
        parents: ids of nodes listed before this one; all their copies must complete first.
        priority: 1 is highest; 0 reads as the scheduler's default.
        deadline_us: finishing later is late.
        expires_us: dropped if not started by then.
        processor: name of the processor it is pinned to.
    """

    id: Name
    model: Name
    count: Annotated[int, Strict(), Ge(0), Le(MAX_COUNT)] = 1
    parents: tuple[Name, ...] = ()
    priority: Whole = 0
    deadline_us: Whole | None = None
    expires_us: Whole | None = None
    processor: Name | None = None


@_exact
@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Requests that arrive together, or because others of the frame complete.

    Attributes:
        at_us: when it arrives.
        frame: its number in the stream; None for a request that belongs to no frame.
        app: who sends it; "" if nobody says.
        supersede: each of its requests makes those of older frames, of the same app, stream and
            model, obsolete that have not started.
        nodes: parents before children, never empty.
    """

    at_us: Whole
    stream: Text = ""
    frame: Whole | None = None
    app: Text = ""
    supersede: Annotated[bool, Strict()] = False
    nodes: Annotated[tuple[Node, ...], MinLen(1)]

    @property
    def requests(self) -> int:
        """Return how many requests it makes when every one of them completes."""
        return sum(node.count for node in self.nodes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A header and its frames, by time.

    Attributes:
        frames: may be iterated any number of times; a file is read anew each time.
        folder: where relative model paths start, "" for the current folder.
    """

    header: Header
    frames: Iterable[Frame]
    folder: str = ""
