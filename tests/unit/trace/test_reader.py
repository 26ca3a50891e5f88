import json
from pathlib import Path

import pytest

from band.errors import BandError, ErrorCode
from band.trace.reader import read_trace
from band.trace.schema import Frame, Header, Node, Trace, TraceModel
from band.trace.writer import TraceWriter, frame_line, header_line, write_trace

HEADER = Header(
    scenario="office",
    seed=3,
    seconds=2.5,
    models=(
        TraceModel(name="palm", zoo="palm_detection_full", sha256="a" * 64),
        TraceModel(name="hand", path="models/hand.tflite"),
    ),
)
FRAMES = (
    Frame(
        at_us=10,
        stream="hands",
        frame=0,
        nodes=(
            Node(id="palm", model="palm", deadline_us=33_010),
            Node(id="left", model="hand", count=2, parents=("palm",), priority=1),
        ),
    ),
    Frame(at_us=10, nodes=(Node(id="hand", model="hand", expires_us=500, processor="gpu"),)),
    Frame(at_us=40, stream="hands", frame=1, nodes=(Node(id="palm", model="palm", count=0),)),
)


def bad_trace(tmp_path: Path, *lines: str) -> str:
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join((header_line(HEADER), *lines)) + "\n", encoding="utf-8")
    with pytest.raises(BandError) as caught:
        list(read_trace(path).frames)
    assert caught.value.code is ErrorCode.INVALID_TRACE
    assert caught.value.message.startswith(f"{path}:")
    return caught.value.message.removeprefix(f"{path}:")


def test_a_written_trace_reads_back_equal_any_number_of_times(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    assert write_trace(Trace(header=HEADER, frames=FRAMES), path) == 3
    trace = read_trace(path)
    assert trace.header == HEADER
    assert trace.folder == str(tmp_path)
    assert tuple(trace.frames) == FRAMES
    assert tuple(trace.frames) == FRAMES


def test_a_line_leaves_defaults_out_and_a_single_request_is_flat() -> None:
    assert [json.loads(frame_line(frame)) for frame in FRAMES[1:]] == [
        {"at_us": 10, "model": "hand", "expires_us": 500, "processor": "gpu"},
        {
            "at_us": 40,
            "stream": "hands",
            "frame": 1,
            "nodes": [{"id": "palm", "model": "palm", "count": 0}],
        },
    ]


def test_the_header_always_says_format_version_and_seed() -> None:
    recorded = Header(scenario="recorded", seconds=1.0, models=())
    assert json.loads(header_line(recorded)) == {
        "format": "band-trace",
        "version": 1,
        "scenario": "recorded",
        "seed": None,
        "seconds": 1.0,
        "models": [],
    }


def test_frames_are_read_one_by_one_not_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(f"{header_line(HEADER)}\n{frame_line(FRAMES[0])}\nnot json\n", encoding="utf-8")
    frames = iter(read_trace(path).frames)
    assert next(frames) == FRAMES[0]
    with pytest.raises(BandError, match=r"t\.jsonl:3: this line is not JSON"):
        next(frames)


def test_a_trace_can_be_written_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with TraceWriter(path, HEADER) as writer:
        writer.write(FRAMES[0])
        writer.flush()
        assert tuple(read_trace(path).frames) == FRAMES[:1]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"at_us":1,', "2: this line is not JSON"),
        ("[1]", "2: a line of a trace is a JSON object"),
        ('{"at_us":-1,"model":"palm"}', "2: 'at_us' must be at least 0, not -1"),
        ('{"at_us":true,"model":"palm"}', "2: 'at_us' must be a whole number, not true"),
        ('{"at_us":"1","model":"palm"}', "2: 'at_us' must be a whole number, not the text '1'"),
        ('{"at_us":1,"model":"plam"}', "2: unknown model 'plam'; did you mean 'palm'?"),
        ('{"at_us":1,"model":"palm","nods":[]}', "2: unknown key 'nods'; did you mean 'nodes'?"),
        ('{"model":"palm"}', "2: this line lacks the key 'at_us'"),
        ('{"at_us":1}', "2: this line lacks the key 'nodes'"),
        ('{"at_us":1,"nodes":[]}', "2: 'nodes'"),
        ('{"at_us":1,"nodes":[{"model":"palm"}]}', "2: 'nodes[0]' lacks the key 'id'"),
        (
            '{"at_us":1,"nodes":[{"id":"a","model":"palm","parents":["b"]}]}',
            "2: node 'a' has unknown parent 'b'",
        ),
        (
            '{"at_us":1,"nodes":[{"id":"a","model":"palm"},{"id":"a","model":"palm"}]}',
            "2: node 'a' is listed twice",
        ),
        (
            '{"at_us":1,"nodes":[{"id":"a","model":"palm","count":-2}]}',
            "2: 'nodes[0].count' must be at least 0, not -2",
        ),
        (
            '{"at_us":1,"nodes":[{"id":"a","model":"palm","count":1000000}]}',
            "2: 'nodes[0].count' must be at most 10000",
        ),
        (
            '{"at_us":5,"model":"palm"}\n{"at_us":4,"model":"palm"}',
            "3: time goes back from 5 to 4 us",
        ),
    ],
)
def test_a_bad_line_is_named_with_file_and_line(tmp_path: Path, line: str, words: str) -> None:
    assert bad_trace(tmp_path, line).startswith(words)


def test_a_node_whose_parent_comes_later_is_refused(tmp_path: Path) -> None:
    nodes = '[{"id":"a","model":"palm","parents":["b"]},{"id":"b","model":"palm"}]'
    assert "listed before its children" in bad_trace(tmp_path, f'{{"at_us":1,"nodes":{nodes}}}')


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty; make a trace with `band trace generate`"),
        (b"\xff\xfe\x00", "this is not a text file"),
        (b'[{"0": {"model": "x"}}]\n', "a line of a trace is a JSON object"),
        (b'{"workers": []}\n', "import other formats with `band trace import`"),
        (b'{"format":"band-trace","version":9}\n', "trace version 9 is unknown"),
        (b'{"format":"band-trace","version":1}\n', "1: this line lacks the key 'scenario'"),
        (
            b'{"format":"band-trace","version":1,"scenario":"x","seconds":0,"models":[]}\n',
            "'seconds' must be greater than 0",
        ),
        (
            b'{"format":"band-trace","version":1,"scenario":"x","seconds":1,'
            b'"models":[{"name":"a"},{"name":"a"}]}\n',
            "model 'a' is listed twice",
        ),
    ],
)
def test_a_file_that_is_no_trace_is_refused_by_its_header(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(content)
    with pytest.raises(BandError) as caught:
        read_trace(path)
    assert caught.value.code is ErrorCode.INVALID_TRACE
    assert words in caught.value.message


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(BandError, match="there is no trace") as caught:
        read_trace(tmp_path / "none.jsonl")
    assert caught.value.code is ErrorCode.NOT_FOUND
    with pytest.raises(BandError, match="is a folder") as caught:
        read_trace(tmp_path)
    assert caught.value.code is ErrorCode.INVALID_TRACE
