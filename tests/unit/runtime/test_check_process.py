"""A check in a process of its own: crashes, defects and interrupts end one check only."""

import os
import signal
import time
from pathlib import Path

import pytest

from band.config.device import load_device
from band.errors import BandError, ErrorCode
from band.runtime.check_process import check_apart
from band.runtime.check_report import CheckOptions, ops_text
from band.testing import checkers
from band.testing.models import quantized


@pytest.fixture
def options() -> CheckOptions:
    return CheckOptions(device=load_device("host"))


def ignored(_stage: str) -> None:
    """Say nothing."""


def test_what_the_child_finds_comes_back(options: CheckOptions, tmp_path: Path) -> None:
    path = tmp_path / "quantized.tflite"
    path.write_bytes(bytes(quantized().content))
    stages: list[str] = []
    found = check_apart(str(path), options, stages.append)
    assert found.ok
    assert found.model == "quantized"
    assert stages[-6:] == ["K=2", "K=3", "K=4", "fallback-2", "fallback-3", "atoms"]


def test_a_killed_child_is_a_refusal_that_names_signal_and_stage(options: CheckOptions) -> None:
    found = check_apart("a/net.tflite", options, ignored, check=checkers.killed)
    assert found.refused
    assert found.model == "net"
    assert found.reason == "the runtime was killed by SIGSEGV during K=2"


def test_a_child_that_exits_is_a_refusal(options: CheckOptions) -> None:
    found = check_apart("net", options, ignored, check=checkers.exits)
    assert found.reason == "the runtime ended the process with exit code 3 during the whole model"


def test_a_defect_is_a_refusal_with_its_type(options: CheckOptions) -> None:
    found = check_apart("net", options, ignored, check=checkers.defective)
    assert found.reason == "MemoryError: no room for 3 GiB"


def test_a_device_that_cannot_be_used_ends_the_command(options: CheckOptions) -> None:
    with pytest.raises(BandError, match="no available processor") as caught:
        check_apart("net", options, ignored, check=checkers.unusable)
    assert caught.value.code is ErrorCode.NO_PROCESSOR


def test_an_interrupt_ends_the_child(options: CheckOptions) -> None:
    children: list[int] = []

    def interrupt(stage: str) -> None:
        if stage.isdigit():
            children.append(int(stage))
            os.kill(children[0], signal.SIGINT)  # as a terminal does: to parent and child
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_apart("net", options, interrupt, check=checkers.endless)
    end = time.perf_counter() + 20
    while time.perf_counter() < end and Path(f"/proc/{children[0]}").exists():
        time.sleep(0.02)
    with pytest.raises(ProcessLookupError):
        os.kill(children[0], 0)


def test_ops_are_listed_briefly() -> None:
    assert ops_text([3]) == "op 3"
    assert ops_text((2, 1)) == "ops 1, 2"
    assert ops_text(range(20)) == "ops 0, 1, 2, 3, 4, 5, 6, 7, ..."
