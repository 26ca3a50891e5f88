"""The inference protocol's service: what any KServe or Triton client talks to.

A call keeps one thread of the server until its request ends; the engine decides the order. Every
call that the client cancels, or whose gRPC deadline passes, is cancelled in the engine too.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import grpc

from band import __version__
from band.errors import BandError
from band.rpc import wire
from band.rpc.calls import Calls
from band.rpc.metadata import MODEL_VERSION, TIME_SCALE_EXTENSION, model_config, model_metadata
from band.rpc.methods import Handler
from band.rpc.stream import InferStream
from band.runtime.engine import Engine

# Exactly what works: clients call ModelStatistics only if `statistics` is listed.
EXTENSIONS: Final = ("model_configuration", "parameters", "schedule_policy", "statistics")


class InferenceService:
    """Handlers of ``inference.GRPCInferenceService``.

    Args:
        engine: runs the requests.
        calls: begins and answers them.
        server_name: as ServerMetadata tells it; some clients insist on ``triton``.

    Attributes:
        ready: models are loaded and requests are taken; the daemon sets it.
    """

    def __init__(self, engine: Engine, calls: Calls, *, server_name: str) -> None:
        self.ready = False
        self._engine = engine
        self._server_name = server_name
        self._calls = calls

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler of each method that is offered."""
        return {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server_metadata,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._model_infer,
            "ModelStreamInfer": self._model_stream_infer,
            "ModelConfig": self._model_config,
            "ModelStatistics": self._model_statistics,
            "RepositoryIndex": self._repository_index,
        }

    def _server_live(
        self, _: wire.ServerLiveRequest, __: grpc.ServicerContext
    ) -> wire.ServerLiveResponse:
        return wire.ServerLiveResponse(live=True)

    def _server_ready(
        self, _: wire.ServerReadyRequest, __: grpc.ServicerContext
    ) -> wire.ServerReadyResponse:
        return wire.ServerReadyResponse(ready=self._takes_requests())

    def _model_ready(
        self, request: wire.ModelReadyRequest, _: grpc.ServicerContext
    ) -> wire.ModelReadyResponse:
        try:
            self._calls.model(request.name, request.version)
        except BandError:
            return wire.ModelReadyResponse(ready=False)
        return wire.ModelReadyResponse(ready=self._takes_requests())

    def _server_metadata(
        self, _: wire.ServerMetadataRequest, __: grpc.ServicerContext
    ) -> wire.ServerMetadataResponse:
        time_scale = f"{TIME_SCALE_EXTENSION}{self._engine.device.time_scale}"
        return wire.ServerMetadataResponse(
            name=self._server_name,
            version=__version__,
            extensions=(*EXTENSIONS, time_scale),
        )

    def _model_metadata(
        self, request: wire.ModelMetadataRequest, _: grpc.ServicerContext
    ) -> wire.ModelMetadataResponse:
        return model_metadata(self._calls.model(request.name, request.version))

    def _model_config(
        self, request: wire.ModelConfigRequest, _: grpc.ServicerContext
    ) -> wire.ModelConfigResponse:
        return model_config(self._calls.model(request.name, request.version))

    def _model_infer(
        self, request: wire.ModelInferRequest, context: grpc.ServicerContext
    ) -> wire.ModelInferResponse:
        call = self._calls.begin(request)
        if not context.add_callback(call.cancel):
            call.cancel()  # the client had gone already
        return self._calls.answer(call)

    def _model_stream_infer(
        self, requests: Iterator[wire.ModelInferRequest], context: grpc.ServicerContext
    ) -> Iterator[wire.ModelStreamInferResponse]:
        return InferStream(self._calls, requests, context).responses()

    def _model_statistics(
        self, request: wire.ModelStatisticsRequest, _: grpc.ServicerContext
    ) -> wire.ModelStatisticsResponse:
        if request.name:
            names = [self._calls.model(request.name, request.version).name]
        else:
            names = sorted(info.name for info in self._engine.models())
        return wire.ModelStatisticsResponse(
            model_stats=[self._calls.counts.message(name) for name in names]
        )

    def _repository_index(
        self, request: wire.RepositoryIndexRequest, _: grpc.ServicerContext
    ) -> wire.RepositoryIndexResponse:
        response = wire.RepositoryIndexResponse()
        ready = self._takes_requests()
        if ready or not request.ready:
            state = "READY" if ready else "UNAVAILABLE"
            for name in sorted(info.name for info in self._engine.models()):
                response.models.add(name=name, version=MODEL_VERSION, state=state)
        return response

    def _takes_requests(self) -> bool:
        """Return whether requests are taken and some processor is there to run them."""
        return self.ready and any(processor.up for processor in self._engine.stats().processors)
