"""Every wrong request gets its status and one sentence, and the daemon lives on."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from band.errors import BandError, ErrorCode
from band.metrics.records import RequestRecord
from band.rpc import wire
from band.rpc.calls import Calls
from band.rpc.client import Client
from band.rpc.daemon import Daemon
from band.runtime.backends.protocol import WorkerLostError
from band.scheduler.events import RequestArrived, WorkerDown, WorkerUp
from band.testing.daemons import WAIT_S, Gate, Scripted, Seen

Request = service_pb2.ModelInferRequest
Change = Callable[[Any], None]

IMAGE = np.zeros((1, 16, 16, 3), np.float32)


@pytest.fixture
def stub(daemon: Daemon) -> Iterator[Any]:
    with grpc.insecure_channel(daemon.address) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def _refused(call: Callable[[], object]) -> Any:
    """Return the error that a call ends with."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def _valid() -> Any:
    request = Request(model_name="chain", raw_input_contents=[IMAGE.tobytes()])
    request.inputs.add(name="image", datatype="FP32", shape=IMAGE.shape)
    return request


def _unknown_model(r: Any) -> None:
    r.model_name = "absent"


def _unknown_version(r: Any) -> None:
    r.model_version = "7"


def _wrong_name(r: Any) -> None:
    r.inputs[0].name = "imagee"


def _missing_input(r: Any) -> None:
    del r.inputs[:], r.raw_input_contents[:]


def _extra_input(r: Any) -> None:
    r.inputs.add(name="other", datatype="FP32", shape=[1])
    r.raw_input_contents.append(b"1234")


def _twice(r: Any) -> None:
    r.inputs.add().CopyFrom(r.inputs[0])
    r.raw_input_contents.append(r.raw_input_contents[0])


def _wrong_shape(r: Any) -> None:
    r.inputs[0].shape[:] = [1, 16, 48, 1]


def _wrong_datatype(r: Any) -> None:
    r.inputs[0].datatype = "INT32"


def _bytes_datatype(r: Any) -> None:
    r.inputs[0].datatype = "BYTES"


def _too_few_bytes(r: Any) -> None:
    r.raw_input_contents[0] = b"1234"


def _no_data(r: Any) -> None:
    del r.raw_input_contents[:]


def _more_raw_than_inputs(r: Any) -> None:
    r.raw_input_contents.append(b"")


def _mixed(r: Any) -> None:
    r.inputs[0].contents.fp32_contents.append(1.0)


def _unknown_output(r: Any) -> None:
    r.outputs.add(name="nothing")


def _negative_priority(r: Any) -> None:
    r.parameters["priority"].int64_param = -1


def _huge_timeout(r: Any) -> None:
    r.parameters["timeout"].int64_param = 2**62


def _misspelt_parameter(r: Any) -> None:
    r.parameters["band_slo_ms"].int64_param = 10


def _unknown_processor(r: Any) -> None:
    r.parameters["band_processor"].string_param = "cpu9"


def _shared_memory(r: Any) -> None:
    r.inputs[0].parameters["shared_memory_region"].string_param = "region"


def _sequence(r: Any) -> None:
    r.parameters["sequence_id"].int64_param = 5


def _classification(r: Any) -> None:
    r.outputs.add(name="x").parameters["classification"].int64_param = 3


@pytest.mark.parametrize(
    ("change", "status", "code", "part"),
    [
        (_unknown_model, "NOT_FOUND", "unknown_model", "Request for unknown model: 'absent'"),
        (_unknown_version, "NOT_FOUND", "unknown_model", "Request for unknown model: 'chain'"),
        (_wrong_name, "INVALID_ARGUMENT", "invalid_request", "did you mean 'image'?"),
        (_missing_input, "INVALID_ARGUMENT", "invalid_request", "lacks input 'image'"),
        (_extra_input, "INVALID_ARGUMENT", "invalid_request", "has no input 'other'"),
        (_twice, "INVALID_ARGUMENT", "invalid_request", "given twice"),
        (_wrong_shape, "INVALID_ARGUMENT", "invalid_request", "[1, 16, 16, 3], got"),
        (_wrong_datatype, "INVALID_ARGUMENT", "invalid_request", "has the datatype FP32"),
        (_bytes_datatype, "INVALID_ARGUMENT", "invalid_request", "FP32, not BYTES"),
        (_too_few_bytes, "INVALID_ARGUMENT", "invalid_request", "carries 4 bytes"),
        (_no_data, "INVALID_ARGUMENT", "invalid_request", "carries no data"),
        (_more_raw_than_inputs, "INVALID_ARGUMENT", "invalid_request", "2 raw contents"),
        (_mixed, "INVALID_ARGUMENT", "invalid_request", "mixes raw and typed"),
        (_unknown_output, "INVALID_ARGUMENT", "invalid_request", "has no output 'nothing'"),
        (_negative_priority, "INVALID_ARGUMENT", "invalid_request", "'priority' is -1"),
        (_huge_timeout, "INVALID_ARGUMENT", "invalid_request", "'timeout' is"),
        (_misspelt_parameter, "INVALID_ARGUMENT", "invalid_request", "'band_slo_us'"),
        (_unknown_processor, "INVALID_ARGUMENT", "invalid_request", "'cpu9'"),
        (_shared_memory, "UNIMPLEMENTED", "unsupported_feature", "shared memory"),
        (_sequence, "UNIMPLEMENTED", "unsupported_feature", "sequences"),
        (_classification, "UNIMPLEMENTED", "unsupported_feature", "classification"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else None,
)
def test_a_wrong_request_gets_its_status_and_a_sentence(
    stub: Any, change: Change, status: str, code: str, part: str
) -> None:
    request = _valid()
    change(request)
    error = _refused(lambda: stub.ModelInfer(request))
    assert error.code() is grpc.StatusCode[status]
    assert part in error.details()
    assert "\n" not in error.details()
    (detail,) = [m.value for m in error.trailing_metadata() if m.key == "band-error"]
    assert json.loads(detail)["code"] == code
    assert json.loads(detail)["message"] == error.details()
    assert stub.ModelInfer(_valid()).model_name == "chain"


@pytest.mark.parametrize("method", ["ModelMetadata", "ModelConfig", "ModelStatistics"])
def test_an_unknown_model_has_no_metadata(stub: Any, method: str) -> None:
    request = getattr(service_pb2, f"{method}Request")(name="absent")
    error = _refused(lambda: getattr(stub, method)(request))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert "Request for unknown model" in error.details()


def test_bytes_that_are_no_message_do_not_end_the_daemon(daemon: Daemon, stub: Any) -> None:
    with grpc.insecure_channel(daemon.address) as channel:
        method: Any = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        error = _refused(lambda: method(b"\xff\xff\xff no protobuf"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "the bytes sent are no ModelInferRequest"
    assert stub.ModelInfer(_valid()).model_name == "chain"


def test_a_method_that_does_not_exist_is_unimplemented(daemon: Daemon) -> None:
    with grpc.insecure_channel(daemon.address) as channel:
        method: Any = channel.unary_unary("/inference.GRPCInferenceService/ModelInvent")
        assert _refused(lambda: method(b"")).code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_slice_that_fails_fails_its_request_alone(scripted: Scripted) -> None:
    daemon = scripted.serve("chain")

    def fail() -> None:
        raise BandError(ErrorCode.BACKEND_FAILED, "the slice failed to run: scripted")

    scripted.script.runs.append(fail)
    with Client(daemon.address) as client:
        with pytest.raises(BandError, match="the slice failed to run") as caught:
            client.infer("chain", {"image": IMAGE})
        assert caught.value.code is ErrorCode.BACKEND_FAILED
        record, tasks = caught.value.fields["record"], caught.value.fields["tasks"]
        assert isinstance(record, RequestRecord)
        assert isinstance(tasks, tuple)
        assert (record.outcome, [task.ok for task in tasks]) == ("failed", [False])
        assert client.infer("chain", {"image": IMAGE}).record.outcome == "completed"


def test_without_a_processor_the_daemon_is_alive_but_not_ready(scripted: Scripted) -> None:
    daemon = scripted.serve("chain")
    gate, seen = Gate(), Seen(daemon)

    def lose() -> None:
        raise WorkerLostError("scripted loss")

    scripted.script.runs.append(lose)
    scripted.script.opens.append(gate.hold)  # it does not come back before the gate opens
    with Client(daemon.address) as client:
        assert client.ready()
        lost = client.infer_async("chain", {"image": IMAGE})
        seen.wait(WorkerDown)
        assert client.live()
        assert not client.ready()
        assert not client.ready("chain")
        gate.open()
        with contextlib.suppress(BandError):
            lost.result(WAIT_S)
        seen.wait(WorkerUp)
        assert client.ready()
        assert client.infer("chain", {"image": IMAGE}).record.outcome == "completed"


def test_a_full_queue_is_resource_exhausted(scripted: Scripted) -> None:
    daemon = scripted.serve("chain", queue_limit=1)
    gate = scripted.hold_next()
    with Client(daemon.address) as client:
        seen = Seen(daemon)
        running = client.infer_async("chain", {"image": IMAGE})
        gate.wait_entered()
        waiting = client.infer_async("chain", {"image": IMAGE})
        seen.wait(RequestArrived, 2)
        with pytest.raises(BandError) as caught:
            client.infer("chain", {"image": IMAGE})
        assert caught.value.code is ErrorCode.QUEUE_FULL
        assert caught.value.fields["reason"] == "queue_full"
        gate.open()
        assert running.result(WAIT_S).record.outcome == waiting.result(WAIT_S).record.outcome


def test_calls_are_bounded_whatever_the_queue_takes(scripted: Scripted) -> None:
    calls = Calls(scripted.serve("chain").engine, limit=2)
    gate = scripted.hold_next()
    request = wire.ModelInferRequest.FromString(_valid().SerializeToString())
    begun = [calls.begin(request) for _ in range(2)]
    with pytest.raises(BandError) as caught:
        calls.begin(request)
    assert caught.value.code is ErrorCode.QUEUE_FULL
    gate.open()
    assert [calls.answer(call).model_name for call in begun] == ["chain", "chain"]
    calls.answer(calls.begin(request))


def test_an_error_of_ours_is_internal_and_its_traceback_stays_here(
    daemon: Daemon, stub: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(daemon.engine, "submit", broken)
    error = _refused(lambda: stub.ModelInfer(_valid()))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "a defect" not in error.details()
    assert "ModelInfer" in error.details()
    assert "a defect" in caplog.text
    monkeypatch.undo()
    assert stub.ModelInfer(_valid()).model_name == "chain"
