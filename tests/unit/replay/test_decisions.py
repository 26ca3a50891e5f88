import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.replay.decisions import replay_decisions
from band.scheduler.events import ModelAdded, RequestArrived, TaskFinished
from band.scheduler.loader import make_policy, policy_swapped
from band.scheduler.options import CoreOptions
from band.sim.simulator import simulate
from band.trace.frames import FrameTracker
from band.trace.inbox import InboxWriter, read_inbox
from band.trace.schema import Trace

POLICY = "shortest_expected_latency"


@pytest.fixture
def inbox(tmp_path: Path, device: Device, models: Sequence[ModelAdded], trace: Trace) -> Path:
    path = tmp_path / "run.inbox.jsonl"
    options = CoreOptions(default_priority=5, queue_limit=100)
    with InboxWriter(path, options=options) as recorder:
        simulate(
            device=device,
            models=models,
            policy=policy_swapped(POLICY),
            make_policy=make_policy,
            source=FrameTracker(trace),
            options=options,
            recorder=recorder,
        )
    return path


def edit(path: Path, line: int, old: str, new: str) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def line_of(path: Path, kind: str, number: int = 0) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [i for i, line in enumerate(lines, start=1) if f'"in":{{"type":"{kind}"' in line]
    return found[number]


def test_a_recorded_run_decides_alike_on_a_fresh_core(inbox: Path) -> None:
    result = replay_decisions(read_inbox(inbox))
    assert result.difference is None
    assert result.events > 100


def test_an_inbox_starts_with_the_policy_and_the_workers_and_keeps_the_options(inbox: Path) -> None:
    entries = list(read_inbox(inbox))
    assert [type(e.event).__name__ for e in entries[:5]] == [
        "PolicySwapped",
        "WorkerUp",
        "WorkerUp",
        "ModelAdded",
        "ModelAdded",
    ]
    assert read_inbox(inbox).options == CoreOptions(default_priority=5, queue_limit=100)
    assert [e.now_us for e in entries] == sorted(e.now_us for e in entries)


def test_events_and_commands_are_two_streams(inbox: Path) -> None:
    lines = [json.loads(line) for line in inbox.read_text(encoding="utf-8").splitlines()[1:]]
    assert all(set(line) == {"t", "in"} for line in lines[::2])
    assert all(set(line) == {"out"} for line in lines[1::2])


def test_a_changed_cost_is_found_at_the_first_decision_it_changes(inbox: Path) -> None:
    line = line_of(inbox, "TaskFinished", 4)
    edit(inbox, line, '"run_us":', '"run_us":9')
    result = replay_decisions(read_inbox(inbox))
    assert result.difference is not None
    assert result.line >= line
    assert result.difference.recorded != result.difference.replayed


def test_a_request_for_another_model_is_found_where_it_arrives(inbox: Path) -> None:
    line = line_of(inbox, "RequestArrived", 2)
    edit(inbox, line, '"model":"palm"', '"model":"hand"')
    result = replay_decisions(read_inbox(inbox))
    assert result.difference is not None
    assert result.line == line
    assert isinstance(result.difference.event, RequestArrived)


def test_a_changed_command_is_found(inbox: Path) -> None:
    line = line_of(inbox, "TaskFinished")
    lines = inbox.read_text(encoding="utf-8").splitlines()
    lines[line] = '{"out":[]}'
    inbox.write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = replay_decisions(read_inbox(inbox))
    assert result.difference is not None
    assert (result.line, result.difference.recorded) == (line, None)
    assert isinstance(result.difference.event, TaskFinished)


def test_another_policy_file_than_the_recorded_one_is_refused(inbox: Path) -> None:
    content = inbox.read_text(encoding="utf-8")
    sha256 = policy_swapped(POLICY).sha256
    inbox.write_text(content.replace(sha256, "0" * 64), encoding="utf-8")
    with pytest.raises(BandError, match="is not the one recorded"):
        replay_decisions(read_inbox(inbox))


@pytest.mark.parametrize(
    ("line", "text", "words"),
    [
        (4, '{"t":0,"in":', "4: this line is not JSON"),
        (4, '{"t":0}', "4: expected an event with its time"),
        (4, '{"t":-5,"in":{"type":"Tick"}}', "4: time goes back from 0 to -5 us"),
        (4, '{"t":0,"in":{"type":"Tock"}}', "4: a record holds the type 'Tock'"),
        (4, '{"t":0,"in":{"type":"Cancelled"}}', "4: a record holds a malformed Cancelled"),
        (5, '{"out":3}', "5: expected the commands"),
        (5, "[]", "5: a line of an inbox is a JSON object"),
    ],
)
def test_a_malformed_line_is_named_with_file_and_line(
    inbox: Path, line: int, text: str, words: str
) -> None:
    lines = inbox.read_text(encoding="utf-8").splitlines()
    lines[line - 1] = text
    inbox.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(BandError) as caught:
        replay_decisions(read_inbox(inbox))
    assert caught.value.code is ErrorCode.INVALID_TRACE
    assert caught.value.message.startswith(f"{inbox}:{words}")


def test_a_record_cut_off_in_the_middle_is_refused(inbox: Path) -> None:
    lines = inbox.read_text(encoding="utf-8").splitlines()
    inbox.write_text("\n".join(lines[:8]) + "\n", encoding="utf-8")
    with pytest.raises(BandError, match="expected the commands"):
        replay_decisions(read_inbox(inbox))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not an inbox of this version"),
        (b"\xff\xfe", "not a text file"),
        (b'{"format":"band-trace"}\n', "not an inbox of this version"),
        (b'{"format":"band-inbox","version":1}\n', "lacks the options of the core"),
        (b'{"format":"band-inbox","version":1,"options":{"x":1}}\n', "no option 'x'"),
        (b'{"format":"band-inbox","version":1,"options":{}}\n', "records no event"),
    ],
)
def test_a_file_that_is_no_inbox_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.inbox.jsonl"
    path.write_bytes(content)
    with pytest.raises(BandError, match=words) as caught:
        replay_decisions(read_inbox(path))
    assert caught.value.outcome.exit_code == 2


def test_a_missing_inbox_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(BandError, match="there is no inbox"):
        read_inbox(tmp_path / "none")
    with pytest.raises(BandError, match="is a folder"):
        read_inbox(tmp_path)
