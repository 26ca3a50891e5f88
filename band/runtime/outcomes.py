"""From how a job ended to the error that its caller gets; the one table for it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from band.errors import BandError, ErrorCode
from band.metrics.records import RequestRecord
from band.scheduler.commands import DropReason, JobOutcome

DROP_CODES: Final[Mapping[DropReason, ErrorCode]] = MappingProxyType(
    {
        DropReason.DEADLINE_PASSED: ErrorCode.DEADLINE_EXCEEDED,
        DropReason.DEADLINE_UNREACHABLE: ErrorCode.DEADLINE_EXCEEDED,
        DropReason.SUPERSEDED: ErrorCode.SUPERSEDED,
        DropReason.QUEUE_FULL: ErrorCode.QUEUE_FULL,
        DropReason.QUOTA: ErrorCode.QUOTA,
        DropReason.PARENT_DROPPED: ErrorCode.PARENT_DROPPED,
        DropReason.DRAINING: ErrorCode.DRAINING,
        DropReason.NO_PROCESSOR: ErrorCode.NO_PROCESSOR,
    }
)

_DROP_TEXTS: Final[Mapping[DropReason, str]] = MappingProxyType(
    {
        DropReason.DEADLINE_PASSED: "was dropped: its time ran out before it could start",
        DropReason.DEADLINE_UNREACHABLE: "was dropped: it could not meet its deadline any more",
        DropReason.SUPERSEDED: "was dropped: a newer frame of its stream took its place",
        DropReason.QUEUE_FULL: "was dropped: the queue is full; send fewer requests at a time",
        DropReason.QUOTA: "was dropped: its client is over its quota",
        DropReason.PARENT_DROPPED: "was dropped: the request it depends on did not complete",
        DropReason.DRAINING: "was dropped: the engine is shutting down",
        DropReason.NO_PROCESSOR: "was dropped: no processor can run it",
    }
)


def error_of(record: RequestRecord, down: tuple[str, ...]) -> BandError:
    """Return the error of a request that did not complete.

    Args:
        record: of the request.
        down: names of the processors that are down; with any, a request that no processor could
            run may succeed later.
    """
    code, text = _code_and_text(record, down)
    return BandError(
        code,
        f"request {record.request} for model {record.model!r} {text}",
        request=record.request,
        model=record.model,
        outcome=record.outcome,
        reason=record.reason,
    )


def _code_and_text(record: RequestRecord, down: tuple[str, ...]) -> tuple[ErrorCode, str]:
    if record.outcome == JobOutcome.CANCELLED:
        return ErrorCode.CANCELLED, "was cancelled"
    if record.outcome == JobOutcome.FAILED:
        return ErrorCode.BACKEND_FAILED, f"failed: {record.reason}"
    reason = DropReason(record.reason)
    if reason is DropReason.NO_PROCESSOR and down:
        text = f"{_DROP_TEXTS[reason]} while {', '.join(down)} is down; try again later"
        return ErrorCode.WORKER_DOWN, text
    return DROP_CODES[reason], _DROP_TEXTS[reason]
