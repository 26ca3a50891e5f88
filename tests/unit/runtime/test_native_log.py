import os

import pytest

from band.runtime.backends.native_log import notices_hidden


def test_only_notices_are_held_back(capfd: pytest.CaptureFixture[str]) -> None:
    with notices_hidden():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nERROR: real\n")
        os.write(2, b"no newline")
    assert capfd.readouterr().err == "ERROR: real\nno newline"


def test_what_is_printed_before_an_exception_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        os.write(2, b"WARNING: odd\n")
        raise RuntimeError

    with pytest.raises(RuntimeError), notices_hidden():
        fail()
    assert capfd.readouterr().err == "WARNING: odd\n"
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
