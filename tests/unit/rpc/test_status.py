"""Every error reaches a client as its status and comes back as the same error."""

import json
from typing import Any, NoReturn

import grpc
import pytest

from band.errors import OUTCOMES, BandError, ErrorCode
from band.metrics.records import RequestRecord, TaskRecord
from band.rpc.methods import BAND, INFERENCE
from band.rpc.status import ERROR_KEY, MAX_DETAIL_BYTES, answered, error_detail, error_of

TASK = TaskRecord(3, (7,), "m", 1, "gpu", 100, 350, 50, 200, 240, ok=False, word="emulated")
RECORD = RequestRecord(7, "m", "", None, (), 8, 90, None, 10, 350, "failed", "boom", (3,), ("gpu",))


class _AbortedError(Exception):
    """What grpc raises out of ``abort``."""


class _Context:
    """A server's context that keeps what the handler answers."""

    def __init__(self) -> None:
        self.metadata: tuple[tuple[str, str], ...] = ()
        self.status: tuple[grpc.StatusCode, str] | None = None

    def set_trailing_metadata(self, metadata: tuple[tuple[str, str], ...]) -> None:
        self.metadata = metadata

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        self.status = (code, details)
        raise _AbortedError


class _Item:
    def __init__(self, key: str, value: str) -> None:
        self.key, self.value = key, value


class _Answer(grpc.RpcError):
    """What a stub raises."""

    def __init__(
        self, code: grpc.StatusCode, details: str, metadata: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__()
        self._values = code, details, [_Item(*item) for item in metadata]

    def code(self) -> grpc.StatusCode:
        return self._values[0]

    def details(self) -> str:
        return self._values[1]

    def trailing_metadata(self) -> Any:
        return self._values[2]


def _travel(error: Exception, *, stream: bool = False) -> tuple[_Context, BandError]:
    def handler(request: object, context: object) -> Any:
        raise error

    context: Any = _Context()
    call = answered(BAND["WatchEvents"] if stream else INFERENCE["ModelInfer"], handler)
    with pytest.raises(_AbortedError):
        list(call(b"", context))
    assert context.status is not None
    code, details = context.status
    return context, error_of(_Answer(code, details, context.metadata), "host:1")


@pytest.mark.parametrize("code", list(ErrorCode))
def test_each_code_travels_with_the_status_of_the_table(code: ErrorCode) -> None:
    context, received = _travel(BandError(code, "one sentence", reason="why"))
    assert context.status == (grpc.StatusCode[OUTCOMES[code].status], "one sentence")
    assert (received.code, received.message) == (code, "one sentence")
    assert received.fields["reason"] == "why"


def test_an_error_of_a_stream_travels_too() -> None:
    _, received = _travel(BandError(ErrorCode.QUOTA, "too many"), stream=True)
    assert received.code is ErrorCode.QUOTA


def test_an_unexpected_exception_is_one_sentence_to_the_client_and_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    context, received = _travel(ZeroDivisionError("secret of the house"))
    assert context.status is not None
    assert context.status[0] is grpc.StatusCode.INTERNAL
    assert received.code is ErrorCode.INTERNAL
    assert "ModelInfer" in received.message
    assert "secret" not in received.message
    assert "Traceback" not in context.metadata[0][1]
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_the_record_of_a_request_that_failed_travels_with_its_error() -> None:
    error = BandError(ErrorCode.BACKEND_FAILED, "boom", record=RECORD, tasks=(TASK,))
    _, received = _travel(error)
    assert received.fields["record"] == RECORD
    assert received.fields["tasks"] == (TASK,)


def test_what_goes_beside_a_status_stays_within_the_metadata_limit() -> None:
    error = BandError(
        ErrorCode.BACKEND_FAILED, "ä" * 9000, reason="x" * 9000, record=RECORD, tasks=(TASK,) * 99
    )
    detail = error_detail(error)
    assert "record" not in json.loads(detail)
    assert len(detail) < 2 * MAX_DETAIL_BYTES
    assert detail.isascii()


def test_a_code_of_a_newer_daemon_is_an_internal_error_with_its_sentence() -> None:
    detail = json.dumps({"code": "invented_later", "reason": "", "message": "new trouble"})
    answer = _Answer(grpc.StatusCode.INTERNAL, "new trouble", ((ERROR_KEY, detail),))
    received = error_of(answer, "host:1")
    assert (received.code, received.message) == (ErrorCode.INTERNAL, "new trouble")


@pytest.mark.parametrize(
    ("status", "details", "code", "part"),
    [
        ("UNAVAILABLE", "connection refused", ErrorCode.UNREACHABLE, "band serve --address host:1"),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", ErrorCode.DEADLINE_EXCEEDED, "Deadline"),
        ("CANCELLED", "", ErrorCode.CANCELLED, "CANCELLED"),
        ("UNIMPLEMENTED", "Method not found!", ErrorCode.UNSUPPORTED_FEATURE, "Method"),
        (
            "RESOURCE_EXHAUSTED",
            "Received message larger than max (9 vs. 4)",
            ErrorCode.MESSAGE_TOO_LARGE,
            "max_message_mib",
        ),
        ("RESOURCE_EXHAUSTED", "Concurrent RPC limit", ErrorCode.QUEUE_FULL, "Concurrent"),
        ("DATA_LOSS", "odd", ErrorCode.INTERNAL, "odd"),
    ],
)
def test_a_status_of_the_transport_gets_the_nearest_code(
    status: str, details: str, code: ErrorCode, part: str
) -> None:
    received = error_of(_Answer(grpc.StatusCode[status], details), "host:1")
    assert received.code is code
    assert part in received.message
