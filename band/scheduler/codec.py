"""Events and commands as plain JSON data and back, for records. The round trip is exact.

An item is ``{"type": CLASS, FIELD: VALUE, ...}`` (no item has a field ``type``); tuples become
lists and come back as tuples. Unit masks are written as integers of any length, as JSON allows.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any, Final

from band.errors import BandError, ErrorCode
from band.plan.table import PlanTable, Span
from band.plan.task import SliceKey, Task
from band.scheduler import commands, events
from band.scheduler.commands import Command, DropReason, JobOutcome
from band.scheduler.events import Event
from band.scheduler.options import AdmissionOptions, CoreOptions, Margin, Reservation

Document = dict[str, Any]


def event_to_json(event: Event) -> Document:
    """Return an event as plain data."""
    return _to_json(event)


def event_from_json(document: Mapping[str, Any]) -> Event:
    """Return the event that plain data stands for.

    Raises:
        BandError: INVALID_TRACE if it stands for none.
    """
    event: Event = _from_json(document, _EVENTS)
    return event


def command_to_json(command: Command) -> Document:
    """Return a command as plain data."""
    return _to_json(command)


def command_from_json(document: Mapping[str, Any]) -> Command:
    """Return the command that plain data stands for.

    Raises:
        BandError: INVALID_TRACE if it stands for none.
    """
    command: Command = _from_json(document, _COMMANDS)
    return command


def table_to_json(table: PlanTable) -> Document:
    """Return a plan table as plain data."""
    return {name: _plain(getattr(table, name)) for name in PlanTable.__slots__}


def table_from_json(document: Mapping[str, Any]) -> PlanTable:
    """Return the plan table that plain data stands for."""
    fields = {name: _tuples(value) for name, value in document.items()}
    fields["spans"] = tuple(Span(*span) for span in fields["spans"])
    return PlanTable(**fields)


def options_to_json(options: CoreOptions) -> Document:
    """Return the settings of a core as plain data."""
    return {name: _plain(value) for name, value in asdict(options).items()}


def options_from_json(document: Mapping[str, Any]) -> CoreOptions:
    """Return the settings that plain data stands for; what it lacks has its default.

    Raises:
        BandError: INVALID_TRACE for an unknown or malformed one.
    """
    unknown = document.keys() - {field.name for field in fields(CoreOptions)}
    if unknown:
        raise BandError(
            ErrorCode.INVALID_TRACE,
            f"the core has no option {min(unknown)!r}; the record is of another version of band",
        )
    readers = {name: _OPTIONS.get(name, _tuples) for name in document}
    try:
        return CoreOptions(**{name: readers[name](value) for name, value in document.items()})
    except (AttributeError, TypeError, ValueError) as error:
        raise BandError(
            ErrorCode.INVALID_TRACE, f"a record holds malformed options of the core: {error}"
        ) from error


def _admission(value: Mapping[str, Any]) -> AdmissionOptions:
    made = {name: _tuples(v) for name, v in value.items()}
    return AdmissionOptions(**{**made, "margin": Margin(value.get("margin", Margin.MEAN))})


def _to_json(item: Any) -> Document:
    document: Document = {"type": type(item).__name__}
    for name, value in zip(item._fields, item, strict=True):
        document[name] = table_to_json(value) if isinstance(value, PlanTable) else _plain(value)
    return document


def _from_json(document: Mapping[str, Any], kinds: Mapping[str, type]) -> Any:
    kind = document.get("type")
    made = kinds.get(kind) if isinstance(kind, str) else None
    if made is None:
        raise BandError(
            ErrorCode.INVALID_TRACE,
            f"a record holds the type {kind!r}; known: {', '.join(sorted(kinds))}",
        )
    try:
        return made(
            **{
                name: _READERS.get((made, name), _tuples)(value)
                for name, value in document.items()
                if name != "type"
            }
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BandError(
            ErrorCode.INVALID_TRACE, f"a record holds a malformed {kind}: {error}"
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, str) else value


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return value


def _slice(value: Any) -> SliceKey:
    return SliceKey(*value)


def _streams(value: Any) -> tuple[events.StreamLoad, ...]:
    return tuple(events.StreamLoad(*_tuples(stream)) for stream in value)


def _task(value: Any) -> Task:
    number, key, *rest = _tuples(value)
    return Task(number, SliceKey(*key), *rest)


def _reason(value: str) -> str:
    return DropReason(value) if value in set(DropReason) else value


_OPTIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "admission": _admission,
    "reservations": lambda slots: tuple(Reservation(**slot) for slot in slots),
}
_EVENTS: Final[Mapping[str, type]] = {kind.__name__: kind for kind in events.Event.__args__}
_COMMANDS: Final[Mapping[str, type]] = {kind.__name__: kind for kind in commands.Command.__args__}
_READERS: Final[Mapping[tuple[type, str], Callable[[Any], Any]]] = {
    (events.ModelAdded, "table"): table_from_json,
    (events.SliceLoaded, "slice"): _slice,
    (events.SliceEvicted, "slice"): _slice,
    (events.StreamsDeclared, "streams"): _streams,
    (commands.Load, "slice"): _slice,
    (commands.Evict, "slice"): _slice,
    (commands.Run, "task"): _task,
    (commands.Finish, "outcome"): JobOutcome,
    (commands.Finish, "reason"): _reason,
}
