"""The client of one daemon: inference, and Band's own service; errors come back as BandError.

Safe to use from many threads. Arrays in replies are read-only views of the received bytes.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, Self, Unpack

import grpc
from google.protobuf.message import Message

from band.errors import BandError
from band.rpc import wire
from band.rpc.address import parse_address
from band.rpc.datatypes import Array, dtype_name
from band.rpc.metadata import TIME_SCALE_EXTENSION
from band.rpc.methods import BAND, INFERENCE, stub
from band.rpc.reply import InferReply, ReplyFuture, read_response, write_request
from band.rpc.status import error_of
from band.rpc.watch import Watch
from band.runtime.requests import RequestParameters
from band.units import BYTES_PER_MIB
from band.v1 import band_pb2

DEFAULT_MAX_MESSAGE_MIB: Final = 64


class ServerMetadata(NamedTuple):
    """What a server says of itself.

    Attributes:
        extensions: what works beyond the bare protocol.
        time_scale: wall time per time of the server's clock; 1 if it does not say.
    """

    name: str
    version: str
    extensions: tuple[str, ...]
    time_scale: float


class TensorMetadata(NamedTuple):
    """One input or output of a model; the dtype is numpy's name."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class ModelMetadata(NamedTuple):
    """What a client needs to know to infer a model."""

    name: str
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]


class PolicyInForce(NamedTuple):
    """The policy in force, with all that decides what it does.

    Attributes:
        policy: what ``swap_policy`` takes.
        params: all its parameters.
        sha256: of its file; "" if it has none.
    """

    policy: str
    params: Mapping[str, Any]
    sha256: str


class InferOptions(RequestParameters, total=False):
    """How a request may be asked for: the engine's parameters, and what only travels.

    Attributes:
        outputs: names of the outputs wanted; all if empty.
        request_id: the app's own name for the request.
    """

    outputs: Iterable[str]
    request_id: str


class Client:
    """A connection to one daemon; a context manager.

    Nothing is sent before the first call. Every method raises BandError: what the daemon answered,
    UNREACHABLE if none answers, DEADLINE_EXCEEDED after ``wait_s``.

    Args:
        address: ``host:port`` or ``unix:///path``.
        max_message_mib: largest message either way.
        wait_s: wall time that a call may take, None for no limit.
    """

    def __init__(
        self,
        address: str,
        *,
        max_message_mib: int = DEFAULT_MAX_MESSAGE_MIB,
        wait_s: float | None = None,
    ) -> None:
        self.address = parse_address(address).target
        self._wait_s = wait_s
        limit = max_message_mib * BYTES_PER_MIB
        self._channel = grpc.insecure_channel(
            self.address,
            options=(
                ("grpc.max_send_message_length", limit),
                ("grpc.max_receive_message_length", limit),
            ),
        )
        methods = dict(INFERENCE) | dict(BAND)
        self._stubs = {name: stub(self._channel, method) for name, method in methods.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls under way end as cancelled."""
        self._channel.close()

    def infer(
        self, model: str, inputs: Mapping[str, Array], **options: Unpack[InferOptions]
    ) -> InferReply:
        """Run a model once and wait for its outputs.

        Raises:
            BandError: the request did not complete; if the daemon had accepted it, ``fields`` hold
                ``record`` and ``tasks``.
        """
        request, sent = _request(model, inputs, options)
        response = self._call("ModelInfer", request)
        return read_response(response, sent)

    def infer_async(
        self, model: str, inputs: Mapping[str, Array], **options: Unpack[InferOptions]
    ) -> ReplyFuture:
        """Start a run of a model; the future raises what ``infer`` would."""
        request, sent = _request(model, inputs, options)
        future = ReplyFuture(self._stubs["ModelInfer"].future(request, timeout=self._wait_s))
        future.follow(lambda response: read_response(response, sent), self._error)
        return future

    def live(self) -> bool:
        """Return whether a daemon answers."""
        return bool(self._call("ServerLive", wire.ServerLiveRequest()).live)

    def ready(self, model: str = "") -> bool:
        """Return whether requests are taken, or requests for one model."""
        if model:
            return bool(self._call("ModelReady", wire.ModelReadyRequest(name=model)).ready)
        return bool(self._call("ServerReady", wire.ServerReadyRequest()).ready)

    def server_metadata(self) -> ServerMetadata:
        """Return what the server says of itself, its time scale included."""
        answer = self._call("ServerMetadata", wire.ServerMetadataRequest())
        scales = (e for e in answer.extensions if e.startswith(TIME_SCALE_EXTENSION))
        scale = float(next(scales, "1").removeprefix(TIME_SCALE_EXTENSION))
        return ServerMetadata(answer.name, answer.version, tuple(answer.extensions), scale)

    def metadata(self, model: str) -> ModelMetadata:
        """Return the inputs and outputs of a model."""
        answer = self._call("ModelMetadata", wire.ModelMetadataRequest(name=model))
        return ModelMetadata(
            answer.name, answer.platform, _tensors(answer.inputs), _tensors(answer.outputs)
        )

    def models(self) -> tuple[band_pb2.Model, ...]:
        """Return the models that are served."""
        return tuple(self._call("ListModels", band_pb2.ListModelsRequest()).models)

    def device(self) -> band_pb2.Device:
        """Return the device that the daemon coordinates."""
        device: band_pb2.Device = self._call("GetDevice", band_pb2.GetDeviceRequest())
        return device

    def plan(self, model: str) -> band_pb2.Plan:
        """Return how a model is cut, its best plan on the idle device, and every refusal."""
        plan: band_pb2.Plan = self._call("GetPlan", band_pb2.GetPlanRequest(model=model))
        return plan

    def policies(self) -> band_pb2.ListPoliciesResponse:
        """Return the policies that can be asked for by name, and the one in force."""
        policies: band_pb2.ListPoliciesResponse = self._call(
            "ListPolicies", band_pb2.ListPoliciesRequest()
        )
        return policies

    def policy_in_force(self) -> PolicyInForce:
        """Return the policy in force; ``swap_policy(*found)`` puts exactly it back."""
        found = self.policies()
        params = json.loads(found.current_params_json or "{}")
        return PolicyInForce(found.current, params, found.current_sha256)

    def swap_policy(
        self, policy: str, params: Mapping[str, Any] | None = None, sha256: str = ""
    ) -> str:
        """Put another policy in force; return its name.

        Args:
            policy: its name, or what was in force before.
            params: its parameters; the others take their defaults.
            sha256: of its file, which must not be another one; "" for any.
        """
        request = band_pb2.SwapPolicyRequest(policy=policy, sha256=sha256)
        if params:
            request.params_json = json.dumps(dict(params))
        return str(self._call("SwapPolicy", request).policy)

    def stats(self) -> band_pb2.StatsResponse:
        """Return the counts since the daemon started."""
        stats: band_pb2.StatsResponse = self._call("Stats", band_pb2.StatsRequest())
        return stats

    def start_recording(self, name: str) -> str:
        """Record the requests that arrive from now on; return the path on the daemon's side."""
        return str(self._call("StartRecording", band_pb2.StartRecordingRequest(name=name)).path)

    def stop_recording(self) -> tuple[str, int]:
        """End the recording; return its path and the number of requests in it."""
        answer = self._call("StopRecording", band_pb2.StopRecordingRequest())
        return str(answer.path), int(answer.requests)

    def watch(self, model: str = "") -> Watch:
        """Return every task and request, of one model or all, that ends from now on."""
        call = self._stubs["WatchEvents"](band_pb2.WatchEventsRequest(model=model))
        return Watch(call, self._error)

    def _call(self, method: str, request: Message) -> Any:
        try:
            return self._stubs[method](request, timeout=self._wait_s)
        except grpc.RpcError as error:
            raise self._error(error) from error

    def _error(self, error: grpc.RpcError) -> BandError:
        return error_of(error, self.address)


def _request(
    model: str, inputs: Mapping[str, Array], options: InferOptions
) -> tuple[wire.ModelInferRequest, RequestParameters]:
    request = write_request(
        model,
        inputs,
        outputs=options.get("outputs", ()),
        request_id=options.get("request_id", ""),
        parameters=options,
    )
    return request, options


def _tensors(
    tensors: Iterable[wire.ModelMetadataResponse.TensorMetadata],
) -> tuple[TensorMetadata, ...]:
    return tuple(
        TensorMetadata(tensor.name, dtype_name(tensor.datatype), tuple(tensor.shape))
        for tensor in tensors
    )
