"""Band's own service: device, plans, policies, events, recordings, counts."""

from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np
import pytest

from band.config.policy import PolicyConfig
from band.errors import BandError, ErrorCode
from band.metrics.records import RequestRecord, TaskRecord
from band.rpc.client import Client
from band.rpc.daemon import Daemon
from band.rpc.methods import BAND, stub
from band.testing.daemons import daemon_config, device_file
from band.testing.policy_files import write_policy
from band.trace.inbox import read_inbox
from band.trace.reader import read_trace
from band.v1 import band_pb2

INPUTS = {"image": np.zeros((1, 16, 16, 3), np.float32)}


def _refused(call: Callable[[], object]) -> BandError:
    with pytest.raises(BandError) as caught:
        call()
    return caught.value


def test_the_device_has_its_processors(daemon: Daemon, client: Client) -> None:
    device = client.device()
    assert (device.name, device.time_scale) == ("made_cpu", 1.0)
    assert [(p.name, p.kind, p.backend, p.word) for p in device.processors] == [
        ("cpu0", "cpu", "cpu", ""),
        ("cpu1", "cpu", "cpu", ""),
    ]


def test_an_emulated_device_says_so(model_dir: Path) -> None:
    with (
        Daemon(daemon_config(model_dir, "chain", device="pixel4")) as daemon,
        Client(daemon.address) as client,
    ):
        device = client.device()
        assert {p.word for p in device.processors} == {"emulated"}
        assert client.server_metadata().time_scale == device.time_scale > 0
        reply = client.infer("chain", INPUTS)
        assert reply.word == "emulated"
        assert reply.parameters["band_emulated"] is True
        assert {task.word for task in reply.tasks} == {"emulated"}
        assert {p.word for p in client.stats().processors} == {"emulated"}


def test_the_counts_hold_what_the_policy_says_of_itself(client: Client) -> None:
    client.swap_policy("sjf", {"shed": True})
    try:
        assert dict(client.stats().policy_statistics) == {"shed": 0.0}
    finally:
        client.swap_policy("shortest_expected_latency")
    assert not client.stats().policy_statistics


def test_only_the_daemons_own_device_is_known(daemon: Daemon, client: Client) -> None:

    with grpc.insecure_channel(daemon.address) as channel:
        listed = stub(channel, BAND["ListDevices"])(band_pb2.ListDevicesRequest())
        assert [device.name for device in listed.devices] == [client.device().name]
        with pytest.raises(grpc.RpcError) as caught:
            stub(channel, BAND["GetDevice"])(band_pb2.GetDeviceRequest(name="toaster"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_models_are_listed_with_what_they_are(client: Client) -> None:
    models = {model.name: model for model in client.models()}
    assert {"chain", "big"} <= set(models)
    assert models["chain"].ops == 5
    assert len(models["chain"].sha256) == 64
    assert models["chain"].predicted_us > 0


def test_a_plan_names_units_spans_and_steps(daemon: Daemon, client: Client) -> None:
    plan = client.plan("chain")
    assert plan.device == "made_cpu"
    assert sorted(op for unit in plan.units for op in unit.ops) == [0, 1, 2, 3, 4]
    assert {p for unit in plan.units for p in unit.processors} == {"cpu0", "cpu1"}
    assert any(span.loaded for span in plan.spans)
    assert sorted(op for step in plan.steps for op in step.ops) == [0, 1, 2, 3, 4]
    assert plan.steps[-1].finish_us == plan.predicted_us
    assert _refused(lambda: client.plan("absent")).code is ErrorCode.UNKNOWN_MODEL


def test_a_plan_tells_why_a_processor_lacks_an_op(model_dir: Path, tmp_path: Path) -> None:
    device = device_file(tmp_path, refused_ops=("MEAN",))
    with (
        Daemon(daemon_config(model_dir, "chain", device=device)) as daemon,
        Client(daemon.address) as client,
    ):
        plan = client.plan("chain")
    assert [(r.type, r.processor) for r in plan.refusals] == [("MEAN", "poor")]
    assert plan.refusals[0].reason


def test_policies_are_listed_and_exchanged(client: Client) -> None:
    listed = client.policies()
    names = {policy.name for policy in listed.policies}
    assert {"shortest_expected_latency", "heft", "round_robin"} <= names
    assert all(policy.summary and policy.source for policy in listed.policies)
    assert listed.current == "shortest_expected_latency"
    try:
        assert client.swap_policy("heft", {"window": 4}) == "heft"
        assert client.policies().current == "heft"
        assert client.infer("chain", INPUTS).policy == "heft"
    finally:
        client.swap_policy("shortest_expected_latency")


def test_what_was_in_force_is_told_and_put_back_exactly(client: Client) -> None:
    client.swap_policy("sjf", {"shed": True})
    found = client.policy_in_force()
    try:
        assert found.policy == "sjf"
        assert found.params == {"shed": True, "placement": "fastest_idle", "window": 16}
        client.swap_policy("heft")
        assert client.swap_policy(*found) == "sjf"
        assert client.policy_in_force() == found
        error = _refused(lambda: client.swap_policy("heft", sha256=found.sha256))
        assert error.code is ErrorCode.INVALID_CONFIG
        assert "policy 'heft' is not the one asked for" in error.message
        assert client.policy_in_force() == found
    finally:
        client.swap_policy("shortest_expected_latency")


def test_a_policy_by_path_can_be_named_once_it_was_in_force(
    model_dir: Path, tmp_path: Path
) -> None:
    mine, other = (write_policy(tmp_path, name) for name in ("mine", "other"))
    config = daemon_config(
        model_dir, "chain", device=device_file(tmp_path), policy=PolicyConfig(path=mine)
    )
    with Daemon(config) as daemon, Client(daemon.address) as client:
        found = client.policy_in_force()
        client.swap_policy("heft")
        assert client.swap_policy(*found) == str(mine)
        assert client.policy_in_force() == found
        error = _refused(lambda: client.swap_policy(str(other)))
        assert error.code is ErrorCode.UNKNOWN_POLICY


def test_the_counts_tell_what_went_wrong_with_policies(model_dir: Path, tmp_path: Path) -> None:
    policy = write_policy(tmp_path, "broken", "raise RuntimeError('boom')")
    config = daemon_config(
        model_dir, "chain", device=device_file(tmp_path), policy=PolicyConfig(path=policy)
    )
    with Daemon(config) as daemon, Client(daemon.address) as client:
        assert not client.stats().policy_reports
        client.infer("chain", INPUTS)
        (report,) = client.stats().policy_reports
        assert (report.policy, report.replaced) == (str(policy), True)
        assert report.reason == "it raised RuntimeError: boom"
        assert 0 < report.at_us < daemon.engine.clock.now_us()
        assert client.policy_in_force() == ("shortest_expected_latency", {}, "")


@pytest.mark.parametrize(
    ("policy", "params", "code", "part"),
    [
        ("heftt", {}, ErrorCode.UNKNOWN_POLICY, "did you mean 'heft'?"),
        ("/etc/passwd.py", {}, ErrorCode.UNKNOWN_POLICY, "installed in this daemon"),
        ("os:system", {}, ErrorCode.UNKNOWN_POLICY, "installed in this daemon"),
        ("heft", {"windw": 3}, ErrorCode.INVALID_CONFIG, "window"),
        ("heft", {"window": "wide"}, ErrorCode.INVALID_CONFIG, "window"),
    ],
)
def test_a_policy_that_cannot_be_put_in_force_changes_nothing(
    client: Client, policy: str, params: dict[str, object], code: ErrorCode, part: str
) -> None:
    error = _refused(lambda: client.swap_policy(policy, params))
    assert error.code is code
    assert part in error.message
    assert client.policies().current == "shortest_expected_latency"


def test_parameters_that_are_no_json_object_are_refused(daemon: Daemon) -> None:

    with grpc.insecure_channel(daemon.address) as channel:
        swap = stub(channel, BAND["SwapPolicy"])
        for text in ("{", "[1]"):
            with pytest.raises(grpc.RpcError) as caught:
                swap(band_pb2.SwapPolicyRequest(policy="heft", params_json=text))
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_watcher_sees_the_tasks_and_the_end_of_each_request(client: Client) -> None:
    with client.watch("chain") as watch:
        replies = [client.infer("chain", INPUTS, stream="s", frame=n) for n in range(3)]
        client.infer("late_input", {**INPUTS, "late": np.zeros((1, 8), np.float32)})
        seen = iter(watch)
        for reply in replies:
            task, request = next(seen).record, next(seen).record
            assert isinstance(task, TaskRecord)
            assert (task,) == reply.tasks
            assert isinstance(request, RequestRecord)
            assert request == reply.record


def test_watching_an_unknown_model_is_refused(client: Client) -> None:
    assert _refused(lambda: client.watch("absent")).code is ErrorCode.UNKNOWN_MODEL


def test_a_watch_ends_with_the_daemon(model_dir: Path, tmp_path: Path) -> None:
    config = daemon_config(model_dir, "chain", device=device_file(tmp_path))
    with Daemon(config) as daemon:
        client = Client(daemon.address)
        watch = client.watch()
    assert list(watch) == []
    client.close()


def test_counts_balance(client: Client) -> None:
    before = client.stats()
    client.infer("chain", INPUTS)
    after = client.stats()
    assert after.completed == before.completed + 1
    assert after.loads_during_requests == 0
    assert after.accepted == (
        after.completed
        + after.failed
        + after.cancelled
        + sum(after.dropped.values())
        + after.in_flight
    )
    assert sum(p.tasks for p in after.processors) >= after.completed
    assert after.policy == "shortest_expected_latency"


def test_a_recording_is_a_trace_of_what_arrived(model_dir: Path, tmp_path: Path) -> None:
    device = device_file(tmp_path)
    folder = tmp_path / "records"
    config = daemon_config(model_dir, "chain", device=device, record_dir=folder)
    with Daemon(config) as daemon, Client(daemon.address) as client:
        client.infer("chain", INPUTS)
        path = client.start_recording("second")
        assert _refused(lambda: client.start_recording("third")).code is ErrorCode.QUOTA
        for frame in range(2):
            client.infer(
                "chain",
                INPUTS,
                stream="camera",
                frame=frame,
                slo_us=70_000,
                app="headset",
                supersede=frame == 1,
            )
        assert client.stop_recording() == (path, 2)
        assert _refused(client.stop_recording).code is ErrorCode.INVALID_REQUEST
        assert _refused(lambda: client.start_recording("second")).code is ErrorCode.INVALID_REQUEST
        assert _refused(lambda: client.start_recording("../x")).code is ErrorCode.INVALID_REQUEST
    asked = read_trace(folder / "second.trace.jsonl")
    frames = list(asked.frames)
    assert [(f.stream, f.frame, f.nodes[0].model) for f in frames] == [
        ("camera", 0, "chain"),
        ("camera", 1, "chain"),
    ]
    assert [(f.app, f.supersede) for f in frames] == [("headset", False), ("headset", True)]
    deadlines = [f.nodes[0].deadline_us for f in frames]
    assert all(d is not None and f.at_us < d for d, f in zip(deadlines, frames, strict=True))
    assert asked.header.models[0].name == "chain"
    assert (folder / str(asked.header.models[0].path)).resolve() == model_dir / "chain.tflite"
    everything = read_trace(folder / "trace.jsonl")
    assert len(list(everything.frames)) == 3
    events = [type(entry.event).__name__ for entry in read_inbox(folder / "serve.inbox.jsonl")]
    assert events[:3] == ["PolicySwapped", "WorkerUp", "ModelAdded"]
    assert events.count("RequestArrived") == events.count("TaskFinished") == 3


def test_a_daemon_without_a_folder_records_nothing(client: Client) -> None:
    assert _refused(lambda: client.start_recording("x")).code is ErrorCode.UNSUPPORTED_FEATURE
