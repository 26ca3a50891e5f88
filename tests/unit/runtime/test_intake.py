import threading

import pytest

from band.errors import BandError, ErrorCode
from band.runtime.intake import Intake


def test_nothing_comes_in_after_a_drain() -> None:
    intake = Intake()
    with intake.accept():
        pass
    assert not intake.drain(0.0)
    with pytest.raises(BandError) as caught, intake.accept():
        pass
    assert caught.value.code is ErrorCode.DRAINING
    assert intake.accepted == 1
    intake.delivered()
    assert intake.drain(0.0)


def test_a_drain_waits_for_the_last_result() -> None:
    intake = Intake()
    with intake.accept():
        pass
    timer = threading.Timer(0.02, intake.delivered)
    timer.start()
    assert intake.drain(10.0)
    timer.join()


def test_only_the_first_end_counts() -> None:
    intake = Intake()
    assert intake.end()
    assert not intake.end()
    with pytest.raises(BandError):
        intake.check()
