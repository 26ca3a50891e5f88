"""ModelStreamInfer, with tritonclient's stream."""

from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2_grpc

from band.rpc.daemon import Daemon
from band.rpc.stream import MAX_UNANSWERED
from band.testing.daemons import WAIT_S

IMAGE = np.linspace(0, 1, 16 * 16 * 3, dtype=np.float32).reshape(1, 16, 16, 3)
Answers = SimpleQueue[tuple[Any, Any]]


@pytest.fixture
def stream(daemon: Daemon) -> Iterator[tuple[triton.InferenceServerClient, Answers]]:
    client = triton.InferenceServerClient(daemon.address)
    answers: Answers = SimpleQueue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    yield client, answers
    client.stop_stream()
    client.close()


def _image(array: Any = IMAGE) -> list[triton.InferInput]:
    made = triton.InferInput("image", array.shape, "FP32")
    made.set_data_from_numpy(array)
    return [made]


def test_every_request_of_a_stream_is_answered_with_its_id(
    daemon: Daemon, stream: tuple[triton.InferenceServerClient, Answers]
) -> None:
    client, answers = stream
    expected = next(iter(daemon.engine.infer("chain", {"image": IMAGE}).outputs.values()))
    ids = {str(number) for number in range(3 * MAX_UNANSWERED)}
    for number in ids:
        client.async_stream_infer("chain", _image(), request_id=number)
    answered = set()
    for _ in ids:
        result, error = answers.get(timeout=WAIT_S)
        assert error is None
        response = result.get_response()
        assert response.raw_output_contents[0] == expected.tobytes()
        assert response.parameters["triton_final_response"].bool_param
        answered.add(response.id)
    assert answered == ids


def test_an_error_ends_its_request_and_not_the_stream(
    stream: tuple[triton.InferenceServerClient, Answers],
) -> None:
    client, answers = stream
    client.async_stream_infer("absent", _image(), request_id="bad")
    result, error = answers.get(timeout=WAIT_S)
    assert result is None
    assert "Request for unknown model: 'absent'" in str(error)
    client.async_stream_infer("chain", _image(np.zeros((1, 2), np.float32)))
    result, error = answers.get(timeout=WAIT_S)
    assert "expected float32" in str(error)
    client.async_stream_infer("chain", _image(), request_id="good")
    result, error = answers.get(timeout=WAIT_S)
    assert error is None
    assert result.get_response().id == "good"


def test_an_empty_stream_ends(daemon: Daemon) -> None:
    with grpc.insecure_channel(daemon.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        assert list(stub.ModelStreamInfer(iter(()), timeout=WAIT_S)) == []


def test_bytes_that_are_no_request_end_the_stream_with_a_sentence(daemon: Daemon) -> None:
    with grpc.insecure_channel(daemon.address) as channel:
        method: Any = channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")
        (answer,) = method(iter((b"\xff\xff no protobuf",)), timeout=WAIT_S)
    assert b"the bytes sent are no ModelInferRequest" in answer
