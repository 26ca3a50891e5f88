"""Health, reflection, addresses, and the way a daemon starts and ends."""

import threading
from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from band.config.daemon import ModelConfig
from band.errors import BandError, ErrorCode
from band.rpc.client import Client
from band.rpc.daemon import Daemon
from band.testing.daemons import WAIT_S, Scripted, daemon_config, device_file

INPUTS = {"image": np.zeros((1, 16, 16, 3), np.float32)}
SERVICES = ("inference.GRPCInferenceService", "band.v1.Band")
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.mark.parametrize("service", ["", *SERVICES])
def test_a_health_check_says_serving(daemon: Daemon, service: str) -> None:
    with grpc.insecure_channel(daemon.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == SERVING


def test_an_unknown_service_has_no_health(daemon: Daemon) -> None:
    with grpc.insecure_channel(daemon.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Check(health_pb2.HealthCheckRequest(service="toaster"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def _reflect(address: str, **question: str) -> reflection_pb2.ServerReflectionResponse:
    with grpc.insecure_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(**question)
        (answer,) = stub.ServerReflectionInfo(iter((request,)), timeout=WAIT_S)
    return answer


def test_reflection_lists_the_services(daemon: Daemon) -> None:
    answer = _reflect(daemon.address, list_services="")
    assert {service.name for service in answer.list_services_response.service} == set(SERVICES)


@pytest.mark.parametrize(
    ("symbol", "file", "method"),
    [
        (SERVICES[0], "inference/v2/inference.proto", "ModelInfer"),
        (SERVICES[1], "band/v1/band.proto", "GetPlan"),
    ],
)
def test_reflection_describes_both_services(
    daemon: Daemon, symbol: str, file: str, method: str
) -> None:
    answer = _reflect(daemon.address, file_containing_symbol=symbol)
    (serialized,) = answer.file_descriptor_response.file_descriptor_proto
    described = FileDescriptorProto.FromString(serialized)
    assert described.name == file
    assert method in {m.name for m in described.service[0].method}


@pytest.mark.parametrize("form", ["tcp", "unix"])
def test_a_second_daemon_does_not_take_over_an_address(
    model_dir: Path, tmp_path: Path, form: str
) -> None:
    device = device_file(tmp_path)
    first = "127.0.0.1:0" if form == "tcp" else f"unix://{tmp_path}/band.sock"
    with Daemon(daemon_config(model_dir, "chain", address=first, device=device)) as daemon:
        second = daemon_config(model_dir, address=daemon.address, device=device)
        with pytest.raises(BandError, match=f"cannot listen at {daemon.address}") as caught:
            Daemon(second).__enter__()
        assert caught.value.code is ErrorCode.INVALID_CONFIG
        with Client(daemon.address) as client:
            assert client.ready()
    with Daemon(second) as again, Client(again.address) as client:
        assert client.ready()  # the address is free once its daemon has gone


@pytest.mark.parametrize(
    ("settings", "code", "part"),
    [
        ({"address": "nowhere"}, ErrorCode.INVALID_CONFIG, "is no address"),
        ({"address": "192.0.2.1:8001"}, ErrorCode.INVALID_CONFIG, "not an address of this"),
        ({"device": "pixel44"}, ErrorCode.UNKNOWN_DEVICE, "did you mean 'pixel4'?"),
        ({"policy": "hefty"}, ErrorCode.UNKNOWN_POLICY, "hefty"),
        ({"policy": {"name": "heft", "params": {"x": 1}}}, ErrorCode.INVALID_CONFIG, "'x'"),
        (
            {"models": (ModelConfig(path=Path("/absent.tflite")),)},
            ErrorCode.NOT_FOUND,
            "/absent.tflite",
        ),
        ({"models": (ModelConfig(zoo="absent"),)}, ErrorCode.UNKNOWN_MODEL, "absent"),
        ({"record_dir": Path("/dev/null/x")}, ErrorCode.INVALID_CONFIG, "cannot record in"),
    ],
    ids=["address", "foreign", "device", "policy", "parameter", "path", "zoo", "record"],
)
def test_a_daemon_that_cannot_start_says_why_and_leaves_nothing(
    model_dir: Path, settings: dict[str, object], code: ErrorCode, part: str
) -> None:
    before = set(threading.enumerate())
    with pytest.raises(BandError) as caught:
        Daemon(daemon_config(model_dir, **settings)).__enter__()
    assert caught.value.code is code
    assert part in caught.value.message
    left = [t for t in set(threading.enumerate()) - before if t.name.startswith("band-")]
    assert not left


def _in_thread(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def _wait_not_serving(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for answer in stub.Watch(health_pb2.HealthCheckRequest(), timeout=WAIT_S):
            if answer.status == NOT_SERVING:
                return


def test_a_draining_daemon_finishes_what_runs_and_takes_nothing_new(scripted: Scripted) -> None:
    daemon = scripted.serve("chain")
    gate = scripted.hold_next()
    with Client(daemon.address) as client:
        running = client.infer_async("chain", INPUTS)
        gate.wait_entered()
        drained: list[bool] = []
        draining = _in_thread(lambda: drained.append(daemon.drain()))
        _wait_not_serving(daemon.address)
        assert not client.ready()
        assert not client.ready("chain")
        assert client.live()
        with pytest.raises(BandError) as caught:
            client.infer("chain", INPUTS)
        assert caught.value.code is ErrorCode.DRAINING
        assert caught.value.outcome.status == "UNAVAILABLE"
        gate.open()
        assert running.result(WAIT_S).record.outcome == "completed"
        draining.join(WAIT_S)
        assert drained == [True]


def test_draining_ends_after_its_time(scripted: Scripted) -> None:
    daemon = scripted.serve("chain", drain_timeout_s=0.1)
    gate = scripted.hold_next()
    with Client(daemon.address) as client:
        running = client.infer_async("chain", INPUTS)
        gate.wait_entered()
        assert not daemon.drain()
        cancelling = _in_thread(daemon.cancel)
        with pytest.raises(BandError) as caught:
            running.result(WAIT_S)
        assert caught.value.code is ErrorCode.CANCELLED
        gate.open()
        cancelling.join(WAIT_S)
