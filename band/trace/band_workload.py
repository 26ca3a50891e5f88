"""Imports the ``workload.json`` of mrsnu/band (its pull request 179).

The file is a list of frames; a frame maps a request id to its model, count and dependency. Band
plays it as a closed loop, each frame starting when the one before ends. A trace needs times, so
the importer is told the period; a period shorter than a frame takes makes an overload.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from band.errors import BandError, ErrorCode
from band.trace.schema import MAX_COUNT, Frame, Header, Node, Trace, TraceModel
from band.units import US_PER_MS, US_PER_S

STREAM: Final = "workload"
_KEYS: Final = {"model", "count", "dependency"}


def import_workload(
    path: Path,
    *,
    period_us: int,
    deadline_ms: float | None = None,
) -> Trace:
    """Return the trace of a workload file; its models are named and found by their file names.

    Args:
        path: of the file.
        period_us: from one frame to the next.
        deadline_ms: of every request, from the start of its frame.

    Raises:
        BandError: INVALID_TRACE naming frame and request; NOT_FOUND.
    """
    data = load_json(path)
    if not isinstance(data, list) or not data:
        raise _bad(path, "a workload is a list of at least one frame")
    frames = tuple(
        Frame(at_us=i * period_us, stream=STREAM, frame=i, nodes=_nodes(path, i, frame))
        for i, frame in enumerate(data)
    )
    if deadline_ms is not None:
        frames = tuple(_with_deadline(frame, round(deadline_ms * US_PER_MS)) for frame in frames)
    names = dict.fromkeys(node.model for frame in frames for node in frame.nodes)
    header = Header(
        scenario=path.stem,
        seconds=len(frames) * period_us / US_PER_S,
        models=tuple(TraceModel(name=name, path=name) for name in names),
    )
    return Trace(header=header, frames=frames)


def load_json(path: Path) -> Any:
    """Return the content of a JSON file that repeats no key.

    Raises:
        BandError: NOT_FOUND; INVALID_TRACE with ``file:line`` if it is not such a file.
    """
    if not path.exists():
        raise BandError(ErrorCode.NOT_FOUND, f"there is no file {path}", path=str(path))
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise _bad(path, f"this is not JSON ({error.msg})", line=error.lineno) from None
    except (ValueError, RecursionError) as error:
        raise _bad(path, f"this is not JSON ({error})") from None
    except OSError as error:
        raise _bad(path, f"the file cannot be read: {error.strerror}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            msg = f"key '{key}' is given twice"
            raise ValueError(msg)
        found[key] = value
    return found


def _nodes(path: Path, number: int, frame: Any) -> tuple[Node, ...]:
    """Return the requests of one frame, parents first, else in the order of the file."""
    if not isinstance(frame, dict) or not frame:
        raise _bad(path, f"frame {number}: a frame maps request ids to requests")
    waiting = {key: _node(path, number, key, request) for key, request in frame.items()}
    for key, node in waiting.items():
        for parent in node.parents:
            if parent not in waiting:
                raise _bad(path, f"frame {number}, request {key}: unknown dependency {parent}")
    placed: dict[str, Node] = {}
    while waiting:
        ready = [key for key, node in waiting.items() if placed.keys() >= set(node.parents)]
        if not ready:
            circle = ", ".join(waiting)
            raise _bad(path, f"frame {number}: requests {circle} depend on each other in a circle")
        placed[ready[0]] = waiting.pop(ready[0])
    return tuple(placed.values())


def _node(path: Path, number: int, key: str, request: Any) -> Node:
    where = f"frame {number}, request {key}"
    if not isinstance(request, dict) or request.keys() != _KEYS:
        raise _bad(path, f"{where}: a request has exactly model, count and dependency")
    model, count, dependency = request["model"], request["count"], request["dependency"]
    if not isinstance(model, str) or not model:
        raise _bad(path, f"{where}: model is the name of a file, not {model!r}")
    if type(count) is not int or not 0 <= count <= MAX_COUNT:
        raise _bad(path, f"{where}: count is a whole number from 0 to {MAX_COUNT}, not {count!r}")
    if not isinstance(dependency, list) or any(type(d) not in (int, str) for d in dependency):
        raise _bad(path, f"{where}: dependency is a list of request ids")
    # Keys of a JSON object are text; the ids in ``dependency`` are written as numbers.
    parents = tuple(dict.fromkeys(str(d) for d in dependency))
    return Node(id=key, model=model, count=count, parents=parents)


def _with_deadline(frame: Frame, limit_us: int) -> Frame:
    nodes = tuple(replace(node, deadline_us=frame.at_us + limit_us) for node in frame.nodes)
    return replace(frame, nodes=nodes)


def _bad(path: Path, text: str, line: int | None = None) -> BandError:
    where = f"{path}:{line}" if line else str(path)
    return BandError(ErrorCode.INVALID_TRACE, f"{where}: {text}", path=str(path))
