import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from band.errors import BandError, ErrorCode
from band.scheduler.commands import JobOutcome
from band.trace.band_workload import import_workload
from band.trace.frames import FrameTracker
from band.trace.reader import read_trace
from band.trace.writer import write_trace

DETECTOR, ICN = "retinaface_mbv2_quant.tflite", "ICN_quant.tflite"
RESNET, MOBILE = "arc_res50_quant.tflite", "arc_mbv2_quant.tflite"


def band_frame(large_faces: int) -> dict[str, Any]:
    """Return a frame of the workload that ships with mrsnu/band."""
    return {
        "0": {"model": DETECTOR, "count": 1, "dependency": []},
        "1": {"model": ICN, "count": 3, "dependency": [0]},
        "2": {"model": RESNET, "count": 3, "dependency": [1]},
        "3": {"model": RESNET, "count": 1, "dependency": [0]},
        "4": {"model": MOBILE, "count": large_faces, "dependency": [0]},
    }


BAND_WORKLOAD = [band_frame(n) for n in (7, 8, 10, 10)]


def workload(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "workload.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_bands_own_workload_has_its_67_requests(tmp_path: Path) -> None:
    trace = import_workload(workload(tmp_path, BAND_WORKLOAD), period_us=500_000)
    frames = list(trace.frames)
    assert [frame.requests for frame in frames] == [15, 16, 18, 18]
    assert [frame.at_us for frame in frames] == [0, 500_000, 1_000_000, 1_500_000]
    assert trace.header.seconds == 2.0
    by_model: Counter[str] = Counter()
    for frame in frames:
        for node in frame.nodes:
            by_model[node.model] += node.count
    assert by_model == {DETECTOR: 4, ICN: 12, RESNET: 16, MOBILE: 35}


def test_bands_own_workload_plays_in_three_batches_per_frame(tmp_path: Path) -> None:
    trace = import_workload(workload(tmp_path, BAND_WORKLOAD[:1]), period_us=1000)
    play = FrameTracker(trace)
    batch = [arrival.request for arrival in play.roots()]
    batches = []
    while batch:
        batches.append(Counter(request.model for request in batch))
        batch = [
            child
            for request in batch
            for child in play.finished(request.request, JobOutcome.COMPLETED, 0)
        ]
    assert batches == [{DETECTOR: 1}, {ICN: 3, RESNET: 1, MOBILE: 7}, {RESNET: 3}]
    assert play.sent == 15


def test_an_imported_workload_is_a_trace_like_any_other(tmp_path: Path) -> None:
    trace = import_workload(workload(tmp_path, BAND_WORKLOAD), period_us=1000, deadline_ms=0.5)
    write_trace(trace, tmp_path / "t.jsonl")
    again = read_trace(tmp_path / "t.jsonl")
    assert tuple(again.frames) == tuple(trace.frames)
    assert [(m.name, m.path) for m in again.header.models[:2]] == [(DETECTOR, DETECTOR), (ICN, ICN)]
    assert [f.nodes[0].deadline_us for f in again.frames] == [500, 1500, 2500, 3500]


def test_requests_may_stand_before_what_they_depend_on(tmp_path: Path) -> None:
    frame = {
        "7": {"model": "a", "count": 1, "dependency": ["3"]},
        "3": {"model": "b", "count": 0, "dependency": []},
    }
    (made,) = import_workload(workload(tmp_path, [frame]), period_us=1).frames
    assert [node.id for node in made.nodes] == ["3", "7"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[{", "workload.json:1: this is not JSON"),
        ('[{"0": {}, "0": {}}]', "key '0' is given twice"),
        ({}, "a list of at least one frame"),
        ([], "a list of at least one frame"),
        ([[]], "frame 0: a frame maps request ids to requests"),
        ([{"0": {"model": "a", "count": 1}}], "frame 0, request 0: a request has exactly"),
        ([{"0": {"model": 3, "count": 1, "dependency": []}}], "model is the name of a file"),
        ([{"0": {"model": "a", "count": -1, "dependency": []}}], "count is a whole number"),
        ([{"0": {"model": "a", "count": 1, "dependency": 0}}], "dependency is a list"),
        (
            [band_frame(1), {"0": {"model": "a", "count": 1, "dependency": [9]}}],
            "frame 1, request 0: unknown dependency 9",
        ),
        (
            [
                {
                    "0": {"model": "a", "count": 1, "dependency": [1]},
                    "1": {"model": "a", "count": 1, "dependency": [0]},
                }
            ],
            "frame 0: requests 0, 1 depend on each other in a circle",
        ),
    ],
)
def test_a_bad_workload_is_named_with_frame_and_request(
    tmp_path: Path, content: object, words: str
) -> None:
    with pytest.raises(BandError) as caught:
        import_workload(workload(tmp_path, content), period_us=1)
    assert caught.value.code is ErrorCode.INVALID_TRACE
    assert words in caught.value.message
