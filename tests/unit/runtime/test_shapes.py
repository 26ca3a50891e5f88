"""Asking a runtime for the shapes that a file leaves out."""

from dataclasses import replace

import pytest

from band.config.device import load_device
from band.errors import BandError, ErrorCode
from band.runtime.shapes import ask_shapes
from band.testing import models


def test_the_runtime_tells_the_shapes_that_the_file_has() -> None:
    model = models.residual()
    told = ask_shapes(model, load_device("host"))
    known = {t.index: t.shape for t in model.graph.tensors if not t.constant}
    assert {t: told[t] for t in known} == known


def test_a_device_without_an_available_processor_can_tell_nothing() -> None:
    device = load_device("host")
    gone = tuple(replace(p, available=False) for p in device.processors)
    with pytest.raises(BandError, match="no available processor") as caught:
        ask_shapes(models.residual(), replace(device, processors=gone))
    assert caught.value.code is ErrorCode.NO_PROCESSOR
