"""An error keeps what it says on its way from a process of a pool."""

import pickle

from band.errors import BandError, ErrorCode


def test_an_error_survives_the_way_from_another_process() -> None:
    error = BandError(ErrorCode.NOT_FOUND, "no model x; add it", model="x", op=3)
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, BandError)
    assert (copy.code, copy.message, str(copy)) == (error.code, error.message, str(error))
    assert dict(copy.fields) == {"model": "x", "op": 3}
