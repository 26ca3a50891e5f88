"""The client's half of the conversion: requests out, replies in; the server's is ``convert``."""

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple

import grpc
import numpy as np

from band.errors import BandError, ErrorCode
from band.metrics.records import RequestRecord, TaskRecord
from band.rpc import wire
from band.rpc.datatypes import Array, datatype_name, from_bytes, to_bytes
from band.rpc.parameters import plain, write_parameters
from band.rpc.records import task_from_fields
from band.runtime.requests import RequestParameters


class InferReply(NamedTuple):
    """What a client gets for a request that completed. Times are the daemon's device time.

    Attributes:
        outputs: by name, in the order asked for; read-only.
        record: the request's record as the daemon keeps it.
        tasks: the runs that made the outputs.
        policy: in force when the request ended.
        word: "emulated", "simulated" or "software" if its figures must carry that word, else "".
        parameters: of the response, as received.
    """

    outputs: dict[str, Array]
    record: RequestRecord
    tasks: tuple[TaskRecord, ...]
    policy: str
    word: str
    parameters: Mapping[str, bool | int | float | str]


class ReplyFuture(Future[InferReply]):
    """A reply that has not come yet."""

    def __init__(self, call: Any) -> None:
        super().__init__()
        self._call = call
        self.set_running_or_notify_cancel()

    def cancel(self) -> bool:
        """End the request in the daemon too; ``result`` then raises a BandError CANCELLED."""
        return bool(self._call.cancel())

    def follow(
        self,
        convert: Callable[[wire.ModelInferResponse], InferReply],
        error_of_call: Callable[[grpc.RpcError], BandError],
    ) -> None:
        """Take the result of the call when it comes."""

        def done(call: Any) -> None:
            try:
                reply = convert(call.result())
            except grpc.FutureCancelledError:
                self.set_exception(BandError(ErrorCode.CANCELLED, "the request was cancelled"))
            except grpc.RpcError as failed:
                self.set_exception(error_of_call(failed))
            except BandError as error:
                self.set_exception(error)
            else:
                self.set_result(reply)

        self._call.add_done_callback(done)


def write_request(
    model: str,
    inputs: Mapping[str, Array],
    *,
    outputs: Iterable[str] = (),
    request_id: str = "",
    parameters: RequestParameters,
) -> wire.ModelInferRequest:
    """Return the request for one execution of a model.

    Raises:
        BandError: INVALID_REQUEST for an array whose type the protocol cannot name.
    """
    request = wire.ModelInferRequest(model_name=model, id=request_id)
    for name, value in inputs.items():
        array = np.asarray(value)
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise BandError(
                ErrorCode.INVALID_REQUEST,
                f"input {name!r} of model {model!r} has the dtype {array.dtype}, "
                "which the protocol cannot carry",
            )
        request.inputs.add(name=name, datatype=datatype_name(array.dtype.name), shape=array.shape)
        request.raw_input_contents.append(to_bytes(array))
    for name in outputs:
        request.outputs.add(name=name)
    write_parameters(request.parameters, parameters)
    return request


def read_response(response: wire.ModelInferResponse, sent: RequestParameters) -> InferReply:
    """Return the reply in a response.

    Args:
        response: of a daemon of ours.
        sent: with the request; the place in a trace does not travel back.

    Raises:
        BandError: UNSUPPORTED_FEATURE if the server is no daemon of this project.
    """
    values = plain(response.parameters)
    try:
        outputs = {
            tensor.name: from_bytes(
                response.raw_output_contents[index],
                tensor.datatype,
                tensor.shape,
                f"output {tensor.name!r}",
            )
            for index, tensor in enumerate(response.outputs)
        }
        tasks = tuple(task_from_fields(task) for task in json.loads(str(values["band_plan"])))
        record = _completed(response.model_name, values, tasks, sent)
        policy = str(values["band_policy"])
    except LookupError as error:
        raise BandError(
            ErrorCode.UNSUPPORTED_FEATURE,
            f"the response for {response.model_name!r} is not that of a band daemon ({error})",
        ) from error
    return InferReply(outputs, record, tasks, policy, str(values.get("band_word", "")), values)


def _completed(
    model: str,
    values: Mapping[str, Any],
    tasks: tuple[TaskRecord, ...],
    sent: RequestParameters,
) -> RequestRecord:
    return RequestRecord(
        request=values["band_request"],
        model=model,
        stream=sent.get("stream", ""),
        frame=sent.get("frame"),
        parents=tuple(sent.get("parents", ())),
        priority=values["band_priority"],
        arrived_us=values["band_arrived_us"],
        deadline_us=values.get("band_deadline_us"),
        queue_us=values.get("band_queue_us"),
        finished_us=values["band_finished_us"],
        outcome="completed",
        reason="",
        tasks=tuple(task.task for task in tasks),
        processors=tuple(task.processor for task in tasks),
    )
