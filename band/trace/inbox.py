"""Records of what went into a scheduler core and what came out, for decision replay.

An inbox is JSON lines: a header with the core's options, then per call of ``Core.handle`` one line
``{"t": us, "in": event}`` and one line ``{"out": [command, ...]}``. Events and commands are two
streams in one file: replay reads the events only and compares what it gets with the commands.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from band.errors import BandError, ErrorCode
from band.scheduler.codec import (
    command_from_json,
    command_to_json,
    event_from_json,
    event_to_json,
    options_from_json,
    options_to_json,
)
from band.scheduler.commands import Command
from band.scheduler.events import Event
from band.scheduler.options import CoreOptions

FORMAT: Final = "band-inbox"
VERSION: Final = 1


class InboxEntry(NamedTuple):
    """One recorded call of ``Core.handle``; ``line`` is that of the event in the file."""

    line: int
    now_us: int
    event: Event
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """A recorded inbox; its entries are read from the file by each iteration."""

    path: Path
    options: CoreOptions

    def __iter__(self) -> Iterator[InboxEntry]:
        return _entries(self.path)


class InboxWriter:
    """A Recorder that writes an inbox; a context manager. Not safe for several threads.

    Args:
        path: of the file, replaced if it exists.
        options: of the core that is recorded.
    """

    def __init__(self, path: Path, *, options: CoreOptions | None = None) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")
        settings = options_to_json(options or CoreOptions())
        self._write({"format": FORMAT, "version": VERSION, "options": settings})

    def record(self, now_us: int, event: Event, commands: Sequence[Command]) -> None:
        """Append one call of ``Core.handle``."""
        self._write({"t": now_us, "in": event_to_json(event)})
        self._write({"out": [command_to_json(command) for command in commands]})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, data: dict[str, Any]) -> None:
        self._file.write(json.dumps(data, separators=(",", ":"), ensure_ascii=False) + "\n")


def read_inbox(path: str | Path) -> Inbox:
    """Return a recorded inbox; entries are checked while they are iterated.

    Raises:
        BandError: NOT_FOUND; INVALID_TRACE with ``file:line`` if it is not an inbox.
    """
    path = Path(path)
    if not path.exists():
        raise BandError(ErrorCode.NOT_FOUND, f"there is no inbox {path}", path=str(path))
    if path.is_dir():
        raise BandError(ErrorCode.INVALID_TRACE, f"{path} is a folder; give an .inbox.jsonl file")
    number, header = next(_lines(path), (1, {}))
    if header.get("format") != FORMAT or header.get("version") != VERSION:
        raise _bad(path, number, "this is not an inbox of this version; record one anew")
    options = header.get("options")
    if not isinstance(options, dict):
        raise _bad(path, number, "the header lacks the options of the core")
    try:
        return Inbox(path=path, options=options_from_json(options))
    except BandError as error:
        raise _bad(path, number, error.message) from error


def _entries(path: Path) -> Iterator[InboxEntry]:
    lines = _lines(path)
    next(lines)
    last_us = 0
    for number, data in lines:
        now_us = data.get("t")
        if type(now_us) is not int or not isinstance(data.get("in"), dict):
            raise _bad(path, number, "expected an event with its time")
        if now_us < last_us:
            raise _bad(path, number, f"time goes back from {last_us} to {now_us} us")
        last_us = now_us
        after, answer = next(lines, (number + 1, {}))
        out = answer.get("out")
        if not isinstance(out, list) or not all(isinstance(c, dict) for c in out):
            raise _bad(path, after, "expected the commands that answer the event before")
        try:
            yield InboxEntry(
                number, now_us, event_from_json(data["in"]), tuple(map(command_from_json, out))
            )
        except BandError as error:
            raise _bad(path, number, error.message) from error


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                data = json.loads(line)
                if not isinstance(data, dict):
                    raise _bad(path, number, "a line of an inbox is a JSON object")
                yield number, data
    except UnicodeDecodeError:
        raise _bad(path, number + 1, "this is not a text file, so not an inbox") from None
    except json.JSONDecodeError as error:
        raise _bad(path, number, f"this line is not JSON ({error.msg})") from None
    except OSError as error:
        raise BandError(ErrorCode.INVALID_TRACE, f"cannot read {path}: {error.strerror}") from None


def _bad(path: Path, number: int, text: str) -> BandError:
    return BandError(ErrorCode.INVALID_TRACE, f"{path}:{number}: {text}", line=number)
