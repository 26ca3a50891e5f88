"""Checks of models that end badly: they take the place of the real one in a child process."""

import os
import signal
from collections.abc import Callable

from band.errors import BandError, ErrorCode
from band.runtime.check_report import CheckedModel, CheckOptions

Stage = Callable[[str], None]


def killed(_ref: str, _options: CheckOptions, stage: Stage) -> CheckedModel:
    """End as a crash of a native library does."""
    stage("K=2")
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError


def exits(_ref: str, _options: CheckOptions, stage: Stage) -> CheckedModel:
    """End as a native library that gives up does."""
    stage("the whole model")
    os._exit(3)


def defective(_ref: str, _options: CheckOptions, _stage: Stage) -> CheckedModel:
    """Raise what nobody expects."""
    raise MemoryError("no room for 3 GiB")


def unusable(_ref: str, _options: CheckOptions, _stage: Stage) -> CheckedModel:
    """Find no processor."""
    raise BandError(ErrorCode.NO_PROCESSOR, "device x has no available processor; enable one")


def endless(ref: str, _options: CheckOptions, stage: Stage) -> CheckedModel:
    """Tell its process id and never come back."""
    stage(f"{os.getpid()}")
    while True:
        signal.pause()
    return CheckedModel(model=ref)
