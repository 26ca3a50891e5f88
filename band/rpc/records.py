"""Task and request records on the wire: JSON in parameters and errors, messages in band.v1.

Both forms have the fields of ``band.metrics.records`` under their own names; only the mask of
units travels as a list of unit indices, since it may exceed 64 bits.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from band.metrics.records import RequestRecord, TaskRecord
from band.v1 import band_pb2


def task_fields(record: TaskRecord) -> dict[str, Any]:
    """Return the fields of a task record as plain data."""
    fields = record._asdict()
    fields["units"] = [
        unit for unit in range(record.units.bit_length()) if record.units >> unit & 1
    ]
    return fields


def task_from_fields(fields: Mapping[str, Any]) -> TaskRecord:
    """Return the task record of plain data; the inverse of ``task_fields``."""
    units = sum(1 << unit for unit in fields["units"])
    return TaskRecord(**{**fields, "units": units, "jobs": tuple(fields["jobs"])})


def request_from_fields(fields: Mapping[str, Any]) -> RequestRecord:
    """Return the request record of plain data; the inverse of ``RequestRecord._asdict``."""
    lists = ("parents", "tasks", "processors")
    return RequestRecord(**{**fields, **{name: tuple(fields[name]) for name in lists}})


def event_message(record: TaskRecord | RequestRecord) -> band_pb2.Event:
    """Return the band.v1 event of a record."""
    if isinstance(record, TaskRecord):
        return band_pb2.Event(task=band_pb2.TaskRecord(**task_fields(record)))
    return band_pb2.Event(request=band_pb2.RequestRecord(**record._asdict()))


def record_of(event: band_pb2.Event) -> TaskRecord | RequestRecord:
    """Return the record of a band.v1 event."""
    if event.HasField("task"):
        return task_from_fields(_plain(event.task, TaskRecord._fields, ()))
    optional = ("frame", "deadline_us", "queue_us")
    return request_from_fields(_plain(event.request, RequestRecord._fields, optional))


def _plain(message: Any, names: Iterable[str], optional: tuple[str, ...]) -> dict[str, Any]:
    return {
        name: getattr(message, name) if name not in optional or message.HasField(name) else None
        for name in names
    }
