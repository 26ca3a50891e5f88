"""Errors on the wire: a BandError becomes a gRPC status, and comes back as the same BandError.

The status is that of ``band.errors.OUTCOMES``. The trailing metadata ``band-error`` carries what
a status cannot: ``{"code", "reason", "message"}`` and, of a request that was accepted and did not
complete, its record and those of its tasks.
"""

import json
import logging
from collections.abc import Iterator
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError, Message

from band.errors import BandError, ErrorCode
from band.metrics.records import RequestRecord
from band.rpc.methods import Handler, Method
from band.rpc.records import request_from_fields, task_fields, task_from_fields

ERROR_KEY: Final = "band-error"
# Peers refuse metadata beyond 8 KiB by default, and the status message takes its part of that.
MAX_DETAIL_BYTES: Final = 5000
MAX_TEXT_CHARS: Final = 600

_LOG = logging.getLogger(__name__)
_STATUS: Final = {status.name: status for status in grpc.StatusCode}
# What a status means when it does not come from a daemon of ours, so without ``band-error``.
_TRANSPORT: Final = {
    grpc.StatusCode.UNAVAILABLE: ErrorCode.UNREACHABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: ErrorCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED: ErrorCode.CANCELLED,
    grpc.StatusCode.UNIMPLEMENTED: ErrorCode.UNSUPPORTED_FEATURE,
    grpc.StatusCode.NOT_FOUND: ErrorCode.NOT_FOUND,
    grpc.StatusCode.INVALID_ARGUMENT: ErrorCode.INVALID_REQUEST,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ErrorCode.QUEUE_FULL,
    grpc.StatusCode.UNAUTHENTICATED: ErrorCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED: ErrorCode.PERMISSION_DENIED,
}


def answered(method: Method, handler: Handler) -> Handler:
    """Return a handler of bytes with every exception turned into a status.

    Tracebacks only reach the log.

    Args:
        method: what is called.
        handler: may raise BandError; anything else is a bug of ours.
    """

    def parsed(request: Any) -> Any:
        if method.streams_requests:
            return (_parse(method, data) for data in request)
        return _parse(method, request)

    def unary(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return handler(parsed(request), context)
        except Exception as error:  # noqa: BLE001 - the boundary to the client
            _abort(context, method, error)

    def stream(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        try:
            yield from handler(parsed(request), context)
        except Exception as error:  # noqa: BLE001 - the boundary to the client
            _abort(context, method, error)

    return stream if method.streams_responses else unary


def reported(error: BaseException, where: str) -> BandError:
    """Return what a client may know of an exception; log the rest of it."""
    if isinstance(error, BandError):
        return error
    _LOG.error("internal error in %s", where, exc_info=error)
    return BandError(
        ErrorCode.INTERNAL,
        f"internal error of the daemon in {where} ({type(error).__name__}); its log says more",
    )


def error_detail(error: BandError) -> str:
    """Return the JSON that goes with a status; what does not fit is left out."""
    document: dict[str, Any] = {
        "code": error.code.value,
        "reason": str(error.fields.get("reason", ""))[:MAX_TEXT_CHARS],
        "message": error.message[:MAX_TEXT_CHARS],
    }
    record, tasks = error.fields.get("record"), error.fields.get("tasks", ())
    if isinstance(record, RequestRecord) and isinstance(tasks, tuple):
        ended = {"record": record._asdict(), "tasks": [task_fields(t) for t in tasks]}
        text = json.dumps(document | ended)
        if len(text) <= MAX_DETAIL_BYTES:
            return text
    return json.dumps(document)


def error_of(call: grpc.RpcError, address: str) -> BandError:
    """Return the error that a daemon, or the way to it, answered with.

    Args:
        call: what a stub raised; it is a ``grpc.Call`` too.
        address: of the daemon, for the sentence.
    """
    status, text = call.code(), call.details() or ""
    for item in call.trailing_metadata() or ():
        if item.key == ERROR_KEY:
            return _from_detail(json.loads(item.value))
    code = _TRANSPORT.get(status, ErrorCode.INTERNAL)
    if code is ErrorCode.UNREACHABLE:
        return BandError(
            code,
            f"no daemon answers at {address}; start one with `band serve --address {address}`",
            reason=text,
        )
    if code is ErrorCode.QUEUE_FULL and "larger than max" in text:
        code = ErrorCode.MESSAGE_TOO_LARGE
        text += "; raise max_message_mib on both sides"
    return BandError(code, text or f"the daemon answered {status.name}", reason=status.name.lower())


def _from_detail(document: dict[str, Any]) -> BandError:
    fields: dict[str, Any] = {"reason": document["reason"]}
    if "record" in document:
        fields["record"] = request_from_fields(document["record"])
        fields["tasks"] = tuple(task_from_fields(task) for task in document["tasks"])
    known = document["code"] in set(ErrorCode)  # a newer daemon may have more
    code = ErrorCode(document["code"]) if known else ErrorCode.INTERNAL
    return BandError(code, document["message"], **fields)


def _parse(method: Method, data: bytes) -> Message:
    try:
        return method.request.FromString(data)
    except DecodeError as error:
        raise BandError(
            ErrorCode.INVALID_REQUEST, f"the bytes sent are no {method.request.DESCRIPTOR.name}"
        ) from error


def _abort(context: grpc.ServicerContext, method: Method, error: Exception) -> None:
    known = reported(error, method.name)
    context.set_trailing_metadata(((ERROR_KEY, error_detail(known)),))
    context.abort(_STATUS[known.outcome.status], known.message[:MAX_TEXT_CHARS])
