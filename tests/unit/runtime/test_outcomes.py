import pytest

from band.errors import ErrorCode
from band.metrics.records import RequestRecord
from band.runtime.outcomes import DROP_CODES, error_of
from band.scheduler.commands import DropReason, JobOutcome


def _record(outcome: JobOutcome, reason: str) -> RequestRecord:
    return RequestRecord(7, "m", "", None, (), 8, 0, None, None, 9, outcome.value, reason, (), ())


@pytest.mark.parametrize("reason", DropReason)
def test_every_drop_reason_has_a_code_and_a_sentence(reason: DropReason) -> None:
    error = error_of(_record(JobOutcome.DROPPED, reason.value), ())
    assert error.code is DROP_CODES[reason]
    assert error.message.startswith("request 7 for model 'm' was dropped: ")
    assert error.fields["reason"] == reason.value


def test_no_processor_may_pass_while_a_processor_is_down() -> None:
    record = _record(JobOutcome.DROPPED, DropReason.NO_PROCESSOR.value)
    assert error_of(record, ()).code is ErrorCode.NO_PROCESSOR
    error = error_of(record, ("gpu",))
    assert error.code is ErrorCode.WORKER_DOWN
    assert "while gpu is down; try again later" in error.message


def test_failed_and_cancelled_requests_have_their_own_codes() -> None:
    failed = error_of(_record(JobOutcome.FAILED, "it broke"), ())
    assert (failed.code, failed.message) == (
        ErrorCode.BACKEND_FAILED,
        "request 7 for model 'm' failed: it broke",
    )
    assert error_of(_record(JobOutcome.CANCELLED, ""), ()).code is ErrorCode.CANCELLED
