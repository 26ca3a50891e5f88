"""What a daemon records: the inbox of its core, and the requests that arrived, as a trace."""

import contextlib
import logging
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from band.clock import Clock
from band.errors import BandError, ErrorCode
from band.metrics.recorder import Recorder
from band.scheduler.commands import Command
from band.scheduler.events import Event, RequestArrived
from band.scheduler.options import CoreOptions
from band.trace.inbox import InboxWriter
from band.trace.schema import Frame, Header, Node, TraceModel
from band.trace.writer import TraceWriter, header_line
from band.units import US_PER_S

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")

_LOG = logging.getLogger(__name__)


class TraceRecording:
    """A Recorder that writes each arriving request as a line of a trace.

    A child request stands at the time at which it arrived, for itself: the trace plays what the
    daemon was sent, whatever the children would wait for in another run.

    Args:
        path: of the trace, replaced if it exists.
        models: that requests may name.
        start_us: time of the daemon's clock at which the trace starts.
    """

    def __init__(self, path: Path, models: Iterable[TraceModel], start_us: int) -> None:
        self.path = path
        self.requests = 0
        self._start_us = start_us
        self._last_us = 0
        self._header = Header(scenario=f"recorded:{path.stem}", seconds=1.0, models=tuple(models))
        self._writer = TraceWriter(path, self._header)

    def record(self, now_us: int, event: Event, commands: Sequence[Command]) -> None:
        """Append the request if one arrived."""
        del commands
        if not isinstance(event, RequestArrived):
            return
        self._last_us = max(self._last_us, now_us - self._start_us)
        node = Node(
            id=event.model,
            model=event.model,
            priority=event.priority,
            deadline_us=self._since_start(event.deadline_us),
            expires_us=self._since_start(event.expires_us),
            processor=event.processor,
        )
        self._writer.write(
            Frame(
                at_us=self._last_us,
                stream=event.stream,
                frame=event.frame,
                app=event.app,
                supersede=event.supersede,
                nodes=(node,),
            )
        )
        self.requests += 1

    def close(self) -> None:
        """Close the file; only now is its length known, so its header is written anew."""
        self._writer.close()
        header = replace(self._header, seconds=max(1.0, self._last_us / US_PER_S))
        finished = self.path.with_suffix(".part")
        with self.path.open("rb") as recorded, finished.open("wb") as copy:
            recorded.readline()
            copy.write(f"{header_line(header)}\n".encode())
            shutil.copyfileobj(recorded, copy)
        finished.replace(self.path)

    def _since_start(self, at_us: int | None) -> int | None:
        return None if at_us is None else max(0, at_us - self._start_us)


class Recorders:
    """Any number of recorders that come and go while an engine runs.

    A recorder whose disk fails is dropped with a line in the log: recording never stops requests.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: list[Recorder] = []

    def add(self, recorder: Recorder) -> None:
        """Give a recorder everything from now on."""
        with self._lock:
            self._active.append(recorder)

    def remove(self, recorder: Recorder) -> None:
        """Give a recorder nothing more; once this returns, it is not in use."""
        with self._lock, contextlib.suppress(ValueError):
            self._active.remove(recorder)

    def record(self, now_us: int, event: Event, commands: Sequence[Command]) -> None:
        """Pass on one call of ``Core.handle``."""
        with self._lock:
            for recorder in tuple(self._active):
                try:
                    recorder.record(now_us, event, commands)
                except OSError as error:
                    self._active.remove(recorder)
                    _LOG.error("recording stopped: %s", error.strerror or error)


@contextlib.contextmanager
def record_inbox(folder: Path, options: CoreOptions, recorders: Recorders) -> Iterator[None]:
    """Record every call of the core in ``serve.inbox.jsonl`` during the block.

    Raises:
        BandError: INVALID_CONFIG if the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writer = InboxWriter(folder / "serve.inbox.jsonl", options=options)
    except OSError as error:
        raise BandError(
            ErrorCode.INVALID_CONFIG,
            f"cannot record in {folder}: {error.strerror}; give another folder with --record",
        ) from error
    with writer:
        recorders.add(writer)
        try:
            yield
        finally:
            recorders.remove(writer)


class Recordings:
    """What a daemon records: everything from its start, and traces that clients ask for.

    Args:
        folder: where all of it goes; None if the daemon records nothing.
        clock: the engine's, for the start of a trace.
        models: as a trace in that folder names them; asked when a trace starts.
        recorders: of the engine.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        clock: Clock,
        models: Callable[[Path], Iterable[TraceModel]],
        recorders: Recorders,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._models = models
        self._recorders = recorders
        self._lock = threading.Lock()
        self._asked: TraceRecording | None = None

    def begin(self, path: Path) -> TraceRecording:
        """Record arriving requests as a trace until ``end``."""
        recording = TraceRecording(path, self._models(path.parent), self._clock.now_us())
        self._recorders.add(recording)
        return recording

    def end(self, recording: TraceRecording) -> None:
        """Close a trace."""
        self._recorders.remove(recording)
        recording.close()

    def start(self, name: str) -> Path:
        """Begin the trace that a client asks for; return its path.

        Raises:
            BandError: UNSUPPORTED_FEATURE without a folder, INVALID_REQUEST for a name that is no
                file name or is taken, QUOTA while another is recorded.
        """
        path = self._path(name)
        with self._lock:
            if self._asked is not None:
                raise BandError(
                    ErrorCode.QUOTA,
                    f"{self._asked.path} is being recorded; stop that recording first",
                )
            if path.exists():
                raise BandError(
                    ErrorCode.INVALID_REQUEST, f"{path} exists; choose another name", name=name
                )
            self._asked = self.begin(path)
        return path

    def stop(self) -> tuple[Path, int]:
        """End the trace that a client asked for; return its path and number of requests.

        Raises:
            BandError: INVALID_REQUEST if there is none.
        """
        with self._lock:
            recording, self._asked = self._asked, None
        if recording is None:
            raise BandError(ErrorCode.INVALID_REQUEST, "nothing is being recorded; start first")
        self.end(recording)
        return recording.path, recording.requests

    def close(self) -> None:
        """End what a client left open."""
        with contextlib.suppress(BandError):
            self.stop()

    def _path(self, name: str) -> Path:
        if self._folder is None:
            raise BandError(
                ErrorCode.UNSUPPORTED_FEATURE,
                "this daemon records nothing: its record_dir is not set; set it or use --record",
            )
        if not _NAME.fullmatch(name):
            raise BandError(
                ErrorCode.INVALID_REQUEST,
                f"{name!r} is no name for a recording; use letters, digits, - and _",
                name=name,
            )
        return self._folder / f"{name}.trace.jsonl"


def trace_model(name: str, reference: str, sha256: str, folder: Path) -> TraceModel:
    """Return how a trace names a model.

    Args:
        name: registered name.
        reference: what ``open_model`` took: a path or a zoo name.
        sha256: of the file.
        folder: of the trace; a path is written relative to it.
    """
    if "/" in reference or reference.endswith(".tflite"):
        path = os.path.relpath(reference, folder)
        return TraceModel(name=name, path=path, sha256=sha256)
    return TraceModel(name=name, zoo=reference, sha256=sha256)
