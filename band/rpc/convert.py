"""Between the protocol's messages and the engine's types; wire types stop here.

This is the server's half; the client's is ``reply``.
"""

import json
from collections.abc import Iterable
from typing import NamedTuple

from band.errors import BandError, ErrorCode
from band.rpc import wire
from band.rpc.datatypes import (
    BY_NAME,
    Array,
    datatype_name,
    from_bytes,
    from_contents,
    to_bytes,
)
from band.rpc.metadata import MODEL_VERSION
from band.rpc.parameters import read_parameters, refuse_unsupported
from band.rpc.records import task_fields
from band.runtime.futures import InferResult
from band.runtime.requests import RequestParameters
from band.runtime.tensors import ModelInfo, TensorInfo


class InferCall(NamedTuple):
    """What a ModelInferRequest asks for.

    Attributes:
        inputs: by name; views of the message's bytes where possible.
        outputs: names of the outputs wanted, in order.
    """

    inputs: dict[str, Array]
    outputs: tuple[str, ...]
    parameters: RequestParameters


def check_version(model: str, version: str) -> None:
    """Refuse a version that no model has: each has the one version "1".

    Raises:
        BandError: UNKNOWN_MODEL.
    """
    if version not in ("", MODEL_VERSION):
        raise BandError(
            ErrorCode.UNKNOWN_MODEL,
            f"Request for unknown model: {model!r} has no version {version!r}; "
            f"its version is {MODEL_VERSION!r}",
            model=model,
        )


def read_request(request: wire.ModelInferRequest, info: ModelInfo) -> InferCall:
    """Return what a request asks of a model.

    Names, shapes and types are checked against the model by the engine, as for every caller; here
    is what only the wire can get wrong.

    Raises:
        BandError: INVALID_REQUEST, or UNSUPPORTED_FEATURE for what the daemon does not offer.
    """
    expected = {tensor.name: tensor for tensor in info.inputs}
    raw = request.raw_input_contents
    if raw and any(tensor.HasField("contents") for tensor in request.inputs):
        raise BandError(
            ErrorCode.INVALID_REQUEST,
            f"a request for model {info.name!r} mixes raw and typed contents; use one of them",
        )
    inputs: dict[str, Array] = {}
    for index, tensor in enumerate(request.inputs):
        what = f"input {tensor.name!r} of model {info.name!r}"
        refuse_unsupported(tensor.parameters)
        if tensor.name in inputs:
            raise BandError(ErrorCode.INVALID_REQUEST, f"{what} is given twice")
        if tensor.name in expected:
            _check_datatype(tensor.datatype, expected[tensor.name], what)
        if raw and index < len(raw):
            inputs[tensor.name] = from_bytes(raw[index], tensor.datatype, tensor.shape, what)
        elif tensor.HasField("contents"):
            contents = tensor.contents
            inputs[tensor.name] = from_contents(contents, tensor.datatype, tensor.shape, what)
        else:
            raise BandError(ErrorCode.INVALID_REQUEST, f"{what} carries no data")
    if len(raw) > len(request.inputs):
        raise BandError(
            ErrorCode.INVALID_REQUEST,
            f"a request for model {info.name!r} has {len(raw)} raw contents "
            f"for {len(request.inputs)} inputs",
        )
    return InferCall(inputs, _outputs(request, info), read_parameters(request.parameters))


def write_response(
    request: wire.ModelInferRequest, outputs: Iterable[str], result: InferResult
) -> wire.ModelInferResponse:
    """Return the response with the outputs wanted and the figures of the run."""
    response = wire.ModelInferResponse(
        model_name=request.model_name, model_version=MODEL_VERSION, id=request.id
    )
    for name in outputs:
        array = result.outputs[name]
        response.outputs.add(name=name, datatype=datatype_name(array.dtype.name), shape=array.shape)
        response.raw_output_contents.append(to_bytes(array))
    record = result.record
    integers = {
        "band_request": record.request,
        "band_priority": record.priority,
        "band_arrived_us": record.arrived_us,
        "band_finished_us": record.finished_us,
        "band_deadline_us": record.deadline_us,
        "band_queue_us": record.queue_us,
    }
    for key, number in integers.items():
        if number is not None:
            response.parameters[key].int64_param = number
    plan = json.dumps([task_fields(task) for task in result.tasks])
    response.parameters["band_plan"].string_param = plan
    response.parameters["band_policy"].string_param = result.policy
    response.parameters["band_emulated"].bool_param = result.word == "emulated"
    if result.word:
        response.parameters["band_word"].string_param = result.word
    return response


def _check_datatype(name: str, expected: TensorInfo, what: str) -> None:
    wanted = datatype_name(expected.dtype)
    if name != wanted:
        raise BandError(
            ErrorCode.INVALID_REQUEST, f"{what} has the datatype {wanted}, not {name or 'none'}"
        )


def _outputs(request: wire.ModelInferRequest, info: ModelInfo) -> tuple[str, ...]:
    dtypes = {tensor.name: tensor.dtype for tensor in info.outputs}
    for wanted in request.outputs:
        refuse_unsupported(wanted.parameters)
        if wanted.name not in dtypes:
            raise BandError(
                ErrorCode.INVALID_REQUEST,
                f"model {info.name!r} has no output {wanted.name!r}; "
                f"its outputs are {', '.join(map(repr, dtypes))}",
            )
    names = tuple(dict.fromkeys(wanted.name for wanted in request.outputs)) or tuple(dtypes)
    for name in names:
        if datatype_name(dtypes[name]) not in BY_NAME:
            raise BandError(
                ErrorCode.UNSUPPORTED_FEATURE,
                f"output {name!r} of model {info.name!r} is {dtypes[name]}, "
                "which the protocol cannot carry; ask for the other outputs by name",
            )
    return names
