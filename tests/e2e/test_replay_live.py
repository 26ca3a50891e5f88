"""Replays on an engine and on a daemon, with real slices on emulated processors."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from band.config.daemon import DaemonConfig, ModelConfig
from band.config.device import load_device
from band.errors import BandError, ErrorCode
from band.metrics.runs import RunRecords
from band.metrics.summary import RunSummary
from band.replay.address import AddressReplay
from band.replay.decisions import replay_decisions
from band.replay.in_force import policy_put_back
from band.replay.output import OutputFolder
from band.replay.policies import choose_policies
from band.replay.replay import compare, engine_runner, sim_runner, summaries
from band.rpc.client import Client
from band.rpc.daemon import Daemon
from band.scheduler.events import PolicySwapped
from band.testing import models
from band.testing.devices import FALLBACK, split_device
from band.trace.contents import contents
from band.trace.generator import generate
from band.trace.inbox import read_inbox
from band.trace.reader import read_trace
from band.trace.scenario import load_scenario
from band.trace.schema import Frame, Header, Node, Trace, TraceModel
from band.trace.writer import write_trace

FRAMES = 15
PERIOD_US = 30_000


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    """15 frames at 33 fps: a chain, then one residual net and a second chain."""
    named = []
    for model in (models.chain(), models.residual()):
        name = model.graph.name
        (tmp_path / f"{name}.tflite").write_bytes(model.content)
        named.append(TraceModel(name=name, path=f"{name}.tflite", sha256=model.graph.sha256))
    frames = tuple(
        Frame(
            at_us=i * PERIOD_US,
            stream="camera",
            frame=i,
            nodes=(
                Node(id="a", model="chain", deadline_us=i * PERIOD_US + 10_000_000),
                Node(id="b", model="residual", parents=("a",), count=i % 2),
                Node(id="c", model="chain", parents=("a", "b")),
            ),
        )
        for i in range(FRAMES)
    )
    header = Header(scenario="toy", seconds=0.5, models=tuple(named))
    write_trace(Trace(header=header, frames=frames), tmp_path / "t.jsonl")
    return read_trace(tmp_path / "t.jsonl")


def check(run: RunRecords, summary: RunSummary) -> None:
    """Check what holds for every undisturbed live replay of the trace."""
    assert summary.total.requests.completed == summary.total.requests.sent == 37
    assert summary.total.frames.complete == FRAMES
    assert summary.total.split_requests > 20
    assert {task.word for task in run.tasks} == {"emulated"}
    assert (run.label.emulated, run.label.word) == (True, "emulated")
    by_number = {r.request: r for r in run.requests}
    for request in run.requests:
        if request.parents:
            assert request.arrived_us == max(by_number[p].finished_us for p in request.parents)
        else:
            assert request.arrived_us == (request.frame or 0) * PERIOD_US
        assert request.queue_us is not None
        assert 0 <= request.queue_us <= request.latency_us
    placed = {task.task: task for task in run.tasks}
    assert all(placed[t].jobs == (r.request,) for r in run.requests for t in r.tasks)


def test_an_engine_replays_a_trace_and_its_inbox_decides_alike(
    trace: Trace, tmp_path: Path
) -> None:
    holds = contents(trace)
    runner = engine_runner(trace, holds, split_device(noise_sigma=0.1), wall=True)
    chosen, _ = choose_policies(["shortest_expected_latency"])
    folder = OutputFolder(tmp_path / "out")
    (run,) = compare(runner, trace, chosen, folder=folder)
    (summary,) = summaries([run], holds)
    check(run, summary)
    assert (run.label.on, run.label.device) == ("engine", "made")
    assert run.capacity_bound is not None
    assert run.wall is not None
    assert run.wall["elapsed_s"] > 0.4
    result = replay_decisions(read_inbox(folder.inbox("shortest_expected_latency")))
    assert result.difference is None
    assert result.events > 80


def test_an_engine_takes_a_policy_with_its_parameters_from_yaml(
    trace: Trace, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text("name: edf\nparams: {window: 3, shed: false}\n")
    holds = contents(trace)
    chosen, _ = choose_policies([str(tmp_path / "mine.yaml")])
    folder = OutputFolder(tmp_path / "out")
    (run,) = compare(engine_runner(trace, holds, split_device()), trace, chosen, folder=folder)
    (summary,) = summaries([run], holds)
    check(run, summary)
    (inbox,) = (tmp_path / "out").glob("*.inbox.jsonl")
    events = [entry.event for entry in read_inbox(inbox)]
    swaps = [event for event in events if isinstance(event, PolicySwapped)]
    assert [(swap.name, dict(swap.params)["window"]) for swap in swaps] == [("edf", 3)]


@pytest.fixture
def daemon(trace: Trace, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that serves the models of the trace on an emulated CPU and GPU, at half speed."""
    guess = {"mark": "hypothesis", "source": "made for a test"}

    def costs(per_op_us: int) -> object:
        given = {"dispatch_us": 200, "us_per_gmac": 1, "per_op_us": per_op_us}
        return {"float32": {key: {"value": value, **guess} for key, value in given.items()}}

    gpu = {"source": "made for a test", "refused_ops": list(FALLBACK)}
    device = {
        "name": "phone",
        "version": "1",
        "description": "made for a test",
        "time_scale": 2,
        "memory_budget_mib": 256,
        "processors": [
            {"name": "cpu", "kind": "cpu", "backend": "emulated", "costs": costs(2000)},
            {
                "name": "gpu",
                "kind": "gpu",
                "backend": "emulated",
                "costs": costs(200),
                "support": gpu,
            },
        ],
    }
    (tmp_path / "phone.yaml").write_text(yaml.safe_dump(device), encoding="utf-8")
    served = tuple(ModelConfig(path=tmp_path / (model.path or "")) for model in trace.header.models)
    config = DaemonConfig(address="127.0.0.1:0", device=str(tmp_path / "phone.yaml"), models=served)
    with Daemon(config) as opened:
        yield opened


def test_a_daemon_is_paced_by_its_time_scale_and_its_policy_is_put_back(
    trace: Trace, daemon: Daemon
) -> None:
    holds = contents(trace)
    replay = AddressReplay(contents=holds, address=daemon.address, wall=True)
    with policy_put_back(daemon.address):
        run = replay.run(trace, "heft")
    (summary,) = summaries([run], holds)
    check(run, summary)
    assert (run.label.policy, run.label.device) == ("heft", "phone")
    assert run.replaced is None
    assert run.processors == ("cpu", "gpu")
    assert run.wall is not None
    assert run.wall["elapsed_s"] > 2 * 0.4
    with Client(daemon.address) as client:
        assert client.policies().current == "shortest_expected_latency"
    assert replay.run(trace).label.policy == "shortest_expected_latency"


def test_a_daemon_without_a_model_of_the_trace_is_told_by_name(
    trace: Trace, daemon: Daemon
) -> None:
    header = replace(
        trace.header, models=(*trace.header.models, TraceModel(name="chian", path="x.tflite"))
    )
    frames = (Frame(at_us=0, nodes=(Node(id="x", model="chian"),)),)
    other = Trace(header=header, frames=frames)
    replay = AddressReplay(contents=contents(other), address=daemon.address)
    with pytest.raises(BandError, match=r"does not serve model 'chian'.*did you mean 'chain'"):
        replay.run(other)


def test_a_daemon_with_another_file_of_that_name_is_refused(trace: Trace, daemon: Daemon) -> None:
    first, *rest = trace.header.models
    header = replace(trace.header, models=(replace(first, sha256="0" * 64), *rest))
    replay = AddressReplay(contents=contents(trace), address=daemon.address)
    with pytest.raises(BandError, match="serves another file as 'chain'") as caught:
        replay.run(replace(trace, header=header))
    assert caught.value.code is ErrorCode.INVALID_TRACE


PERIODIC = """\
name: periodic
models: {face: eagleeye_arc_resnet, quick: squeezenet_1_1, depth: encoder_decoder}
streams:
  - {name: faces, fps: 25, jitter: 0.1, nodes: [{model: face}]}
  - name: video
    fps: 20
    offset_ms: 7
    nodes:
      - {model: depth}
      - {model: quick, depends_on: [depth], count: {uniform: [0, 2]}}
"""


@pytest.mark.slow
def test_simulator_and_engine_agree_on_latency_and_counts(tmp_path: Path) -> None:
    """Within 10 % in p50 per model and 2 % in completed requests.

    Device time runs 12 times slower than wall time, so that what this machine itself needs does
    not count, and there is no noise, so that both see the same latencies.
    """
    device = replace(load_device("pixel4"), time_scale=12.0, noise_sigma=0.0)
    (tmp_path / "periodic.yaml").write_text(PERIODIC, encoding="utf-8")
    scenario, _ = load_scenario(tmp_path / "periodic.yaml")
    trace = generate(scenario, seconds=3.0, seed=3)
    holds = contents(trace)
    chosen, _ = choose_policies(["shortest_expected_latency"])
    sim, engine = (
        summaries(tuple(compare(make(trace, holds, device), trace, chosen)), holds)[0]
        for make in (sim_runner, engine_runner)
    )
    done = (sim.total.requests.completed, engine.total.requests.completed)
    assert done[1] == pytest.approx(done[0], rel=0.02)
    assert sim.total.split_requests > 20
    for name, figures in sim.models.items():
        assert engine.models[name].percentiles_us[0] == pytest.approx(
            figures.percentiles_us[0], rel=0.10
        ), name
