"""Real models, live: on the emulated phone, where some are split, and on this machine's CPUs."""

from pathlib import Path

import pytest

from band.config.device import load_device
from band.errors import BandError, ErrorCode
from band.model.model import Model
from band.model.tflite_reader import read_model
from band.runtime.engine import Engine
from band.testing.data import NO_DATA, data_dir
from band.testing.reference import Reference, assert_equal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SPLIT = (
    "hand_landmark_full",
    "pose_detection",
    "object_detection_3d_cup",
    "lstm_ssd_traffic_uint8",
)
WHOLE = ("face_landmark", "mobilenet_v2_uint8", "mobilenet_edgetpu_uint8", "movenet_lightning_int8")
STATEFUL = ("lstm_mnist_int8", "mww_alexa")


def _model(name: str) -> Model:
    folder = data_dir("models")
    if folder is None:
        pytest.skip(NO_DATA)
    return read_model(Path(folder) / f"{name}.tflite")


@pytest.mark.parametrize("name", [*SPLIT, *WHOLE, *STATEFUL])
@pytest.mark.parametrize("device", ["pixel4", "host"])
def test_what_is_served_equals_the_whole_model_bit_for_bit(device: str, name: str) -> None:
    model = _model(name)
    reference = Reference(model)
    with Engine(load_device(device)) as engine:
        engine.register(model)
        for seed in range(3):
            inputs = reference.inputs(seed)
            result = engine.infer(name, inputs)
            assert_equal(result.outputs, reference.outputs(inputs))
            assert result.word == ("emulated" if device == "pixel4" else "")
            if seed == 0:  # later ones depend on the noise
                assert result.record.split == (device == "pixel4" and name in SPLIT)
        assert engine.stats().loads_during_requests == 0


def test_requests_of_several_models_at_once_stay_exact_while_they_are_split() -> None:
    references = {name: Reference(_model(name)) for name in SPLIT[:2]}
    inputs = {name: r.inputs(7) for name, r in references.items()}
    expected = {name: r.outputs(inputs[name]) for name, r in references.items()}
    with Engine(load_device("pixel4")) as engine:
        for name, reference in references.items():
            engine.register(reference.model, name=name)
        futures = [(name, engine.submit(name, inputs[name])) for _ in range(25) for name in inputs]
        split = 0
        for name, future in futures:
            result = future.result(60)
            assert_equal(result.outputs, expected[name])
            split += result.record.split
        stats = engine.stats()
    assert split > 5
    assert (stats.completed, stats.buffer_bytes, stats.loads_during_requests) == (50, 0, 0)


@pytest.mark.parametrize("name", ["posenet_075_481_641_decoder", "face_landmark_with_attention"])
def test_a_real_model_with_ops_that_no_processor_has_is_refused_by_name(name: str) -> None:
    with Engine(load_device("host")) as engine:
        with pytest.raises(BandError, match="CUSTOM:") as caught:
            engine.register(_model(name))
        assert caught.value.code is ErrorCode.UNSUPPORTED_MODEL
