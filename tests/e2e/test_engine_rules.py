"""An engine registers models under rules, and refuses fallback where it is told to."""

import logging
from types import ModuleType

import pytest

from band.device.profile import Device
from band.device.rules import Rule, Rules, with_rules
from band.device.selection import Selection
from band.errors import BandError, ErrorCode
from band.runtime.engine import Engine, EngineOptions
from band.testing import models
from band.testing.devices import make_device, make_processor
from band.testing.reference import Reference, assert_equal

CHAIN = models.chain()
NO_MEAN = Rules(
    entries=(
        Rule(processors=("gpu",), selection=Selection(types=("MEAN", "SOFTMAX")), at="d.yaml:4"),
    )
)


def device() -> Device:
    """Return a slow CPU and a fast GPU that take everything."""
    return make_device(
        make_processor("cpu", backend="scripted", per_op_us=5_000),
        make_processor("gpu", backend="scripted", per_op_us=10),
    )


def test_a_rule_of_one_model_binds_that_model_alone(
    scripted: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    reference = Reference(CHAIN)
    inputs = reference.inputs()
    with (
        caplog.at_level(logging.WARNING, "band"),
        Engine(device(), options=EngineOptions(rules={"bound": NO_MEAN})) as engine,
    ):
        engine.register(CHAIN, name="bound")
        engine.register(CHAIN, name="free")
        bound = engine.registration("bound").prepared.partition.unsupported
        assert [(u.type, u.processor, u.reason) for u in bound] == [
            ("MEAN", "gpu", "excluded by rule d.yaml:4")
        ]
        assert not engine.registration("free").prepared.partition.unsupported
        found = engine.infer("bound", inputs)
        assert_equal(found.outputs, reference.outputs(inputs))
    warnings = [record.getMessage() for record in caplog.records]
    assert warnings == ["rule d.yaml:4: no op of model chain matches SOFTMAX"]


def test_strict_mode_refuses_a_registration_and_others_still_work(scripted: ModuleType) -> None:
    rules = NO_MEAN.followed_by(Rules(strict=True))
    with Engine(device(), options=EngineOptions(rules={"bound": rules})) as engine:
        with pytest.raises(BandError, match=r"\(MEAN\): excluded by rule d\.yaml:4") as caught:
            engine.register(CHAIN, name="bound")
        assert caught.value.code is ErrorCode.FALLBACK_REFUSED
        engine.register(CHAIN)
        assert [info.name for info in engine.models()] == ["chain"]


def test_a_strict_device_refuses_a_model_whose_slice_does_not_load(scripted: ModuleType) -> None:
    scripted.SCRIPTS["gpu"].refuses_load = lambda inputs, outputs: True
    with Engine(with_rules(device(), Rules(strict=True))) as engine:
        with pytest.raises(BandError, match="the slice is refused: scripted") as caught:
            engine.register(CHAIN)
        assert caught.value.code is ErrorCode.FALLBACK_REFUSED
        assert engine.models() == ()
