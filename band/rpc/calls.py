"""One inference call: from its message to the engine, and from the engine to its answer."""

import threading
from typing import Final, NamedTuple

from band.errors import BandError, ErrorCode
from band.rpc import wire
from band.rpc.convert import check_version, read_request, write_response
from band.rpc.statistics import ModelCounts
from band.runtime.engine import Engine
from band.runtime.futures import InferFuture
from band.runtime.tensors import ModelInfo
from band.scheduler.commands import DropReason

# Far above what a device works off in time: the engine's own queue limit is what to set.
MAX_CALLS: Final = 1024


class Call(NamedTuple):
    """A request that the engine has accepted.

    Attributes:
        outputs: names of the outputs to answer with.
    """

    request: wire.ModelInferRequest
    outputs: tuple[str, ...]
    future: InferFuture

    def cancel(self) -> None:
        """Let the engine cancel it, if it has not ended."""
        self.future.cancel()


class Calls:
    """Starts and ends calls, and counts them.

    Args:
        engine: runs them.
        limit: calls that may be under way; each may keep a thread of the server.
    """

    def __init__(self, engine: Engine, *, limit: int = MAX_CALLS) -> None:
        self.counts = ModelCounts()
        self._engine = engine
        self._limit = limit
        self._lock = threading.Lock()
        self._uncounted: set[InferFuture] = set()

    def model(self, name: str, version: str = "") -> ModelInfo:
        """Return a registered model.

        Raises:
            BandError: UNKNOWN_MODEL.
        """
        info = self._engine.model(name)
        check_version(name, version)
        return info

    def begin(self, request: wire.ModelInferRequest) -> Call:
        """Hand a request to the engine.

        Raises:
            BandError: the request is not valid, the engine does not take it, or QUEUE_FULL.
        """
        if len(self._uncounted) >= self._limit:
            raise BandError(
                ErrorCode.QUEUE_FULL,
                f"{self._limit} requests are under way in this daemon; send fewer at a time",
                reason=DropReason.QUEUE_FULL.value,
            )
        info = self.model(request.model_name, request.model_version)
        asked = read_request(request, info)
        future = self._engine.submit(info.name, asked.inputs, **asked.parameters)
        with self._lock:
            self._uncounted.add(future)
        future.add_done_callback(lambda _: self._count(future))
        return Call(request, asked.outputs, future)

    def answer(self, call: Call) -> wire.ModelInferResponse:
        """Wait for a call's end and return its response.

        Raises:
            BandError: it did not complete; its fields carry the record and the tasks.
        """
        future = call.future
        try:
            result = future.result()
        except BandError as error:
            ended = {"record": future.record, "tasks": future.tasks}
            raise BandError(error.code, error.message, **(dict(error.fields) | ended)) from error
        finally:
            self._count(future)
        return write_response(call.request, call.outputs, result)

    def _count(self, future: InferFuture) -> None:
        """Count a call once: before its answer leaves, or when it ends with nobody to answer."""
        with self._lock:
            if future in self._uncounted and future.record is not None:
                self._uncounted.remove(future)
                self.counts.add(future.record, future.tasks)
