"""Reads traces line by line and refuses a bad one with file, line and the way out."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from band.config.mistakes import sentence
from band.config.suggestion import suggestion
from band.errors import BandError, ErrorCode
from band.trace.schema import FORMAT, VERSION, Frame, Header, Node, Trace

_T = TypeVar("_T")

_HEADER: Final = TypeAdapter(Header)
_FRAME: Final = TypeAdapter(Frame)
_MISSING: Final = ("missing", "missing_argument", "missing_keyword_only_argument")
_REQUEST_KEYS: Final = frozenset(f.name for f in fields(Node)) - {"id", "count", "parents"}


def read_trace(path: str | Path) -> Trace:
    """Return a trace whose frames are read and checked while they are iterated.

    Raises:
        BandError: NOT_FOUND if there is no such file; INVALID_TRACE with ``file:line`` if its
            header is bad now, or a frame is bad later, while iterating.
    """
    path = Path(path)
    if not path.exists():
        raise BandError(ErrorCode.NOT_FOUND, f"there is no trace {path}", path=str(path))
    if path.is_dir():
        raise BandError(ErrorCode.INVALID_TRACE, f"{path} is a folder; give a trace file")
    first = next(_lines(path), None)
    if first is None:
        raise BandError(
            ErrorCode.INVALID_TRACE,
            f"{path} is empty; make a trace with `band trace generate`",
        )
    header = _header(path, *first)
    return Trace(header=header, frames=_Frames(path, header), folder=str(path.parent))


@dataclass(frozen=True, slots=True)
class _Frames:
    """The frames of a file, read anew by each iteration."""

    path: Path
    header: Header

    def __iter__(self) -> Iterator[Frame]:
        models = frozenset(model.name for model in self.header.models)
        last_us = 0
        lines = _lines(self.path)
        next(lines)
        for number, line in lines:
            frame = _frame(self.path, number, line)
            if frame.at_us < last_us:
                raise _bad(
                    self.path, number, f"time goes back from {last_us} to {frame.at_us} us; sort it"
                )
            last_us = frame.at_us
            _check_nodes(self.path, number, frame.nodes, models)
            yield frame


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line
    except UnicodeDecodeError:
        raise _bad(path, number + 1, "this is not a text file, so not a trace") from None
    except OSError as error:
        raise BandError(ErrorCode.INVALID_TRACE, f"cannot read {path}: {error.strerror}") from None


def _header(path: Path, number: int, line: str) -> Header:
    data = _json(path, number, line)
    if data.get("format") != FORMAT:
        raise _bad(
            path,
            number,
            f'the first line of a trace is a header with "format": "{FORMAT}"; '
            "import other formats with `band trace import`",
        )
    if data.get("version") != VERSION:
        raise _bad(
            path,
            number,
            f"trace version {data.get('version')!r} is unknown; this band reads version {VERSION}",
        )
    header = _validated(path, number, Header, _HEADER, data)
    names = [model.name for model in header.models]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise _bad(path, number, f"model '{twice}' is listed twice")
    return header


def _frame(path: Path, number: int, line: str) -> Frame:
    data = _json(path, number, line)
    if "model" in data and "nodes" not in data:
        node = {key: data.pop(key) for key in _REQUEST_KEYS & data.keys()}
        data["nodes"] = [{"id": node["model"], **node}]
    return _validated(path, number, Frame, _FRAME, data)


def _check_nodes(path: Path, number: int, nodes: tuple[Node, ...], models: frozenset[str]) -> None:
    seen: set[str] = set()
    for node in nodes:
        if node.model not in models:
            raise _bad(
                path,
                number,
                f"unknown model '{node.model}'; {suggestion(node.model, models, noun='models')}",
            )
        if node.id in seen:
            raise _bad(path, number, f"node '{node.id}' is listed twice in one frame")
        for parent in node.parents:
            if parent not in seen:
                raise _bad(
                    path,
                    number,
                    f"node '{node.id}' has unknown parent '{parent}'; "
                    "a parent is a node of the same frame listed before its children",
                )
        seen.add(node.id)


def _json(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        text = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise _bad(path, number, f"this line is not JSON ({text})") from None
    if not isinstance(data, dict):
        raise _bad(path, number, "a line of a trace is a JSON object")
    return data


def _validated(
    path: Path, number: int, kind: type[_T], adapter: TypeAdapter[_T], data: dict[str, Any]
) -> _T:
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] in _MISSING and len(first["loc"]) == 1:
            raise _bad(path, number, f"this line lacks the key '{first['loc'][0]}'") from None
        raise _bad(path, number, sentence(first, kind)) from None


def _bad(path: Path, number: int, text: str) -> BandError:
    return BandError(ErrorCode.INVALID_TRACE, f"{path}:{number}: {text}", line=number)
