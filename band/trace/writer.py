"""Writes traces: the same trace always gives the same bytes."""

import json
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Self

from band.trace.schema import Frame, Header, Node, Trace, TraceModel


class TraceWriter:
    """Writes a trace line by line; a context manager. ``band serve --record`` uses it live.

    Args:
        path: of the trace file, replaced if it exists.
        header: its first line.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._file.write(header_line(header) + "\n")

    def write(self, frame: Frame) -> None:
        """Append one frame; frames must come in order of time."""
        self._file.write(frame_line(frame) + "\n")

    def flush(self) -> None:
        """Hand everything written so far to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_trace(trace: Trace, path: Path) -> int:
    """Write a whole trace; return the number of frames."""
    count = 0
    with TraceWriter(path, trace.header) as writer:
        for count, frame in enumerate(trace.frames, start=1):  # noqa: B007 - count is the result
            writer.write(frame)
    return count


def header_line(header: Header) -> str:
    """Return the first line of a trace, without its end."""
    data = _plain(header, keep=("format", "version", "seed"))
    data["models"] = [_plain(model) for model in header.models]
    return _line(data)


def frame_line(frame: Frame) -> str:
    """Return the line of a frame, or the short form of a single request that has no frame."""
    data = _plain(frame)
    if frame.frame is None and _is_request(frame.nodes):
        del data["nodes"]
        data |= _plain(frame.nodes[0])
        del data["id"]
        return _line(data)
    data["nodes"] = [_plain(node) for node in frame.nodes]
    return _line(data)


def _is_request(nodes: tuple[Node, ...]) -> bool:
    return len(nodes) == 1 and nodes[0].id == nodes[0].model and nodes[0].count == 1


def _plain(
    record: Header | TraceModel | Frame | Node, keep: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the fields of a record in their order, defaults left out."""
    data = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if field.default is MISSING or value != field.default or field.name in keep:
            data[field.name] = value
    return data


def _line(data: dict[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)
