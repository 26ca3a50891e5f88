import hashlib
import json
from pathlib import Path

import pytest

from band.errors import BandError, ErrorCode
from band.metrics.runs import RunRecords
from band.replay.output import OutputFolder, document
from band.replay.policies import choose_policies
from band.replay.replay import compare, sim_runner, summaries
from band.testing import models
from band.testing.devices import split_device
from band.trace.contents import contents
from band.trace.reader import read_trace
from band.trace.schema import Frame, Header, Node, Trace, TraceModel
from band.trace.writer import write_trace

POLICIES = ("shortest_expected_latency", "least_slack_first")


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    """50 frames at 50 fps: a chain, then two residual nets, due 15 ms after the frame."""
    named = []
    for model in (models.chain(), models.residual()):
        name = model.graph.name
        (tmp_path / f"{name}.tflite").write_bytes(model.content)
        named.append(TraceModel(name=name, path=f"{name}.tflite", sha256=model.graph.sha256))
    frames = tuple(
        Frame(
            at_us=i * 20_000,
            stream="camera",
            frame=i,
            nodes=(
                Node(id="a", model="chain", deadline_us=i * 20_000 + 15_000),
                Node(
                    id="b",
                    model="residual",
                    count=i % 3,
                    parents=("a",),
                    deadline_us=i * 20_000 + 15_000,
                ),
            ),
        )
        for i in range(50)
    )
    header = Header(scenario="toy", seed=4, seconds=1.0, models=tuple(named))
    write_trace(Trace(header=header, frames=frames), tmp_path / "t.jsonl")
    return read_trace(tmp_path / "t.jsonl")


def replay(
    trace: Trace, *, seed: int = 1, folder: OutputFolder | None = None, wall: bool = False
) -> tuple[RunRecords, ...]:
    holds = contents(trace)
    runner = sim_runner(trace, holds, split_device(noise_sigma=0.2), seed=seed, wall=wall)
    chosen, _ = choose_policies(POLICIES)
    return tuple(compare(runner, trace, chosen, folder=folder))


def text(trace: Trace, runs: tuple[RunRecords, ...]) -> str:
    return json.dumps(document(trace.header, summaries(runs, contents(trace))))


def test_equal_seeds_give_the_identical_document_and_others_do_not(trace: Trace) -> None:
    first, again, other = (text(trace, replay(trace, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_request_of_the_trace_is_accounted_for(trace: Trace) -> None:
    holds = contents(trace)
    assert holds.models == {"chain": 50, "residual": 49}
    for summary in summaries(replay(trace), holds):
        assert summary.total.requests.sent == summary.total.requests.ended == 99
        assert summary.total.frames.sent == 50


def test_a_run_says_what_it_is(trace: Trace) -> None:
    made = document(trace.header, summaries(replay(trace), contents(trace)))
    assert made["trace"] == {"scenario": "toy", "seed": 4, "seconds": 1.0}
    assert [run["policy"] for run in made["runs"]] == list(POLICIES)
    for run in made["runs"]:
        assert (run["on"], run["device"], run["word"]) == ("sim", "made", "simulated")
        assert run["emulated"] is True
        assert list(run["processors"]) == ["cpu", "gpu"]
        assert run["split_requests"] > 50
        assert run["capacity_bound"]["scale"] > 1


def test_out_leaves_summary_timeline_and_an_inbox_per_policy(trace: Trace, tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "made" / "out")
    runs = replay(trace, folder=folder)
    made = document(trace.header, summaries(runs, contents(trace)))
    folder.write(made, runs)
    assert sorted(path.name for path in folder.path.iterdir()) == [
        "least_slack_first.inbox.jsonl",
        "shortest_expected_latency.inbox.jsonl",
        "summary.json",
        "trace.json",
    ]
    assert json.loads((folder.path / "summary.json").read_text()) == made
    events = json.loads((folder.path / "trace.json").read_text())["traceEvents"]
    assert sum(e["ph"] == "X" for e in events) == sum(len(run.tasks) for run in runs)


def test_an_inbox_of_a_policy_file_has_a_plain_name(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    assert folder.inbox("../my policies/x.py").name == "my_policies_x.inbox.jsonl"
    assert folder.inbox("package.module:Thing").name == "package_module_Thing.inbox.jsonl"


def test_wall_figures_are_there_only_when_asked_for(trace: Trace) -> None:
    assert all(run.wall is None for run in replay(trace))
    for run in replay(trace, wall=True):
        assert run.wall is not None
        assert run.wall["decisions"] >= 99
        assert run.wall["events"] > 200
        assert 0 < run.wall["decision_p50_us"] <= run.wall["decision_p99_us"]


def test_measuring_decisions_changes_none(trace: Trace) -> None:
    plain, measured = replay(trace), replay(trace, wall=True)
    assert [run.requests for run in plain] == [run.requests for run in measured]


def test_a_file_other_than_the_traces_is_refused(trace: Trace, tmp_path: Path) -> None:
    (tmp_path / "chain.tflite").write_bytes(models.chain(convolutions=2).content)
    with pytest.raises(BandError, match="is not the file the trace was made with") as caught:
        replay(trace)
    assert caught.value.code is ErrorCode.INVALID_TRACE


def test_a_missing_file_is_named(trace: Trace, tmp_path: Path) -> None:
    (tmp_path / "chain.tflite").unlink()
    with pytest.raises(BandError, match=r"chain\.tflite") as caught:
        replay(trace)
    assert caught.value.code is ErrorCode.NOT_FOUND


def test_a_model_that_no_request_uses_is_not_opened(trace: Trace, tmp_path: Path) -> None:
    unused = TraceModel(name="ghost", path="ghost.tflite")
    models_of = (*trace.header.models, unused)
    header = Header(scenario="toy", seconds=1.0, models=models_of)
    replay(Trace(header=header, frames=trace.frames, folder=str(tmp_path)))


def test_the_digest_of_a_trace_is_that_of_the_file(trace: Trace, tmp_path: Path) -> None:
    digest = hashlib.sha256((tmp_path / "chain.tflite").read_bytes()).hexdigest()
    assert trace.header.models[0].sha256 == digest


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BandError, match="cannot write to"):
        OutputFolder(tmp_path / "file" / "out")
