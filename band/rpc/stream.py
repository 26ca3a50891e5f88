"""ModelStreamInfer: many calls over one connection, answered in the order in which they end."""

import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Final, NamedTuple

import grpc

from band.errors import BandError
from band.rpc import wire
from band.rpc.calls import Call, Calls
from band.rpc.status import reported
from band.runtime.futures import InferFuture

# So many requests of one stream may be unanswered; then the stream is not read further.
MAX_UNANSWERED: Final = 64
_METHOD: Final = "ModelStreamInfer"


class _Refused(NamedTuple):
    """A request that never reached the engine."""

    request: wire.ModelInferRequest
    error: Exception


class _End(NamedTuple):
    """The client has sent its last request."""

    sent: int


class InferStream:
    """One stream: a thread reads requests, the server's own thread sends what has ended.

    Args:
        calls: of the service.
        requests: as they come from the client.
        context: of the stream.
    """

    def __init__(
        self,
        calls: Calls,
        requests: Iterator[wire.ModelInferRequest],
        context: grpc.ServicerContext,
    ) -> None:
        self._calls = calls
        self._requests = requests
        self._context = context
        self._ended: SimpleQueue[Call | _Refused | _End] = SimpleQueue()
        self._slots = threading.Semaphore(MAX_UNANSWERED)
        self._lock = threading.Lock()
        self._running: set[InferFuture] = set()
        self._gone = False

    def responses(self) -> Iterator[wire.ModelStreamInferResponse]:
        """Return the answers until every request sent is answered or the client has gone."""
        if not self._context.add_callback(self._abandon):
            return
        threading.Thread(target=self._read, name="band-infer-stream", daemon=True).start()
        answered, sent = 0, None
        while answered != sent:
            item = self._ended.get()
            if isinstance(item, _End):
                sent = item.sent
                continue
            yield self._response(item)
            answered += 1
            self._slots.release()

    def _read(self) -> None:
        sent = 0
        try:
            for request in self._requests:
                self._slots.acquire()
                if self._gone:
                    break
                self._begin(request)
                sent += 1
        except grpc.RpcError:
            pass  # the client has gone: ``_abandon`` cancels what runs
        except BandError as error:  # bytes that are no request: what follows cannot be trusted
            self._ended.put(_Refused(wire.ModelInferRequest(), error))
            sent += 1
        finally:
            self._ended.put(_End(sent))

    def _begin(self, request: wire.ModelInferRequest) -> None:
        try:
            call = self._calls.begin(request)
        except Exception as error:  # noqa: BLE001 - an error ends its request, not the stream
            self._ended.put(_Refused(request, error))
            return
        with self._lock:
            self._running.add(call.future)
        call.future.add_done_callback(lambda _: self._end(call))
        if self._gone:
            call.future.cancel()

    def _end(self, call: Call) -> None:
        with self._lock:
            self._running.discard(call.future)
        self._ended.put(call)

    def _abandon(self) -> None:
        with self._lock:
            self._gone = True
            running = tuple(self._running)
        self._slots.release()
        for future in running:
            future.cancel()

    def _response(self, item: Call | _Refused) -> wire.ModelStreamInferResponse:
        if isinstance(item, _Refused):
            return _failed(item.request, item.error)
        try:
            response = self._calls.answer(item)
        except Exception as error:  # noqa: BLE001 - an error ends its request, not the stream
            return _failed(item.request, error)
        response.parameters["triton_final_response"].bool_param = True
        return wire.ModelStreamInferResponse(infer_response=response)


def _failed(request: wire.ModelInferRequest, error: Exception) -> wire.ModelStreamInferResponse:
    return wire.ModelStreamInferResponse(
        error_message=reported(error, _METHOD).message,
        infer_response=wire.ModelInferResponse(model_name=request.model_name, id=request.id),
    )
