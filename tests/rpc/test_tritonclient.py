"""An unmodified Triton client talks to the daemon."""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

from band import __version__
from band.rpc.daemon import Daemon
from band.testing.daemons import BIG_SIDE, WAIT_S, daemon_config, device_file

Array = npt.NDArray[Any]

IMAGE = np.linspace(0, 1, 16 * 16 * 3, dtype=np.float32).reshape(1, 16, 16, 3)
LATE = np.ones((1, 8), np.float32)


@pytest.fixture
def client(daemon: Daemon) -> Iterator[triton.InferenceServerClient]:
    opened = triton.InferenceServerClient(daemon.address)
    yield opened
    opened.close()


@pytest.fixture
def stub(daemon: Daemon) -> Iterator[service_pb2_grpc.GRPCInferenceServiceStub]:
    with grpc.insecure_channel(daemon.address) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def _input(name: str, array: Array, datatype: str = "FP32") -> triton.InferInput:
    made = triton.InferInput(name, array.shape, datatype)
    made.set_data_from_numpy(array)
    return made


def _names(daemon: Daemon, model: str) -> tuple[list[str], list[str]]:
    info = daemon.engine.model(model)
    return [t.name for t in info.inputs], [t.name for t in info.outputs]


def test_the_server_is_live_and_ready(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("chain")
    assert client.is_model_ready("chain", "1")
    assert not client.is_model_ready("chain", "2")
    assert not client.is_model_ready("absent")


def test_server_metadata_lists_what_works(client: triton.InferenceServerClient) -> None:
    metadata = client.get_server_metadata()
    assert (metadata.name, metadata.version) == ("band", __version__)
    assert set(metadata.extensions) == {
        "model_configuration",
        "parameters",
        "schedule_policy",
        "statistics",
        "band_time_scale:1.0",
    }


def test_the_server_has_the_name_that_scripts_insist_on(model_dir: Path, tmp_path: Path) -> None:
    config = daemon_config(model_dir, server_name="triton", device=device_file(tmp_path))
    with Daemon(config) as daemon:
        client = triton.InferenceServerClient(daemon.address)
        assert client.get_server_metadata().name == "triton"
        client.close()


def test_model_metadata_names_shapes_and_datatypes(client: triton.InferenceServerClient) -> None:
    metadata = client.get_model_metadata("control_flow_if")
    assert (metadata.name, metadata.platform, list(metadata.versions)) == (
        "control_flow_if",
        "tflite",
        ["1"],
    )
    inputs = {t.name: (t.datatype, list(t.shape)) for t in metadata.inputs}
    assert inputs == {"image": ("FP32", [1, 16, 16, 3]), "condition": ("BOOL", [])}
    assert [t.datatype for t in metadata.outputs] == ["FP32"]


def test_model_config_and_repository_index_are_offered(
    client: triton.InferenceServerClient,
) -> None:
    config = client.get_model_config("chain").config
    assert (config.name, config.backend, config.max_batch_size) == ("chain", "band", 0)
    assert list(config.input[0].dims) == [1, 16, 16, 3]
    index = client.get_model_repository_index()
    assert {(m.name, m.state) for m in index.models} >= {("chain", "READY"), ("big", "READY")}


def test_raw_contents_give_the_bits_of_the_engine(
    daemon: Daemon, client: triton.InferenceServerClient
) -> None:
    _, outputs = _names(daemon, "chain")
    expected = daemon.engine.infer("chain", {"image": IMAGE}).outputs[outputs[0]]
    result = client.infer("chain", [_input("image", IMAGE)])
    received = result.as_numpy(outputs[0])
    assert received.dtype == np.float32
    assert received.tobytes() == expected.tobytes()


def test_typed_contents_give_the_same_as_raw_ones(
    daemon: Daemon,
    client: triton.InferenceServerClient,
    stub: service_pb2_grpc.GRPCInferenceServiceStub,
) -> None:
    request = service_pb2.ModelInferRequest(model_name="control_flow_if")
    image = request.inputs.add(name="image", datatype="FP32", shape=IMAGE.shape)
    image.contents.fp32_contents.extend(IMAGE.ravel().tolist())
    condition = request.inputs.add(name="condition", datatype="BOOL", shape=[])
    condition.contents.bool_contents.append(True)
    typed = stub.ModelInfer(request)
    raw = client.infer(
        "control_flow_if",
        [_input("image", IMAGE), _input("condition", np.array(True), "BOOL")],
    ).get_response()
    assert typed.raw_output_contents[0] == raw.raw_output_contents[0]
    assert list(typed.outputs[0].shape) == [1, 16, 16, 4]


def test_outputs_come_as_asked_for(daemon: Daemon, client: triton.InferenceServerClient) -> None:
    _, names = _names(daemon, "two_outputs")
    image = [_input("image", IMAGE)]
    everything = client.infer("two_outputs", image).get_response()
    assert [t.name for t in everything.outputs] == names
    one = client.infer("two_outputs", image, outputs=[triton.InferRequestedOutput(names[1])])
    assert [t.name for t in one.get_response().outputs] == [names[1]]
    assert one.as_numpy(names[1]).tobytes() == everything.raw_output_contents[1]
    swapped = [triton.InferRequestedOutput(name) for name in reversed(names)]
    response = client.infer("two_outputs", image, outputs=swapped).get_response()
    assert [t.name for t in response.outputs] == names[::-1]


def test_the_order_of_the_inputs_does_not_matter(
    daemon: Daemon, client: triton.InferenceServerClient
) -> None:
    inputs = [_input("image", IMAGE), _input("late", LATE)]
    first = client.infer("late_input", inputs).get_response()
    second = client.infer("late_input", inputs[::-1]).get_response()
    assert first.raw_output_contents == second.raw_output_contents


def test_id_priority_timeout_and_foreign_parameters_are_taken(
    client: triton.InferenceServerClient,
) -> None:
    result = client.infer(
        "chain",
        [_input("image", IMAGE)],
        request_id="frame-7",
        priority=2,
        timeout=20_000_000,
        parameters={"band_slo_us": 30_000_000, "somebodys_tag": "x", "half": 0.5},
    )
    response = result.get_response()
    assert response.id == "frame-7"
    values = response.parameters
    assert values["band_priority"].int64_param == 2
    arrived, deadline = (values[f"band_{k}_us"].int64_param for k in ("arrived", "deadline"))
    assert deadline == arrived + 30_000_000
    assert values["band_finished_us"].int64_param > arrived
    assert values["band_queue_us"].int64_param >= 0
    assert values["band_policy"].string_param == "shortest_expected_latency"
    assert not values["band_emulated"].bool_param
    assert '"processor": "cpu' in values["band_plan"].string_param


def test_asynchronous_calls_answer_through_their_callback(
    client: triton.InferenceServerClient,
) -> None:
    future: Future[tuple[Any, Any]] = Future()
    client.async_infer(
        "chain",
        [_input("image", IMAGE)],
        callback=lambda result, error: future.set_result((result, error)),
    )
    result, error = future.result(WAIT_S)
    assert error is None
    assert result.get_response().model_name == "chain"


def test_tensors_above_four_mib_travel_both_ways(client: triton.InferenceServerClient) -> None:
    image = np.arange(BIG_SIDE * BIG_SIDE, dtype=np.float32).reshape(1, BIG_SIDE, BIG_SIDE, 1)
    image -= 500.0
    assert image.nbytes > 4 << 20
    result = client.infer("big", [_input("image", image)])
    response = result.get_response()
    np.testing.assert_array_equal(result.as_numpy(response.outputs[0].name), np.maximum(image, 0.0))


def test_a_message_above_the_limit_is_refused_and_the_daemon_lives_on(
    model_dir: Path, tmp_path: Path
) -> None:
    config = daemon_config(model_dir, "big", max_message_mib=1, device=device_file(tmp_path))
    with Daemon(config) as daemon:
        client = triton.InferenceServerClient(daemon.address)
        image = np.zeros((1, BIG_SIDE, BIG_SIDE, 1), np.float32)
        with pytest.raises(InferenceServerException) as caught:
            client.infer("big", [_input("image", image)])
        assert caught.value.status() == "StatusCode.RESOURCE_EXHAUSTED"
        assert client.is_server_ready()
        client.close()


def test_statistics_add_up(model_dir: Path, tmp_path: Path) -> None:
    config = daemon_config(model_dir, "chain", device=device_file(tmp_path))
    with Daemon(config) as daemon:
        client = triton.InferenceServerClient(daemon.address)
        for _ in range(3):
            client.infer("chain", [_input("image", IMAGE)])
        (stats,) = client.get_inference_statistics("chain").model_stats
        client.close()
    assert (stats.inference_count, stats.execution_count) == (3, 3)
    counted = stats.inference_stats
    stages = (
        counted.queue,
        counted.compute_input,
        counted.compute_infer,
        counted.compute_output,
    )
    assert counted.success.count == 3
    assert sum(stage.ns for stage in stages) == counted.success.ns > 0
    assert counted.fail.count == 0
    assert stats.last_inference > 0


def test_it_works_over_a_unix_socket(model_dir: Path, tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/band.sock"
    config = daemon_config(model_dir, "chain", address=address, device=device_file(tmp_path))
    with Daemon(config):
        assert (tmp_path / "band.sock").stat().st_mode & 0o777 == 0o600
        client = triton.InferenceServerClient(address)
        result = client.infer("chain", [_input("image", IMAGE)])
        assert result.get_response().outputs[0].datatype == "FP32"
        client.close()
    assert not (tmp_path / "band.sock").exists()


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("get_system_shared_memory_status", ()),
        ("register_system_shared_memory", ("region", "/key", 64)),
        ("get_cuda_shared_memory_status", ()),
        ("load_model", ("chain",)),
        ("unload_model", ("chain",)),
        ("get_trace_settings", ()),
        ("get_log_settings", ()),
    ],
)
def test_what_is_not_offered_says_so(
    client: triton.InferenceServerClient, method: str, arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(InferenceServerException, match="does not offer") as caught:
        getattr(client, method)(*arguments)
    assert caught.value.status() == "StatusCode.UNIMPLEMENTED"
