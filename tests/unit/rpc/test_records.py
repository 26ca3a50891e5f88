"""Records keep every field on the way to a client, as JSON and as messages."""

import json

import pytest
from google.protobuf.message import Message

from band.metrics.records import RequestRecord, TaskRecord
from band.rpc.records import (
    event_message,
    record_of,
    request_from_fields,
    task_fields,
    task_from_fields,
)
from band.v1 import band_pb2

TASK = TaskRecord(
    task=3,
    jobs=(7, 8),
    model="m",
    units=1 << 70 | 0b101,  # more units than a 64-bit mask holds
    processor="gpu",
    dispatched_us=100,
    finished_us=350,
    transfer_us=50,
    run_us=200,
    predicted_us=240,
    ok=True,
    word="emulated",
    overrun_us=4,
)
REQUEST = RequestRecord(
    request=7,
    model="m",
    stream="camera",
    frame=0,
    parents=(5, 6),
    priority=8,
    arrived_us=90,
    deadline_us=400,
    queue_us=10,
    finished_us=350,
    outcome="completed",
    reason="",
    tasks=(3,),
    processors=("gpu",),
)
BARE = REQUEST._replace(
    frame=None, deadline_us=None, queue_us=None, outcome="dropped", reason="queue_full", tasks=()
)


def test_a_task_survives_json() -> None:
    fields = json.loads(json.dumps(task_fields(TASK)))
    assert fields["units"] == [0, 2, 70]
    assert task_from_fields(fields) == TASK


@pytest.mark.parametrize("record", [REQUEST, BARE])
def test_a_request_survives_json(record: RequestRecord) -> None:
    assert request_from_fields(json.loads(json.dumps(record._asdict()))) == record


@pytest.mark.parametrize("record", [TASK, REQUEST, BARE])
def test_a_record_survives_the_event_stream(record: TaskRecord | RequestRecord) -> None:
    sent = event_message(record).SerializeToString()
    assert record_of(band_pb2.Event.FromString(sent)) == record


@pytest.mark.parametrize(
    ("record", "message"),
    [(TaskRecord, band_pb2.TaskRecord), (RequestRecord, band_pb2.RequestRecord)],
)
def test_the_messages_have_exactly_the_fields_of_the_records(
    record: type[TaskRecord | RequestRecord], message: type[Message]
) -> None:
    assert [field.name for field in message.DESCRIPTOR.fields] == list(record._fields)
