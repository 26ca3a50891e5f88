"""Records: every event and command survives JSON exactly, and a bad record is one sentence."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from band.errors import BandError, ErrorCode
from band.plan.task import SliceKey, Task
from band.scheduler import commands, events
from band.scheduler.codec import (
    command_from_json,
    command_to_json,
    event_from_json,
    event_to_json,
)
from band.testing.tables import make_table

BIG = SliceKey("m", (1 << 73) - 1)
TABLE = make_table(
    "m", {"cpu": {(0, 0): 10, (0, 1): 18, (1, 1): 9}, "npu": {(1, 1): 3}}, move_us=7, version=3,
    members=("a", "b"),
)  # fmt: skip
EVENTS: list[events.Event] = [
    events.ModelAdded(TABLE),
    events.ModelAdded(TABLE, ((0, 0, 0), (1, 1, 3))),
    events.ModelAdded(TABLE, ((0, 0, 0),), True, 1 << 28),
    events.ModelRemoved("m"),
    events.RequestArrived(7, "m"),
    events.RequestArrived(8, "m", "camera", 3, (1, 2), 1, 500, 900, "cpu", "photo_app", True),
    events.StreamsDeclared(
        (
            events.StreamLoad("camera", "m", 33_333, 0, 33_333),
            events.StreamLoad("camera", "n", 33_333, 0, None, ("m",), 1.5, 2, "app", 30, 40_000),
        )
    ),
    events.TaskFinished(3, 120, 4),
    events.TaskFailed(3, "broken"),
    events.SliceLoaded(BIG, 2, 1 << 20),
    events.SliceLoaded(BIG, 2, 1 << 20, 750),
    events.SliceEvicted(BIG, 2),
    events.SliceBudget(1 << 30),
    events.WorkerUp(1, "gpu", "gpu", 1 << 30, "emulated"),
    events.WorkerDown(1, "gone"),
    events.Cancelled(7),
    events.PolicySwapped("heft", "ab", (("map", {"m": "cpu"}), ("sizes", (1, (2,))))),
    events.PolicyOverran("heft", 900),
    events.AdviceReady("heft", {"prices": (0.5, 1.25), "none": None}),
    events.Tick(),
]
COMMANDS: list[commands.Command] = [
    commands.Run(Task(1, BIG, 2, (7, 8), (0,), (100,), (101, 102), 5, 25, 4096)),
    commands.Abandon(1),
    commands.Load(BIG, 1),
    commands.Evict(BIG, 1),
    commands.Finish(7, commands.JobOutcome.COMPLETED),
    commands.Finish(7, commands.JobOutcome.FAILED, "the delegate failed"),
    commands.Finish(7, commands.JobOutcome.DROPPED, commands.DropReason.QUEUE_FULL),
    commands.WakeAt(99),
    commands.Advise("heft"),
]


def names(items: Sequence[object]) -> list[str]:
    return [f"{type(item).__name__}-{number}" for number, item in enumerate(items)]


def types_of(value: Any) -> Any:
    """Return the types of a value and of all it holds: equality alone takes a tuple for any."""
    if isinstance(value, tuple):
        return type(value), [types_of(item) for item in value]
    return type(value)


@pytest.mark.parametrize("event", EVENTS, ids=names(EVENTS))
def test_an_event_survives_json(event: events.Event) -> None:
    back = event_from_json(json.loads(json.dumps(event_to_json(event))))
    assert back == event
    assert types_of(back) == types_of(event)


@pytest.mark.parametrize("command", COMMANDS, ids=names(COMMANDS))
def test_a_command_survives_json(command: commands.Command) -> None:
    back = command_from_json(json.loads(json.dumps(command_to_json(command))))
    assert back == command
    assert types_of(back) == types_of(command)


def test_records_of_before_slices_came_and_went_are_read() -> None:
    table = event_to_json(events.ModelAdded(TABLE))["table"]
    old = event_from_json({"type": "ModelAdded", "table": table, "loaded": None})
    assert old == events.ModelAdded(TABLE, None, fixed=False, slices_bytes=None)
    loaded = event_from_json(
        {"type": "SliceLoaded", "slice": ["m", 3], "processor": 1, "load_bytes": 9}
    )
    assert loaded == events.SliceLoaded(SliceKey("m", 3), 1, 9, cost_us=None)


def test_every_kind_is_tested() -> None:
    assert {type(e) for e in EVENTS} == set(events.Event.__args__)
    assert {type(c) for c in COMMANDS} == set(commands.Command.__args__)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"type": "Nonsense"}, "a record holds the type 'Nonsense'; known: AdviceReady"),
        ({}, "a record holds the type None"),
        ({"type": "Tick", "extra": 1}, "a malformed Tick"),
        ({"type": "Cancelled"}, "a malformed Cancelled"),
        ({"type": "SliceEvicted", "slice": 3, "processor": 0}, "a malformed SliceEvicted"),
        ({"type": "ModelAdded", "table": {"model": "m"}}, "a malformed ModelAdded"),
    ],
)
def test_a_malformed_event_is_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(BandError, match=message) as caught:
        event_from_json(document)
    assert caught.value.code is ErrorCode.INVALID_TRACE


def test_an_unknown_outcome_is_refused() -> None:
    with pytest.raises(BandError, match="a malformed Finish"):
        command_from_json({"type": "Finish", "job": 1, "outcome": "sunk", "reason": ""})
