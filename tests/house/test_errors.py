"""The error table is total and its statuses exist."""

import grpc

from band.errors import OUTCOMES, BandError, ErrorCode


def test_every_error_code_has_an_outcome() -> None:
    assert set(OUTCOMES) == set(ErrorCode)


def test_every_status_is_a_grpc_status() -> None:
    known = {status.name for status in grpc.StatusCode}
    assert {outcome.status for outcome in OUTCOMES.values()} <= known


def test_exit_codes_are_those_of_the_command_line() -> None:
    assert {outcome.exit_code for outcome in OUTCOMES.values()} == {2, 3, 4, 5, 70}


def test_an_error_is_its_sentence() -> None:
    error = BandError(ErrorCode.UNKNOWN_MODEL, "no model 'x'; try `band models list`", model="x")
    assert str(error) == "no model 'x'; try `band models list`"
    assert error.outcome == ("NOT_FOUND", 2)
    assert error.fields["model"] == "x"
